package sync

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// What the fake does as a target: store, change, remove, and lose connections on demand.

type fakePending struct {
	res imapx.Appended
	err error
}

func (p fakePending) Wait(context.Context) (imapx.Appended, error) { return p.res, p.err }

func (c *fakeConn) Append(_ context.Context, b imapx.AppendBatch) (imapx.Pending, error) {
	leave, err := c.enter("APPEND")
	defer leave()
	if err != nil {
		return nil, err
	}
	f := c.folders[b.Folder]
	if f == nil {
		e := folderError("APPEND", b.Folder, "no such folder")
		e.Side, e.Code = "target", imap.ResponseCodeTryCreate
		res := imapx.Appended{UIDs: make([]imap.UID, len(b.Messages)), Errs: make([]error, len(b.Messages))}
		for i := range res.Errs {
			res.Errs[i] = e
		}
		return fakePending{res: res}, nil
	}
	list := make([]fakeMessage, len(b.Messages))
	for i, m := range b.Messages {
		var data bytes.Buffer
		if _, err := m.Body.(io.WriterTo).WriteTo(&data); err != nil {
			return nil, err
		}
		list[i] = fakeMessage{flags: m.Flags, date: m.Date, data: data.Bytes()}
	}
	c.batches++
	if c.lose != nil {
		if fate := c.lose(c.batches); fate.dies {
			c.dead = lostError()
			c.release(afterNextDeath)
			c.land(f, list[:min(fate.stored, len(list))], fate.when)
			return fakePending{err: c.dead}, nil
		}
	}
	res := c.store(f, list)
	if c.stored != nil {
		c.stored()
	}
	c.release(afterNextBatch)
	return fakePending{res: res}, nil
}

// land stores what a dead connection had sent, at once or later. The server's lock is held.
func (s *fakeServer) land(f *fakeFolder, list []fakeMessage, when landing) {
	store := func() {
		for _, m := range list {
			if s.forgetful {
				m.flags = nil
			}
			f.add(m.date, m.data, m.flags)
		}
	}
	if when == atOnce {
		store()
		return
	}
	s.held = append(s.held, held{store, when})
}

// release lets land what waits for this. The server's lock is held.
func (s *fakeServer) release(when landing) {
	s.held = slices.DeleteFunc(s.held, func(h held) bool {
		if h.when == when {
			h.store()
		}
		return h.when == when
	})
}

// releaseAll lets everything land.
func (s *fakeServer) releaseAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range []landing{afterNextBatch, whenReleased, afterNextLook, afterNextDeath} {
		s.release(w)
	}
}

func (c *fakeConn) store(f *fakeFolder, list []fakeMessage) imapx.Appended {
	res := imapx.Appended{UIDValidity: f.validity, UIDs: make([]imap.UID, len(list)), Errs: make([]error, len(list))}
	var refused error
	for i, m := range list {
		if c.noDate != nil && c.noDate(m.date) {
			refused = &imapx.Error{Op: "APPEND", Side: c.side, Text: "cannot", Kind: imapx.KindAppend, Scope: imapx.ScopeMessage}
			res.Errs[i] = refused
		}
		if c.refuseFlags != nil {
			if e := c.refuseFlags(m.flags); e != nil {
				res.Errs[i], refused = e, e
			}
		}
		if c.refuse == nil {
			continue
		}
		if e := c.refuse(m.data); e != nil {
			res.Errs[i], refused = e, e
		}
	}
	for i, m := range list {
		if c.multi && refused != nil {
			res.Errs[i] = refused
		}
		if res.Errs[i] != nil {
			continue
		}
		if c.merges {
			if at := slices.IndexFunc(f.messages, func(n *fakeMessage) bool { return bytes.Equal(n.data, m.data) }); at >= 0 {
				res.UIDs[i] = imap.UID(f.messages[at].uid)
				continue
			}
		}
		if c.forgetful {
			m.flags = nil
		}
		res.UIDs[i] = imap.UID(f.add(m.date, m.data, m.flags))
	}
	if c.renumbers > 0 {
		c.renumbers--
		c.validity += 1000
		f.validity = c.validity
	}
	if c.noUIDs {
		res.UIDValidity = 0
		clear(res.UIDs)
	}
	return res
}

func (c *fakeConn) Store(_ context.Context, folder string, validity uint32, changes []imapx.FlagChange) error {
	leave, err := c.enter("STORE")
	defer leave()
	if err == nil && c.fails != nil {
		err = c.fails("STORE")
	}
	f := c.folders[folder]
	if err != nil || f.validity != validity {
		return cmpFake(err, folderError("STORE", folder, "another UIDVALIDITY"))
	}
	for _, ch := range changes {
		for _, m := range f.messages {
			if !covers(ch.UIDs, m.uid) {
				continue
			}
			m.flags = slices.DeleteFunc(slices.Clone(m.flags), func(x imap.Flag) bool { return hasFlag(ch.Remove, x) || hasFlag(ch.Add, x) })
			m.flags = append(m.flags, ch.Add...)
			f.modseq++
			m.modseq = f.modseq
		}
	}
	return nil
}

func cmpFake(err error, e *imapx.Error) error {
	if err != nil {
		return err
	}
	return e
}

func (c *fakeConn) Remove(_ context.Context, folder string, validity uint32, uids imap.UIDSet) error {
	leave, err := c.enter("EXPUNGE")
	defer leave()
	f := c.folders[folder]
	if err != nil || f.validity != validity || c.noUIDs {
		return cmpFake(err, folderError("EXPUNGE", folder, "cannot"))
	}
	f.messages = slices.DeleteFunc(f.messages, func(m *fakeMessage) bool { return covers(uids, m.uid) })
	return nil
}

func (c *fakeConn) Drop(_ context.Context, folder string) error {
	leave, err := c.enter("DELETE")
	defer leave()
	if f := c.folders[folder]; err != nil || f != nil && len(f.messages) > 0 {
		return cmpFake(err, folderError("DELETE", folder, "not empty"))
	}
	delete(c.folders, folder)
	return nil
}

func (c *fakeConn) CanMove() bool { return !c.noUIDs }

func (c *fakeConn) Rename(_ context.Context, from, to string) error {
	leave, err := c.enter("RENAME")
	defer leave()
	if err != nil || c.folders[from] == nil || c.folders[to] != nil {
		return cmpFake(err, folderError("RENAME", from, "cannot"))
	}
	c.rename(from, to)
	return nil
}

// rename moves a folder and its children. The server's lock is held.
func (s *fakeServer) rename(from, to string) {
	for name, f := range s.folders {
		if name == from || strings.HasPrefix(name, from+"/") {
			delete(s.folders, name)
			s.folders[to+name[len(from):]] = f
		}
	}
}

func (c *fakeConn) Move(_ context.Context, from string, validity uint32, uids imap.UIDSet, to string) (map[imap.UID]imap.UID, error) {
	leave, err := c.enter("MOVE")
	defer leave()
	f := c.folders[from]
	if err != nil || f.validity != validity {
		return nil, cmpFake(err, folderError("MOVE", from, "another UIDVALIDITY"))
	}
	if c.expunges >= copiesAndDies && c.noMove {
		return nil, c.copyAndDie(f, uids, to)
	}
	out := make(map[imap.UID]imap.UID)
	f.messages = slices.DeleteFunc(f.messages, func(m *fakeMessage) bool {
		if covers(uids, m.uid) {
			out[imap.UID(m.uid)] = imap.UID(c.folders[to].add(m.date, m.data, m.flags))
			return true
		}
		return false
	})
	f.modseq++
	if c.loseMove {
		c.loseMove = false
		c.dead = lostError()
		return nil, c.dead
	}
	return out, nil
}

// move is what a user does.
func (s *fakeServer) move(from string, uid uint32, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range slices.Clone(s.folders[from].messages) {
		if m.uid == uid {
			s.folder(to).add(m.date, m.data, m.flags)
		}
	}
	f := s.folders[from]
	f.modseq++
	f.messages = slices.DeleteFunc(f.messages, func(m *fakeMessage) bool { return m.uid == uid })
}
