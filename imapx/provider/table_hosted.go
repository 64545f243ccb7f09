package provider

import "time"

// hosted are services that nobody but their makers runs.
func hosted() []Row {
	return []Row{gmail(), microsoft(), yahoo(), icloud(), gmx(), ionos(), strato(), mailboxOrg()}
}

func gmail() Row {
	return Row{
		Key: "gmail", Name: "Gmail, Google Workspace", Evidence: Documents, Labels: true,
		seen: []sign{{host: "imap.gmail.com"}, {host: "imap.googlemail.com"}, {capability: "X-GM-EXT-1"}, {greeting: "gimap ready"}},
		Limits: Limits{Connections: 15, Download: 2500 * megabyte, Upload: 500 * megabyte, Message: 35651584,
			Session: 24 * time.Hour},
		Words: []Word{
			{Code: "OVERQUOTA", Text: "command or bandwidth limits", Means: Later}, // a daily limit; the mailbox is not full
			{Code: "ALERT", Text: "too many simultaneous connections", Means: Later},
			{Text: "too many simultaneous connections", Means: Later},
		},
		Literals: "LITERAL-: up to 4096 bytes without waiting (RFC 7888)",
		Notes: []string{
			"Labels are folders: Important and Starred are left out, and All Mail is carried where no other folder has the message (--gmail-labels).",
			"As the target it keeps one copy of messages that are the same, and gives that one's UID again: fewer messages than on the source are expected.",
			"A label that its user hides from IMAP is no folder; its messages are carried from All Mail.",
		},
		Sources: []string{"developers.google.com/workspace/gmail/imap/imap-extensions", "support.google.com/a/answer/1071518"},
	}
}

func microsoft() Row {
	return Row{
		Key: "microsoft", Name: "Microsoft 365, Exchange", Evidence: Documents,
		seen: []sign{{host: "outlook.office365.com"}, {host: "outlook.office.com"}, {host: "imap-mail.outlook.com"}, {host: "office365.us"},
			{host: "partner.outlook.cn"}, {id: "microsoft"}, {greeting: "microsoft exchange"}},
		Limits: Limits{Connections: 20, Message: 150 * mebibyte, Folder: 1_000_000},
		Skips:  exchangeFolders(),
		Words: []Word{
			{Text: "suggested backoff time", Means: Later}, // names the time itself
			{Text: "request is throttled", Means: Later, Pause: 5 * time.Minute},
			{Text: "authenticated but not connected", Means: Later}, // throttled, or no permission: nothing tells which
			{Text: "server unavailable", Means: Later},
			{Text: "connection closed. 14", Means: Later},
			{Text: "maximum size of appendable message", Means: BadMail},
			{Text: "basic authentication is disabled", Means: NoLogin},
		},
		Literals: "LITERAL+: any size without waiting (RFC 7888)",
		Notes: []string{
			"It may write a message anew as it takes it in: sizes and bytes differ afterwards, and verify says so.",
			"A message that it cannot turn into mail comes as a notice in its place: that is an exception, never carried.",
			"The size that it takes is the mailbox's own setting: 35 MB until its admin raises it, 150 MB at most.",
			"\"Authenticated but not connected\" stays for ever where an application has no right to the mailbox.",
		},
		Sources: []string{"learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/pop3-and-imap4",
			"learn.microsoft.com/exchange/troubleshoot/user-and-shared-mailboxes/pop3-imap-owa-activesync-office-365"},
	}
}

func yahoo() Row {
	return Row{
		Key: "yahoo", Name: "Yahoo, AOL", Evidence: Documents,
		seen:   []sign{{host: "mail.yahoo.com"}, {host: "imap.aol.com"}, {host: "mail.yahoo.co.jp"}, {id: "yahoo"}},
		Limits: Limits{Folder: 10_000},
		Notes: []string{
			"A folder beyond 10,000 messages is shown whole by export.imap.mail.yahoo.com alone, which is read-only: use it as the source.",
			"An answer that MESSAGELIMIT cut is asked for again from where it was cut (RFC 9738).",
		},
		Sources: []string{"senders.yahooinc.com/developer", "RFC 9738"},
	}
}

func icloud() Row {
	return Row{
		Key: "icloud", Name: "iCloud Mail", Evidence: Documents,
		seen:   []sign{{host: "imap.mail.me.com"}, {host: "mail.icloud.com"}, {capability: "XAPPLEPUSHSERVICE"}, {id: "icloud"}},
		Limits: Limits{Message: 20 * megabyte},
		Skips: []Skip{{
			Why:   "iCloud lists its Notes and does not open them",
			Names: map[string][]string{"en": {"Notes"}, "de": {"Notizen"}, "fr": {"Notes"}, "es": {"Notas"}, "it": {"Note"}, "nl": {"Notities"}},
		}},
		Notes:   []string{"It wants an app-specific password, and the name of the Apple mail address, not that of a domain of one's own."},
		Sources: []string{"support.apple.com/102525", "support.apple.com/102198"},
	}
}

func gmx() Row {
	return Row{
		Key: "gmx", Name: "GMX, WEB.DE", Evidence: Documents,
		seen:    []sign{{host: "imap.gmx.net"}, {host: "imap.gmx.com"}, {host: "imap.web.de"}, {greeting: "imap server gmx"}, {greeting: "imap server web.de"}},
		Notes:   []string{"IMAP is off until the user allows it in the webmail's settings. Several failed logins block the address that they come from."},
		Sources: []string{"hilfe.gmx.net/pop-imap", "hilfe.web.de/pop-imap"},
	}
}

func ionos() Row {
	return Row{
		Key: "ionos", Name: "IONOS", Evidence: Documents,
		seen:    []sign{{host: "imap.ionos.de"}, {host: "imap.ionos.com"}, {host: "imap.ionos.co.uk"}, {host: "imap.ionos.fr"}, {host: "imap.ionos.es"}, {host: "imap.1und1.de"}},
		Limits:  Limits{Connections: 2},
		Notes:   []string{"Its limits are not published: two connections are where to begin."},
		Sources: []string{"ionos.com/help/email"},
	}
}

func strato() Row {
	return Row{
		Key: "strato", Name: "Strato", Evidence: Documents,
		seen:    []sign{{host: "imap.strato.de"}, {host: "imap.strato.com"}},
		Limits:  Limits{Connections: 2},
		Notes:   []string{"Its limits are not published: two connections are where to begin."},
		Sources: []string{"strato.de/faq/mail"},
	}
}

func mailboxOrg() Row {
	return Row{
		Key: "mailbox.org", Name: "mailbox.org", Evidence: Documents,
		seen:    []sign{{host: "imap.mailbox.org"}},
		Notes:   []string{"It is a Dovecot. With two-factor login it wants an app password."},
		Sources: []string{"kb.mailbox.org"},
	}
}
