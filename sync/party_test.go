package sync_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// party is one make of server, as source or target of any other.
type party struct {
	name        string
	prefix      string // of the personal namespace
	delim       string
	addr        string
	auth        auth.Mechanism // imap4d offers SCRAM and has no passwords for it; empty: the strongest
	keywordless bool           // refuses an APPEND with a keyword, instead of leaving it out
	fresh       func() string  // a login with an empty mailbox
	// loaded is a login whose mailbox holds the corpus, with the quirks that the server refused.
	loaded func(*testing.T, *imaptest.Corpus) (user string, refused []string)
}

func dovecotParty(t *testing.T) *party {
	t.Helper()
	s := real.Dovecot(t, real.Options{})
	return &party{name: "Dovecot", delim: "/", addr: s.Addr(), fresh: s.FreshUser, loaded: func(t *testing.T, c *imaptest.Corpus) (string, []string) {
		tree := filepath.Join(t.TempDir(), "Maildir")
		_, err := c.WriteMaildir(tree)
		must(t, err)
		user := s.FreshUser()
		s.LoadMaildir(user, tree)
		return user, nil
	}}
}

func cyrusParty(t *testing.T) *party { return isolatedParty(real.Cyrus(t, real.CyrusOptions{}), "/") }

func courierParty(t *testing.T) *party { return isolatedParty(real.Courier(t), ".") }

func mailutilsParty(t *testing.T) *party {
	p := isolatedParty(real.Mailutils(t), "/")
	p.keywordless, p.auth = true, auth.Plain
	return p
}

func isolatedParty(s *real.Isolated, delim string) *party {
	p := &party{name: s.Name(), prefix: s.Prefix(), delim: delim, addr: s.Addr(), fresh: s.FreshUser}
	p.loaded = func(t *testing.T, c *imaptest.Corpus) (string, []string) {
		user := s.FreshUser()
		return user, p.fill(t, c, user)
	}
	return p
}

// fill appends the corpus as a mail program would: a command at a time. It gives the quirks, and the folders, that were
// refused; an ordinary message has to be taken.
func (p *party) fill(t *testing.T, c *imaptest.Corpus, user string) (refused []string) {
	t.Helper()
	cl := client(t, p.addr, transfer{TargetUser: user, Password: real.Password})
	selected(t, cl, "INBOX") // imap4d makes it then
	names := make([]string, len(c.Folders))
	for i, f := range c.Folders {
		if name := p.folder(f.Path); p.makes(t, cl, f, name) {
			names[i] = name
		} else {
			refused = append(refused, f.Name())
		}
	}
	for m := range c.Messages() {
		if names[m.Folder] == "" {
			continue
		}
		if p.keywordless {
			m.Keywords = nil
		}
		err := appendMessage(cl, names[m.Folder], m)
		var no *imap.Error
		if errors.As(err, &no) && strings.Contains(no.Text, "date/time") { // imap4d does not read every date
			m.Date = time.Time{}
			err = appendMessage(cl, names[m.Folder], m)
		}
		if errors.As(err, &no) && no.Code == imap.ResponseCodeTryCreate { // imap4d makes it, and does not find it then
			refused, names[m.Folder] = append(refused, c.Folders[m.Folder].Name()), ""
			continue
		}
		if errors.As(err, &no) && m.Label != "" {
			refused = append(refused, m.Label)
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", c.Folders[m.Folder].Name(), err)
		}
	}
	for _, name := range names { // as a mail program does that has seen the mail: it keeps its UIDs from then on
		if name != "" {
			selected(t, cl, name)
		}
	}
	must(t, cl.Logout().Wait())
	slices.Sort(refused)
	return refused
}

// makes creates and subscribes a folder; only one whose name needs more than 16 bits a letter may be refused.
func (p *party) makes(t *testing.T, cl *imapclient.Client, f imaptest.CorpusFolder, name string) bool {
	t.Helper()
	if f.Name() != "INBOX" {
		err := cl.Create(name, nil).Wait()
		var no *imap.Error
		if errors.As(err, &no) && beyond16Bits(name) {
			return false
		}
		must(t, err)
	}
	if f.Subscribed {
		must(t, cl.Subscribe(name).Wait())
	}
	return true
}

func beyond16Bits(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool { return r > 0xFFFF })
}

func appendMessage(cl *imapclient.Client, folder string, m imaptest.CorpusMessage) error {
	var flags []imap.Flag
	for _, f := range slices.Concat(m.Flags, m.Keywords) {
		flags = append(flags, imap.Flag(f))
	}
	data := m.CRLF()
	w := cl.Append(folder, int64(len(data)), &imap.AppendOptions{Flags: flags, Time: m.Date})
	_, err := bytes.NewReader(data).WriteTo(w)
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	_, err = w.Wait()
	return err
}

// folder is the name that a corpus' folder has there.
func (p *party) folder(path []string) string {
	if path[0] == "INBOX" && (len(path) == 1 || p.prefix != "") {
		return strings.Join(path, p.delim)
	}
	return p.prefix + strings.Join(path, p.delim)
}

// between is a transfer from one mailbox to a fresh one.
func between(t *testing.T, from *party, user string, to *party) transfer {
	t.Helper()
	return transfer{Source: from.addr, Target: to.addr, SourceUser: user, TargetUser: to.fresh(), Password: real.Password,
		SourceAuth: from.auth, TargetAuth: to.auth, Dir: t.TempDir(), Settle: 2 * time.Second, LateWindow: 6 * time.Second}
}

// compared is what the referee finds.
func compared(t *testing.T, from, to *party, x transfer) imaptest.Diff {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	rename := func(name string) string {
		if to.prefix != "" {
			return strings.TrimPrefix(name, "INBOX/")
		}
		return name
	}
	d, err := imaptest.Compare(ctx, imaptest.Login{Addr: from.addr, User: x.SourceUser, Password: x.Password, Prefix: from.prefix},
		imaptest.Login{Addr: to.addr, User: x.TargetUser, Password: x.Password, Prefix: to.prefix}, imaptest.CompareOptions{Map: rename})
	must(t, err)
	return d
}
