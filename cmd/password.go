package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/term"

	"mailmove/imapx/auth"
)

const (
	maxPassword     = 64 << 10 // bytes; tokens are longer than passwords, but not longer than this
	passwordTimeout = 2 * time.Minute
)

// passwordFlags say where the password of one side is.
type passwordFlags struct {
	side    string
	file    string
	command string
	flag    string // for messages, where it is not that of the password's file or command
}

// terminal is where a prompt may be shown.
type terminal struct {
	in  *os.File
	out io.Writer
}

// env is the variable that may hold the password; one endpoint alone has no side.
func (p passwordFlags) env() string {
	return strings.ReplaceAll("MAILMOVE_"+strings.ToUpper(p.side)+"_PASSWORD", "__", "_")
}

func (p passwordFlags) name(part string) string { return "--" + strings.TrimPrefix(p.side+part, "-") }

// where names the server for people; one endpoint alone has no side.
func (p passwordFlags) where() string {
	if p.side == "smtp" {
		return "mail server"
	}
	return orElse(p.side, "server")
}

// read gets the password: file or command, else the environment, else a prompt where stdin is a terminal.
func (p passwordFlags) read(ctx context.Context, who string, t terminal) (auth.Secret, error) {
	if p.file != "" && p.command != "" {
		return auth.Secret{}, usagef("give one of them", "both %s and %s", p.name("-password-file"), p.name("-password-command"))
	}
	switch value, inEnv := os.LookupEnv(p.env()); {
	case p.file != "":
		return p.fromFile()
	case p.command != "":
		return p.fromCommand(ctx)
	case inEnv && value != "":
		return auth.NewSecret(value), nil
	case term.IsTerminal(int(t.in.Fd())):
		return p.fromPrompt(ctx, who, t)
	}
	return auth.Secret{}, p.none("no password for the " + p.where() + " (" + who + ")")
}

// none is the error of a password that is nowhere.
func (p passwordFlags) none(what string) error {
	return &failure{code: exitNoInput, what: what,
		hint: "give " + p.name("-password-file") + " FILE, " + p.name("-password-command") + " COMMAND or set " + p.env()}
}

func (p passwordFlags) fromFile() (auth.Secret, error) {
	flag := orElse(p.flag, p.name("-password-file"))
	f, err := os.Open(p.file)
	if err != nil {
		return auth.Secret{}, noInput(flag, err)
	}
	defer f.Close()
	line, err := firstLine(f)
	if err != nil {
		return auth.Secret{}, noInput(flag, fmt.Errorf("%s: %w", p.file, err))
	}
	return auth.NewSecret(line), nil
}

// fromCommand runs a shell command. It gets no input, and not the passwords of the environment.
func (p passwordFlags) fromCommand(ctx context.Context) (auth.Secret, error) {
	flag := orElse(p.flag, p.name("-password-command"))
	ctx, cancel := context.WithTimeout(ctx, passwordTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", p.command)
	c.WaitDelay = time.Second // a grandchild that keeps the pipe open does not keep us
	c.Env = withoutPasswords(os.Environ())
	c.Stderr = os.Stderr
	var out limitedBuffer
	c.Stdout = &out
	if err := c.Run(); err != nil {
		return auth.Secret{}, &failure{code: exitNoInput, what: flag + ": " + err.Error(), err: err,
			hint: "run the command by hand and see what it says"}
	}
	line, err := firstLine(&out.Buffer)
	if err != nil {
		return auth.Secret{}, noInput(flag, err)
	}
	return auth.NewSecret(line), nil
}

// limitedBuffer keeps the beginning and takes the rest without keeping it.
type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if room := maxPassword + 2 - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func withoutPasswords(env []string) []string {
	kept := make([]string, 0, len(env))
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "MAILMOVE_") || !strings.HasSuffix(name, "_PASSWORD") {
			kept = append(kept, e)
		}
	}
	return kept
}

// firstLine reads up to the first newline and takes nothing else away: a password may begin or end with a blank.
func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	switch {
	case line == "":
		return "", errors.New("the first line is empty")
	case len(line) > maxPassword:
		return "", errors.New("the first line is too long for a password")
	}
	return line, nil
}
