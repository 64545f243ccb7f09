package real

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// PostfixOptions shape a Postfix. The zero value takes no mail.
type PostfixOptions struct {
	Mailboxes []string // addresses that it takes mail for; others are refused
	Deliver   *Server  // whose Maildirs it delivers into: mail for u1@example.org is that user's
	Extra     string   // more lines of main.cf, after all others
}

// Postfix is a running mail server. It takes mail on Addr, and gives it on at once.
type Postfix struct {
	box   *Isolated
	queue string
}

// StartPostfix starts a Postfix and stops it when the test ends. Its master demands root: for others the test is
// skipped, loudly.
func StartPostfix(t testing.TB, o PostfixOptions) *Postfix {
	t.Helper()
	if os.Getuid() != 0 {
		msg := "Postfix runs for root only"
		fmt.Fprintf(os.Stderr, "\n*** %s SKIPPED: %s ***\n", t.Name(), msg)
		t.Skip(msg)
	}
	p := &Postfix{box: prepare(t, "Postfix")}
	s := p.box
	p.queue = filepath.Join(s.mail, "queue")
	owner, err := lookup(user.Lookup("uucp")) // owns no files of importance, and is another than whose mail it delivers
	s.check(err)
	s.check(p.folders(owner))
	conf := filepath.Join(s.base, "conf")
	s.check(os.Mkdir(conf, 0o755))
	for name, text := range map[string]string{
		"main.cf":        p.mainConfig(o, owner),
		"master.cf":      postfixServices(),
		"dynamicmaps.cf": "lmdb\tpostfix-lmdb.so\tdict_lmdb_open\tmkmap_lmdb_open\n",
		"mailboxes":      mailboxTable(o.Mailboxes),
	} {
		s.check(os.WriteFile(filepath.Join(conf, name), []byte(text), 0o644))
	}
	tool := fmt.Sprintf("#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s -c %s \"$@\"\n",
		filepath.Join(s.from, "lib"), filepath.Join(s.from, "bin/postmap"), conf)
	s.check(os.WriteFile(p.Postmap(), []byte(tool), 0o755))
	cmd, err := s.command(filepath.Join(s.from, "libexec/master"), "-d", "-c", conf)
	s.check(err)
	cmd.Stdout = cmd.Stderr
	master, err := launch(cmd, nil, syscall.SIGTERM)
	cmd.Stderr.(*os.File).Close()
	s.check(err)
	s.closers = append(s.closers, func() { p.end(master) })
	// The port is ours, so it is never guessed: the server listens on a socket of the file system.
	s.accept(s.ln, func(c net.Conn) { forward(c, filepath.Join(p.queue, "public/in"), master.exited) })
	s.check(readyWith(s.Addr(), "220 ", master.exited))
	return p
}

// folders makes what Postfix' installation makes.
func (p *Postfix) folders(owner identity) error {
	for _, d := range []struct {
		name  string
		mode  os.FileMode
		owned bool
	}{
		{"", 0o755, false}, {"pid", 0o755, false}, {"private", 0o700, true}, {"public", 0o711, true}, {"maildrop", 0o730, true},
		{"active", 0o700, true}, {"bounce", 0o700, true}, {"corrupt", 0o700, true}, {"defer", 0o700, true}, {"deferred", 0o700, true},
		{"flush", 0o700, true}, {"hold", 0o700, true}, {"incoming", 0o700, true}, {"saved", 0o700, true}, {"trace", 0o700, true},
		{"../data", 0o700, true},
	} {
		dir := filepath.Join(p.queue, d.name)
		if err := os.Mkdir(dir, d.mode); err != nil {
			return err
		}
		if err := os.Chmod(dir, d.mode); err != nil { // whatever the umask
			return err
		}
		if d.owned {
			if err := os.Chown(dir, owner.uid, -1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Postfix) mainConfig(o PostfixOptions, owner identity) string {
	s := p.box
	lines := []string{
		"compatibility_level = 3.6",
		"queue_directory = " + p.queue,
		"data_directory = " + filepath.Join(s.mail, "data"),
		"daemon_directory = " + filepath.Join(s.from, "libexec"),
		"command_directory = " + filepath.Join(s.from, "bin"),
		"shlib_directory = " + filepath.Join(s.from, "lib"),
		"meta_directory = " + filepath.Join(s.base, "conf"),
		"import_environment = LD_LIBRARY_PATH TZ MAIL_CONFIG",
		"maillog_file = " + filepath.Join(s.base, "output"),
		"maillog_file_prefixes = " + s.base,
		"mail_owner = " + owner.name,
		"setgid_group = news", // another group than the owner's, or Postfix refuses to start
		"default_privs = nobody",
		"myhostname = localhost",
		"mydestination =",
		"alias_maps =",
		"inet_interfaces = loopback-only",
		"inet_protocols = ipv4",
		"mynetworks = 127.0.0.0/8",
		"smtpd_relay_restrictions = permit_mynetworks, reject",
		"smtpd_recipient_restrictions = reject_unauth_destination",
		"smtpd_peername_lookup = no",
		"smtp_host_lookup = native", // the hosts of these tests are addresses
		"smtp_tls_security_level = none",
		"append_dot_mydomain = no",
		"biff = no",
		"virtual_mailbox_domains = " + strings.Join(domainsOf(o.Mailboxes), " "),
		"virtual_mailbox_maps = texthash:" + filepath.Join(s.base, "conf/mailboxes"),
		"default_transport = error:nothing leaves this machine", // bounces
		"virtual_minimum_uid = 1",
		"virtual_uid_maps = static:" + strconv.Itoa(s.id.uid),
		"virtual_gid_maps = static:" + strconv.Itoa(s.id.gid),
		"minimal_backoff_time = 2s", // what is deferred comes while the test still runs
		"maximal_backoff_time = 4s",
		"queue_run_delay = 2s",
	}
	if o.Deliver != nil {
		lines = append(lines, "virtual_mailbox_base = "+o.Deliver.mail)
	}
	return strings.Join(append(lines, o.Extra), "\n") + "\n"
}

func mailboxTable(addresses []string) string {
	var b strings.Builder
	for _, address := range addresses {
		fmt.Fprintf(&b, "%s %s/Maildir/\n", address, address)
	}
	return b.String()
}

func domainsOf(addresses []string) (domains []string) {
	for _, address := range addresses {
		if _, domain, _ := strings.Cut(address, "@"); !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	return domains
}

// postfixServices is master.cf: nothing is chrooted, and no port is opened.
func postfixServices() string {
	var b strings.Builder
	for _, service := range []string{
		"in unix n - n - - smtpd", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
		"rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
		"trace unix - - n - 0 bounce", "verify unix - - n - 1 verify", "flush unix n - n 1000? 0 flush",
		"proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp", "relay unix - - n - - smtp",
		"error unix - - n - - error", "retry unix - - n - - error", "virtual unix - n n - - virtual",
		"anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd",
	} {
		b.WriteString(service + "\n")
	}
	return b.String()
}

// end stops the processes that the master started, which are groups of their own, and then the master.
func (p *Postfix) end(master *process) {
	_ = master.cmd.Process.Signal(syscall.SIGTERM) // it ends its children
	master.kill()
}

// Addr is host:port of the SMTP port.
func (p *Postfix) Addr() string { return p.box.Addr() }

// Log is the last 16 KB of its log.
func (p *Postfix) Log() string { return p.box.Log() }

// Postmap is the path of its table tool.
func (p *Postfix) Postmap() string { return filepath.Join(p.box.base, "postmap") }

// Waiting is how many messages are in its queue: not delivered yet, and not refused for good.
func (p *Postfix) Waiting() (n int, err error) {
	for _, name := range []string{"incoming", "active", "deferred", "hold", "maildrop"} {
		err := filepath.WalkDir(filepath.Join(p.queue, name), func(_ string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				n++
			}
			if os.IsNotExist(err) { // delivered meanwhile
				return nil
			}
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}
