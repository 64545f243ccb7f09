package verify_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	mailsync "mailmove/sync"
	"mailmove/sync/verify"
)

// TestKnownException: what the state lists with a reason is no fault, and is one where nobody listed it.
func TestKnownException(t *testing.T) {
	a := fresh(t, imaptest.Small, real.Options{})
	empty := filepath.Join(a.src.MailDir(a.user), "cur", "1500000000.M1P1.empty:2,S")
	a.must(os.WriteFile(empty, nil, 0o644))
	a.must(os.Chmod(empty, 0o644))
	a.pass()
	d := a.only(a.verify(verify.Identity, 0, a.dir), verify.KnownException, "INBOX")
	if !strings.HasPrefix(d.Detail, "empty") || d.SourceUID == 0 {
		t.Errorf("%+v", d)
	}
	a.only(a.verify(verify.Content, 0, a.dir), verify.KnownException, "INBOX")
	if r := a.verify(verify.Counts, 0, a.dir); !r.Verified() || r.Words[verify.KnownException] != 1 || len(r.diffs) != 1 {
		t.Errorf("counts: %+v", r.diffs)
	}
	a.only(a.verify(verify.Identity, 0, ""), verify.Missing, "INBOX")
	if list := a.verify(verify.Identity, 0, a.dir).Receipt.Exceptions; len(list) != 1 || list[0].Reason != "empty" {
		t.Errorf("the receipt's exceptions: %+v", list)
	}
}

// TestFiltered: what a filter left out would be lost, and is missing.
func TestFiltered(t *testing.T) {
	a := fresh(t, imaptest.Small, real.Options{})
	a.filter = mailsync.Filter{MaxSize: 2000}
	a.pass()
	n := int64(0)
	for _, level := range []verify.Level{verify.Counts, verify.Identity} {
		r := a.verify(level, 0, a.dir)
		if r.Verified() || r.Words[verify.Missing] == 0 || len(r.Words) != 1 || !strings.Contains(r.diffs[0].Detail, "filter left") {
			t.Fatalf("%v: %+v", level, r.Report)
		}
		if n == 0 {
			n = r.Words[verify.Missing]
		}
		if r.Words[verify.Missing] != n {
			t.Errorf("%v: %d missing, not %d", level, r.Words[verify.Missing], n)
		}
	}
	a.filter = mailsync.Filter{}
	a.pass()
	a.same()
}

// TestMergedFolders: several source folders in one of the target are compared together.
func TestMergedFolders(t *testing.T) {
	a := fresh(t, imaptest.Small, real.Options{})
	a.mapping.Maps = []mailsync.MapRule{{Source: "R&D", Target: "INBOX"}, {Source: "Archive/2019/Q1", Target: "INBOX"}}
	for _, folder := range []string{"INBOX", "R&D", "R&D"} {
		a.append("source", folder, message("the same"))
	}
	a.pass()
	a.same()
	list := a.client("target", "INBOX")
	found, err := list.Search(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "the same"}}}, nil).Wait()
	a.must(err)
	seqs := found.AllSeqNums()
	if len(seqs) != 3 {
		t.Fatalf("%d of three", len(seqs))
	}
	a.remove("target", "INBOX", imap.SeqSetNum(seqs[1]))
	d := a.only(a.verify(verify.Content, 0, a.dir), verify.GoneOnTarget, "INBOX")
	if d.Source == "" || d.SourceUID == 0 {
		t.Errorf("%+v", d)
	}
	a.only(a.verify(verify.Content, 0, ""), verify.Missing, "INBOX")
}

// TestNewUIDs: a restored target gives all messages other UIDs; they are found all the same. On the source the state
// knows nothing of them any more, and explains nothing.
func TestNewUIDs(t *testing.T) {
	a := migrated(t, imaptest.Small, real.Options{})
	renumber(a, a.dst)
	a.same()
	a.append("source", "INBOX", message("news"))
	a.only(a.verify(verify.Identity, 0, a.dir), verify.ArrivedSince, "INBOX")
	renumber(a, a.src)
	d := a.only(a.verify(verify.Identity, 0, a.dir), verify.Missing, "INBOX")
	if !strings.Contains(d.Detail, "new UIDs") {
		t.Errorf("detail %q", d.Detail)
	}
}

// renumber gives INBOX another UIDVALIDITY.
func renumber(a *account, s *real.Server) {
	a.Helper()
	for _, pattern := range []string{"dovecot-uidlist", "dovecot-uidvalidity*", "dovecot.index*", "dovecot.list.index*"} {
		list, err := filepath.Glob(filepath.Join(s.MailDir(a.user), pattern))
		a.must(err)
		for _, f := range list {
			a.must(os.Remove(f))
		}
	}
	time.Sleep(1100 * time.Millisecond) // UIDVALIDITY is a time in seconds
}

// TestLostConnection: a folder whose connection dies is read again, and told once.
func TestLostConnection(t *testing.T) {
	a := migrated(t, imaptest.Small, real.Options{})
	a.flip(a.file(".Archive.2019.Q1"))
	for _, at := range []int64{2000, 9000, 40000, 100000} {
		p, err := imaptest.NewProxy(a.dst.Addr(), imaptest.Faults{Break: imaptest.BreakRST, Conns: 1, CutDown: at})
		a.must(err)
		a.through = map[string]string{"target": p.Addr()}
		a.only(a.verify(verify.Content, 0, a.dir), verify.Altered, "Archive/2019/Q1")
		p.Close()
	}
}

// TestAlteredByTheServer: a target that stores other line ends is told from one that stores other text.
func TestAlteredByTheServer(t *testing.T) {
	a := fresh(t, imaptest.Small, real.Options{})
	a.src.Wipe(a.user)
	target, err := imaptest.StartEmbedded(imaptest.EmbeddedOptions{Users: []imaptest.EmbeddedUser{{Name: a.user, Password: real.Password}}})
	a.must(err)
	defer target.Close()
	a.through = map[string]string{"target": target.Addr()}
	when := time.Date(2020, 5, 5, 5, 5, 5, 0, time.UTC)
	put := func(addr, text string) {
		conn, err := net.Dial("tcp", addr)
		a.must(err)
		c := imapclient.New(conn, nil)
		defer c.Close()
		a.must(c.Login(a.user, real.Password).Wait())
		w := c.Append("INBOX", int64(len(text)), &imap.AppendOptions{Time: when})
		_, err = w.Write([]byte(text))
		a.must(err)
		a.must(w.Close())
		_, err = w.Wait()
		a.must(err)
	}
	for _, name := range []string{"same", "ends", "text"} {
		put(a.src.Addr(), message(name)+"more\r\n")
	}
	put(target.Addr(), message("same")+"more\r\n")
	put(target.Addr(), message("ends")+"more\n\n")
	put(target.Addr(), message("text")+"mode\r\n")
	r := a.verify(verify.Content, 0, "")
	if r.Equal != 1 || r.Words[verify.ByServer] != 1 || r.Words[verify.Altered] != 1 || len(r.diffs) != 2 {
		t.Errorf("content: %+v\n%+v", r.Report, r.diffs)
	}
	for _, d := range r.diffs {
		if want := map[verify.Word]uint32{verify.ByServer: 2, verify.Altered: 3}[d.Word]; d.TargetUID != want {
			t.Errorf("%+v, want uid %d", d, want)
		}
	}
}
