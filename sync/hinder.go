package sync

import (
	"context"
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// hinder leaves folder pairs to the next pass where it is only their folder that a server refuses, and reports
// whether the rest can go on. Their marks stay uncommitted, so that the next pass sees all of it again. What is
// refused for now is first tried again, by another attempt of this pass.
func (a *attempt) hinder(err error, jobs ...*job) bool {
	var ie *imapx.Error
	if !errors.As(err, &ie) || ie.Scope == imapx.ScopeAccount || a.mayPass(ie) {
		return false
	}
	for _, j := range jobs {
		a.hindered[j] = err
	}
	return true
}

// aside is a source folder of which it is unclear whether it belongs to a pair whose folder is missing.
type aside struct {
	pair int64
	err  error
}

// setAside is hinder for a folder that has no pair yet in this pass: it gets none, for the next one would take it for
// a folder of its own.
func (a *attempt) setAside(err error, pair int64, raw string) bool {
	if !a.hinder(err) {
		return false
	}
	a.asides[raw] = aside{pair, err}
	return true
}

// leaveAside records why a folder is not carried in this pass.
func (a *attempt) leaveAside(ctx context.Context, f *imapx.Folder) (bool, error) {
	s, ok := a.asides[f.Raw]
	if !ok {
		return false, nil
	}
	e := state.Exception{Pair: s.pair, Folder: f.Name, Reason: reasonFolder, Detail: s.err.Error()}
	var ie *imapx.Error
	if errors.As(s.err, &ie) {
		if gone, again := a.missing(ctx, ie); gone || again != nil {
			return true, again
		}
		e.Code = string(ie.Code)
	}
	return true, a.except(ctx, e)
}

// mayPass reports that another try may get over an error of a folder: not too often, for the other folders wait.
func (p *pass) mayPass(e *imapx.Error) bool {
	if e.Retry == imapx.RetryNever {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := e.Side + " " + e.Folder
	p.refusals[key]++
	return p.refusals[key] < folderTries
}

// listed reads the folders of a side. Where a folder's marks are refused all is asked once more: a folder without
// marks is opened and carried, but neither a rename nor a move can be seen there. A refusal for now, or one that
// concerns the account, is the error.
func (p *pass) listed(ctx context.Context, s Source) (imapx.Listing, error) {
	l, err := s.List(ctx)
	if err == nil && refused(l) != nil {
		l, err = s.List(ctx)
	}
	if err != nil {
		return l, err
	}
	if ie := refused(l); ie != nil && (ie.Scope == imapx.ScopeAccount || p.mayPass(ie)) {
		return l, ie
	}
	return l, nil
}

// refused is the widest refusal of a folder's marks.
func refused(l imapx.Listing) (worst *imapx.Error) {
	for _, f := range l.Folders {
		var ie *imapx.Error
		if errors.As(f.Err, &ie) && (worst == nil || ie.Scope < worst.Scope) {
			worst = ie
		}
	}
	return worst
}

// vanished deals with a folder that somebody deleted or renamed while the pass went on. It is the next pass's to see
// what became of it; a target folder with mail on the way is made again by another attempt. A folder that is listed
// and cannot be opened is tried again too: Dovecot refuses one for a moment while it is renamed.
func (a *attempt) vanished(ctx context.Context, j *job, e *imapx.Error) bool {
	if e.Side == a.from() || e.Folder != j.name {
		gone, again := a.missing(ctx, e)
		if again != nil {
			a.fail(again)
		}
		return gone || again != nil
	}
	if !noFolder(e) || j.target == nil && !j.open.Created {
		return false // it never was there
	}
	again := a.onceMore(e)
	if again != nil {
		a.fail(again)
	}
	return again != nil
}

// renamedNow is the error of a folder that was renamed or deleted in this moment, as long as another attempt may see
// what became of it.
func (a *attempt) renamedNow(ctx context.Context, err error) error {
	var ie *imapx.Error
	if !errors.As(err, &ie) || ie.Scope == imapx.ScopeAccount {
		return nil
	}
	gone, again := a.missing(ctx, ie)
	if gone {
		again = a.onceMore(ie)
	}
	return again
}

// onceMore is the error of a folder as one that another attempt may get over, nil where there were enough.
func (a *attempt) onceMore(e *imapx.Error) error {
	again := *e
	again.Scope, again.Retry = imapx.ScopeAccount, imapx.RetryReconnect
	if !a.mayPass(&again) {
		return nil
	}
	return &again
}

func noFolder(e *imapx.Error) bool {
	return e.Code == imap.ResponseCodeNonExistent || e.Code == imap.ResponseCodeTryCreate
}

// missing reports that the folder of an error is not there any more, and tells it once. Dovecot says so in words
// only, so that the folders are listed once more; again is the error where the folder is listed and may be opened by
// another attempt.
func (a *attempt) missing(ctx context.Context, e *imapx.Error) (gone bool, again error) {
	if e.Folder == "" {
		return false, nil
	}
	which := e.Side + " " + e.Folder
	a.mu.Lock()
	told := a.missed[which]
	a.mu.Unlock()
	if told {
		return true, nil
	}
	if !noFolder(e) {
		if e.Kind != imapx.KindFolder || e.Code != "" {
			return false, nil
		}
		var conn Source = a.lanes[0].dst
		if e.Side == a.from() {
			conn = a.lanes[0].src
		}
		named := func(f imapx.Folder) bool { return f.Name == e.Folder }
		l, err := conn.List(ctx)
		for n := 0; err == nil && !l.Complete && n < 3; n++ { // while folders come and go
			l, err = conn.List(ctx)
		}
		if err != nil || !l.Complete || slices.ContainsFunc(l.Folders, named) {
			return false, a.onceMore(e)
		}
	}
	a.mu.Lock()
	if a.missed == nil {
		a.missed = make(map[string]bool)
	}
	a.missed[which] = true
	a.mu.Unlock()
	a.notice(e.Folder + " is gone on the " + e.Side + " since it was listed")
	return true, nil
}
