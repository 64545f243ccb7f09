package sync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// Source is the old side as the engine needs it: it has no verb that could change anything. Calls may be made
// concurrently; they are pipelined on one connection.
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
	Rename(ctx context.Context, from, to string) error
	// Move needs UIDPLUS (CanMove) and gives the new UIDs; messages that are gone are left out.
	Move(ctx context.Context, from string, uidValidity uint32, uids imap.UIDSet, to string) (map[imap.UID]imap.UID, error)
	CanMove() bool
	// Drop removes an empty folder, and no other.
	Drop(ctx context.Context, folder string) error
	Store(ctx context.Context, folder string, uidValidity uint32, changes []imapx.FlagChange) error
	// Expunge deletes what nobody changed meanwhile, and gives what is proven to be gone.
	Expunge(ctx context.Context, folder string, uidValidity uint32, r imapx.Removal) (imap.UIDSet, error)
	// Remove deletes exactly these messages (UID EXPUNGE, RFC 4315) and proves it; without UIDPLUS it refuses.
	Remove(ctx context.Context, folder string, uidValidity uint32, uids imap.UIDSet) error
}

// Options are one pass over one account.
type Options struct {
	Account       string // id
	ConnectSource func(context.Context) (Source, error)
	ConnectTarget func(context.Context) (Target, error)
	State         *state.File
	SpoolDir      string          // for bodies over 1 MiB, beside the state
	Memory        int64           // bytes for the whole pass, half of it for bodies; 0: 64 MiB, at least 16 MiB
	Budget        *Budget         // what several passes of a run have in common; nil: Memory is this pass's own
	Connections   int             // for each side, 1 to 32; 0: 2
	Mapping       Mapping         // where folders go; its zero value: by special use and name
	Filter        Filter          // what is left to a later pass; zero: nothing
	RecopyGone    bool            // carry again what is gone-on-target
	Deletions     Deletions       // what becomes of copies whose message was deleted on the source; its zero value: they stay
	MaxDeletions  Ceiling         // of one folder and pass; zero: 10 %
	Mode          Mode            // its zero value: an ordinary pass
	AlterNever    bool            // what the target refuses as it is stays behind, instead of being altered
	DryRun        bool            // nothing is written to the target or the state
	RetryFor      time.Duration   // how long a lost connection is made again without any progress; 0: 5 minutes
	Settle        time.Duration   // how long a dead connection's appends are waited for before anything is sent again; 0: 2 s
	LateWindow    time.Duration   // how long after that they are still looked for before the pass ends; 0: 6 s
	Events        func(Event)     // never called concurrently; may be nil
	Stop          <-chan struct{} // closed: intake ends, what is in flight is settled; may be nil
}

// ErrSameMailbox: both endpoints lead to one mailbox. Nothing was written but an empty folder, which is gone again.
var ErrSameMailbox = errors.New("source and target are the same mailbox")

// ErrInterrupted: the pass ended by Options.Stop; what was in flight is settled, the next pass goes on.
var ErrInterrupted = errors.New("interrupted")

const (
	defaultMemory   = 64 << 20
	smallestMemory  = 16 << 20
	mostConnections = 32
)

func (o *Options) complete() error {
	defaults := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	defaults(&o.RetryFor, 5*time.Minute)
	defaults(&o.Settle, 2*time.Second)
	defaults(&o.LateWindow, 6*time.Second)
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	if o.Connections == 0 {
		o.Connections = 2
	}
	if o.Memory < smallestMemory {
		return fmt.Errorf("memory of %d bytes is too small: at least %d", o.Memory, smallestMemory)
	}
	if err := o.Mapping.Check(); err != nil {
		return err
	}
	if o.Deletions != KeepDeleted && o.Filter.active() {
		return errFiltered
	}
	if o.Connections < 1 || o.Connections > mostConnections {
		return fmt.Errorf("%d connections: 1 to %d", o.Connections, mostConnections)
	}
	return nil
}

// Run does one pass. The report counts what was done also where the error is not nil: an *imapx.Error, a state
// error, ErrSameMailbox, ErrNoLedger, ErrNoDeletions, state.ErrReverseOpen,
// ErrInterrupted, or the context's.
func Run(ctx context.Context, o Options) (Report, error) { return run(ctx, o) }

func run(ctx context.Context, o Options, set ...func(*pass)) (Report, error) {
	if err := o.complete(); err != nil {
		return Report{}, err
	}
	p, err := newPass(ctx, o, set...)
	if err != nil {
		return Report{}, err
	}
	err = p.attempts(ctx)
	return p.end(ctx, err)
}
