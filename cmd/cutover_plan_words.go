package cmd

// leftWords name what IMAP does not carry.
func leftWords(l language) map[string]string {
	if l == "de" {
		return map[string]string{"forwards": "Weiterleitung", "aliases": "Aliasse", "autoresponder": "Abwesenheitsnotiz",
			"filters": "Filter", "sender_rights": "Senderechte", "address_books": "Adressbücher, Kalender"}
	}
	return map[string]string{"forwards": "forward", "aliases": "aliases", "autoresponder": "autoresponder", "filters": "filters",
		"sender_rights": "sender rights", "address_books": "address books, calendars"}
}

// planWords is the plan's Markdown, as a template.
func planWords(l language) string {
	if l == "de" {
		return planGerman
	}
	return planEnglish
}

const planEnglish = `# Move of mailboxes

| group | accounts | state |
| --- | ---: | --- |
{{range .Table}}| {{.Name}} | {{.Accounts}} | {{.State}} |
{{end}}
## Schedule

| when | what |
| --- | --- |
| {{.Check}} | check every account |
| {{.Copy}} | first copy; then passes every night, while people work |
| {{.Lower}} | at the latest: lower the TTL of the MX records (now {{.TTL}}) to 300 seconds |
| {{.Switch}} | final pass, then switch |
| daily after it | passes for what still reaches the old server |
| {{.Tail}} | at the earliest: close, after {{.Quiet}} days without new mail |

### Before

` + "```" + `
mailmove check {{.Chosen}}
mailmove sync {{.Chosen}}
{{with .Domains}}mailmove dns {{.}}{{$.OldTTL}}
{{end}}` + "```" + `

Every night from then on, from cron: ` + "`mailmove sync {{.Cron}} --quiet`" + `

### The evening of the switch

` + "```" + `
{{range .Groups}}mailmove cutover next {{.Word}} {{$.Flags}}{{$.OldTTL}}
{{end}}` + "```" + `

That makes the final pass of each group. When it has ended, the same command says whether the switch is safe.
Where the old server is yours and stays for a while, it can lead on what still reaches it (docs/coexistence.md);
NEW is the new server:

` + "```" + `
{{range .Groups}}mailmove export postfix {{$.List}} --group {{.Word}} --relay NEW --to /etc/postfix/moved
{{end}}{{range .Groups}}mailmove export dovecot {{$.List}} --group {{.Word}} --target NEW --to /etc/dovecot/moved
{{end}}` + "```" + `

Let the MX records lead to the new server, and say so:

` + "```" + `
{{range .Groups}}mailmove cutover next {{.Word}} {{$.Flags}}{{$.OldTTL}} --switched
{{end}}mailmove cutover sheets {{.Chosen}} --out sheets
` + "```" + `

### The days after

The same line in cron carries what still comes. Raise the TTL again on the next day. Have the domain removed at
the old server, for its own customers and web forms deliver there as long as it is known there. Then:

` + "```" + `
{{range .Groups}}mailmove cutover next {{.Word}} {{$.Flags}} --confirmed-removed
{{end}}mailmove verify {{.Chosen}} --level counts
` + "```" + `

## What IMAP does not carry

Each of these has to be set up on the new server by hand, or asked of its user:

- [ ] forwards
- [ ] aliases and catch-all addresses
- [ ] autoresponders
- [ ] filters (Sieve, rules of webmail)
- [ ] sender rights, shared folders
- [ ] address books, calendars
- [ ] programs and devices that send through the old server
{{if .Left}}
| account | what | on the old server |
| --- | --- | --- |
{{range .Left}}| {{.Account}} | {{.What}} | {{.Value}} |
{{end}}{{else}}
The list says nothing of these. It may have columns for them: {{.Columns}}.
{{end}}`

const planGerman = `# Umzug von Postfächern

| Gruppe | Konten | Stand |
| --- | ---: | --- |
{{range .Table}}| {{.Name}} | {{.Accounts}} | {{.State}} |
{{end}}
## Zeitplan

| wann | was |
| --- | --- |
| {{.Check}} | jedes Konto prüfen |
| {{.Copy}} | erste Kopie; danach jede Nacht ein Lauf, während weitergearbeitet wird |
| {{.Lower}} | spätestens: TTL der MX-Einträge (jetzt {{.TTL}}) auf 300 Sekunden senken |
| {{.Switch}} | letzter Abgleich, dann Umstellung |
| täglich danach | Läufe für das, was den alten Server noch erreicht |
| {{.Tail}} | frühestens: abschließen, nach {{.Quiet}} Tagen ohne neue Mail |

### Vorher

` + "```" + `
mailmove check {{.Chosen}}
mailmove sync {{.Chosen}}
{{with .Domains}}mailmove dns {{.}}{{$.OldTTL}}
{{end}}` + "```" + `

Von da an jede Nacht, aus cron: ` + "`mailmove sync {{.Cron}} --quiet`" + `

### Am Abend der Umstellung

` + "```" + `
{{range .Groups}}mailmove cutover next {{.Word}} {{$.Flags}}{{$.OldTTL}}
{{end}}` + "```" + `

Das macht den letzten Abgleich jeder Gruppe. Ist er fertig, sagt derselbe Befehl, ob die Umstellung sicher ist.
Wer den alten Server selbst betreibt und noch stehen lässt, kann ihn weiterleiten lassen, was dort noch ankommt
(docs/coexistence.md); NEU ist der neue Server:

` + "```" + `
{{range .Groups}}mailmove export postfix {{$.List}} --group {{.Word}} --relay NEU --to /etc/postfix/moved
{{end}}{{range .Groups}}mailmove export dovecot {{$.List}} --group {{.Word}} --target NEU --to /etc/dovecot/moved
{{end}}` + "```" + `

Die MX-Einträge auf den neuen Server zeigen lassen und das mitteilen:

` + "```" + `
{{range .Groups}}mailmove cutover next {{.Word}} {{$.Flags}}{{$.OldTTL}} --switched
{{end}}mailmove cutover sheets {{.Chosen}} --out sheets --language de
` + "```" + `

### In den Tagen danach

Dieselbe Zeile in cron holt nach, was noch kommt. Die TTL am nächsten Tag wieder anheben. Die Domain beim alten
Anbieter löschen lassen, denn dessen eigene Kunden und Webformulare stellen dort zu, solange sie dort bekannt
ist. Dann:

` + "```" + `
{{range .Groups}}mailmove cutover next {{.Word}} {{$.Flags}} --confirmed-removed
{{end}}mailmove verify {{.Chosen}} --level counts
` + "```" + `

## Was IMAP nicht überträgt

Jedes davon ist auf dem neuen Server von Hand einzurichten oder beim Benutzer zu erfragen:

- [ ] Weiterleitungen
- [ ] Aliasse und Sammeladressen
- [ ] Abwesenheitsnotizen
- [ ] Filter (Sieve, Regeln der Weboberfläche)
- [ ] Senderechte, geteilte Ordner
- [ ] Adressbücher, Kalender
- [ ] Programme und Geräte, die über den alten Server senden
{{if .Left}}
| Konto | was | auf dem alten Server |
| --- | --- | --- |
{{range .Left}}| {{.Account}} | {{.What}} | {{.Value}} |
{{end}}{{else}}
In der Liste steht nichts davon. Sie kann Spalten dafür haben: {{.Columns}}.
{{end}}`
