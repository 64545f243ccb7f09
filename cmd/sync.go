package cmd

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/state/fleet"
	mailsync "mailmove/sync"
)

// syncFlags are what "mailmove sync" takes.
type syncFlags struct {
	source      endpointFlags
	target      endpointFlags
	id          string
	stateDir    string
	mapping     mappingFlags
	memory      byteSize
	connections int
	retryFor    interval
	compress    compressMode
	filter      filterFlags
	cutover     cutover
	alter       alterMode
	recopyGone  bool
	deletions   deletionFlags
	loginNow    bool
	keyFile     string
	shelf       *tokenShelf // of the process
	strict      bool
	dryRun      bool
	json        bool
	quiet       bool
	progress    interval
	trace       string
	profile     string
	list        listFlags
	notify      notifyFlags
	check       *checkOwn // of a row that is checked; nil elsewhere
}

const syncLong = `One pass over one account: copies what is new on the source, carries changed
flags, and leaves alone what was moved, deleted or read in the new mailbox.
The first pass copies everything. The source is never changed, but with
--reverse. With --accounts, one pass over each account of a list.`

const syncExample = `  export MAILMOVE_SOURCE_PASSWORD=… MAILMOVE_TARGET_PASSWORD=…
  mailmove sync --source mail.old.example --source-user alice@old.example \
                --target mail.new.example --target-user alice@new.example
  mailmove sync --accounts accounts.csv --result result.csv`

func newSync(a *app) *cobra.Command {
	f := newSyncFlags()
	c := &cobra.Command{
		Use:     "sync --source HOST --source-user NAME --target … --target-user …",
		Short:   "Move one mailbox: everything first, then what changed",
		Long:    syncLong,
		Example: syncExample,
		Args:    noArguments,

		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	f.bind(c.Flags())
	single := f.run(a, (*pass).run)
	c.RunE = func(c *cobra.Command, args []string) error {
		if f.list.file != "" {
			return f.runList(c, a)
		}
		if err := withoutList(c.Flags()); err != nil {
			return err
		}
		return single(c, args)
	}
	return c
}

// run is what the commands that talk to both servers do with their flags.
func (f *syncFlags) run(a *app, work func(*pass, context.Context, *app) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		p, err := f.validate()
		if err != nil {
			return err
		}
		if err := p.logins(c.Context(), f, terminal{a.in, a.err}); err != nil {
			return err
		}
		return profiled(f.profile, func() error {
			return p.trusting(c.Context(), a, func() error { return work(p, c.Context(), a) })
		})
	}
}

// bindPair declares the flags that say what goes where.
func (f *syncFlags) bindPair(set *pflag.FlagSet) {
	groups := flagGroups()
	group(set, groups[0], f.source.bind)
	f.target.bind(set)
	set.VisitAll(func(fl *pflag.Flag) { fl.Hidden = headingOf(fl) == "" })
	group(set, groups[1], f.mapping.bind)
}

// bindAccount declares the flags that say what is known of the account.
func (f *syncFlags) bindAccount(set *pflag.FlagSet) {
	set.StringVar(&f.id, "id", "", "`NAME` of the account in state and output (default: made of both mailboxes)")
	set.StringVar(&f.stateDir, "state-dir", "", "`DIR` of the state (default: $MAILMOVE_STATE_DIR, else see docs/sync.md)")
	bindKeyFile(set, &f.keyFile)
	set.BoolVar(&f.loginNow, "login-now", false, "log in although it failed before and the time to wait is not over")
}

func (f *syncFlags) bind(set *pflag.FlagSet) {
	f.bindPair(set)
	groups := flagGroups()
	group(set, groups[2], f.bindAccount)
	group(set, groups[2], func(s *pflag.FlagSet) {
		s.Var(&f.memory, "memory", "most memory for messages in flight, for example 64MiB")
		s.IntVar(&f.connections, "connections", 2, "`N` connections to each server, 1 to 16")
		s.Var(&f.retryFor, "retry-for", "how long a lost connection is made again; off: not at all")
		s.Var(&f.compress, "compress", "compress the lines where the servers can: on, off, or auto, which is where a line is slow")
		s.Var(&f.alter, "alter", "auto: what the target refuses goes there with the least change that it takes; never: as it is, or not at all")
		s.BoolVar(&f.recopyGone, "recopy-gone", false, "copy again what is gone on the target, and was not moved there")
		s.BoolVar(&f.strict, "strict", false, "exit 111 also for exceptions that are known, if they are not accepted")
		s.BoolVar(&f.dryRun, "dry-run", false, "say what a pass would do and write nothing, not even state")
	})
	group(set, groups[2], f.filter.bind)
	group(set, groups[2], f.deletions.bind)
	group(set, groups[3], func(s *pflag.FlagSet) {
		s.Var(&f.progress, "progress", "how often a line of progress is printed where there is no terminal, or off")
		s.BoolVar(&f.quiet, "quiet", false, "print nothing unless something is new: for cron")
		s.BoolVar(&f.json, "json", false, "print events, one JSON object a line (docs/events.md)")
		s.StringVar(&f.trace, "trace", "", "write the IMAP protocol to `FILE`, without passwords and mail")
	})
	group(set, groups[5], f.cutover.bind)
	group(set, groups[listGroup], f.list.bind)
	group(set, groups[notifyGroup], f.notify.bind)
	bindProfile(set, &f.profile)
}

// validate checks everything that needs no network and no password.
func (f *syncFlags) validate() (*pass, error) {
	source, err := f.source.endpoint()
	if err != nil {
		return nil, err
	}
	target, err := f.target.endpoint()
	if err != nil {
		return nil, err
	}
	if err := checkDifferent(source, target); err != nil {
		return nil, err
	}
	switch {
	case f.connections < 1 || f.connections > 16:
		return nil, usagef("servers close the door at about 10 for one login", "--connections %d: it is from 1 to 16", f.connections)
	case f.memory < minMemory:
		return nil, usagef("see mailmove sync --help", "--memory %s: it is at least %s", shown(byteText(f.memory)), byteText(minMemory))
	case f.quiet && f.json:
		return nil, usagef("give one of them", "both --quiet and --json")
	case len(f.id) > 200 || ui.Clean(f.id) != f.id:
		return nil, usagef("", "--id %s: it is a name of at most 200 bytes, without control characters", shown(f.id))
	}
	filter, err := f.filter.filter(time.Now())
	if err != nil {
		return nil, err
	}
	mapping, err := f.mapping.mapping()
	if err != nil {
		return nil, err
	}
	if err := f.cutover.check(f, filter, mapping); err != nil {
		return nil, err
	}
	if err := f.deletions.check(f, filter); err != nil {
		return nil, err
	}
	dir, err := stateDir(f.stateDir)
	if err != nil {
		return nil, err
	}
	return &pass{
		account: orElse(f.id, accountID(source, target)), source: source, target: target, stateDir: dir, mapping: mapping,
		memory: int64(f.memory), connections: f.connections, retryFor: time.Duration(f.retryFor), compress: imapx.Compress(f.compress),
		filter: filter, alter: f.alter, recopyGone: f.recopyGone, deletions: f.deletions, loginNow: f.loginNow, strict: f.strict, dryRun: f.dryRun, cutover: f.cutover,
		output: f.output(), progress: time.Duration(f.progress), trace: f.trace,
	}, nil
}

func (f *syncFlags) output() ui.Mode {
	switch {
	case f.json:
		return ui.JSON
	case f.quiet:
		return ui.Quiet
	}
	return ui.Plain
}

// pass is a validated "mailmove sync".
type pass struct {
	account     string
	source      imapx.Endpoint
	target      imapx.Endpoint
	stateDir    string
	mapping     mailsync.Mapping
	memory      int64
	connections int
	retryFor    time.Duration
	compress    imapx.Compress
	filter      mailsync.Filter
	alter       alterMode
	recopyGone  bool
	deletions   deletionFlags
	loginNow    bool
	strict      bool
	dryRun      bool
	output      ui.Mode
	progress    time.Duration
	trace       string
	cutover     cutover
	listed      bool         // one of a list: nobody is asked anything, and what follows is shared
	fleet       *fleet.Fleet // nil: nothing is remembered
	untrusted   error        // a certificate that is not trusted, where a report says so and not an error
}

// logins gets both passwords, before anything is connected: a missing one fails the row at once.
func (p *pass) logins(ctx context.Context, f *syncFlags, t terminal) error {
	var err error
	f.placeTokens()
	if p.source, err = f.source.login(ctx, p.source, t); err != nil {
		return err
	}
	p.target, err = f.target.login(ctx, p.target, t)
	return err
}

// openTrace makes the trace file, readable by its owner only: it names folders.
func (p *pass) openTrace() (*os.File, error) {
	if p.trace == "" {
		return nil, nil
	}
	f, err := os.OpenFile(filepath.Clean(p.trace), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, noInput("--trace", err)
	}
	return f, nil
}

func byteText(b byteSize) string { return b.String() }
