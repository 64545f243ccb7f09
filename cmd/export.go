package cmd

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/coexist"
)

const exportLong = `Maps for the time in which some accounts have moved and others have not: the old
server relays the mail of the moved ones and leads their logins to the new
server (docs/coexistence.md). A map is replaced in one step, with the one before
beside it, and only after it was looked through for loops and slips.`

func newExport(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "export",
		Short: "Write maps that lead moved accounts to the new server",
		Long:  exportLong,
		Example: "  mailmove export postfix --accounts accounts.csv \\\n" +
			"    --relay mx.new.example --to /etc/postfix/moved\n" +
			"  mailmove export dovecot --accounts accounts.csv --group example.org \\\n" +
			"    --to /etc/dovecot/moved",
		Args: cobra.ArbitraryArgs,
		RunE: onlySubcommands,
	}
	for _, f := range coexist.Formats() {
		c.AddCommand(newExportTo(a, f))
	}
	return c
}

// exportFlags are what the commands below "mailmove export" take.
type exportFlags struct {
	format   coexist.Format
	account  syncFlags // servers and list
	all      bool
	states   []string // of the groups
	to       string
	check    bool
	remove   bool
	prune    bool
	name     string // what a line is found by
	domains  bool   // those that DNS does not know too
	resolver string

	// Postfix
	relay   string
	table   string
	postmap string

	// proxies
	destUser string
	pass     string
}

// exportWords are the parts of the help that differ.
type exportWords struct{ use, short, long, example string }

func exportTexts() map[string]exportWords {
	return map[string]exportWords{
		"postfix": {"--relay HOST", "Write a transport table that relays mail of moved accounts",
			`A line for each moved account: alice@old.example relay:[mx.new.example]:25. The
file is for transport_maps of the old server's Postfix. With postmap on this
machine its index is made, asked for every address, and put in place with it.`,
			"  mailmove export postfix --accounts accounts.csv --group example.org \\\n" +
				"    --relay mx.new.example --to /etc/postfix/moved"},
		"dovecot": {"", "Write a passwd-file for a Dovecot 2.3 that leads moved accounts on",
			`A line for each moved account, which sends its logins at the old Dovecot on to
its target. The passdb that reads the file goes into protocol imap and protocol
pop3, never beside the others: docs/coexistence.md says how, and why.`,
			"  mailmove export dovecot --accounts accounts.csv --group example.org \\\n" +
				"    --target mail.new.example --to /etc/dovecot/moved"},
		"dovecot24": {"", "Write a passwd-file for a Dovecot 2.4 that leads moved accounts on",
			`As mailmove export dovecot. The file is the same, the settings that read it are
written differently: docs/coexistence.md has both.`,
			"  mailmove export dovecot24 --accounts accounts.csv --group example.org \\\n" +
				"    --target mail.new.example --to /etc/dovecot/moved"},
		"nginx": {"", "Write the map that answers nginx' mail proxy for moved accounts",
			`A map for http{} of nginx: with it, nginx itself answers auth_http of its mail
proxy (docs/coexistence.md). It talks clear text to the server behind it, so a
tunnel leads there: --target-address 127.0.0.1:1143 --target-tls none.`,
			"  mailmove export nginx --accounts accounts.csv --group example.org \\\n" +
				"    --target mail.new.example --target-address 127.0.0.1:1143 \\\n" +
				"    --target-tls none --to /etc/nginx/mailmove.map"},
	}
}

func newExportTo(a *app, format coexist.Format) *cobra.Command {
	f := &exportFlags{format: format, account: *newSyncFlags()}
	words := exportTexts()[format.Name]
	c := &cobra.Command{
		Use:     strings.TrimSpace(format.Name+" --accounts FILE --to FILE "+words.use) + " [flags]",
		Short:   words.short,
		Long:    words.long,
		Example: words.example,
		Args:    noArguments,

		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	f.bind(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.validate(c.Flags()); err != nil {
			return err
		}
		return f.run(c, a)
	}
	return c
}

func (f *exportFlags) bind(set *pflag.FlagSet) {
	group(set, flagGroups()[serversGroup], f.account.source.bind)
	f.account.target.bind(set)
	set.VisitAll(func(fl *pflag.Flag) { fl.Hidden = headingOf(fl) == "" })
	group(set, flagGroups()[listGroup], f.account.list.bindSelection)
	set.StringVar(&f.account.id, "id", "", "only the account with this `NAME`")
	set.StringArrayVar(&f.states, "state", nil, "only accounts of groups in this `STATE` of the cutover (repeatable; default, without --group, --id and --all: switched and tail)")
	set.BoolVar(&f.all, "all", false, "every account of the list has moved")
	set.StringVar(&f.to, "to", "", "`FILE` to replace (default: standard output, if it is no terminal)")
	set.BoolVar(&f.check, "check", false, "write nothing; exit code 121 if the file is not as it would be")
	set.BoolVar(&f.remove, "remove", false, "take the accounts out: they have moved back, or are gone at the old server")
	set.BoolVar(&f.prune, "remove-stale", false, "take out entries that are of no account of the list, or of a group that has not moved, or is closed")
	if f.format.Proxy {
		set.StringVar(&f.destUser, "destuser", "", "login at the new server, if not the list's: `TEXT` with {user}, {domain}, {id}")
		set.StringVar(&f.name, "name", "", "login at the old server, if not the list's: `TEXT` with {user}, {domain}, {id}")
	} else {
		set.StringVar(&f.relay, "relay", "", "`HOST[:PORT]` that takes the mail, port 25 if none; may hold {domain}")
		set.StringVar(&f.table, "type", "lmdb", "`KIND` of index: lmdb, hash, btree, cdb, or texthash for none")
		set.StringVar(&f.postmap, "postmap", "", "`PATH` of postmap, or off (default: the one in PATH or /usr/sbin)")
		set.StringVar(&f.name, "name", "", "address of an account, if not its login: `TEXT` with {user}, {domain}, {id}")
	}
	if f.format.Name == "dovecot" || f.format.Name == "dovecot24" {
		set.StringVar(&f.pass, "pass", "own", "`WHICH` password logs in at the target: own, the user's, goes through; target, the list's")
	}
	set.BoolVar(&f.domains, "any-domain", false, "take domains that DNS does not know")
	set.StringVar(&f.resolver, "resolver", "", "`IP[:PORT]` of the name server to ask instead of the system's")
	bindStateDir(set, &f.account.stateDir)
}

// indexes are the types of tables that Postfix keeps an index of, and what is added to the file's name for it.
func indexes() map[string]string {
	return map[string]string{"lmdb": ".lmdb", "hash": ".db", "btree": ".db", "cdb": ".cdb", "texthash": ""}
}

// validate refuses what makes no sense, before a file is read.
func (f *exportFlags) validate(set *pflag.FlagSet) error {
	_, known := indexes()[f.table]
	chosen := len(f.account.list.groups) > 0 || f.account.id != ""
	switch {
	case f.account.list.file == "":
		return usagef("give --accounts FILE, the list that is moved", "no --accounts")
	case slices.ContainsFunc(f.states, func(s string) bool { return !slices.Contains(groupStates(), s) }):
		return usagef("write "+strings.Join(groupStates(), ", "), "--state %s", shown(strings.Join(f.states, ", ")))
	case f.all && chosen:
		return usagef("give one of them", "--all beside --group or --id")
	case f.check && f.to == "":
		return usagef("give --to FILE, the map in use", "--check without --to")
	case f.remove && f.to == "":
		return usagef("give --to FILE, the map in use", "--remove without --to")
	case f.format.Name == "postfix" && f.relay == "" && !f.remove:
		return usagef("give the host that takes the mail of the moved accounts, for example --relay mx.new.example", "no --relay")
	case f.format.Name == "postfix" && !known:
		return usagef("write one of lmdb, hash, btree, cdb, texthash", "--type %s", shown(f.table))
	case f.pass != "" && !slices.Contains([]string{"own", "target"}, f.pass):
		return usagef("write own or target", "--pass %s", shown(f.pass))
	}
	if f.resolver != "" {
		if _, _, err := parseHostPort("--resolver", f.resolver); err != nil {
			return err
		}
	}
	return checkGiven(set)
}
