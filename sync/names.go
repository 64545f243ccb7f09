package sync

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// wish is where a folder should go: a path below a prefix.
type wish struct {
	prefix string // raw, with its separator
	path   []string
}

// spot is where a folder goes.
type spot struct {
	folder  *imapx.Folder // nil: to be made
	raw     string
	name    string
	trouble string
}

// inboxKey makes INBOX one name in any case (RFC 9051 section 5.1).
func inboxKey(raw string) string {
	if strings.EqualFold(raw, "INBOX") {
		return "INBOX"
	}
	return raw
}

func isInbox(f *imapx.Folder) bool { return len(f.Path) == 1 && f.Path[0] == "INBOX" }

func pathKey(path []string) string { return strings.Join(path, "\x00") }

// foldPath makes paths comparable as a server would that knows no capitals and cuts blanks.
func foldPath(path []string) string {
	out := make([]string, len(path))
	for i, p := range path {
		out[i] = foldName(p)
	}
	return pathKey(out)
}

func splitName(name, delim string) []string {
	if delim == "" {
		return []string{name}
	}
	return strings.Split(name, delim)
}

func hasAttr(attrs []imap.MailboxAttr, want imap.MailboxAttr) bool {
	return slices.ContainsFunc(attrs, func(a imap.MailboxAttr) bool { return strings.EqualFold(string(a), string(want)) })
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

// foreignPrefix is another user's or a shared namespace that a raw name lies in; its Prefix is "" where it does not.
func foreignPrefix(l imapx.Listing, raw string) imapx.Namespace {
	for _, n := range append(slices.Clone(l.Others), l.Shared...) {
		if n.Prefix != "" && strings.HasPrefix(raw+n.Delim, n.Prefix) {
			return n
		}
	}
	return imapx.Namespace{}
}

func foreign(l imapx.Listing, raw string) bool { return foreignPrefix(l, raw).Prefix != "" }

func (m *mapper) ownPath(f *imapx.Folder) []string { return ownPath(f, m.from) }

// ownPath is a folder's path below its personal namespace.
func ownPath(f *imapx.Folder, ns imapx.Namespace) []string {
	if isInbox(f) || ns.Prefix == "" {
		return f.Path
	}
	prefix := splitName(strings.TrimSuffix(ns.Prefix, ns.Delim), ns.Delim)
	if len(f.Path) <= len(prefix) {
		return f.Path
	}
	for i, p := range prefix {
		if !strings.EqualFold(f.Path[i], p) {
			return f.Path
		}
	}
	return f.Path[len(prefix):]
}

// targetPath reads a target folder's name as an admin writes it: with the server's separator or "/", with or without
// the prefix of the personal namespace; another namespace's prefix leads there.
func (m *mapper) targetPath(name string) (prefix string, path []string) {
	slashed := func(s, delim string) string {
		if delim == "" {
			return s
		}
		return strings.ReplaceAll(s, delim, "/")
	}
	name = strings.Trim(upperInbox(slashed(name, m.to.Delim)), "/")
	prefix = m.to.Prefix
	for _, ns := range append(slices.Clone(m.target.Others), m.target.Shared...) {
		if p := slashed(ns.Prefix, ns.Delim); p != "" && strings.HasPrefix(name, p) {
			prefix, name = ns.Prefix, name[len(p):]
		}
	}
	own := slashed(m.to.Prefix, m.to.Delim)
	if prefix == m.to.Prefix && own != "" && len(name) > len(own) && strings.EqualFold(name[:len(own)], own) {
		name = name[len(own):]
	}
	return prefix, strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
}

// translated is where an entry goes by its name: --rename, then --into, then along with the folder above it.
func (m *mapper) translated(e *entry) wish {
	path := e.path
	if len(m.rules.rewrites) > 0 && len(path) > 0 {
		was := slashed(path)
		is := m.rewrite(was, len(m.rules.rewrites))
		fresh := strings.FieldsFunc(is, func(r rune) bool { return r == '/' })
		switch {
		case is == was:
		case len(fresh) == 0:
			m.refuseEmpty(e.folder, was)
		default:
			path, e.why = fresh, whyRename
		}
	}
	p := wish{m.to.Prefix, path}
	if m.rules.Into != "" {
		prefix, into := m.targetPath(m.rules.Into)
		p = wish{prefix, slices.Concat(into, path)}
		if e.why == "" {
			e.why = whyInto
		}
	}
	for n := len(p.path) - 1; n > 0; n-- {
		if head, ok := m.along[pathKey(p.path[:n])]; ok {
			p.path = slices.Concat(head, p.path[n:])
			if e.why == "" {
				e.why = whyParent
			}
			break
		}
	}
	return p
}

// spotAt is a folder that is there, or has a pair.
func (m *mapper) spotAt(raw string) *spot {
	if f := m.there[inboxKey(raw)]; f != nil {
		return m.spotOf(raw, f.Name, "")
	}
	for _, s := range m.stored {
		if s.Target == raw {
			return m.spotOf(raw, s.TargetName, "")
		}
	}
	return m.spotOf(raw, raw, "")
}

func (m *mapper) spotOf(raw, name, trouble string) *spot {
	s := &spot{raw: raw, name: name, trouble: trouble}
	if t := m.there[inboxKey(raw)]; t != nil {
		s.raw, s.name, s.folder = t.Raw, t.Name, openable(t)
	}
	return s
}

// claim finds the spot for a wish. Where another folder goes there already a number is added, unless it may be
// shared. A name that differs from one that is there in case or blanks only is the same one to some servers.
func (m *mapper) claim(p wish, share bool) *spot {
	var why string
	for n := 1; ; n++ {
		full, raw, trouble := m.encode(numbered(p, n))
		if why != "" {
			trouble = strings.TrimPrefix(trouble+"; "+why, "; ")
		}
		if n > 1 && m.wanted[foldPath(full)] {
			continue
		}
		k := inboxKey(raw)
		like, folds := m.folded[foldPath(full)]
		switch owner := m.taken[k]; {
		case k == "INBOX" && !(len(p.path) == 1 && p.path[0] == "INBOX") && !share:
			why = "number added: INBOX is another folder"
			continue
		case owner != "" && !share:
			why = "number added: " + owner + " goes to " + m.nameOf(raw)
			continue
		case owner == "" && m.there[k] == nil && folds && like != raw:
			if m.taken[inboxKey(like)] != "" && !share {
				why = "number added: it differs from " + m.nameOf(like) + " in case or blanks only"
				continue
			}
			return m.spotOf(like, like, strings.TrimPrefix(trouble+"; goes to "+m.nameOf(like)+", which differs in case or blanks only", "; "))
		}
		if n > 1 {
			m.along[pathKey(p.path)] = numbered(p, n).path
		}
		name := pathName(full, m.delim())
		m.folded[foldPath(full)] = raw
		return m.spotOf(raw, name, trouble)
	}
}

func numbered(p wish, n int) wish {
	if n < 2 {
		return p
	}
	path := slices.Clone(p.path)
	path[len(path)-1] = fmt.Sprintf("%s (%d)", strings.TrimRight(path[len(path)-1], " "), n)
	return wish{p.prefix, path}
}

// nameOf is a raw target name for people.
func (m *mapper) nameOf(raw string) string {
	if f := m.there[inboxKey(raw)]; f != nil {
		return f.Name
	}
	for _, p := range m.pairs {
		if p.raw == raw {
			return p.name
		}
	}
	return raw
}

func pathName(path []string, delim string) string { return strings.Join(path, delim) }

// delim separates levels on the target.
func (m *mapper) delim() string {
	if m.to.Delim == "" {
		return "-" // a server without a hierarchy
	}
	return m.to.Delim
}

// encode makes the target's name of a path, and says what had to be changed. full is the path with the prefix. INBOX
// and its children need no prefix where the prefix is INBOX itself.
func (m *mapper) encode(p wish) (full []string, raw, trouble string) {
	if len(p.path) == 1 && p.path[0] == "INBOX" && p.prefix == m.to.Prefix {
		return p.path, "INBOX", ""
	}
	path := slices.Clone(p.path)
	prefix := p.prefix
	if path[0] == "INBOX" && len(path) > 1 && strings.EqualFold(strings.TrimSuffix(prefix, m.to.Delim), "INBOX") {
		path = path[1:]
	}
	head := splitName(strings.TrimSuffix(prefix, m.to.Delim), m.to.Delim)
	if prefix == "" {
		head = nil
	}
	join := func(path []string) string { return prefix + imapx.EncodeName(strings.Join(path, m.delim())) }
	theirs := func() bool { return prefix == m.to.Prefix && foreign(m.target, raw) }
	if raw = join(path); m.there[inboxKey(raw)] != nil && !m.splits(path) && !theirs() {
		return slices.Concat(head, path), raw, "" // it is there: nobody refuses it
	}
	path, trouble = m.cleaned(path)
	if raw = join(path); theirs() {
		path[0] += "_"
		raw = join(path)
		trouble = strings.TrimPrefix(trouble+"; that name is a shared namespace's there: _ added", "; ")
	}
	return slices.Concat(head, path), raw, trouble
}

// byName is where a folder would go by its name and the rules for names, were nothing else there.
func (m *mapper) byName(f *imapx.Folder) *spot {
	e := &entry{folder: f, path: m.pathOf(f)}
	full, raw, _ := m.encode(m.translated(e))
	return m.spotOf(raw, pathName(full, m.delim()), "")
}
