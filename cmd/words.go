package cmd

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/state"
	"mailmove/state/fleet"
)

// stamp is a time as people at this machine read it, with the zone, for they compare it with a server's log.
func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }

// maxShownValue bounds how much of a value a message repeats, in columns.
const maxShownValue = 60

// shown repeats a value in a message: in quotes, clean and not too long.
func shown(value string) string { return `"` + ui.Short(ui.Clean(value), maxShownValue) + `"` }

// loginError says whose login it was: the layer below keeps user names out of its errors, and one server has many.
type loginError struct {
	user string
	err  error
}

func (e *loginError) Error() string { return "login of " + e.user + ": " + e.err.Error() }
func (e *loginError) Unwrap() error { return e.err }

// ofUser names the user where a server refused a login.
func ofUser(user string, err error) error {
	var server *imapx.Error
	if errors.As(err, &server) && server.Kind == imapx.KindAuth {
		return &loginError{user: user, err: err}
	}
	return err
}

// accountError says which account's pass failed at a server: the rows of a list share one log.
type accountError struct {
	account string
	err     error
}

func (e *accountError) Error() string { return e.err.Error() } // describe places the account
func (e *accountError) Unwrap() error { return e.err }

// blockedText says why a login was not tried, since when and until when.
func blockedText(side string, e *fleet.BlockedError) string {
	said := ""
	if e.Text != "" {
		said = fmt.Sprintf(" (%s)", e.Text)
	}
	refused := "it was refused at " + stamp(e.Since)
	if e.Failures > 1 {
		refused = fmt.Sprintf("it was refused %d times since %s", e.Failures, stamp(e.Since))
	}
	next := "the next try is due at " + stamp(e.Until)
	switch {
	case e.Server:
		refused = fmt.Sprintf("%d accounts were refused there in a row since %s", e.Failures, stamp(e.Since))
	case e.Run:
		next = "the next run tries again"
	}
	return fmt.Sprintf("%s: login of %s not tried: %s%s; %s", strings.TrimSpace(side+" "+e.Host), e.User, refused, said, next)
}

// busyText says who works on an account, and since when.
func busyText(e *state.BusyError) string {
	who := "another process"
	if e.PID > 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	if !e.Since.IsZero() {
		who += " since " + stamp(e.Since)
	}
	return fmt.Sprintf("state %s: in use by %s", e.Path, who)
}

// withoutSQLite takes SQLite's own words out of what is said of a file: the list of pages behind "*** in database",
// and its result code at the end.
func withoutSQLite(line string) string {
	line, _, _ = strings.Cut(line, ": *** in database ")
	return regexp.MustCompile(`( \(\d+\))+$`).ReplaceAllString(line, "")
}
