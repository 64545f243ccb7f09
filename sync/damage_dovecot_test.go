package sync_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	"mailmove/state"
)

// A file of a message that Dovecot cannot give, and how it comes right again.
type harm struct {
	do, mend func(t *testing.T, file string) string // the file's name afterwards
}

var sizeWord = regexp.MustCompile(`,S=\d+`)

// sized gives a file another size in its name than it has.
func sized(n int) func(*testing.T, string) string {
	return func(t *testing.T, file string) string {
		to := filepath.Join(filepath.Dir(file), sizeWord.ReplaceAllString(filepath.Base(file), fmt.Sprintf(",S=%d", n)))
		must(t, os.Rename(file, to))
		return to
	}
}

// dated keeps the time of a file, which is its INTERNALDATE.
func dated(t *testing.T, file string, change func()) {
	t.Helper()
	st, err := os.Stat(file)
	must(t, err)
	change()
	must(t, os.Chtimes(file, st.ModTime(), st.ModTime()))
}

func harms() map[string]harm {
	mode := func(m os.FileMode) func(*testing.T, string) string {
		return func(t *testing.T, file string) string { must(t, os.Chmod(file, m)); return file }
	}
	return map[string]harm{
		"unreadable": {mode(0), mode(0o600)},
		"cut short": {
			func(t *testing.T, file string) string {
				whole, err := os.ReadFile(file)
				must(t, err)
				must(t, os.WriteFile(filepath.Join(filepath.Dir(file), "..", "kept-"+filepath.Base(file)), whole, 0o600))
				dated(t, file, func() { must(t, os.Truncate(file, 60)) })
				return file
			},
			func(t *testing.T, file string) string {
				kept := filepath.Join(filepath.Dir(file), "..", "kept-"+filepath.Base(file))
				whole, err := os.ReadFile(kept)
				must(t, err)
				dated(t, file, func() { must(t, os.WriteFile(file, whole, 0)) })
				must(t, os.Remove(kept))
				return file
			},
		},
	}
}

// damagedServers are two servers and an account with so many messages in INBOX, and some in a folder that is sound.
func damagedServers(t *testing.T, messages int) (*servers, transfer, []string) {
	t.Helper()
	s := &servers{src: real.Dovecot(t, real.Options{Extra: manyLogins}), dst: real.Dovecot(t, real.Options{Extra: manyLogins})}
	x := transfer{Source: s.src.Addr(), Target: s.dst.Addr(), SourceUser: s.src.FreshUser(), TargetUser: s.dst.FreshUser(),
		Password: real.Password, Dir: t.TempDir(), Settle: 100 * time.Millisecond, LateWindow: 300 * time.Millisecond}
	y := x
	y.TargetUser = x.SourceUser
	c := client(t, s.src.Addr(), y)
	must(t, c.Create("Sound", nil).Wait())
	for i := range messages {
		appendTo(t, c, "INBOX", message(fmt.Sprint("in", i)))
	}
	for i := range 3 {
		appendTo(t, c, "Sound", message(fmt.Sprint("sound", i)))
	}
	must(t, c.Logout().Wait())
	time.Sleep(50 * time.Millisecond) // the server writes its indexes when a client has left
	return s, x, filesOf(t, s.src.MailDir(x.SourceUser), messages)
}

// filesOf gives the files of the messages in their order. Their names do not have it: microseconds are written without zeros
// in front.
func filesOf(t *testing.T, dir string, messages int) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "cur", "*"))
	must(t, err)
	files := make([]string, messages)
	for _, name := range names {
		text, err := os.ReadFile(name)
		must(t, err)
		for i := range files {
			if strings.Contains(string(text), fmt.Sprintf("Message-ID: <in%d@", i)) {
				files[i] = name
			}
		}
	}
	if len(names) != messages || slices.Contains(files, "") {
		t.Fatalf("%q of %d messages", files, messages)
	}
	return files
}

// exceptionsOf are those of the state, by UID.
func exceptionsOf(t *testing.T, x transfer) map[uint32]state.Exception {
	t.Helper()
	st, err := state.Open(context.Background(), state.Options{Dir: x.Dir, Account: "test", Source: x.SourceUser, Target: x.TargetUser})
	must(t, err)
	defer st.Close()
	list, err := st.Exceptions(context.Background())
	must(t, err)
	out := make(map[uint32]state.Exception)
	for _, e := range list {
		out[e.UID] = e
	}
	return out
}

// unreadable checks that exactly these messages are told as unreadable, with their folder and the server's part in it.
func unreadable(t *testing.T, x transfer, uids ...uint32) {
	t.Helper()
	got := exceptionsOf(t, x)
	for _, uid := range uids {
		e, ok := got[uid]
		if !ok || e.Reason != "unreadable" || e.Folder != "INBOX" || !strings.Contains(e.Detail, fmt.Sprintf("uid %d", uid)) {
			t.Errorf("uid %d: %+v", uid, e)
		}
	}
	if len(got) != len(uids) {
		t.Errorf("%d exceptions, %d damaged messages: %+v", len(got), len(uids), got)
	}
}

// logins of a pass on the source.
func sourceLogins(t *testing.T, trace string) (n int) {
	t.Helper()
	source, _ := verbs(t, trace)
	for _, v := range source {
		if v == "AUTHENTICATE" || v == "LOGIN" {
			n++
		}
	}
	return n
}

// TestDamagedMessages: the rest of the folder and of the account is carried, each damaged message is told once, a later
// pass asks for it again at a bounded cost, and carries it when it can be read.
func TestDamagedMessages(t *testing.T) {
	for name, c := range map[string]struct {
		messages int
		at       []int
	}{"only": {1, []int{0}}, "first and last": {8, []int{0, 7}}, "several": {8, []int{1, 2, 4, 5, 6}}} {
		for kind, h := range harms() {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				s, x, files := damagedServers(t, c.messages)
				var uids []uint32
				for _, i := range c.at {
					files[i] = h.do(t, files[i])
					uids = append(uids, uint32(i+1))
				}
				r := x.pass(t)
				if int(r.Copied) != c.messages+3-len(c.at) || int(r.NewExceptions) != len(c.at) {
					t.Errorf("first pass: %+v", r)
				}
				unreadable(t, x, uids...)
				x.Trace = filepath.Join(t.TempDir(), "trace")
				r = x.pass(t)
				if r.Copied != 0 || r.NewExceptions != 0 || int(r.Exceptions) != len(c.at) {
					t.Errorf("second pass: %+v", r)
				}
				if n := sourceLogins(t, x.Trace); n > 2+3 {
					t.Errorf("the second pass logged in %d times", n)
				}
				unreadable(t, x, uids...)
				for _, i := range c.at {
					files[i] = h.mend(t, files[i])
				}
				r = x.pass(t)
				if int(r.Copied) != len(c.at) || r.Exceptions != 0 {
					t.Errorf("repaired: %+v", r)
				}
				s.equal(t, x, "repaired")
				quiet(t, x, "after that")
			})
		}
	}
}

// TestWrongSizeInTheName: Dovecot reads as far as S= says, or closes the connection where the file is longer. A file
// that gets its right name is a new message to it.
func TestWrongSizeInTheName(t *testing.T) {
	for _, size := range []int{20, 5000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			s, x, files := damagedServers(t, 6)
			var sound []string
			for _, i := range []int{1, 2, 3} {
				sound = append(sound, files[i])
				files[i] = sized(size)(t, files[i])
			}
			r := x.pass(t)
			t.Logf("S=%d: %d copied, %d unreadable", size, r.Copied, r.Exceptions)
			if r.Copied+r.Exceptions != 9 || r.Copied < 6 {
				t.Errorf("first pass: %+v", r)
			}
			for _, e := range exceptionsOf(t, x) {
				if e.Reason != "unreadable" || e.UID < 7 {
					t.Errorf("%+v", e)
				}
			}
			if r.Exceptions > 0 {
				for i, name := range sound {
					must(t, os.Rename(files[i+1], name))
				}
			}
			if r = x.pass(t); r.Exceptions != 0 {
				t.Errorf("repaired: %+v", r)
			}
			s.equal(t, x, "repaired")
		})
	}
}

// TestDamageWithoutLedger: a message that the source cannot show is left out of what is compared, and told.
func TestDamageWithoutLedger(t *testing.T) {
	for kind, h := range harms() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s, x, files := damagedServers(t, 6)
			x.pass(t)
			h.do(t, files[0])
			h.do(t, files[3])
			for _, f := range []string{"dovecot.index", "dovecot.index.log", "dovecot.index.cache"} { // no answer from memory
				must(t, os.RemoveAll(filepath.Join(s.src.MailDir(x.SourceUser), f)))
			}
			x.Dir = t.TempDir()
			r := x.pass(t)
			t.Logf("state lost: %+v", r)
			if r.Matched+r.Exceptions != 9 || r.Copied != 0 {
				t.Errorf("state lost: %+v", r)
			}
			list, err := filepath.Glob(filepath.Join(s.src.MailDir(x.SourceUser), "dovecot*"))
			must(t, err)
			for _, f := range list {
				must(t, os.RemoveAll(f))
			}
			r = x.pass(t)
			t.Logf("UIDs lost: %+v", r)
			if r.Matched < 4 || r.Copied != 0 || r.Exceptions != 2 {
				t.Errorf("UIDs lost: %+v", r)
			}
			h.mend(t, files[0])
			h.mend(t, files[3])
			if r = x.pass(t); r.Exceptions != 0 || r.Matched+r.Copied != 2 {
				t.Errorf("repaired: %+v", r)
			}
			s.equal(t, x, "repaired")
			quiet(t, x, "after that")
		})
	}
}

// TestBadLineIsNoDamage: a line that ends every connection after as many bytes, in one message, leaves nothing behind.
func TestBadLineIsNoDamage(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			t.Parallel()
			s, x, _ := damagedServers(t, 2)
			y := x
			y.TargetUser = x.SourceUser
			c := client(t, s.src.Addr(), y)
			appendTo(t, c, "INBOX", message("large")+strings.Repeat("0123456789abcdef\r\n", 40_000))
			must(t, c.Logout().Wait())
			if secure {
				x.Source, x.SourceCA = s.src.TLSAddr(), s.src.CertPool()
			}
			p, err := imaptest.NewProxy(x.Source, imaptest.Faults{Break: imaptest.BreakFIN, CutDown: 300_000})
			must(t, err)
			defer p.Close()
			z := x
			z.Source = p.Addr()
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
			defer cancel()
			r, err := z.run(ctx)
			if err == nil || len(exceptionsOf(t, x)) != 0 {
				t.Errorf("%v: %+v", err, r)
			}
			if n := p.Stats().Breaks; n < 5 {
				t.Errorf("only %d connections ended", n)
			}
			x.pass(t)
			s.equal(t, x, "over a good line")
		})
	}
}
