package sync

import (
	"context"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// Where folders are labels (Gmail), one message is in each folder that it has the label of, and once more in \All, which
// shows everything but spam and trash. \Important and \Flagged are labels that nobody sorts mail by. Copied as they are
// listed, each message would be there three times or more. So:
//
//   - \Important and \Flagged are left out: what they show is in \All, and a star is the flag \Flagged;
//   - of \All is carried what no other carried folder has: what its user archived (archive.go), into an archive.

// Labels says what becomes of Gmail's labels.
type Labels int

const (
	LabelFolders  Labels = iota // each is a folder, and a message lies in each that it has
	LabelKeywords               // a message lies in INBOX, Sent, Drafts, Junk, Trash or the archive; labels become keywords
	LabelIgnore                 // the same without keywords
)

// isArchive reports Gmail's \All.
func isArchive(l imapx.Listing, f *imapx.Folder) bool {
	return l.Labels && f.SpecialUse == imap.MailboxAttrAll
}

// archiveUse is what \All becomes: on a target of its own kind it is \All again, where an archived message lies.
func (m *mapper) archiveUse() imap.MailboxAttr {
	if m.target.Labels {
		return imap.MailboxAttrAll
	}
	return imap.MailboxAttrArchive
}

// onlyLabel says why a folder of a server with labels is not carried as a folder, "" where it is.
func (m *mapper) onlyLabel(f *imapx.Folder) string {
	if !m.source.Labels || isInbox(f) {
		return ""
	}
	switch f.SpecialUse {
	case imap.MailboxAttrImportant, imap.MailboxAttrFlagged:
		return "Gmail shows there what other folders have, and All Mail has whatever no other has"
	case "":
		switch m.rules.Labels {
		case LabelKeywords:
			return "--gmail-labels keywords: its messages get the label as a keyword"
		case LabelIgnore:
			return "--gmail-labels ignore: its messages are carried from All Mail"
		}
	}
	return ""
}

// pathWithLabels is pathOf, without the folder that Gmail keeps its own folders in ("[Gmail]", whatever its language), and
// with a name for what \All becomes.
func (m *mapper) pathWithLabels(f *imapx.Folder) []string {
	path := m.pathOf(f)
	switch {
	case !m.source.Labels || m.target.Labels || m.rules.From != "" || len(path) < 2 || f.SpecialUse == "":
		return path
	case isArchive(m.source, f):
		return []string{"Archive"}
	}
	return path[len(path)-1:]
}

// withKeywords is a source whose labels are told as keywords, wherever flags are asked for.
type withKeywords struct{ Source }

func (s withKeywords) Visit(ctx context.Context, v imapx.Visit, h imapx.VisitHandler) (imapx.VisitResult, error) {
	v.Reads = slices.Clone(v.Reads)
	for i := range v.Reads {
		if v.Reads[i].Want&imapx.WantFlags != 0 {
			v.Reads[i].Want |= imapx.WantLabels
		}
	}
	given := h.Message
	h.Message = func(read int, m imapx.Message) error {
		for _, label := range m.Labels {
			if k := keywordOf(label); k != "" && !hasFlag(m.Flags, k) {
				m.Flags = append(slices.Clip(m.Flags), k)
			}
		}
		return given(read, m)
	}
	return s.Source.Visit(ctx, v, h)
}

// longestKeyword is what servers are known to take, in bytes: Cyrus and Dovecot keep more.
const longestKeyword = 100

// keywordOf is the keyword of a label, "" for a system label that is a folder or a flag. Importance has a keyword of its
// own (RFC 8457 section 3); what an atom cannot hold (RFC 9051 section 9) is written as "_".
func keywordOf(label string) imap.Flag {
	if strings.HasPrefix(label, `\`) {
		if strings.EqualFold(label, `\Important`) {
			return "$Important"
		}
		return ""
	}
	k := strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r) {
			return '_'
		}
		return r
	}, label)
	return imap.Flag(k[:min(len(k), longestKeyword)])
}

// LabelsAsKeywords gives a source as passes with this mapping see its flags.
func (m Mapping) LabelsAsKeywords(s Source) Source {
	if m.Labels != LabelKeywords {
		return s
	}
	return withKeywords{s}
}
