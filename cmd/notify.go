package cmd

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"mailmove/cmd/internal/notify"
)

// notifyFlags say who is told of what, and how.
type notifyFlags struct {
	to        []string
	on        kinds
	server    string
	tls       tlsMode
	ca        string
	user      string
	from      string
	language  language
	templates string
	pass      passwordFlags
}

func newNotifyFlags() notifyFlags {
	return notifyFlags{language: "en", pass: passwordFlags{side: "smtp"}}
}

func (n *notifyFlags) bind(set *pflag.FlagSet) {
	set.StringArrayVar(&n.to, "notify", nil, "who is told of a change: `WHO` is an address, owner, https://…, command:PATH, or @FILE with one a line (repeatable)")
	set.Var(&n.on, "notify-on", "only of these `EVENTS`, with commas: "+strings.Join(notify.Kinds(), ", "))
	set.StringVar(&n.server, "smtp", "", "mail `SERVER`: smtps://host is TLS from the start, smtp://host STARTTLS")
	set.Var(&n.tls, "smtp-tls", "implicit, starttls or none, instead of what the URL says")
	set.StringVar(&n.ca, "smtp-ca", "", "PEM `FILE` of the certificate authorities to trust instead of the system's")
	set.StringVar(&n.user, "smtp-user", "", "user `NAME` to log in as; none: no login")
	set.StringVar(&n.pass.file, "smtp-password-file", "", "`FILE` whose first line is the password")
	set.StringVar(&n.pass.command, "smtp-password-command", "", "shell `COMMAND` whose first line of output is the password")
	set.StringVar(&n.from, "notify-from", "", "`ADDRESS` that the mails come from")
	set.Var(&n.language, "notify-language", "language of the mails: en or de; of an owner, what the list says")
	set.StringVar(&n.templates, "notify-templates", "", "`DIR` with texts of your own (docs/notify.md)")
}

// kinds is a list of events; empty: all.
type kinds []string

func (k *kinds) Set(text string) error {
	*k = nil
	for _, word := range strings.Split(text, ",") {
		word = strings.TrimSpace(word)
		if !slices.Contains(notify.Kinds(), word) {
			return errors.New("write some of " + strings.Join(notify.Kinds(), ", ") + ", with commas")
		}
		*k = append(*k, word)
	}
	return nil
}

func (k *kinds) String() string       { return strings.Join(*k, ",") }
func (*kinds) Type() string           { return "EVENTS" }
func (k kinds) want(kind string) bool { return len(k) == 0 || slices.Contains(k, kind) }

// language is a language that there are texts in.
type language string

func (l *language) Set(text string) error {
	if !slices.Contains(notify.Languages(), text) {
		return errors.New("write " + strings.Join(notify.Languages(), " or "))
	}
	*l = language(text)
	return nil
}

func (l *language) String() string { return string(*l) }
func (*language) Type() string     { return "LANGUAGE" }

// Channels.
const (
	byMail    = "mail"
	byHook    = "webhook"
	byCommand = "command"
	commandIs = "command:"
	ownerWord = "owner"
	mostTo    = 100 // recipients
)

// recipient is one of whom --notify names: an address, "" for the owners, or what stands for a webhook or command.
type recipient struct {
	channel, name string
}

// prepare makes what tells. It connects nowhere. Without --notify nobody is told of anything, nor in a dry run, which asks for
// no password either.
func (n *notifyFlags) prepare(ctx context.Context, t terminal, dryRun bool) (*notices, error) {
	out := &notices{on: n.on, channels: make(map[string]notify.Channel)}
	to, err := n.recipients()
	if err != nil || len(to) == 0 {
		return out, err
	}
	hooks, commands := make(map[string]notify.Channel), make(map[string]notify.Channel)
	for _, named := range to {
		text := named.text
		who := recipient{byMail, text}
		switch path, isCommand := strings.CutPrefix(text, commandIs); {
		case isCommand:
			if info, err := os.Stat(path); err != nil || !filepath.IsAbs(path) || info.Mode()&0o111 == 0 || !info.Mode().IsRegular() {
				return out, usagef("give the absolute path of a program", "%s: there is no such program", named)
			}
			who = recipient{byCommand, digestOf(path)}
			commands[who.name] = &notify.Command{Path: path, Env: withoutPasswords(os.Environ())}
		case strings.Contains(text, "://"):
			u, err := url.Parse(text)
			if err != nil || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) || u.Host == "" {
				return out, usagef("for example --notify https://hooks.example.org/mailmove", "%s: the webhook's address is no https:// URL, nor http:// on this machine", named)
			}
			who = recipient{byHook, digestOf(text)}
			hooks[who.name] = &notify.Hook{URL: text}
		case text == ownerWord:
			who.name = ""
		case !isAddress(text):
			return out, usagef("an address, owner, https://…, command:PATH or @FILE", "%s: nobody can be told that way", named)
		}
		if !slices.Contains(out.to, who) {
			out.to = append(out.to, who)
		}
	}
	out.channels[byHook], out.channels[byCommand] = byDigest(hooks), byDigest(commands)
	if slices.ContainsFunc(out.to, func(r recipient) bool { return r.channel == byMail }) {
		if out.channels[byMail], err = n.mailer(ctx, t, dryRun); err != nil {
			return out, err
		}
	}
	if dryRun {
		return &notices{on: n.on, channels: make(map[string]notify.Channel)}, nil
	}
	return out, nil
}

// namedTo is one of --notify, or a line of a file that it names.
type namedTo struct {
	text string
	file string // "": none
	line int
}

// String is for messages. What stands in a file may be secret, as a webhook's address is, also where it is misspelt.
func (n namedTo) String() string {
	switch {
	case n.file != "":
		return fmt.Sprintf("--notify @%s, line %d", n.file, n.line)
	case strings.Contains(n.text, "/") && !strings.HasPrefix(n.text, commandIs):
		return "--notify"
	}
	return "--notify " + shown(n.text)
}

// recipients gives --notify with the files that it names read.
func (n *notifyFlags) recipients() (to []namedTo, err error) {
	for _, text := range n.to {
		path, isFile := strings.CutPrefix(text, "@")
		if !isFile {
			to = append(to, namedTo{text: text})
			continue
		}
		f, err := os.Open(filepath.Clean(path))
		if err != nil {
			return nil, noInput("--notify", err)
		}
		lines := bufio.NewScanner(f)
		for number := 1; lines.Scan(); number++ {
			if line := strings.TrimSpace(lines.Text()); line != "" && line[0] != '#' {
				to = append(to, namedTo{line, path, number})
			}
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return nil, noInput("--notify", err)
		}
	}
	if len(to) > mostTo {
		return nil, usagef("a mailing list may have more", "--notify: more than %d recipients", mostTo)
	}
	return to, nil
}

// isAddress tells whether mail can be sent there: one address and nothing around it.
func isAddress(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text && !strings.ContainsAny(text, "\r\n")
}

// mailer makes the channel of mails; without its password where it is only looked at.
func (n *notifyFlags) mailer(ctx context.Context, t terminal, looked bool) (notify.Channel, error) {
	switch {
	case n.server == "":
		return nil, usagef("for example --smtp smtps://mail.example.org", "--notify by mail without --smtp")
	case !isAddress(n.from):
		return nil, usagef("for example --notify-from postmaster@example.org", "--notify by mail without --notify-from")
	}
	scheme, rest, isURL := strings.Cut(n.server, "://")
	modes := map[string]string{"smtps": "implicit", "smtp": "starttls"}
	if mode := modes[scheme]; isURL && !n.tls.set && mode != "" {
		_ = n.tls.Set(mode) // one of its words
	} else if !isURL || mode == "" {
		return nil, usagef("write smtps://host (TLS from the start, port 465) or smtp://host (STARTTLS, port 587)", "--smtp: it begins with neither smtps:// nor smtp://")
	}
	if strings.ContainsRune(rest, '@') {
		return nil, usagef("give the user with --smtp-user, the password with --smtp-password-file, --smtp-password-command or the environment", "--smtp: a user in the URL is refused")
	}
	host, port, err := parseHostPort("--smtp", strings.TrimSuffix(rest, "/"))
	if err != nil {
		return nil, err
	}
	m := &notify.Mail{Host: host, Port: port, From: n.from, User: n.user, TLS: &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}}
	mode := n.tls.String()
	m.Implicit, m.Clear = mode == "implicit", mode == "none"
	if m.Port == 0 {
		m.Port = map[string]int{"implicit": 465, "starttls": 587, "none": 25}[mode]
	}
	if n.ca != "" {
		pem, err := os.ReadFile(n.ca)
		if err != nil {
			return nil, noInput("--smtp-ca", err)
		}
		m.TLS.RootCAs = x509.NewCertPool()
		if !m.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &failure{code: exitNoInput, what: "--smtp-ca " + n.ca + ": no certificate in this file"}
		}
	}
	if m.User != "" {
		if m.Clear {
			return nil, usagef("leave out --smtp-user, or --smtp-tls none", "--smtp-user: a password is not sent without TLS")
		}
	}
	if m.User != "" && !looked {
		secret, err := n.pass.read(ctx, m.User+" at "+host, t)
		if err != nil {
			return nil, err
		}
		m.Password = secret.Reveal()
	}
	if m.Words, err = notify.NewWords(string(n.language), n.templates); err != nil {
		return nil, &failure{code: exitNoInput, what: fmt.Sprintf("--notify-templates: %v", err), err: err}
	}
	return m, nil
}
