package sync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// Whether it is one message that ends the source's connections. What a bad line does must never pass for damage, so
// that nothing is left behind for it: the message has to end several fresh connections, asked for alone, in good order,
// at once, at the same byte of its answer whatever the connection carried before, while a connection that carries more
// without the message holds. Anything else is a lost connection.
const (
	strikes     = 3                // fresh connections that one message must end
	huntsInVain = 3                // in vain, until a question is left alone
	huntWindow  = 500              // messages of one question, as many as a visit asks for at once
	huntMost    = 4 * huntWindow   // messages looked at: no more were under way when the connection ended
	huntCuts    = 16               // ends of connections in one hunt
	huntSilence = 10 * time.Second // a server that fails over a message does it at once; a longer silence may be a timeout on the way
)

// isolate looks for the message at which connections ended, and reports that it found one. It is left out from now on.
func (p *pass) isolate(ctx context.Context) bool {
	ripe := p.damage.ripe()
	if len(ripe) == 0 {
		return false
	}
	ctx, cancel := both(ctx, p.intake)
	defer cancel()
	// The first that did not come is nearly always the one. Only where it comes alone all that was under way is read.
	for _, most := range []int{1, huntMost} {
		for _, s := range ripe {
			h := &hunt{pass: p, question: s}
			uid, why := h.run(ctx, most)
			h.close()
			if ctx.Err() != nil {
				return false
			}
			if why == nil || !p.damage.isolate(s, uid, why) {
				continue
			}
			p.mu.Lock()
			p.progress = time.Now()
			p.mu.Unlock()
			return true
		}
	}
	p.damage.inVain(ripe)
	return false
}

// inVain counts hunts that found nothing.
func (d *damage) inVain(questions []question) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range questions {
		if c := d.cuts[s]; c != nil {
			c.hunts, c.times = c.hunts+1, 0
		}
	}
}

// hunt looks for the message at one question.
type hunt struct {
	*pass
	question
	conn Source // nil: the last one ended
	cuts int
}

func (h *hunt) close() {
	if h.conn != nil {
		h.conn.Close()
	}
	h.conn = nil
}

// connect makes sure of a connection; each end makes the pause before the next one longer.
func (h *hunt) connect(ctx context.Context) (err error) {
	if h.conn != nil {
		return nil
	}
	if h.cuts > 0 {
		if err := pause(ctx, backoff(min(h.cuts, 3), 0)); err != nil {
			return err
		}
	}
	h.conn, err = h.ConnectSource(ctx)
	if err != nil {
		h.conn = nil
	}
	return err
}

// run reads what had not come, growing parts of it, and gives the message that ends connections, with the reason. At
// most so many messages are looked at.
func (h *hunt) run(ctx context.Context, most int) (imap.UID, error) {
	rest, err := h.missing(ctx)
	if err != nil {
		return 0, nil
	}
	rest = rest[:min(len(rest), most)]
	for n := 1; len(rest) > 0 && h.cuts < huntCuts; {
		if h.connect(ctx) != nil {
			return 0, nil
		}
		part := rest[:min(n, len(rest))]
		got, end, err := h.read(ctx, part)
		switch {
		case err == nil:
			rest, n = rest[len(part):], min(2*n, huntWindow)
		case end == nil:
			return 0, nil
		case len(part) == 1:
			if why := h.strike(ctx, part[0]); why != nil {
				return imap.UID(part[0]), why
			}
			rest = rest[1:]
		default:
			rest, n = without(rest, got), 1
		}
	}
	return 0, nil
}

// without leaves out what has come.
func without(uids []uint32, got imap.UIDSet) (out []uint32) {
	for _, uid := range uids {
		if !got.Contains(imap.UID(uid)) {
			out = append(out, uid)
		}
	}
	return out
}

// missing are the messages that were asked for when the connection ended and have not come, as far as they exist.
func (h *hunt) missing(ctx context.Context) (out []uint32, err error) {
	h.damage.mu.Lock()
	c := *h.damage.cuts[h.question]
	got := append(imap.UIDSet(nil), c.got...)
	h.damage.mu.Unlock()
	if err := h.connect(ctx); err != nil {
		return nil, err
	}
	reads := make([]imapx.Read, len(c.asked))
	for i, r := range c.asked {
		reads[i] = imapx.Read{UIDs: r.UIDs, Except: r.Except}
	}
	_, err = h.conn.Visit(ctx, imapx.Visit{Folder: h.folder, UIDValidity: h.validity, Reads: reads},
		imapx.VisitHandler{UIDs: func(_ int, uids imap.UIDSet) error {
			for _, r := range uids {
				for uid := uint64(r.Start); uid <= uint64(r.Stop) && len(out) < huntMost; uid++ {
					if !got.Contains(imap.UID(uid)) {
						out = append(out, uint32(uid))
					}
				}
			}
			return nil
		}})
	return out, err
}

// position is how far a server came with a message before it ended the connection.
type position struct {
	begun bool   // with the body
	bytes uint64 // of the body, or of the whole answer
}

// end is how a connection ended while messages were read.
type end struct {
	*imapx.Error
	at   position
	slow bool
}

// read asks for messages as the visit did, and throws them away. end is nil where it was not the server that ended the
// connection.
func (h *hunt) read(ctx context.Context, uids []uint32) (got imap.UIDSet, _ *end, err error) {
	var body *measured
	last := time.Now()
	_, err = h.conn.Visit(ctx, imapx.Visit{Folder: h.folder, UIDValidity: h.validity, Reads: []imapx.Read{{UIDs: uidSet(uids), Want: h.want}}},
		imapx.VisitHandler{
			Alloc: func(_ context.Context, size int64) (imapx.Body, error) {
				body = &measured{size: size, last: &last}
				return body, nil
			},
			Message: func(_ int, m imapx.Message) error {
				got.AddNum(m.UID)
				last = time.Now()
				return nil
			},
		})
	if err == nil {
		return got, nil, nil
	}
	h.close()
	h.cuts++
	var ie *imapx.Error
	if !errors.As(err, &ie) || ie.Ending == nil {
		return got, nil, err
	}
	at := position{bytes: ie.Ending.Partial}
	if body != nil {
		at = position{true, body.n}
	}
	return got, &end{ie, at, time.Since(last) > huntSilence}, err
}

// strike asks for one message alone, again and again, and gives the reason not to ask for it any more, nil where
// that is in doubt.
func (h *hunt) strike(ctx context.Context, uid uint32) error {
	var first *end
	for k := 1; k <= strikes; k++ {
		// Each connection carries another number of bytes before: a line that ends after so many, or so many commands,
		// ends at another place.
		if !h.carries(ctx, uid, k) {
			return nil
		}
		_, e, err := h.read(ctx, []uint32{uid})
		switch {
		case err == nil || e == nil || e.slow || !e.Ending.Orderly:
			return nil
		case first == nil:
			first = e
		case e.at != first.at:
			return nil
		}
	}
	if !h.carries(ctx, uid, strikes+2) {
		return nil
	}
	why := *first.Error
	why.Op, why.UID, why.Kind, why.Scope, why.Retry, why.Err = "UID FETCH", imap.UID(uid), imapx.KindFetch, imapx.ScopeMessage, imapx.RetryNever, nil
	why.Text = fmt.Sprintf("the server ends the connection at this message: on %d connections, asked for alone, at the same byte", strikes)
	if w := first.Ending.Words; w != "" {
		why.Text += "; its last words: " + w
	}
	return &why
}

// carries reports that a fresh connection holds while the folder is opened and the message looked for, n times.
func (h *hunt) carries(ctx context.Context, uid uint32, n int) bool {
	h.close()
	if h.connect(ctx) != nil {
		return false
	}
	for range n {
		there := false
		_, err := h.conn.Visit(ctx, imapx.Visit{Folder: h.folder, UIDValidity: h.validity, Reads: []imapx.Read{{UIDs: uidSet([]uint32{uid})}}},
			imapx.VisitHandler{UIDs: func(_ int, uids imap.UIDSet) error { there = there || uids.Contains(imap.UID(uid)); return nil }})
		if err != nil || !there {
			return false
		}
	}
	return true
}

// measured is a body that is counted and thrown away.
type measured struct {
	size int64
	n    uint64
	last *time.Time
}

func (b *measured) Write(p []byte) (int, error) {
	b.n += uint64(len(p))
	*b.last = time.Now()
	return len(p), nil
}

func (b *measured) WriteTo(io.Writer) (int64, error) { return 0, nil }
func (b *measured) Len() int64                       { return b.size }
func (b *measured) Release()                         {}
