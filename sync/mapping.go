package sync

import (
	"cmp"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// folderPair is a source folder and where its mail goes.
type folderPair struct {
	source  *imapx.Folder
	target  *imapx.Folder // nil: not there yet
	raw     string        // target name on the wire; several pairs may share one
	name    string        // target name for people
	use     imap.MailboxAttr
	stored  *state.Pair // nil: first seen in this pass
	why     string      // one of the words below
	trouble string      // what an admin should look at, "" for nothing
}

// Why a folder goes where it goes.
const (
	whyInbox      = "INBOX"
	whyStored     = "earlier pass" // whatever the rules say now: nothing is carried twice
	whyMap        = "map"
	whySpecialUse = "special use" // RFC 6154 attribute
	whyKnownName  = "known name"  // of the table of names that mail programs use
	whyMerged     = "merged"      // --merge-folders
	whyRename     = "rename"
	whyInto       = "into"
	whyParent     = "parent" // along with the folder above it
	whyName       = "name"
)

// leftOut is a source folder that no pair carries, with the reason for people.
type leftOut struct {
	folder *imapx.Folder
	why    string
}

// mapped is where everything goes.
type mapped struct {
	pairs []folderPair
	out   []leftOut
	idle  []idleRule
	err   error // a rule that makes no sense with these folders: *MappingError
}

// entry is a source folder that is carried.
type entry struct {
	folder *imapx.Folder
	path   []string         // below the personal namespace, or below --from
	use    imap.MailboxAttr // to be made with
	why    string           // "": by its name
	done   bool
}

// mapper holds what mapFolders looks up.
type mapper struct {
	rules          *rules
	source, target imapx.Listing
	from, to       imapx.Namespace
	special        map[string]imap.MailboxAttr
	there          map[string]*imapx.Folder // target, by inboxKey of the raw name
	taken          map[string]string        // inboxKey of raw target names that have a pair -> the source's name
	folded         map[string]string        // foldPath -> raw target name, there or planned
	stored         map[string]*state.Pair   // by raw source name
	wanted         map[string]bool          // foldPath of what goes by its name: no number makes such a name
	along          map[string][]string      // path -> where what lies below it goes
	entries        []*entry
	mapped
}

// mapFolders pairs the source's folders with the target's. It is a pure function of what both sides list, of the
// pairs that earlier passes made, which stay as they are, and of the rules. Separators and personal namespaces
// (RFC 2342) are translated. The order in which rules count is that of the calls here (docs/folders.md).
func mapFolders(source, target imapx.Listing, stored []state.Pair, r *rules) mapped {
	if r == nil {
		r = &rules{}
	}
	m := newMapper(source, target, stored, r)
	m.gather()
	m.keepStored()
	m.keepMaps()
	if r.Into == "" {
		m.specials()
	}
	m.byNames()
	m.overruled(stored)
	slices.SortFunc(m.pairs, func(a, b folderPair) int { // parents first
		return cmp.Or(strings.Compare(a.raw, b.raw), strings.Compare(a.source.Raw, b.source.Raw))
	})
	return m.mapped
}

func newMapper(source, target imapx.Listing, stored []state.Pair, r *rules) *mapper {
	m := &mapper{
		rules: r, source: source, target: target, from: personal(source), to: personal(target),
		special: specialTable(),
		there:   make(map[string]*imapx.Folder),
		taken:   make(map[string]string),
		folded:  make(map[string]string),
		stored:  make(map[string]*state.Pair),
		wanted:  make(map[string]bool),
		along:   make(map[string][]string),
	}
	for i := range target.Folders {
		f := &target.Folders[i]
		m.there[inboxKey(f.Raw)] = f
		m.folded[foldPath(f.Path)] = f.Raw
	}
	for i := range stored {
		s := &stored[i]
		m.stored[s.Source] = s
		if f := find(source, s.Source); f == nil || m.ruleFor(f) == nil {
			m.taken[inboxKey(s.Target)] = cmp.Or(s.SourceName, s.Source)
		}
		m.folded[foldPath(splitName(s.TargetName, m.to.Delim))] = s.Target
	}
	return m
}

// openable is f where it is a folder, and not only the parent of some: CREATE makes such a name one.
func openable(f *imapx.Folder) *imapx.Folder {
	if f == nil || !f.Selectable {
		return nil
	}
	return f
}

func messages(f *imapx.Folder) uint32 {
	if f == nil || f.Mark == nil {
		return 0
	}
	return f.Mark.Messages
}

// gather sorts out what is not carried. The order of the listing is the server's whim: it must not decide who gets a
// name.
func (m *mapper) gather() {
	used := make(map[*MapRule]bool)
	for i := range m.source.Folders {
		f := &m.source.Folders[i]
		if !f.Selectable {
			continue
		}
		rule := m.ruleFor(f)
		used[rule] = true
		if rule == nil {
			if why := m.outside(f); why != "" {
				m.out = append(m.out, leftOut{f, why})
				continue
			}
		}
		m.entries = append(m.entries, &entry{folder: f, path: m.pathWithLabels(f)})
	}
	if from := m.rules.From; from != "" && !slices.ContainsFunc(m.folders(), func(f *imapx.Folder) bool { return m.below(f) != nil }) {
		m.err = &MappingError{"--from " + from, noSuchFolder + ", nor any below it" + m.folderLike()(from), "mailmove folders lists them"}
	}
	slices.SortFunc(m.entries, func(a, b *entry) int { return strings.Compare(a.folder.Raw, b.folder.Raw) })
	slices.SortFunc(m.out, func(a, b leftOut) int { return strings.Compare(a.folder.Raw, b.folder.Raw) })
	m.idle = m.idleRules(used)
}

// pathOf is a source folder's path as the target would have it.
func (m *mapper) pathOf(f *imapx.Folder) []string {
	path := m.ownPath(f)
	if m.rules.From != "" {
		if below := m.below(f); len(below) > 0 {
			path = below
		} else if below != nil && m.rules.Into != "" {
			return nil // the folder itself becomes the one that all goes into
		} else if below != nil {
			path = f.Path[len(f.Path)-1:]
		}
	}
	path = slices.Clone(path)
	path[0] = inboxKey(path[0])
	return path
}

// keepStored: what an earlier pass carried stays where it is.
func (m *mapper) keepStored() {
	for _, e := range m.entries {
		if s := m.stored[e.folder.Raw]; s != nil {
			e.done = true
			m.pairs = append(m.pairs, folderPair{source: e.folder, target: openable(m.there[inboxKey(s.Target)]), raw: s.Target, name: s.TargetName,
				stored: s, why: whyStored})
		}
	}
}

// keepMaps: what the admin names goes there, also where other mail goes already.
func (m *mapper) keepMaps() {
	for _, e := range m.entries {
		rule := m.ruleFor(e.folder)
		if e.done || rule == nil {
			continue
		}
		prefix, path := m.targetPath(rule.Target)
		e.why = whyMap
		m.put(e, m.claim(wish{prefix, path}, true))
	}
}

// specials sends one folder of each use to the target's own (architecture: its attribute first, else the most mail).
// The others keep their names, or follow it where they are to be merged.
func (m *mapper) specials() {
	byUse := make(map[imap.MailboxAttr][]candidate)
	homes := make(map[imap.MailboxAttr][]string) // where earlier passes carried some
	for _, e := range m.entries {
		use, named := m.useOf(e)
		switch s := m.stored[e.folder.Raw]; {
		case use == "":
		case s != nil:
			homes[use] = append(homes[use], s.Target)
		case !e.done:
			byUse[use] = append(byUse[use], candidate{e, use, named})
		}
	}
	uses := make([]imap.MailboxAttr, 0, len(byUse))
	for use := range byUse {
		uses = append(uses, use)
	}
	slices.Sort(uses)
	for _, use := range uses {
		list := byUse[use]
		slices.SortFunc(list, func(a, b candidate) int {
			if a.better(b) {
				return -1
			}
			return 1
		})
		m.oneUse(use, list, homes[use])
	}
}

func (m *mapper) oneUse(use imap.MailboxAttr, list []candidate, homes []string) {
	winner := list[0].entry
	t, named := m.targetSpecial(use, list)
	home := ""
	if len(homes) > 0 {
		home = homes[0]
		if t != nil && slices.Contains(homes, t.Raw) {
			home = t.Raw
		}
	}
	var spot *spot
	switch {
	case home != "" && m.rules.Merge:
		spot = m.spotAt(home)
	case t != nil && (m.rules.Merge || m.taken[inboxKey(t.Raw)] == ""):
		spot = m.spotAt(t.Raw)
		if own := ownPath(t, m.to); !hasAttr(t.Attrs, imap.MailboxAttrNoInferiors) && pathKey(own) != pathKey(winner.path) {
			m.along[pathKey(winner.path)] = own
		}
	case home == "" && (t == nil || m.rules.Merge):
		winner.use = use
		spot = m.claim(m.translated(winner), false)
	default:
		return // it has its folder: these go by their names
	}
	renamed := winner.use != "" && winner.why == whyRename // the name that it is made with
	for i, c := range list {
		c.entry.why = whyMerged
		switch first := i == 0 && home == ""; {
		case first && renamed:
			c.entry.why = whyRename
		case first && (c.named || named):
			c.entry.why = whyKnownName
		case first:
			c.entry.why = whySpecialUse
		}
		m.put(c.entry, spot)
		if !m.rules.Merge {
			break
		}
	}
}

// byNames translates names: those first that the target has already, for they take nobody's place.
func (m *mapper) byNames() {
	for _, e := range m.entries {
		if !e.done {
			full, _, _ := m.encode(m.translated(e))
			m.wanted[foldPath(full)] = true
		}
	}
	for _, exact := range []bool{true, false} {
		for _, e := range m.entries {
			if e.done {
				continue
			}
			p := m.translated(e)
			_, raw, _ := m.encode(p)
			if t := m.there[inboxKey(raw)]; exact && t == nil {
				continue
			}
			m.put(e, m.claim(p, false))
		}
	}
}

// put makes the pair of an entry.
func (m *mapper) put(e *entry, s *spot) {
	e.done = true
	p := folderPair{source: e.folder, target: s.folder, raw: s.raw, name: s.name, use: e.use, why: cmp.Or(e.why, whyName), trouble: s.trouble}
	if p.raw == "INBOX" && e.why == "" && len(e.path) == 1 {
		p.why = whyInbox
	}
	if m.taken[inboxKey(s.raw)] == "" && e.why != whyMap { // what is named to go there keeps nobody out
		m.taken[inboxKey(s.raw)] = cmp.Or(e.folder.Name, "a folder without a name")
	}
	m.pairs = append(m.pairs, p)
}

// overruled tells where the rules say something else than an earlier pass did.
func (m *mapper) overruled(stored []state.Pair) {
	if len(stored) == 0 || !m.rules.any() {
		return
	}
	said := make(map[string]folderPair)
	for _, p := range mapFolders(m.source, m.target, nil, m.rules).pairs {
		said[p.source.Raw] = p
	}
	flags := map[string]string{whyMap: "--map", whyRename: "--rename", whyInto: "--into", whyMerged: "--merge-folders"}
	if m.rules.Merge { // who leads them may be another one now
		flags[whySpecialUse], flags[whyKnownName] = flags[whyMerged], flags[whyMerged]
	}
	for i := range m.pairs {
		p := &m.pairs[i]
		now := said[p.source.Raw]
		flag := flags[now.why]
		if flag == "" && m.rules.From != "" {
			flag = "--from"
		}
		if p.stored == nil || flag == "" || inboxKey(now.raw) == inboxKey(p.raw) {
			continue
		}
		p.trouble = "stays in " + p.name + ", where an earlier pass carried it; " + flag + " says " + now.name +
			": rename it there, and its new mail follows"
	}
}
