package imapx

import (
	"context"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// acceptance is what a server has accepted in APPENDs to one folder on one connection. Before a literal that
// does not wait is sent there, the folder and every flag atom must be in it: a server that answers BAD without
// reading the literal takes the message's lines for commands, and whoever wrote the mail commands the server
// (Dovecot 2.3 does so for an unknown system flag).
type acceptance struct {
	folder bool // any APPEND got as far as its literal
	atoms  map[imap.Flag]bool
	wary   bool // the probe was not clearly accepted: it is not tried again, new atoms wait
}

// systemFlags are probed together with a folder's opening (RFC 9051 section 2.3.2).
func systemFlags() []imap.Flag {
	return []imap.Flag{imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft}
}

func (t *Target) acceptance(folder string) *acceptance {
	a := t.accept[folder]
	if a == nil {
		a = &acceptance{atoms: map[imap.Flag]bool{}}
		t.accept[folder] = a
	}
	return a
}

// accepted reports whether a literal behind these atoms need not wait.
func (t *Target) accepted(folder string, atoms []imap.Flag) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.acceptance(folder)
	for _, f := range atoms {
		if !a.atoms[f] {
			return false
		}
	}
	return a.folder
}

func (t *Target) setAccepted(folder string, atoms []imap.Flag) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.acceptance(folder)
	a.folder = true
	for _, f := range atoms {
		a.atoms[f] = true
	}
}

func (t *Target) setWary(folder string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.acceptance(folder).wary = true
}

func (t *Target) isWary(folder string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.acceptance(folder).wary
}

// forgetAccepted: another folder may have a known name now.
func (t *Target) forgetAccepted() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.accept)
}

// canProbe: zero octets abort an APPEND only where MULTIAPPEND is (RFC 3502 section 6.3.11); elsewhere an empty
// message could be stored.
func (t *Target) canProbe() bool {
	return t.c.has(imap.CapMultiAppend) && t.c.has(imap.CapLiteralMinus)
}

// sendProbe asks in one line whether the server takes these atoms in this folder: an APPEND of zero octets. A
// server that refuses the line without reading the literal finds an empty line there, and nothing of a message.
func (t *Target) sendProbe(ctx context.Context, folder string, atoms []imap.Flag) (*command, error) {
	c := t.c
	h := &command{op: "APPEND", folder: folder, kind: KindAppend, scope: ScopeFolder}
	h.finish = func(h *command) {
		switch {
		case probeAccepted(h.status):
			t.setAccepted(folder, atoms)
		case h.status.code != imap.ResponseCodeTryCreate && h.status.code != imap.ResponseCodeNonExistent:
			t.setWary(folder)
		}
	}
	w := c.command("APPEND").Mailbox(folder).Raw(" " + flagList(atoms) + " {0+}")
	parts, err := w.Parts()
	if err != nil {
		return nil, c.unsendable(h, err)
	}
	return h, c.exclusively(ctx, func() error {
		if ok, err := c.write(w, h, parts); !ok {
			return err
		}
		if _, err := c.out.WriteString("\r\n"); err != nil {
			return c.lostWriting(err)
		}
		c.sent(h)
		return nil
	})
}

// probeAccepted: only a NO says that the line was understood and the message was missing. A NO for another
// reason, such as a folder that is not there, says nothing of the atoms.
func probeAccepted(s status) bool {
	if s.name != "NO" {
		return false
	}
	switch s.code {
	case "", imap.ResponseCodeCannot:
		return true
	}
	return false
}

// probe makes sure that atoms are accepted, at the cost of one round trip where they are new. False: literals
// have to wait.
func (t *Target) probe(ctx context.Context, folder string, atoms []imap.Flag) (bool, error) {
	if t.accepted(folder, atoms) {
		return true, nil
	}
	if !t.canProbe() || t.isWary(folder) {
		return false, nil
	}
	h, err := t.sendProbe(ctx, folder, atoms)
	if err == nil {
		err = t.c.await(ctx, h)
	}
	return err == nil && t.accepted(folder, atoms), err
}

func flagList(flags []imap.Flag) string {
	words := make([]string, len(flags))
	for i, f := range flags {
		words[i] = string(f)
	}
	return "(" + strings.Join(words, " ") + ")"
}
