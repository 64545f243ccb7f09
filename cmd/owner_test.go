package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/rogpeppe/go-internal/testscript"

	"mailmove/imapx/imaptest"
)

// loseMail is the script command
//
//	lose ADDRESS [-user NAME -password WORD] FOLDER
//
// It deletes all messages of a folder behind the program's back, as a retention or a restored backup does.
func loseMail(ts *testscript.TestScript, neg bool, args []string) {
	changeFolder(ts, neg, args, func(c *imapclient.Client, _ string) error { return expungeAll(c) })
}

// doubleMail is the script command
//
//	double ADDRESS [-user NAME -password WORD] FOLDER
//
// It stores the first message of a folder there once more, behind the program's back.
func doubleMail(ts *testscript.TestScript, neg bool, args []string) {
	changeFolder(ts, neg, args, func(c *imapclient.Client, folder string) error {
		whole := &imap.FetchItemBodySection{Peek: true}
		first, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{whole}}).Collect()
		if err != nil {
			return err
		}
		body := first[0].FindBodySection(whole)
		add := c.Append(folder, int64(len(body)), nil)
		_, err = add.Write(body)
		err = errors.Join(err, add.Close())
		_, e := add.Wait()
		return errors.Join(err, e)
	})
}

func changeFolder(ts *testscript.TestScript, neg bool, args []string, change func(c *imapclient.Client, folder string) error) {
	const usage = "usage: lose or double ADDRESS [flags] FOLDER"
	if neg || len(args) == 0 {
		ts.Fatalf(usage)
	}
	set := flag.NewFlagSet("change", flag.ContinueOnError)
	user := set.String("user", "alice", "")
	password := set.String("password", "wonder land", "")
	ts.Check(set.Parse(args[1:]))
	if set.NArg() != 1 {
		ts.Fatalf(usage)
	}
	ts.Check(selected(ts.Value(authority{}).(*imaptest.CA), args[0], *user, *password, set.Arg(0), change))
}

// equal is the script command
//
//	equal ADDRESS USER ADDRESS USER PASSWORD
//
// which reads both mailboxes with the referee and compares every message.
func equal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: equal ADDRESS USER ADDRESS USER PASSWORD")
	}
	login := func(addr, user string) imaptest.Login {
		return imaptest.Login{Addr: addr, User: user, Password: args[4], TLS: &tls.Config{
			RootCAs: ts.Value(authority{}).(*imaptest.CA).Pool(), ServerName: "127.0.0.1",
		}}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	diff, err := imaptest.Compare(ctx, login(args[0], args[1]), login(args[2], args[3]), imaptest.CompareOptions{FoldKeywords: true})
	ts.Check(err)
	if !diff.Equal() || diff.MessagesA == 0 {
		ts.Fatalf("%d messages; differences: %v", diff.MessagesA, diff.Differences)
	}
}

func selected(ca *imaptest.CA, addr, user, password, folder string, change func(c *imapclient.Client, folder string) error) (err error) {
	c, err := imapclient.DialTLS(addr, &imapclient.Options{TLSConfig: &tls.Config{RootCAs: ca.Pool()}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Login(user, password).Wait(); err != nil {
		return err
	}
	if _, err := c.Select(folder, nil).Wait(); err != nil {
		return err
	}
	if err := change(c, folder); err != nil {
		return err
	}
	return c.Logout().Wait()
}

func expungeAll(c *imapclient.Client) error {
	var all imap.UIDSet
	all.AddRange(1, 0) // 1:*
	store := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	if err := c.Store(all, store, nil).Close(); err != nil {
		return err
	}
	return c.UIDExpunge(all).Close()
}
