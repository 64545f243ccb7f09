package sync_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	mailsync "mailmove/sync"
)

// A difference between two servers is either one that docs/servers.md names, or a loss. This is the list of names, with
// the differences that each may stand for and with the exception, if any, that the pass has to have told.

// named is one thing that a server cannot hold or that it rewrites.
type named struct {
	word string // in the table; "" is left out there
	told string // reason of an exception that the first pass must tell then; "" none
	may  string // one that it may tell
	is   func(d imaptest.Difference, at cell) bool
}

// cell is a pair of the matrix, with what its first pass told.
type cell struct {
	from, to *party
	corpus   *imaptest.Corpus
	told     map[string]int // exceptions by reason
}

// kindOf makes a test of a Difference: of one of these kinds, with a text in its detail.
func kindOf(text string, kinds ...imaptest.Kind) func(imaptest.Difference, cell) bool {
	return func(d imaptest.Difference, _ cell) bool {
		return slices.Contains(kinds, d.Kind) && strings.Contains(d.Detail, text)
	}
}

// into limits a name to targets.
func into(target string, is func(imaptest.Difference, cell) bool) func(imaptest.Difference, cell) bool {
	return func(d imaptest.Difference, at cell) bool { return at.to.name == target && is(d, at) }
}

// anyOf is true where one of them is.
func anyOf(list ...func(imaptest.Difference, cell) bool) func(imaptest.Difference, cell) bool {
	return func(d imaptest.Difference, at cell) bool {
		return slices.ContainsFunc(list, func(is func(imaptest.Difference, cell) bool) bool { return is(d, at) })
	}
}

// unnamedQuirk is one of the quirks that have neither Message-ID nor subject: rewritten, the referee finds it missing
// there and another one extra.
func unnamedQuirk(d imaptest.Difference, _ cell) bool {
	return (d.Kind == imaptest.Missing || d.Kind == imaptest.Extra) && d.Folder == "Quirks" && strings.HasSuffix(d.Detail, `id "" subject ""`)
}

// quirkRewritten is a quirk with other bytes; where its Message-ID is written anew too, the referee finds it missing there
// and another one extra.
func quirkRewritten(d imaptest.Difference, at cell) bool {
	return d.Folder == "Quirks" && (d.Kind == imaptest.Altered || unnamedQuirk(d, at) ||
		(d.Kind == imaptest.Missing || d.Kind == imaptest.Extra) && strings.HasSuffix(d.Detail, `subject "id-folded"`))
}

// parent is an empty folder that only had to be there for one below it.
func parent(d imaptest.Difference, at cell) bool {
	return d.Kind == imaptest.ExtraFolder && d.Detail == "with 0 messages" &&
		slices.ContainsFunc(at.corpus.Folders, func(f imaptest.CorpusFolder) bool { return strings.HasPrefix(f.Name(), d.Folder+"/") })
}

// lostParent is a folder without mail that has some below it: imap4d makes none above one that it has made, and answers that
// it exists already. The first mail makes it.
func lostParent(d imaptest.Difference, at cell) bool {
	return (d.Kind == imaptest.MissingFolder || d.Kind == imaptest.MissingSubscription) &&
		slices.ContainsFunc(at.corpus.Folders, func(f imaptest.CorpusFolder) bool { return strings.HasPrefix(f.Name(), d.Folder+"/") })
}

// flagsIn reads `… [before] -> [after]`.
func flagsIn(d imaptest.Difference) (before, after []string, ok bool) {
	b, a, ok := strings.Cut(d.Detail, "] -> [")
	i := strings.LastIndex(b, "[")
	return strings.Fields(b[i+1:]), strings.Fields(strings.TrimSuffix(a, "]")), ok && i >= 0 && d.Kind == imaptest.WrongFlags
}

// otherCase is a message whose keywords differ in capitals alone.
func otherCase(d imaptest.Difference, _ cell) bool {
	before, after, ok := flagsIn(d)
	fold := func(flags []string) []string {
		out := slices.Clone(flags)
		for i := range out {
			out[i] = strings.ToLower(out[i])
		}
		slices.Sort(out)
		return out
	}
	return ok && slices.Equal(fold(before), fold(after))
}

// withoutKeywords is a message that has its system flags and none of its keywords.
func withoutKeywords(d imaptest.Difference, _ cell) bool {
	before, after, ok := flagsIn(d)
	system := slices.DeleteFunc(before, func(f string) bool { return !strings.HasPrefix(f, `\`) })
	return ok && slices.Equal(system, after)
}

// names are all that may differ. The first that fits counts.
func names() []named {
	missing := []imaptest.Kind{imaptest.Missing, imaptest.MissingFolder, imaptest.MissingSubscription}
	return []named{
		{is: func(d imaptest.Difference, at cell) bool { // the test's own folder
			return d.Kind == imaptest.ExtraFolder && d.Folder == "Own" && at.to.name == "Embedded"
		}},
		{is: func(d imaptest.Difference, at cell) bool { // it differs from second to second: not counted
			return d.Kind == imaptest.WrongDate && at.from.name == "Mailutils" && d.Folder == "Quirks"
		}},
		{is: into("Mailutils", lostParent)}, // it depends on which of several connections comes first: not counted
		{word: "parents", is: anyOf(into("Cyrus", parent), into("Embedded", parent))},
		{word: "folder refused", told: "folder", is: into("Courier", func(d imaptest.Difference, _ cell) bool {
			return slices.Contains(missing, d.Kind) && beyond16Bits(d.Folder)
		})},
		{word: "8-bit header", is: into("Cyrus", func(d imaptest.Difference, at cell) bool {
			return anyOf(kindOf("8bit-latin1-header@", imaptest.Altered), kindOf("8bit-utf8-header@", imaptest.Altered),
				kindOf("invalid-utf8-header@", imaptest.Altered))(d, at)
		})},
		{word: "no bytes", told: "empty", is: func(d imaptest.Difference, at cell) bool {
			return at.from.name == "Embedded" && d.Kind == imaptest.Missing && unnamedQuirk(d, at)
		}},
		{word: "no header", told: "altered", is: into("Cyrus", func(d imaptest.Difference, at cell) bool {
			return at.from.name != "Embedded" && unnamedQuirk(d, at)
		})},
		{word: "line ends", is: into("Courier", anyOf(kindOf("<bare-cr@", imaptest.Altered), kindOf("<no-final-newline@", imaptest.Altered), unnamedQuirk))},
		{word: "mbox line", may: "altered", is: into("Mailutils", kindOf("<mbox@", imaptest.Altered))},
		{word: "header rewritten", may: "altered", is: anyOf(into("Mailutils", quirkRewritten),
			into("Embedded", anyOf(kindOf("<headeronly@", imaptest.Altered), kindOf("<mbox@", imaptest.Missing), unnamedQuirk)))},
		{word: "keywords", told: "flag", is: into("Mailutils", withoutKeywords)},
		{word: "capitals", is: anyOf(into("Embedded", otherCase), into("Dovecot", otherCase), into("Courier", otherCase))},
		{word: "date", is: into("Mailutils", func(d imaptest.Difference, _ cell) bool { return d.Kind == imaptest.WrongDate })},
	}
}

// judged words a cell of the table, "all" where nothing differs. What has no name is a loss, and so is an exception
// that goes without a difference, or a difference that should have been told.
func (at cell) judged(t *testing.T, d imaptest.Diff) string {
	t.Helper()
	list := names()
	counts, reasons, may := map[string]int{}, map[string]bool{}, map[string]bool{}
	for _, x := range d.Differences {
		i := slices.IndexFunc(list, func(n named) bool { return n.is(x, at) })
		if i < 0 {
			t.Errorf("%s to %s: a loss: %s", at.from.name, at.to.name, x)
			continue
		}
		counts[list[i].word]++
		may[list[i].may] = true
		if list[i].told != "" {
			reasons[list[i].told] = true
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		if at.told[reason] == 0 {
			t.Errorf("%s to %s: the exception %s was not told", at.from.name, at.to.name, reason)
		}
	}
	for reason := range at.told {
		if !reasons[reason] && !may[reason] {
			t.Errorf("%s to %s: an exception %s without a difference", at.from.name, at.to.name, reason)
		}
	}
	var words []string
	for _, n := range list {
		if c := counts[n.word]; c > 0 && n.word != "" {
			words = append(words, fmt.Sprintf("%s %d", n.word, c))
		}
	}
	return cmp.Or(strings.Join(words, ", "), "all")
}

// carriedPair moves a mailbox in one pass, sees a second one find nothing to do, and words what the referee says.
func carriedPair(t *testing.T, from *party, user string, to *party, c *imaptest.Corpus) string {
	t.Helper()
	at := cell{from: from, to: to, corpus: c, told: map[string]int{}}
	x := between(t, from, user, to)
	x.Within = 10 * time.Minute // imap4d takes two on a machine that has nothing else to do
	x.Events = func(e mailsync.Event) {
		if e, ok := e.(mailsync.Exception); ok && e.New {
			at.told[e.Reason]++
		}
	}
	first := x.pass(t)
	if again := x.pass(t); again.Copied+again.Flags+again.Matched+again.Moved+again.Gone+again.NewExceptions != 0 {
		t.Errorf("%s to %s: the second pass had something to do: %+v", from.name, to.name, again)
	}
	word := at.judged(t, compared(t, from, to, x))
	t.Logf("%s to %s: %d messages in %v: %s", from.name, to.name, first.Copied, first.Ended.Sub(first.Started).Round(1e6), word)
	return word
}
