package sync_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// servers is a source with one corpus for its users and an empty target.
type servers struct {
	src, dst *real.Server
	tree     string
}

func newServers(t *testing.T, p imaptest.Preset, source, target real.Options) *servers {
	t.Helper()
	s := &servers{src: real.Dovecot(t, source), dst: real.Dovecot(t, target), tree: filepath.Join(t.TempDir(), "Maildir")}
	c, err := imaptest.NewCorpus(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteMaildir(s.tree); err != nil {
		t.Fatal(err)
	}
	return s
}

// account gives a fresh user on both sides, with the corpus on the source.
func (s *servers) account(t *testing.T) transfer {
	t.Helper()
	user := s.src.FreshUser()
	s.src.LoadMaildir(user, s.tree)
	return transfer{Source: s.src.Addr(), Target: s.dst.Addr(), SourceUser: user, TargetUser: user, Password: real.Password,
		Dir: t.TempDir(), Settle: 2 * time.Second, LateWindow: 6 * time.Second}
}

// equal asks the referee, past any proxy.
func (s *servers) equal(t *testing.T, x transfer, when string) {
	t.Helper()
	s.equalUnder(t, x, when, nil)
}

// equalUnder compares with the source's folders renamed.
func (s *servers) equalUnder(t *testing.T, x transfer, when string, rename func(string) string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	d, err := imaptest.Compare(ctx,
		imaptest.Login{Addr: s.src.Addr(), User: x.SourceUser, Password: x.Password},
		imaptest.Login{Addr: s.dst.Addr(), User: x.TargetUser, Password: x.Password}, imaptest.CompareOptions{Map: rename})
	if err != nil {
		t.Fatalf("%s: referee: %v", when, err)
	}
	if !d.Equal() {
		t.Fatalf("%s: not equal:\n%s", when, d)
	}
}

// verbs are the commands that a pass sent, by side.
func verbs(t *testing.T, trace string) (source, target []string) {
	t.Helper()
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		if len(f) < 5 || f[2] != "C:" {
			continue
		}
		verb := f[4]
		if verb == "UID" && len(f) > 5 {
			verb = f[5]
		}
		if f[0] == "source" {
			source = append(source, verb)
		} else {
			target = append(target, verb)
		}
	}
	if len(source) == 0 || len(target) == 0 {
		t.Fatalf("the trace shows no commands:\n%s", text)
	}
	return source, target
}

// quiet is a pass that finds nothing to do: no message is read or written, no folder opened.
func quiet(t *testing.T, x transfer, when string) {
	t.Helper()
	x.Trace = filepath.Join(t.TempDir(), "trace")
	started := time.Now()
	r := x.pass(t)
	source, target := verbs(t, x.Trace)
	for _, v := range []string{"APPEND", "STORE", "FETCH", "EXPUNGE", "SELECT", "EXAMINE", "CREATE"} {
		if slices.Contains(source, v) || slices.Contains(target, v) {
			t.Fatalf("%s: a pass without changes sent %s: source %v, target %v", when, v, source, target)
		}
	}
	if r.Copied+r.Flags+r.FoldersOpened != 0 {
		t.Fatalf("%s: a pass without changes reports %+v", when, r)
	}
	t.Logf("%s: %d + %d commands, %v", when, len(source), len(target), time.Since(started).Round(time.Millisecond))
}

// client is go-imap's, logged in: what a mail program of the user does.
func client(t *testing.T, addr string, x transfer) *imapclient.Client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := imapclient.New(conn, nil)
	t.Cleanup(func() { c.Close() })
	must(t, c.Login(x.TargetUser, x.Password).Wait())
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func selected(t *testing.T, c *imapclient.Client, folder string) {
	t.Helper()
	_, err := c.Select(folder, nil).Wait()
	must(t, err)
}

func store(t *testing.T, c *imapclient.Client, seq uint32, op imap.StoreFlagsOp, flags ...imap.Flag) {
	t.Helper()
	must(t, c.Store(imap.SeqSetNum(seq), &imap.StoreFlags{Op: op, Flags: flags, Silent: true}, nil).Close())
}

func appendTo(t *testing.T, c *imapclient.Client, folder, text string) {
	t.Helper()
	w := c.Append(folder, int64(len(text)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}})
	_, err := w.Write([]byte(text))
	must(t, err)
	must(t, w.Close())
	_, err = w.Wait()
	must(t, err)
}

func message(subject string) string {
	return "From: a@example.org\r\nSubject: " + subject + "\r\nMessage-ID: <" + subject + "@example.org>\r\nDate: Tue, 5 May 2020 05:05:05 +0000\r\n\r\nnew\r\n"
}

// TestPresetS is the product's promise in one test: exact, the source untouched, then only what changed.
func TestPresetS(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.S, real.Options{}, real.Options{})
	x := s.account(t)
	before, err := imaptest.TakeSnapshot(s.src.MailDir(x.SourceUser))
	must(t, err)
	started := time.Now()
	r := x.pass(t)
	t.Logf("first pass: %d messages, %d bytes in %v", r.Copied, r.CopiedBytes, time.Since(started).Round(time.Millisecond))
	after, err := imaptest.TakeSnapshot(s.src.MailDir(x.SourceUser))
	must(t, err)
	if changes := before.Changes(after); len(changes) > 0 {
		t.Fatalf("the source changed:\n%s", strings.Join(changes, "\n"))
	}
	s.equal(t, x, "first pass")
	if r.Copied < 2000 || r.Exceptions != 0 {
		t.Errorf("report %+v", r)
	}
	quiet(t, x, "second pass")
	s.changes(t, x)
	s.decisions(t, x)
}

// changes makes ten on the source; they arrive alone.
func (s *servers) changes(t *testing.T, x transfer) {
	t.Helper()
	c := client(t, s.src.Addr(), x)
	for _, n := range []string{"one", "two", "three"} {
		appendTo(t, c, "INBOX", message(n))
	}
	must(t, c.Create("Neu/Größe", nil).Wait())
	appendTo(t, c, "Neu/Größe", message("four"))
	must(t, c.Create("Leer 2", nil).Wait())
	selected(t, c, "Sent")
	store(t, c, 1, imap.StoreFlagsAdd, imap.FlagFlagged)
	store(t, c, 2, imap.StoreFlagsAdd, "$label1", "brand-new-keyword")
	store(t, c, 3, imap.StoreFlagsSet, imap.FlagDraft)
	selected(t, c, "Archive/2019/Q1")
	store(t, c, 1, imap.StoreFlagsSet, imap.FlagAnswered)
	traced := x
	traced.Trace = filepath.Join(t.TempDir(), "trace")
	r := traced.pass(t)
	s.equal(t, x, "ten changes")
	if r.Copied != 4 || r.FoldersCreated > 2 || r.Flags < 3 || r.Flags > 4 {
		t.Errorf("ten changes: %+v", r)
	}
	if r.FoldersCreated != 2 { // both are there: in one run of some hundred one of two CREATEs at once was not answered with OK
		trace, err := os.ReadFile(traced.Trace)
		t.Logf("ten changes: %+v %v\n%s", r, err, trace)
	}
	quiet(t, x, "after the changes")
}

// decisions of the user on the target stay, while the source goes on changing the same messages.
func (s *servers) decisions(t *testing.T, x transfer) {
	t.Helper()
	c := client(t, s.dst.Addr(), x)
	selected(t, c, "INBOX")
	store(t, c, 1, imap.StoreFlagsAdd, imap.FlagDeleted)
	must(t, c.Expunge().Close())
	_, err := c.Move(imap.SeqSetNum(5), "Trash").Wait()
	must(t, err)
	store(t, c, 7, imap.StoreFlagsSet, imap.FlagSeen, imap.FlagAnswered)
	want := contents(t, c)
	if r := x.pass(t); r.Moved != 1 || r.Gone != 1 || r.Copied+r.Flags != 0 {
		t.Errorf("the user's decisions: %+v", r)
	}
	quiet(t, x, "after the user's decisions")
	o := client(t, s.src.Addr(), x)
	selected(t, o, "INBOX")
	for seq := uint32(1); seq < 12; seq++ {
		store(t, o, seq, imap.StoreFlagsAdd, "touched")
	}
	x.pass(t)
	got := contents(t, c)
	for folder, flags := range got {
		for i := range flags {
			flags[i] = strings.TrimSpace(strings.Replace(flags[i], " touched", "", 1))
		}
		if !slices.Equal(flags, want[folder]) {
			t.Errorf("%s: the user's decisions did not stay:\n%v\n%v", folder, want[folder], flags)
		}
	}
}

// contents are UIDs and flags of the folders that the user worked in.
func contents(t *testing.T, c *imapclient.Client) map[string][]string {
	t.Helper()
	out := make(map[string][]string)
	for _, folder := range []string{"INBOX", "Trash"} {
		selected(t, c, folder)
		list, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, Flags: true}).Collect()
		must(t, err)
		for _, m := range list {
			var flags []string
			for _, f := range m.Flags {
				if f != `\Recent` {
					flags = append(flags, string(f))
				}
			}
			slices.Sort(flags)
			out[folder] = append(out[folder], strings.TrimSpace(imap.UIDSetNum(m.UID).String()+" "+strings.Join(flags, " ")))
		}
	}
	return out
}

// TestServersWithout takes capabilities away, one after the other: every path of the protocol on a real server.
func TestServersWithout(t *testing.T) {
	less := map[string]struct{ source, target real.Options }{
		"MULTIAPPEND":              {target: real.Options{Without: []string{"MULTIAPPEND"}}},
		"LITERAL+":                 {target: real.Options{Without: []string{"LITERAL+"}}},
		"LITERAL+ and MULTIAPPEND": {target: real.Options{Without: []string{"LITERAL+", "MULTIAPPEND"}}},
		"UIDPLUS":                  {target: real.Options{Without: []string{"UIDPLUS"}}},
		"LIST-STATUS": {source: real.Options{Without: []string{"LIST-STATUS", "LIST-EXTENDED", "SPECIAL-USE"}},
			target: real.Options{Without: []string{"LIST-STATUS", "LIST-EXTENDED", "SPECIAL-USE"}}},
		"NAMESPACE, ESEARCH, SASL-IR": {source: real.Options{Without: []string{"NAMESPACE", "ESEARCH", "SASL-IR"}},
			target: real.Options{Without: []string{"NAMESPACE", "ESEARCH", "SASL-IR", "UNSELECT"}}},
	}
	for name, o := range less {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServers(t, imaptest.Small, o.source, o.target)
			x := s.account(t)
			x.pass(t)
			s.equal(t, x, "first pass")
			quiet(t, x, "second pass")
			c := client(t, s.src.Addr(), x)
			appendTo(t, c, "INBOX", message("one"))
			selected(t, c, "Quirks")
			store(t, c, 1, imap.StoreFlagsAdd, "brand-new")
			x.pass(t)
			s.equal(t, x, "delta")
		})
	}
}

// TestWithoutCondstore reads the flags again at each pass, and only them.
func TestWithoutCondstore(t *testing.T) {
	without := []string{"CONDSTORE", "QRESYNC"}
	s := newServers(t, imaptest.Small, real.Options{Without: without}, real.Options{})
	x := s.account(t)
	x.pass(t)
	s.equal(t, x, "first pass")
	c := client(t, s.src.Addr(), x)
	selected(t, c, "Quirks")
	store(t, c, 1, imap.StoreFlagsAdd, "brand-new")
	store(t, c, 2, imap.StoreFlagsSet, imap.FlagFlagged)
	r := x.pass(t)
	s.equal(t, x, "flags")
	if r.Copied != 0 || r.Flags != 2 {
		t.Errorf("two changed flags: %+v", r)
	}
}

// TestHierarchies crosses separators and prefixes, both ways.
func TestHierarchies(t *testing.T) {
	slash, dot := real.Options{}, real.Options{Separator: ".", Prefix: "INBOX."}
	cases := []struct {
		name           string
		source, target real.Options
		rename         func(string) string
	}{
		{"to a prefix", slash, dot, func(n string) string {
			if n == "INBOX" {
				return n
			}
			return "INBOX/" + n
		}},
		{"from a prefix", dot, slash, func(n string) string { return strings.TrimPrefix(n, "INBOX/") }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServers(t, imaptest.Small, c.source, c.target)
			x := s.account(t)
			r := x.pass(t)
			if r.Exceptions != 0 {
				t.Errorf("%+v", r)
			}
			s.equalUnder(t, x, "first pass", c.rename)
			quiet(t, x, "second pass")
		})
	}
}

// TestLostState: without a state file everything on the target is found again.
func TestLostState(t *testing.T) {
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	x := s.account(t)
	first := x.pass(t)
	x.Dir = t.TempDir()
	r := x.pass(t)
	if r.Copied != 0 || r.Matched != first.Copied {
		t.Errorf("%d were there, then %+v", first.Copied, r)
	}
	s.equal(t, x, "without state")
	quiet(t, x, "the pass after")
}

// TestOverQuota: the account stops, nothing is sent on and on; with room again the next pass carries the rest.
func TestOverQuota(t *testing.T) {
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{Quota: "*:messages=30"})
	x := s.account(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for n := range 2 {
		if n == 1 {
			x.Trace = filepath.Join(t.TempDir(), "trace")
		}
		_, err := x.run(ctx)
		if err == nil || !strings.Contains(err.Error(), "OVERQUOTA") || !strings.Contains(err.Error(), "missing") {
			t.Fatalf("error %v", err)
		}
		if n == 0 {
			continue
		}
		if _, sent := verbs(t, x.Trace); slices.Contains(sent, "APPEND") || !slices.Contains(sent, "GETQUOTAROOT") {
			t.Errorf("the mailbox is full, and the next pass sent %v", sent)
		}
	}
}
