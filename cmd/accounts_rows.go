package cmd

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"mailmove/cmd/internal/accounts"
)

func sortedFields(r accounts.Row) []string {
	names := make([]string, 0, len(r.Fields))
	for name := range r.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// mailboxKeys makes what names the mailboxes of a row as far as the row itself does, and finds what is wrong in it: equal
// keys are equal mailboxes. What a row leaves open, the command line may give. The flags are declared once for all rows.
func mailboxKeys() func(accounts.Row) (source, target string, err error) {
	f := newSyncFlags()
	set := pflag.NewFlagSet("row", pflag.ContinueOnError)
	f.bind(set)
	new(checkOwn).bindTarget(set)
	unset := *f
	return func(r accounts.Row) (source, target string, err error) {
		*f = unset
		return f.rowKeys(set, r)
	}
}

// rowKeys sets the flags of a row.
func (f *syncFlags) rowKeys(set *pflag.FlagSet, r accounts.Row) (source, target string, err error) {
	for _, name := range sortedFields(r) {
		if slices.Contains(cutoverColumns(), name) {
			continue
		}
		if err := set.Set(strings.ReplaceAll(name, "_", "-"), r.Fields[name]); err != nil {
			return "", "", accounts.Problem{Column: name, Text: shown(r.Fields[name]) + ": " + settingError(err)}
		}
	}
	if err := checkRowOptions(r); err != nil {
		return "", "", err
	}
	if source, err = f.source.mailboxKey(); err != nil {
		return "", "", columnProblem(err)
	}
	if target, err = f.target.mailboxKey(); err != nil {
		return "", "", columnProblem(err)
	}
	return source, target, nil
}

// settingError is what a flag says of its value, without the flag.
func settingError(err error) string {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return wanted(invalid)
	}
	return err.Error()
}

// mailboxKey is the mailbox of a side, "" where it is not said whose it is.
func (e *endpointFlags) mailboxKey() (string, error) {
	e.ca = "" // a file of the machine on which it runs
	if e.url == "" {
		if e.user == "" {
			return "", nil
		}
		return e.side + "\x00" + strings.ToLower(orElse(e.authzID, e.user)), nil // of the one server that the command line gives
	}
	a, err := parseAddress(e.flag(""), e.url)
	if err != nil || a.User == "" && e.user == "" {
		return "", err
	}
	ep, err := e.endpoint()
	if err != nil {
		return "", err
	}
	box := mailboxOf(ep)
	return strings.Join(box[:], "\x00"), nil
}

// checkRowOptions finds options that no pass has.
func checkRowOptions(r accounts.Row) error {
	if len(r.Args) == 0 {
		return nil
	}
	set := pflag.NewFlagSet("options", pflag.ContinueOnError)
	newSyncFlags().bind(set)
	parse := func(fl *pflag.Flag, value string) error {
		if !perRow(fl) {
			return errors.New("--" + fl.Name + " is for the run, not for one row")
		}
		return set.Set(fl.Name, value)
	}
	problem := accounts.Problem{Column: "options"}
	switch err := set.ParseAll(r.Args, parse); {
	case err != nil:
		problem.Text, problem.Hint = err.Error(), "the options of a row are flags of mailmove sync"
		return problem
	case set.NArg() > 0:
		problem.Text, problem.Hint = shown(set.Arg(0))+" belongs to no option", "put a value with blanks in quotes"
		return problem
	}
	if err := checkGiven(set); err != nil {
		return columnProblem(err)
	}
	return nil
}

// columnProblem says of an error that names a flag which column that is.
func columnProblem(err error) accounts.Problem {
	line, hint := describe(err)
	p := accounts.Problem{Text: line, Hint: hint}
	if part := regexp.MustCompile(`^--([a-z-]+):? (.+)$`).FindStringSubmatch(line); part != nil {
		p.Column, p.Text = strings.ReplaceAll(part[1], "-", "_"), part[2]
	}
	return p
}
