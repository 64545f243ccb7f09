package sync

import (
	"bytes"
	"context"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"mailmove/state"
)

// earliestDate in Unix seconds: what is before 1970-01-02 is a zero that somebody's clock or server wrote, in
// whatever zone.
const earliestDate = 24 * 60 * 60

// believable tells a date that a message can have from one that only says that nobody knew it: zero, or after
// tomorrow.
func believable(t, now time.Time) bool {
	return t.Unix() >= earliestDate && t.Before(now.UTC().Truncate(24*time.Hour).Add(48*time.Hour))
}

// believed is an INTERNALDATE in Unix seconds as far as it says something, else 0. Two messages are never the same
// because both have a date that nobody believes.
func believed(date int64) int64 {
	if date != 0 && believable(time.Unix(date, 0), time.Now()) {
		return date
	}
	return 0
}

// substitute is the date that stands in for an INTERNALDATE that is missing, makes no sense, or is refused: the Date
// header, then the oldest Received, else the time of the pass. from names it.
func (h *headerScanner) substitute(pass time.Time) (date time.Time, from string) {
	if t := h.date(); believable(t, pass) {
		return t, "the Date header"
	}
	if t := h.oldestReceived(pass); !t.IsZero() {
		return t, "the oldest Received header"
	}
	return pass.UTC().Truncate(time.Second), "the time of the pass"
}

// Bounds of what is kept of Received headers: of each the text after its last semicolon, and of all the last ones,
// for each server puts its own on top.
const (
	maxReceivedDate = 80
	maxReceived     = 4 << 10
)

// received takes a piece of a Received header (RFC 5322 section 3.6.7: the date stands after the last semicolon).
func (h *headerScanner) received(value []byte) {
	if i := bytes.LastIndexByte(value, ';'); i >= 0 {
		h.trace, value = h.trace[:h.hop], value[i+1:]
	}
	for _, c := range value {
		if len(h.trace)-h.hop >= maxReceivedDate {
			return
		}
		if c != '\r' {
			h.trace = append(h.trace, c)
		}
	}
}

// nextReceived begins another one.
func (h *headerScanner) nextReceived() {
	if len(h.trace) > maxReceived {
		h.trace = h.trace[:0]
	}
	if len(h.trace) > 0 {
		h.trace = append(h.trace, '\n')
	}
	h.hop = len(h.trace)
}

// oldestReceived is zero where no Received header has a date to believe.
func (h *headerScanner) oldestReceived(now time.Time) (oldest time.Time) {
	for line := range strings.SplitSeq(string(h.trace), "\n") {
		t, err := mail.ParseDate(line)
		if err == nil && believable(t, now) && (oldest.IsZero() || t.Before(oldest)) {
			oldest = t
		}
	}
	return oldest
}

// dated gives a letter the date that it is carried with, and records where that is not the source's.
func (w *writer) dated(ctx context.Context, m *letter) error {
	pass := w.report.Started
	if !m.date.IsZero() && believable(m.date, pass) {
		return nil
	}
	why := "the source gave no INTERNALDATE"
	if !m.date.IsZero() {
		why = fmt.Sprintf("the source gave the INTERNALDATE %s", m.date.Format(time.RFC3339))
	}
	date, from := m.body.header.substitute(pass)
	m.date = date
	return w.tellDate(ctx, m, why, from)
}

// tellDate records that a message was carried with another date, and why.
func (w *writer) tellDate(ctx context.Context, m *letter, why, from string) error {
	h := &m.body.header
	return w.except(ctx, state.Exception{Pair: w.job.pair.ID, Folder: w.job.source.Name, UID: m.uid, Reason: reasonDate,
		Detail: why + "; carried with " + from, MessageID: h.text(fieldMessageID), Subject: h.text(fieldSubject), Date: h.text(fieldDate)})
}
