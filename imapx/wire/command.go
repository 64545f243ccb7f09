package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Secret is a value that may be sent and must not be shown (auth.Secret is one).
type Secret interface{ Reveal() string }

// Part is a piece of a command. After a part with Wait set the server must ask for more (`+`) before the next
// part may be sent.
type Part struct {
	Bytes []byte
	Wait  bool
}

// Command is built by its methods and sent part by part. Trace is what may be shown of it: secrets and literals
// are replaced by their size where they are written, so that no later step can forget it.
type Command struct {
	Tag   string
	Name  string // for messages: "UID FETCH"
	parts []Part
	trace strings.Builder
	err   error
}

// NewCommand starts a command; name is sent as it is, it is ours.
func NewCommand(tag, name string) *Command {
	c := &Command{Tag: tag, Name: name, parts: make([]Part, 1)}
	return c.Raw(tag + " " + name)
}

// Raw adds text that this program made itself. CR, LF and NUL are refused.
func (c *Command) Raw(s string) *Command {
	if strings.ContainsAny(s, "\r\n\x00") {
		c.fail("a line break or NUL in a command")
		return c
	}
	c.put(s)
	c.trace.WriteString(s)
	return c
}

// Mailbox adds a blank and a folder's raw name. A name with 8-bit bytes goes as a literal that waits, for
// quoted strings are 7-bit where UTF8=ACCEPT is not enabled; CR, LF and NUL are refused.
func (c *Command) Mailbox(raw string) *Command {
	c.put(" ")
	c.trace.WriteString(" ")
	switch {
	case strings.ContainsAny(raw, "\r\n\x00"):
		c.fail("a line break or NUL in a folder name")
	case isASCII(raw):
		return c.Raw(quote(raw))
	default:
		c.wait(raw)
	}
	return c
}

// Secret adds a blank and a secret as quoted string or, where it is long or not plain ASCII, as a literal that
// waits. It is the only way for a secret into a command.
func (c *Command) Secret(s Secret) *Command {
	v := s.Reveal()
	c.put(" ")
	c.trace.WriteString(" ")
	switch {
	case strings.ContainsRune(v, 0):
		c.fail("a NUL in a secret")
	case isASCII(v) && len(v) <= 100 && !strings.ContainsAny(v, "\r\n"):
		c.put(quote(v))
		c.trace.WriteString("[secret]")
	default:
		c.wait(v)
	}
	return c
}

// RawSecret adds a blank and a secret that must be sent as it is, such as the base64 of an initial response.
func (c *Command) RawSecret(s Secret) *Command {
	v := s.Reveal()
	if strings.ContainsAny(v, " \r\n\x00") {
		c.fail("a blank or line break in an encoded secret")
		return c
	}
	c.put(" " + v)
	c.trace.WriteString(" [secret]")
	return c
}

// wait adds a literal that the server has to ask for.
func (c *Command) wait(v string) {
	announce := "{" + strconv.Itoa(len(v)) + "}"
	c.put(announce + "\r\n")
	c.parts[len(c.parts)-1].Wait = true
	c.parts = append(c.parts, Part{Bytes: []byte(v)})
	c.trace.WriteString(announce)
}

func (c *Command) put(s string) {
	last := &c.parts[len(c.parts)-1]
	last.Bytes = append(last.Bytes, s...)
}

func (c *Command) fail(why string) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %s", c.Name, why)
	}
}

// Parts gives the complete command with its line end, or why it must not be sent.
func (c *Command) Parts() ([]Part, error) {
	parts, err := c.Begun()
	if err != nil {
		return nil, err
	}
	last := &parts[len(parts)-1]
	last.Bytes = append(append([]byte(nil), last.Bytes...), "\r\n"...)
	return parts, nil
}

// Begun is Parts without the line end: the caller goes on, as APPEND does with its literals.
func (c *Command) Begun() ([]Part, error) {
	if c.err != nil {
		return nil, c.err
	}
	return append([]Part(nil), c.parts...), nil
}

// Trace is the command as it may be shown.
func (c *Command) Trace() string { return c.trace.String() }

// quote writes a quoted string; the caller has refused what cannot be in one.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || s[i] == 0 {
			return false
		}
	}
	return true
}
