package sync

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// compiled is a mapping that must be sound.
func compiled(t *testing.T, m Mapping) *rules {
	t.Helper()
	r, err := m.compile()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lines writes a mapping as "source -> target (why)", with what is left out.
func lines(m mapped) map[string]string {
	out := make(map[string]string)
	for _, p := range m.pairs {
		out[p.source.Name] = p.name + " (" + p.why + ")"
	}
	for _, o := range m.out {
		out[o.folder.Name] = "left out: " + o.why
	}
	return out
}

func boxes(delim string, names ...string) []imapx.Folder {
	var out []imapx.Folder
	for _, n := range names {
		out = append(out, box(n, delim, 1, ""))
	}
	return out
}

func TestMappingRules(t *testing.T) {
	dot := listing("INBOX.", ".", boxes(".", "INBOX", "INBOX.Sent", "INBOX.Old", "INBOX.Old.A", "INBOX.Old.INBOX", "INBOX.x/y")...)
	slash := listing("", "/", box("INBOX", "/", 0, ""), box("Sent Items", "/", 0, imap.MailboxAttrSent))
	shared := listing("", "/", boxes("/", "INBOX", "shared/Team", "shared/Team/x")...)
	shared.Shared = []imapx.Namespace{{Prefix: "shared/", Delim: "/"}}
	cases := []struct {
		name           string
		source, target imapx.Listing
		rules          Mapping
		want           map[string]string
	}{
		{"maps by every way to write a name", dot, slash, Mapping{Maps: []MapRule{{Source: "inbox.Old", Target: "B"}, {Source: "Old/A", Target: "C/D"}, {Source: "INBOX/Sent", Target: "S"}}},
			map[string]string{"INBOX.Old": "B (map)", "INBOX.Old.A": "C/D (map)", "INBOX.Sent": "S (map)", "INBOX.Old.INBOX": "Old/INBOX (name)"}},
		{"a map is stronger than all else", dot, slash, Mapping{Maps: []MapRule{{Source: "Sent", Target: "S"}}, Exclude: []string{"*"}, Into: "X"},
			map[string]string{"INBOX.Sent": "S (map)", "INBOX": "left out: --exclude *"}},
		{"maps merge, and keep nobody from its own name", dot, slash, Mapping{Maps: []MapRule{{Source: "Old.A", Target: "Old"}, {Source: "Sent", Target: "INBOX"}}},
			map[string]string{"INBOX.Old": "Old (name)", "INBOX.Old.A": "Old (map)", "INBOX.Sent": "INBOX (map)", "INBOX": "INBOX (INBOX)"}},
		{"to a prefix, written either way", slash, dot, Mapping{Maps: []MapRule{{Source: "Sent Items", Target: "INBOX.Sent"}, {Source: "INBOX", Target: "a/b"}}},
			map[string]string{"Sent Items": "INBOX.Sent (map)", "INBOX": "INBOX.a.b (map)"}},
		{"rename", dot, slash, Mapping{Rewrites: []Rewrite{{`^Old/(.*)$`, "Archive/$1"}, {"Archive", "Archiv"}}},
			map[string]string{"INBOX.Old.A": "Archiv/A (rename)", "INBOX.Old": "Old (name)", "INBOX.x/y": "x_y (name)", "INBOX.Sent": "Sent Items (known name)"}},
		{"rename to nothing and to something", dot, slash, Mapping{Rewrites: []Rewrite{{`^Old$`, ""}, {`^$`, "New"}}}, map[string]string{"INBOX.Old": "New (rename)"}},
		{"rename where a special folder is made", dot, listing("", "/"), Mapping{Rewrites: []Rewrite{{`^Sent$`, "Outbound"}}},
			map[string]string{"INBOX.Sent": "Outbound (rename)"}},
		{"rename leaves the leader's name alone", listing("", "/", box("Gesendet", "/", 9, ""), box("Sent", "/", 1, "")), listing("", "/"),
			Mapping{Rewrites: []Rewrite{{`^Sent$`, "Outbound"}}}, map[string]string{"Gesendet": "Gesendet (known name)", "Sent": "Outbound (rename)"}},
		{"into: special folders too", dot, slash, Mapping{Into: "Moved/alice"},
			map[string]string{"INBOX": "Moved/alice/INBOX (into)", "INBOX.Sent": "Moved/alice/Sent (into)", "INBOX.Old.A": "Moved/alice/Old/A (into)"}},
		{"from", dot, slash, Mapping{From: "INBOX.Old"},
			map[string]string{"INBOX.Old": "Old (name)", "INBOX.Old.A": "A (name)", "INBOX.Old.INBOX": "INBOX (INBOX)", "INBOX": "left out: it is not below --from INBOX.Old"}},
		{"from and into", dot, slash, Mapping{From: "Old", Into: "New"}, map[string]string{"INBOX.Old": "New (into)", "INBOX.Old.A": "New/A (into)"}},
		{"from, and nothing of it included", dot, slash, Mapping{From: "Old", Include: []string{"Sent"}},
			map[string]string{"INBOX.Old": "left out: no --include names it", "INBOX.Sent": "left out: it is not below --from Old"}},
		{"into and rename", dot, slash, Mapping{Into: "X", Rewrites: []Rewrite{{"^Old$", "New"}}},
			map[string]string{"INBOX.Old": "X/New (rename)", "INBOX.Sent": "X/Sent (into)"}},
		{"include", dot, slash, Mapping{Include: []string{"inbox", "Ol?*"}},
			map[string]string{"INBOX": "INBOX (INBOX)", "INBOX.Old.A": "Old/A (name)", "INBOX.Sent": "left out: no --include names it"}},
		{"exclude counts before include", dot, slash, Mapping{Include: []string{"*"}, Exclude: []string{"Old/*"}},
			map[string]string{"INBOX.Old": "Old (name)", "INBOX.Old.A": "left out: --exclude Old/*"}},
		{"globs know capitals", dot, slash, Mapping{Exclude: []string{"old*"}}, map[string]string{"INBOX.Old": "Old (name)"}},
		{"shared folders are not meant by a star", shared, slash, Mapping{Include: []string{"*"}},
			map[string]string{"shared/Team": "left out: it belongs to another user's or a shared namespace; --include, --from or --map can name it"}},
		{"shared folders by name", shared, slash, Mapping{Include: []string{"*", "shared/*"}},
			map[string]string{"INBOX": "INBOX (INBOX)", "shared/Team": "shared/Team (name)"}},
		{"shared folders by --from", shared, slash, Mapping{From: "shared/Team"}, map[string]string{"shared/Team": "Team (name)", "shared/Team/x": "x (name)"}},
		{"never into a shared namespace of the target by chance", listing("", "/", boxes("/", "shared/Team")...), shared, Mapping{},
			map[string]string{"shared/Team": "shared_/Team (name)"}},
		{"into one on purpose", listing("", "/", boxes("/", "Team")...), shared, Mapping{Maps: []MapRule{{Source: "Team", Target: "shared/Team"}}},
			map[string]string{"Team": "shared/Team (map)"}},
	}
	for _, c := range cases {
		got := lines(mapFolders(c.source, c.target, nil, compiled(t, c.rules)))
		for s, want := range c.want {
			if got[s] != want {
				t.Errorf("%s: %q: %q, want %q", c.name, s, got[s], want)
			}
		}
	}
}

func TestSpecialFolders(t *testing.T) {
	sent := imap.MailboxAttrSent
	source := func(f ...imapx.Folder) imapx.Listing { return listing("", "/", f...) }
	none := source(box("INBOX", "/", 0, ""))
	cases := []struct {
		name           string
		source, target imapx.Listing
		merge          bool
		want           map[string]string
	}{
		{"by name into the one with the attribute", source(box("Gesendete Elemente", "/", 3, "")), source(box("Sent", "/", 0, sent)), false,
			map[string]string{"Gesendete Elemente": "Sent (known name)"}},
		{"by name into one by name", source(box("Papierkorb", "/", 3, "")), source(box("Deleted Items", "/", 0, "")), false,
			map[string]string{"Papierkorb": "Deleted Items (known name)"}},
		{"the attribute is stronger than more mail", source(box("Gesendet", "/", 99, ""), box("Raus", "/", 1, sent)), source(box("Sent", "/", 0, sent)), false,
			map[string]string{"Gesendet": "Gesendet (name)", "Raus": "Sent (special use)"}},
		{"the others follow when merged", source(box("Gesendet", "/", 99, ""), box("Raus", "/", 1, sent), box("Enviados", "/", 1, "")), source(box("Sent", "/", 0, sent)), true,
			map[string]string{"Gesendet": "Sent (merged)", "Raus": "Sent (special use)", "Enviados": "Sent (merged)"}},
		{"merged where the target has none", source(box("Sent", "/", 1, ""), box("Gesendet", "/", 99, "")), none, true,
			map[string]string{"Gesendet": "Gesendet (known name)", "Sent": "Gesendet (merged)"}},
		{"in INBOX", source(box("INBOX/Spam", "/", 1, "")), source(box("Junk", "/", 0, imap.MailboxAttrJunk)), false, map[string]string{"INBOX/Spam": "Junk (known name)"}},
		{"not further down", source(box("Kunde/Spam", "/", 1, "")), source(box("Junk", "/", 0, imap.MailboxAttrJunk)), false, map[string]string{"Kunde/Spam": "Kunde/Spam (name)"}},
		{"what lies below goes along", source(box("Archiv", "/", 1, ""), box("Archiv/2019", "/", 1, "")), source(box("Archive", "/", 0, imap.MailboxAttrArchive)), false,
			map[string]string{"Archiv": "Archive (known name)", "Archiv/2019": "Archive/2019 (parent)"}},
		{"an accent of its own", source(box("Entwu\u0308rfe", "/", 1, "")), source(box("Drafts", "/", 0, imap.MailboxAttrDrafts)), false, map[string]string{"Entwu\u0308rfe": "Drafts (known name)"}},
		{"in Turkish capitals", source(box("SİLİNMİŞ ÖĞELER", "/", 1, "")), source(box("Trash", "/", 0, imap.MailboxAttrTrash)), false, map[string]string{"SİLİNMİŞ ÖĞELER": "Trash (known name)"}},
	}
	for _, c := range cases {
		got := lines(mapFolders(c.source, c.target, nil, compiled(t, Mapping{Merge: c.merge})))
		for s, want := range c.want {
			if got[s] != want {
				t.Errorf("%s: %q: %q, want %q", c.name, s, got[s], want)
			}
		}
	}
	for _, p := range mapFolders(source(box("Gesendet", "/", 1, ""), box("Sent", "/", 9, "")), none, nil, nil).pairs {
		if want := map[string]imap.MailboxAttr{"Sent": sent}[p.source.Name]; p.use != want {
			t.Errorf("%s is made for %q, want %q: one folder for each use", p.source.Name, p.use, want)
		}
	}
}

// TestSpecialNames: a name has one use, and every language is there for each use.
func TestSpecialNames(t *testing.T) {
	uses := make(map[string]imap.MailboxAttr)
	languages := 0
	for use, text := range specialNames() {
		for line := range strings.Lines(text) {
			for name := range strings.SplitSeq(strings.TrimSpace(line), "|") {
				if name == "" {
					continue
				}
				if was, ok := uses[foldName(name)]; ok && was != use {
					t.Errorf("%s is both %s and %s", name, was, use)
				}
				uses[foldName(name)] = use
				languages++
			}
		}
	}
	if languages < 250 || specialTable()[foldName("ÉLÉMENTS ENVOYÉS")] != imap.MailboxAttrSent {
		t.Errorf("%d names", languages)
	}
}

func TestHostileNames(t *testing.T) {
	maildir := listing("", ".", box("INBOX", ".", 0, ""), box("50%", ".", 0, ""))
	slash := listing("", "/", box("INBOX", "/", 0, ""), box("Test", "/", 0, ""))
	raw := box("R&D", "/", 1, "")
	raw.Raw = "R&D" // sent as it is by a server that knows no modified UTF-7
	cases := []struct {
		source               imapx.Folder
		target               imapx.Listing
		name, wire, troubled string
	}{
		{raw, slash, "R&D", "R&-D", ""},
		{box("a/b", ".", 1, ""), maildir, "a_b", "a_b", `"/" is written _ there`},
		{box("a.b", "/", 1, ""), maildir, "a_b", "a_b", `"." is written _ there`},
		{box("~x", "/", 1, ""), slash, "_x", "_x", `"~" is written _ there`},
		{box("a//..", "/", 1, ""), slash, "a/_/__", "a/_/__", `"." and an empty level are written _ there`},
		{box("x\x01%*", "/", 1, ""), slash, "x___", "x___", `"%" and "*" and "\x01" are written _ there`},
		{box("50%", "/", 1, ""), maildir, "50%", "50%", ""},
		{box("test", "/", 1, ""), slash, "Test", "Test", "goes to Test, which differs in case or blanks only"},
		{box("inbox/Sub", "/", 1, ""), slash, "INBOX/Sub", "INBOX/Sub", ""},
	}
	for _, c := range cases {
		p := mapFolders(listing("", c.source.Delim, c.source), c.target, nil, nil).pairs[0]
		if p.name != c.name || p.raw != c.wire || p.trouble != c.troubled {
			t.Errorf("%q: %q on the wire %q, trouble %q; want %q, %q, %q", c.source.Name, p.name, p.raw, p.trouble, c.name, c.wire, c.troubled)
		}
	}
}

// TestLongNames: whatever the name is, what comes of it is within bounds, of its own, and the same each time.
func TestLongNames(t *testing.T) {
	t.Parallel()
	maildir := listing("INBOX.", ".", box("INBOX", ".", 0, ""))
	long := []string{strings.Repeat("l", 255), strings.Repeat("l", 300), strings.Repeat("l", 301), strings.Repeat("ü", 200), strings.Repeat("日", 120) + "/x",
		strings.Repeat("0123456789abcdefghij/", 40) + "x", strings.Repeat("0123456789abcdefghij/", 40) + "y", strings.Repeat("d/", 400) + "d"}
	source := listing("", "/", boxes("/", long...)...)
	first, again := mapFolders(source, maildir, nil, nil), mapFolders(source, maildir, nil, nil)
	seen := make(map[string]bool)
	for i, p := range first.pairs {
		if n := len(strings.TrimPrefix(p.raw, "INBOX.")); n > mostMaildir || p.trouble == "" || seen[p.raw] || p.raw != again.pairs[i].raw {
			t.Errorf("%.40q: %d bytes, %q, trouble %q", p.source.Name, n, p.raw, p.trouble)
		}
		seen[p.raw] = true
	}
	if len(first.pairs) != len(long) {
		t.Errorf("%d of %d", len(first.pairs), len(long))
	}
	for _, p := range mapFolders(source, listing("", "/"), nil, nil).pairs {
		for _, level := range strings.Split(p.raw, "/") {
			if len(level) > mostLevel {
				t.Errorf("a level of %d bytes: %q", len(level), p.raw)
			}
		}
	}
}

// TestMergeWithEarlierPasses: what is merged later joins the folder that has the target's attribute.
func TestMergeWithEarlierPasses(t *testing.T) {
	source := listing("", "/", boxes("/", "Gesendet", "Sent", "Sent Items")...)
	target := listing("", "/", box("Gesendet", "/", 5, ""), box("Sent", "/", 1, imap.MailboxAttrSent))
	stored := []state.Pair{{ID: 1, Source: "Gesendet", SourceName: "Gesendet", Target: "Gesendet", TargetName: "Gesendet"},
		{ID: 2, Source: "Sent", SourceName: "Sent", Target: "Sent", TargetName: "Sent"}}
	m := mapFolders(source, target, stored, compiled(t, Mapping{Merge: true}))
	if got := lines(m)["Sent Items"]; got != "Sent (merged)" {
		t.Errorf("Sent Items goes to %s", got)
	}
	for _, p := range m.pairs {
		if p.source.Name == "Gesendet" && !strings.Contains(p.trouble, "--merge-folders says Sent") {
			t.Errorf("trouble %q", p.trouble)
		}
	}
}

func TestOverruled(t *testing.T) {
	source := listing("", "/", boxes("/", "A", "B")...)
	stored := []state.Pair{{ID: 1, Source: "A", SourceName: "A", Target: "A", TargetName: "A"}}
	for flag, rule := range map[string]Mapping{"--map": {Maps: []MapRule{{Source: "A", Target: "C"}}}, "--into": {Into: "C"},
		"--rename": {Rewrites: []Rewrite{{"^A", "C"}}}} {
		m := mapFolders(source, listing("", "/", box("A", "/", 1, "")), stored, compiled(t, rule))
		if p := m.pairs[0]; p.name != "A" || !strings.Contains(p.trouble, flag+" says C") {
			t.Errorf("%s: goes to %s, trouble %q", flag, p.name, p.trouble)
		}
	}
	m := mapFolders(source, listing("", "/", box("A", "/", 1, "")), stored, compiled(t, Mapping{Exclude: []string{"A"}}))
	if len(m.out) != 1 || len(m.pairs) != 1 || m.pairs[0].trouble != "" {
		t.Errorf("%v", lines(m))
	}
}

func TestMappingErrors(t *testing.T) {
	for text, m := range map[string]Mapping{
		"--map =B: it names no source folder":          {Maps: []MapRule{{Target: "B"}}},
		"f:3 A=/: it names no target folder":           {Maps: []MapRule{{Source: "A", Target: "/", Where: "f:3"}}},
		"--map inbox=C: --map sends that folder to B":  {Maps: []MapRule{{Source: "INBOX", Target: "B"}, {Source: "inbox", Target: "C"}}},
		"--rename =x: there is no regular expression":  {Rewrites: []Rewrite{{"", "x"}}},
		"--rename a(=x: error parsing regexp: missing": {Rewrites: []Rewrite{{"a(", "x"}}},
		"--include : it is empty":                      {Include: []string{""}},
		`--exclude x\: it ends with a backslash`:       {Exclude: []string{`x\`}},
		"--from //: that is no folder":                 {From: "//"},
		"--into /: that is no folder":                  {Into: "/"},
		"--merge-folders with --into A: below that":    {Into: "A", Merge: true},
	} {
		err := m.Check()
		var e *MappingError
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), text) || e.Hint() == "" {
			t.Errorf("%v: %v", m, err)
		}
	}
	source := listing("", "/", boxes("/", "A", "Old/A")...)
	for want, rules := range map[string]Mapping{
		"--from B: the source has no such folder, nor any below it":       {From: "B"},
		"--from old: the source has no such folder, nor any below it":     {From: "old"},
		"--rename ^A$=: it leaves nothing of the name of the folder A":    {Rewrites: []Rewrite{{"^A$", ""}}},
		"--rename B=/: it leaves nothing of the name of the folder A":     {Rewrites: []Rewrite{{"^A$", "B"}, {"B", "/"}, {"x", "y"}}},
		"--rename .*=: it leaves nothing of the name of the folder Old/A": {Exclude: []string{"A"}, Rewrites: []Rewrite{{".*", ""}}},
	} {
		if m := mapFolders(source, listing("", "/"), nil, compiled(t, rules)); m.err == nil || m.err.Error() != want {
			t.Errorf("%v: %v", rules, m.err)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		glob, name string
		match      bool
	}{
		{"Trash", "Trash", true}, {"Trash", "Trash/x", false}, {"Trash*", "Trash/x/y", true}, {"*/x", "a/b/x", true}, {"?", "ü", true}, {"?", "ab", false},
		{"a.b", "axb", false}, {`a\*`, "a*", true}, {`a\*`, "ab", false}, {`a\\`, `a\`, true}, {"inbox/*", "INBOX/x", true}, {"inbox*", "INBOX", true}, {"Inboxes", "INBOXes", false},
		{"*", "", true}, {"a", "A", false}, {"(", "(", true},
	} {
		re, err := globToRegexp(c.glob)
		if err != nil || re.MatchString(c.name) != c.match {
			t.Errorf("%q and %q: %v %v", c.glob, c.name, !c.match, err)
		}
	}
}

// TestRefusedNameCanBeMapped: a pair whose folder was never made on the target, and carried nothing, follows the rules.
func TestRefusedNameCanBeMapped(t *testing.T) {
	b := newBench(t)
	b.fill("v1.2", 0, 3)
	ctx := context.Background()
	st, err := state.Open(ctx, state.Options{Dir: b.dir, Account: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(st.PutPair(ctx, &state.Pair{Source: "v1.2", SourceName: "v1.2", Target: "v1.2", TargetName: "v1.2"}), st.Close()); err != nil {
		t.Fatal(err)
	}
	mapped := func(o *Options) { o.Mapping.Maps = []MapRule{{Source: "v1.2", Target: "v1_2"}} }
	if r := b.pass(mapped); r.Copied != 3 || len(b.dst.content("v1_2")) != 3 || b.dst.folders["v1.2"] != nil {
		t.Errorf("%+v, folders %v", r, b.dst.folders)
	}
	if r := b.pass(mapped); r.Copied != 0 {
		t.Errorf("%+v", r)
	}
}

// A map goes to the target's folder of that very name; to one that differs in case only with a word about it, for some
// servers hold both to be one.
func TestMapInOtherCapitals(t *testing.T) {
	source := listing("", "/", box("Gesendet", "/", 1, ""), box("Sent", "/", 1, ""))
	for _, c := range []struct {
		name    string
		target  []string
		goes    string
		trouble string
		sent    string // where the source's Sent goes
	}{
		{"it is there", []string{"sent", "Sent"}, "sent", "", "Sent"},
		{"another one is there", []string{"Sent"}, "Sent", "goes to Sent, which differs in case or blanks only", "Sent"},
		{"none is there", nil, "sent", "", "sent"},
	} {
		m := mapFolders(source, listing("", "/", boxes("/", c.target...)...), nil, compiled(t, Mapping{Maps: []MapRule{{Source: "Gesendet", Target: "sent"}}}))
		for _, p := range m.pairs {
			if p.source.Name == "Gesendet" && (p.name != c.goes || p.trouble != c.trouble || p.why != whyMap) {
				t.Errorf("%s: goes to %s, trouble %q", c.name, p.name, p.trouble)
			}
			if p.source.Name == "Sent" && p.name != c.sent {
				t.Errorf("%s: Sent goes to %s", c.name, p.name)
			}
		}
	}
}
