package imapx

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// discardLimit is how many bytes of unwanted bodies are read to keep a connection in step; beyond that a new
// connection is cheaper.
const discardLimit = 16 << 20

// bodySink receives one body literal from the reader.
type bodySink struct {
	body  Body // nil: thrown away
	owner *visit
	taken bool // by a message; otherwise it is released once its frame is done
	bytes *uint64
}

func (s *bodySink) Write(p []byte) (int, error) {
	if s.body == nil {
		*s.bytes += uint64(len(p))
		return len(p), nil
	}
	n, err := s.body.Write(p)
	if err != nil {
		s.owner.abort(err)
	}
	return n, err
}

// literal is the reader's hook: the literal of a BODY[] goes straight to the visit that asked for it.
func (c *conn) literal(head []byte, size uint64) wire.Sink {
	open := bytes.LastIndexByte(head, '{')
	item := bytes.TrimRight(head[:max(open, 0)], " ~")
	if len(item) < 6 || !bytes.EqualFold(item[len(item)-6:], []byte("BODY[]")) {
		return nil
	}
	s := &bodySink{bytes: &c.discarded}
	for _, h := range c.inFlight() {
		if h.body == nil || len(c.sinks) > 0 { // a message has one body; a second would wait for the room that the first holds
			continue
		}
		if v := h.body(); v != nil {
			s.owner, s.body = v, v.alloc(size)
			break
		}
	}
	if s.body != nil {
		c.discarded = 0
	} else if c.discarded += 1; c.discarded+size > discardLimit {
		c.fail(c.error(nil, &Error{Op: "connection", Kind: KindLost, Scope: ScopeAccount, Retry: RetryReconnect,
			Text: "closed, because more mail was on its way that is not wanted any more"}))
	}
	c.sinks = append(c.sinks, s)
	return s
}

// dropSinks releases the bodies that no message took: the frame was malformed, unasked for, or cut.
func (c *conn) dropSinks() {
	for _, s := range c.sinks {
		if !s.taken && s.body != nil {
			s.body.Release()
		}
	}
	c.sinks = c.sinks[:0]
}

// fetchItems are the items of a Want; UID comes of itself with UID FETCH and is asked for all the same.
func fetchItems(w Want) string {
	items := []string{"UID"}
	for _, x := range []struct {
		want Want
		item string
	}{
		{WantFlags, "FLAGS"},
		{WantDate, "INTERNALDATE"},
		{WantSize, "RFC822.SIZE"},
		{WantIdentity, "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM TO SUBJECT)]"},
		{WantBody, "BODY.PEEK[]"},
		{WantLabels, "X-GM-LABELS"},
		{WantGmailID, "X-GM-MSGID"},
	} {
		if w&x.want != 0 {
			items = append(items, x.item)
		}
	}
	return "(" + strings.Join(items, " ") + ")"
}

// fetched is one FETCH answer, or several of the same message merged.
type fetched struct {
	msg  Message
	have Want
	sink *bodySink
}

// parseFetch reads the items of one FETCH answer. An INTERNALDATE that is NIL or no date is none.
func (c *conn) parseFetch(p *wire.Parser) (f fetched, err error) {
	err = p.List(func() error {
		item, err := p.Item()
		if err != nil {
			return err
		}
		switch {
		case item == "UID":
			var n uint32
			n, err = p.Number()
			f.msg.UID = imap.UID(n)
		case item == "FLAGS":
			f.msg.Flags, err = p.Flags()
			f.have |= WantFlags
		case item == "INTERNALDATE":
			var s wire.String
			s, err = p.String()
			if d, derr := wire.ParseDate(string(s.Bytes)); derr == nil {
				f.msg.Date = d
			}
			f.have |= WantDate
		case item == "RFC822.SIZE":
			f.msg.Size, err = parseSize(p)
			f.have |= WantSize
		case item == "MODSEQ":
			err = p.List(func() error { f.msg.ModSeq, err = p.Number64(); return err })
		case item == "X-GM-LABELS":
			f.msg.Labels, err = parseLabels(p)
			f.have |= WantLabels
		case item == "X-GM-MSGID":
			f.msg.GmailID, err = p.Number64()
			f.have |= WantGmailID
		case strings.HasPrefix(item, "BODY[HEADER"):
			var s wire.String
			if s, err = p.String(); err == nil && !s.Nil {
				f.msg.Header = append([]byte{}, s.Bytes...)
				f.have |= WantIdentity
			}
		case item == "BODY[]":
			err = c.parseBody(p, &f)
		default:
			err = p.Skip()
		}
		return err
	})
	return f, err
}

// parseSize reads a size that is a hint only: one that is NIL, negative or no number is none.
func parseSize(p *wire.Parser) (int64, error) {
	if c := p.Peek(); c < '0' || c > '9' {
		return 0, p.Skip()
	}
	n, err := p.Number64()
	return int64(min(n, 1<<62)), err
}

// parseBody takes the streamed body. A short one may come as a quoted string; NIL means that the server has none
// to give, which is not the same as an empty message.
func (c *conn) parseBody(p *wire.Parser, f *fetched) error {
	s, err := p.String()
	if err != nil || s.Nil {
		return err
	}
	if s.Literal != nil && s.Literal.Sink != nil {
		if sink, ok := s.Literal.Sink.(*bodySink); ok && sink.body != nil {
			f.sink = sink
			f.have |= WantBody
		}
		return nil
	}
	for _, h := range c.inFlight() {
		if h.body == nil {
			continue
		}
		v := h.body()
		if v == nil {
			continue
		}
		sink := &bodySink{owner: v, body: v.alloc(uint64(len(s.Bytes))), bytes: &c.discarded}
		c.sinks = append(c.sinks, sink)
		if sink.body != nil {
			if _, err := sink.Write(s.Bytes); err == nil {
				f.sink = sink
				f.have |= WantBody
			}
		}
		break
	}
	return nil
}

// merge adds what another answer of the same message brought. The first body stays.
func (f *fetched) merge(g fetched) {
	m, n := &f.msg, g.msg
	if g.have&WantFlags != 0 {
		m.Flags = n.Flags
	}
	if g.have&WantDate != 0 {
		m.Date = n.Date
	}
	if g.have&WantSize != 0 {
		m.Size = n.Size
	}
	if g.have&WantIdentity != 0 {
		m.Header = n.Header
	}
	if n.ModSeq != 0 {
		m.ModSeq = n.ModSeq
	}
	if g.have&WantLabels != 0 {
		m.Labels = n.Labels
	}
	if n.GmailID != 0 {
		m.GmailID = n.GmailID
	}
	if g.sink != nil && f.sink == nil {
		f.sink = g.sink
		f.sink.taken = true
	}
	f.have |= g.have
}

// fetch is one UID FETCH in flight.
type fetch struct {
	cmd     *command
	v       *visit
	work    *work
	in      *opening
	set     imap.UIDSet // what was asked
	partial map[imap.UID]*fetched
	headers int // bytes of their header fields
}

// live reports whether answers may be used: the folder is open with the planned UIDVALIDITY.
func (f *fetch) live() bool { return f.in.state == openYes && !f.v.stopped() }

// revalidate ends the visit where the server gives the open folder another UIDVALIDITY: UIDs mean other messages from here.
func (f *fetch) revalidate(r *wire.Response) error {
	p := wire.ParserFor(r.Args)
	n, err := p.Number()
	if err == nil && n != f.in.opened.UIDValidity {
		f.v.abort(f.v.c.error(f.cmd, &Error{Text: fmt.Sprintf("the folder got another UIDVALIDITY (%d) while it was open", n),
			Kind: KindFolder, Scope: ScopeFolder, Retry: RetryNever, Err: ErrUIDValidity}))
	}
	return err
}

func (f *fetch) take(r *wire.Response, head bool) (bool, error) {
	if r.Code == "UIDVALIDITY" && head && f.in.state == openYes {
		return false, f.revalidate(r)
	}
	if r.Name != "FETCH" || f.in.state == openUnknown {
		return false, nil
	}
	if !f.live() {
		return true, nil
	}
	p := r.P // a copy: another window in flight may have to read it
	got, err := f.v.c.parseFetch(&p)
	if err != nil {
		return true, err
	}
	uid := got.msg.UID
	if uid == 0 || !f.set.Contains(uid) || f.work.got.Contains(uid) {
		// Flags that somebody changed, what `n:*` brought from below n, or the answer to another FETCH in flight.
		return false, nil
	}
	if f.work.read.Want&WantBody == 0 {
		got.sink = nil // imap4d sends the last message's where UIDs behind it were asked for: a stray body is nobody's
	}
	m := f.partial[uid]
	if m == nil {
		m = &fetched{msg: Message{UID: uid}}
		f.partial[uid] = m
	}
	if f.headers += len(got.msg.Header); f.headers > maxPartial {
		f.release() // asked for again, singly in the end
		f.headers, f.v.starved = 0, true
		return false, nil
	}
	m.merge(got)
	if m.have&f.work.read.Want == f.work.read.Want {
		f.deliver(m)
	}
	// Dovecot answers several FETCHes at a time and their OKs come late: nothing tells whose answer this is. All
	// that ask for the message take from it what they want; only a body has one owner.
	return got.sink != nil, nil
}

func (f *fetch) deliver(p *fetched) {
	delete(f.partial, p.msg.UID)
	f.headers -= len(p.msg.Header)
	f.work.got.AddNum(p.msg.UID)
	f.v.c.useful()
	if p.sink != nil {
		p.msg.Body = p.sink.body
	}
	if f.v.stopped() {
		f.drop(p)
		return
	}
	if err := f.v.h.Message(f.work.index, p.msg); err != nil {
		f.v.abort(err)
	}
}

func (f *fetch) drop(p *fetched) {
	if p.sink != nil {
		p.sink.body.Release()
	}
}

// passed delivers the messages that came without their date or size, which a server may not have, once it has
// gone on to the next. Without flags, header or body a message is asked for again.
func (f *fetch) passed() {
	need := f.work.read.Want & (WantFlags | WantIdentity | WantBody)
	for _, p := range f.partial {
		if p.have&need == need {
			f.deliver(p)
		}
	}
}

// starve gives up the bodies that still wait for their flags: the next body may wait for their room for ever.
func (f *fetch) starve() {
	for uid, p := range f.partial {
		if p.sink != nil {
			f.drop(p)
			delete(f.partial, uid)
			f.v.starved = true
		}
	}
}

func (f *fetch) finish(h *command) {
	if h.status.name == "OK" && f.live() {
		f.passed()
	}
	f.release()
}

// release frees what is left; the reader must be done with the command.
func (f *fetch) release() {
	for uid, p := range f.partial {
		f.drop(p)
		delete(f.partial, uid)
	}
}

// alloc makes room for a body, nil where the visit has ended.
func (v *visit) alloc(size uint64) Body {
	if v.stopped() || v.h.Alloc == nil {
		return nil
	}
	b, err := v.h.Alloc(v.life, int64(size))
	if err != nil {
		v.abort(err)
		return nil
	}
	return b
}

// sendFetch asks for a set. changedSince 0: whatever the mod-sequence.
func (v *visit) sendFetch(ctx context.Context, w *work, in *opening, set imap.UIDSet, changedSince uint64) (*fetch, error) {
	f := &fetch{v: v, work: w, in: in, set: ordered(set), partial: map[imap.UID]*fetched{}}
	f.cmd = &command{op: "UID FETCH", folder: v.v.Folder, kind: KindFetch, scope: ScopeFolder, data: f.take, finish: f.finish}
	if w.read.Want&WantBody != 0 {
		f.cmd.mail = true
		f.cmd.body = func() *visit {
			if !f.live() {
				return nil
			}
			f.passed() // their bodies must not hold the room that the next one waits for
			f.starve()
			return v
		}
	}
	cmd := v.c.command("UID FETCH").Raw(" " + set.String() + " " + fetchItems(w.read.Want))
	if changedSince > 0 {
		cmd.Raw(" (CHANGEDSINCE " + uintText(changedSince) + ")")
	}
	if err := v.c.send(ctx, cmd, f.cmd); err != nil {
		return nil, err
	}
	v.track(f.cmd)
	v.flight = append(v.flight, f)
	return f, nil
}
