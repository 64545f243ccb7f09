package accounts

import (
	"slices"
	"strings"
)

// Words for columns that are no field of ours: what they hold is a part of one, or more than one.
const (
	optionsPart = "options"
	ignored     = "(ignored)"
	imapsyncArg = "(imapsync)"
)

// format is another tool's list with a header.
type format struct {
	name    string
	needs   []string          // headings in their normal form, all of which are there
	columns map[string]string // what its headings mean, where that is not what alias says
}

// formats are tried in order; the last one is ours and needs nothing.
func formats() []format {
	return []format{
		{"ms365", []string{"emailaddress", "username"}, map[string]string{ // Microsoft 365: migrating IMAP mailboxes
			"emailaddress": "target_email", "username": "source_user", "password": "source_password", "userroot": "(root)"}},
		{"exchange", []string{"imapmailbox"}, map[string]string{ // Microsoft's tool of 2007 for hosted mail
			"imapmailbox": "source_user", "imappassword": "source_password", "smtpaddress": "target_email", "imapserver": "source_host",
			"exmailbox": ignored, "imapport": "source_port", "imapssl": "source_security"}},
		{"bittitan", []string{"sourceemail", "sourceloginname", "destinationemail"}, nil},
		{"trekmail", []string{"sourceemail", "sourcepassword", "destinationemail"}, nil},
		{"bittitan", []string{"sourceemail", "destinationemail"}, nil}, // admin credentials: addresses only
		{"vialink", []string{"sourceemail", "destemail"}, nil},
		{"cloudm", []string{"exportname", "importname"}, map[string]string{
			"exportname": "source_email", "importname": "target_email", "password": "source_password"}},
		{"ns8", []string{"localusername", "remoteusername"}, map[string]string{ // NethServer 8
			"localusername": "target_user", "remoteusername": "source_user", "remotepassword": "source_password",
			"remotehostname": "source_host", "remoteport": "source_port", "security": "source_security"}},
		{"mailcow", []string{"user1", "user2", "enc1"}, mailcowColumns()},
		{"imapsync", []string{"host1", "user1", "host2", "user2"}, nil},
		{"ispmanager", []string{"mail", "password"}, map[string]string{"mail": "source_user", "password": "source_password"}},
		{"yandex", []string{"email", "password"}, map[string]string{"email": "source_user", "password": "source_password"}},
		{name: ours},
	}
}

// mailcowColumns are the fields of a sync job: host1 and the like are aliases.
func mailcowColumns() map[string]string {
	m := map[string]string{"enc1": "source_security", "customparams": imapsyncArg, "active": "(active)", "id": ignored}
	for _, option := range []string{"subfolder2", "maxage", "exclude", "delete1", "delete2", "delete2duplicates", "dry",
		"maxbytespersecond", "skipcrossduplicates", "subscribeall", "automap"} {
		m[option] = "--" + option
	}
	for _, schedule := range []string{"minsinterval", "timeout1", "timeout2", "isrunning", "lastrun", "created", "modified", "success", "exitstatus", "returnedtext", "log"} {
		m[schedule] = ignored
	}
	return m
}

// formatOf finds whose list has these headings.
func formatOf(heads map[string]bool) format {
	all := formats()
	for _, f := range all {
		if len(f.needs) > 0 && !slices.ContainsFunc(f.needs, func(n string) bool { return !heads[n] }) {
			return f
		}
	}
	return all[len(all)-1]
}

// alias is what a heading means in any list, "" for nothing: a word for the side, before or behind a word for the part.
func alias(heading string) string {
	if heading == "extra" {
		return imapsyncArg
	}
	for _, s := range []struct{ before, after, side string }{
		{"source", "", "source"}, {"src", "", "source"}, {"old", "", "source"}, {"", "1", "source"},
		{"destination", "", "target"}, {"target", "", "target"}, {"dest", "", "target"}, {"dst", "", "target"}, {"new", "", "target"}, {"", "2", "target"},
	} {
		if rest, ok := strings.CutPrefix(heading, s.before); ok {
			if rest, ok = strings.CutSuffix(rest, s.after); ok {
				if part := partName(rest); part != "" {
					return s.side + part
				}
			}
		}
	}
	return ""
}

// partName is the part of an endpoint that a word means.
func partName(word string) string {
	switch word {
	case "host", "hostname", "server", "imapserver", "imaphost":
		return "_host"
	case "port", "imapport":
		return "_port"
	case "security", "ssl", "encryption", "enc":
		return "_security"
	case "user", "username", "login", "loginname":
		return "_user"
	case "password", "pass", "passwd", "pwd":
		return "_password"
	case "email", "mail", "emailaddress", "mailbox", "guser":
		return "_email"
	}
	return ""
}

// shape is another tool's list without a header.
type shape struct {
	name  string
	delim string // separators that it may have
	cells func(cells []string) bool
	parts []string
	least int
}

// shapes are tried in order. Nothing in them is quoted, so a password holds no separator.
func shapes() []shape {
	return []shape{
		{"imapsync", ";,\t|", counted(6, 7), []string{"source_host", "source_user", "source_password", "target_host", "target_user", "target_password", imapsyncArg}, 6},
		{"imapsync-short", ";,\t|", counted(4, 4), []string{"source_user", "source_password", "target_user", "target_password"}, 4},
		{"kerio", ";", func(c []string) bool { return len(c) == 3 && isEmail(c[0]) }, []string{"source_user", "source_password", "(name)"}, 2},
		{"gwmme", ",", func(c []string) bool {
			user, _, with := strings.Cut(c[0], "#")
			return len(c) <= 2 && with && user != "" && (len(c) == 1 || isEmail(c[1]))
		}, []string{"(user#password)", "target_email"}, 1},
		{"google", ",", func(c []string) bool { return len(c) == 2 && isEmail(c[0]) && isEmail(c[1]) }, []string{"source_email", "target_email"}, 2},
	}
}

// counted takes rows of so many cells, where a separator may follow the last one.
func counted(least, most int) func([]string) bool {
	return func(c []string) bool { return len(c) >= least && len(c) <= most }
}

// isEmail tells an address from a word.
func isEmail(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	return ok && name != "" && strings.Contains(domain, ".") && !strings.ContainsAny(s, " \t")
}

// headless finds the shape that most of the first lines have, nil for none.
func headless(text string, lines []string, candidates []byte) *table {
	var (
		best  shape
		delim byte
		most  int
	)
	for _, sh := range shapes() {
		for _, d := range candidates {
			if n := sh.fits(lines, d); n > most {
				best, delim, most = sh, d, n
			}
		}
	}
	if most == 0 {
		return nil
	}
	t := &table{format: best.name, delim: rune(delim), least: best.least, next: newSplitter(text, delim, false).next}
	for _, part := range best.parts {
		heading := part
		if part == imapsyncArg {
			heading = "extra" // as imapsync's own example calls it
		}
		t.columns = append(t.columns, columnOf(heading, part))
	}
	return t
}

// fits counts the lines that have the shape.
func (sh shape) fits(lines []string, delim byte) (n int) {
	if strings.IndexByte(sh.delim, delim) < 0 {
		return 0
	}
	for _, line := range lines {
		rec, _, _ := newSplitter(line, delim, false).next()
		cells := rec.cells
		for len(cells) > 1 && strings.Trim(cells[len(cells)-1], " \t") == "" && len(cells) > sh.least {
			cells = cells[:len(cells)-1]
		}
		if sh.cells(cells) {
			n++
		}
	}
	return n
}
