package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/state"
	"mailmove/state/fleet"
	mailsync "mailmove/sync"
)

// failure is an error of the command line itself, with its exit code and what to do next.
type failure struct {
	code int
	what string
	hint string
	err  error
}

func (f *failure) Error() string { return f.what }
func (f *failure) Unwrap() error { return f.err }
func (f *failure) Hint() string  { return f.hint }

// usagef makes the error of a wrong command line.
func usagef(hint, format string, args ...any) error {
	return &failure{code: exitUsage, what: fmt.Sprintf(format, args...), hint: hint}
}

// kindRow says what a class of server error is called, which exit code it has on each side, and what to do next.
type kindRow struct {
	what   string
	source int
	target int
	hint   string // where the error has none of its own
}

func kindTable() map[imapx.Kind]kindRow {
	return map[imapx.Kind]kindRow{
		imapx.KindOther:       {"failed at", exitOther, exitOther, ""},
		imapx.KindConnect:     {"cannot reach", exitConnectSrc, exitConnectDst, ""},
		imapx.KindTLS:         {"no secure connection to", exitTLS, exitTLS, ""},
		imapx.KindAuth:        {"login refused by", exitAuthSrc, exitAuthDst, ""},
		imapx.KindLost:        {"lost the connection to", exitConnectSrc, exitConnectDst, ""},
		imapx.KindQuota:       {"mailbox full at", exitQuota, exitQuota, "give the mailbox more room and run it again: it goes on where it was"},
		imapx.KindUnavailable: {"not available now:", exitUnavailable, exitUnavailable, "the server wants a pause: run it again later, it goes on where it was; fewer --connections ask less of it"},
		imapx.KindFolder:      {"folder refused by", exitSelect, exitSelect, ""},
		imapx.KindAppend:      {"message refused by", exitAppend, exitAppend, ""},
		imapx.KindFetch:       {"message not given by", exitFetch, exitFetch, ""},
		imapx.KindStore:       {"flags refused by", exitStore, exitStore, ""},
		imapx.KindProtocol:    {"protocol broken by", exitProtocol, exitProtocol, ""},
	}
}

// exitCode gives every error its row of the table.
func exitCode(err error) int {
	var (
		own         *failure
		server      *imapx.Error
		busy        *state.BusyError
		newer       *state.NewerError
		older       *state.OlderError
		other       *state.OtherAccountError
		damaged     *state.DamagedError
		unwritable  *state.UnwritableError
		networkFile *state.NetworkFSError
		fleetBusy   *fleet.BusyError
		fleetNewer  *fleet.NewerError
		fleetBad    *fleet.DamagedError
		fleetFull   *fleet.UnwritableError
		mapping     *mailsync.MappingError
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &own):
		return own.code
	case errors.Is(err, mailsync.ErrSameMailbox), errors.As(err, &mapping):
		return exitUsage
	case errors.As(err, &server):
		return serverCode(server)
	case errors.As(err, &busy), errors.As(err, &fleetBusy):
		return exitBusy
	case errors.As(err, &newer), errors.As(err, &older), errors.As(err, &other), errors.As(err, &damaged),
		errors.As(err, &fleetNewer), errors.As(err, &fleetBad):
		return exitStateDamaged
	case errors.As(err, &unwritable), errors.As(err, &networkFile), errors.As(err, &fleetFull):
		return exitState
	}
	return exitOther
}

func serverCode(e *imapx.Error) int {
	row := kindTable()[e.Kind]
	switch {
	case e.Kind == imapx.KindFolder && strings.HasPrefix(e.Op, "CREATE"):
		return exitCreate
	case e.Side == "target":
		return row.target
	default:
		return row.source
	}
}

// describe gives the two lines of an error: what, where and why; and what to do next, "" without.
func describe(err error) (line, hint string) {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		hint = hinted.Hint()
	}
	var (
		server *imapx.Error
		busy   *state.BusyError
	)
	switch {
	case errors.As(err, &server):
		return describeServer(server, err), orElse(server.Hint, kindTable()[server.Kind].hint)
	case errors.As(err, &busy):
		return busyText(busy), hint
	case exitCode(err) == exitStateDamaged, exitCode(err) == exitState:
		return withoutSQLite(err.Error()), hint
	case errors.Is(err, mailsync.ErrSameMailbox):
		return err.Error(), orElse(hint, "give two different mailboxes; nothing was written")
	case errors.Is(err, context.DeadlineExceeded):
		return "took too long: " + err.Error(), hint
	}
	return err.Error(), hint
}

// errorWords is the line of an error that ends nothing (yet): without what to do next.
func errorWords(err error) string {
	line, _ := describe(err)
	return line
}

// describeServer words a server's error. The errors around it may know the user and the account.
func describeServer(e *imapx.Error, whole error) string {
	var (
		b       strings.Builder
		login   *loginError
		account *accountError
		token   *auth.TokenError
	)
	what := kindTable()[e.Kind].what
	if errors.As(whole, &login) {
		what = "login of " + login.user + " refused by"
	}
	if errors.As(e, &token) {
		what = "no login to"
	}
	b.WriteString(what + " ")
	if e.Side != "" {
		b.WriteString(e.Side + " ")
	}
	b.WriteString(e.Server)
	if e.Folder != "" {
		b.WriteString(`, folder "` + ui.Clean(e.Folder) + `"`)
	}
	if e.UID != 0 {
		fmt.Fprintf(&b, ", uid %d", e.UID)
	}
	b.WriteString(": ")
	if e.Code != "" {
		fmt.Fprintf(&b, "[%s] ", e.Code)
	}
	switch {
	case e.Text != "":
		b.WriteString(e.Text)
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	default:
		b.WriteString(e.Op + " failed")
	}
	b.WriteString(mechanismText(e))
	if errors.As(whole, &account) {
		b.WriteString(" (account " + account.account + ")")
	}
	return b.String()
}

// mechanismText names the mechanism of a login that was refused: another one might have worked.
func mechanismText(e *imapx.Error) string {
	if e.Mechanism == "" {
		return ""
	}
	return " (mechanism " + string(e.Mechanism) + ")"
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
