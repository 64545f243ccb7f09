package imapx

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// specialUses are the attributes of RFC 6154 section 2 and RFC 8457, in the imap package's spelling.
func specialUses() []imap.MailboxAttr {
	return []imap.MailboxAttr{imap.MailboxAttrAll, imap.MailboxAttrArchive, imap.MailboxAttrDrafts, imap.MailboxAttrFlagged,
		imap.MailboxAttrJunk, imap.MailboxAttrSent, imap.MailboxAttrTrash, imap.MailboxAttrImportant}
}

// parseList reads `(attributes) delimiter name`, LIST and LSUB alike. Extended items behind the name are not
// needed: subscription comes as an attribute.
func parseList(r *wire.Response) (Folder, error) {
	var f Folder
	attrText := 0
	err := r.P.List(func() error {
		a, err := r.P.Atom()
		if attrText += len(a); len(f.Attrs) >= maxAttrs || attrText > maxAttrText {
			return wire.Malformed("a folder with more than %d attributes, or %d bytes of them", maxAttrs, maxAttrText)
		}
		f.Attrs = append(f.Attrs, imap.MailboxAttr(a))
		return err
	})
	if err != nil {
		return f, err
	}
	delim, err := r.P.String()
	if err != nil {
		return f, err
	}
	if len(delim.Bytes) > maxDelim {
		return f, wire.Malformed("a separator of %d bytes", len(delim.Bytes))
	}
	if !delim.Nil {
		f.Delim = string(delim.Bytes)
	}
	name, err := r.P.AString()
	if err != nil {
		return f, err
	}
	if len(name) > maxName {
		return f, wire.Malformed("a folder's name of %d bytes", len(name))
	}
	f.Raw = string(name)
	f.Name = display(f.Raw)
	f.Path = []string{f.Name}
	if f.Delim != "" {
		f.Path = strings.Split(f.Name, f.Delim)
	}
	f.Subscribed = hasAttr(f.Attrs, imap.MailboxAttrSubscribed)
	f.Selectable = !hasAttr(f.Attrs, imap.MailboxAttrNoSelect) && !hasAttr(f.Attrs, imap.MailboxAttrNonExistent)
	for _, use := range specialUses() {
		if hasAttr(f.Attrs, use) {
			f.SpecialUse = use
			break
		}
	}
	return f, nil
}

// parseStatus reads the items of a STATUS answer, behind the name.
func parseStatus(r *wire.Response) (folderStatus, error) {
	var s folderStatus
	p := &r.P
	err := p.List(func() error {
		item, err := p.Atom()
		if err != nil {
			return err
		}
		switch strings.ToUpper(item) {
		case "MESSAGES":
			s.mark.Messages, err = p.Number()
			s.counted = err == nil
		case "UIDNEXT":
			var n uint32
			n, err = p.Number()
			s.mark.UIDNext = imap.UID(n)
		case "UIDVALIDITY":
			s.mark.UIDValidity, err = p.Number()
		case "HIGHESTMODSEQ":
			s.mark.HighestModSeq, err = p.Number64()
		case "MAILBOXID":
			s.id, err = objectID(p)
			s.badID = err == nil && s.id == ""
		default:
			err = p.Skip()
		}
		return err
	})
	return s, err
}

// namespaces reads RFC 2342's three lists; extensions behind a delimiter are skipped.
func (l *listing) namespaces(r *wire.Response) error {
	for _, into := range []*[]Namespace{&l.out.Personal, &l.out.Others, &l.out.Shared} {
		*into = nil
		err := r.P.List(func() error {
			var ns Namespace
			field := 0
			err := r.P.List(func() error {
				field++
				if field > 2 {
					return r.P.Skip()
				}
				s, err := r.P.String()
				switch {
				case s.Nil:
				case field == 1:
					ns.Prefix = string(s.Bytes)
				default:
					ns.Delim = string(s.Bytes)
				}
				return err
			})
			*into = append(*into, ns)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
