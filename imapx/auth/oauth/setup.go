package oauth

import (
	"fmt"
	"strings"
)

// Setup is what is known of a tenant; what is empty is left for the reader to fill in.
type Setup struct {
	Tenant      string   // m365
	ClientID    string   // of the application; google: the numeric one of the service account
	Certificate bool     // m365: the application proves itself by a certificate, not by a secret
	Users       []string // mailboxes
	KeyFile     string   // google: the service account's key file
}

// Settings is a settings file for an application of a Microsoft 365 tenant.
func (s Setup) Settings() string {
	proof := "  \"client_secret_file\": \"m365.secret\""
	if s.Certificate {
		proof = "  \"certificate\": \"m365.crt\",\n  \"key\": \"m365.key\""
	}
	return fmt.Sprintf("{\n  \"type\": \"m365\",\n  \"tenant\": %q,\n  \"client_id\": %q,\n%s\n}\n", or(s.Tenant, "TENANT"), or(s.ClientID, "CLIENT-ID"), proof)
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Microsoft365 is what the admin of a tenant has to do, so that an application may open mailboxes (learn.microsoft.com,
// "Authenticate an IMAP, POP or SMTP connection using OAuth").
func (s Setup) Microsoft365() string {
	id := or(s.ClientID, "CLIENT-ID")
	proof := `4. "Certificates & secrets", "New client secret"; put its value into the file
   m365.secret (chmod 600). It ends after the time chosen there.
`
	if s.Certificate {
		proof = `4. A key and a certificate, on this machine:
     openssl req -x509 -newkey rsa:3072 -nodes -days 90 -subj /CN=mailmove \
       -keyout m365.key -out m365.crt && chmod 600 m365.key
   "Certificates & secrets", "Certificates": upload m365.crt, never m365.key.
`
	}
	return fmt.Sprintf(`Microsoft 365: mailboxes opened by an application, without their passwords.

At entra.microsoft.com, as an admin of %s:
1. "App registrations", "New registration": any name, this tenant only, no
   redirect URI. Note "Application (client) ID"%s.
2. "API permissions", "Add", "APIs my organization uses",
   "Office 365 Exchange Online", "Application permissions": IMAP.AccessAsApp.
3. "Grant admin consent".
%s
In Exchange Online PowerShell. The object id must be that of the ENTERPRISE
APPLICATION (Entra, "Enterprise applications"): the one that the page of the
registration shows is another one, and every login fails with it.
     Connect-ExchangeOnline -Organization %s
     New-ServicePrincipal -AppId %s -ObjectId ENTERPRISE-OBJECT-ID
%s
     # allows the application to open these mailboxes and no others; takes up
     # to an hour. IMAP must be on: Get-CASMailbox ADDRESS | fl ImapEnabled
The settings file, for example m365.json (chmod 600):

%s
Then: mailmove sync --source outlook.office365.com --source-user ADDRESS \
        --source-oauth ./m365.json …
Afterwards take it back: Remove-MailboxPermission, and delete the registration.
`, or(s.Tenant, "the tenant"), filled(s.ClientID), proof, quotePS(or(s.Tenant, "TENANT")), quotePS(id), s.permissions(), s.Settings())
}

func filled(id string) string {
	if id == "" {
		return ""
	}
	return " (given: " + id + ")"
}

// permissions are lines of PowerShell, one a mailbox.
func (s Setup) permissions() string {
	users := s.Users
	if len(users) == 0 {
		users = []string{"ADDRESS"}
	}
	var lines []string
	for _, u := range users {
		lines = append(lines, fmt.Sprintf("     Add-MailboxPermission -Identity %s `\n       -User ENTERPRISE-OBJECT-ID -AccessRights FullAccess", quotePS(u)))
	}
	return strings.Join(lines, "\n")
}

// quotePS makes a word that PowerShell takes as it is: its single quotes know no escapes but the doubled quote, and it takes the
// typographic ones for quotes too.
func quotePS(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
		if strings.ContainsRune("'\u2018\u2019\u201a\u201b", r) {
			b.WriteRune(r)
		}
	}
	return "'" + b.String() + "'"
}

// Workspace is what the admin of a Google Workspace has to do, so that a service account may open mailboxes.
func (s Setup) Workspace() string {
	return fmt.Sprintf(`Google Workspace: mailboxes opened by a service account, without passwords.

At console.cloud.google.com, in a project of the organisation:
1. "APIs & Services", "Library": enable the Gmail API.
2. "IAM & Admin", "Service Accounts", "Create": any name, no roles.
3. Its "Keys", "Add key", "JSON": keep the file as %s (chmod 600).

At admin.google.com, as a super admin:
4. "Security", "Access and data control", "API controls", "Manage domain-wide
   delegation", "Add new":
     Client ID:    %s
     OAuth scopes: %s
   The client ID is the number in the field client_id of the key file. It may
   take a day until this works, mostly it is minutes.
5. "Apps", "Google Workspace", "Gmail", "End User Access": IMAP on.

Then: mailmove sync --source imap.gmail.com --source-user ADDRESS \
        --source-oauth ./%s …
With this scope labels are shown that users hide from IMAP, and folders are not
cut at the size that users may have set.
Afterwards take it back: remove the delegation, and delete the key.
`, or(s.KeyFile, "google.json"), or(s.ClientID, "the number in client_id"), GoogleAdminScope, or(s.KeyFile, "google.json"))
}
