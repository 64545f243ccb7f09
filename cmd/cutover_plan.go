package cmd

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
)

const cutoverPlanLong = `Prints the schedule of a move as Markdown, for the ticket: what to do when, with
the commands filled in, and what IMAP does not carry, from the list's own
columns where it has them. Nobody is asked, and nothing is changed.`

// planFlags are what a plan takes.
type planFlags struct {
	cutoverFlags
	at        localTime
	ttl       ttlSpan
	quietDays int
	language  language
}

// localTime is a time of this machine's zone, as people write it.
type localTime struct{ time.Time }

func (t *localTime) Set(text string) error {
	at, err := time.ParseInLocation("2006-01-02 15:04", strings.Replace(text, "T", " ", 1), time.Local)
	if err != nil {
		return errors.New("write a time such as '2026-12-05 20:00'")
	}
	t.Time = at
	return nil
}

func (t *localTime) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02 15:04")
}
func (*localTime) Type() string { return "TIME" }

// ttlSpan is how long resolvers keep a record, at most a week: longer ones are cut to that (RFC 8767 section 4).
type ttlSpan time.Duration

const mostTTL = 7 * 24 * time.Hour

func (t *ttlSpan) Set(text string) error {
	d, err := time.ParseDuration(text)
	if seconds, e := strconv.ParseUint(text, 10, 31); e == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	} else if number, isDays := strings.CutSuffix(text, "d"); isDays {
		days, e := strconv.ParseUint(number, 10, 8)
		d, err = time.Duration(days)*24*time.Hour, e
	}
	if err != nil || d < time.Second || d > mostTTL {
		return errors.New("write a TTL up to 7d such as 1d, 12h, 5m, or its seconds as in the zone: 86400")
	}
	*t = ttlSpan(d)
	return nil
}

func (t *ttlSpan) String() string {
	if d := time.Duration(*t); d%(24*time.Hour) != 0 {
		return shortDuration(d)
	}
	return fmt.Sprintf("%dd", time.Duration(*t)/(24*time.Hour))
}

func (*ttlSpan) Type() string { return "TIME" }

// pastTTL is a ttlSpan, or off (0): the TTL was low already.
type pastTTL ttlSpan

// usualTTL is what zones have mostly.
const usualTTL = 24 * time.Hour

func (t *pastTTL) Set(text string) error {
	if text == "off" {
		*t = 0
		return nil
	}
	if err := (*ttlSpan)(t).Set(text); err != nil {
		return fmt.Errorf("%w; or off", err)
	}
	return nil
}

func (t *pastTTL) String() string {
	if *t == 0 {
		return "off"
	}
	return (*ttlSpan)(t).String()
}

func (*pastTTL) Type() string { return "TIME" }

func (t *pastTTL) bind(set *pflag.FlagSet) {
	set.Var(t, "old-ttl", "TTL that there may have been before the first look, up to 7d; off: it was low already")
}

func newCutoverPlan(a *app) *cobra.Command {
	f := &planFlags{cutoverFlags: newCutoverFlags(), ttl: ttlSpan(usualTTL), language: "en"}
	c := &cobra.Command{
		Use:   "plan --accounts FILE",
		Short: "Print the schedule of a move, with its commands",
		Long:  cutoverPlanLong,
		Example: "  mailmove cutover plan --accounts list.csv --switch '2026-12-05 20:00' >plan.md\n" +
			"  mailmove cutover plan --accounts list.csv --language de --group example.org",
		Args:                  noArguments,
		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	f.cutoverFlags.bind(c.Flags())
	group(c.Flags(), flagGroups()[stepGroup], func(set *pflag.FlagSet) {
		set.Var(&f.at, "switch", "when the MX records are switched, in local time; none: the plan counts days from it")
		set.Var(&f.ttl, "ttl", "the longest TTL of the MX records now")
		set.IntVar(&f.quietDays, "quiet-days", usualQuiet, "`DAYS` without new mail that end the tail, 1 to 365")
		set.Var(&f.language, "language", "en or de")
	})
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.quietDays < 1 || f.quietDays > 365 {
			return usagef("", "--quiet-days %d: it is from 1 to 365", f.quietDays)
		}
		if !f.at.IsZero() && f.at.Before(time.Now()) {
			a.warn("--switch %s is over: the times of this plan are, too", f.at.String())
		}
		r, err := f.view(c, a)
		if err != nil {
			return err
		}
		words, err := template.New("plan").Parse(planWords(f.language))
		if err != nil {
			return err
		}
		var b strings.Builder
		if err := words.Execute(&b, f.plan(r)); err != nil {
			return err
		}
		_, err = fmt.Fprint(a.out, b.String())
		return err
	}
	return c
}

// planned is what the words of a plan are filled with.
type planned struct {
	Table   []plannedGroup // all
	Groups  []plannedGroup // those with a name, which steps can be for
	Lower   string         // when the TTL is lowered at the latest
	Copy    string         // when copying begins
	Check   string
	Switch  string
	Tail    string // when the tail ends at the earliest
	TTL     string
	Quiet   int
	Flags   string // of a command for one group
	Chosen  string // of one for all groups of the plan
	Cron    string // the same in a crontab
	OldTTL  string // for commands that look at the DNS, where the TTL is longer than they assume
	List    string // which list, and how it is read
	Domains string // of all groups, with the state folder, for a command line
	Left    []plannedLeft
	Columns string // where the list may say more
}

type plannedGroup struct {
	Name     string // a cell of a table
	Word     string // for a command line
	Accounts int
	State    string
}

// plannedLeft is something of an account that IMAP does not carry.
type plannedLeft struct{ Account, What, Value string }

func (f *planFlags) plan(r *listRun) planned {
	p := planned{TTL: f.ttl.String(), List: r.listWords(), Quiet: f.quietDays, Flags: r.commandLine(), Columns: strings.Join(notCarried(), ", ")}
	day := 24 * time.Hour
	p.Copy, p.Check = f.when(-7*day), f.when(-8*day)
	p.Lower = f.when(-time.Duration(f.ttl) - day) // a day for name servers that are slow to take it over
	p.Switch, p.Tail = f.when(0), f.when(time.Duration(f.quietDays)*day)
	p.Chosen = p.Flags
	for _, name := range r.f.list.groups {
		p.Chosen += " --group " + oneWord(name)
	}
	p.Cron = strings.ReplaceAll(p.Chosen, "%", `\%`) // which is a line's end there, see crontab(5)
	if time.Duration(f.ttl) > usualTTL {
		p.OldTTL = " --old-ttl " + f.ttl.String()
	}
	var domains []string
	for _, g := range r.groupViews() {
		p.Table = append(p.Table, plannedGroup{markdownCell(g.title()), oneWord(g.name), len(g.members), g.state})
		if g.name != "" {
			p.Groups = append(p.Groups, p.Table[len(p.Table)-1])
		}
		for _, domain := range g.domains(r) {
			domains = append(domains, oneWord(domain))
		}
		for _, e := range g.entries {
			for _, column := range notCarried() {
				if value := e.row.Fields[column]; value != "" {
					p.Left = append(p.Left, plannedLeft{markdownCell(e.account), leftWords(f.language)[column], markdownCell(value)})
				}
			}
		}
	}
	slices.Sort(domains)
	p.Domains = strings.Join(slices.Compact(domains), " ")
	if r.f.stateDir != "" && p.Domains != "" {
		p.Domains += " --state-dir " + oneWord(r.f.stateDir) // it remembers the TTLs for the steps
	}
	return p
}

// when is a time counted from the switch.
func (f *planFlags) when(from time.Duration) string {
	if !f.at.IsZero() {
		return f.at.Add(from).Format("2006-01-02 15:04")
	}
	days := int(math.Floor(from.Hours() / 24)) // rather earlier than too late
	switch word := map[language]string{"de": "Umstellung", "en": "switch"}[f.language]; {
	case days < 0:
		return fmt.Sprintf("%s − %d d", word, -days)
	case days > 0:
		return fmt.Sprintf("%s + %d d", word, days)
	default:
		return word
	}
}

// listWords say which list it is, and how it is read, as here.
func (r *listRun) listWords() string {
	words := "--accounts " + oneWord(r.f.list.file)
	if encoding := r.f.list.encoding.String(); encoding != "" {
		words += " --encoding " + oneWord(encoding)
	}
	if r.f.list.skipInvalid {
		words += " --skip-invalid"
	}
	return words
}

// commandLine gives the flags that every command over the list has, as they were given here.
func (r *listRun) commandLine() string {
	words := []string{r.listWords()}
	for _, g := range r.given {
		for _, v := range g.values {
			if words = append(words, dashed(g.name)); v != "true" {
				words = append(words, oneWord(v))
			}
		}
	}
	return strings.Join(words, " ")
}

// oneWord makes one word for a shell of any text of a list.
func oneWord(text string) string { return shellWord(ui.Clean(text)) }

// markdownCell makes a text that Markdown takes for nothing but a text, in a table too.
func markdownCell(text string) string {
	var b strings.Builder
	for _, r := range ui.Clean(text) {
		if strings.ContainsRune("\\`*_{}[]()<>#+!|~&$", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
