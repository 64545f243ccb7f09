package sync

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// folderPair is a source folder and where its mail goes.
type folderPair struct {
	source *imapx.Folder
	target *imapx.Folder // nil: not there yet
	raw    string        // target name on the wire
	name   string        // target name for people
	use    imap.MailboxAttr
	stored *state.Pair // nil: first seen in this pass
}

// leftOut is a source folder that no pair carries, with the reason for people.
type leftOut struct {
	folder *imapx.Folder
	why    string
}

// mapFolders pairs the source's folders with the target's. It is a pure function of what both sides list and of
// the pairs that earlier passes made, which stay as they are. Special folders go by attribute (RFC 6154), all
// others by name; separators and personal namespaces (RFC 2342) are translated.
func mapFolders(source, target imapx.Listing, stored []state.Pair) (pairs []folderPair, out []leftOut) {
	m := newMapper(source, target, stored)
	special := m.specialFolders(source, target)
	var named []*imapx.Folder
	for i := range source.Folders {
		f := &source.Folders[i]
		switch {
		case !f.Selectable:
		case foreign(source, f):
			out = append(out, leftOut{f, "it belongs to another user's or a shared namespace"})
		case m.stored[f.Raw] != nil:
			s := m.stored[f.Raw]
			pairs = append(pairs, folderPair{source: f, target: m.there[s.Target], raw: s.Target, name: s.TargetName, stored: s})
		case special[f.Raw] != nil && !m.taken[special[f.Raw].Raw]:
			t := special[f.Raw]
			m.taken[t.Raw] = true
			pairs = append(pairs, folderPair{source: f, target: t, raw: t.Raw, name: t.Name})
		default:
			named = append(named, f)
		}
	}
	for _, f := range named {
		pairs = append(pairs, m.byName(f))
	}
	slices.SortStableFunc(pairs, func(a, b folderPair) int { return strings.Compare(a.raw, b.raw) }) // parents first
	return pairs, out
}

// mapper holds what mapFolders looks up.
type mapper struct {
	from, to imapx.Namespace
	there    map[string]*imapx.Folder // target, by raw name
	taken    map[string]bool          // target names that have a pair
	stored   map[string]*state.Pair   // by raw source name
}

func newMapper(source, target imapx.Listing, stored []state.Pair) *mapper {
	m := &mapper{
		from:   personal(source),
		to:     personal(target),
		there:  make(map[string]*imapx.Folder),
		taken:  make(map[string]bool),
		stored: make(map[string]*state.Pair),
	}
	for i := range target.Folders {
		m.there[target.Folders[i].Raw] = &target.Folders[i]
	}
	for i := range stored {
		m.stored[stored[i].Source] = &stored[i]
		m.taken[stored[i].Target] = true
	}
	return m
}

// personal is a side's own namespace; without an answer to NAMESPACE, the separator that LIST shows.
func personal(l imapx.Listing) imapx.Namespace {
	if len(l.Personal) > 0 {
		return l.Personal[0]
	}
	for _, f := range l.Folders {
		if f.Delim != "" {
			return imapx.Namespace{Delim: f.Delim}
		}
	}
	return imapx.Namespace{}
}

// foreign reports whether a folder lies in another user's or a shared namespace.
func foreign(l imapx.Listing, f *imapx.Folder) bool {
	for _, n := range append(slices.Clone(l.Others), l.Shared...) {
		if n.Prefix != "" && strings.HasPrefix(f.Raw+n.Delim, n.Prefix) {
			return true
		}
	}
	return false
}

// specialFolders gives, by raw source name, the target's special folder of the same attribute. Of several
// candidates the one with the most mail wins; the others keep their own names.
func (m *mapper) specialFolders(source, target imapx.Listing) map[string]*imapx.Folder {
	to := make(map[imap.MailboxAttr]*imapx.Folder)
	for i := range target.Folders {
		f := &target.Folders[i]
		if f.SpecialUse != "" && f.Selectable && to[f.SpecialUse] == nil && !foreign(target, f) {
			to[f.SpecialUse] = f
		}
	}
	best := make(map[imap.MailboxAttr]*imapx.Folder)
	for i := range source.Folders {
		f := &source.Folders[i]
		if f.SpecialUse == "" || !f.Selectable || foreign(source, f) {
			continue
		}
		if b := best[f.SpecialUse]; b == nil || messages(f) > messages(b) {
			best[f.SpecialUse] = f
		}
	}
	out := make(map[string]*imapx.Folder)
	for use, f := range best {
		if t := to[use]; t != nil {
			out[f.Raw] = t
		}
	}
	return out
}

func messages(f *imapx.Folder) uint32 {
	if f == nil || f.Mark == nil {
		return 0
	}
	return f.Mark.Messages
}

// byName translates a name. Where another pair has it already, a number is added.
func (m *mapper) byName(f *imapx.Folder) folderPair {
	path := m.path(f)
	p := folderPair{source: f, use: f.SpecialUse}
	for n := 1; ; n++ {
		try := slices.Clone(path)
		if n > 1 {
			try[len(try)-1] = fmt.Sprintf("%s (%d)", try[len(try)-1], n)
		}
		p.raw, p.name = m.encode(try)
		if t := m.there[p.raw]; t != nil && !t.Selectable {
			p.target = nil // exists as a parent only: CREATE makes it real
		} else {
			p.target = t
		}
		if !m.taken[p.raw] && !strings.EqualFold(p.raw, "INBOX") || isInbox(f) {
			break
		}
	}
	m.taken[p.raw] = true
	return p
}

func isInbox(f *imapx.Folder) bool { return len(f.Path) == 1 && f.Path[0] == "INBOX" }

// path is a source folder's name below its personal namespace.
func (m *mapper) path(f *imapx.Folder) []string {
	if isInbox(f) || m.from.Prefix == "" {
		return f.Path
	}
	prefix := strings.Split(strings.TrimSuffix(m.from.Prefix, m.from.Delim), m.from.Delim)
	if len(f.Path) > len(prefix) {
		for i, p := range prefix {
			if !strings.EqualFold(f.Path[i], p) {
				return f.Path
			}
		}
		return f.Path[len(prefix):]
	}
	return f.Path
}

// encode makes the target's name of a path. Its separator inside a part becomes a low line; INBOX and its
// children need no prefix where the prefix is INBOX itself.
func (m *mapper) encode(path []string) (raw, name string) {
	if len(path) == 1 && path[0] == "INBOX" {
		return "INBOX", "INBOX"
	}
	clean := make([]string, len(path))
	for i, p := range path {
		if m.to.Delim != "" {
			p = strings.ReplaceAll(p, m.to.Delim, "_")
		}
		clean[i] = p
	}
	prefix := m.to.Prefix
	if clean[0] == "INBOX" && strings.EqualFold(strings.TrimSuffix(prefix, m.to.Delim), "INBOX") {
		prefix = ""
	}
	delim := m.to.Delim
	if delim == "" {
		delim = "-" // a server without a hierarchy
	}
	name = strings.Join(clean, delim)
	raw = prefix + imapx.EncodeName(name)
	return raw, prefix + name
}
