package cmd

import (
	"fmt"
	"strconv"
	"strings"

	"mailmove/cmd/internal/ui"
)

// Exit codes. Where imapsync has a number for the same thing it is imapsync's, so that wrappers keep working;
// 64 to 76 are those of sysexits.h.
const (
	exitDone         = 0
	exitOther        = 1
	exitHangup       = 6
	exitBusy         = 8
	exitTLS          = 12
	exitChanging     = 31
	exitUsage        = 64
	exitStateDamaged = 65
	exitNoInput      = 66
	exitUnavailable  = 69
	exitInternal     = 70
	exitState        = 73
	exitOutput       = 74
	exitLater        = 75
	exitProtocol     = 76
	exitCheck        = 78
	exitConnectSrc   = 101
	exitConnectDst   = 102
	exitExceptions   = 111
	exitQuota        = 113
	exitAppend       = 114
	exitFetch        = 115
	exitCreate       = 116
	exitSelect       = 117
	exitStore        = 120
	exitNotEqual     = 121
	exitInterrupt    = 130
	exitTerminate    = 143
	exitAuthSrc      = 161
	exitAuthDst      = 162
)

type exitRow struct {
	Code    int
	Meaning string
	Next    string
}

// exitTable is the one table: the help topic and docs/exit-codes.md are made from it.
func exitTable() []exitRow {
	return []exitRow{
		{exitDone, "done; exceptions of earlier passes may still be open", ""},
		{exitOther, "something else failed", "read the message"},
		{exitHangup, "stopped by SIGHUP (the terminal went away)", "run it again: it goes on where it was"},
		{exitBusy, "another process is working on this account, or holds a state file", "wait for it"},
		{exitTLS, "no secure connection: certificate, name or TLS mode", "see the hint; docs/tls.md"},
		{exitChanging, "sync --final: the source is still changing; what came is carried, a tail is required", "switch, then mailmove sync --tail"},
		{exitUsage, "wrong command line, or source and target are one mailbox", "see --help"},
		{exitStateDamaged, "a state file is damaged, of another version, or of other mailboxes", "see the hint"},
		{exitNoInput, "a password cannot be had; or a file, a state folder, an account or an exception is not there", "see the hint"},
		{exitUnavailable, "a server is there but refuses to work now", "run it again later"},
		{exitInternal, "a fault in mailmove itself", "report it"},
		{exitState, "the state cannot be kept in that folder", "choose another --state-dir"},
		{exitOutput, "standard output, the trace, a result or a log could not be written; what was to be done is done", "make room; mailmove status has the result of a pass"},
		{exitLater, "the time was up (--until, --time-limit): sync --accounts before all accounts were done, dns --wait before all name servers agreed; cutover next: the step would not be safe yet", "run it again: it goes on where it was"},
		{exitProtocol, "a server broke the protocol", "run it again with --trace and report it"},
		{exitCheck, "mailmove check found something that must be set right before mail is moved; mailmove dns: name servers that do not agree, or are not as expected; mailmove export: a loop, or a name that DNS does not know", "do what the lines with failed say, or the hint"},
		{exitConnectSrc, "the source cannot be reached, or was lost", "check name, port, firewall"},
		{exitConnectDst, "the target cannot be reached, or was lost", "check name, port, firewall"},
		{exitExceptions, "done, but with new exceptions: messages or folders that could not be carried as they are, or deletions that were withheld; with --strict: with any that is not accepted", "mailmove exceptions list --id ID lists them"},
		{exitQuota, "the target mailbox is full", "give it more room, run it again"},
		{exitAppend, "the target refuses messages", "read the server's words"},
		{exitFetch, "the source does not give messages", "run it again"},
		{exitCreate, "the target refuses a new folder", "read the server's words"},
		{exitSelect, "a folder cannot be listed or opened", "read the server's words"},
		{exitStore, "the target refuses flags", "read the server's words"},
		{exitNotEqual, "verify, sync --final: both sides differ, or a server from its receipt, and nothing explains it; export: a map is not as it would be, or Postfix reads it otherwise", "docs/verify.md explains the words"},
		{exitInterrupt, "stopped by Ctrl-C (SIGINT)", "run it again: it goes on where it was"},
		{exitTerminate, "stopped by SIGTERM", "run it again: it goes on where it was"},
		{exitAuthSrc, "the source refuses the login, or refused it a short while ago", "check user and password"},
		{exitAuthDst, "the target refuses the login, or refused it a short while ago", "check user and password"},
	}
}

// exitOrder puts the codes in order for a list of accounts, the gravest first: the list has that of its accounts' that stands
// first here. What stops a run, or is wrong with this machine, comes before what one server says; what mends itself, last.
func exitOrder() []int {
	return []int{
		exitInternal, exitInterrupt, exitTerminate, exitHangup, exitStateDamaged, exitState, exitOutput, exitUsage, exitNoInput,
		exitNotEqual, exitQuota, exitAppend, exitCreate, exitStore, exitSelect, exitFetch, exitAuthSrc, exitAuthDst, exitTLS,
		exitConnectSrc, exitConnectDst, exitProtocol, exitCheck, exitOther, exitUnavailable, exitExceptions, exitChanging, exitBusy, exitLater, exitDone,
	}
}

// exitHelp is the text of "mailmove help exit-codes".
func exitHelp() string {
	var b strings.Builder
	b.WriteString("What the exit code of mailmove says:\n\n")
	for _, r := range exitTable() {
		b.WriteString(hanging(fmt.Sprintf("  %3d  ", r.Code), r.Meaning, 80))
	}
	b.WriteString("\nAfter every code the same command can be run again: a pass goes on where the\n" +
		"last one ended and sends nothing twice.\n")
	return b.String()
}

// exitDoc is docs/exit-codes.md.
func exitDoc() string {
	var b strings.Builder
	b.WriteString("# Exit codes\n\n" +
		"Made from the table in `cmd/exit.go`; `mailmove help exit-codes` prints the same.\n" +
		"Numbers are those of imapsync where it has one for the same thing, and those of `sysexits.h`.\n\n" +
		"| code | meaning | what next |\n| ---: | --- | --- |\n")
	for _, r := range exitTable() {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", r.Code, r.Meaning, r.Next)
	}
	b.WriteString("\nAfter every code the same command can be run again: a pass goes on where the last one ended and\n" +
		"sends nothing twice.\n\n" +
		"A message that cannot be carried makes the exit code 111 in the pass that finds it. Later passes count it\n" +
		"in their summary and exit 0 again; `mailmove exceptions list --id ID` lists all that are open. With `--strict`\n" +
		"each pass exits 111 as long as one is open that `mailmove exceptions accept` did not agree to.\n\n" +
		"## A list of accounts\n\n" +
		"`mailmove sync --accounts` exits with the gravest code of its accounts, the one that stands first in this order:\n\n")
	var order []string
	for _, code := range exitOrder() {
		order = append(order, strconv.Itoa(code))
	}
	b.WriteString(hanging("", strings.Join(order, ", ")+".", 115))
	b.WriteString("\nAn account that another process is working on counts as 0, but for 8 where that one made no progress for an hour.\n" +
		"With `--quiet` only what is new counts: a failure that is the same as in the last run was told before, and is told\n" +
		"again after a day.\n")
	return b.String()
}

// hanging wraps text at width columns behind a first-line prefix, and indents the lines that follow as far.
func hanging(prefix, text string, width int) string {
	var b strings.Builder
	b.WriteString(prefix)
	column, indent := ui.Width(prefix), strings.Repeat(" ", ui.Width(prefix))
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+ui.Width(word) > width:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += ui.Width(word)
	}
	b.WriteByte('\n')
	return b.String()
}
