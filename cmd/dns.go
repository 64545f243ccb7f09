package cmd

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const dnsLong = `Looks at the DNS of mail domains around a cutover: it asks every authoritative
name server, at each of its addresses, from the roots down; no resolver stands
between. It says what keeps mail or mail programs from the new server, and when
a switch is safe: when the TTL was lowered is remembered from run to run.

Nothing is changed. Exit code 0: all name servers agree, and what is expected is
there; 78: not so. docs/dns.md has the findings one by one.`

const dnsExample = `  mailmove dns old.example
  mailmove dns --accounts accounts.csv --expect-mx mx.new.example --wait
  mailmove dns old.example --expect mail.old.example=192.0.2.7 \
               --resolver 9.9.9.9`

// pollEvery is the value of a --wait that has none.
const pollEvery = "30s"

// dnsFlags are what "mailmove dns" takes.
type dnsFlags struct {
	file      string
	encoding  encoding
	groups    []string
	expect    []string
	expectMX  []string
	expectTXT []string
	hosts     []string
	source    string
	resolvers []string
	selectors []string
	ttl       interval
	oldTTL    pastTTL
	wait      interval
	timeLimit interval
	json      bool
	stateDir  string
	root      string
	httpsPort uint16
}

func newDNS(a *app) *cobra.Command {
	f := &dnsFlags{oldTTL: pastTTL(usualTTL)}
	c := &cobra.Command{
		Use:     "dns [--accounts FILE | DOMAIN…] [flags]",
		Short:   "Say when the DNS can be switched, and whether it is",
		Long:    dnsLong,
		Example: dnsExample,
		Args:    cobra.ArbitraryArgs,

		ValidArgsFunction:     cobra.NoFileCompletions,
		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	f.bind(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkGiven(c.Flags()); err != nil {
			return err
		}
		look, err := f.validate(c.Context(), a, args)
		if err != nil {
			return err
		}
		return look.run(c.Context(), a)
	}
	return c
}

func (f *dnsFlags) bind(set *pflag.FlagSet) {
	set.StringVar(&f.file, "accounts", "", "the domains of the source users in a `FILE` of accounts; - is standard input")
	set.Var(&f.encoding, "encoding", "`NAME` of the file's encoding, if not found: utf-8, utf-16, windows-1252")
	set.StringArrayVar(&f.groups, "group", nil, "only accounts of this `GROUP` (repeatable)")
	set.StringArrayVar(&f.expectMX, "expect-mx", nil, "the MX should be exactly this `HOST` (repeatable)")
	set.StringArrayVar(&f.expect, "expect", nil, "HOST should have this address: `HOST=IP` (repeatable)")
	set.StringArrayVar(&f.expectTXT, "expect-txt", nil, "NAME should have this text: `NAME=TEXT` (repeatable)")
	set.StringArrayVar(&f.hosts, "host", nil, "a `HOST` whose address will be switched: its TTL too (repeatable)")
	set.StringVar(&f.source, "source", "", "the old server's `HOST` name: what still names it is told")
	set.StringArrayVar(&f.resolvers, "resolver", nil, "say what this resolver remembers, and for how long: `IP` (repeatable)")
	set.StringArrayVar(&f.selectors, "dkim-selector", nil, "look for the DKIM key with this `NAME` (repeatable)")
	set.Var(&f.ttl, "ttl", "what a TTL should be lowered to; off: 5m, in .de 3m")
	f.oldTTL.bind(set)
	set.Var(&f.wait, "wait", "look again, each `TIME`, until all name servers agree and all is as expected")
	set.Lookup("wait").NoOptDefVal = pollEvery
	set.Var(&f.timeLimit, "time-limit", "with --wait: no longer than this")
	set.BoolVar(&f.json, "json", false, "print one JSON object for each line (docs/dns.md)")
	bindStateDir(set, &f.stateDir)
	set.StringVar(&f.root, "root", "", "begin at this name server, whose port all have: `IP:PORT`")
	set.Uint16Var(&f.httpsPort, "https-port", 443, "`PORT` of MTA-STS policies")
	for _, name := range []string{"root", "https-port"} { // for a name space of one's own
		flag := set.Lookup(name)
		flag.Hidden, flag.Annotations = true, map[string][]string{forDevelopers: nil}
	}
}
