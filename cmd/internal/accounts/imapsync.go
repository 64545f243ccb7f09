package accounts

import (
	"strconv"
	"strings"
)

// imapsyncRule is what an option of imapsync's means here.
type imapsyncRule struct {
	value bool                                       // it has a value
	args  func(v string) (args []string, bad string) // bad: why it cannot be taken over
	field func(d *draft, v string) string            // it is a part of an endpoint; gives why it cannot be one
	none  bool                                       // mailmove does it anyway, or has no use for it
	hint  string                                     // why it is refused
}

const (
	deleteHint = "it means something else here: mailmove deletes nothing on the source, and on the target with --deletions only; take the option out to agree to that"
	clearHint  = "imapsync may talk clear text then; write source_tls and target_tls (implicit, starttls or none) in a list with a header"
	globHint   = "write it as a glob, * for any text, with --exclude, --include, --map or --rename in the column options of a list with a header"
)

// imapsyncRules are the options that are known. What is not among them is refused.
func imapsyncRules() map[string]imapsyncRule {
	rules := map[string]imapsyncRule{
		"subfolder1": {value: true, args: flag("--from")},
		"subfolder2": {value: true, args: flag("--into")},
		"maxage":     {value: true, args: days("--newer-than")},
		"minage":     {value: true, args: days("--older-than")},
		"maxsize":    {value: true, args: number("--max-size", "B")},
		"f1f2":       {value: true, args: flag("--map")},
		"folder":     {value: true, args: func(v string) ([]string, string) { return []string{"--include", escapeGlob(v)}, "" }},
		"exclude":    {value: true, args: expression("--exclude")},
		"include":    {value: true, args: expression("--include")},

		"ssl1": {field: tlsOf(0, "implicit")}, "ssl2": {field: tlsOf(1, "implicit")},
		"tls1": {field: tlsOf(0, "starttls")}, "tls2": {field: tlsOf(1, "starttls")},
		"port1":     {value: true, field: func(d *draft, v string) string { return d.portOf(0, v) }},
		"port2":     {value: true, field: func(d *draft, v string) string { return d.portOf(1, v) }},
		"authuser1": {value: true, field: adminOf(0)},
		"authuser2": {value: true, field: adminOf(1)},
		"passfile1": {value: true, args: flag("--source-password-file")},
		"passfile2": {value: true, args: flag("--target-password-file")},

		"dry":         {hint: "a dry run is a whole run's: give --dry-run on the command line, and take the option out"},
		"regextrans2": {value: true, hint: globHint}, "folderrec": {value: true, hint: globHint},
		"nossl1": {hint: clearHint}, "nossl2": {hint: clearHint}, "notls1": {hint: clearHint}, "notls2": {hint: clearHint},
		"justlogin": {hint: "mailmove check logs in and copies nothing"}, "justfolders": {hint: "mailmove folders shows them"},
	}
	for _, name := range []string{"delete", "delete1", "delete2", "delete2folders", "delete2foldersonly", "delete2duplicates", "delete1emptyfolders", "deletedups", "expunge1", "expunge2", "noexpunge1", "uidexpunge2"} {
		rules[name] = imapsyncRule{hint: deleteHint, value: name == "delete2foldersonly"}
	}
	for _, name := range []string{"automap", "addheader", "nosyncacls", "syncinternaldates", "useuid", "usecache", "nousecache", "nofoldersizes", "nofoldersizesatend",
		"noreleasecheck", "nolog", "subscribe", "subscribeall", "subscribe_all", "skipcrossduplicates", "fast", "noexpungeaftereach", "noid", "nomodules_version"} {
		rules[name] = imapsyncRule{none: true}
	}
	for _, name := range []string{"errorsmax", "timeout1", "timeout2", "maxbytespersecond", "maxbytesafter", "maxmessagespersecond", "maxsleep", "exitwhenover", "tmpdir", "pidfile",
		"logfile", "logdir", "buffersize", "split1", "split2", "reconnectretry1", "reconnectretry2", "authmech1", "authmech2"} {
		rules[name] = imapsyncRule{none: true, value: true}
	}
	rules["subscribed"] = imapsyncRule{hint: "mailmove carries all folders; name those that you want with --include"}
	return rules
}

// imapsync gives the rules, which are made once a list.
func (m *maker) imapsync() map[string]imapsyncRule {
	if m.rules == nil {
		m.rules = imapsyncRules()
	}
	return m.rules
}

// translate says options of imapsync's in our words.
func (d *draft) translate(heading string, words []string) {
	for i := 0; i < len(words); i++ {
		name, value, joined := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(words[i], "-"), "-"), "=")
		rule, known := d.imapsync()[name]
		switch {
		case !strings.HasPrefix(words[i], "-") || !known && !isOption(words[i]):
			// Where a password holds a separator, the last cells are another's: nothing of them may be repeated.
			d.shifted = true
			d.problem(heading, "that is no option of imapsync's", "is there a separator in a password? that needs a list with a header, and quotes: see docs/lists.md")
			return
		case !known:
			d.problem(heading, "imapsync's --"+name+" has no meaning here that is known", "take it out, or say it in our flags in a list with a header: see docs/lists.md")
			return
		case rule.value && !joined && i+1 == len(words):
			d.problem(heading, "--"+name+" has no value", "")
			return
		case rule.value && !joined:
			i++
			value = words[i]
		}
		d.apply(heading, name, value, rule)
	}
}

func (d *draft) apply(heading, name, value string, rule imapsyncRule) {
	bad := ""
	switch {
	case rule.hint != "":
		d.problem(heading, "imapsync's --"+name+" is not taken over", rule.hint)
	case rule.none:
		d.unneededOption("--"+name, d.row.Line)
	case rule.field != nil:
		bad = rule.field(d, value)
	default:
		var args []string
		args, bad = rule.args(value)
		d.row.Args = append(d.row.Args, args...)
	}
	if bad != "" {
		d.problem(heading, "--"+name+": "+bad, globHintFor(name))
	}
}

func globHintFor(name string) string {
	if name == "exclude" || name == "include" {
		return globHint
	}
	return ""
}

// isOption tells an option from anything else that may stand there.
func isOption(word string) bool {
	name, long := strings.CutPrefix(word, "--")
	name, _, _ = strings.Cut(name, "=")
	return long && name != "" && len(name) <= 30 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

func flag(name string) func(string) ([]string, string) {
	return func(v string) ([]string, string) {
		if v == "" {
			return nil, "the value is empty"
		}
		return []string{name, v}, ""
	}
}

// number is a flag with a unit behind a whole number; 0 is none.
func number(name, unit string) func(string) ([]string, string) {
	return func(v string) ([]string, string) {
		n, err := strconv.ParseUint(v, 10, 63)
		switch {
		case err != nil:
			return nil, "that is no whole number"
		case n == 0:
			return nil, ""
		}
		return []string{name, strconv.FormatUint(n, 10) + unit}, ""
	}
}

// days is an age in days: imapsync takes fractions.
func days(name string) func(string) ([]string, string) {
	whole := number(name, "d")
	return func(v string) ([]string, string) {
		args, bad := whole(v)
		if bad != "" {
			bad = "that is no whole number of days"
		}
		return args, bad
	}
}

// expression is a flag for each glob that a regular expression comes to.
func expression(name string) func(string) ([]string, string) {
	return func(v string) ([]string, string) {
		globs, ok := globsOf(v)
		if !ok {
			return nil, "the regular expression cannot be written as a glob"
		}
		var args []string
		for _, g := range globs {
			args = append(args, name, g)
		}
		return args, ""
	}
}

func tlsOf(side int, mode string) func(*draft, string) string {
	return func(d *draft, _ string) string {
		name := sideNames()[side] + "_tls"
		if other := d.row.Fields[name]; other != "" && other != mode {
			return "the row says " + other + " too"
		}
		d.row.Fields[name] = mode
		return ""
	}
}

func (d *draft) portOf(side int, v string) string {
	if d.sides[side].port != "" && d.sides[side].port != v {
		return "the row has another port too"
	}
	d.sides[side].port, d.sides[side].portHeading = v, "--port"+itoa(side+1)
	return ""
}

// adminOf: the admin logs in, and opens the mailbox of the user.
func adminOf(side int) func(*draft, string) string {
	return func(d *draft, admin string) string {
		d.sides[side].admin = admin
		return ""
	}
}
