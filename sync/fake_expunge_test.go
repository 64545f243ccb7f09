package sync

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// expunging is how the fake's next Expunge or Move without MOVE ends.
type expunging int

const (
	expungeWorks  expunging = iota
	diesMarked              // the connection dies when \Deleted is set
	diesExpunged            // the connection dies when all is done
	copiesAndDies           // a Move: the copies are made, the originals stay
	diesUncopied            // a Move: nothing was done
)

func (c *fakeConn) Expunge(_ context.Context, folder string, validity uint32, r imapx.Removal) (imap.UIDSet, error) {
	leave, err := c.enter("EXPUNGE")
	defer leave()
	f := c.folders[folder]
	if err != nil || f == nil || f.validity != validity || c.noUIDs {
		return nil, cmpFake(err, folderError("EXPUNGE", folder, "cannot"))
	}
	fate := c.expunges
	c.expunges = expungeWorks
	var gone imap.UIDSet
	f.messages = slices.DeleteFunc(f.messages, func(m *fakeMessage) bool {
		if !covers(r.UIDs, m.uid) || !c.noModSeq && m.modseq > r.UnchangedSince {
			return false
		}
		if fate == diesMarked && !hasFlag(m.flags, imap.FlagDeleted) {
			m.flags = append(slices.Clone(m.flags), imap.FlagDeleted)
		}
		if fate == diesMarked || c.keeps != nil && c.keeps(m) {
			return false
		}
		gone.AddNum(imap.UID(m.uid))
		return true
	})
	f.modseq++
	if fate != expungeWorks {
		c.dead = lostError()
		return nil, c.dead
	}
	return gone, nil
}

// copyAndDie is a Move on a server without MOVE that came half way.
func (c *fakeConn) copyAndDie(f *fakeFolder, uids imap.UIDSet, to string) error {
	for _, m := range slices.Clone(f.messages) {
		if covers(uids, m.uid) && c.expunges == copiesAndDies {
			c.folders[to].add(m.date, m.data, m.flags)
			m.flags = append(slices.Clone(m.flags), imap.FlagDeleted)
		}
	}
	f.modseq++
	c.expunges = expungeWorks
	c.dead = lostError()
	return c.dead
}
