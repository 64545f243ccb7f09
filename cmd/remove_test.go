package cmd

import (
	"errors"
	"flag"
	"strconv"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/rogpeppe/go-internal/testscript"

	"mailmove/imapx/imaptest"
)

// removeMail is the script command
//
//	remove ADDRESS [-user NAME -password WORD] FOLDER FIRST LAST
//
// It deletes messages of a folder for good, by their UIDs, as their user does.
func removeMail(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "usage: remove ADDRESS [flags] FOLDER FIRST LAST"
	if neg || len(args) == 0 {
		ts.Fatalf(usage)
	}
	set := flag.NewFlagSet("remove", flag.ContinueOnError)
	user := set.String("user", "alice", "")
	password := set.String("password", "wonder land", "")
	ts.Check(set.Parse(args[1:]))
	if set.NArg() != 3 {
		ts.Fatalf(usage)
	}
	first, err1 := strconv.ParseUint(set.Arg(1), 10, 32)
	last, err2 := strconv.ParseUint(set.Arg(2), 10, 32)
	ts.Check(errors.Join(err1, err2))
	ts.Check(selected(ts.Value(authority{}).(*imaptest.CA), args[0], *user, *password, set.Arg(0), func(c *imapclient.Client, _ string) error {
		var some imap.UIDSet
		some.AddRange(imap.UID(first), imap.UID(last))
		store := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
		if err := c.Store(some, store, nil).Close(); err != nil {
			return err
		}
		return c.UIDExpunge(some).Close()
	}))
}
