package sync

import (
	"context"
	"errors"
	"testing"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

var errLostStore = errors.New("the connection is to be lost once")

// failsStore is a target that answers the first STORE with an error; all of them, as long as it is one of the folder.
type failsStore struct {
	Target
	err *error
}

func (s failsStore) Store(ctx context.Context, folder string, uidValidity uint32, changes []imapx.FlagChange) error {
	if err := *s.err; err != nil {
		if errors.Is(err, errLostStore) {
			*s.err = nil
			err = lostError()
		}
		return err
	}
	return s.Target.Store(ctx, folder, uidValidity, changes)
}

// taking is a bench with five of ten messages on both sides; those of the target lack a flag.
func taking(t *testing.T) *bench {
	b := newBench(t)
	b.fill("INBOX", 0, 10)
	for _, m := range b.src.folders["INBOX"].messages[:5] {
		b.dst.add("INBOX", m.date, string(m.data), "$label1")
	}
	return b
}

func refusedStore() error {
	return &imapx.Error{Op: "UID STORE", Side: "target", Folder: "INBOX", Text: "no", Kind: imapx.KindStore, Scope: imapx.ScopeFolder}
}

// failing has STORE fail on the target.
func failing(err *error) func(*Options) {
	return func(o *Options) {
		connect := o.ConnectTarget
		o.ConnectTarget = func(ctx context.Context) (Target, error) {
			t, e := connect(ctx)
			return failsStore{t, err}, e
		}
	}
}

// TestTakenOverFlagsAfterALoss: the connection is lost when messages that are on both sides get the flags that the target's
// copies lack. With a row they are not compared again.
func TestTakenOverFlagsAfterALoss(t *testing.T) {
	b := taking(t)
	err := errLostStore
	b.pass(failing(&err))
	if err != nil || len(b.dst.folders["INBOX"].messages) != 10 {
		t.Fatalf("%v, %d messages", err, len(b.dst.folders["INBOX"].messages))
	}
	for _, m := range b.dst.folders["INBOX"].messages {
		if !hasFlag(m.flags, imap.FlagSeen) {
			t.Errorf("UID %d has %v", m.uid, m.flags)
		}
	}
}

// TestTakenOverFlagsRefused: a target that refuses the flags for good is told, and gets the mail with the next pass, once.
func TestTakenOverFlagsRefused(t *testing.T) {
	b := taking(t)
	err := refusedStore()
	if r := b.pass(failing(&err)); r.NewExceptions != 1 {
		t.Errorf("%+v", r)
	}
	if r := b.pass(); r.Copied != 5 || r.Exceptions != 0 || len(b.dst.folders["INBOX"].messages) != 10 {
		t.Errorf("%+v, %d messages", r, len(b.dst.folders["INBOX"].messages))
	}
}
