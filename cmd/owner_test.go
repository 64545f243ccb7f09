package cmd

import (
	"crypto/tls"
	"errors"
	"flag"

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
