package imapx

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// listing gathers the answers of one List. Its fields are the reader's while commands are in flight.
type listing struct {
	c        *conn
	out      Listing
	at       map[string]int // index in out.Folders by raw name
	statuses map[string]folderStatus
	subs     map[string]bool
	broken   bool // an answer was malformed
	badID    bool // a MAILBOXID was none
	lines    int  // folders and subscriptions
	nameSize int  // bytes of their names
	levels   int  // parts of their paths
}

type folderStatus struct {
	mark    Mark
	id      string
	counted bool // MESSAGES was among its items
	badID   bool // its MAILBOXID is none
}

// doubtful: a status that lacks what it must have (RFC 9051 sections 6.3.11 and 7.2). Dovecot answers UIDVALIDITY 0 and
// MESSAGES 0 for a folder full of mail whose index another session is just writing.
func (s folderStatus) doubtful() bool { return s.mark.UIDValidity == 0 || !s.counted }

func (c *conn) list(ctx context.Context) (Listing, error) {
	if err := c.lockSelection(ctx); err != nil {
		return Listing{}, err
	}
	defer c.unlockSelection()
	asked := c.asksIDs()
	out, err := c.listOnce(ctx)
	if err == nil && asked && !c.asksIDs() { // without MAILBOXID its lines can be read
		return c.listOnce(ctx)
	}
	return out, err
}

func (c *conn) listOnce(ctx context.Context) (Listing, error) {
	withIDs := c.asksIDs()
	l := &listing{c: c, at: map[string]int{}, statuses: map[string]folderStatus{}, subs: map[string]bool{}}
	opened, err := c.unselect(ctx)
	if err != nil {
		return Listing{}, err
	}
	if err := l.names(ctx); err != nil {
		return Listing{}, err
	}
	if opened != nil { // STATUS of the selected folder may be stale (RFC 9051 section 6.3.11)
		if err := c.settle(ctx, opened); err == nil {
			l.statuses[key(opened.cmd.folder)] = statusOf(opened)
		}
	}
	missing := l.missing()
	errs, err := l.ask(ctx, missing)
	if err != nil {
		return Listing{}, err
	}
	if err := l.lookInside(ctx, errs); err != nil {
		return Listing{}, err
	}
	if withIDs && (l.broken || l.badID) {
		c.badIDs.Store(true)
	}
	return l.result(errs), nil
}

// asksIDs reports whether MAILBOXID is asked for (RFC 8474). Cyrus 3.6 answers with what lay in its memory at times: other
// bytes each time, and a line feed or a bracket among them makes the whole line unreadable. After the first such answer a
// connection asks no more, and believes none.
func (c *conn) asksIDs() bool { return c.has(imap.CapObjectID) && !c.badIDs.Load() }

func statusOf(o *opening) folderStatus {
	return folderStatus{mark: o.opened.Mark, id: o.opened.MailboxID, counted: true}
}

// lookInside opens the folders with a doubtful status, all in one flight: the folder itself knows. What a server refuses is
// that folder's error.
func (l *listing) lookInside(ctx context.Context, errs map[int]error) error {
	c := l.c
	opened := make(map[int]*opening)
	for i, f := range l.out.Folders {
		if s, ok := l.statuses[key(f.Raw)]; !f.Selectable || !ok || !s.doubtful() {
			continue
		}
		delete(l.statuses, key(f.Raw))
		var err error
		if opened[i], err = c.open(ctx, f.Raw, false, 0, nil); err != nil {
			if c.failure() != nil {
				return err
			}
			errs[i] = err
			delete(opened, i)
		}
	}
	for i, o := range opened {
		err := c.settle(ctx, o)
		switch {
		case err == nil:
			l.statuses[key(o.cmd.folder)] = statusOf(o)
		case c.failure() != nil:
			return err
		default:
			errs[i] = err
		}
	}
	return nil
}

// unselect leaves the selected folder. CLOSE would expunge on a target, so a server without UNSELECT is asked to
// EXAMINE the folder again: that answer has the marks that STATUS must not be asked for.
func (c *conn) unselect(ctx context.Context) (*opening, error) {
	if c.sel.folder == "" {
		return nil, nil
	}
	if !c.has(imap.CapUnselect) {
		return c.open(ctx, c.sel.folder, false, 0, nil)
	}
	c.sel.serial++
	c.sel.folder, c.sel.writable = "", false
	h := &command{op: "UNSELECT", kind: KindFolder, scope: ScopeAccount}
	return nil, c.send(ctx, c.command("UNSELECT"), h)
}

// statusItems are asked of every folder.
func (c *conn) statusItems() string {
	items := "(MESSAGES UIDNEXT UIDVALIDITY"
	if c.has(imap.CapCondStore) {
		items += " HIGHESTMODSEQ"
	}
	if c.asksIDs() {
		items += " MAILBOXID"
	}
	return items + ")"
}

// names asks for all folders in one flight: LIST with everything in it where the server knows how (RFC 5258,
// 5819, 6154), else LIST and LSUB.
func (l *listing) names(ctx context.Context) error {
	c := l.c
	extended := c.has(imap.CapListExtended)
	w := c.command("LIST").Raw(` "" "*"`)
	if extended {
		ret := "SUBSCRIBED CHILDREN"
		if c.has(imap.CapSpecialUse) {
			ret += " SPECIAL-USE"
		}
		if c.has(imap.CapListStatus) && c.sel.folder == "" {
			ret += " STATUS " + c.statusItems()
		}
		w.Raw(" RETURN (" + ret + ")")
	}
	list := &command{op: "LIST", kind: KindFolder, scope: ScopeAccount, data: l.take, malformed: l.damage}
	flight := []*command{list}
	if err := c.send(ctx, w, list); err != nil {
		return err
	}
	if !extended {
		h := &command{op: "LSUB", kind: KindFolder, scope: ScopeAccount, data: l.take, malformed: l.damage}
		if err := c.send(ctx, c.command("LSUB").Raw(` "" "*"`), h); err != nil {
			return err
		}
		flight = append(flight, h)
	}
	if c.has(imap.CapNamespace) {
		h := &command{op: "NAMESPACE", kind: KindFolder, scope: ScopeAccount, data: l.take, malformed: l.damage}
		if err := c.send(ctx, c.command("NAMESPACE"), h); err != nil {
			return err
		}
		flight = append(flight, h)
	}
	for _, h := range flight {
		if err := c.wait(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) damage(error) { l.broken = true }

func (l *listing) take(r *wire.Response, _ bool) (taken bool, err error) {
	switch r.Name {
	case "LIST":
		return true, l.line(r)
	case "LSUB":
		f, err := parseList(r)
		if err == nil && !hasAttr(f.Attrs, imap.MailboxAttrNoSelect) && !l.subs[key(f.Raw)] && l.room(f.Raw) {
			l.subs[key(f.Raw)] = true // \NoSelect in LSUB means that only children are subscribed (RFC 3501 section 6.3.9)
		}
		return true, err
	case "STATUS":
		return l.status(r)
	case "NAMESPACE":
		return true, l.namespaces(r)
	}
	return false, nil
}

func (l *listing) line(r *wire.Response) error {
	f, err := parseList(r)
	if err != nil {
		l.out.Lost++
		return err
	}
	if i, ok := l.at[key(f.Raw)]; ok { // some servers list INBOX twice
		l.out.Folders[i].Subscribed = l.out.Folders[i].Subscribed || f.Subscribed
		return nil
	}
	if l.levels += len(f.Path); !l.room(f.Raw) {
		return nil
	}
	l.at[key(f.Raw)] = len(l.out.Folders)
	l.out.Folders = append(l.out.Folders, f)
	return nil
}

func (l *listing) status(r *wire.Response) (bool, error) {
	raw, err := r.P.AString()
	if err != nil {
		return true, err
	}
	name := string(raw)
	if _, known := l.statuses[key(name)]; !known && !l.room(name) {
		return true, nil
	}
	s, err := parseStatus(r)
	if err == nil {
		l.statuses[key(name)] = s
		l.badID = l.badID || s.badID
	}
	return true, err
}

// room reports whether one name more may be kept. A list without an end would grow for as long as it comes: the connection
// ends with it.
func (l *listing) room(raw string) bool {
	l.lines++
	l.nameSize += len(raw)
	if l.lines <= 3*maxFolders && len(l.out.Folders) < maxFolders && l.nameSize <= maxNames && l.levels <= maxLevels {
		l.c.useful()
		return true
	}
	text := fmt.Sprintf("the server lists more than %d folders, or names of more than %d MiB together", maxFolders, maxNames>>20)
	if l.levels > maxLevels {
		text = fmt.Sprintf("the server lists folders of more than %d levels together", maxLevels)
	}
	l.c.fail(l.c.error(nil, &Error{Op: "LIST", Kind: KindProtocol, Scope: ScopeAccount, Retry: RetryNever, Text: text}))
	return false
}

// missing are the folders that can be opened and have no status yet.
func (l *listing) missing() (at []int) {
	for i, f := range l.out.Folders {
		if _, ok := l.statuses[key(f.Raw)]; f.Selectable && !ok {
			at = append(at, i)
		}
	}
	return at
}

// ask sends STATUS for each of the folders, all in one flight. What a server refuses is that folder's error.
func (l *listing) ask(ctx context.Context, at []int) (map[int]error, error) {
	c := l.c
	errs := map[int]error{}
	sent := make(map[int]*command, len(at))
	for _, i := range at {
		raw := l.out.Folders[i].Raw
		h := &command{op: "STATUS", folder: raw, kind: KindFolder, scope: ScopeFolder, data: l.take, malformed: l.damage}
		if err := c.send(ctx, c.command("STATUS").Mailbox(raw).Raw(" "+c.statusItems()), h); err != nil {
			if c.failure() != nil {
				return nil, err
			}
			errs[i] = err
			continue
		}
		sent[i] = h
	}
	for i, h := range sent {
		if err := c.wait(ctx, h); err != nil {
			if c.failure() != nil {
				return nil, err
			}
			errs[i] = err
		}
	}
	for i, h := range sent { // all are in: the reader is done with l
		if _, ok := l.statuses[key(h.folder)]; !ok && errs[i] == nil {
			errs[i] = c.error(h, &Error{Text: "the server gave no STATUS for this folder", Kind: KindFolder, Scope: ScopeFolder})
		}
	}
	return errs, nil
}

func (l *listing) result(errs map[int]error) Listing {
	l.out.Complete = !l.broken
	l.out.Labels = l.c.has(capGmail)
	l.noMail(errs)
	for i := range l.out.Folders {
		f := &l.out.Folders[i]
		f.Subscribed = f.Subscribed || l.subs[key(f.Raw)]
		if s, ok := l.statuses[key(f.Raw)]; ok && f.Selectable {
			f.Mark, f.MailboxID = &s.mark, s.id
		}
		if f.Err = errs[i]; f.Err != nil {
			l.out.Complete = false
		}
	}
	return l.out
}

// noMail marks the folders that the provider keeps for something else than mail. What cannot be opened there is no fault.
func (l *listing) noMail(errs map[int]error) {
	row := l.c.provider()
	if len(row.Skips) == 0 {
		return
	}
	top := make([]string, 0, len(l.out.Folders))
	for _, f := range l.out.Folders {
		path := f.Path
		if len(path) > 1 && key(path[0]) == "INBOX" {
			path = path[1:]
		}
		top = append(top, path[0])
	}
	for i := range l.out.Folders {
		f := &l.out.Folders[i]
		if f.NotMail = row.Left(top, f.Path); f.NotMail != "" {
			delete(errs, i)
		}
	}
}

// key makes INBOX one name in any case (RFC 9051 section 5.1); all others are compared byte by byte.
func key(raw string) string {
	if strings.EqualFold(raw, "INBOX") {
		return "INBOX"
	}
	return raw
}

// display decodes a raw name for people.
func display(raw string) string {
	name, err := wire.DecodeUTF7(raw)
	if err != nil {
		name = strings.ToValidUTF8(raw, string(utf8.RuneError))
	}
	return key(name)
}

func hasAttr(attrs []imap.MailboxAttr, want imap.MailboxAttr) bool {
	for _, a := range attrs {
		if strings.EqualFold(string(a), string(want)) {
			return true
		}
	}
	return false
}
