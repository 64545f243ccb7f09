package imapx

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// surplus is how many UIDs more than the folder has messages a SEARCH may name: mail that has just come.
const surplus = 1 << 16

func uintText(n uint64) string { return strconv.FormatUint(n, 10) }

// search is one UID SEARCH in flight.
type search struct {
	c      *conn
	cmd    *command
	in     *opening
	found  imap.UIDSet
	broken error // an answer that cannot be read to its end: what it would have named must not pass for gone
	named  uint64
	over   bool // more was named than there can be; the rest was not kept
	star   bool // the question ended in "*"
}

// sendSearch asks which UIDs of set exist. finish runs on the reader once they are known; it may be nil.
func (v *visit) sendSearch(ctx context.Context, in *opening, set imap.UIDSet, finish func(*search)) (*search, error) {
	s := &search{c: v.c, in: in}
	s.cmd = &command{op: "UID SEARCH", folder: v.v.Folder, kind: KindFetch, scope: ScopeFolder, data: s.take}
	s.cmd.finish = func(h *command) {
		s.found = ordered(s.found)
		if finish != nil && h.status.name == "OK" && in.state == openYes && !v.stopped() {
			finish(s)
		}
	}
	w := v.c.command("UID SEARCH")
	if v.c.has(imap.CapESearch) { // RFC 4731: ranges instead of every number
		w.Raw(" RETURN (ALL)")
	}
	set = brief(set)
	if v.c.starless.Load() {
		set = ordered(set)
	}
	text := set.String()
	s.star = strings.HasSuffix(text, "*")
	if err := v.c.send(ctx, w.Raw(" UID "+text), s.cmd); err != nil {
		return nil, err
	}
	v.track(s.cmd)
	return s, nil
}

func (s *search) take(r *wire.Response, _ bool) (bool, error) {
	if s.in.state != openYes {
		return false, nil
	}
	before := s.named
	switch r.Name {
	case "SEARCH":
		if s.over {
			return false, nil // endless: see unwanted in guard.go
		}
		s.keep(before, s.numbers(r))
		return true, s.broken
	case "ESEARCH":
		if s.over {
			return false, nil
		}
		taken, err := s.extended(r)
		s.keep(before, err)
		return taken, err
	}
	return false, nil
}

// keep notes that an answer was unreadable, and when no more of them can be meant.
func (s *search) keep(before uint64, err error) {
	if s.named > before {
		s.c.useful()
	}
	if err != nil {
		s.broken = err
	}
	s.over = s.named > uint64(min(s.in.opened.Messages, maxMessages))+surplus
}

// numbers reads `* SEARCH 1 2 3`; a server may send it in pieces, and a (MODSEQ n) may follow.
func (s *search) numbers(r *wire.Response) error {
	for {
		if c := r.P.Peek(); c == '(' || r.P.End() {
			return nil
		}
		n, err := r.P.Number()
		if err != nil {
			return err
		}
		uid := imap.UID(n)
		s.named++
		if last := len(s.found) - 1; last >= 0 && s.found[last].Stop+1 == uid {
			s.found[last].Stop = uid
		} else if n != 0 {
			s.found = append(s.found, imap.UIDRange{Start: uid, Stop: uid})
		}
	}
}

// extended reads `* ESEARCH (TAG "m5") UID ALL 1:5`; without ALL nothing matched (RFC 4731 section 3.1).
func (s *search) extended(r *wire.Response) (bool, error) {
	p := r.P // a copy: another SEARCH in flight may have to read it
	if p.Peek() == '(' {
		mine := true
		err := p.List(func() error {
			v, err := p.String()
			if err == nil && strings.HasPrefix(string(v.Bytes), "m") && string(v.Bytes) != s.cmd.tag {
				mine = false
			}
			return err
		})
		if err != nil || !mine {
			return false, err
		}
	}
	for !p.End() {
		item, err := p.Atom()
		if err != nil {
			return true, err
		}
		switch strings.ToUpper(item) {
		case "UID":
		case "ALL":
			set, err := p.Atom()
			if err != nil {
				return true, err
			}
			found, err := parseSet(set)
			s.named += size(found)
			s.found = append(s.found, found...)
			if err != nil {
				return true, err
			}
		default:
			if err := p.Skip(); err != nil {
				return true, err
			}
		}
	}
	return true, nil
}

// check refuses an answer that names more messages than there can be, or that could not be read.
func (v *visit) check(s *search) error {
	if s.broken != nil {
		return v.c.error(s.cmd, &Error{Kind: KindProtocol, Scope: ScopeFolder, Err: s.broken,
			Text: "the server's list of UIDs cannot be read: " + s.broken.Error()})
	}
	if n := size(s.found); n > maxMessages {
		return v.c.error(s.cmd, &Error{Kind: KindProtocol, Scope: ScopeFolder,
			Text: fmt.Sprintf("the server names %d messages; a folder of more than %d is not read", n, maxMessages)})
	}
	if n := size(s.found); n > uint64(s.in.opened.Messages)+surplus {
		return v.c.error(s.cmd, &Error{Kind: KindProtocol, Scope: ScopeFolder,
			Text: fmt.Sprintf("the server names %d messages in a folder of %d", n, s.in.opened.Messages)})
	}
	return nil
}

// blind reports an answer that no server may give: n:* names the last message at least (RFC 9051 section 9, seq-range).
// GNU mailutils answers so to every UID SEARCH with a "*".
func (s *search) blind() bool {
	return s.star && len(s.found) == 0 && s.broken == nil && s.in.opened.Messages > 0 && limitOf(s.cmd.status) == 0
}

// searchAgain repeats a blind SEARCH with a number in place of the "*", and so does this connection from then on.
func (v *visit) searchAgain(ctx context.Context, w *work) error {
	v.c.starless.Store(true)
	in, err := v.lockIn(ctx)
	if err != nil {
		return err
	}
	w.search, err = v.sendSearch(ctx, in, w.set, nil)
	v.c.unlockSelection()
	if err == nil {
		err = v.settle(ctx, in)
	}
	if err == nil {
		err = v.c.wait(ctx, w.search.cmd)
	}
	if err == nil {
		err = v.check(w.search)
	}
	if err == nil && w.read.Want == 0 && v.h.UIDs != nil {
		err = v.h.UIDs(w.index, intersect(w.search.found, w.set))
	}
	return err
}

// notNone refuses a SEARCH for all messages that finds none in a folder which was just opened with some: that mail would be
// passed over in silence.
func (v *visit) notNone(w *work) error {
	o := w.search.in.opened
	all := len(w.set) == 1 && w.set[0].Start == 1 && (w.set[0].Stop == math.MaxUint32 || o.UIDNext > 0 && w.set[0].Stop >= o.UIDNext-1)
	if !all || o.Messages == 0 || len(w.search.found) > 0 || limitOf(w.search.cmd.status) > 0 {
		return nil
	}
	return v.c.error(w.search.cmd, &Error{Kind: KindProtocol, Scope: ScopeFolder,
		Text: fmt.Sprintf("the folder has %d messages, and the server's search finds none of them", o.Messages)})
}

// limitOf reads the n of [MESSAGELIMIT n uid] (RFC 9738 section 3), 0 where the answer was not cut.
func limitOf(s status) uint64 {
	if s.code != "MESSAGELIMIT" {
		return 0
	}
	first, _, _ := strings.Cut(s.args, " ")
	n, err := strconv.ParseUint(first, 10, 32)
	if err != nil || n == 0 {
		return 1
	}
	return n
}

// searchInSteps asks again where the server cut the answer: n UIDs at a time are at most n messages.
func (v *visit) searchInSteps(ctx context.Context, w *work, n uint64) error {
	v.limit(n)
	top := v.result.Opened.UIDNext
	if top == 0 {
		return v.c.error(w.search.cmd, &Error{Kind: KindProtocol, Scope: ScopeFolder,
			Text: "the server cut its SEARCH answer and does not say how far UIDs go"})
	}
	var all imap.UIDSet
	rest := intersect(w.set, imap.UIDSet{{Start: 1, Stop: top}})
	if size(rest)/n > maxSteps {
		return v.c.error(w.search.cmd, &Error{Kind: KindProtocol, Scope: ScopeFolder,
			Text: fmt.Sprintf("the server cuts its SEARCH answers at %d messages, and its UIDs go up to %d", n, top)})
	}
	for len(rest) > 0 {
		in, err := v.lockIn(ctx)
		if err != nil {
			return err
		}
		var steps []*search
		for i := 0; i < 4*maxWindows && len(rest) > 0 && err == nil; i++ {
			var head imap.UIDSet
			var s *search
			head, rest = cutSet(rest, n)
			if s, err = v.sendSearch(ctx, in, head, nil); err == nil {
				steps = append(steps, s)
			}
		}
		v.c.unlockSelection()
		if err == nil {
			err = v.settle(ctx, in)
		}
		for _, s := range steps {
			if err == nil {
				err = v.c.wait(ctx, s.cmd)
			}
			if err == nil {
				err = v.check(s)
			}
			all = append(all, s.found...)
		}
		if err != nil {
			return err
		}
	}
	w.search.found = ordered(all)
	if w.read.Want == 0 && v.h.UIDs != nil {
		return v.h.UIDs(w.index, intersect(w.search.found, w.set))
	}
	return nil
}
