package cmd

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	mailsync "mailmove/sync"
)

// mappingFlags say where folders go: the same for every command that maps folders (docs/folders.md).
type mappingFlags struct {
	maps    []string
	mapFile string
	renames []string
	into    string
	from    string
	include []string
	exclude []string
	merge   bool
	labels  labelMode
}

func (f *mappingFlags) bind(set *pflag.FlagSet) {
	set.StringArrayVar(&f.maps, "map", nil, "`SOURCE=TARGET`: this source folder goes to that target folder (repeatable)")
	set.StringVar(&f.mapFile, "map-file", "", "`FILE` of such lines; # begins a comment, quotes keep blanks")
	set.StringArrayVar(&f.renames, "rename", nil, "`REGEXP=REPLACEMENT` in names on the target (RE2, $1; repeatable)")
	set.StringVar(&f.into, "into", "", "put everything below this target `FOLDER`")
	set.StringVar(&f.from, "from", "", "only this source `FOLDER` and what is below it, without its name")
	set.StringArrayVar(&f.include, "include", nil, "only folders that match `GLOB`: * any text, ? one character (repeatable)")
	set.StringArrayVar(&f.exclude, "exclude", nil, "leave out folders that match `GLOB` (repeatable)")
	set.BoolVar(&f.merge, "merge-folders", false, "put Sent, Gesendet and the like into one folder, instead of the fullest")
	set.Var(&f.labels, "gmail-labels", "Gmail's labels: folders, keywords or ignore (docs/gmail.md)")
}

// mapping reads and checks the rules. It talks to nobody.
func (f *mappingFlags) mapping() (mailsync.Mapping, error) {
	m := mailsync.Mapping{Into: f.into, From: f.from, Include: f.include, Exclude: f.exclude, Merge: f.merge, Labels: mailsync.Labels(f.labels)}
	for _, text := range f.maps {
		rule, err := mapText(text)
		if err != nil {
			return m, usagef("write --map 'Source=Target'; an = in a name is written \\=",
				"--map %s: %v", shown(text), err)
		}
		rule.Where = "--map"
		m.Maps = append(m.Maps, rule)
	}
	rules, err := f.readFile()
	if err != nil {
		return m, err
	}
	m.Maps = append(m.Maps, rules...)
	for _, text := range f.renames {
		left, right, found := cutRule(text)
		if !found {
			return m, usagef("write --rename 'REGEXP=REPLACEMENT'; an = in it is written \\=",
				"--rename %s: there is no =", shown(text))
		}
		m.Rewrites = append(m.Rewrites, mailsync.Rewrite{Regexp: left, Replacement: plainEquals(right)})
	}
	return m, m.Check()
}

var errNoEquals = errors.New("there is no =")

// mapRule is a rule of two names as they are.
func mapRule(source, target string) (mailsync.MapRule, error) {
	switch {
	case !utf8.ValidString(source + target):
		return mailsync.MapRule{}, errors.New("it is not UTF-8")
	case source == "":
		return mailsync.MapRule{}, errors.New("it names no source folder")
	case target == "":
		return mailsync.MapRule{}, errors.New("it names no target folder")
	}
	return mailsync.MapRule{Source: source, Target: target}, nil
}

// mapText reads the value of --map.
func mapText(text string) (mailsync.MapRule, error) {
	source, target, found := cutRule(text)
	if !found {
		return mailsync.MapRule{}, errNoEquals
	}
	return mapRule(plainEquals(source), plainEquals(target))
}

// cutRule cuts at the first = that has no backslash before it.
func cutRule(text string) (left, right string, found bool) {
	for i := range len(text) {
		if text[i] == '=' && (i == 0 || text[i-1] != '\\') {
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

func plainEquals(s string) string { return strings.ReplaceAll(s, `\=`, "=") }
