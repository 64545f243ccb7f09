package sync

import (
	"regexp"
	"slices"
	"strings"

	"mailmove/imapx"
)

// idleRule is a rule that no source folder is met by: most often a slip, for capitals count.
type idleRule struct {
	rule string // as the admin wrote it
	why  string // with the folder that may have been meant
}

// mostTold bounds the lines of one kind that are told of a mapping.
const mostTold = 20

// tellIdle warns of rules that match nothing.
func (a *attempt) tellIdle(list []idleRule) {
	for _, r := range list[:min(len(list), mostTold)] {
		a.emit(Notice{Account: a.Account, Text: r.rule + ": " + r.why, Rule: r.rule})
	}
	if more := len(list) - mostTold; more > 0 {
		a.notice("and " + counted(more, "more rule that matches no folder", "more rules that match no folder"))
	}
}

// idleRules are those of --map, --include, --exclude and --rename that match nothing among what the source has now.
func (m *mapper) idleRules(used map[*MapRule]bool) []idleRule {
	return slices.Concat(m.idleMaps(used), m.idleGlobs("--include", m.rules.Include, m.rules.include),
		m.idleGlobs("--exclude", m.rules.Exclude, m.rules.exclude), m.idleRewrites())
}

func (m *mapper) idleMaps(used map[*MapRule]bool) (out []idleRule) {
	near := m.folderLike()
	for i := range m.rules.Maps {
		rule := &m.rules.Maps[i]
		if !used[rule] {
			out = append(out, idleRule{rule.Where + " " + rule.Source + "=" + rule.Target, noSuchFolder + near(rule.Source)})
		}
	}
	return out
}

const noSuchFolder = "the source has no such folder"

// folderLike gives the end of a sentence on a name that no folder has: the folder that has it in other capitals, with
// other blanks around it, or with an accent written otherwise.
func (m *mapper) folderLike() func(name string) string {
	var like map[string]string // made when it is asked for
	return func(name string) string {
		if like == nil {
			like = make(map[string]string)
			for _, f := range m.folders() {
				for _, n := range m.names(f) {
					like[foldName(n)] = f.Name
				}
			}
		}
		return meant(like[foldName(name)])
	}
}

func meant(folder string) string {
	if folder == "" {
		return ""
	}
	return "; did you mean " + folder + "?"
}

// folders are the source's that can hold mail.
func (m *mapper) folders() []*imapx.Folder {
	var out []*imapx.Folder
	for i := range m.source.Folders {
		if f := &m.source.Folders[i]; f.Selectable {
			out = append(out, f)
		}
	}
	return out
}

// matched is the first folder that a glob matches, nil for none.
func (m *mapper) matched(glob *regexp.Regexp) *imapx.Folder {
	for _, f := range m.folders() {
		if slices.ContainsFunc(m.names(f), glob.MatchString) {
			return f
		}
	}
	return nil
}

func (m *mapper) idleGlobs(flag string, globs []string, compiled []*regexp.Regexp) (out []idleRule) {
	near := m.folderLike()
	for i, re := range compiled {
		if m.matched(re) != nil {
			continue
		}
		why := "it matches no folder of the source"
		if literalOf(globs[i]) == upperInbox(globs[i]) {
			why = noSuchFolder + near(globs[i])
		} else if f := m.matched(inAnyCase(re)); f != nil {
			why += otherCase(f)
		}
		out = append(out, idleRule{flag + " " + globs[i], why})
	}
	return out
}

// idleRewrites are those that match no folder that is carried, each in the names that those before it leave.
func (m *mapper) idleRewrites() (out []idleRule) {
	first := func(i int, re *regexp.Regexp) *entry {
		for _, e := range m.entries {
			if re.MatchString(m.rewrite(slashed(e.path), i)) {
				return e
			}
		}
		return nil
	}
	for i, re := range m.rules.rewrites {
		if first(i, re) != nil {
			continue
		}
		why := "it matches no folder that is carried"
		if e := first(i, inAnyCase(re)); e != nil {
			why += otherCase(e.folder)
		}
		out = append(out, idleRule{m.rules.Rewrites[i].String(), why})
	}
	return out
}

// inAnyCase is a pattern without regard to capitals. It compiles: the group is around what did.
func inAnyCase(re *regexp.Regexp) *regexp.Regexp {
	return regexp.MustCompile("(?i:" + re.String() + ")")
}

func otherCase(f *imapx.Folder) string {
	return "; capitals count, and it would match " + f.Name + " without"
}

// slashed is a path as --rename sees it: a "/" in a name is none between two.
func slashed(path []string) string {
	plain := make([]string, len(path))
	for i, p := range path {
		plain[i] = strings.ReplaceAll(p, "/", "_")
	}
	return strings.Join(plain, "/")
}

// refuseEmpty fails the mapping for a folder that --rename leaves without a name.
func (m *mapper) refuseEmpty(f *imapx.Folder, name string) {
	rule := m.rules.Rewrites[0]
	for i, next := range m.rules.Rewrites {
		if m.rewrite(name, i) != m.rewrite(name, i+1) {
			rule = next // the last one that changed something
		}
	}
	if m.err == nil {
		m.err = &MappingError{rule.String(), "it leaves nothing of the name of the folder " + f.Name,
			"give it another name, or leave the folder out with --exclude"}
	}
}

// rewrite is what the first n of --rename make of a name.
func (m *mapper) rewrite(name string, n int) string {
	for i, re := range m.rules.rewrites[:n] {
		name = re.ReplaceAllString(name, m.rules.Rewrites[i].Replacement)
	}
	return name
}
