package imaptest

import (
	"bytes"
	"fmt"
	"iter"
	"strings"
	"time"
)

// HostileBody is mail whose lines are IMAP commands. Where a server runs them, there is a folder named HACKED, or
// INBOX has lost its mail.
func HostileBody() []byte {
	return []byte("From: mallory@example.org\nSubject: a002 CREATE HACKED\nMessage-ID: <hostile@example.org>\n" +
		"Date: Tue, 07 May 2019 08:09:10 +0200\n\na001 CREATE HACKED\na002 SUBSCRIBE HACKED\n" +
		"a003 SELECT INBOX\na004 STORE 1:* +FLAGS.SILENT (\\Deleted)\na005 EXPUNGE\n" +
		"a006 APPEND HACKED {5+}\nhello\n+ go ahead\n* BYE\na007 LOGOUT\n")
}

// quirk is a message without a folder yet; zero Date and nil Flags are drawn.
type quirk struct {
	label string
	body  []byte
	date  time.Time
	flags []string
	words []string // keywords
	exact bool     // flags and keywords are meant as they are
}

// quirks yields the odd messages that moving mail has to get right.
func quirks(g *generator) iter.Seq[CorpusMessage] {
	return func(yield func(CorpusMessage) bool) {
		for _, list := range []func(*generator) []quirk{quirkIDs, quirkHeaders, quirkBodies, quirkShapes, quirkDates, quirkFlags} {
			for _, q := range list(g) {
				m := CorpusMessage{Label: q.label, Stored: q.body, Date: q.date, Flags: q.flags, Keywords: q.words}
				if m.Date.IsZero() {
					m.Date = g.date()
				}
				if !q.exact {
					m.Flags, m.Keywords = g.flags()
				}
				if !yield(m) {
					return
				}
			}
		}
	}
}

func id(s string) string { return "Message-ID: <" + s + "@quirks.example.org>\n" }

func quirkIDs(g *generator) (qs []quirk) {
	day := time.Date(2011, 4, 5, 6, 7, 8, 0, time.UTC)
	for i := range 3 {
		qs = append(qs, quirk{label: "no-message-id", body: g.message(900, g.date(), "", "none", "")})
		qs = append(qs, quirk{label: "same-id-other-body", body: g.message(900+100*i, day, id("twins"), "twins", "")})
	}
	head := "From: a@example.org\nTo: b@example.org\nDate: Tue, 05 Apr 2011 06:07:08 +0000\nSubject: same\n" + id("samehead") + "\n"
	for i := range 3 {
		qs = append(qs, quirk{label: "same-header-other-body", body: append([]byte(head), g.text(300+i)...), date: day})
	}
	copyOf := g.message(900, day, id("copy"), "copy", "")
	for range 3 {
		qs = append(qs, quirk{label: "exact-duplicate", body: copyOf, date: day, flags: []string{`\Seen`}, exact: true})
	}
	for _, l := range []struct{ label, line string }{
		{"id-with-specials", "Message-ID: <a\"b\\c(d)*%{3}@example.org>\n"},
		{"id-folded", "Message-ID:\n\t<folded@quirks.example.org>\n"},
		{"id-twice", id("first") + "Message-Id: <second@quirks.example.org>\n"},
		{"id-in-other-case", "MESSAGE-id:<shouted@quirks.example.org>  \n"},
		{"id-without-brackets", "Message-ID: bare@quirks.example.org\n"},
	} {
		qs = append(qs, quirk{label: l.label, body: g.message(800, g.date(), l.line, l.label, "")})
	}
	return qs
}

func quirkHeaders(g *generator) (qs []quirk) {
	for _, l := range []struct{ label, subject, extra string }{
		{"8bit-latin1-header", "Gr\xfc\xdfe aus K\xf6ln", ""},
		{"8bit-utf8-header", "Grüße aus 東京", ""},
		{"invalid-utf8-header", "bad \xc3\x28 \xff\xfe", "X-Raw: \x80\x81\n"},
		{"very-long-header-line", "long", "X-Long: " + strings.Repeat("0123456789", 2000) + "\n"},
		{"long-folded-references", "refs", "References:" + strings.Repeat("\n\t<0123456789abcdef@example.org>", 300) + "\n"},
		{"literal-lookalike-header", "{12+}", "X-Look: ) {3}\n"},
	} {
		qs = append(qs, quirk{label: l.label, body: g.message(900, g.date(), id(l.label), l.subject, l.extra)})
	}
	return qs
}

func quirkBodies(g *generator) (qs []quirk) {
	binary := make([]byte, 3000)
	for i := range binary {
		binary[i] = byte(1 + g.IntN(255)) // NUL is in no stored mail: Dovecot turns it into 0x80
		if binary[i] == '\r' {
			binary[i] = 'r'
		}
	}
	for _, l := range []struct {
		label string
		tail  []byte
	}{
		{"binary-body", append(binary, '\n')},
		{"bare-cr", []byte("one\rtwo\r\rthree\n")},
		{"no-final-newline", []byte("the end")},
		{"long-line", append(bytes.Repeat([]byte("z"), 70000), '\n')},
		{"dot-lines", []byte(".\n..\n.\n.QUIT\n")},
		{"literal-lookalike", []byte("a1 OK {10}\n* 5 FETCH (BODY[] {3}\n)\n+ OK\n{70000+}\n")},
		{"blank-lines-at-end", []byte("\n\n\n\n")},
	} {
		qs = append(qs, quirk{label: l.label, body: append(g.message(700, g.date(), id(l.label), l.label, ""), l.tail...)})
	}
	return append(qs, quirk{label: "hostile-body", body: HostileBody()})
}

func quirkShapes(g *generator) []quirk {
	return []quirk{
		{label: "empty-body", body: []byte("From: a@example.org\nSubject: empty body\n" + id("empty") + "\n")},
		{label: "header-only", body: []byte("From: a@example.org\nSubject: no blank line\n" + id("headeronly"))},
		{label: "no-header", body: []byte("\nThere is no header here.\n")},
		{label: "one-line-garbage", body: []byte("garbage")},
		{label: "mbox-from", body: append([]byte("From a@example.org Mon Jan  1 00:00:00 2001\n"), g.message(600, g.date(), id("mbox"), "mbox", "")...)},
	}
}

func quirkDates(g *generator) []quirk {
	bare := func(label, date string) []byte {
		return []byte("From: a@example.org\n" + date + "Subject: " + label + "\n" + id(label) + "\nx\n")
	}
	qs := []quirk{
		{label: "bad-date", body: bare("bad-date", "Date: the other day\n")},
		{label: "no-date", body: bare("no-date", "")},
		{label: "date-31-february", body: bare("date-31-february", "Date: Wed, 31 Feb 2007 25:61:61 +9999\n")},
		{label: "internaldate-far-from-date", body: g.message(600, time.Date(2001, 1, 1, 1, 1, 1, 0, time.UTC), id("far"), "far", ""),
			date: time.Date(2020, 5, 5, 5, 5, 5, 0, time.UTC)},
	}
	for i, d := range []time.Time{
		time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC),
		time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), time.Date(2025, 3, 30, 1, 30, 0, 0, time.UTC), // a clock change
		time.Date(2005, 1, 9, 9, 9, 9, 0, time.UTC), // a day of one digit
	} {
		qs = append(qs, quirk{label: "date-edge", body: g.message(600, d, id(fmt.Sprintf("edge%d", i)), "edge", ""), date: d})
	}
	return qs
}

func quirkFlags(g *generator) []quirk {
	one := func(label string) []byte { return g.message(600, g.date(), id(label), label, "") }
	return []quirk{
		{label: "all-flags", body: one("all-flags"), exact: true,
			flags: []string{`\Seen`, `\Answered`, `\Flagged`, `\Draft`}, words: CorpusKeywords()},
		{label: "deleted", body: one("deleted"), exact: true, flags: []string{`\Seen`, `\Deleted`}},
		{label: "no-flags", body: one("no-flags"), exact: true},
		{label: "keyword-only", body: one("keyword-only"), exact: true, words: []string{"Custom-Tag"}},
	}
}
