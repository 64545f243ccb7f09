package imapx

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"mailmove/imapx/auth"
	"mailmove/imapx/wire"
)

// mostChallenges is how often a server may ask within one login. SCRAM takes three answers.
const mostChallenges = 8

// dialogue is an AUTHENTICATE command under way (RFC 9051 section 6.2.2).
type dialogue struct {
	c       *conn
	x       auth.Exchange
	initial []byte // still to be sent; nil: sent, or none
	asked   int
	broken  error // why we gave up
}

// authenticate talks through a SASL exchange. The mechanism's own refusal goes before the server's words, for those are
// often none.
func (c *conn) authenticate(ctx context.Context, choice auth.Login, h *command, initialResponse bool) error {
	initial, err := choice.Exchange.Initial()
	if err != nil {
		return c.error(h, &Error{Text: err.Error(), Kind: KindAuth, Scope: ScopeAccount, Err: err})
	}
	d := &dialogue{c: c, x: choice.Exchange, initial: initial}
	w := c.command("AUTHENTICATE " + string(choice.Mechanism))
	if initial != nil && initialResponse { // RFC 4959
		line := encoded(initial, "=")
		d.hide(line)
		w, d.initial = w.RawSecret(line), nil
	}
	parts, err := w.Parts()
	if err != nil {
		return c.unsendable(h, err)
	}
	c.trace.sasl.Store(true)
	defer c.trace.sasl.Store(false)
	err = c.exclusively(ctx, func() error { return d.run(w, h, parts) })
	if err == nil {
		err = c.wait(ctx, h)
	}
	return d.verdict(h, err)
}

// verdict is how the login ended: what the server said, unless we did not believe it.
func (d *dialogue) verdict(h *command, err error) error {
	var said *Error
	switch {
	case errors.As(err, &said) && said.Kind == KindAuth:
		if d.broken != nil {
			said.Text, said.Err = d.c.trace.clean(d.broken.Error()), d.broken // it may quote a challenge
		} else if why := d.x.Refusal(); why != "" {
			said.Text = strings.TrimSuffix(strings.TrimSpace(said.Text+"; "+d.c.trace.clean(why)), "; ")
		}
		return err
	case err != nil:
		return err
	}
	if d.broken == nil {
		d.broken = d.x.Done()
	}
	if d.broken == nil {
		return nil
	}
	// It says OK without having shown that it is the server: nothing more is said to it.
	e := d.c.error(h, &Error{Text: d.broken.Error(), Kind: KindAuth, Scope: ScopeAccount, Err: d.broken})
	d.c.fail(e)
	return e // also where the connection has ended meanwhile
}

// run sends the command and answers each challenge until the server has decided. The caller is the only writer.
func (d *dialogue) run(w *wire.Command, h *command, parts []wire.Part) error {
	ok, err := d.c.write(w, h, parts)
	for ok && err == nil {
		if ok, err = d.c.invited(h); !ok {
			break
		}
		err = d.answer(h.asked)
	}
	d.c.sent(h)
	return err
}

// answer sends the next line: base64, or "*" to give up, which the server answers with BAD.
func (d *dialogue) answer(challenge string) error {
	c := d.c
	if d.asked++; d.asked > mostChallenges {
		return c.fail(c.error(nil, &Error{Op: "login", Kind: KindProtocol, Scope: ScopeAccount, Retry: RetryNever,
			Text: "the server asks on and on within one login"}))
	}
	response, err := d.respond(challenge)
	line := encoded(response, "")
	shown := "[secret]"
	if err != nil {
		d.broken, line, shown = err, auth.NewSecret("*"), "*"
	} else {
		d.hide(line)
	}
	c.trace.line("C", shown)
	if _, err := c.out.Write([]byte(line.Reveal() + "\r\n")); err != nil {
		return c.lostWriting(err)
	}
	return nil
}

func (d *dialogue) respond(challenge string) ([]byte, error) {
	if d.broken != nil {
		return nil, d.broken
	}
	if d.initial != nil { // the server has no SASL-IR: its first, empty challenge asks for what is said first
		first := d.initial
		d.initial = nil
		return first, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(challenge))
	if err != nil {
		return nil, errors.New("the server's challenge is no base64")
	}
	return d.x.Next(decoded)
}

// shortestHidden is how long a line must be to be hidden wherever it comes back: the base64 of three letters may be a word.
// The password by itself is hidden whatever its length.
const shortestHidden = 8

// hide keeps what is said of the login out of errors, logs and the trace, if the server repeats it.
func (d *dialogue) hide(line auth.Secret) {
	if len(line.Reveal()) >= shortestHidden {
		d.c.trace.hide(line)
	}
}

// encoded is base64, and empty where there is nothing to say.
func encoded(b []byte, empty string) auth.Secret {
	if len(b) == 0 {
		return auth.NewSecret(empty)
	}
	return auth.NewSecret(base64.StdEncoding.EncodeToString(b))
}
