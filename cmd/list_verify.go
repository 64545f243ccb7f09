package cmd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	"mailmove/sync/verify"
)

// foldersOfList is "mailmove folders --accounts": the table of each account under its name.
func (f *syncFlags) foldersOfList(c *cobra.Command, a *app) error {
	l := &listReader{flags: &f.list, login: f, lanes: 1, end: func([]*entry) error { return nil }}
	l.work = func(ctx context.Context, a *app, t listTurn) error {
		t.pass.output = f.output()
		if f.json {
			return t.pass.folders(ctx, a)
		}
		var table bytes.Buffer
		one := *a
		one.out = &table
		if err := t.pass.folders(ctx, &one); err != nil {
			return err // nothing is printed of an account that could not be asked, or will be asked again
		}
		_, err := fmt.Fprintf(a.out, "account %s\n%s", ui.Clean(t.account), table.String())
		return err
	}
	return l.run(c, a)
}

// runList is "mailmove verify --accounts".
func (f *verifyFlags) runList(c *cobra.Command, a *app) error {
	switch {
	case f.against != "":
		return usagef("hold one account after the other against its receipt", "both --against and --accounts")
	case f.receipt != "":
		return usagef("a receipt is of one account: run mailmove verify for each that needs one", "both --receipt and --accounts")
	}
	if err := f.checkVerify(); err != nil {
		return err
	}
	var (
		mu      sync.Mutex
		reports = make(map[string]verify.Report)
	)
	l := &listReader{flags: &f.list, login: &f.syncFlags}
	l.more = func(_ *syncFlags, set *pflag.FlagSet) { // of the command line: no row has its own
		own := &verifyFlags{}
		set.Var(&own.level, "level", "")
		set.Var(&own.sample, "sample", "")
	}
	l.work = func(ctx context.Context, a *app, t listTurn) error {
		one := *f
		one.tell = func(r verify.Report) error {
			mu.Lock()
			reports[t.account] = r
			mu.Unlock()
			if f.json {
				return nil
			}
			_, err := io.WriteString(a.out, ui.Clean(t.account)+": "+verifySum(r))
			return err
		}
		return one.compare(ctx, a, t.pass)
	}
	l.end = func(entries []*entry) error {
		if f.json {
			return nil
		}
		return verifyTotals(a.out, entries, reports)
	}
	return l.run(c, a)
}

// verifyTotals is the last line over a list.
func verifyTotals(w io.Writer, entries []*entry, reports map[string]verify.Report) error {
	var accounts, verified, differ, source, target int64
	words := make(map[verify.Word]int64)
	for _, e := range entries {
		if !e.chosen {
			continue
		}
		accounts++
		r, compared := reports[e.account]
		switch {
		case !compared:
			continue
		case r.Verified():
			verified++
		default:
			differ++
		}
		source, target = source+r.Source.Messages, target+r.Target.Messages
		for word, n := range r.Words {
			words[word] += n
		}
	}
	_, err := fmt.Fprintf(w, "%s: %s verified, %s not equal, %s not compared; %s messages on the source, %s on the target; %s\n",
		countText(accounts, "account", "accounts"), ui.Count(verified), ui.Count(differ), ui.Count(accounts-verified-differ),
		ui.Count(source), ui.Count(target), wordsText(words, "no differences"))
	return err
}
