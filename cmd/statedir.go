package cmd

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"mailmove/imapx"
)

func itoa(n int) string { return strconv.Itoa(n) }

// stateDir says where the state is: the flag, MAILMOVE_STATE_DIR, /var/lib/mailmove for root, else the user's
// own state folder (XDG Base Directory Specification). cron sets no HOME on some systems: then the user
// database knows it. A temporary folder is never chosen, for a ledger that a reboot empties is none.
func stateDir(flag string) (string, error) {
	dir := orElse(flag, os.Getenv("MAILMOVE_STATE_DIR"))
	switch {
	case dir != "":
		return filepath.Abs(dir)
	case os.Geteuid() == 0:
		return "/var/lib/mailmove", nil
	}
	// The specification wants relative values ignored.
	if xdg := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(xdg) {
		return filepath.Join(xdg, "mailmove"), nil
	}
	home := os.Getenv("HOME")
	if !filepath.IsAbs(home) {
		u, err := user.Current()
		if err != nil || !filepath.IsAbs(u.HomeDir) {
			return "", &failure{code: exitState, what: "no home folder to keep the state in", err: err,
				hint: "give --state-dir DIR or set MAILMOVE_STATE_DIR"}
		}
		home = u.HomeDir
	}
	return filepath.Join(home, ".local", "state", "mailmove"), nil
}

// accountID is the default id: both mailboxes, each as user@host in lower case. Ports, addresses and the login
// of an admin may change without the ledger being lost.
func accountID(source, target imapx.Endpoint) string {
	return mailboxID(source) + "--" + mailboxID(target)
}

func mailboxID(ep imapx.Endpoint) string {
	return strings.ToLower(mailboxName(ep)) + "@" + normalHost(ep.Host)
}

// endpointText is how the state names an endpoint, an attribute that may change.
func endpointText(ep imapx.Endpoint) string {
	return mailboxID(ep) + ":" + itoa(ep.Port)
}

// warnNoState tells who only looks that the folder given by --state-dir is not there: nothing in it looks like a fresh start.
func (a *app) warnNoState(flag, dir string) {
	if flag != "" && !exists(dir) {
		a.warn("there is no folder %s: is that the --state-dir of the passes?", dir)
	}
}
