package sync

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mailmove/state"
)

func TestSubstituteDate(t *testing.T) {
	pass := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	received := func(when string) string {
		return "Received: from a.example (1.2.3.4; not a date)\r\n\tby b.example; " + when + "\r\n"
	}
	for _, c := range []struct{ name, header, want, from string }{
		{"Date header", "Date: Tue, 5 May 2020 05:05:05 +0200\r\n" + received("Mon, 4 May 2020 01:00:00 +0000"), "2020-05-05T03:05:05Z", "the Date header"},
		{"oldest Received", received("Tue, 5 May 2020 05:05:07 +0000 (UTC)") + received("Tue, 5 May 2020 05:05:05 +0000") + received("Tue, 5 May 2020 05:05:06 +0000"),
			"2020-05-05T05:05:05Z", "the oldest Received header"},
		{"Date to come", "Date: Tue, 5 May 2099 05:05:05 +0000\r\n" + received("Tue, 5 May 2020 05:05:05 +0000"), "2020-05-05T05:05:05Z", "the oldest Received header"},
		{"Date of 1970", "date: Thu, 1 Jan 1970 00:00:00 +0000\r\n", "2024-03-01T12:00:00Z", "the time of the pass"},
		{"absurd Received", received("Thu, 1 Jan 1970 00:00:01 +0000") + received("x") + received(""), "2024-03-01T12:00:00Z", "the time of the pass"},
		{"tomorrow", "Date: Sat, 2 Mar 2024 23:59:59 +0000\r\n", "2024-03-02T23:59:59Z", "the Date header"},
		{"after tomorrow", "Date: Sun, 3 Mar 2024 00:00:00 +0000\r\n", "2024-03-01T12:00:00Z", "the time of the pass"},
		{"nothing", "Subject: x\r\n", "2024-03-01T12:00:00Z", "the time of the pass"},
		{"in the body only", "Subject: x\r\n\r\nDate: Tue, 5 May 2020 05:05:05 +0000\r\n" + received("Tue, 5 May 2020 05:05:05 +0000"), "2024-03-01T12:00:00Z", "the time of the pass"},
		{"folded", "RECEIVED : by b.example;\r\n  Tue, 5 May\r\n  2020 05:05:05 +0000\r\n", "2020-05-05T05:05:05Z", "the oldest Received header"},
	} {
		for _, step := range []int{1, 7, 1 << 20} {
			h := newHeaderScanner()
			for text := c.header + "\r\nbody\r\n"; text != ""; text = text[min(step, len(text)):] {
				h.Write([]byte(text[:min(step, len(text))]))
			}
			date, from := h.substitute(pass)
			if got := date.UTC().Format(time.RFC3339); got != c.want || from != c.from {
				t.Errorf("%s, in steps of %d: %s by %s", c.name, step, got, from)
			}
		}
	}
}

func TestReceivedIsBounded(t *testing.T) {
	h := newHeaderScanner()
	for range 20_000 {
		fmt.Fprintf(&h, "Received: by b.example; Tue, 5 May 2020 05:05:07 +0000 %s\r\n", strings.Repeat("x", 300))
	}
	fmt.Fprint(&h, "Received: by a.example; Mon, 4 May 2020 05:05:05 +0000\r\n\r\n")
	if cap(h.trace) > 4*maxReceived {
		t.Errorf("%d bytes are held", cap(h.trace))
	}
	if got := h.oldestReceived(time.Now()); got.Unix() != time.Date(2020, 5, 4, 5, 5, 5, 0, time.UTC).Unix() {
		t.Errorf("%v", got)
	}
}

// undated fills a folder with messages whose INTERNALDATE says nothing, and gives the dates that they have to have.
func undated(b *bench) map[string]time.Time {
	sent := time.Date(2020, 5, 5, 5, 5, 5, 0, time.UTC)
	hop := "Received: by a.example; Tue, 5 May 2020 05:06:00 +0000\r\n"
	want := map[string]time.Time{
		letterOf(1, "none"):   sent,
		letterOf(2, "zero"):   sent,
		letterOf(3, "future"): sent,
		hop + "Message-ID: <4@example.org>\r\n\r\nno Date header\r\n": sent.Add(55 * time.Second),
		"Message-ID: <5@example.org>\r\n\r\nnothing at all\r\n":       {},
	}
	dates := []time.Time{{}, time.Unix(0, 0), time.Now().AddDate(1, 0, 0), {}, time.Unix(60, 0)}
	for i, data := range []string{letterOf(1, "none"), letterOf(2, "zero"), letterOf(3, "future"),
		hop + "Message-ID: <4@example.org>\r\n\r\nno Date header\r\n", "Message-ID: <5@example.org>\r\n\r\nnothing at all\r\n"} {
		b.src.add("INBOX", dates[i], data)
	}
	return want
}

func TestAbsurdDates(t *testing.T) {
	b := newBench(t)
	want := undated(b)
	b.src.add("INBOX", day, letterOf(9, "a date"))
	began := time.Now().Truncate(time.Second)
	r := b.pass()
	if r.Copied != 6 || r.NewExceptions != 5 {
		t.Errorf("%+v", r)
	}
	for _, m := range b.dst.folders["INBOX"].messages {
		w, undated := want[string(m.data)]
		switch {
		case undated && w.IsZero():
			if m.date.Before(began) || m.date.After(time.Now()) {
				t.Errorf("%q has the date %v, not that of the pass", m.data, m.date)
			}
		case undated && m.date.Unix() != w.Unix():
			t.Errorf("%q has the date %v, not %v", m.data, m.date, w)
		case !undated && m.date.Unix() != day.Unix():
			t.Errorf("a date to believe was changed: %v", m.date)
		}
	}
	var told []string
	for _, e := range b.events {
		if x, ok := e.(Exception); ok {
			told = append(told, fmt.Sprint(x.UID, " ", x.Reason, " ", x.Detail))
		}
	}
	text := strings.Join(told, "\n")
	for _, words := range []string{"1 date the source gave no INTERNALDATE; carried with the Date header", "2 date the source gave the INTERNALDATE 1970-01-01T",
		"4 date the source gave no INTERNALDATE; carried with the oldest Received header", "5 date the source gave the INTERNALDATE 1970-01-01T00:01:00Z; carried with the time of the pass"} {
		if !strings.Contains(text, words) {
			t.Errorf("%q is not told:\n%s", words, text)
		}
	}
	// The ledger has the dates that the target has.
	b.ledger(func(ctx context.Context, st *state.File) {
		rows, err := st.RowsByTarget(ctx, 1, 0)
		if err != nil || len(rows) != 6 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for i, r := range rows {
			if m := b.dst.folders["INBOX"].messages[i]; r.Date != m.date.Unix() {
				t.Errorf("UID %d: %d in the ledger, %v on the target", r.SourceUID, r.Date, m.date)
			}
		}
	})
	b.quiet("after that")
	if r := b.pass(); r.NewExceptions != 0 || r.Exceptions != 5 {
		t.Errorf("%+v", r)
	}
}

// Whatever is lost of what is known of them, such messages are matched by size or bytes, and none passes for another
// because nobody believes the dates of both.
func TestAbsurdDatesAndLostState(t *testing.T) {
	for name, upset := range map[string]func(*bench){
		"state lost":        func(b *bench) { b.dir = t.TempDir() },
		"source renumbered": func(b *bench) { b.src.renumber("INBOX") },
		"target renumbered": func(b *bench) { b.dst.renumber("INBOX") },
		"all of it":         func(b *bench) { b.dir = t.TempDir(); b.src.renumber("INBOX"); b.dst.renumber("INBOX") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			undated(b)
			b.pass()
			upset(b)
			b.src.add("INBOX", time.Time{}, letterOf(6, "new"))
			// A list copy: Message-ID and Date as another's, and like it without a date of its own.
			b.src.add("INBOX", time.Time{}, letterOf(1, "none, with a list's footer"))
			if r := b.pass(); r.Copied != 2 {
				t.Errorf("%+v", r)
			}
			if n := len(b.dst.folders["INBOX"].messages); n != 7 {
				t.Errorf("%d messages on the target", n)
			}
			b.quiet("after that")
		})
	}
}

// A message that dies on its way and gets another time of the pass when it is sent again is still known for a double.
func TestLateDoubleWithoutDate(t *testing.T) {
	b := newBench(t)
	b.src.add("INBOX", time.Time{}, "Message-ID: <5@example.org>\r\n\r\nnothing at all\r\n")
	b.dst.lose = func(n int) fate { return fate{dies: n == 1, stored: 1, when: whenReleased} }
	if _, err := b.run(func(o *Options) { o.RetryFor = time.Nanosecond }); err == nil {
		t.Fatal("the pass did not die")
	}
	time.Sleep(1100 * time.Millisecond) // the next pass has another second
	if r := b.pass(); r.Copied != 1 {
		t.Errorf("%+v", r)
	}
	b.dst.releaseAll()
	if r := b.pass(); r.Doubles != 1 || len(b.dst.folders["INBOX"].messages) != 1 {
		t.Errorf("%+v, %d messages", r, len(b.dst.folders["INBOX"].messages))
	}
}

// A target that knows few zones gets the same moment in UTC, and there is nothing to tell.
func TestRefusedZones(t *testing.T) {
	b := newBench(t)
	refused := 0
	b.dst.noDate = func(d time.Time) bool {
		_, offset := d.Zone()
		if offset%3600 == 0 {
			return false
		}
		refused++
		return true
	}
	const first = 30 // more than the windows hold that are sent before the first answer
	for n := range first {
		b.src.add("INBOX", day.In(time.FixedZone("", 12*3600+45*60)), letterOf(n, strings.Repeat("an odd zone\r\n", 1<<16)))
	}
	b.src.add("INBOX", day, letterOf(first, "a plain one"))
	if r := b.pass(); r.Copied != first+1 || r.NewExceptions != 0 {
		t.Errorf("%+v", r)
	}
	if refused > first/2 {
		t.Errorf("refused %d times: the target's zones are not remembered", refused)
	}
	b.equal("carried")
	b.quiet("after that")
}

// A target that refuses a date and does not say that it is the date.
func TestRefusedDates(t *testing.T) {
	for name, whole := range map[string]bool{"one by one": false, "whole batches": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.dst.multi = whole
			old := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
			b.dst.noDate = func(d time.Time) bool { return d.Year() < 2000 }
			b.src.add("INBOX", old, letterOf(1, "the header's date is taken"))
			b.src.add("INBOX", day, letterOf(2, "taken as it is"))
			b.src.add("INBOX", old, "Message-ID: <3@example.org>\r\nDate: Fri, 1 Jan 1999 00:00:00 +0000\r\n\r\nno other date\r\n")
			r := b.pass()
			var told []string
			for _, e := range b.events {
				if x, ok := e.(Exception); ok {
					told = append(told, fmt.Sprint(x.UID, " ", x.Reason, " ", x.Detail))
				}
			}
			if r.Copied != 2 || len(told) != 2 || !strings.HasPrefix(told[0], "1 date the target refused the INTERNALDATE 1999-01-01T00:00:00Z; carried with the Date header") ||
				!strings.HasPrefix(told[1], "3 refused") {
				t.Errorf("%+v, %q", r, told)
			}
			b.quiet("after that")
			b.dir = t.TempDir()
			if r := b.pass(); r.Matched != 2 || r.Copied != 0 {
				t.Errorf("state lost: %+v", r)
			}
		})
	}
}
