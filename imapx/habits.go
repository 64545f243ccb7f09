package imapx

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
)

// Habits are what a server did with messages that were stored for the sake of looking.
type Habits struct {
	Folder   string        // that was made; for display
	Stored   int           // messages that were taken
	Took     time.Duration // from the first byte to the last answer
	UIDsTold bool          // APPENDUID came (RFC 4315)
	Dates    bool          // INTERNALDATE is the one given
	Keywords bool          // a keyword was kept
	Bytes    bool          // the messages come back as they were sent
	Removed  bool          // the folder is gone again
}

const (
	habitMessages = 3
	removeWithin  = 30 * time.Second // for taking away what was made, even after a stop
)

const habitKeyword = imap.Flag("$Forwarded")

// tryWriting stores some messages in a folder that was not there before, reads them again and removes both.
func tryWriting(ctx context.Context, t *Target, l Listing) (h *Habits, err error) {
	raw := "mailmove-probe-" + rand.Text()[:10]
	if len(l.Personal) > 0 {
		raw = l.Personal[0].Prefix + raw
	}
	made, err := t.Prepare(ctx, []Prepare{{Folder: raw, Create: true, Open: true}})
	if err != nil {
		return nil, err
	}
	if !made[0].Created {
		return nil, errors.Join(fmt.Errorf("the folder %s could not be made", display(raw)), made[0].Err)
	}
	h = &Habits{Folder: display(raw)}
	opened := made[0].Opened
	defer func() {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeWithin)
		defer cancel()
		bad := takeAway(undo, t, raw)
		h.Removed = bad == nil
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("the folder %s stays and can be deleted: %w", display(raw), bad))
		}
	}()
	if made[0].Err != nil {
		return h, made[0].Err
	}
	return h, h.try(ctx, t, raw, opened)
}

func (h *Habits) try(ctx context.Context, t *Target, raw string, opened Opened) error {
	date := time.Date(2011, 12, 13, 14, 15, 16, 0, time.UTC)
	flags := []imap.Flag{imap.FlagSeen}
	if slices.Contains(opened.PermanentFlags, imap.FlagWildcard) || slices.Contains(opened.PermanentFlags, habitKeyword) {
		flags = append(flags, habitKeyword)
	}
	batch := AppendBatch{Folder: raw}
	sent := make(map[string]bool)
	for i := range habitMessages {
		text := fmt.Sprintf("From: mailmove <probe@localhost>\r\nSubject: probe %d\r\nMessage-ID: <%s@mailmove.invalid>\r\n\r\nThis message may be deleted.\r\n", i, rand.Text())
		sent[text] = true
		batch.Messages = append(batch.Messages, AppendMessage{Flags: flags, Date: date, Body: newHeld([]byte(text))})
	}
	begun := time.Now()
	pending, err := t.Append(ctx, batch)
	if err != nil {
		return err
	}
	got, err := pending.Wait(ctx)
	if err != nil {
		return err
	}
	h.Took = time.Since(begun)
	for _, e := range got.Errs {
		if e == nil {
			h.Stored++
		}
	}
	if err := errors.Join(got.Errs...); err != nil {
		return err
	}
	h.UIDsTold = got.UIDValidity != 0
	return h.readBack(ctx, t, raw, date, sent)
}

// readBack compares what is there with what was sent.
func (h *Habits) readBack(ctx context.Context, t *Target, raw string, date time.Time, sent map[string]bool) error {
	h.Dates, h.Keywords, h.Bytes = true, true, true
	n := 0
	_, err := t.Visit(ctx, Visit{Folder: raw, Reads: []Read{{UIDs: everything(), Want: WantFlags | WantDate | WantBody}}}, VisitHandler{
		Alloc: func(_ context.Context, size int64) (Body, error) {
			if size > 1<<20 {
				return nil, errors.New("a message came back much longer than it was sent")
			}
			return newHeld(nil), nil
		},
		Message: func(_ int, m Message) error {
			n++
			h.Dates = h.Dates && m.Date.Equal(date)
			h.Keywords = h.Keywords && slices.Contains(m.Flags, habitKeyword)
			var b bytes.Buffer
			if m.Body != nil {
				_, _ = m.Body.WriteTo(&b)
				m.Body.Release()
			}
			h.Bytes = h.Bytes && sent[b.String()]
			return nil
		},
	})
	if err == nil && n != h.Stored {
		err = fmt.Errorf("%d messages were stored, and %d are there", h.Stored, n)
	}
	return err
}

func everything() imap.UIDSet {
	var s imap.UIDSet
	s.AddRange(1, 0)
	return s
}

// takeAway removes the folder with what we put there: nobody else knows it.
func takeAway(ctx context.Context, t *Target, raw string) error {
	c := t.c
	if err := c.lockSelection(ctx); err != nil {
		return err
	}
	defer c.unlockSelection()
	// Courier deletes no folder that is open, and has no UNSELECT: another one is opened in its place.
	if c.has(imap.CapUnselect) {
		if _, err := c.unselect(ctx); err != nil {
			return err
		}
	} else {
		inbox, err := c.open(ctx, "INBOX", false, 0, nil)
		if err != nil {
			return err
		}
		if err := c.settle(ctx, inbox); err != nil {
			return err
		}
	}
	return c.call(ctx, c.command("DELETE").Mailbox(raw), &command{op: "DELETE", folder: raw, kind: KindFolder, scope: ScopeFolder})
}

// held is a small message in memory.
type held struct{ b []byte }

func newHeld(b []byte) *held { return &held{b} }

func (h *held) Write(p []byte) (int, error) { h.b = append(h.b, p...); return len(p), nil }

func (h *held) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(h.b)
	return int64(n), err
}

func (h *held) Len() int64 { return int64(len(h.b)) }
func (h *held) Release()   {}
