package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx/auth"
)

// fromPrompt asks on the terminal without echo, which is off before the question stands there. The read cannot be
// interrupted, so it has its own goroutine; when the context ends the terminal's state is put back and the process is
// about to exit.
func (p passwordFlags) fromPrompt(ctx context.Context, who string, t terminal) (secret auth.Secret, err error) {
	fd := int(t.in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return auth.Secret{}, noInput("terminal", err)
	}
	fmt.Fprintf(t.out, "Password for the %s, %s: ", p.where(), ui.Clean(who))
	defer func() {
		err = errors.Join(err, term.Restore(fd, before))
		fmt.Fprintln(t.out)
	}()
	type answer struct {
		line []byte
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		line, err := typedLine(t.in, interruptSelf)
		done <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return auth.Secret{}, context.Cause(ctx)
	case a := <-done:
		switch {
		case a.err != nil && !errors.Is(a.err, io.EOF):
			return auth.Secret{}, noInput("terminal", a.err)
		case len(a.line) == 0:
			return auth.Secret{}, p.none("no password given for the " + p.where())
		}
		return auth.NewSecret(string(a.line)), nil
	}
}

// interruptSelf does what the terminal would have done of Ctrl-C.
func interruptSelf() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Signal(os.Interrupt) // where it cannot be sent, Ctrl-C does nothing
	}
}

// The keys that a raw terminal leaves to the program.
const (
	ctrlC     = 3
	ctrlD     = 4
	backspace = 8
	ctrlU     = 21
	ctrlZ     = 26
	ctrlSlash = 28 // the terminal's quit, with a backslash
	del       = 127
)

// typedLine reads what is typed on a raw terminal, up to the Enter key. Ctrl-D with nothing before it is io.EOF.
// term.ReadPassword waits on for ever then.
func typedLine(r io.Reader, interrupt func()) (line []byte, err error) {
	var key [1]byte
	for {
		n, err := r.Read(key[:])
		switch {
		case n == 0 && err != nil:
			return line, err
		case n == 0:
			continue
		}
		switch key[0] {
		case '\r', '\n':
			return line, nil
		case ctrlC:
			interrupt()
		case ctrlD:
			if len(line) == 0 {
				return nil, io.EOF
			}
		case backspace, del:
			_, size := utf8.DecodeLastRune(line)
			line = line[:len(line)-size]
		case ctrlU:
			line = nil
		case ctrlZ, ctrlSlash:
		default:
			if len(line) > maxPassword {
				return nil, errors.New("that is too long for a password")
			}
			line = append(line, key[0])
		}
	}
}
