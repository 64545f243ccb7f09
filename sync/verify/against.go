package verify

import (
	"context"
	"errors"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// Held is a folder of a receipt, held against the server as it is now.
type Held struct {
	Folder  string
	Was, Is Total
	Arrived int64  // messages that came after the receipt and are not compared
	Why     string // what differs; "": nothing
}

// Against holds one side of a receipt against its server, folder by folder, as closely as the receipt was made. Mail that
// arrived after it is counted and not compared, as long as the folder keeps its UIDVALIDITY. each is called as a folder
// is done; an error of the server ends it.
func Against(ctx context.Context, connect func(context.Context) (Side, error), c *Receipt, source bool, each func(Held)) error {
	level, err := ParseLevel(c.Level)
	if err != nil {
		return err
	}
	r := &run{Options: Options{ConnectTarget: connect, Retries: 3, Pause: 2 * time.Second}}
	l, err := r.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { l.close() }()
	var there imapx.Listing
	if err := r.again(ctx, l, func() (err error) { there, err = l.dst.List(ctx); return err }); err != nil {
		return err
	}
	side := c.Target
	if source {
		side = c.Source
	}
	now := make(map[string]*imapx.Folder)
	for i := range there.Folders {
		now[there.Folders[i].Raw] = &there.Folders[i]
	}
	for _, f := range side.Folders {
		var h Held
		err := r.again(ctx, l, func() (err error) {
			h, err = hold(ctx, l.dst, f, now[f.Raw], &reader{level: level, sample: c.Sample})
			return err
		})
		if ie, is := ofFolder(err); is && ctx.Err() == nil {
			h, err = Held{Folder: f.Folder, Was: Total{f.Messages, f.Bytes}, Why: "it cannot be read: " + ie.Error()}, nil
		}
		if err != nil {
			return err
		}
		each(h)
	}
	return nil
}

// hold compares one folder.
func hold(ctx context.Context, side Side, f FolderReceipt, now *imapx.Folder, rd *reader) (Held, error) {
	h := Held{Folder: f.Folder, Was: Total{f.Messages, f.Bytes}}
	switch {
	case now == nil || !now.Selectable:
		h.Why = "it is not there"
		return h, nil
	case rd.level == Counts && now.Mark == nil:
		return h, errors.New(f.Folder + ": the server does not say how many messages it has")
	case rd.level == Counts:
		h.Is.Messages = int64(now.Mark.Messages)
		if h.Is.Messages != h.Was.Messages {
			h.Why = "another number of messages"
		}
		return h, nil
	}
	var next imap.UID
	if now.Mark != nil && now.Mark.UIDValidity == f.UIDValidity {
		next = imap.UID(f.UIDNext)
	}
	list, opened, err := rd.folder(ctx, side, f.Raw, 0, next)
	if err != nil {
		return h, err
	}
	is := rd.receipt(f.Folder, f.Raw, opened, list)
	h.Is = Total{is.Messages, is.Bytes}
	h.Arrived = max(0, int64(opened.Messages)-is.Messages)
	switch {
	case is.Messages != f.Messages:
		h.Why = "another number of messages"
	case is.Digest != f.Digest:
		h.Why = "other messages"
	}
	return h, nil
}
