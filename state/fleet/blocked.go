package fleet

import (
	"fmt"
	"time"

	"mailmove/state/cause"
)

// BlockedError: a login is not to be tried now.
type BlockedError struct {
	Host, User string
	Server     bool // the whole server is left alone; else this credential alone must wait
	Run        bool // its time is up, but it failed in this run: the next one tries it
	Failures   int  // Server: accounts that failed in a row; else how often this credential failed
	Since      time.Time
	Until      time.Time // earliest next try
	Text       string    // what the server said last; may be empty. From outside: Error quotes it
}

func (e *BlockedError) Error() string {
	said := ""
	if e.Text != "" {
		said = fmt.Sprintf(", last: %+q", e.Text)
	}
	host, user, since := cause.Printable(e.Host), cause.Printable(e.User), stampOf(e.Since)
	switch {
	case e.Server:
		return fmt.Sprintf("%s: login of %s not tried: %d accounts failed there in a row since %s%s; the next try is due at %s",
			host, user, e.Failures, since, said, stampOf(e.Until))
	case e.Run:
		return fmt.Sprintf("%s: login of %s not tried: it failed in this run (%s since %s%s); the next run tries again",
			host, user, times(e.Failures), since, said)
	}
	return fmt.Sprintf("%s: login of %s not tried: it failed %s since %s%s; the next try is due at %s",
		host, user, times(e.Failures), since, said, stampOf(e.Until))
}

// Hint says what to do next.
func (e *BlockedError) Hint() string {
	if e.Server {
		return "a server that sees many failed logins may block this address for all accounts: correct the passwords of those that failed, wait, or insist with --login-now"
	}
	return "correct the password (another one is tried at once), or try this one again with --login-now"
}

func stampOf(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
