package sync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// fakeServer is a mail server in memory behind the engine's ports, for what real servers cannot be made to do
// on demand. The conformance suite holds it against them.
type fakeServer struct {
	mu          sync.Mutex
	folders     map[string]*fakeFolder
	validity    uint32
	noModSeq    bool
	noUIDs      bool // no UIDPLUS
	limit       uint64
	multi       bool // a refused batch is refused as a whole
	refuse      func(data []byte) *imapx.Error
	noDate      func(time.Time) bool // dates that it refuses, without saying so
	lose        func(n int) fate     // what becomes of the n-th batch, from 1
	batches     int
	bodies      int                                          // fetched since the last call to forget
	before      func(verb string)                            // runs before each command, with the lock held
	fails       func(verb string) error                      // not nil: the answer to this EXAMINE or STORE, with the lock held
	failOnce    int                                          // after these many bodies the source refuses to go on, once
	commands    []string                                     // verbs in order: EXAMINE, FETCH, APPEND, STORE …
	noMove      bool                                         // MOVE copies first, and removes then
	expunges    expunging                                    // what the next EXPUNGE of deletions comes to
	keeps       func(*fakeMessage) bool                      // messages that EXPUNGE says OK to and keeps
	loseMove    bool                                         // the next MOVE is done and its answer lost
	damaged     map[*fakeMessage]imapx.Want                  // of which any of this is not given
	breaks      func(*fakeMessage, imapx.Read) *imapx.Ending // not nil: the connection ends instead
	held        []held                                       // what dead connections sent and the server has not stored yet
	refuseFlags func([]imap.Flag) *imapx.Error
	stored      func()            // runs when a batch was stored, with the lock held
	forgetful   bool              // APPEND loses the flags, as GNU mailutils' does
	renumbers   int               // so many batches yet give their folder another UIDVALIDITY, as GNU mailutils' do
	ids         bool              // MAILBOXID (RFC 8474)
	labels      bool              // Gmail: see gmail_test.go
	merges      bool              // Gmail as the target: one copy of messages that are the same
	hidden      map[uint64]string // labels that IMAP shows no message for
}

// fate of a batch whose connection dies.
type fate struct {
	dies   bool
	stored int // messages of it that the server keeps
	when   landing
}

// landing is when the server stores what a dead connection sent.
type landing int

const (
	atOnce landing = iota
	afterNextBatch
	whenReleased
	afterNextLook  // once somebody listed the folder and did not find it
	afterNextDeath // when the batch that comes next is lost too
)

type held struct {
	store func()
	when  landing
}

type fakeFolder struct {
	validity   uint32
	next       uint32
	modseq     uint64
	messages   []*fakeMessage
	permanent  []imap.Flag
	subscribed bool
	use        imap.MailboxAttr
}

type fakeMessage struct {
	uid    uint32
	flags  []imap.Flag
	date   time.Time
	data   []byte
	modseq uint64
	gid    uint64 // X-GM-MSGID, where folders are labels
}

func newFakeServer(validity uint32) *fakeServer {
	s := &fakeServer{folders: make(map[string]*fakeFolder), validity: validity, multi: true}
	s.folder("INBOX")
	return s
}

func (s *fakeServer) folder(name string) *fakeFolder {
	f := s.folders[name]
	if f == nil {
		s.validity++
		f = &fakeFolder{validity: s.validity, next: 1, modseq: 1,
			permanent: append(slices.Clone(systemFlags), imap.FlagWildcard)}
		s.folders[name] = f
	}
	return f
}

func (s *fakeServer) add(folder string, date time.Time, data string, flags ...imap.Flag) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.folder(folder).add(date, []byte(data), flags)
}

func (f *fakeFolder) add(date time.Time, data []byte, flags []imap.Flag) uint32 {
	f.modseq++
	m := &fakeMessage{uid: f.next, flags: slices.Clone(flags), date: date, data: bytes.Clone(data), modseq: f.modseq}
	f.next++
	f.messages = append(f.messages, m)
	return m.uid
}

func (s *fakeServer) setFlags(folder string, uid uint32, flags ...imap.Flag) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.folders[folder]
	for _, m := range f.messages {
		if m.uid == uid {
			f.modseq++
			m.flags, m.modseq = flags, f.modseq
		}
	}
}

func (s *fakeServer) expunge(folder string, uid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.folders[folder]
	f.modseq++
	f.messages = slices.DeleteFunc(f.messages, func(m *fakeMessage) bool { return m.uid == uid })
}

// content is the folder as the referee sees it: a line a message, sorted.
func (s *fakeServer) content(folder string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	if f := s.folders[folder]; f != nil {
		for _, m := range f.messages {
			out = append(out, fmt.Sprintf("%x %d %s", sha256.Sum256(m.data), m.date.Unix(), flagText(m.flags)))
		}
	}
	sort.Strings(out)
	return out
}

// count of a verb since the last call to forget.
func (s *fakeServer) count(verb string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.commands {
		if c == verb {
			n++
		}
	}
	return n
}

func (s *fakeServer) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands, s.bodies = nil, 0
}

// fakeConn is a connection; after it died every call fails.
type fakeConn struct {
	*fakeServer
	side string
	dead error
}

func (s *fakeServer) source(context.Context) (Source, error) {
	return &fakeConn{fakeServer: s, side: "source"}, nil
}
func (s *fakeServer) target(context.Context) (Target, error) {
	return &fakeConn{fakeServer: s, side: "target"}, nil
}

func (c *fakeConn) enter(verb string) (func(), error) {
	c.mu.Lock()
	c.commands = append(c.commands, verb)
	if c.before != nil {
		c.before(verb)
	}
	return c.mu.Unlock, c.dead
}

func (c *fakeConn) Close() error         { return nil }
func (c *fakeConn) Limits() imapx.Limits { return imapx.Limits{Append: c.limit, Move: !c.noMove} }

func (f *fakeFolder) mark(noModSeq bool) imapx.Mark {
	m := imapx.Mark{UIDValidity: f.validity, UIDNext: imap.UID(f.next), Messages: uint32(len(f.messages)), HighestModSeq: f.modseq}
	if noModSeq {
		m.HighestModSeq = 0
	}
	return m
}

func (c *fakeConn) List(context.Context) (imapx.Listing, error) {
	leave, err := c.enter("LIST")
	defer leave()
	l := imapx.Listing{Personal: []imapx.Namespace{{Delim: "/"}}, Complete: true}
	for name, f := range c.folders {
		m := f.mark(c.noModSeq)
		l.Folders = append(l.Folders, imapx.Folder{Raw: name, Name: name, Path: strings.Split(name, "/"), Delim: "/",
			Selectable: true, Subscribed: f.subscribed, SpecialUse: f.use, Mark: &m})
		if c.ids {
			l.Folders[len(l.Folders)-1].MailboxID = fmt.Sprint("M", f.validity)
		}
	}
	l.Folders = append(l.Folders, c.parents()...)
	l.Labels = c.labels
	slices.SortFunc(l.Folders, func(a, b imapx.Folder) int { return strings.Compare(a.Raw, b.Raw) })
	return l, err
}

// parents are the names that are no folders and have children: a server lists them too (RFC 9051 section 7.3.1).
func (s *fakeServer) parents() []imapx.Folder {
	known := make(map[string]bool)
	var out []imapx.Folder
	for name := range s.folders {
		for i := strings.LastIndex(name, "/"); i > 0; i = strings.LastIndex(name[:i], "/") {
			if up := name[:i]; s.folders[up] == nil && !known[up] {
				known[up] = true
				out = append(out, imapx.Folder{Raw: up, Name: up, Path: strings.Split(up, "/"), Delim: "/",
					Attrs: []imap.MailboxAttr{imap.MailboxAttrNonExistent, imap.MailboxAttrHasChildren}})
			}
		}
	}
	return out
}

func folderError(op, name, text string) *imapx.Error {
	return &imapx.Error{Op: op, Folder: name, Text: text, Kind: imapx.KindFolder, Scope: imapx.ScopeFolder, Code: imap.ResponseCodeNonExistent}
}

func lostError() *imapx.Error {
	return &imapx.Error{Op: "APPEND", Text: "connection lost", Kind: imapx.KindLost, Retry: imapx.RetryReconnect}
}

func (c *fakeConn) Visit(ctx context.Context, v imapx.Visit, h imapx.VisitHandler) (imapx.VisitResult, error) {
	leave, err := c.enter("EXAMINE")
	if err == nil && c.fails != nil {
		err = c.fails("EXAMINE")
	}
	f := c.folders[v.Folder]
	if err != nil || f == nil {
		leave()
		if err == nil {
			e := folderError("EXAMINE", v.Folder, "no such folder")
			e.Side = c.side
			err = e
		}
		return imapx.VisitResult{}, err
	}
	res := imapx.VisitResult{Opened: imapx.Opened{Mark: f.mark(c.noModSeq)}}
	messages := slices.Clone(f.messages)
	c.release(afterNextLook)
	leave()
	if v.UIDValidity != 0 && v.UIDValidity != res.Opened.UIDValidity {
		e := folderError("EXAMINE", v.Folder, "another UIDVALIDITY")
		e.Side, e.Code, e.Err = c.side, "", imapx.ErrUIDValidity // as imapx words it: a server says nothing of the kind
		return res, e
	}
	for i, r := range v.Reads {
		if err := c.read(ctx, i, r, messages, h, &res); err != nil {
			return res, err
		}
	}
	return res, nil
}

func (c *fakeConn) read(ctx context.Context, i int, r imapx.Read, messages []*fakeMessage, h imapx.VisitHandler, res *imapx.VisitResult) error {
	if r.Want == 0 {
		return c.search(i, r, messages, h)
	}
	leave, _ := c.enter("FETCH")
	leave()
	for _, m := range messages {
		if !covers(r.UIDs, m.uid) || covers(r.Except, m.uid) || m.modseq <= r.ChangedSince {
			continue
		}
		if e := c.harmed(m, r, res); e != nil {
			return e
		}
		if res.Failed[imap.UID(m.uid)] != nil {
			continue
		}
		out := imapx.Message{UID: imap.UID(m.uid), Flags: m.flags, Date: m.date, Size: int64(len(m.data))}
		if c.labels {
			c.gmail(m, r.Want, &out)
		}
		if r.Want&imapx.WantIdentity != 0 {
			out.Header = m.data
		}
		if r.Want&imapx.WantBody != 0 {
			if err := c.sendBody(); err != nil {
				return err
			}
			b, err := h.Alloc(ctx, int64(len(m.data)))
			if err != nil {
				return err
			}
			if _, err := b.Write(m.data); err != nil {
				return err
			}
			out.Body = b
		}
		if err := h.Message(i, out); err != nil {
			return err
		}
	}
	return nil
}

// harmed ends the connection at a message, or lets it fail.
func (c *fakeConn) harmed(m *fakeMessage, r imapx.Read, res *imapx.VisitResult) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.breaks != nil {
		if end := c.breaks(m, r); end != nil {
			e := lostError()
			e.Side, e.Ending = c.side, end
			c.dead = e
			return e
		}
	}
	if c.damaged[m]&r.Want != 0 {
		if res.Failed == nil {
			res.Failed = make(map[imap.UID]error)
		}
		res.Failed[imap.UID(m.uid)] = &imapx.Error{Op: "UID FETCH", Side: c.side, UID: imap.UID(m.uid), Text: "damaged", Kind: imapx.KindFetch, Scope: imapx.ScopeMessage}
	}
	return nil
}

// sendBody counts a body, or refuses to send it.
func (c *fakeConn) sendBody() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies++
	if c.failOnce == 0 || c.bodies < c.failOnce {
		return nil
	}
	c.failOnce = 0
	return &imapx.Error{Op: "FETCH", Side: c.side, Text: "not now", Kind: imapx.KindFolder, Scope: imapx.ScopeFolder, Retry: imapx.RetryLater}
}

func (c *fakeConn) search(i int, r imapx.Read, messages []*fakeMessage, h imapx.VisitHandler) error {
	leave, _ := c.enter("SEARCH")
	leave()
	var set imap.UIDSet
	for _, m := range messages {
		if covers(r.UIDs, m.uid) && !covers(r.Except, m.uid) {
			set.AddNum(imap.UID(m.uid))
		}
	}
	return h.UIDs(i, set)
}

// covers knows ranges that end in the last message, 0.
func covers(s imap.UIDSet, uid uint32) bool {
	for _, r := range s {
		if uint32(r.Start) <= uid && (r.Stop == 0 || uid <= uint32(r.Stop)) {
			return true
		}
	}
	return false
}

func (c *fakeConn) Prepare(_ context.Context, asks []imapx.Prepare) ([]imapx.Prepared, error) {
	out := make([]imapx.Prepared, len(asks))
	for i, a := range asks {
		leave, err := c.enter("SELECT")
		if err != nil {
			leave()
			return nil, err
		}
		if a.Create && c.folders[a.Folder] == nil {
			c.folder(a.Folder)
			out[i].Created = true
		}
		switch f := c.folders[a.Folder]; {
		case f == nil:
			out[i].Err = folderError("SELECT", a.Folder, "no such folder")
		default:
			f.subscribed = f.subscribed || a.Subscribe
			out[i].Opened = imapx.Opened{Mark: f.mark(c.noModSeq), PermanentFlags: f.permanent}
		}
		leave()
	}
	return out, nil
}
