package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest"
)

// run shows a command and runs it: this very binary, as a process of its own.
func (d *demo) run(ctx context.Context, command []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	where := []string{
		"--id", demoAccount, "--state-dir", d.stateDir(),
		"--source", d.source.Addr(), "--source-user", demoUser, "--source-ca", d.caFile(),
		"--target", d.target.Addr(), "--target-user", demoUser, "--target-ca", d.caFile(),
	}
	d.show(command, where)
	args := slices.Concat(command, where)
	c := exec.CommandContext(ctx, self, args...)
	c.Args[0] = "mailmove"
	c.Stdout, c.Stderr = d.out, d.err
	c.Env = append(withoutPasswords(os.Environ()),
		"MAILMOVE_SOURCE_PASSWORD="+demoSourceWord, "MAILMOVE_TARGET_PASSWORD="+demoTargetWord)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 10 * time.Second
	if err := c.Run(); err != nil {
		return fmt.Errorf("mailmove %s: %w", strings.Join(command, " "), err)
	}
	return nil
}

// show prints a command as one would type it.
func (d *demo) show(command, where []string) {
	d.say("\n   $ export MAILMOVE_SOURCE_PASSWORD=%s MAILMOVE_TARGET_PASSWORD=%s\n   $ mailmove %s", demoSourceWord, demoTargetWord,
		strings.Join(command, " "))
	for flag := range slices.Chunk(where, 2) {
		d.say(" \\\n       %s", strings.Join(flag, " "))
	}
	d.say("\n\n")
}

// fill puts the sample mail on the source: nested folders, umlauts, Japanese, keywords, flags, an empty folder. The embedded
// server gives no bytes for a message with a broken header, so the corpus's odd messages stay out.
func (d *demo) fill(ctx context.Context) error {
	corpus, err := imaptest.NewCorpus(imaptest.Small, 1)
	if err != nil {
		return err
	}
	owner, err := d.owner(ctx)
	if err != nil {
		return err
	}
	for _, f := range corpus.Folders {
		err = errors.Join(err, newFolder(ctx, owner, f.Name(), f.Subscribed))
	}
	if err = errors.Join(err, owner.Close()); err != nil {
		return err
	}
	for m := range corpus.Messages() {
		if m.Label != "" {
			continue
		}
		if err := d.source.Deliver(demoUser, corpus.Folders[m.Folder].Name(), m); err != nil {
			return err
		}
	}
	return nil
}

// change does to the source what its owner could do between two passes.
func (d *demo) change(ctx context.Context) error {
	d.say("\n2. Meanwhile, in the old mailbox: two new messages, a flag, a new folder with a message.\n" +
		"   The next pass carries only these.\n")
	owner, err := d.owner(ctx)
	if err != nil {
		return err
	}
	err = errors.Join(d.flag(ctx, owner), newFolder(ctx, owner, demoFolder, true), owner.Close())
	for i, folder := range []string{"INBOX", "INBOX", demoFolder} {
		err = errors.Join(err, d.source.Deliver(demoUser, folder, demoMessage(i+1)))
	}
	return err
}

// last is what comes shortly before the final pass.
func (d *demo) last(context.Context) error {
	d.say("\n4. One more message comes. The final pass goes on until nothing new is found,\n" +
		"   and compares both sides message by message.\n")
	return d.source.Deliver(demoUser, "INBOX", demoMessage(4))
}

const demoFolder = "Projects"

func demoMessage(n int) imaptest.CorpusMessage {
	date := time.Date(2026, 3, 1+n, 9, 30, 0, 0, time.UTC)
	return imaptest.CorpusMessage{
		Stored: fmt.Appendf(nil, "From: Bob <bob@example.org>\nTo: Alice <alice@example.org>\nSubject: News %d\n"+
			"Date: %s\nMessage-ID: <news-%d@example.org>\n\nWritten between two passes.\n", n, date.Format(time.RFC1123Z), n),
		Date: date,
	}
}

// owner logs in to the source as its user would, with the right to change it.
func (d *demo) owner(ctx context.Context) (*imapx.Target, error) {
	host, portText, err := net.SplitHostPort(d.source.Addr())
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, err
	}
	return imapx.DialTarget(ctx, imapx.Endpoint{
		Side: "source", Host: host, Port: port, User: demoUser, Password: auth.NewSecret(demoSourceWord), Roots: d.ca.Pool(),
	}, imapx.Options{})
}

// flag marks the first message of INBOX that has no mark yet.
func (d *demo) flag(ctx context.Context, owner *imapx.Target) error {
	const mark = `\Flagged`
	visit := imapx.Visit{Folder: "INBOX", Reads: []imapx.Read{{Want: imapx.WantFlags}}}
	visit.Reads[0].UIDs.AddRange(1, 0) // 1:*
	var change imapx.FlagChange
	result, err := owner.Visit(ctx, visit, imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
		for _, f := range m.Flags {
			if strings.EqualFold(string(f), mark) { // the embedded server writes them small
				return nil
			}
		}
		if len(change.UIDs) == 0 {
			change.UIDs.AddNum(m.UID)
		}
		return nil
	}})
	if err != nil {
		return err
	}
	change.Add = append(change.Add, mark)
	return owner.Store(ctx, "INBOX", result.Opened.UIDValidity, []imapx.FlagChange{change})
}

func newFolder(ctx context.Context, owner *imapx.Target, name string, subscribe bool) error {
	done, err := owner.Prepare(ctx, []imapx.Prepare{{
		Folder: imapx.EncodeName(name), Create: name != "INBOX", Subscribe: subscribe,
	}})
	for _, p := range done {
		err = errors.Join(err, p.Err)
	}
	return err
}
