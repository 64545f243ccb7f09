package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx/imaptest"
	"mailmove/state"
)

const demoLong = `Starts two IMAP servers inside this command, with TLS, and a sample mailbox on
one of them. Then it runs itself as you would: a first pass, a pass after
changes, one without any, the final pass, and verify. At the end another IMAP
client reads both mailboxes afresh and compares them. Nothing is left behind.`

func newDemo(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "demo",
		Short:   "Move a sample mailbox between two servers inside this command",
		Long:    demoLong,
		Example: "  mailmove demo",
		Args:    noArguments,
		RunE:    func(c *cobra.Command, _ []string) error { return runDemo(c.Context(), a) },
	}
}

const (
	demoUser       = "alice"
	demoSourceWord = "old-garden-gate"
	demoTargetWord = "new-front-door"
	demoAccount    = "alice"
)

// demo is what its steps work with.
type demo struct {
	out    io.Writer
	err    io.Writer
	dir    string // temporary: state and the authority's certificate
	ca     *imaptest.CA
	source *imaptest.Embedded
	target *imaptest.Embedded
}

func runDemo(ctx context.Context, a *app) (err error) {
	dir, err := os.MkdirTemp("", "mailmove-demo-")
	if err != nil {
		return err
	}
	d := &demo{out: a.out, err: a.err, dir: dir}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.start(); err != nil {
		return err
	}
	nothing := func(context.Context) error { return nil }
	steps := []struct {
		title  string
		before func(context.Context) error
		args   []string
		want   demoCounts // of the last pass
	}{
		{"First pass: everything is copied.", d.fill, []string{"sync"}, demoCounts{copied: -1}},
		{"", d.change, []string{"sync"}, demoCounts{copied: 3, flags: 1}},
		{"A pass without changes copies nothing.", nothing, []string{"sync"}, demoCounts{}},
		{"", d.last, []string{"sync", "--final"}, demoCounts{}},
		{"Verify reads both mailboxes and compares every byte.", nothing, []string{"verify", "--level", "content"}, demoCounts{}},
	}
	for i, s := range steps {
		if err := s.before(ctx); err != nil {
			return err
		}
		if s.title != "" {
			d.say("\n%d. %s\n", i+1, s.title)
		}
		if err := d.run(ctx, s.args); err != nil {
			return err
		}
		if err := d.check(ctx, s.want); err != nil {
			return err
		}
	}
	return d.compare(ctx)
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format, args...) }

// start makes both servers, the authority that vouches for them, and the file that --source-ca names.
func (d *demo) start() (err error) {
	if d.ca, err = imaptest.NewCA(); err != nil {
		return err
	}
	if err := os.WriteFile(d.caFile(), d.ca.PEM(), 0o600); err != nil {
		return err
	}
	if d.source, err = d.serve(demoSourceWord); err != nil {
		return err
	}
	if d.target, err = d.serve(demoTargetWord); err != nil {
		return err
	}
	d.say("Two IMAP servers are running inside this command, with TLS:\n"+
		"  source %s, with a sample mailbox\n  target %s, with an empty one\n", d.source.Addr(), d.target.Addr())
	return nil
}

func (d *demo) serve(password string) (*imaptest.Embedded, error) {
	return imaptest.StartEmbedded(imaptest.EmbeddedOptions{
		TLS: d.ca, Users: []imaptest.EmbeddedUser{{Name: demoUser, Password: password}},
	})
}

func (d *demo) caFile() string { return filepath.Join(d.dir, "ca.pem") }

func (d *demo) stateDir() string { return filepath.Join(d.dir, "state") }

// demoCounts is what a pass must have done; copied -1: something.
type demoCounts struct{ copied, flags int64 }

// check reads the history of the state: a demo that cannot fail shows nothing.
func (d *demo) check(ctx context.Context, want demoCounts) error {
	s, err := state.Inspect(ctx, filepath.Join(d.stateDir(), state.FileName(demoAccount)))
	if err != nil {
		return err
	}
	if len(s.Passes) == 0 {
		return errors.New("the state knows of no pass")
	}
	p := s.Passes[0]
	switch {
	case want.copied < 0 && p.Copied > 0:
		return nil
	case p.Copied != want.copied || p.Flags != want.flags:
		return fmt.Errorf("the pass copied %s and changed the flags of %d; it should have been %d and %d",
			ui.Plural(p.Copied, "message"), p.Flags, want.copied, want.flags)
	}
	return nil
}

// compare reads both mailboxes with an independent client.
func (d *demo) compare(ctx context.Context) error {
	d.say("\nNow another IMAP client reads both mailboxes afresh and compares them.\n")
	login := func(e *imaptest.Embedded, password string) imaptest.Login {
		return imaptest.Login{Addr: e.Addr(), User: demoUser, Password: password,
			TLS: &tls.Config{RootCAs: d.ca.Pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}}
	}
	diff, err := imaptest.Compare(ctx, login(d.source, demoSourceWord), login(d.target, demoTargetWord),
		imaptest.CompareOptions{FoldKeywords: true}) // the embedded servers fold them
	if err != nil {
		return err
	}
	if !diff.Equal() {
		for _, x := range diff.Differences {
			fmt.Fprintln(d.err, "  "+ui.Clean(x.String()))
		}
		return &failure{code: exitOther, what: "the mailboxes differ in " + ui.Plural(int64(len(diff.Differences)), "place")}
	}
	d.say("EQUAL: %d folders, %d messages; every byte, date, flag and subscription.\n", diff.FoldersA, diff.MessagesA)
	return nil
}

func (d *demo) close() error {
	for _, e := range []*imaptest.Embedded{d.source, d.target} {
		if e != nil {
			e.Close()
		}
	}
	return os.RemoveAll(d.dir)
}
