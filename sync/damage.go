package sync

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// A message that is damaged on the source can make its server end the connection: Dovecot does where a Maildir file is
// shorter or longer than the size in its name, or cannot be read. Every visit of a pass goes through watched, which
// remembers what had not come when a connection ended, and leaves out what was isolated since (isolate.go).

// question is where a connection ended: a question to a folder that was not answered in full.
type question struct {
	folder   string // raw
	validity uint32
	want     imapx.Want
}

// breakage is what is known of a question.
type breakage struct {
	asked []imapx.Read
	got   imap.UIDSet // what has come, at any time
	times int         // ends in a row without anything new
	hunts int
}

// has reports that all of a range has come; ranges of a set do not touch.
func (c *breakage) has(x imap.UIDRange) bool {
	return slices.ContainsFunc(c.got, func(y imap.UIDRange) bool { return y.Start <= x.Start && x.Stop <= y.Stop })
}

// damage is what a pass learns of messages at which its source ends the connection.
type damage struct {
	mu   sync.Mutex
	cuts map[question]*breakage
	bad  map[question]map[imap.UID]error // isolated, with what is to be told
}

func newDamage() *damage {
	return &damage{cuts: make(map[question]*breakage), bad: make(map[question]map[imap.UID]error)}
}

// watched is a source connection under watch.
type watched struct {
	Source
	d *damage
}

// bare is the connection itself.
func bare(s Source) Source {
	if w, ok := s.(watched); ok {
		s = w.Source
	}
	if k, ok := s.(withKeywords); ok {
		s = k.Source
	}
	return s
}

// Visit asks without what is isolated, and gives that back as failed.
func (w watched) Visit(ctx context.Context, v imapx.Visit, h imapx.VisitHandler) (imapx.VisitResult, error) {
	failed := make(map[imap.UID]error)
	v.Reads = slices.Clone(v.Reads)
	for i, r := range v.Reads {
		bad := w.d.isolated(v.Folder, v.UIDValidity, r)
		maps.Copy(failed, bad)
		v.Reads[i].Except = append(slices.Clone(r.Except), uidSet(uidsOf(bad))...)
	}
	got := make([]imap.UIDSet, len(v.Reads))
	if take := h.Message; take != nil {
		h.Message = func(read int, m imapx.Message) error {
			got[read].AddNum(m.UID)
			return take(read, m)
		}
	}
	res, err := w.Source.Visit(ctx, v, h)
	if v.UIDValidity == 0 {
		v.UIDValidity = res.Opened.UIDValidity
	}
	w.d.note(ctx, v, got, err)
	if len(failed) > 0 && err == nil {
		maps.Copy(failed, res.Failed)
		res.Failed = failed
	}
	return res, err
}

func uidsOf(m map[imap.UID]error) []uint32 {
	out := make([]uint32, 0, len(m))
	for uid := range m {
		out = append(out, uint32(uid))
	}
	return sortedUIDs(out)
}

// isolated is what a read covers of the messages that cannot be read so, or with less. Validity 0 is any: it is the
// same pass.
func (d *damage) isolated(folder string, validity uint32, r imapx.Read) map[imap.UID]error {
	out := make(map[imap.UID]error)
	if r.Want == 0 {
		return out
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for s, bad := range d.bad {
		if s.folder != folder || validity != 0 && s.validity != validity || s.want&^r.Want != 0 {
			continue
		}
		for uid, why := range bad {
			if asks(r, uid) {
				out[uid] = why
			}
		}
	}
	return out
}

// asks reports that a read covers a UID; `*` is any.
func asks(r imapx.Read, uid imap.UID) bool {
	within := func(set imap.UIDSet) bool {
		return slices.ContainsFunc(set, func(x imap.UIDRange) bool {
			return x.Start <= uid && (uid <= x.Stop || x.Stop == 0)
		})
	}
	return within(r.UIDs) && !within(r.Except)
}

// note remembers where a connection ended, or that a question was answered.
func (d *damage) note(ctx context.Context, v imapx.Visit, got []imap.UIDSet, err error) {
	var ie *imapx.Error
	ended := errors.As(err, &ie) && ie.Ending != nil && ctx.Err() == nil
	d.mu.Lock()
	defer d.mu.Unlock()
	same := make(map[question]bool) // nothing new has come there
	for i, r := range v.Reads {
		s := question{v.Folder, v.UIDValidity, r.Want}
		c := d.cuts[s]
		switch {
		case r.Want == 0:
			continue
		case !ended:
			if err == nil {
				delete(d.cuts, s)
			}
			continue
		case c == nil:
			c = &breakage{}
			d.cuts[s] = c
		}
		if _, seen := same[s]; !seen {
			same[s], c.asked = true, nil
		}
		c.asked = append(c.asked, r)
		for _, x := range got[i] {
			same[s] = same[s] && c.has(x)
			c.got.AddRange(x.Start, x.Stop)
		}
	}
	for s, still := range same {
		c := d.cuts[s]
		if !still {
			c.times = 0
		}
		c.times++
	}
}

// isolate remembers a message that the source does not give, and reports that it was not known: a message that is left
// out already cannot be why a connection ended.
func (d *damage) isolate(s question, uid imap.UID, why error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bad[s][uid] != nil {
		return false
	}
	if d.bad[s] == nil {
		d.bad[s] = make(map[imap.UID]error)
	}
	d.bad[s][uid] = why
	for _, c := range d.cuts { // what else was under way ended with it
		c.times = 0
	}
	return true
}

// ripe are the questions where connections ended often enough to look for a message: twice at the same place, and once
// where a message was found before.
func (d *damage) ripe() []question {
	d.mu.Lock()
	defer d.mu.Unlock()
	least := 2
	if len(d.bad) > 0 {
		least = 1
	}
	var out []question
	for s, c := range d.cuts {
		if c.times >= least && c.hunts < huntsInVain {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(x, y question) int { // whole messages are what fails most
		if x.want != y.want {
			return int(y.want) - int(x.want)
		}
		return cmp.Compare(x.folder, y.folder)
	})
	return out
}
