package provider

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRecognise has what each row is known by, and what must not mislead.
func TestRecognise(t *testing.T) {
	for _, c := range []struct {
		key  string
		seen Seen
	}{
		{"gmail", Seen{Host: "imap.gmail.com"}},
		{"gmail", Seen{Host: "127.0.0.1", Capabilities: []string{"IMAP4REV1", "X-GM-EXT-1"}}},
		{"gmail", Seen{Host: "127.0.0.1", Greeting: "Gimap ready for requests from 192.0.2.1 a1mb2"}},
		{"microsoft", Seen{Host: "outlook.office365.com."}},
		{"microsoft", Seen{Host: "mail.example", Greeting: "The Microsoft Exchange IMAP4 service is ready. [QQ==]"}},
		{"yahoo", Seen{Host: "export.imap.mail.yahoo.com"}},
		{"yahoo", Seen{Host: "imap.aol.com"}},
		{"icloud", Seen{Host: "p33-imap.mail.me.com", Capabilities: []string{"xapplepushservice"}}},
		{"icloud", Seen{Host: "imap.mail.me.com"}},
		{"gmx", Seen{Host: "imap.web.de"}},
		{"ionos", Seen{Host: "imap.ionos.de"}},
		{"strato", Seen{Host: "IMAP.STRATO.DE"}},
		{"mailbox.org", Seen{Host: "imap.mailbox.org", ID: map[string]string{"name": "Dovecot"}}},
		{"zimbra", Seen{Host: "mail.example", ID: map[string]string{"name": "Zimbra"}}},
		{"dovecot", Seen{Host: "mail.example", ID: map[string]string{"name": "Dovecot"}}},
		{"dovecot", Seen{Host: "mail.example", Greeting: "Dovecot (Debian) ready."}},
		{"cyrus", Seen{Host: "mail.example", ID: map[string]string{"name": "Cyrus IMAPD", "version": "3.6"}}},
		{"cyrus", Seen{Host: "mail.example", Greeting: "mail.example Cyrus IMAP 3.6.1 server ready"}},
		{"courier", Seen{Host: "mail.example", Greeting: "Courier-IMAP ready. Copyright 1998-2022 Double Precision, Inc."}},
		{"stalwart", Seen{Host: "mail.example", ID: map[string]string{"name": "Stalwart", "vendor": "Stalwart Labs"}}},
		{"mox", Seen{Host: "mail.example", ID: map[string]string{"name": "mox"}}},
		{"cyrus", Seen{Host: "mail.example", Greeting: "Dovecot ready.", ID: map[string]string{"name": "Cyrus IMAPD"}}}, // a proxy greets
		{"", Seen{Host: "imap.gmail.com.evil.example"}},
		{"", Seen{Host: "notimap.gmail.com.example", Greeting: "IMAP4rev1 Server ready"}},
		{"", Seen{}},
	} {
		if got := Recognise(c.seen); got.Key != c.key || got.Known() != (c.key != "") {
			t.Errorf("%+v: %q, want %q", c.seen, got.Key, c.key)
		}
	}
}

// TestRows: each row can be shown and found.
func TestRows(t *testing.T) {
	keys := make(map[string]bool)
	for _, r := range Rows() {
		if r.Key == "" || keys[r.Key] || r.Name == "" || len(r.Sources) == 0 || len(r.seen) == 0 {
			t.Errorf("%q: a row needs a key of its own, a name, a source and a way to be recognised", r.Key)
		}
		keys[r.Key] = true
		if r.Evidence != Live && r.Evidence != Documents {
			t.Errorf("%s: evidence %q", r.Key, r.Evidence)
		}
		for _, g := range r.seen {
			if g == (sign{}) || g != (sign{strings.ToLower(g.host), strings.ToLower(g.id), strings.ToLower(g.greeting), g.capability}) {
				t.Errorf("%s: %+v would never fit", r.Key, g)
			}
		}
		for _, w := range r.Words {
			if len(w.Text) < 8 || w.Text != strings.ToLower(w.Text) || w.Pause > longestPause || w.Pause != 0 && w.Means != Later {
				t.Errorf("%s: %+v", r.Key, w)
			}
		}
		for _, s := range r.Skips {
			if s.Why == "" || len(s.Names["en"]) == 0 {
				t.Errorf("%s: a folder is left out without a reason, or has no English name: %+v", r.Key, s)
			}
		}
	}
}

// TestLeft: folders that are no mail, in the language of the mailbox alone.
func TestLeft(t *testing.T) {
	exchange := Recognise(Seen{Host: "outlook.office365.com"})
	german := []string{"INBOX", "Kalender", "Kontakte", "Aufgaben", "Notizen", "Notes", "Gesendete Elemente", "Postausgang"}
	english := []string{"INBOX", "Calendar", "Contacts", "Journal", "Notes", "Sync Issues", "Projects"}
	for _, c := range []struct {
		row  Row
		top  []string
		path string
		why  string // part of it, "" for mail
	}{
		{exchange, english, "Calendar", "calendar"},
		{exchange, english, "Calendar/Birthdays", "calendar"},
		{exchange, english, "sync issues/Conflicts", "synchronisation"},
		{exchange, english, "Projects/Calendar", ""},
		{exchange, english, "INBOX", ""},
		{exchange, english, "INBOX/Notes", "notes"}, // where INBOX holds all folders
		{exchange, german, "Kalender", "calendar"},
		{exchange, german, "Postausgang", "waits to be sent"},
		{exchange, german, "Notizen", "notes"},
		{exchange, german, "Notes", ""}, // its user's own
		{exchange, german, "Gesendete Elemente", ""},
		{exchange, []string{"INBOX", "Projects"}, "Projects", ""},
		{Recognise(Seen{Host: "imap.mail.me.com"}), []string{"INBOX", "Notes"}, "Notes", "does not open"},
		{Recognise(Seen{ID: map[string]string{"name": "Dovecot"}}), english, "Calendar", ""},
		{Row{}, english, "Calendar", ""},
		{exchange, nil, "", ""},
	} {
		path := strings.Split(c.path, "/")
		if got := c.row.Left(c.top, path); c.why == "" && got != "" || !strings.Contains(got, c.why) {
			t.Errorf("%s: %s of %v: %q, want %q", c.row.Key, c.path, c.top, got, c.why)
		}
	}
}

// TestDelay: the time that a text names, and never more than an hour.
func TestDelay(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"Request is throttled. Suggested Backoff Time: 299961 milliseconds": 299961 * time.Millisecond,
		"suggested backoff time: 999999999 ms":                              time.Hour,
		"Suggested Backoff Time: 12345678901 milliseconds":                  0, // no number that anybody means
		"Suggested Backoff Time: soon":                                      0,
	} {
		if got := Delay(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestMatch: words without a code do not overrule a code that means something.
func TestMatch(t *testing.T) {
	if _, is := Match("TOOBIG", true, "Over quota"); is {
		t.Error("a known code was overruled")
	}
	if w, is := Match("X-ODD", false, "Over quota"); !is || w.Means != Full {
		t.Errorf("an unknown code hides the words: %+v", w)
	}
	if w, is := Match("OVERQUOTA", true, "Account exceeded command or bandwidth limits."); !is || w.Means != Later {
		t.Errorf("Gmail's daily limit: %+v", w)
	}
	if slices.ContainsFunc(Words(), func(w Word) bool { return w.Text == "" }) {
		t.Error("a word without text fits everything")
	}
}
