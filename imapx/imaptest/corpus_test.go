package imaptest_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

func corpus(t *testing.T, p imaptest.Preset, seed uint64) *imaptest.Corpus {
	t.Helper()
	c, err := imaptest.NewCorpus(p, seed)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func digest(c *imaptest.Corpus) string {
	h := sha256.New()
	for m := range c.Messages() {
		h.Write(m.Stored)
		h.Write([]byte(m.Date.Format(time.RFC3339) + strings.Join(append(m.Flags, m.Keywords...), " ") + c.Folders[m.Folder].Name()))
	}
	return string(h.Sum(nil))
}

func TestCorpusIsDeterministic(t *testing.T) {
	a, b, c := digest(corpus(t, imaptest.Small, 1)), digest(corpus(t, imaptest.Small, 1)), digest(corpus(t, imaptest.Small, 2))
	if a != b {
		t.Error("the same seed gave other mail")
	}
	if a == c {
		t.Error("another seed gave the same mail")
	}
}

func TestPresets(t *testing.T) {
	for _, p := range []struct {
		preset            imaptest.Preset
		folders, messages int
		least, most       int64 // bytes
	}{
		{imaptest.Small, 8, 75, 100e3, 1e6},
		{imaptest.S, 20, 2000, 36e6, 48e6},
		{imaptest.T, 1, 20000, 36e6, 48e6},
	} {
		c := corpus(t, p.preset, 1)
		var bytes int64
		messages := 0
		for m := range c.Messages() {
			bytes += int64(len(m.CRLF()))
			messages++
		}
		if len(c.Folders) != p.folders || messages != p.messages || bytes < p.least || bytes > p.most {
			t.Errorf("%s: %d folders, %d messages, %d bytes; want %d, %d, %d to %d",
				p.preset, len(c.Folders), messages, bytes, p.folders, p.messages, p.least, p.most)
		}
	}
	if _, err := imaptest.NewCorpus("XXL", 1); err == nil {
		t.Error("a preset that does not exist")
	}
}

// TestCorpusHasItsQuirks proves of the labels that they are what they say, where a slip of the generator would
// silently make a test easier.
func TestCorpusHasItsQuirks(t *testing.T) {
	by := map[string][]imaptest.CorpusMessage{}
	for m := range corpus(t, imaptest.Small, 1).Messages() {
		m.Stored = bytes.Clone(m.Stored)
		by[m.Label] = append(by[m.Label], m)
	}
	has := func(label, part string) {
		t.Helper()
		if len(by[label]) == 0 || !bytes.Contains(by[label][0].Stored, []byte(part)) {
			t.Errorf("%s: no %q", label, part)
		}
	}
	has("8bit-latin1-header", "\xfc")
	has("invalid-utf8-header", "\xc3\x28")
	has("bare-cr", "one\rtwo")
	has("hostile-body", "\na001 CREATE HACKED\n")
	has("long-line", strings.Repeat("z", 70000))
	has("mbox-from", "From a@")
	if m := by["no-message-id"][0]; bytes.Contains(bytes.ToLower(m.Stored), []byte("message-id")) {
		t.Error("no-message-id has one")
	}
	dups := by["exact-duplicate"]
	if len(dups) != 3 || !bytes.Equal(dups[0].Stored, dups[2].Stored) || !dups[0].Date.Equal(dups[2].Date) {
		t.Error("exact duplicates are not")
	}
	if m := by["no-final-newline"][0].Stored; m[len(m)-1] == '\n' {
		t.Error("no-final-newline ends in one")
	}
	if m := by["all-flags"][0]; len(m.Flags) != 4 || len(m.Keywords) != len(imaptest.CorpusKeywords()) {
		t.Error("all-flags has not all")
	}
	recent := false
	for _, m := range by[""] {
		recent = recent || m.Recent
	}
	if !recent {
		t.Error("nothing is recent")
	}
	for _, l := range by {
		for _, m := range l {
			if bytes.IndexByte(m.Stored, 0) >= 0 {
				t.Errorf("%s has a NUL", m.Label)
			}
		}
	}
}

// TestDovecotServesTheCorpus compares what a real server makes of the tree with what was generated, to the byte.
func TestDovecotServesTheCorpus(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "Maildir")
	c := corpus(t, imaptest.Small, 1)
	man, err := c.WriteMaildir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if man.Messages != 75 || man.Labels["hostile-body"] != 1 || man.Folders != 8 {
		t.Errorf("%+v", man)
	}
	s := real.Dovecot(t, real.Options{})
	s.LoadMaildir("u1", dir)
	before, err := imaptest.TakeSnapshot(s.MailDir("u1"))
	if err != nil {
		t.Fatal(err)
	}
	l := imaptest.Login{Addr: s.Addr(), User: "u1", Password: real.Password}
	d, err := imaptest.CompareCorpus(t.Context(), c, l, imaptest.CompareOptions{})
	if err != nil || !d.Equal() || d.MessagesB != 75 {
		t.Errorf("%v\n%v", err, d)
	}
	after, err := imaptest.TakeSnapshot(s.MailDir("u1"))
	if err != nil {
		t.Fatal(err)
	}
	if ch := before.Changes(after); len(ch) > 0 || len(before) != 76 {
		t.Errorf("the referee changed the source: %v (%d files)", ch, len(before))
	}
}

// TestEmbeddedServesTheCorpus allows for what go-imap's server makes of mail without a proper header.
func TestEmbeddedServesTheCorpus(t *testing.T) {
	c := corpus(t, imaptest.Small, 1)
	e := embedded(t, imaptest.EmbeddedOptions{Users: []imaptest.EmbeddedUser{{Name: "u1", Password: "pass", Corpus: c}}})
	d, err := imaptest.CompareCorpus(t.Context(), c, login(e), imaptest.CompareOptions{FoldKeywords: true})
	if err != nil || d.MessagesB != 75 || len(d.Differences) > 6 {
		t.Errorf("%v %v", err, d)
	}
	for _, x := range d.Differences {
		if x.Folder != "Quirks" {
			t.Error(x)
		}
	}
}

func TestSnapshotSeesChanges(t *testing.T) {
	dir := t.TempDir()
	if _, err := corpus(t, imaptest.Small, 1).WriteMaildir(dir); err != nil {
		t.Fatal(err)
	}
	before, err := imaptest.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	in, err := filepath.Glob(filepath.Join(dir, ".Quirks", "cur", "*"))
	if err != nil || len(in) < 4 {
		t.Fatalf("%d messages, %v", len(in), err)
	}
	for _, err := range []error{
		os.Remove(in[0]),
		os.Rename(in[1], filepath.Join(dir, "new", "moved")),
		os.Chtimes(in[2], time.Now(), time.Now()),
		os.WriteFile(in[3], []byte("other"), 0o644),
		os.WriteFile(filepath.Join(dir, "dovecot.index"), []byte("no matter"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	after, err := imaptest.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"gone: .Quirks/cur/" + filepath.Base(in[0]), "gone: .Quirks/cur/" + filepath.Base(in[1]), "new: new/moved",
		"other bytes: .Quirks/cur/" + filepath.Base(in[3]), "other time: .Quirks/cur/" + filepath.Base(in[2])}
	slices.Sort(want)
	if got := before.Changes(after); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
