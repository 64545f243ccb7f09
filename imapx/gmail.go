package imapx

import (
	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// capGmail is offered where folders are labels (developers.google.com/workspace/gmail/imap/imap-extensions).
const capGmail imap.Cap = "X-GM-EXT-1"

// maxLabels bounds what is kept of one message: a Gmail account has at most 10,000 labels.
const maxLabels = 10_000

// askable leaves out of a Want what the server has no words for.
func (c *conn) askable(w Want) Want {
	if w&(WantLabels|WantGmailID) != 0 && !c.has(capGmail) {
		return w &^ (WantLabels | WantGmailID)
	}
	return w
}

// parseLabels reads `(\Inbox "Muy Importante" Work)`: system labels come as atoms or quoted, the user's as folder names do.
func parseLabels(p *wire.Parser) ([]string, error) {
	var out []string
	err := p.List(func() error {
		var text string
		switch p.Peek() {
		case '"', '{':
			s, err := p.String()
			if err != nil {
				return err
			}
			text = string(s.Bytes)
		default:
			atom, err := p.Atom()
			if err != nil {
				return err
			}
			text = atom
		}
		if len(out) >= maxLabels || len(text) > maxName {
			return wire.Malformed("a message with more than %d labels, or one of more than %d bytes", maxLabels, maxName)
		}
		out = append(out, text)
		return nil
	})
	return out, err
}
