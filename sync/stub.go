package sync

import (
	"bytes"
	"errors"
)

// stubSubjects begin the subjects of what a server gives in place of a message that it cannot turn into one. Exchange
// has one text; the message itself is still in the mailbox, and comes once the administrator repaired it or set its
// mailbox to give the original.
func stubSubjects() [][]byte {
	return [][]byte{[]byte("retrieval using the imap4 protocol failed for the following message")}
}

var errStub = errors.New("the source gives a notice that it could not retrieve the message (Exchange) instead of the message; each pass asks again")

// stub reports that this is no mail, but a server's notice in its place.
func (h *headerScanner) stub() bool {
	subject := bytes.ToLower(h.field(fieldSubject))
	for _, s := range stubSubjects() {
		if bytes.HasPrefix(subject, s) {
			return true
		}
	}
	return false
}
