package imapx

import (
	"encoding/base64"
	"io"
	"strings"
	"sync/atomic"

	"mailmove/imapx/auth"
	"mailmove/imapx/wire"
)

// shownLine bounds a traced line in bytes of the protocol.
const shownLine = 4 << 10

// scrubbed bounds what of a line is looked through for secrets. It is far more than what is shown and a secret together: one
// that was cut would not be found.
const scrubbed = 256 << 10

// tracer writes one line at a time, each in one Write. What it is given holds neither secrets nor literals;
// scrub is a second line of defence, for a server that repeats a password in its answer.
type tracer struct {
	w       io.Writer
	id      string
	scrub   atomic.Pointer[strings.Replacer]
	secrets []auth.Secret // of hide
	sasl    atomic.Bool   // a SASL exchange goes on: its challenges are not shown, for salt and proof are enough to guess a password
}

func newTracer(w io.Writer, id string, secrets ...auth.Secret) *tracer {
	t := &tracer{w: w, id: id, secrets: secrets}
	t.scrub.Store(scrubber(secrets))
	return t
}

// hide takes a line of a login, as it is sent, for a secret from now on: servers repeat a command that they refuse, and in
// the base64 of PLAIN a password does not look like its own. One goroutine at a time may call it.
func (t *tracer) hide(line auth.Secret) {
	t.secrets = append(t.secrets, line)
	t.scrub.Store(scrubber(t.secrets))
}

func (t *tracer) line(direction, text string) {
	if t.w == nil {
		return
	}
	// A trace that cannot be written must not stop mail from moving.
	_, _ = io.WriteString(t.w, t.id+" "+direction+": "+wire.Visible(t.scrub.Load().Replace(text), shownLine)+"\n")
}

// received traces a frame; of its literals the text has only the sizes.
func (t *tracer) received(text []byte) {
	switch {
	case t.w == nil:
	case t.sasl.Load() && len(text) > 0 && text[0] == '+':
		t.line("S", "+ [challenge]")
	default:
		t.line("S", string(text[:min(len(text), scrubbed)]))
	}
}

// clean makes a server's words fit for an error or a log.
func (t *tracer) clean(text string) string { return wire.Visible(t.scrub.Load().Replace(text), 500) }

func scrubber(secrets []auth.Secret) *strings.Replacer {
	var pairs []string
	for _, secret := range secrets {
		p, hidden := secret.Reveal(), secret.String()
		if p == "" {
			continue
		}
		pairs = append(pairs, p, hidden, base64.StdEncoding.EncodeToString([]byte(p)), hidden)
		if q := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p); q != p {
			pairs = append(pairs, q, hidden)
		}
	}
	return strings.NewReplacer(pairs...)
}
