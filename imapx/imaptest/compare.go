package imaptest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind is a way in which two accounts differ.
type Kind string

const (
	Missing             Kind = "missing"              // a message of a is not in b
	Extra               Kind = "extra"                // a message of b is not in a
	Altered             Kind = "altered"              // the same Message-ID, or date and subject, other bytes
	WrongDate           Kind = "wrong-date"           // the same bytes, another INTERNALDATE
	WrongFlags          Kind = "wrong-flags"          // the same bytes, other flags or keywords
	MissingFolder       Kind = "missing-folder"       // selectable in a only
	ExtraFolder         Kind = "extra-folder"         // selectable in b only
	MissingSubscription Kind = "missing-subscription" // subscribed in a only
	ExtraSubscription   Kind = "extra-subscription"   // subscribed in b only
)

// Difference is one thing that differs. Folder is the name in b.
type Difference struct {
	Kind   Kind
	Folder string
	Detail string
}

func (d Difference) String() string { return fmt.Sprintf("%s %q %s", d.Kind, d.Folder, d.Detail) }

// Diff is all that differs between two accounts, sorted.
type Diff struct {
	Differences          []Difference
	FoldersA, FoldersB   int
	MessagesA, MessagesB int
}

// Equal is true where nothing differs.
func (d Diff) Equal() bool { return len(d.Differences) == 0 }

// Count counts the differences of one kind.
func (d Diff) Count(k Kind) int {
	n := 0
	for _, x := range d.Differences {
		if x.Kind == k {
			n++
		}
	}
	return n
}

// String shows the totals and the first differences of each kind.
func (d Diff) String() string {
	const most = 5
	var b strings.Builder
	fmt.Fprintf(&b, "folders %d/%d, messages %d/%d, differences %d\n", d.FoldersA, d.FoldersB, d.MessagesA, d.MessagesB, len(d.Differences))
	shown := map[Kind]int{}
	for _, x := range d.Differences {
		if shown[x.Kind]++; shown[x.Kind] <= most {
			fmt.Fprintf(&b, "  %s\n", x)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(shown)) {
		if n := shown[k]; n > most {
			fmt.Fprintf(&b, "  %s: %d more\n", k, n-most)
		}
	}
	return b.String()
}

// CompareOptions loosen or bend a comparison.
type CompareOptions struct {
	Map          func(folder string) string // name in b ("/" between the parts) of a folder of a; nil: the same
	Ignore       []Kind
	FoldKeywords bool // compare keywords without case, for servers that fold them (imapmemserver does)
}

// Compare reads both accounts whole, over IMAP and without marking anything as seen, and tells what differs: folder
// by folder the multiset of (SHA-256 of the exact bytes, INTERNALDATE as an instant, flags without \Recent), the
// selectable folders, and their subscriptions. It stands on go-imap's client alone, and believes neither a literal
// that came short nor a FETCH that brought fewer messages than the folder has.
func Compare(ctx context.Context, a, b Login, o CompareOptions) (Diff, error) {
	type result struct {
		acc account
		err error
	}
	first := make(chan result, 1)
	go func() {
		acc, err := readAccount(ctx, a)
		first <- result{acc, err}
	}()
	accB, errB := readAccount(ctx, b)
	ra := <-first
	if ra.err != nil {
		return Diff{}, fmt.Errorf("account a (%s at %s): %w", a.User, a.Addr, ra.err)
	}
	if errB != nil {
		return Diff{}, fmt.Errorf("account b (%s at %s): %w", b.User, b.Addr, errB)
	}
	accA, err := ra.acc.renamed(o.Map)
	if err != nil {
		return Diff{}, err
	}
	return diffAccounts(accA, accB, o), nil
}

// CompareCorpus compares an account with the corpus that it should hold, without a server as second witness.
func CompareCorpus(ctx context.Context, c *Corpus, b Login, o CompareOptions) (Diff, error) {
	accB, err := readAccount(ctx, b)
	if err != nil {
		return Diff{}, fmt.Errorf("account b (%s at %s): %w", b.User, b.Addr, err)
	}
	accA, err := c.account().renamed(o.Map)
	if err != nil {
		return Diff{}, err
	}
	return diffAccounts(accA, accB, o), nil
}

// account is what was read: by folder name, parts joined by "/".
type account struct {
	folders    map[string][]mail
	subscribed map[string]bool
}

// mail is all that a comparison needs of one message.
type mail struct {
	uid      uint32
	hash     [sha256.Size]byte
	size     int64
	date     int64 // seconds since 1970
	flags    string
	id       string
	subject  string
	reported string // how a message is named in a Difference
}

// renamed applies a folder mapping; two folders that become one add up.
func (acc account) renamed(m func(string) string) (account, error) {
	if m == nil {
		return acc, nil
	}
	out := account{folders: map[string][]mail{}, subscribed: map[string]bool{}}
	for name, mails := range acc.folders {
		to := m(name)
		if to == "" {
			return out, fmt.Errorf("the folder mapping gives no name for %q", name)
		}
		out.folders[to] = append(out.folders[to], mails...)
	}
	for name := range acc.subscribed {
		out.subscribed[m(name)] = true
	}
	return out, nil
}

func diffAccounts(a, b account, o CompareOptions) Diff {
	d := Diff{FoldersA: len(a.folders), FoldersB: len(b.folders)}
	report := func(k Kind, folder, detail string) {
		if !slices.Contains(o.Ignore, k) {
			d.Differences = append(d.Differences, Difference{k, folder, detail})
		}
	}
	absent := func(these map[string][]mail, those map[string][]mail, k Kind) (n int) {
		for name, mails := range these {
			n += len(mails)
			if _, ok := those[name]; !ok {
				report(k, name, fmt.Sprintf("with %d messages", len(mails)))
			}
		}
		return n
	}
	d.MessagesA = absent(a.folders, b.folders, MissingFolder)
	d.MessagesB = absent(b.folders, a.folders, ExtraFolder)
	for name := range a.subscribed {
		if !b.subscribed[name] {
			report(MissingSubscription, name, "")
		}
	}
	for name := range b.subscribed {
		if !a.subscribed[name] {
			report(ExtraSubscription, name, "")
		}
	}
	for name := range merged(a.folders, b.folders) {
		diffFolder(a.folders[name], b.folders[name], o.FoldKeywords, func(k Kind, detail string) { report(k, name, detail) })
	}
	slices.SortFunc(d.Differences, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(x.Folder, y.Folder), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Detail, y.Detail))
	})
	return d
}

func merged(a, b map[string][]mail) map[string]bool {
	names := map[string]bool{}
	for n := range a {
		names[n] = true
	}
	for n := range b {
		names[n] = true
	}
	return names
}

// diffFolder takes away what matches, from the strictest idea of a match to the loosest; what is left is missing or
// extra.
func diffFolder(a, b []mail, fold bool, report func(Kind, string)) {
	if fold {
		a, b = folded(a), folded(b)
	}
	all := func(x mail) string { return fmt.Sprintf("%x %d %s", x.hash, x.date, x.flags) }
	a, b = pair(a, b, all, nil)
	bytesAndDate := func(x mail) string { return fmt.Sprintf("%x %d", x.hash, x.date) }
	wrongFlags := func(x, y mail) { report(WrongFlags, fmt.Sprintf("%s [%s] -> [%s]", x.reported, x.flags, y.flags)) }
	a, b = pair(a, b, bytesAndDate, wrongFlags)
	wrongDate := func(x, y mail) {
		report(WrongDate, fmt.Sprintf("%s %s -> %s", x.reported, instant(x.date), instant(y.date)))
		if x.flags != y.flags {
			wrongFlags(x, y)
		}
	}
	bytesAndFlags := func(x mail) string { return fmt.Sprintf("%x %s", x.hash, x.flags) }
	a, b = pair(a, b, bytesAndFlags, wrongDate)
	a, b = pair(a, b, func(x mail) string { return string(x.hash[:]) }, wrongDate)
	altered := func(x, y mail) { report(Altered, fmt.Sprintf("%s size %d -> %d", x.reported, x.size, y.size)) }
	a, b = pair(a, b, func(x mail) string { return x.id }, altered)
	a, b = pair(a, b, func(x mail) string {
		if x.subject == "" {
			return ""
		}
		return fmt.Sprintf("%d %s", x.date, x.subject)
	}, altered)
	for _, x := range a {
		report(Missing, x.reported)
	}
	for _, x := range b {
		report(Extra, x.reported)
	}
}

func folded(in []mail) []mail {
	out := slices.Clone(in)
	for i := range out {
		words := strings.Fields(strings.ToLower(out[i].flags))
		slices.Sort(words)
		out[i].flags = strings.Join(words, " ")
	}
	return out
}

// pair calls hit (if any) for messages of a and b with the same key, each once, and returns the others. An empty key
// matches nothing.
func pair(a, b []mail, key func(mail) string, hit func(x, y mail)) (restA, restB []mail) {
	waiting := map[string][]mail{}
	for _, y := range b {
		k := key(y)
		if k == "" {
			restB = append(restB, y)
			continue
		}
		waiting[k] = append(waiting[k], y)
	}
	for _, x := range a {
		ys := waiting[key(x)]
		if len(ys) == 0 {
			restA = append(restA, x)
			continue
		}
		if hit != nil {
			hit(x, ys[0])
		}
		waiting[key(x)] = ys[1:]
	}
	for _, ys := range waiting {
		restB = append(restB, ys...)
	}
	return restA, restB
}

func instant(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
