package sync

import (
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"

	"mailmove/imapx"
	"mailmove/state"
)

// drawBox draws a folder with a name that is hard to carry.
func drawBox(t *rapid.T, delim, prefix string, messages uint32) imapx.Folder {
	part := rapid.SampledFrom([]string{"Sent", "sent", "Gesendet", "Sent ", "Trash", "Papierkorb", "a", "A", "a/b", "a.b", "%", "~x", "", "x\x01", "INBOX", "inbox",
		"a (2)", strings.Repeat("l", 250), strings.Repeat("ü", 130), "shared"})
	name := prefix + strings.Join(rapid.SliceOfN(part, 1, 3).Draw(t, "name"), delim)
	if rapid.IntRange(0, 5).Draw(t, "is INBOX") == 0 {
		name = "INBOX"
	}
	f := box(inboxKey(name), delim, messages, "")
	return f
}

func drawListing(t *rapid.T, step int) imapx.Listing {
	delim := rapid.SampledFrom([]string{"/", "."}).Draw(t, "separator")
	prefix := ""
	if rapid.Bool().Draw(t, "prefix") {
		prefix = "INBOX" + delim
	}
	l := listing(prefix, delim)
	seen := make(map[string]bool)
	for i := range rapid.IntRange(1, 8).Draw(t, "folders") {
		// No two have as much mail: which of them is the fullest would be left to chance.
		if f := drawBox(t, delim, prefix, uint32(i*step)); !seen[f.Raw] {
			seen[f.Raw] = true
			l.Folders = append(l.Folders, f)
		}
	}
	if n := rapid.IntRange(0, 2*len(l.Folders)).Draw(t, "special"); n < len(l.Folders) {
		l.Folders[n].SpecialUse = imap.MailboxAttrSent
	}
	return l
}

// TestEveryFolderHasItsPlace: every source folder goes somewhere, no two to one place unless told so, under a name that
// a server takes; and what is made of it stays, with the state and without.
func TestEveryFolderHasItsPlace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		source, target := drawListing(t, 100), drawListing(t, 1)
		first := mapFolders(source, target, nil, nil)
		if len(first.pairs)+len(first.out) != len(source.Folders) {
			t.Fatalf("%d folders, %d pairs, %d left out", len(source.Folders), len(first.pairs), len(first.out))
		}
		there := make(map[string]bool)
		for _, f := range target.Folders {
			there[f.Raw] = true
		}
		folds, raws := make(map[string]string), make(map[string]string)
		var stored []state.Pair
		for _, p := range first.pairs {
			delim := target.Personal[0].Delim
			fold := foldPath(splitName(p.name, delim))
			if raws[p.raw] != "" || !there[p.raw] && folds[fold] != "" {
				t.Fatalf("%q and %q go to %q", p.source.Name, raws[p.raw]+folds[fold], p.name)
			}
			raws[p.raw], folds[fold] = p.source.Name, p.source.Name
			if there[p.raw] {
				find(target, p.raw).Mark.Messages += p.source.Mark.Messages
				continue
			}
			below := strings.TrimPrefix(p.raw, target.Personal[0].Prefix)
			if strings.ContainsAny(p.raw, "%*\x00\x01") || strings.HasPrefix(below, "~") || strings.Contains(p.raw, delim+delim) ||
				delim == "." && (strings.Contains(below, "/") || len(below) > mostMaildir) {
				t.Fatalf("%q goes to %q, which no server takes", p.source.Name, p.raw)
			}
			target.Folders = append(target.Folders, imapx.Folder{Raw: p.raw, Name: p.name, Path: splitName(p.name, delim), Delim: delim, Selectable: true,
				Mark: p.source.Mark, SpecialUse: p.use})
		}
		for i, p := range first.pairs {
			stored = append(stored, state.Pair{ID: int64(i + 1), Source: p.source.Raw, SourceName: p.source.Name, Target: p.raw, TargetName: p.name})
		}
		passes := []mapped{mapFolders(source, target, stored, nil)}
		if !slices.ContainsFunc(source.Folders, func(f imapx.Folder) bool { return f.SpecialUse != "" }) {
			// Else the winner may have less mail than another, whose folder is then taken for the target's own.
			passes = append(passes, mapFolders(source, target, nil, nil))
		}
		for _, again := range passes {
			for _, p := range again.pairs {
				if raws[p.raw] != p.source.Name {
					t.Fatalf("%q goes to %q now", p.source.Name, p.name)
				}
			}
		}
	})
}
