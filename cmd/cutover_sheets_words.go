package cmd

// sheetMarkdown and sheetHTML are the pages of settings, as templates.
const sheetMarkdown = `{{if eq .Language "de"}}# Ihr neues Postfach{{with .Address}}: {{md .}}{{end}}

Stellen Sie Ihr Mailprogramm auf diese Server um. Das Passwort bekommen Sie auf anderem Weg.

| | Empfang (IMAP) | Versand (SMTP) |
| --- | --- | --- |
| Server | {{md .IMAP.Host}} | {{md .SMTP.Host}} |
| Port | {{.IMAP.Port}} | {{.SMTP.Port}} |
| Verschlüsselung | {{.IMAP.TLS}} | {{.SMTP.TLS}} |
| Benutzername | {{md .User}} | {{md .User}} |
| Anmeldung | Passwort, normal | Passwort, normal |

1. Legen Sie in jedem Programm und auf jedem Gerät das neue Konto an; ändern Sie nicht das alte.
2. Prüfen Sie, dass Ihre Ordner da sind, und senden Sie sich selbst eine Mail.
3. Entfernen Sie das alte Konto erst, wenn der Umzug abgeschlossen ist.
{{else}}# Your new mailbox{{with .Address}}: {{md .}}{{end}}

Set up your mail program with these servers. You are given the password in another way.

| | incoming mail (IMAP) | outgoing mail (SMTP) |
| --- | --- | --- |
| server | {{md .IMAP.Host}} | {{md .SMTP.Host}} |
| port | {{.IMAP.Port}} | {{.SMTP.Port}} |
| security | {{.IMAP.TLS}} | {{.SMTP.TLS}} |
| user name | {{md .User}} | {{md .User}} |
| authentication | normal password | normal password |

1. Add the new account in each program and on each device; do not change the old one.
2. See that your folders are there, and send a mail to yourself.
3. Remove the old account only when the move is done.
{{end}}`

const sheetHTML = `<!DOCTYPE html>
{{if eq .Language "de"}}<html lang="de">
<meta charset="utf-8">
<title>Ihr neues Postfach{{with .Address}}: {{.}}{{end}}</title>
<h1>Ihr neues Postfach{{with .Address}}: {{.}}{{end}}</h1>
<p>Stellen Sie Ihr Mailprogramm auf diese Server um. Das Passwort bekommen Sie auf anderem Weg.</p>
<table border="1" cellpadding="6">
<tr><th></th><th>Empfang (IMAP)</th><th>Versand (SMTP)</th></tr>
<tr><th>Server</th><td>{{.IMAP.Host}}</td><td>{{.SMTP.Host}}</td></tr>
<tr><th>Port</th><td>{{.IMAP.Port}}</td><td>{{.SMTP.Port}}</td></tr>
<tr><th>Verschlüsselung</th><td>{{.IMAP.TLS}}</td><td>{{.SMTP.TLS}}</td></tr>
<tr><th>Benutzername</th><td>{{.User}}</td><td>{{.User}}</td></tr>
<tr><th>Anmeldung</th><td>Passwort, normal</td><td>Passwort, normal</td></tr>
</table>
<ol>
<li>Legen Sie in jedem Programm und auf jedem Gerät das neue Konto an; ändern Sie nicht das alte.</li>
<li>Prüfen Sie, dass Ihre Ordner da sind, und senden Sie sich selbst eine Mail.</li>
<li>Entfernen Sie das alte Konto erst, wenn der Umzug abgeschlossen ist.</li>
</ol>
{{else}}<html lang="en">
<meta charset="utf-8">
<title>Your new mailbox{{with .Address}}: {{.}}{{end}}</title>
<h1>Your new mailbox{{with .Address}}: {{.}}{{end}}</h1>
<p>Set up your mail program with these servers. You are given the password in another way.</p>
<table border="1" cellpadding="6">
<tr><th></th><th>incoming mail (IMAP)</th><th>outgoing mail (SMTP)</th></tr>
<tr><th>server</th><td>{{.IMAP.Host}}</td><td>{{.SMTP.Host}}</td></tr>
<tr><th>port</th><td>{{.IMAP.Port}}</td><td>{{.SMTP.Port}}</td></tr>
<tr><th>security</th><td>{{.IMAP.TLS}}</td><td>{{.SMTP.TLS}}</td></tr>
<tr><th>user name</th><td>{{.User}}</td><td>{{.User}}</td></tr>
<tr><th>authentication</th><td>normal password</td><td>normal password</td></tr>
</table>
<ol>
<li>Add the new account in each program and on each device; do not change the old one.</li>
<li>See that your folders are there, and send a mail to yourself.</li>
<li>Remove the old account only when the move is done.</li>
</ol>
{{end}}</html>
`
