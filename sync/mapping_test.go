package sync

import (
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// box builds a listed folder of a name with the given separator.
func box(name, delim string, messages uint32, use imap.MailboxAttr) imapx.Folder {
	path := []string{name}
	if delim != "" {
		path = strings.Split(name, delim)
	}
	return imapx.Folder{Raw: imapx.EncodeName(name), Name: name, Path: path, Delim: delim, SpecialUse: use, Selectable: true,
		Mark: &imapx.Mark{UIDValidity: 1, UIDNext: imap.UID(messages + 1), Messages: messages}}
}

func listing(prefix, delim string, folders ...imapx.Folder) imapx.Listing {
	return imapx.Listing{Folders: folders, Personal: []imapx.Namespace{{Prefix: prefix, Delim: delim}}, Complete: true}
}

func targets(pairs []folderPair) map[string]string {
	out := make(map[string]string)
	for _, p := range pairs {
		out[p.source.Name] = p.name
	}
	return out
}

func TestMapFolders(t *testing.T) {
	cases := []struct {
		name           string
		source, target imapx.Listing
		want           map[string]string
	}{
		{"same names", listing("", "/", box("INBOX", "/", 1, ""), box("A/B", "/", 1, "")), listing("", "/", box("INBOX", "/", 0, "")),
			map[string]string{"INBOX": "INBOX", "A/B": "A/B"}},
		{"prefix and dot to none and slash", listing("INBOX.", ".", box("INBOX", ".", 1, ""), box("INBOX.A.B", ".", 1, "")), listing("", "/"),
			map[string]string{"INBOX": "INBOX", "INBOX.A.B": "A/B"}},
		{"none and slash to prefix and dot", listing("", "/", box("INBOX", "/", 1, ""), box("A/B", "/", 1, ""), box("INBOX/Sub", "/", 1, "")), listing("INBOX.", "."),
			map[string]string{"INBOX": "INBOX", "A/B": "INBOX.A.B", "INBOX/Sub": "INBOX.Sub"}},
		{"the target's separator inside a name", listing("", ".", box("a/b.c", ".", 1, "")), listing("", "/"),
			map[string]string{"a/b.c": "a_b/c"}},
		{"special use by attribute", listing("", "/", box("Gesendet", "/", 1, imap.MailboxAttrSent)), listing("", "/", box("Sent Items", "/", 0, imap.MailboxAttrSent)),
			map[string]string{"Gesendet": "Sent Items"}},
		{"the fuller of two wins", listing("", "/", box("Gesendet", "/", 1, imap.MailboxAttrSent), box("Versandt", "/", 9, imap.MailboxAttrSent)),
			listing("", "/", box("Sent", "/", 0, imap.MailboxAttrSent)), map[string]string{"Gesendet": "Gesendet", "Versandt": "Sent"}},
		{"a taken name gets a number", listing("", "/", box("Gesendet", "/", 9, imap.MailboxAttrSent), box("Sent", "/", 1, "")),
			listing("", "/", box("Sent", "/", 0, imap.MailboxAttrSent)), map[string]string{"Gesendet": "Sent", "Sent": "Sent (2)"}},
		{"a flat target", listing("", "/", box("A/B", "/", 1, "")), listing("", ""), map[string]string{"A/B": "A-B"}},
	}
	for _, c := range cases {
		got := targets(mapFolders(c.source, c.target, nil, nil).pairs)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
		for s, want := range c.want {
			if got[s] != want {
				t.Errorf("%s: %q goes to %q, not %q", c.name, s, got[s], want)
			}
		}
	}
}

func TestMapFoldersKeepsStoredPairs(t *testing.T) {
	source := listing("", "/", box("A", "/", 1, imap.MailboxAttrSent), box("B", "/", 1, ""))
	target := listing("", "/", box("Sent", "/", 0, imap.MailboxAttrSent))
	got := targets(mapFolders(source, target, []state.Pair{{ID: 1, Source: "A", Target: "B", TargetName: "B"}}, nil).pairs)
	if got["A"] != "B" || got["B"] != "B (2)" {
		t.Errorf("got %v: a pair of an earlier pass stays, and its target is not given twice", got)
	}
}

func TestMapFoldersTellsWhatIsLeftOut(t *testing.T) {
	source := listing("", "/", box("INBOX", "/", 1, ""), box("shared/Team", "/", 1, ""))
	source.Shared = []imapx.Namespace{{Prefix: "shared/", Delim: "/"}}
	noselect := box("Lone", "/", 0, "")
	noselect.Selectable = false
	source.Folders = append(source.Folders, noselect)
	m := mapFolders(source, listing("", "/"), nil, nil)
	if len(m.pairs) != 1 || len(m.out) != 1 || m.out[0].folder.Name != "shared/Team" {
		t.Errorf("pairs %v, left out %v", targets(m.pairs), m.out)
	}
}

func TestPlanJob(t *testing.T) {
	mark := imapx.Mark{UIDValidity: 7, UIDNext: 11, Messages: 10, HighestModSeq: 5}
	src := func(m imapx.Mark) *imapx.Folder {
		return &imapx.Folder{Raw: "A", Name: "A", Mark: &m, Selectable: true}
	}
	dst := func(validity, messages uint32) *imapx.Folder {
		return &imapx.Folder{Raw: "A", Mark: &imapx.Mark{UIDValidity: validity, Messages: messages}, Selectable: true}
	}
	stored := func(m imapx.Mark) *state.Pair {
		return &state.Pair{ID: 1, Source: "A", Target: "A", SourceMark: stateMark(m), TargetMark: state.Mark{UIDValidity: 3}}
	}
	with := func(f func(*imapx.Mark)) imapx.Mark { m := mark; f(&m); return m }
	cases := []struct {
		name     string
		pair     folderPair
		rows     int64
		task     task
		create   bool
		retarget bool
	}{
		{"first pass, no target", folderPair{source: src(mark)}, 0, copyAll, true, false},
		{"first pass, empty target", folderPair{source: src(mark), target: dst(3, 0)}, 0, copyAll, false, false},
		{"first pass, mail on both sides", folderPair{source: src(mark), target: dst(3, 4)}, 0, matchTarget, false, false},
		{"empty folder", folderPair{source: src(with(func(m *imapx.Mark) { m.Messages = 0; m.UIDNext = 1 }))}, 0, createOnly, true, false},
		{"unchanged", folderPair{source: src(mark), target: dst(3, 9), stored: stored(mark)}, 10, nothing, false, false},
		{"unchanged, its user removed the target folder", folderPair{source: src(mark), stored: stored(mark)}, 10, nothing, false, false},
		{"no mod-sequences: flags must be read", folderPair{source: src(with(func(m *imapx.Mark) { m.HighestModSeq = 0 })), target: dst(3, 9), stored: stored(with(func(m *imapx.Mark) { m.HighestModSeq = 0 }))}, 10, copyDelta, false, false},
		{"new mail", folderPair{source: src(with(func(m *imapx.Mark) { m.UIDNext = 12; m.Messages = 11 })), target: dst(3, 9), stored: stored(mark)}, 10, copyDelta, false, false},
		{"new mail, its user removed the target folder", folderPair{source: src(with(func(m *imapx.Mark) { m.UIDNext = 12 })), stored: stored(mark)}, 10, copyDelta, true, true},
		{"interrupted first pass", folderPair{source: src(mark), target: dst(3, 4), stored: &state.Pair{ID: 1, Source: "A", Target: "A"}}, 4, copyDelta, false, false},
		{"another UIDVALIDITY on the source", folderPair{source: src(with(func(m *imapx.Mark) { m.UIDValidity = 8 })), target: dst(3, 9), stored: stored(mark)}, 10, matchLedger, false, false},
		{"UIDNEXT fell on the source", folderPair{source: src(with(func(m *imapx.Mark) { m.UIDNext = 9 })), target: dst(3, 9), stored: stored(mark)}, 10, matchLedger, false, false},
		{"another UIDVALIDITY on the target", folderPair{source: src(mark), target: dst(4, 9), stored: stored(mark)}, 10, nothing, false, true},
	}
	for _, c := range cases {
		j := planJob(c.pair, c.rows, true)
		if j.task != c.task || j.create != c.create || j.retarget != c.retarget {
			t.Errorf("%s: task %d, create %v, retarget %v; want %d, %v, %v", c.name, j.task, j.create, j.retarget, c.task, c.create, c.retarget)
		}
	}
}

func TestSameMailbox(t *testing.T) {
	a := listing("", "/", box("INBOX", "/", 3, ""), box("A", "/", 0, ""))
	if !sameMailbox(a, a) {
		t.Error("one mailbox is not seen as one")
	}
	b := listing("", "/", box("INBOX", "/", 4, ""), box("A", "/", 0, ""))
	c := listing("", "/", box("INBOX", "/", 3, ""))
	empty := listing("", "/", box("INBOX", "/", 0, ""))
	for name, x := range map[string]imapx.Listing{"another UIDNEXT": b, "a folder less": c} {
		if sameMailbox(a, x) || sameMailbox(x, a) {
			t.Errorf("%s: two mailboxes are seen as one", name)
		}
	}
	if sameMailbox(empty, empty) {
		t.Error("two empty mailboxes prove nothing")
	}
}
