package sync

import (
	"context"
	"errors"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// giveFlags gives messages that were just stored the system flags that they were sent with, where the target took them
// with APPEND and forgot them: GNU mailutils' imap4d stores all mail without flags, and keeps those of a STORE. It can
// be seen where there is no APPENDUID, for then what was stored is listed anyway. That a user took every flag of every
// message away meanwhile is not believed; one flag that is there, and nothing is touched.
func (a *attempt) giveFlags(ctx context.Context, dst Target, pair state.Pair, uidValidity uint32, rows []state.Row, found located) error {
	plan := newFlagPlan()
	for i, r := range rows {
		if found.uids[i] == 0 {
			continue
		}
		sent := a.systemFlagsSent(pair.ID, r)
		there := parseFlags(found.flags[i])
		for _, f := range sent {
			if hasFlag(there, f) {
				return nil
			}
		}
		plan.add(found.uids[i], sent, nil)
	}
	if len(plan.order) == 0 {
		return nil
	}
	var changes []imapx.FlagChange
	for _, k := range plan.order {
		changes = append(changes, *plan.changes[k])
	}
	err := dst.Store(ctx, pair.Target, uidValidity, changes)
	if !flagsRefused(err) {
		return err
	}
	for _, c := range changes { // the mail is there: what it lacks is told, as where the folder says so itself
		for _, f := range c.Add {
			if err := a.lacks(ctx, pair.ID, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// flagsRefused reports that a server will not change flags in a folder, whatever is tried.
func flagsRefused(err error) bool {
	var ie *imapx.Error
	return errors.As(err, &ie) && ie.Kind == imapx.KindStore && ie.Scope != imapx.ScopeAccount && ie.Retry == imapx.RetryNever &&
		!errors.Is(err, imapx.ErrUIDValidity)
}

// systemFlagsSent are the flags of RFC 9051 section 2.3.2 that a message was sent with: those of the source that its
// target folder keeps.
func (a *attempt) systemFlagsSent(pair int64, r state.Row) (sent []imap.Flag) {
	var lacking []imap.Flag
	for _, f := range a.lacking(pair) {
		lacking = append(lacking, imap.Flag(f))
	}
	for _, f := range parseFlags(r.Flags) {
		if hasFlag(systemFlags, f) && !hasFlag(lacking, f) {
			sent = append(sent, f)
		}
	}
	return sent
}
