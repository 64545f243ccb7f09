package imaptest

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// Login is an account as the referee reads it.
type Login struct {
	Addr     string // host:port
	User     string
	Password string
	TLS      *tls.Config // implicit TLS; nil: clear text
	Prefix   string      // personal namespace, as "INBOX.": taken off folder names
}

// headerPeek is how much of a message is kept to find its Message-ID and subject.
const headerPeek = 32 << 10

// readTimeout is the longest wait for anything without progress.
const readTimeout = 60 * time.Second

// movingDeadline ends a connection that makes no progress.
type movingDeadline struct{ net.Conn }

func (c movingDeadline) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func readAccount(ctx context.Context, l Login) (account, error) {
	acc := account{folders: map[string][]mail{}, subscribed: map[string]bool{}}
	conn, err := (&net.Dialer{Timeout: readTimeout}).DialContext(ctx, "tcp", l.Addr)
	if err != nil {
		return acc, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if l.TLS != nil {
		conn = tls.Client(conn, l.TLS)
	}
	c := imapclient.New(movingDeadline{conn}, nil)
	defer c.Close()
	if err := c.Login(l.User, l.Password).Wait(); err != nil {
		return acc, errors.Join(ctx.Err(), fmt.Errorf("login: %w", err))
	}
	boxes, err := c.List("", "*", nil).Collect()
	if err != nil {
		return acc, errors.Join(ctx.Err(), fmt.Errorf("LIST: %w", err))
	}
	if err := acc.readSubscribed(ctx, l, c, boxes); err != nil {
		return acc, errors.Join(ctx.Err(), err)
	}
	for _, box := range boxes {
		if slices.Contains(box.Attrs, imap.MailboxAttrNoSelect) || slices.Contains(box.Attrs, imap.MailboxAttrNonExistent) {
			continue
		}
		mails, err := readFolder(c, box.Mailbox)
		if err != nil {
			return acc, errors.Join(ctx.Err(), fmt.Errorf("folder %q: %w", box.Mailbox, err))
		}
		acc.folders[l.name(box)] = mails
	}
	if err := c.Logout().Wait(); err != nil {
		return acc, errors.Join(ctx.Err(), fmt.Errorf("logout: %w", err))
	}
	return acc, nil
}

// readSubscribed asks which folders are subscribed. Where only LSUB can tell it, those that are not there are left out.
func (acc account) readSubscribed(ctx context.Context, l Login, c *imapclient.Client, boxes []*imap.ListData) error {
	if caps := c.Caps(); !caps.Has(imap.CapListExtended) {
		names, err := lsub(ctx, l)
		for _, box := range boxes {
			if names[encodeUTF7(box.Mailbox)] {
				acc.subscribed[l.name(box)] = true
			}
		}
		return err
	}
	subs, err := c.List("", "*", &imap.ListOptions{SelectSubscribed: true}).Collect()
	if err != nil {
		return fmt.Errorf("LIST (SUBSCRIBED): %w", err)
	}
	for _, s := range subs {
		acc.subscribed[l.name(s)] = true
	}
	return nil
}

func (l Login) name(box *imap.ListData) string {
	name := strings.TrimPrefix(box.Mailbox, l.Prefix)
	if strings.EqualFold(name, "INBOX") {
		return "INBOX"
	}
	if box.Delim != 0 && box.Delim != '/' {
		name = strings.ReplaceAll(name, string(box.Delim), "/")
	}
	return name
}

func readFolder(c *imapclient.Client, name string) ([]mail, error) {
	sel, err := c.Select(name, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return nil, fmt.Errorf("EXAMINE: %w", err)
	}
	if sel.NumMessages == 0 {
		return nil, nil
	}
	all := imap.UIDSet{imap.UIDRange{Start: 1}} // 1:*
	cmd := c.Fetch(all, &imap.FetchOptions{UID: true, Flags: true, InternalDate: true,
		BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
	var mails []mail
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		m, complete, err := readMail(msg)
		if err != nil {
			// Not cmd.Close(): it would read on in a literal that go-imap's decoder has left already. The
			// connection is lost anyway, and its end stops the decoder.
			return nil, err
		}
		if complete {
			mails = append(mails, m)
		}
	}
	if err := cmd.Close(); err != nil {
		return nil, fmt.Errorf("FETCH: %w", err)
	}
	if len(mails) != int(sel.NumMessages) {
		return nil, fmt.Errorf("it has %d messages, FETCH brought %d", sel.NumMessages, len(mails))
	}
	return mails, nil
}

// readMail hashes a message as it streams by. It is not complete where the server only told of new flags, or gave NIL.
func readMail(msg *imapclient.FetchMessageData) (m mail, complete bool, err error) {
	var got struct{ body, date, flags bool }
	for item := msg.Next(); item != nil; item = msg.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			m.uid = uint32(item.UID)
		case imapclient.FetchItemDataInternalDate:
			m.date, got.date = item.Time.Unix(), true
		case imapclient.FetchItemDataFlags:
			m.flags, got.flags = sortedFlags(item.Flags), true
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil {
				continue // NIL is no body
			}
			if err := m.readBody(item.Literal); err != nil {
				return m, false, fmt.Errorf("message %d: %w", msg.SeqNum, err)
			}
			got.body = true
		}
	}
	m.reported = fmt.Sprintf("uid %d id %q subject %q", m.uid, m.id, m.subject)
	return m, got.body && got.date && got.flags && m.uid != 0, nil
}

// readBody believes the length that was announced, and nothing shorter: a cut connection reads as a clean end.
func (m *mail) readBody(lit imap.LiteralReader) error {
	h := sha256.New()
	head := make([]byte, min(lit.Size(), headerPeek))
	n, err := io.ReadFull(lit, head)
	if err != nil { // a literal that ended once must not be read again, see readFolder
		return fmt.Errorf("a literal of %d bytes ended after %d: %w", lit.Size(), n, err)
	}
	h.Write(head)
	rest, err := io.Copy(h, lit)
	if err != nil {
		return err
	}
	if m.size = int64(n) + rest; m.size != lit.Size() {
		return fmt.Errorf("a literal of %d bytes ended after %d", lit.Size(), m.size)
	}
	copy(m.hash[:], h.Sum(nil))
	m.id, m.subject = headerField(head, "Message-ID"), headerField(head, "Subject")
	return nil
}

// headerField is the first line of the first field with a name; enough to name a message.
func headerField(head []byte, name string) string {
	for line := range strings.SplitSeq(string(head), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			return ""
		}
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, name) {
			return textproto.TrimString(v)
		}
	}
	return ""
}

// account is the corpus as a server would show it.
func (c *Corpus) account() account {
	acc := account{folders: map[string][]mail{}, subscribed: map[string]bool{}}
	for _, f := range c.Folders {
		acc.folders[f.Name()] = nil
		if f.Subscribed {
			acc.subscribed[f.Name()] = true
		}
	}
	for m := range c.Messages() {
		b := m.CRLF()
		var flags []imap.Flag
		for _, f := range append(slices.Clone(m.Flags), m.Keywords...) {
			flags = append(flags, imap.Flag(f))
		}
		x := mail{hash: sha256.Sum256(b), size: int64(len(b)), date: m.Date.Unix(), flags: sortedFlags(flags)}
		head := b[:min(len(b), headerPeek)]
		x.id, x.subject = headerField(head, "Message-ID"), headerField(head, "Subject")
		x.reported = fmt.Sprintf("corpus %s id %q subject %q", m.Label, x.id, x.subject)
		name := c.Folders[m.Folder].Name()
		acc.folders[name] = append(acc.folders[name], x)
	}
	return acc
}

// sortedFlags folds the case of system flags only: RFC 9051 section 2.3.2 makes keywords case-insensitive too, but
// mail programs do not.
func sortedFlags(flags []imap.Flag) string {
	var out []string
	for _, f := range flags {
		s := string(f)
		if strings.EqualFold(s, `\Recent`) {
			continue
		}
		if strings.HasPrefix(s, `\`) {
			s = strings.ToLower(s)
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}
