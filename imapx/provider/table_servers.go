package provider

// servers are what people run themselves.
func servers() []Row {
	return []Row{zimbra(), dovecot(), cyrus(), courier(), stalwart(), mox()}
}

func zimbra() Row {
	return Row{
		Key: "zimbra", Name: "Zimbra", Evidence: Documents,
		seen: []sign{{id: "zimbra"}, {greeting: "zimbra imap4"}},
		Skips: []Skip{{
			Why: "Zimbra keeps its calendar, tasks, contacts and chats there, not mail",
			Names: map[string][]string{
				"en": {"Calendar", "Tasks", "Contacts", "Emailed Contacts", "Briefcase", "Chats"},
				"de": {"Kalender", "Aufgaben", "Kontakte", "Mailempfänger", "Aktenkoffer", "Chats"},
				"fr": {"Calendrier", "Tâches", "Contacts", "Personnes contactées par mail", "Porte-documents", "Chats"},
			},
		}},
		Notes:   []string{"A shared folder that is locked ends the connection: leave such folders out."},
		Sources: []string{"wiki.zimbra.com"},
	}
}

func dovecot() Row {
	return Row{
		Key: "dovecot", Name: "Dovecot", Evidence: Live,
		seen:   []sign{{id: "dovecot"}, {greeting: "dovecot"}},
		Limits: Limits{Connections: 10}, // mail_max_userip_connections
		Words: []Word{
			{Code: "LIMIT", Text: "mail size is larger", Means: BadMail}, // quota_max_mail_size
			{Text: "maximum number of connections", Means: Later},        // before response codes
			{Text: "can't save a zero byte message", Means: BadMail},
			{Text: "quota exceeded", Means: Full}, // before response codes; Courier says so too
		},
		Literals: "LITERAL+; what it refuses it may not read away (docs/guarantees.md)",
		Sources:  []string{"doc.dovecot.org"},
	}
}

func cyrus() Row {
	return Row{
		Key: "cyrus", Name: "Cyrus IMAP", Evidence: Live,
		seen: []sign{{id: "cyrus"}, {greeting: "cyrus imap"}},
		Words: []Word{
			{Text: "too many connections", Means: Later},
			{Text: "message contains nul", Means: BadMail},
			{Text: "message contains bare newlines", Means: BadMail},
			{Text: "message contains invalid header", Means: BadMail},
			{Text: "over quota", Means: Full},
		},
		Literals: "LITERAL+: any size without waiting (RFC 7888)",
		Notes:    []string{"It takes no message with NUL, bare LF or a header line without a colon: such mail is altered, or an exception (docs/refused.md)."},
		Sources:  []string{"www.cyrusimap.org/imap"},
	}
}

func courier() Row {
	return Row{
		Key: "courier", Name: "Courier", Evidence: Live,
		seen:    []sign{{id: "courier"}, {greeting: "courier-imap"}, {capability: "XCOURIEROUTBOX=INBOX.Outbox"}},
		Limits:  Limits{Connections: 4}, // MAXPERIP as shipped
		Notes:   []string{"Beyond MAXPERIP connections from one address it closes without a word."},
		Sources: []string{"www.courier-mta.org/imap"},
	}
}

func stalwart() Row {
	return Row{
		Key: "stalwart", Name: "Stalwart", Evidence: Documents,
		seen:    []sign{{id: "stalwart"}, {greeting: "stalwart"}},
		Limits:  Limits{Connections: 16, Message: 50 * mebibyte},
		Notes:   []string{"It takes 2,000 commands a minute: reading in windows keeps well below."},
		Sources: []string{"stalw.art/docs"},
	}
}

func mox() Row {
	return Row{
		Key: "mox", Name: "mox", Evidence: Documents,
		seen:    []sign{{id: "mox"}, {greeting: "mox imap"}},
		Limits:  Limits{Connections: 30},
		Notes:   []string{"It takes 300 new connections a minute from one address."},
		Sources: []string{"www.xmox.nl"},
	}
}
