package imaptest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// EmbeddedOptions shape an embedded server. The zero value speaks clear text and has nobody's mail.
type EmbeddedOptions struct {
	TLS      *CA               // implicit TLS with a certificate of this authority; nil: clear text
	Cert     CertKind          // with TLS
	Users    []EmbeddedUser    // accounts
	Caps     imap.CapSet       // nil: all that the server can
	ErrorLog func(line string) // what the server complains of; nil: nowhere
}

// EmbeddedUser is an account of an embedded server.
type EmbeddedUser struct {
	Name, Password string
	Corpus         *Corpus // its mail; nil: an empty INBOX
}

// Embedded is go-imap's in-memory server on a port of loopback, for the demo and for tests that need no more. It folds
// the case of keywords, knows neither CONDSTORE nor MULTIAPPEND, rewrites mail without a proper header (no blank line,
// an mbox From line) when it is read, and keeps all mail in memory.
type Embedded struct {
	srv   *imapserver.Server
	ln    net.Listener
	done  chan struct{}
	close sync.Once
	users map[string]*imapmemserver.User
}

// StartEmbedded serves at once. Close ends it.
func StartEmbedded(o EmbeddedOptions) (*Embedded, error) {
	mem := imapmemserver.New()
	e := &Embedded{done: make(chan struct{}), users: map[string]*imapmemserver.User{}}
	for _, u := range o.Users {
		user := imapmemserver.NewUser(u.Name, u.Password)
		if err := fillUser(user, u.Corpus); err != nil {
			return nil, fmt.Errorf("mail of %s: %w", u.Name, err)
		}
		mem.AddUser(user)
		e.users[u.Name] = user
	}
	var conf *tls.Config
	if o.TLS != nil {
		cert, err := o.TLS.Issue(o.Cert)
		if err != nil {
			return nil, err
		}
		conf = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	caps := o.Caps
	if caps == nil {
		caps = imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("embedded server: %w", err)
	}
	e.srv = imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			s, is := mem.NewSession().(imapserver.SessionIMAP4rev2)
			if !is {
				return nil, nil, errors.New("go-imap's memory server does not speak IMAP4rev2 any more")
			}
			return session{s}, nil, nil
		},
		Caps:         caps,
		InsecureAuth: o.TLS == nil,
		Logger:       log.New(lineWriter(o.ErrorLog), "", 0),
	})
	e.ln = ln
	if conf != nil {
		ln = tls.NewListener(ln, conf)
	}
	go func() {
		defer close(e.done)
		_ = e.srv.Serve(ln) // ends with the listener
	}()
	return e, nil
}

// session mends what the memory server does unlike any real one: its PERMANENTFLAGS has only the flags in use, so that
// a new folder would refuse the system flags (RFC 9051 section 7.1), and it stores a literal that was cut off.
type session struct{ imapserver.SessionIMAP4rev2 }

// Append stores complete messages only.
func (s session) Append(mailbox string, r imap.LiteralReader, options *imap.AppendOptions) (*imap.AppendData, error) {
	data, err := io.ReadAll(r)
	if err == nil && int64(len(data)) != r.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return s.SessionIMAP4rev2.Append(mailbox, literal{bytes.NewReader(data), r.Size()}, options)
}

func (s session) Select(mailbox string, options *imap.SelectOptions) (*imap.SelectData, error) {
	data, err := s.SessionIMAP4rev2.Select(mailbox, options)
	if err != nil {
		return nil, err
	}
	for _, f := range []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft} {
		for _, list := range []*[]imap.Flag{&data.Flags, &data.PermanentFlags} {
			if !slices.ContainsFunc(*list, func(have imap.Flag) bool { return strings.EqualFold(string(have), string(f)) }) {
				*list = append(*list, f)
			}
		}
	}
	return data, nil
}

// lineWriter hands a log's lines to a function.
type lineWriter func(string)

func (w lineWriter) Write(b []byte) (int, error) {
	if w != nil {
		w(string(bytes.TrimRight(b, "\n")))
	}
	return len(b), nil
}

// Addr is the host:port to connect to.
func (e *Embedded) Addr() string { return e.ln.Addr().String() }

// Close ends the port and all connections.
func (e *Embedded) Close() {
	e.close.Do(func() {
		_ = e.srv.Close()
		_ = e.ln.Close()
		<-e.done
	})
}

// Deliver puts one more message into a folder of a user, as if it had just come.
func (e *Embedded) Deliver(user, folder string, m CorpusMessage) error {
	u := e.users[user]
	if u == nil {
		return fmt.Errorf("no user %q", user)
	}
	return deliver(u, folder, m)
}

func fillUser(u *imapmemserver.User, c *Corpus) error {
	if c == nil {
		return u.Create("INBOX", nil)
	}
	hasInbox := false
	for _, f := range c.Folders {
		hasInbox = hasInbox || f.Name() == "INBOX"
		err := u.Create(f.Name(), nil)
		if err == nil && f.Subscribed {
			err = u.Subscribe(f.Name())
		}
		if err != nil {
			return fmt.Errorf("folder %q: %w", f.Name(), err)
		}
	}
	if !hasInbox {
		return errors.New("a corpus without INBOX")
	}
	for m := range c.Messages() {
		if err := deliver(u, c.Folders[m.Folder].Name(), m); err != nil {
			return err
		}
	}
	return nil
}

func deliver(u *imapmemserver.User, folder string, m CorpusMessage) error {
	var flags []imap.Flag
	for _, f := range append(append([]string(nil), m.Flags...), m.Keywords...) {
		flags = append(flags, imap.Flag(f))
	}
	b := m.CRLF()
	_, err := u.Append(folder, literal{bytes.NewReader(b), int64(len(b))}, &imap.AppendOptions{Flags: flags, Time: m.Date})
	if err != nil {
		return fmt.Errorf("message for %q: %w", folder, err)
	}
	return nil
}

type literal struct {
	io.Reader
	size int64
}

func (l literal) Size() int64 { return l.size }
