package verify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	"mailmove/sync/verify"
)

// plant is a change of one side after a pass, with the word that it gets.
type plant struct {
	name        string
	do          func(a *account)
	level       verify.Level
	folder      string
	with, bare  verify.Word // with the state, and without
	also        verify.Word // a second difference without the state; "": none
	targetUID   bool        // the difference names the target's message
	needsDetail string
}

func plants() []plant {
	one := imap.SeqSetNum(3)
	return []plant{
		{name: "removed on the target by IMAP", level: verify.Identity, folder: "Sent",
			do:   func(a *account) { a.remove("target", "Sent", one) },
			with: verify.GoneOnTarget, bare: verify.Missing},
		{name: "removed behind the server's back", level: verify.Identity, folder: "Sent",
			do:   func(a *account) { a.must(os.Remove(a.file(".Sent"))) },
			with: verify.GoneOnTarget, bare: verify.Missing},
		{name: "one byte", level: verify.Content, folder: "Archive/2019/Q1", targetUID: true, needsDetail: "bytes differ",
			do:   func(a *account) { a.flip(a.file(".Archive.2019.Q1")) },
			with: verify.Altered, bare: verify.Altered},
		{name: "a flag", level: verify.Identity, folder: "Sent", targetUID: true, needsDetail: "brand-new on the target only",
			do: func(a *account) {
				c := a.client("target", "Sent")
				a.must(c.Store(one, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{"brand-new"}, Silent: true}, nil).Close())
			},
			with: verify.Changed, bare: verify.Altered},
		{name: "a date", level: verify.Identity, folder: "Sent", targetUID: true, needsDetail: "dated ",
			do: func(a *account) {
				when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
				a.must(os.Chtimes(a.file(".Sent"), when, when))
				forgetCaches(a, ".Sent")
			},
			with: verify.Altered, bare: verify.Altered},
		{name: "a duplicate", level: verify.Identity, folder: "Sent", targetUID: true,
			do: func(a *account) {
				c := a.client("target", "Sent")
				_, err := c.Copy(one, "Sent").Wait()
				a.must(err)
			},
			with: verify.Extra, bare: verify.Extra},
		{name: "moved by its user", level: verify.Identity, folder: "Sent", needsDetail: "now in Archive/2019/Q1",
			do: func(a *account) {
				c := a.client("target", "Sent")
				_, err := c.Move(one, "Archive/2019/Q1").Wait()
				a.must(err)
			},
			with: verify.ByUser, bare: verify.Missing, also: verify.Extra},
		{name: "new on the source", level: verify.Identity, folder: "Sent",
			do:   func(a *account) { a.append("source", "Sent", message("news")) },
			with: verify.ArrivedSince, bare: verify.Missing},
		{name: "new on the target", level: verify.Identity, folder: "Sent", targetUID: true,
			do:   func(a *account) { a.append("target", "Sent", message("news")) },
			with: verify.ArrivedSince, bare: verify.Extra},
		{name: "deleted on the source", level: verify.Identity, folder: "Sent", targetUID: true,
			do:   func(a *account) { a.remove("source", "Sent", one) },
			with: verify.ByUser, bare: verify.Extra},
		{name: "an empty folder", level: verify.Identity, folder: "Nichts drin",
			do: func(a *account) {
				c := a.client("source", "")
				a.must(c.Create("Nichts drin", nil).Wait())
				a.pass()
				d := a.client("target", "")
				a.must(d.Delete("Nichts drin").Wait())
			},
			with: verify.ByUser, bare: verify.Missing},
	}
}

// forgetCaches makes the server read a folder's files anew: INTERNALDATE is cached.
func forgetCaches(a *account, folder string) {
	a.Helper()
	list, err := filepath.Glob(filepath.Join(a.dst.MailDir(a.user), folder, "dovecot.index*"))
	a.must(err)
	for _, f := range list {
		a.must(os.Remove(f))
	}
}

// TestPlanted: each change is found alone, and named, with the state and without.
func TestPlanted(t *testing.T) {
	for _, p := range plants() {
		t.Run(p.name, func(t *testing.T) {
			a := migrated(t, imaptest.Small, real.Options{})
			if p.folder == "Sent" {
				fill(a)
			}
			p.do(a)
			d := a.only(a.verify(p.level, 0, a.dir), p.with, p.folder)
			if d.SourceUID == 0 && d.TargetUID == 0 && d.Messages > 0 || p.targetUID && d.TargetUID == 0 {
				t.Errorf("it is not named: %+v", d)
			}
			if !strings.Contains(d.Detail, p.needsDetail) {
				t.Errorf("detail %q", d.Detail)
			}
			r := a.verify(p.level, 0, "")
			if r.Words[p.bare] != 1 || len(r.diffs) > 2 || p.also != "" && r.Words[p.also] != 1 || p.also == "" && len(r.diffs) != 1 {
				t.Errorf("without the state: %+v", r.diffs)
			}
		})
	}
}

// fill gives Sent some messages on both sides.
func fill(a *account) {
	a.Helper()
	for _, name := range []string{"s1", "s2", "s3", "s4", "s5"} {
		a.append("source", "Sent", message(name))
	}
	a.pass()
}

// TestFolderRemoved: a folder with mail that is gone from the target, and one that its user renamed.
func TestFolderRemoved(t *testing.T) {
	a := migrated(t, imaptest.Small, real.Options{})
	c := a.client("target", "")
	n := int64(a.count("source", "Quirks"))
	a.must(c.Rename("Quirks", "Umbenannt", nil).Wait())
	r := a.verify(verify.Identity, 0, a.dir)
	if !r.Verified() || r.Words[verify.ByUser] != n || int64(len(r.diffs)) != n || !strings.HasSuffix(r.diffs[0].Detail, "now in Umbenannt") {
		t.Errorf("renamed: %+v", r.Report)
	}
	r = a.verify(verify.Identity, 0, "")
	if r.Verified() || r.Words[verify.Missing] != n || r.Words[verify.Extra] != n {
		t.Errorf("renamed, without the state: %+v", r.Report)
	}
	a.must(c.Delete("Umbenannt").Wait())
	for _, level := range []verify.Level{verify.Counts, verify.Identity, verify.Content} {
		r = a.verify(level, 0, a.dir)
		if r.Verified() || r.Words[verify.GoneOnTarget] != n || !r.TooMany {
			t.Errorf("removed, %v: %+v", level, r.Report)
		}
	}
	if r = a.verify(verify.Counts, 0, ""); r.Verified() || r.Words[verify.Missing] != n {
		t.Errorf("removed, without the state: %+v", r.Report)
	}
}

// TestRetention: mail that the target's retention deletes is no user's decision, and fails.
func TestRetention(t *testing.T) {
	a := migrated(t, imaptest.S, real.Options{})
	c := a.client("target", "INBOX")
	old, err := c.Search(&imap.SearchCriteria{Before: time.Now().AddDate(0, 0, -60)}, nil).Wait()
	a.must(err)
	seqs := old.AllSeqNums()
	if len(seqs) < 200 {
		t.Fatalf("only %d old messages", len(seqs))
	}
	a.remove("target", "INBOX", imap.SeqSetNum(seqs...))
	for _, level := range []verify.Level{verify.Counts, verify.Identity, verify.Content} {
		r := a.verify(level, 0, a.dir)
		if r.Verified() || !r.TooMany || r.Words[verify.GoneOnTarget] != int64(len(seqs)) || len(r.Words) != 1 {
			t.Errorf("%v: %+v", level, r.Report)
		}
		if r.Unexplained() != int64(len(seqs)) {
			t.Errorf("%v: %d unexplained", level, r.Unexplained())
		}
	}
	a.pass() // it learns that they are gone, and brings none back
	if r := a.verify(verify.Identity, 0, a.dir); !r.TooMany || r.Words[verify.GoneOnTarget] != int64(len(seqs)) {
		t.Errorf("after a pass: %+v", r.Report)
	}
}

func (a *account) count(side, folder string) uint32 {
	a.Helper()
	c := a.client(side, "")
	st, err := c.Status(folder, &imap.StatusOptions{NumMessages: true}).Wait()
	a.must(err)
	return *st.NumMessages
}

// TestSample: which bodies are read is decided by the message; a byte that differs is found where it is among them.
func TestSample(t *testing.T) {
	a := migrated(t, imaptest.S, real.Options{})
	all := a.verify(verify.Content, 0, "")
	fifth := a.verify(verify.Content, 0.2, "")
	again := a.verify(verify.Content, 0.2, a.dir)
	if !fifth.Verified() || fifth.Read-again.Read > 1000 || again.Read > fifth.Read || fifth.Read*3 > all.Read || fifth.Read*20 < all.Read {
		t.Errorf("%d of %d bytes read, then %d: %+v", fifth.Read, all.Read, again.Read, fifth.diffs)
	}
	if fifth.Receipt.Target.Folders[0].Digest != again.Receipt.Target.Folders[0].Digest {
		t.Errorf("two runs do not agree on a folder")
	}
	a.flip(a.file(".Archive.2019.Q1"))
	found := 0
	for _, share := range []float64{0.05, 0.5, 1} {
		if n := len(a.verify(verify.Content, share, "").diffs); n < found {
			t.Errorf("a sample of %v finds less than a smaller one", share)
		} else {
			found = n
		}
	}
	if found != 1 {
		t.Errorf("%d differences", found)
	}
}

// TestReceipt: a byte that changes later is found in its folder; mail that came later is no change.
func TestReceipt(t *testing.T) {
	a := migrated(t, imaptest.Small, real.Options{})
	for _, level := range []verify.Level{verify.Counts, verify.Identity, verify.Content} {
		a.held(a.verify(level, 0, a.dir).Receipt, "target", "")
		a.held(a.verify(level, 0, a.dir).Receipt, "source", "")
	}
	receipt := a.verify(verify.Content, 0, a.dir).Receipt
	var text strings.Builder
	a.must(receipt.Write(&text))
	receipt, err := verify.ReadReceipt(strings.NewReader(text.String()))
	a.must(err)
	a.append("target", "INBOX", message("later"))
	for _, h := range a.held(receipt, "target", "") {
		if want := int64(0); h.Folder == "INBOX" {
			if want = 1; h.Arrived != want {
				t.Errorf("%d arrived in INBOX", h.Arrived)
			}
		}
	}
	a.flip(a.file(".Archive.2019.Q1"))
	a.held(receipt, "target", "Archive/2019/Q1")
	a.held(receipt, "source", "")
	a.must(a.client("target", "").Delete("R&D").Wait())
	a.held(receipt, "target", "Archive/2019/Q1R&D")
}

// held expects that the folder, or none where it is "", differs from the receipt.
func (a *account) held(c *verify.Receipt, side, folder string) (out []verify.Held) {
	a.Helper()
	if len(c.Target.Folders) < 5 || c.Target.Messages == 0 {
		a.Fatalf("a receipt of nothing: %+v", c)
	}
	found := ""
	a.must(verify.Against(a.Context(), a.side(side), c, side == "source", func(h verify.Held) {
		out = append(out, h)
		if h.Why != "" {
			found += h.Folder
		}
	}))
	if found != folder {
		a.Errorf("%s: %q differs from the receipt, want %q", side, found, folder)
	}
	return out
}
