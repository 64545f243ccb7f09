package sync

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// strict is a server as Cyrus is: no NUL, no bare LF, no header line that is none, no end of the message within the
// header. poison is refused in any form.
func strict(data []byte) *imapx.Error {
	no := func(text string) *imapx.Error {
		return &imapx.Error{Op: "APPEND", Side: "target", Text: text, Kind: imapx.KindAppend, Scope: imapx.ScopeMessage}
	}
	as, err := inspect(pieces{data, 4096})
	switch {
	case err != nil:
		return no(err.Error())
	case as.nul:
		return no("Message contains NUL characters")
	case as.bare:
		return no("Message contains bare newlines")
	case as.steps() != 0:
		return no("Message contains invalid header")
	case bytes.Contains(data, []byte("poison")):
		return no("Message contains poison")
	}
	return nil
}

// oddities are messages that strict refuses, with what is altered of each; "" is refused in every form.
func oddities() []struct{ data, words string } {
	h := func(n int) string {
		return fmt.Sprintf("Message-ID: <odd%d@example.org>\r\nDate: Tue, 5 May 2020 05:05:05 +0000\r\nSubject: odd %d\r\n", n, n)
	}
	return []struct{ data, words string }{
		{h(1) + "\r\nnul \x00 here\r\n", "NUL"},
		{strings.ReplaceAll(h(2)+"\r\nbare\r\n", "\r\n", "\n"), "CR LF"},
		{h(3) + "\r\nbare\nand nul\x00\r\n", "CR LF; NUL"},
		{"From someone Tue May 5\r\n" + h(4) + "\r\nmbox\r\n", keptField},
		{"no header at all\r\nbut text\r\n", "empty line"},
		{"no header at all\r\nbut text\r\n", "empty line"}, // twins stay two
		{"only text\rDate: Tue, 5 May 2020 05:05:05 +0000\r\rand more\r", "CR LF"},
		{h(5) + "\r\npoison\r\n", ""},
	}
}

func (b *bench) oddMail() {
	b.fill("INBOX", 0, 5)
	for i, o := range oddities() {
		b.src.add("INBOX", day.Add(time.Duration(i)*time.Minute), o.data, imap.FlagSeen)
	}
	b.fill("INBOX", 5, 9)
	b.dst.refuse = strict
}

// arrived compares the target's INBOX with what the ladder has to make of the source's.
func (b *bench) arrived(when string) {
	b.t.Helper()
	var want, got []string
	for _, m := range b.src.folders["INBOX"].messages {
		if strict(m.data) != nil && bytes.Contains(m.data, []byte("poison")) {
			continue
		}
		want = append(want, fmt.Sprintf("%x %d %s", looseDigest(m.data, len(m.data)), m.date.Unix(), flagText(m.flags)))
	}
	for _, m := range b.dst.folders["INBOX"].messages {
		got = append(got, fmt.Sprintf("%x %d %s", looseDigest(m.data, len(m.data)), m.date.Unix(), flagText(m.flags)))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		b.t.Fatalf("%s: %d messages on the target, want %d, or others", when, len(got), len(want))
	}
}

// byUID reads the exceptions.
func (b *bench) byUID() map[uint32]state.Exception {
	b.t.Helper()
	out := make(map[uint32]state.Exception)
	b.with(func(ctx context.Context, o Options) {
		list, err := o.State.Exceptions(ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, e := range list {
			out[e.UID] = e
		}
	})
	return out
}

func (b *bench) kept() []string {
	b.t.Helper()
	files, err := state.KeptFiles(b.dir, "a")
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, path := range files {
		out = append(out, path)
	}
	return out
}

func TestLadder(t *testing.T) {
	t.Parallel()
	for _, multi := range []bool{true, false} {
		for _, noUIDs := range []bool{false, true} {
			b := newBench(t)
			b.dst.multi, b.dst.noUIDs = multi, noUIDs
			b.oddMail()
			r := b.pass()
			b.arrived("first pass")
			if want := int64(len(oddities())); r.NewExceptions != want || r.Exceptions != want || r.Copied != 9+want-1 {
				t.Errorf("multi %v, no UIDs %v: %+v", multi, noUIDs, r)
			}
			told := b.byUID()
			for i, o := range oddities() {
				e := told[uint32(6+i)]
				switch {
				case o.words == "" && (e.Reason != reasonRefused || !strings.Contains(e.Detail, "poison") || !strings.Contains(e.Detail, "kept: quarantine/a/")):
					t.Errorf("%q: %+v", o.data, e)
				case o.words != "" && (e.Reason != reasonAltered || !strings.Contains(e.Detail, strings.Split(o.words, "; ")[0]) || !strings.Contains(e.Detail, "Message contains")):
					t.Errorf("%q: %+v", o.data, e)
				}
			}
			b.quiet("second pass")

			b.dir = t.TempDir() // the state is lost: nothing is sent twice
			r = b.pass()
			b.arrived("without the state")
			if r.Copied != 0 {
				t.Errorf("multi %v, no UIDs %v: without the state %d were copied again", multi, noUIDs, r.Copied)
			}
			b.quiet("after that")
		}
	}
}

func TestAlterNever(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.oddMail()
	never := func(o *Options) { o.AlterNever = true }
	if r := b.pass(never); r.Copied != 9 || r.NewExceptions != int64(len(oddities())) {
		t.Errorf("%+v", r)
	}
	if n := len(b.kept()); n != len(oddities()) {
		t.Errorf("%d files in the quarantine", n)
	}
}

// TestKeywordsDropped: a server that takes a message only without its keywords (Cyrus has 128 a folder) gets it so.
func TestKeywordsDropped(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.src.add("INBOX", day, letterOf(1, "x"), imap.FlagSeen, "one", "two")
	b.dst.refuseFlags = func(f []imap.Flag) *imapx.Error {
		if slices.ContainsFunc(f, func(f imap.Flag) bool { return !strings.HasPrefix(string(f), `\`) }) {
			return &imapx.Error{Op: "APPEND", Side: "target", Text: "Too many user flags in mailbox", Kind: imapx.KindAppend, Scope: imapx.ScopeMessage}
		}
		return nil
	}
	b.pass()
	if e := b.byUID()[1]; e.Reason != reasonAltered || !strings.Contains(e.Detail, "keywords") {
		t.Errorf("%+v", e)
	}
	if got := b.dst.folders["INBOX"].messages; len(got) != 1 || flagText(got[0].flags) != `\Seen` {
		t.Errorf("%v", got)
	}
	b.quiet("second pass")
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.src.add("INBOX", day, letterOf(1, "poison"))
	b.src.add("INBOX", day, letterOf(2, strings.Repeat("large", 400)))
	b.dst.refuse, b.dst.limit = strict, 1000
	b.pass()
	kept := b.kept()
	if len(kept) != 2 {
		t.Fatalf("kept %q", kept)
	}
	for _, path := range kept {
		st, err := os.Stat(path)
		dir, err2 := os.Stat(filepath.Dir(path))
		if err != nil || err2 != nil || st.Mode().Perm() != 0o600 || dir.Mode().Perm() != 0o700 || !st.ModTime().Equal(day) {
			t.Errorf("%v %v: %v", st, dir, err)
		}
		data, err := os.ReadFile(path)
		if err != nil || !slices.ContainsFunc(b.src.folders["INBOX"].messages, func(m *fakeMessage) bool { return bytes.Equal(m.data, data) }) {
			t.Errorf("%s holds %q, %v", path, data, err)
		}
	}
	b.pass() // what is known stays
	if len(b.kept()) != 2 {
		t.Fatalf("after a pass more: %q", b.kept())
	}
	b.dst.limit = 0
	retry := func(uids ...uint32) {
		b.with(func(ctx context.Context, o Options) {
			pairs, err := o.State.Pairs(ctx)
			if err == nil {
				err = o.State.Retry(ctx, pairs[0].ID, uids)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	retry(1, 2)
	if r := b.pass(); r.Copied != 1 || r.Exceptions != 1 || len(b.kept()) != 1 {
		t.Errorf("the limit is raised: %+v, kept %q", r, b.kept())
	}
	b.dst.refuse = nil
	retry(1)
	b.pass()
	b.equal("healed")
	if _, err := os.Stat(filepath.Join(b.dir, "quarantine", "a")); !os.IsNotExist(err) {
		t.Errorf("the empty quarantine is still there: %v", err)
	}
	b.quiet("after that")
}

// TestStub: what Exchange gives in place of mail is never carried, and asked for again.
func TestStub(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill("INBOX", 0, 3)
	b.src.add("INBOX", day, letterOf(7, "the mail"))
	m := b.src.folders["INBOX"].messages[3]
	mail := m.data
	m.data = []byte("Subject: Retrieval using the IMAP4 protocol failed for the\r\n following message: 4711\r\n\r\nThe server couldn't retrieve it.\r\n")
	for _, isNew := range []int64{1, 0} {
		if r := b.pass(); r.NewExceptions != isNew || r.Exceptions != 1 || len(b.dst.content("INBOX")) != 3 {
			t.Errorf("%+v", r)
		}
	}
	if e := b.byUID()[4]; e.Reason != reasonStub {
		t.Errorf("%+v", e)
	}
	m.data = mail
	if r := b.pass(); r.Copied != 1 || r.Exceptions != 0 {
		t.Errorf("repaired: %+v", r)
	}
	b.equal("repaired")
	b.quiet("after that")
}

// TestDieOnTheLadder takes the state and the target as they are at every durable step and after every APPEND of a pass that
// alters and quarantines. Whatever a death leaves, one pass later the target is what it has to be, with an exception
// for each message that is not as it was, and the pass after that writes nothing.
func TestDieOnTheLadder(t *testing.T) {
	t.Parallel()
	for _, noUIDs := range []bool{false, true} {
		t.Run(fmt.Sprint("no UIDs ", noUIDs), func(t *testing.T) {
			b := newBench(t)
			b.dst.noUIDs = noUIDs
			b.oddMail()
			var deaths []*bench
			take := func() { // what comes before the first batch is of every pass
				if b.dst.batches > 0 {
					deaths = append(deaths, b.asIs(t))
				}
			}
			b.dst.stored = take
			b.hook = func(string) {
				b.dst.mu.Lock()
				defer b.dst.mu.Unlock()
				take()
			}
			b.pass()
			step := 3 // all of them only in the long tests
			if os.Getenv("MAILMOVE_E2E_MINUTES") != "" {
				step = 1
			}
			t.Logf("%d deaths, one in %d is looked at", len(deaths), step)
			for k, d := range deaths {
				if k%step > 0 {
					continue
				}
				t.Run(fmt.Sprint(k), func(t *testing.T) {
					t.Parallel()
					d.t = t
					d.resumes(fmt.Sprintf("death %d", k))
				})
			}
		})
	}
}

func (b *bench) resumes(when string) {
	b.t.Helper()
	b.pass()
	b.arrived(when)
	told := b.byUID()
	for i := range oddities() {
		if _, is := told[uint32(6+i)]; !is {
			b.t.Fatalf("%s: UID %d is not as it was, and nothing says so", when, 6+i)
		}
	}
	if n := len(b.kept()); n != 1 || len(told) != len(oddities()) {
		b.t.Fatalf("%s: %d files in the quarantine, %d exceptions", when, n, len(told))
	}
	b.pass() // a last look at what might land late
	b.quiet(when)
}

// asIs copies the state and the target. The target's lock is held.
func (b *bench) asIs(t *testing.T) *bench {
	c := &bench{t: t, src: b.src.clone(), dst: b.dst.clone(), dir: t.TempDir()}
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(b.dir, path)
		to := filepath.Join(c.dir, rel)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(to, 0o700)
		case strings.HasSuffix(path, ".lock") || strings.HasSuffix(path, "-shm"):
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o600)
	})
	if err != nil {
		t.Error(err)
	}
	return c
}

// clone copies what a server holds, without what it does on purpose but for what it refuses.
func (s *fakeServer) clone() *fakeServer {
	c := newFakeServer(s.validity)
	c.multi, c.noUIDs, c.refuse = s.multi, s.noUIDs, s.refuse
	for name, f := range s.folders {
		g := *f
		g.messages = nil
		for _, m := range f.messages {
			n := *m
			g.messages = append(g.messages, &n)
		}
		c.folders[name] = &g
	}
	c.validity = s.validity
	return c
}
