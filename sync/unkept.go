package sync

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/state"
)

// Flags that target folders do not keep (PERMANENTFLAGS without them, and without `\*`) are noted for each folder pair,
// for that is where a server says it, and told once for each flag of the account: mail has few keywords and many
// messages. How many lack it is counted from the ledger, which knows the source's flags.

// lacks notes that a target folder does not keep a flag, before a message goes there without it.
func (a *attempt) lacks(ctx context.Context, pair int64, f imap.Flag) error {
	if slices.ContainsFunc(a.lacking(pair), func(known string) bool { return strings.EqualFold(known, string(f)) }) {
		return nil
	}
	if err := a.State.PutUnkept(ctx, pair, string(f)); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unkept[pair] = append(a.unkept[pair], string(f))
	return nil
}

// lacking are the flags that a pair's target folder does not keep.
func (a *attempt) lacking(pair int64) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.unkept[pair])
}

// giveBack adds to the target's messages the flags that their folder did not keep when they were carried and keeps
// now. Nobody can have removed them there.
func (l *lane) giveBack(ctx context.Context, j *job) (int64, error) {
	lacking := l.lacking(j.pair.ID)
	if len(lacking) == 0 || j.task == createOnly || l.appendOnly {
		return 0, nil
	}
	opened, err := l.opened(ctx, j)
	if err != nil {
		return 0, err
	}
	var back []imap.Flag
	keep := newKeeper(opened.PermanentFlags)
	for _, f := range lacking {
		if flags, _ := keep.filter([]imap.Flag{imap.Flag(f)}); len(flags) > 0 {
			back = append(back, flags...)
		}
	}
	if len(back) == 0 {
		return 0, nil
	}
	plan := newFlagPlan()
	err = l.State.Rows(ctx, j.pair.ID, 0, func(r state.Row) error {
		if r.Status == state.Stored && r.TargetUID != 0 {
			has := parseFlags(r.Flags)
			plan.add(r.TargetUID, slices.DeleteFunc(has, func(f imap.Flag) bool { return !hasFlag(back, f) }), nil)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	n, err := l.store(ctx, j, plan)
	if err != nil {
		return n, err
	}
	for _, f := range back {
		if err := l.State.DropUnkept(ctx, j.pair.ID, string(f)); err != nil {
			return n, err
		}
	}
	l.mu.Lock()
	l.unkept[j.pair.ID] = slices.DeleteFunc(lacking, func(f string) bool { return hasFlag(back, imap.Flag(f)) })
	l.mu.Unlock()
	l.count(func(r *Report) { r.Flags += n })
	return n, nil
}

// tellUnkept brings the exceptions about flags up to date: one for each flag that messages were carried without, and
// none for a flag that nothing needs any more or that is kept now.
func (a *attempt) tellUnkept(ctx context.Context) error {
	list, err := a.State.CountUnkept(ctx)
	if err != nil {
		return err
	}
	var told []string
	for _, u := range list {
		told = append(told, u.Flag)
		e := state.Exception{Reason: reasonFlag, Flag: u.Flag, Detail: fmt.Sprintf("%s: %s carried without it, %s not keep it",
			u.Flag, countOf(u.Messages, "message is", "messages are"), countOf(u.Folders, "target folder does", "target folders do"))}
		if err := a.except(ctx, e); err != nil {
			return err
		}
	}
	return a.State.ClearAccountExceptions(ctx, reasonFlag, told)
}

func countOf(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

// touched reports that a copy's flags are not those that it was given: then its user decided something. Flags are
// compared without regard to case, for some servers (Dovecot, Courier) show all of a folder in the spelling that
// came first.
func touched(now, carried string, lacking []string) bool {
	there := parseFlags(now)
	want := slices.DeleteFunc(parseFlags(carried), func(f imap.Flag) bool {
		return slices.ContainsFunc(lacking, func(l string) bool { return strings.EqualFold(l, string(f)) })
	})
	missing := func(of, in []imap.Flag) bool {
		return slices.ContainsFunc(of, func(f imap.Flag) bool { return !hasFlag(in, f) })
	}
	return missing(want, there) || missing(there, want)
}
