package sync

import (
	"context"

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
	return dst.Store(ctx, pair.Target, uidValidity, changes)
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
