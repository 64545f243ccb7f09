package sync

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// Gmail in memory: a message is in \All once, and in each folder that it has the label of. A label that comes or goes
// raises the modification sequence of the message in \All.

const (
	allMail   = "[Gmail]/Alle Nachrichten" // its names are in the user's language
	sentMail  = "[Gmail]/Gesendet"
	important = "[Gmail]/Wichtig"
	starred   = "[Gmail]/Markiert"
)

func gmailFolders() map[string]imap.MailboxAttr {
	return map[string]imap.MailboxAttr{allMail: imap.MailboxAttrAll, sentMail: imap.MailboxAttrSent,
		important: imap.MailboxAttrImportant, starred: imap.MailboxAttrFlagged}
}

// gmailBench is a bench whose source is a Gmail.
func gmailBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.src.labels = true
	for name, use := range gmailFolders() {
		b.src.folder(name).use = use
	}
	return b
}

// labelOf is what X-GM-LABELS says of a folder.
func labelOf(name string, f *fakeFolder) string {
	switch {
	case name == "INBOX":
		return `\Inbox`
	case f.use == imap.MailboxAttrSent:
		return `\Sent`
	case f.use == imap.MailboxAttrImportant:
		return `\Important`
	case f.use == imap.MailboxAttrFlagged:
		return `\Starred`
	}
	return name // as LIST has it
}

// gmail adds what X-GM-LABELS and X-GM-MSGID give. The open folder's own label is not among them.
func (c *fakeConn) gmail(m *fakeMessage, want imapx.Want, out *imapx.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if want&imapx.WantGmailID != 0 {
		out.GmailID = m.gid
	}
	if want&imapx.WantLabels == 0 {
		return
	}
	for name, f := range c.folders {
		if f.use == imap.MailboxAttrAll || slices.Contains(f.messages, m) {
			continue
		}
		if slices.ContainsFunc(f.messages, func(n *fakeMessage) bool { return n.gid == m.gid }) || c.hidden[m.gid] == name {
			out.Labels = append(out.Labels, labelOf(name, f))
		}
	}
	slices.Sort(out.Labels)
}

// receive makes a message with labels. It gives its X-GM-MSGID.
func (s *fakeServer) receive(n int, labels ...string) uint64 {
	gid := uint64(1<<60 + n)
	s.put(n, gid, allMail)
	for _, name := range labels {
		s.label(gid, name)
	}
	return gid
}

func (s *fakeServer) put(n int, gid uint64, folder string) {
	uid := s.add(folder, time.Unix(1.7e9+int64(n)*60, 0).UTC(), gmailText(n), imap.FlagSeen)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.folders[folder].messages {
		if m.uid == uid {
			m.gid = gid
		}
	}
}

func gmailText(n int) string {
	return fmt.Sprintf("Message-ID: <%d@gmail.example>\r\nFrom: a@example.org\r\nSubject: number %d\r\n\r\nbody %d\r\n", n, n, n)
}

func (s *fakeServer) label(gid uint64, folder string) {
	s.put(int(gid-1<<60), gid, folder)
	s.touch(gid)
}

func (s *fakeServer) unlabel(gid uint64, folder string) {
	s.mu.Lock()
	f := s.folders[folder]
	f.modseq++
	f.messages = slices.DeleteFunc(f.messages, func(m *fakeMessage) bool { return m.gid == gid })
	s.mu.Unlock()
	s.touch(gid)
}

// touch is a change of labels as \All shows it.
func (s *fakeServer) touch(gid uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.folders[allMail]
	for _, m := range f.messages {
		if m.gid == gid {
			f.modseq++
			m.modseq = f.modseq
		}
	}
}

// holds compares what folders of the target hold with the numbers of messages; no other folder may hold any.
func (b *bench) holds(when string, want map[string][]int) {
	b.t.Helper()
	for name, f := range b.dst.folders {
		var have []string
		for _, m := range f.messages {
			have = append(have, string(m.data))
		}
		var texts []string
		for _, n := range want[name] {
			texts = append(texts, gmailText(n))
		}
		slices.Sort(have)
		slices.Sort(texts)
		if !slices.Equal(have, texts) {
			b.t.Fatalf("%s: %s holds %q, want numbers %v", when, name, have, want[name])
		}
	}
	for name := range want {
		if b.dst.folders[name] == nil {
			b.t.Fatalf("%s: there is no %s", when, name)
		}
	}
}

func TestGmailFolders(t *testing.T) {
	b := gmailBench(t)
	b.dst.folder("Gesendete").use = imap.MailboxAttrSent
	one := b.src.receive(1, "INBOX", important, "Projects/A", "Projects/B")
	b.src.receive(2, sentMail)
	b.src.receive(3, important) // archived
	four := b.src.receive(4, "Ubung", starred)
	b.src.receive(5)
	b.src.receive(6, "INBOX")
	r := b.pass()
	want := map[string][]int{"INBOX": {1, 6}, "Projects/A": {1}, "Projects/B": {1}, "Gesendete": {2}, "Ubung": {4}, "Archive": {3, 5}}
	b.holds("first pass", want)
	if r.Copied != 8 || r.Deferred != 0 || r.FoldersLeftOut != 2 || r.Exceptions != 0 {
		t.Errorf("first pass: %+v", r)
	}
	if r := b.pass(); r.Copied+r.Deferred+r.Exceptions != 0 {
		t.Errorf("nothing changed: %+v", r)
	}
	b.holds("second pass", want)

	b.src.unlabel(four, "Ubung") // archived between two passes: its copy moves
	b.src.receive(7, "INBOX")
	b.src.receive(8)
	r = b.pass()
	want["Ubung"], want["Archive"], want["INBOX"] = nil, []int{3, 4, 5, 8}, []int{1, 6, 7}
	b.holds("archived", want)
	if r.Followed != 1 || r.Copied != 2 {
		t.Errorf("archived: %+v", r)
	}

	b.src.unlabel(one, "Projects/A") // it has other labels: nothing new in the archive
	b.pass()
	b.holds("one label less", want)
	b.pass(func(o *Options) { o.Mode = Whole })
	b.holds("a final pass", want)
}

// TestGmailLabelledLater: what is archived and gets a label is moved out of the archive, unless somebody touched it there; back
// again when the label goes; and after a final pass its copy stays where it is.
func TestGmailLabelledLater(t *testing.T) {
	for _, lose := range []bool{false, true} {
		t.Run(fmt.Sprintf("answer lost %v", lose), func(t *testing.T) { labelledLater(t, lose) })
	}
}

func labelledLater(t *testing.T, lose bool) {
	b := gmailBench(t)
	b.src.folder("Work")
	one, two, three := b.src.receive(1), b.src.receive(2), b.src.receive(3)
	b.src.receive(4, "Work")
	b.pass()
	b.holds("first pass", map[string][]int{"INBOX": nil, "Work": {4}, "Archive": {1, 2, 3}})
	b.dst.setFlags("Archive", 2, imap.FlagSeen, "$label1")
	b.src.label(one, "Work")
	b.src.label(two, "Work")
	if dry := b.pass(func(o *Options) { o.DryRun = true }); dry.Followed != 1 || dry.ToCopy != 0 {
		t.Errorf("foretold: %+v", dry)
	}
	b.dst.loseMove = lose
	if r := b.pass(); r.Followed+r.Recovered != 1 || r.Copied != 0 || r.Exceptions != 0 {
		t.Errorf("labelled: %+v", r)
	}
	want := map[string][]int{"INBOX": nil, "Work": {1, 4}, "Archive": {2, 3}}
	b.holds("labelled", want)
	for _, mode := range []Mode{Ordinary, Whole} {
		if r := b.pass(func(o *Options) { o.Mode = mode }); r.Copied+r.Followed+r.Gone+r.Exceptions != 0 {
			t.Errorf("nothing changed: %+v", r)
		}
	}
	b.src.unlabel(one, "Work")
	b.src.unlabel(two, "Work")
	b.pass(func(o *Options) { o.Deletions = ExpungeDeleted })
	b.holds("archived again", map[string][]int{"INBOX": nil, "Work": {4}, "Archive": {1, 2, 3}})
	b.src.label(three, "Work")
	if r := b.pass(func(o *Options) { o.Mode = Tail }); r.Copied+r.Followed != 0 {
		t.Errorf("a tail: %+v", r)
	}
	b.holds("a tail", map[string][]int{"INBOX": nil, "Work": {4}, "Archive": {1, 2, 3}})
}

// What a label names and IMAP does not show there is carried from All Mail: hidden labels, folders shown in part.
func TestGmailLabelsThatShowNothing(t *testing.T) {
	b := gmailBench(t)
	b.src.folder("Cut")
	b.src.receive(1, "INBOX")
	b.src.hidden = map[uint64]string{b.src.receive(2): "Cut", b.src.receive(3): "INBOX"}
	b.pass()
	b.holds("labels without messages", map[string][]int{"INBOX": {1}, "Archive": {2, 3}, "Cut": nil})
}

func TestGmailOnce(t *testing.T) {
	for mode, keywords := range map[Labels]bool{LabelKeywords: true, LabelIgnore: false} {
		b := gmailBench(t)
		b.src.receive(1, "INBOX", "Work")
		b.src.receive(2, "Work", "A b", important)
		b.src.receive(3)
		change := func(o *Options) { o.Mapping.Labels = mode }
		r := b.pass(change)
		b.holds("once", map[string][]int{"INBOX": {1}, "Archive": {2, 3}})
		if r.Copied != 3 || r.FoldersLeftOut != 4 {
			t.Errorf("mode %d: %+v", mode, r)
		}
		flags := flagText(b.dst.folders["Archive"].messages[0].flags)
		if want := map[bool]string{true: `$Important A_b Work \Seen`, false: `\Seen`}[keywords]; flags != want {
			t.Errorf("mode %d: flags %s, want %s", mode, flags, want)
		}
		if r := b.pass(change); r.Copied+r.Flags != 0 {
			t.Errorf("mode %d: nothing changed: %+v", mode, r)
		}
	}
}

// Deletions are carried: a message that left its label is in the archive before its copy goes.
func TestGmailDeletionsLoseNothing(t *testing.T) {
	b := gmailBench(t)
	ids := make([]uint64, 0, 40)
	for n := range 40 {
		ids = append(ids, b.src.receive(n, "INBOX"))
	}
	change := func(o *Options) { o.Deletions = ExpungeDeleted }
	b.pass(change)
	b.src.unlabel(ids[3], "INBOX")
	b.pass(change)
	inbox := make([]int, 0, 39)
	for n := range 40 {
		if n != 3 {
			inbox = append(inbox, n)
		}
	}
	b.holds("archived", map[string][]int{"INBOX": inbox, "Archive": {3}})
}

func TestGmailToGmail(t *testing.T) {
	b := gmailBench(t)
	b.dst.labels = true
	b.dst.folder("[Gmail]/All Mail").use = imap.MailboxAttrAll
	b.src.receive(1, "INBOX")
	b.src.receive(2)
	b.pass()
	b.holds("to Gmail", map[string][]int{"INBOX": {1}, "[Gmail]/All Mail": {2}})
}

// TestGmailAnyOrder: whatever people do with labels between passes, whichever connections die: every message of All Mail
// arrives, each label's folder holds its messages, and nothing is in the archive that never was without a label, or twice.
func TestGmailAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { gmailRun(t, rand.New(rand.NewPCG(seed, 7))) })
	}
}

func gmailRun(t *testing.T, rnd *rand.Rand) {
	b := gmailBench(t)
	b.src.noModSeq = rnd.IntN(4) == 0
	b.dst.noMove = rnd.IntN(3) == 0
	homes := []string{"INBOX", "A", "A/B", sentMail}
	for _, name := range homes {
		b.src.folder(name)
	}
	b.dst.lose = func(n int) fate { return fate{dies: rnd.IntN(6) == 0, stored: rnd.IntN(3)} }
	var all []uint64
	archived := make(map[uint64]bool) // at the time of some pass
	labels := make(map[uint64]map[string]bool)
	for range 5 {
		for range rnd.IntN(12) {
			switch n := rnd.IntN(4); {
			case n == 0 || len(all) == 0:
				gid := b.src.receive(len(all))
				all, labels[gid] = append(all, gid), map[string]bool{}
			default:
				gid, name := all[rnd.IntN(len(all))], homes[rnd.IntN(len(homes))]
				if labels[gid][name] {
					b.src.unlabel(gid, name)
				} else {
					b.src.label(gid, name)
				}
				labels[gid][name] = !labels[gid][name]
			}
		}
		b.pass()
		for _, gid := range all {
			archived[gid] = archived[gid] || !slices.ContainsFunc(homes, func(h string) bool { return labels[gid][h] })
		}
	}
	b.dst.lose = nil
	b.pass(func(o *Options) { o.Mode = Whole })
	for i, gid := range all {
		copies := make(map[string]int)
		total := 0
		for name, f := range b.dst.folders {
			for _, m := range f.messages {
				if string(m.data) == gmailText(i) {
					copies[name]++
					total++
				}
			}
		}
		for _, name := range homes {
			if to := targetName(name); labels[gid][name] && copies[to] == 0 {
				t.Errorf("message %d has the label %s and is not in %s: %v", i, name, to, copies)
			}
		}
		if copies["Archive"] > 0 && slices.ContainsFunc(homes, func(h string) bool { return labels[gid][h] }) {
			t.Errorf("message %d has a label and is in the archive: %v", i, copies)
		}
		if total == 0 || copies["Archive"] > 1 || copies["Archive"] > 0 && !archived[gid] {
			t.Errorf("message %d, archived %v: %v", i, archived[gid], copies)
		}
	}
}

func targetName(name string) string {
	if name == sentMail {
		return "Gesendet"
	}
	return name
}

// TestGmailMerges: the target gives the UID of the message that it has to one that is the same. Both are carried; neither
// is sent again, nor gone.
func TestGmailMerges(t *testing.T) {
	b := newBench(t)
	b.dst.labels, b.dst.merges, b.dst.multi = true, true, false
	for range 3 {
		b.src.put(1, 0, "INBOX")
	}
	b.src.put(2, 0, "INBOX")
	if r := b.pass(); r.Copied != 4 || r.Exceptions != 0 {
		t.Errorf("first pass: %+v", r)
	}
	b.holds("one of each", map[string][]int{"INBOX": {1, 2}})
	b.src.put(1, 0, "INBOX")
	if r := b.pass(); r.Copied != 1 || r.Gone != 0 || r.Exceptions != 0 {
		t.Errorf("once more: %+v", r)
	}
	if r := b.pass(func(o *Options) { o.Mode = Whole }); r.Copied+r.Gone+r.Exceptions != 0 {
		t.Errorf("nothing new: %+v", r)
	}
	b.holds("still one of each", map[string][]int{"INBOX": {1, 2}})
}

// TestNotMail: what a provider keeps beside mail is left out with its reason, and --map carries it all the same.
func TestNotMail(t *testing.T) {
	calendar := box("Calendar", "/", 3, "")
	calendar.NotMail = "Exchange keeps the calendar there, not mail"
	source, target := listing("", "/", box("INBOX", "/", 1, ""), calendar), listing("", "/", box("INBOX", "/", 0, ""))
	m := mapFolders(source, target, nil, nil)
	if len(m.pairs) != 1 || len(m.out) != 1 || m.out[0].why != calendar.NotMail+"; --map can name it" {
		t.Errorf("pairs %v, left out %+v", targets(m.pairs), m.out)
	}
	r, err := Mapping{Maps: []MapRule{{Source: "Calendar", Target: "Kalender"}}}.compile()
	if err != nil {
		t.Fatal(err)
	}
	if got := targets(mapFolders(source, target, nil, r).pairs); got["Calendar"] != "Kalender" {
		t.Errorf("with --map: %v", got)
	}
}

func TestKeywordOf(t *testing.T) {
	for label, want := range map[string]imap.Flag{
		`\Inbox`: "", `\Important`: "$Important", "Work": "Work", "Muy Importante": "Muy_Importante", `a(b)"c"]`: "a_b__c__",
		"&ANw-bung": "&ANw-bung", "a\r\nb": "a__b", "ü": "_",
	} {
		if got := keywordOf(label); got != want {
			t.Errorf("%q: %q, want %q", label, got, want)
		}
	}
	if n := len(keywordOf(string(make([]byte, 500)))); n != longestKeyword {
		t.Errorf("a keyword of %d bytes", n)
	}
}
