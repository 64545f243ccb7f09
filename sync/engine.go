package sync

import (
	"context"
	"errors"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// Source is the old side as the engine needs it: it has no verb that could change anything.
type Source interface {
	List(ctx context.Context) (imapx.Listing, error)
	Visit(ctx context.Context, v imapx.Visit, h imapx.VisitHandler) (imapx.VisitResult, error)
	Close() error
}

// Target is the new side.
type Target interface {
	Source
	Limits() imapx.Limits
	Prepare(ctx context.Context, folders []imapx.Prepare) ([]imapx.Prepared, error)
	Append(ctx context.Context, b imapx.AppendBatch) (imapx.Pending, error)
	Store(ctx context.Context, folder string, uidValidity uint32, changes []imapx.FlagChange) error
	// Remove deletes exactly these messages (UID EXPUNGE, RFC 4315) and proves it; without UIDPLUS it refuses.
	Remove(ctx context.Context, folder string, uidValidity uint32, uids imap.UIDSet) error
}

// Options are one pass over one account.
type Options struct {
	Account       string // id
	ConnectSource func(context.Context) (Source, error)
	ConnectTarget func(context.Context) (Target, error)
	State         *state.File
	SpoolDir      string // for bodies over 1 MiB, beside the state
	Memory        int64  // bytes for bodies in memory; 0: 64 MiB
	Connections   int    // for each side; 0: 2
	DryRun        bool
	RetryFor      time.Duration   // how long lost connections are made again; 0: 5 minutes
	Events        func(Event)     // never called concurrently; may be nil
	Stop          <-chan struct{} // closed: intake ends, what is in flight is settled; may be nil
}

// Run does one pass. The report counts what was done also where the error is not nil.
func Run(ctx context.Context, o Options) (Report, error) {
	return Report{}, errors.New("no engine in this tree")
}
