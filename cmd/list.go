package cmd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"mailmove/cmd/internal/accounts"
	"mailmove/imapx"
)

// listFlags say which list a run is over, which of its accounts are meant, and what all of them have in common.
type listFlags struct {
	file        string
	encoding    encoding
	groups      []string
	only        only
	shard       shard
	skipInvalid bool
	jobs        int
	perServer   int
	maxRate     rate
	maxMessages int
	perDay      byteSize
	until       clock
	timeLimit   interval
	result      string
	logDir      string
	logFormat   logFormat
	metrics     string
	slice       time.Duration // after which a copy makes room for others that wait
}

// Most accounts at once, and connections to one server: beyond that nobody has a server that wants it.
const (
	mostJobs      = 256
	mostPerServer = 200
)

func newListFlags() listFlags { return listFlags{jobs: 4, perServer: 8, slice: sliceTime} }

// bindSelection declares the flags that all commands over a list have.
func (l *listFlags) bindSelection(set *pflag.FlagSet) {
	set.StringVar(&l.file, "accounts", "", "`FILE` of accounts, one a row; - is standard input")
	set.Var(&l.encoding, "encoding", "`NAME` of the file's encoding, if not found: utf-8, utf-16, windows-1252")
	set.StringArrayVar(&l.groups, "group", nil, "only accounts of this `GROUP` (repeatable)")
	set.Var(&l.only, "only", "only accounts that are failed, pending, never or exceptions; several with commas")
	set.Var(&l.shard, "shard", "only a stable part of the accounts: 3/16 is the third of sixteen")
	set.BoolVar(&l.skipInvalid, "skip-invalid", false, "go on without the rows that are wrong")
}

func (l *listFlags) bind(set *pflag.FlagSet) {
	l.bindSelection(set)
	set.IntVar(&l.jobs, "jobs", l.jobs, "`N` accounts at once, 1 to 256")
	set.IntVar(&l.perServer, "connections-per-server", l.perServer, "`N` connections to one server, of all accounts")
	set.Var(&l.maxRate, "max-rate", "how fast all accounts together copy, for example 5MB/s")
	set.IntVar(&l.maxMessages, "max-messages-rate", 0, "`N` messages a second, of all accounts together")
	set.Var(&l.perDay, "max-per-day", "how much of one account is copied in a day, for example 2GB")
	set.Var(&l.until, "until", "begin nothing after this time of the day, for example 06:00, and settle")
	set.Var(&l.timeLimit, "time-limit", "begin nothing after this long, for example 4h, and settle")
	set.StringVar(&l.result, "result", "", "write the rows with what became of them to `FILE`, without passwords")
	set.StringVar(&l.logDir, "log-dir", "", "append to a log of each account in `DIR`")
	set.Var(&l.logFormat, "log-format", "its lines are text or json")
	set.StringVar(&l.metrics, "metrics-file", "", "write figures for Prometheus to `FILE`")
}

// forList tells whether a flag is one of the list's own: they say nothing of a single account.
func forList(f *pflag.Flag) bool {
	return headingOf(f) == flagGroups()[listGroup] || headingOf(f) == flagGroups()[notifyGroup]
}

// withoutList refuses the list's flags where there is none.
func withoutList(set *pflag.FlagSet) (err error) {
	set.Visit(func(f *pflag.Flag) {
		if err == nil && forList(f) {
			err = usagef("give --accounts FILE too, or leave it out", "--%s without --accounts", f.Name)
		}
	})
	return err
}

// check refuses what makes no sense, before the file is read.
func (l *listFlags) check(f *syncFlags) error {
	switch {
	case l.jobs < 1 || l.jobs > mostJobs:
		return usagef("", "--jobs %d: it is from 1 to %d", l.jobs, mostJobs)
	case l.perServer < 1 || l.perServer > mostPerServer:
		return usagef("", "--connections-per-server %d: it is from 1 to %d", l.perServer, mostPerServer)
	case l.maxMessages < 0:
		return usagef("", "--max-messages-rate %d: it is at least 1", l.maxMessages)
	case f.memory < minMemory:
		return usagef("see mailmove sync --help", "--memory %s: it is at least %s", shown(byteText(f.memory)), byteText(minMemory))
	case l.logFormat != "" && l.logDir == "":
		return usagef("give --log-dir DIR too, or leave it out", "--log-format without --log-dir")
	case f.quiet && f.json:
		return usagef("give one of them", "both --quiet and --json")
	case f.trace != "":
		return usagef("run the account alone, without --accounts", "--trace with --accounts")
	case l.result == "-" || l.metrics == "-":
		return usagef("give a name: standard output has the report; a file of that name is ./-", "--%s -: it is written to a file",
			map[bool]string{true: "result", false: "metrics-file"}[l.result == "-"])
	case l.result != "" && l.metrics != "" && (filepath.Clean(l.result) == filepath.Clean(l.metrics) || sameFile(l.result, l.metrics)):
		return usagef("give two names", "--result and --metrics-file are one file: %s", shown(l.result))
	case l.result != "" && sameFile(l.result, l.file):
		return usagef("give another name: the result has no passwords", "--result %s is the list itself", shown(l.result))
	}
	if err := checkPlace("--result", l.result); err != nil {
		return err
	}
	return checkPlace("--metrics-file", l.metrics)
}

// sameFile tells whether two names lead to one file that is there.
func sameFile(x, y string) bool {
	a, errA := os.Stat(x)
	b, errB := os.Stat(y)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// read reads the list. What is worth a look is told, but where only news are wanted.
func (l *listFlags) read(ctx context.Context, a *app, quiet bool) (*accounts.List, error) {
	list, err := readList(ctx, a, "--accounts", l.file, l.encoding, quiet)
	if err != nil {
		return nil, err
	}
	if len(list.Rows) == 0 {
		return nil, &failure{code: exitNoInput, what: "--accounts " + list.Name + ": no account in it", hint: "mailmove accounts show FILE tells how it is read"}
	}
	return list, nil
}

// listColumns are the columns that a list may have, beside id, group, options and the passwords: the flags of an account with
// underscores.
func listColumns() (names []string) {
	set := pflag.NewFlagSet("row", pflag.ContinueOnError)
	newSyncFlags().bind(set)
	new(checkOwn).bindTarget(set)
	set.VisitAll(func(f *pflag.Flag) {
		if perRow(f) {
			names = append(names, strings.ReplaceAll(f.Name, "-", "_"))
		}
	})
	return append(names, cutoverColumns()...)
}

// perRow tells whether a row may have a flag: what an account is and how it is copied, not what the run is.
func perRow(f *pflag.Flag) bool {
	if forList(f) || f.Name == "id" {
		return false
	}
	if strings.HasPrefix(f.Name, "target") { // the help shows those of the source only, so these have no heading
		return true
	}
	switch headingOf(f) {
	case flagGroups()[serversGroup], flagGroups()[foldersGroup]:
		return true
	case flagGroups()[passGroup]:
		return f.Name != "state-dir" && f.Name != "key-file" && f.Name != "memory" && f.Name != "dry-run" && f.Name != "strict"
	}
	return false
}

// lanes is how many connections to each side an account is given before it begins: where many accounts run at once,
// they share out the servers' limit.
func (l *listFlags) lanes(connections int) int {
	return max(1, min(connections, l.serverLimit()/l.jobs))
}

// serverLimit is how many connections this run may have to one server: the shards of a list share it.
func (l *listFlags) serverLimit() int { return max(1, l.perServer/max(l.shard.of, 1)) }

// deadline is when nothing is begun any more; zero: never.
func (l *listFlags) deadline(now time.Time) time.Time {
	end := l.until.next(now)
	if l.timeLimit > 0 {
		if t := now.Add(time.Duration(l.timeLimit)); end.IsZero() || t.Before(end) {
			end = t
		}
	}
	return end
}

// newSyncFlags has the defaults of all flags.
func newSyncFlags() *syncFlags {
	return &syncFlags{
		source: endpointFlags{side: "source"}, target: endpointFlags{side: "target"}, list: newListFlags(),
		notify: newNotifyFlags(), memory: 64 << 20, retryFor: interval(5 * time.Minute), compress: compressMode(imapx.CompressAuto), progress: interval(time.Minute),
	}
}
