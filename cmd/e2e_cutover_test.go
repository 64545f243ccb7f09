//go:build e2e

package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest/real"
)

// procedure is a hoster's move, command by command. What is typed and said becomes a document.
type procedure struct {
	old, new         *real.Server
	oldMail, newMail *real.Postfix
	flow             *mailFlow
	dir, program     string
	names            *strings.Replacer // of this machine, in the words of an admin's
	text             bytes.Buffer
	code             int // of the last command
}

const (
	transcript  = "../docs/cutover-example.md"
	flowTTL     = 3    // seconds that the world goes on believing the old MX, once that was lowered
	highTTL     = 3600 // and before
	pastPerBox  = 15
	flowMailbox = 20
)

// TestE2ECutover: twenty mailboxes of three domains, mail arriving all the time. Each domain is copied, made final, switched
// and followed by tails while mail still reaches its old server. By the list of what was sent, none is missing and none is
// there twice.
func TestE2ECutover(t *testing.T) {
	p := newProcedure(t)
	p.flow.start(t, rand.New(rand.NewPCG(stopSeed(), 10)), 120*time.Millisecond)

	p.before(t)
	for i, domain := range []string{"a.example", "b.example", "c.example"} {
		p.move(t, domain)
		if i == 0 {
			p.trap(t)
		}
	}
	p.after(t)

	sent := 0
	for _, box := range p.flow.boxes {
		p.flow.compare(t, p.new, box)
		sent += len(p.flow.taken[box])
	}
	if late := sent - flowMailbox*pastPerBox; late < 50 {
		t.Errorf("only %d messages came during the move", late)
	}
	t.Logf("%d messages in %d mailboxes", sent, flowMailbox)
	p.document(t)
}

// before is what is done until the evening of the switch.
func (p *procedure) before(t *testing.T) {
	t.Helper()
	p.say("## Two weeks before\n\nThe plan goes into the ticket, and every account is tried.")
	p.run(t, []int{0}, "cutover", "plan", "--accounts", "accounts.csv", "--ttl", "1h")
	p.run(t, []int{0, exitCheck}, "check", "--accounts", "accounts.csv", "--try", "1s")
	p.say("## A week before\n\nThe first copy, while people work. From then on a pass every night carries what is new.")
	p.run(t, []int{0}, "sync", "--accounts", "accounts.csv", "--result", "result.csv")
	p.run(t, []int{0}, "sync", "--accounts", "accounts.csv")
	p.say("The TTL of the MX records is an hour. It is lowered, and from when on a switch is safe is asked for.")
	p.dns(t, "--accounts", "accounts.csv", "--source", "mx.old.example")
	for domain := range flowDomains() {
		p.setMX(t, domain, "mx.old.example", 2)
	}
	p.dns(t, "--accounts", "accounts.csv", "--source", "mx.old.example")
	p.days(t, 3)
	p.run(t, []int{0}, "cutover", "status", "--accounts", "accounts.csv", "--dns-root", p.flow.names.Root().String())
}

// move switches one domain.
func (p *procedure) move(t *testing.T, domain string) {
	t.Helper()
	root := p.flow.names.Root().String()
	p.say("## " + domain + " moves\n\nThe final pass. Mail comes in meanwhile; where that never stops it ends with exit code 31, and is made again.")
	for range 5 {
		p.run(t, []int{0, exitChanging}, "cutover", "next", domain, "--accounts", "accounts.csv", "--yes")
		if p.code == 0 {
			break
		}
	}
	p.say("Is the switch safe? Then the old server relays what still comes to it, and leads logins on. Then the MX is switched.")
	p.run(t, []int{0}, "cutover", "next", domain, "--accounts", "accounts.csv", "--dns-root", root)
	p.run(t, []int{0}, "export", "postfix", "--accounts", "accounts.csv", "--group", domain, "--name", "{id}", "--relay", p.newMail.Addr(),
		"--to", "moved", "--postmap", p.oldMail.Postmap(), "--resolver", p.flow.nameServer(domain))
	p.run(t, []int{0}, "export", "dovecot", "--accounts", "accounts.csv", "--group", domain, "--name", "{id}", "--to", "logins",
		"--resolver", p.flow.nameServer(domain))
	p.setMX(t, domain, "mx.new.example", 3)
	p.dns(t, domain, "--expect-mx", "mx.new.example", "--wait=1s", "--time-limit", "1m")
	p.run(t, []int{0}, "cutover", "next", domain, "--accounts", "accounts.csv", "--dns-root", root, "--switched", "--why", "ticket-17")
	p.say("Until the last resolver has forgotten the old MX, and Postfix has opened the new table, mail may still reach the old\nmailboxes. The tail carries it.")
	p.run(t, []int{0}, "sync", "--accounts", "accounts.csv", "--group", domain)
}

// after is what is done until the old mailboxes are switched off.
func (p *procedure) after(t *testing.T) {
	t.Helper()
	p.say("## The tails\n\nThe nightly pass goes on until nothing came for two weeks.")
	time.Sleep(12 * time.Second) // the resolvers' TTL, and what Postfix takes to see its new table
	p.run(t, []int{0}, "sync", "--accounts", "accounts.csv")
	p.flow.finish(t)
	p.run(t, []int{0}, "sync", "--accounts", "accounts.csv")
	p.say("The maps still hold exactly the domains that are switched:")
	p.run(t, []int{0}, "export", "dovecot", "--accounts", "accounts.csv", "--name", "{id}", "--to", "logins", "--any-domain", "--check")
	for _, box := range p.flow.boxes { // who still logs in at the old server sees the new mailbox
		p.flow.compare(t, p.old, box)
	}
	p.days(t, 15)
	p.say("## Closed\n\nNothing came for two weeks, and the domains are removed at the old server. Their entries leave the maps.")
	for _, domain := range []string{"a.example", "b.example", "c.example"} {
		p.run(t, []int{0}, "cutover", "next", domain, "--accounts", "accounts.csv", "--confirmed-removed")
	}
	p.close(t)
}

// days lets days pass.
func (p *procedure) days(t *testing.T, n int) {
	t.Helper()
	if err := passDays(p.path("state"), n); err != nil {
		t.Fatal(err)
	}
}

func newProcedure(t *testing.T) *procedure {
	t.Helper()
	program, err := exec.LookPath("mailmove")
	if err != nil {
		t.Fatal(err)
	}
	p := &procedure{dir: t.TempDir(), program: program}
	for _, dir := range []string{filepath.Dir(p.dir), p.dir} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var boxes []string
	list := "id,group,target_user\n"
	for n := range flowMailbox {
		domain := []string{"a.example", "b.example", "c.example"}[n*3/flowMailbox]
		box := fmt.Sprintf("u%d@%s", n+1, domain)
		boxes = append(boxes, box)
		list += box + "," + domain + "," + box + "\n"
	}
	for name, mode := range map[string]os.FileMode{"logins": 0o640, "moved": 0o644} {
		if err := errors.Join(os.WriteFile(p.path(name), nil, mode), os.Chmod(p.path(name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(p.path("accounts.csv"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	p.new = real.Dovecot(t, real.Options{})
	p.newMail = real.StartPostfix(t, real.PostfixOptions{Mailboxes: boxes, Deliver: p.new})
	p.old = real.Dovecot(t, real.Options{Ahead: "ssl_ca = <" + p.new.CAFile() + "\nssl_require_crl = no\nprotocol imap {\npassdb {\n driver = passwd-file\n args = " +
		p.path("logins") + "\n}\n}\n"})
	if out, err := exec.Command(p.newMail.Postmap(), "lmdb:"+p.path("moved")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := p.old.Give(p.path("logins")); err != nil {
		t.Fatal(err)
	}
	p.oldMail = real.StartPostfix(t, real.PostfixOptions{Mailboxes: boxes, Deliver: p.old, Extra: "transport_maps = lmdb:" + p.path("moved")})
	p.flow = &mailFlow{servers: map[string]*real.Postfix{"mx.old.example": p.oldMail, "mx.new.example": p.newMail}, boxes: boxes,
		taken: make(map[string][]string), cache: make(map[string]heard)}
	if p.flow.names, err = flowWorld(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.flow.names.Close)
	for _, box := range boxes {
		p.flow.fill(t, p.old, box, pastPerBox)
	}
	p.rename()
	return p
}

func (p *procedure) path(name string) string { return filepath.Join(p.dir, name) }

// setMX puts a new version of a domain's zone in place, with the low TTL.
func (p *procedure) setMX(t *testing.T, domain, mx string, serial int) {
	t.Helper()
	if err := p.flow.names.SetZone(flowDomains()[domain], flowZone(domain, mx, serial, flowTTL)); err != nil {
		t.Fatal(err)
	}
}

// dns asks all name servers.
func (p *procedure) dns(t *testing.T, args ...string) {
	t.Helper()
	p.run(t, []int{0}, append([]string{"dns"}, append(args, "--root", p.flow.names.Root().String())...)...)
}

// rename makes this machine's names those of an admin's.
func (p *procedure) rename() {
	_, newPort, _ := net.SplitHostPort(p.new.TLSAddr())
	p.names = strings.NewReplacer(
		p.dir+"/moved", "/etc/postfix/moved", p.dir+"/logins", "/etc/dovecot/moved", p.dir+"/", "", p.oldMail.Postmap(), "postmap",
		"["+strings.Replace(p.newMail.Addr(), ":", "]:", 1), "[mx.new.example]:25", p.newMail.Addr(), "mx.new.example",
		"host=localhost hostip=127.0.0.1 port="+newPort, "host=mail.new.example hostip=192.0.2.9 port=993",
		p.old.Addr(), "mail.old.example", "localhost:"+newPort, "mail.new.example", p.new.TLSAddr(), "mail.new.example",
	)
}

// command is mailmove with the servers. The source is opened with an admin's login: after the switch that of a user leads to
// the new mailbox.
func (p *procedure) command(ctx context.Context, args ...string) *exec.Cmd {
	_, newPort, _ := net.SplitHostPort(p.new.TLSAddr())
	for i, a := range args {
		if slices.Contains([]string{"accounts.csv", "result.csv", "moved", "logins"}, a) {
			args[i] = p.path(a)
		}
	}
	args = append(args, "--state-dir", p.path("state"))
	if args[0] == "dns" {
		return exec.CommandContext(ctx, p.program, args...)
	}
	args = append(args, "--source", "imap://"+p.old.Addr(), "--source-tls", "none", "--source-user", "{id}*"+real.MasterUser,
		"--target", "localhost:"+newPort, "--target-ca", p.new.CAFile())
	c := exec.CommandContext(ctx, p.program, args...)
	c.Env = append(os.Environ(), "MAILMOVE_SOURCE_PASSWORD="+real.MasterPassword, "MAILMOVE_TARGET_PASSWORD="+real.Password)
	return c
}

// run is one step. Its exit code must be one of those that are foreseen.
func (p *procedure) run(t *testing.T, codes []int, args ...string) string {
	t.Helper()
	typed := "mailmove " + strings.Join(args, " ")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	said, err := p.command(ctx, args...).CombinedOutput()
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(codes, code) {
		t.Fatalf("%s: exit code %d\n%s", typed, code, said)
	}
	typed = regexp.MustCompile(` --resolver \S+`).ReplaceAllString(typed, "")
	p.code = code
	fmt.Fprintf(&p.text, "\n    $ %s\n", strings.NewReplacer(" {id} ", " '{id}' ", " --root "+p.flow.names.Root().String(), "", " --dns-root "+p.flow.names.Root().String(), "", " --postmap "+p.oldMail.Postmap(), "",
		"--to moved", "--to /etc/postfix/moved", "--to logins", "--to /etc/dovecot/moved").Replace(typed))
	p.quote(string(said))
	if code != 0 {
		fmt.Fprintf(&p.text, "    (exit code %d)\n", code)
	}
	return string(said)
}

// quote adds what a command said, the middle of what is long left out. That both servers are one machine here is nothing
// to warn an admin of.
func (p *procedure) quote(said string) {
	const most, ends = 14, 5
	lines := slices.DeleteFunc(slices.Collect(strings.Lines(said)), func(line string) bool {
		return strings.Contains(line, "make sure that another server listens on that port")
	})
	for i, line := range lines {
		switch {
		case len(lines) <= most || i < ends || i >= len(lines)-ends:
			p.text.WriteString("    " + line)
		case i == ends:
			fmt.Fprintf(&p.text, "    … %d lines more\n", len(lines)-2*ends)
		}
	}
}

// trap is what happens without the admin's login: the old server leads the login to the new mailbox, and a pass would carry
// that into itself.
func (p *procedure) trap(t *testing.T) {
	t.Helper()
	c := p.command(t.Context(), "sync", "--accounts", "accounts.csv", "--id", p.flow.boxes[0], "--tail")
	i := slices.Index(c.Args, "--source-user")
	c.Args[i+1] = "{id}"
	c.Env = append(c.Env, "MAILMOVE_SOURCE_PASSWORD="+real.Password)
	said, err := c.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitUsage {
		t.Errorf("a pass of the new mailbox into itself: %v\n%s", err, said)
	}
}

// close takes every entry out of both maps.
func (p *procedure) close(t *testing.T) {
	t.Helper()
	for _, m := range [][]string{{"moved", "postfix", "--relay", p.newMail.Addr(), "--postmap", p.oldMail.Postmap()}, {"logins", "dovecot"}} {
		name := m[0]
		text, err := os.ReadFile(p.path(name))
		if err != nil || bytes.Count(text, []byte("\n")) != flowMailbox+1 {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		said := p.run(t, []int{0}, append([]string{"export", m[1], "--accounts", "accounts.csv", "--name", "{id}", "--remove-stale", "--to", name}, m[2:]...)...)
		if !strings.Contains(said, fmt.Sprintf("0 entries: 0 new, 0 changed, %d removed", flowMailbox)) {
			t.Errorf("%s is not empty: %s", name, said)
		}
	}
}

func (p *procedure) say(text string) { fmt.Fprintf(&p.text, "\n%s\n", text) }

// document writes what was typed and said, or makes sure that the document still has these commands.
func (p *procedure) document(t *testing.T) {
	t.Helper()
	text := p.names.Replace(p.text.String())
	text = "# A move, as it was typed\n\nMade by `TestE2ECutover` (`-update` writes it anew): twenty mailboxes of three domains move between two Dovecots with a\n" +
		"Postfix each, while mail arrives all the time. By the list of what was sent, not one message is missing and none is there\n" +
		"twice. Left out of each line: `--source mail.old.example --source-user '{id}*master' --target mail.new.example`, and\n" +
		"both passwords in the environment.\n" + text
	commands := regexp.MustCompile(`(?m)^    \$ .*$`)
	if *update {
		if err := os.WriteFile(transcript, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(transcript)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := commands.FindAllString(text, -1), commands.FindAllString(string(kept), -1); !slices.Equal(got, want) {
		t.Errorf("%s has other commands: run this test with -update", transcript)
	}
}
