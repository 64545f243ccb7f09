package cmd

import (
	"fmt"
	"strings"
	"time"

	"mailmove/cmd/internal/ui"
	mailsync "mailmove/sync"
)

// checkWording says what a finding is, and what to do next.
type checkWording struct {
	check, trouble string // check "": of any
	what           func(mailsync.Finding) string
	next           string
}

// checkWordings are all that Check can find; a test holds it against the judgement.
func checkWordings() []checkWording {
	server := func(f mailsync.Finding) string { return f.Text }
	lasts := func(f mailsync.Finding) string {
		if f.Text == mailsync.CertificateIsPinned {
			return "pinned: good for as long as the server shows this very one"
		}
		if f.When.IsZero() {
			return "clear text, as asked for: there is none"
		}
		return "valid until " + f.When.UTC().Format(time.DateOnly)
	}
	failed := func(f mailsync.Finding) string { line, _ := describe(f.Err); return line }
	return []checkWording{
		{mailsync.CheckSourceLogin, "", server, ""},
		{mailsync.CheckTargetLogin, "", server, ""},
		{mailsync.CheckSourceCertificate, "", lasts, ""},
		{mailsync.CheckTargetCertificate, "", lasts, ""},
		{mailsync.CheckSourceCertificate, mailsync.TroubleEnds, lasts, "have it renewed before the migration: an expired one stops every pass"},
		{mailsync.CheckTargetCertificate, mailsync.TroubleEnds, lasts, "have it renewed before the migration: an expired one stops every pass"},
		{mailsync.CheckPassword, "", says("as the policy asks"), ""},
		{mailsync.CheckPassword, mailsync.TroublePolicy, server, "set another password on the target"},
		{mailsync.CheckTwoMailboxes, "", says("source and target are different"), ""},
		{mailsync.CheckTwoMailboxes, mailsync.TroubleSame, says("source and target are one mailbox: every folder has the same UIDVALIDITY and UIDNEXT on both sides"),
			"give two different mailboxes; where one host name is both machines, give --source-address"},
		{mailsync.CheckFolders, "", func(f mailsync.Finding) string {
			return fmt.Sprintf("%s, %s left out", howMany(f.Messages, "folder", "folders"), ui.Count(f.Missing))
		}, ""},
		{mailsync.CheckFolders, mailsync.TroubleName, ofFolder(func(f mailsync.Finding) string { return f.Text }), "mailmove folders shows where each goes; --map names another place"},
		{mailsync.CheckFolders, mailsync.TroubleUnreadable, ofFolder(failed), "it would become an exception: have the server's folder mended, or --exclude it"},
		{mailsync.CheckMail, "", amount, ""},
		{mailsync.CheckMail, mailsync.TroubleEmpty, says("the source holds no mail"), "make sure that this is the right mailbox, and not moved already"},
		{mailsync.CheckMail, mailsync.TroubleEmptyInbox, func(f mailsync.Finding) string { return "INBOX is empty, other folders hold " + amount(f) },
			"make sure that nobody has moved or fetched the mail away"},
		{mailsync.CheckMessageSize, "", messageSize, ""},
		{mailsync.CheckMessageSize, mailsync.TroubleTooLarge, ofFolder(func(f mailsync.Finding) string {
			return fmt.Sprintf("%s than the %s that the target takes, the largest has %s", howMany(f.Messages, "message is larger", "messages are larger"), ui.Bytes(f.Limit), ui.Bytes(f.Bytes))
		}), "have the target's limit raised, or keep them elsewhere: they become exceptions"},
		{mailsync.CheckMessageSize, mailsync.TroubleNoBytes, ofFolder(func(f mailsync.Finding) string {
			return howMany(f.Messages, "message has", "messages have") + " no byte"
		}), "no server takes them: they become exceptions, and hold nothing"},
		{mailsync.CheckQuota, "", room, ""},
		{mailsync.CheckQuota, mailsync.TroubleNearlyFull, room, "it fits; plan for more room soon"},
		{mailsync.CheckQuota, mailsync.TroubleFull, func(f mailsync.Finding) string { return room(f) + ": " + ui.Bytes(f.Missing) + " are missing" },
			"give the target mailbox more room, or leave something out"},
		{mailsync.CheckQuotaMessages, "", roomCount, ""},
		{mailsync.CheckQuotaMessages, mailsync.TroubleNearlyFull, roomCount, "it fits; plan for more room soon"},
		{mailsync.CheckQuotaMessages, mailsync.TroubleFull, func(f mailsync.Finding) string { return roomCount(f) + ": " + ui.Count(f.Missing) + " too many" },
			"have the target take more messages, or leave something out"},
		{mailsync.CheckQuota, mailsync.TroubleUnknown, noQuota, "--target-quota SIZE holds it against the plan that was bought"},
		{mailsync.CheckRetention, "", says("nothing is that old"), ""},
		{mailsync.CheckRetention, mailsync.TroubleOlder, func(f mailsync.Finding) string {
			return fmt.Sprintf("the target would delete %s (%s) that came before %s",
				howMany(f.Messages, "message", "messages"), ui.Bytes(f.Bytes), f.When.Local().Format(time.DateOnly))
		}, "have the target keep mail for longer before anything is moved"},
		{mailsync.CheckFlags, "", says("all are kept"), ""},
		{mailsync.CheckFlags, mailsync.TroubleNotKept, func(f mailsync.Finding) string {
			return fmt.Sprintf("the target does not keep %s, which %s", ui.Short(ui.Clean(f.Text), maxShownValue), howMany(f.Messages, "message has", "messages have"))
		}, "they are carried without it; it becomes one exception"},
		{mailsync.CheckLine, "", func(f mailsync.Finding) string {
			return fmt.Sprintf("%s a second over one connection: reading what is to come takes %s", ui.Bytes(f.Bytes), roughly(f.Took))
		}, ""},
		{mailsync.CheckLine, mailsync.TroubleNoMail, says("no mail came while it was tried"), "give --try more time"},
		{mailsync.CheckFolders, mailsync.TroubleRule, func(f mailsync.Finding) string {
			if f.Err != nil {
				return failed(f)
			}
			return f.Text
		}, "see mailmove folders"},
		{"", mailsync.TroubleRefused, failed, ""},
		{"", mailsync.TroubleMore, func(f mailsync.Finding) string { return "and " + ui.Count(f.Messages) + " more" }, ""},
	}
}

// checkWords gives what was found and what to do next, safe for a terminal.
func checkWords(f mailsync.Finding) (what, next string) {
	for _, w := range checkWordings() {
		if w.trouble != f.Trouble || w.check != "" && w.check != f.Check {
			continue
		}
		what, next = w.what(f), w.next
		if f.Err != nil {
			if _, hint := describe(f.Err); hint != "" {
				next = hint
			}
		}
		break
	}
	return ui.Clean(what), ui.Clean(next)
}

func says(text string) func(mailsync.Finding) string {
	return func(mailsync.Finding) string { return text }
}

func ofFolder(text func(mailsync.Finding) string) func(mailsync.Finding) string {
	return func(f mailsync.Finding) string { return ui.Clean(f.Folder) + ": " + text(f) }
}

func howMany(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return ui.Count(n) + " " + many
}

func amount(f mailsync.Finding) string {
	return howMany(f.Messages, "message", "messages") + ", " + ui.Bytes(f.Bytes)
}

func messageSize(f mailsync.Finding) string {
	switch {
	case f.Limit == 0:
		return "the target names no limit"
	default:
		return fmt.Sprintf("the largest has %s, the target takes %s", ui.Bytes(f.Bytes), ui.Bytes(f.Limit))
	}
}

func room(f mailsync.Finding) string {
	return fmt.Sprintf("%s used and %s to come of %s (%s)", ui.Bytes(f.Used), ui.Bytes(f.Bytes), ui.Bytes(f.Limit), fullness(f, f.Bytes))
}

func roomCount(f mailsync.Finding) string {
	return fmt.Sprintf("%s there and %s to come of %s messages (%s)", ui.Count(f.Used), ui.Count(f.Messages), ui.Count(f.Limit), fullness(f, f.Messages))
}

func fullness(f mailsync.Finding, toCome int64) string {
	return fmt.Sprintf("%.0f %%", 100*(float64(f.Used)+float64(toCome))/float64(f.Limit))
}

func noQuota(f mailsync.Finding) string {
	text := "the target tells no quota; " + ui.Bytes(f.Bytes) + " are to come"
	if f.Err != nil {
		line, _ := describe(f.Err)
		text += " (" + line + ")"
	}
	return text
}

// roughly writes a time that is an estimate.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return "about " + howMany(int64(d.Minutes()), "minute", "minutes")
	case d < time.Hour+3*time.Minute:
		return "about an hour"
	}
	return "about " + strings.TrimSuffix(fmt.Sprintf("%.1f", d.Hours()), ".0") + " hours"
}
