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
	if neg || len(args) == 0 {
		ts.Fatalf("usage: lose ADDRESS [flags] FOLDER")
	}
	set := flag.NewFlagSet("lose", flag.ContinueOnError)
	user := set.String("user", "alice", "")
	password := set.String("password", "wonder land", "")
	ts.Check(set.Parse(args[1:]))
	if set.NArg() != 1 {
		ts.Fatalf("usage: lose ADDRESS [flags] FOLDER")
	}
	ts.Check(lose(ts.Value(authority{}).(*imaptest.CA), args[0], *user, *password, set.Arg(0)))
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

func lose(ca *imaptest.CA, addr, user, password, folder string) (err error) {
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
	var all imap.UIDSet
	all.AddRange(1, 0) // 1:*
	store := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	if err := c.Store(all, store, nil).Close(); err != nil {
		return err
	}
	if err := c.UIDExpunge(all).Close(); err != nil {
		return err
	}
	return c.Logout().Wait()
}
