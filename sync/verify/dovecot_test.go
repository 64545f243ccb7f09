package verify_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"go.uber.org/goleak"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	"mailmove/state"
	mailsync "mailmove/sync"
	"mailmove/sync/verify"
)

// The embedded server does not wait for its own connections when it is closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/emersion/go-imap/v2/imapserver.(*Conn).serve"))
}

// account is a mailbox on two Dovecots, with the state of the passes between them.
type account struct {
	*testing.T
	src, dst *real.Server
	user     string
	dir      string // state
	mapping  mailsync.Mapping
	filter   mailsync.Filter
	through  map[string]string             // addresses to dial instead of the servers', by side
	wrap     func(verify.Side) verify.Side // of the source; nil: as it is
}

// migrated gives an account after its first pass.
func migrated(t *testing.T, p imaptest.Preset, target real.Options) *account {
	t.Helper()
	a := fresh(t, p, target)
	a.pass()
	return a
}

// fresh gives an account that no pass has seen.
func fresh(t *testing.T, p imaptest.Preset, target real.Options) *account {
	t.Helper()
	a := &account{T: t, src: real.Dovecot(t, real.Options{}), dst: real.Dovecot(t, target), dir: t.TempDir()}
	a.user = a.src.FreshUser()
	c, err := imaptest.NewCorpus(p, 1)
	a.must(err)
	tree := filepath.Join(t.TempDir(), "Maildir")
	_, err = c.WriteMaildir(tree)
	a.must(err)
	a.src.LoadMaildir(a.user, tree)
	return a
}

func (a *account) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

func (a *account) side(name string) func(context.Context) (verify.Side, error) {
	return func(ctx context.Context) (verify.Side, error) {
		s, err := imapx.DialSource(ctx, a.endpoint(name), imapx.Options{})
		if err != nil {
			return nil, err
		}
		if a.wrap != nil && name == "source" {
			return a.wrap(s), nil
		}
		return s, nil
	}
}

func (a *account) server(name string) *real.Server {
	if name == "source" {
		return a.src
	}
	return a.dst
}

func (a *account) endpoint(name string) imapx.Endpoint {
	addr := a.server(name).Addr()
	if other := a.through[name]; other != "" {
		addr = other
	}
	host, port, err := net.SplitHostPort(addr)
	a.must(err)
	n, err := strconv.Atoi(port)
	a.must(err)
	return imapx.Endpoint{Side: name, Host: host, Port: n, TLS: imapx.TLSNone, User: a.user, Password: auth.NewSecret(real.Password)}
}

// pass carries what is new.
func (a *account) pass() {
	a.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	st, err := state.Open(ctx, state.Options{Dir: a.dir, Account: "test"})
	a.must(err)
	defer st.Close()
	_, err = mailsync.Run(ctx, mailsync.Options{Account: "test", State: st, SpoolDir: a.dir, Mapping: a.mapping, Filter: a.filter,
		ConnectSource: a.side("source"),
		ConnectTarget: func(ctx context.Context) (mailsync.Target, error) {
			s, err := imapx.DialTarget(ctx, a.endpoint("target"), imapx.Options{})
			if err != nil {
				return nil, err
			}
			return s, nil
		}})
	a.must(err)
}

// outcome is a report with all its differences.
type outcome struct {
	verify.Report
	diffs []verify.Difference
}

// verify compares; without a state where dir is empty.
func (a *account) verify(level verify.Level, sample float64, dir string) outcome {
	a.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var out outcome
	o := verify.Options{Account: "test", ConnectSource: a.side("source"), ConnectTarget: a.side("target"), Mapping: a.mapping,
		Level: level, Sample: sample, Pause: 10 * time.Millisecond, Difference: func(d verify.Difference) { out.diffs = append(out.diffs, d) }}
	if dir != "" {
		st, err := state.Open(ctx, state.Options{Dir: dir, Account: "test", ReadOnly: true})
		a.must(err)
		defer st.Close()
		o.State = st
	}
	var err error
	out.Report, err = verify.Run(ctx, o)
	a.must(err)
	return out
}

// same expects both sides to be the same, at each level, with and without the state.
func (a *account) same() {
	a.Helper()
	for _, dir := range []string{"", a.dir} {
		for _, level := range []verify.Level{verify.Counts, verify.Identity, verify.Content} {
			started := time.Now()
			r := a.verify(level, 0, dir)
			if !r.Verified() || len(r.diffs) > 0 || r.Source.Messages == 0 || r.Source.Messages != r.Target.Messages {
				a.Fatalf("%v, state %q: %+v\n%+v", level, dir, r.Report, r.diffs)
			}
			if level != verify.Counts && r.Equal != r.Source.Messages {
				a.Errorf("%v: %d of %d messages are equal", level, r.Equal, r.Source.Messages)
			}
			if level == verify.Content && r.Read < 2*r.Source.Bytes {
				a.Errorf("%d bytes read of two times %d", r.Read, r.Source.Bytes)
			}
			a.Logf("%v, state %v: %v", level, dir != "", time.Since(started).Round(time.Millisecond))
		}
	}
}

// only expects one difference, of that word, in that folder.
func (a *account) only(r outcome, word verify.Word, folder string) verify.Difference {
	a.Helper()
	if len(r.diffs) != 1 || r.diffs[0].Word != word || r.diffs[0].Target != folder {
		a.Fatalf("want one %q in %s, got %+v", word, folder, r.diffs)
	}
	if r.Verified() != word.Explained() {
		a.Errorf("%q: verified is %v", word, r.Verified())
	}
	return r.diffs[0]
}

// client is a mail program's connection, with the folder open.
func (a *account) client(side, folder string) *imapclient.Client {
	a.Helper()
	conn, err := net.Dial("tcp", a.server(side).Addr())
	a.must(err)
	c := imapclient.New(conn, nil)
	a.Cleanup(func() { c.Close() })
	a.must(c.Login(a.user, real.Password).Wait())
	if folder != "" {
		_, err = c.Select(folder, nil).Wait()
		a.must(err)
	}
	return c
}

func (a *account) remove(side, folder string, seq imap.SeqSet) {
	a.Helper()
	c := a.client(side, folder)
	a.must(c.Store(seq, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}, Silent: true}, nil).Close())
	a.must(c.Expunge().Close())
}

func (a *account) append(side, folder, text string) {
	a.Helper()
	c := a.client(side, "")
	w := c.Append(folder, int64(len(text)), nil)
	_, err := w.Write([]byte(text))
	a.must(err)
	a.must(w.Close())
	_, err = w.Wait()
	a.must(err)
}

// file gives a message file of a folder of the target, past the server.
func (a *account) file(folder string) string {
	a.Helper()
	list, err := filepath.Glob(filepath.Join(a.dst.MailDir(a.user), folder, "cur", "*"))
	a.must(err)
	if len(list) == 0 {
		a.Fatalf("no files in %s", folder)
	}
	slices.Sort(list)
	return list[len(list)/2]
}

func message(subject string) string {
	return "From: a@example.org\r\nSubject: " + subject + "\r\nMessage-ID: <" + subject + "@example.org>\r\nDate: Tue, 5 May 2020 05:05:05 +0000\r\n\r\nnew\r\n"
}

// flip changes one byte of a message's text in place.
func (a *account) flip(path string) {
	a.Helper()
	text, err := os.ReadFile(path)
	a.must(err)
	i := strings.Index(string(text), "\n\n") + 2
	if i < 2 || i >= len(text) {
		a.Fatalf("%s has no body", path)
	}
	for text[i] == '\n' || text[i] == '\r' {
		i++
	}
	text[i] ^= 1
	info, err := os.Stat(path)
	a.must(err)
	a.must(os.WriteFile(path, text, 0o600))
	a.must(os.Chtimes(path, info.ModTime(), info.ModTime()))
}

func TestPresetS(t *testing.T) {
	a := migrated(t, imaptest.S, real.Options{})
	a.same()
}
