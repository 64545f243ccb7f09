package cmd

import (
	"crypto/tls"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/rogpeppe/go-internal/testscript"

	"mailmove/imapx/imaptest"
)

// authority is the certificate authority of one script; its file is $WORK/ca.pem.
type authority struct{ *imaptest.CA }

func newAuthority(e *testscript.Env) error {
	ca, err := imaptest.NewCA()
	if err != nil {
		return err
	}
	e.Values[authority{}] = ca
	e.Values[countersKey{}] = counters{}
	e.Values[limitsKey{}] = limits{}
	e.Values[tokensKey{}] = new(tokenSlot)
	e.Values[sinksKey{}] = make(map[string]*sink)
	return os.WriteFile(e.Getenv("WORK")+"/ca.pem", ca.PEM(), 0o600)
}

// startServer is the script command
//
//	server NAME [-mode tls|starttls|clear|expired|foreign|self|old|silent] [-user NAME,… -password WORD] [-mail N [-every TIME] [-keyword WORD]] [-fixed] [-folders NAMES] [-oauth]
//
// It starts a server in memory, with N messages for each user (of 1995, or with -every one for each TIME back
// from now; with -keyword they have that flag), and sets the variable NAME to its address. With
// -fixed its folders keep the system flags and no others. NAMES are more folders, separated by commas, with Go's
// escapes; in each is a message.
func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: server NAME [flags]")
	}
	set := flag.NewFlagSet("server", flag.ContinueOnError)
	mode := set.String("mode", "tls", "")
	user := set.String("user", "alice", "")
	password := set.String("password", "wonder land", "")
	mail := set.Int("mail", 0, "")
	every := set.Duration("every", 0, "")
	keyword := set.String("keyword", "", "")
	fixed := set.Bool("fixed", false, "")
	folders := set.String("folders", "", "")
	byToken := set.Bool("oauth", false, "")
	ts.Check(set.Parse(args[1:]))
	connections := new(atomic.Int64)
	limit := new(atomic.Uint32)
	addr, stop, err := serve(ts.Value(authority{}).(*imaptest.CA), *mode, *user, *password, corpus{*mail, *every, *keyword, *folders}, *fixed, *byToken, ts.Value(tokensKey{}).(*tokenSlot), connections, limit)
	ts.Check(err)
	ts.Value(limitsKey{}).(limits)[addr] = limit
	ts.Value(countersKey{}).(counters)[addr] = connections
	ts.Defer(stop)
	ts.Setenv(args[0], addr)
	_, port, err := net.SplitHostPort(addr)
	ts.Check(err)
	ts.Setenv("PORT", port) // of the latest server
}

type countersKey struct{}

// counters are the connections that each server of a script has taken since it was last asked.
type counters map[string]*atomic.Int64

type counted struct {
	net.Listener
	connections *atomic.Int64
}

func (c counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.connections.Add(1)
	}
	return conn, err
}

// countConnections is the script command
//
//	connections ADDRESS N
//
// which checks how many connections a server has taken since this was last asked.
func countConnections(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: connections ADDRESS N")
	}
	if got := ts.Value(countersKey{}).(counters)[args[0]].Swap(0); strconv.FormatInt(got, 10) != args[1] {
		ts.Fatalf("%d connections, want %s", got, args[1])
	}
}

// newer FILE makes a state file one of a later version.
func newer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: newer FILE")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.Exec("PRAGMA user_version = 999; UPDATE meta SET value = '999' WHERE key = 'version'")
	ts.Check(errors.Join(err, db.Close()))
}

func serve(ca *imaptest.CA, mode, names, password string, mail corpus, fixed, byToken bool, tokens *tokenSlot, connections *atomic.Int64, limit *atomic.Uint32) (string, func(), error) {
	kind := map[string]imaptest.CertKind{"expired": imaptest.CertExpired, "foreign": imaptest.CertForeign, "self": imaptest.CertSelf}[mode]
	cert, err := ca.Issue(kind)
	if err != nil {
		return "", nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	if mode == "old" {
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	}
	memory := imapmemserver.New()
	for name := range strings.SplitSeq(names, ",") {
		user, err := mailbox(name, password, mail)
		if err = errors.Join(err, moreFolders(user, mail.folders)); err != nil {
			return "", nil, err
		}
		memory.AddUser(user)
	}
	options := &imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			session := memory.NewSession().(imapserver.SessionIMAP4rev2)
			if fixed {
				session = fixedFlags{session}
			}
			session = limited{session, limit}
			if byToken {
				session = tokenSession{session, tokens, password}
			}
			return session, nil, nil
		},
		Caps:         imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}, imap.CapNamespace: {}},
		InsecureAuth: mode == "clear",
		Logger:       log.New(io.Discard, "", 0),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr := listener.Addr().String()
	listener = counted{listener, connections}
	switch mode {
	case "starttls":
		options.TLSConfig = config
	case "clear":
	default:
		listener = tls.NewListener(listener, config)
	}
	if mode == "silent" { // takes connections, into the kernel's queue, and says nothing
		return addr, func() { _ = listener.Close() }, nil
	}
	server := imapserver.New(options)
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) }) // ends with an error: Close
	return addr, func() { server.Close(); running.Wait() }, nil
}

// fixedFlags is a session on a server whose folders keep no keywords.
type fixedFlags struct{ imapserver.SessionIMAP4rev2 }

func (s fixedFlags) Select(name string, options *imap.SelectOptions) (*imap.SelectData, error) {
	data, err := s.SessionIMAP4rev2.Select(name, options)
	if err == nil {
		data.PermanentFlags = []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft}
	}
	return data, err
}

// corpus is the mail that a user begins with.
type corpus struct {
	count   int
	every   time.Duration // 0: all of one day in 1995
	keyword string        // "": no flags
	folders string        // more of them, see startServer
}

// mailbox is a user with mail in INBOX and in a folder with an umlaut and a hostile name.
func mailbox(name, password string, mail corpus) (*imapmemserver.User, error) {
	u := imapmemserver.NewUser(name, password)
	// This server numbers its folders' UIDVALIDITY from 1. Two of them would look like one mailbox.
	var err error
	for range rand.N(1 << 16) {
		err = errors.Join(err, u.Create("x", nil), u.Delete("x"))
	}
	err = errors.Join(err, u.Create("INBOX", nil))
	if mail.count > 0 {
		err = errors.Join(err, u.Create("Entwürfe", nil), u.Create("esc\u202e[31m", nil))
	}
	for i := range mail.count {
		text := fmt.Sprintf("From: a@b.example\r\nTo: alice@old.example\r\nSubject: %d\r\n"+
			"Date: Mon, 02 Jan 1995 15:04:05 +0000\r\nMessage-ID: <%d@b.example>\r\n\r\nHello %d\r\n", i, i, i)
		folder := "INBOX"
		if i%3 == 2 {
			folder = "Entwürfe"
		}
		with := imap.AppendOptions{Time: time.Date(1995, 1, 2, 15, 4, 5, 0, time.UTC)}
		if mail.every > 0 {
			with.Time = time.Now().Add(-time.Duration(i)*mail.every - mail.every/2)
		}
		if mail.keyword != "" {
			with.Flags = []imap.Flag{imap.Flag(mail.keyword)}
		}
		_, e := u.Append(folder, literal{strings.NewReader(text)}, &with)
		err = errors.Join(err, e)
	}
	return u, err
}

// moreFolders makes folders with a message in each.
func moreFolders(u *imapmemserver.User, names string) (err error) {
	if names == "" {
		return nil
	}
	for quoted := range strings.SplitSeq(names, ",") {
		name, e := strconv.Unquote(`"` + quoted + `"`)
		err = errors.Join(err, e)
		if !strings.EqualFold(name, "INBOX") {
			err = errors.Join(err, u.Create(name, nil))
		}
		text := "Message-ID: <" + quoted + "@b.example>\r\n\r\nHello\r\n"
		_, e = u.Append(name, literal{strings.NewReader(text)}, &imap.AppendOptions{Time: time.Date(1995, 1, 2, 15, 4, 5, 0, time.UTC)})
		err = errors.Join(err, e)
	}
	return err
}

type literal struct{ *strings.Reader }

func (l literal) Size() int64 { return int64(l.Len()) }
