package sync

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mailmove/imapx"
)

// Mapping is what an admin says of where folders go. The zero value leaves it to special use and names. Names are
// decoded; levels are separated by the server's own separator or by "/". docs/folders.md has the order in which the
// rules count.
type Mapping struct {
	Maps     []MapRule
	Rewrites []Rewrite
	Into     string   // everything goes below this target folder
	From     string   // only this source folder and those below it, without its name
	Include  []string // globs; none: everything
	Exclude  []string // globs; they count before Include
	Merge    bool     // all candidates of a special folder go into the target's
	Labels   Labels   // what becomes of Gmail's labels; its zero value: each is a folder
}

// MapRule sends one source folder to one target folder. Two rules may name one target: their mail is merged there.
type MapRule struct {
	Source, Target string
	Where          string // for messages: the flag, or file:line; "": --map
}

// Rewrite replaces in the path that a folder would get on the target, levels separated by "/".
type Rewrite struct {
	Regexp      string // RE2
	Replacement string // $1 is the first group
}

// MappingError is a rule that cannot be kept. Nothing was written.
type MappingError struct {
	Rule string // as the admin wrote it
	Why  string
	Next string // what to do
}

func (e *MappingError) Error() string { return e.Rule + ": " + e.Why }

// Hint says what to do.
func (e *MappingError) Hint() string { return e.Next }

// Check compiles the rules, to tell a mistake before anything is connected. The error is a *MappingError.
func (m Mapping) Check() error {
	_, err := m.compile()
	return err
}

// rules are a Mapping that was checked. nil: there are none.
type rules struct {
	Mapping
	rewrites []*regexp.Regexp
	include  []*regexp.Regexp
	exclude  []*regexp.Regexp
}

func (m Mapping) compile() (*rules, error) {
	var err error
	if m.Maps, err = checkedMaps(m.Maps); err != nil {
		return nil, err
	}
	r := &rules{Mapping: m}
	for _, w := range m.Rewrites {
		re, err := w.compile()
		if err != nil {
			return nil, err
		}
		r.rewrites = append(r.rewrites, re)
	}
	if r.include, err = compileGlobs("--include", m.Include); err != nil {
		return nil, err
	}
	if r.exclude, err = compileGlobs("--exclude", m.Exclude); err != nil {
		return nil, err
	}
	if m.Into != "" && m.Merge {
		return nil, &MappingError{"--merge-folders with --into " + m.Into, "below that folder all others keep their names, and none would be merged",
			"leave one of them out; --map sends several folders to one"}
	}
	for _, f := range []struct{ flag, name string }{{"--into", m.Into}, {"--from", m.From}} {
		if f.name != "" && strings.Trim(f.name, "/") == "" {
			return nil, &MappingError{f.flag + " " + f.name, "that is no folder", "name a folder, or leave the flag out"}
		}
	}
	return r, nil
}

// checkedMaps gives each rule its origin, and refuses two targets for one source.
func checkedMaps(list []MapRule) ([]MapRule, error) {
	list = slices.Clone(list)
	seen := make(map[string]MapRule)
	for i := range list {
		rule := &list[i]
		if rule.Where == "" {
			rule.Where = "--map"
		}
		text := fmt.Sprintf("%s %s=%s", rule.Where, rule.Source, rule.Target)
		switch was, twice := seen[upperInbox(rule.Source)]; {
		case rule.Source == "":
			return nil, &MappingError{text, "it names no source folder", "write Source=Target"}
		case strings.Trim(rule.Target, "/") == "":
			return nil, &MappingError{text, "it names no target folder", "write Source=Target; to leave a folder out there is --exclude"}
		case twice && was.Target != rule.Target:
			return nil, &MappingError{text, was.Where + " sends that folder to " + was.Target, "a folder goes to one place: give one of them"}
		}
		seen[upperInbox(rule.Source)] = *rule
	}
	return list, nil
}

// String is the rule as an admin writes it.
func (w Rewrite) String() string { return "--rename " + w.Regexp + "=" + w.Replacement }

func (w Rewrite) compile() (*regexp.Regexp, error) {
	text := w.String()
	if w.Regexp == "" {
		return nil, &MappingError{text, "there is no regular expression", "write REGEXP=REPLACEMENT"}
	}
	re, err := regexp.Compile(w.Regexp)
	if err != nil {
		return nil, &MappingError{text, err.Error(), `the syntax is RE2: github.com/google/re2/wiki/Syntax; an = in it is written \=`}
	}
	return re, nil
}

func compileGlobs(flag string, globs []string) (out []*regexp.Regexp, err error) {
	for _, glob := range globs {
		re, err := globToRegexp(glob)
		if err != nil {
			return nil, &MappingError{flag + " " + glob, err.Error(), "* is any text, ? one character"}
		}
		out = append(out, re)
	}
	return out, nil
}

// any reports whether there is a rule at all.
func (r *rules) any() bool {
	return len(r.Maps)+len(r.Rewrites)+len(r.Include)+len(r.Exclude) > 0 || r.Into != "" || r.From != "" || r.Merge
}

// names are the ways in which a rule may name a source folder: as it is listed, with "/" between the levels, and the
// same without the personal namespace's prefix.
func (m *mapper) names(f *imapx.Folder) []string {
	out := []string{upperInbox(f.Name), upperInbox(strings.Join(f.Path, "/"))}
	if own := m.ownPath(f); len(own) < len(f.Path) {
		out = append(out, strings.Join(own, "/"), strings.Join(own, f.Delim))
	}
	return out
}

// ruleFor is the --map of a folder, or nil.
func (m *mapper) ruleFor(f *imapx.Folder) *MapRule {
	names := m.names(f)
	for i := range m.rules.Maps {
		if rule := &m.rules.Maps[i]; slices.Contains(names, upperInbox(rule.Source)) {
			return rule
		}
	}
	return nil
}

// outside says why a folder is not carried, "" where it is.
func (m *mapper) outside(f *imapx.Folder) string {
	names := m.names(f)
	for i, re := range m.rules.exclude {
		if slices.ContainsFunc(names, re.MatchString) {
			return "--exclude " + m.rules.Exclude[i]
		}
	}
	included := slices.ContainsFunc(m.rules.include, func(re *regexp.Regexp) bool { return slices.ContainsFunc(names, re.MatchString) })
	if len(m.rules.include) > 0 && !included {
		return "no --include names it"
	}
	if m.rules.From != "" && m.below(f) == nil {
		return "it is not below --from " + m.rules.From
	}
	if why := cmp.Or(f.NotMail, m.onlyLabel(f)); why != "" {
		return why + "; --map can name it"
	}
	if foreign(m.source, f.Raw) && !m.named(f) {
		return "it belongs to another user's or a shared namespace; --include, --from or --map can name it"
	}
	return ""
}

// named reports whether a rule speaks of a shared or another user's folder on purpose: by its name, or by a glob
// whose text before the first wildcard names the namespace.
func (m *mapper) named(f *imapx.Folder) bool {
	if m.rules.From != "" {
		return true // it is below it, see outside
	}
	prefix := foreignPrefix(m.source, f.Raw)
	for i, glob := range m.rules.Include {
		if strings.HasPrefix(imapx.EncodeName(literalOf(glob)), strings.TrimSuffix(prefix.Prefix, prefix.Delim)) &&
			slices.ContainsFunc(m.names(f), m.rules.include[i].MatchString) {
			return true
		}
	}
	return false
}

// below is the path of a folder under --from, nil where it is not there. The folder itself is the empty path.
func (m *mapper) below(f *imapx.Folder) []string {
	from := strings.Trim(upperInbox(m.rules.From), "/")
	for _, path := range [][]string{f.Path, m.ownPath(f)} {
		for n := 1; n <= len(path); n++ {
			head := path[:n]
			if upperInbox(strings.Join(head, "/")) == from || f.Delim != "" && upperInbox(strings.Join(head, f.Delim)) == from {
				return append([]string{}, path[n:]...)
			}
		}
	}
	return nil
}
