//go:build bench

package bench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mailmove/imapx/imaptest/real"
)

// job is one run of a peer over one account.
type job struct {
	lab            *lab
	source, target string // host:port to talk to, maybe of a slow line
	sourceUser     string
	targetUser     string
	dir            string // the peer's own: state, home, configuration
	tls            bool
}

// peer is a way to move mail.
type peer struct {
	name         string
	once         bool // has no state: only first passes
	writesSource bool // gets a source of its own
	command      func(job) (*exec.Cmd, error)
	version      func(*lab) (string, error)
}

// peers are all that may be measured, mailmove first.
func peers() []peer {
	list := []peer{
		{name: "mailmove", command: mailmove, version: mailmoveVersion},
		{name: "limit1", once: true, command: limitTool(1)},
		{name: "limit2", once: true, command: limitTool(2)},
		{name: "limit4", once: true, command: limitTool(4)},
		{name: "interimap", writesSource: true, command: interimap, version: packaged("interimap")},
		{name: "doveadm", command: doveadmBackup, version: func(l *lab) (string, error) { return l.source.Version() }},
		{name: "mbsync", command: mbsync, version: packaged("isync")},
	}
	if path := os.Getenv("IMAPSYNC"); path != "" {
		list = append(list, peer{name: "imapsync", command: imapsync(path), version: imapsyncVersion(path)})
	}
	return list
}

func peerNames() (names []string) {
	for _, p := range peers() {
		names = append(names, p.name)
	}
	return names
}

func isLimit(name string) bool { return strings.HasPrefix(name, "limit") }

// environment is that of every peer: a home of its own, and no proxy or setting of whoever runs this.
func (j job) environment(more ...string) []string {
	return append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + j.dir, "TZ=UTC", "LC_ALL=C.UTF-8"}, more...)
}

func (j job) finish(cmd *exec.Cmd, env ...string) (*exec.Cmd, error) {
	cmd.Env, cmd.Dir = j.environment(env...), j.dir
	return cmd, nil
}

func (j job) write(name, text string) (path string, err error) {
	path = filepath.Join(j.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func mailmove(j job) (*exec.Cmd, error) {
	args := []string{"sync", "--id", "bench", "--state-dir", filepath.Join(j.dir, "state"), "--progress", "off"}
	for _, side := range []struct{ name, addr, user, ca string }{
		{"source", j.source, j.sourceUser, j.lab.source.CAFile()}, {"target", j.target, j.targetUser, j.lab.target.CAFile()},
	} {
		mode := "none"
		if j.tls {
			mode = "implicit"
			args = append(args, "--"+side.name+"-ca", side.ca)
		}
		args = append(args, "--"+side.name, side.name+".example", "--"+side.name+"-tls-name", "localhost",
			"--"+side.name+"-address", side.addr, "--"+side.name+"-user", side.user, "--"+side.name+"-tls", mode)
	}
	return j.finish(exec.Command(j.lab.settings.binary(), args...),
		"MAILMOVE_SOURCE_PASSWORD="+real.Password, "MAILMOVE_TARGET_PASSWORD="+real.Password)
}

// binary is what "make build" makes.
func (s settings) binary() string { return filepath.Join(s.root, "bin", "mailmove") }

func mailmoveVersion(l *lab) (string, error) {
	out, err := exec.Command(l.settings.binary(), "version").Output()
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimPrefix(strings.TrimSpace(first), "mailmove "), err
}

func limitTool(connections int) func(job) (*exec.Cmd, error) {
	return func(j job) (*exec.Cmd, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return j.finish(exec.Command(self), fmt.Sprintf("%s=%s %s %s %s %d", limitEnv, j.source, j.sourceUser, j.target, j.targetUser, connections))
	}
}

// interimap merges both sides; remote is the source only in name.
func interimap(j job) (*exec.Cmd, error) {
	section := func(name, addr, user string) string {
		host, port, _ := net.SplitHostPort(addr)
		return fmt.Sprintf("[%s]\ntype = imap\nhost = %s\nport = %s\nusername = %s\npassword = %s\nSTARTTLS = NO\nauth = PLAIN LOGIN\ncompress = NO\n",
			name, host, port, user, real.Password)
	}
	conf, err := j.write("interimaprc", "database = "+j.dir+"/interimap.db\nlist-mailbox = \"*\"\n"+
		section("local", j.target, j.targetUser)+section("remote", j.source, j.sourceUser))
	if err != nil {
		return nil, err
	}
	for _, d := range []string{".config/interimap", ".local/share/interimap"} {
		if err := os.MkdirAll(filepath.Join(j.dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	root := filepath.Join(real.Peers(), "interimap")
	perl, libs := perlOf(root)
	args := []string{"-T"} // as its first line says; so PERL5LIB would not be heard
	for _, pattern := range []string{"usr/share/perl5", "usr/lib/*/perl5/*", "usr/share/perl/*", "usr/lib/*/perl/*", "usr/lib/*/perl-base"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, dir := range found {
			args = append(args, "-I"+dir)
		}
	}
	args = append(args, filepath.Join(root, "usr/bin/interimap"), "--config="+conf, "--quiet")
	return j.finish(exec.Command(perl, args...), "LD_LIBRARY_PATH="+libs)
}

// perlOf is the machine's perl, or the unpacked one where it has none, and where unpacked libraries lie.
func perlOf(root string) (perl, libs string) {
	dirs, _ := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu*"))
	more, _ := filepath.Glob(filepath.Join(root, "lib/*-linux-gnu*"))
	libs = strings.Join(append(dirs, more...), ":")
	if own := filepath.Join(root, "usr/bin/perl"); exists(own) && !exists("/usr/bin/perl") {
		return own, libs
	}
	return "/usr/bin/perl", libs
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// doveadmBackup reads the source by IMAP and writes the target's store itself.
func doveadmBackup(j job) (*exec.Cmd, error) {
	_, port, err := net.SplitHostPort(j.source)
	if err != nil {
		return nil, err
	}
	return j.lab.target.Doveadm("-o", "imapc_host=127.0.0.1", "-o", "imapc_port="+port, "-o", "imapc_user="+j.sourceUser,
		"-o", "imapc_password="+real.Password, "-o", "imapc_features=rfc822.size fetch-headers", "-o", "mail_prefetch_count=20",
		"backup", "-R", "-u", j.targetUser, "imapc:")
}

func imapsync(path string) func(job) (*exec.Cmd, error) {
	return func(j job) (*exec.Cmd, error) {
		args := []string{path, "--useuid", "--nofoldersizes", "--nofoldersizesatend", "--noid", "--nomodulesversion",
			"--noreleasecheck", "--nolog", "--tmpdir", j.dir, "--pidfile", filepath.Join(j.dir, "pid")}
		for n, side := range []struct{ addr, user string }{{j.source, j.sourceUser}, {j.target, j.targetUser}} {
			host, port, err := net.SplitHostPort(side.addr)
			if err != nil {
				return nil, err
			}
			i := n + 1
			args = append(args, fmt.Sprintf("--host%d", i), host, fmt.Sprintf("--port%d", i), port, fmt.Sprintf("--user%d", i), side.user,
				fmt.Sprintf("--password%d", i), real.Password, fmt.Sprintf("--nossl%d", i), fmt.Sprintf("--notls%d", i))
		}
		return j.finish(exec.Command("/usr/bin/perl", args...))
	}
}

func imapsyncVersion(path string) func(*lab) (string, error) {
	return func(*lab) (string, error) {
		out, err := exec.Command("/usr/bin/perl", path, "--version").Output()
		return strings.TrimSpace(string(out)), err
	}
}

// packaged reads the version of a Debian package that .ci/fetch-peers unpacked.
func packaged(name string) func(*lab) (string, error) {
	return func(*lab) (string, error) {
		b, err := os.ReadFile(filepath.Join(real.Peers(), name, "version"))
		return strings.TrimSpace(string(b)), err
	}
}
