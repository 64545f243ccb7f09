package oauth

// Names of the providers whose addresses are known. Any other one is a settings file.
const (
	Google    = "google"
	Microsoft = "m365"
)

const (
	googleAuth     = "https://accounts.google.com/o/oauth2/v2/auth"
	googleToken    = "https://oauth2.googleapis.com/token"
	microsoftLogin = "https://login.microsoftonline.com"

	// GoogleScope is for a person; GoogleAdminScope is for a service account: it also shows labels that are hidden from
	// IMAP, and folders beyond the size limit that a user may have set
	// (developers.google.com/workspace/gmail/imap/xoauth2-protocol).
	GoogleScope      = "https://mail.google.com/"
	GoogleAdminScope = "https://www.googleapis.com/auth/gmail.imap_admin"

	// MicrosoftScope is for a person, MicrosoftAppScope for an application with IMAP.AccessAsApp
	// (learn.microsoft.com, "Authenticate an IMAP, POP or SMTP connection using OAuth").
	MicrosoftScope    = "https://outlook.office.com/IMAP.AccessAsUser.All"
	MicrosoftAppScope = "https://outlook.office365.com/.default"
	offlineScope      = "offline_access" // without it there is no refresh token
)

// Person is where and as which application a person logs in.
type Person struct {
	Name         string   `json:"name"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"-"` // empty: a public client, which PKCE alone protects
	AuthURL      string   `json:"auth_url"`
	DeviceURL    string   `json:"device_url"`
	TokenURL     string   `json:"token_url"`
	Scopes       []string `json:"scopes"`
	RedirectHost string   `json:"redirect_host"` // localhost or 127.0.0.1, as the provider knows it
}

// Known gives a provider by name. tenant is Microsoft's: a domain or the tenant's id, or "organizations" for any.
func Known(name, tenant, clientID, clientSecret string) (Person, bool) {
	p := Person{Name: name, ClientID: clientID, ClientSecret: clientSecret}
	switch name {
	case Google:
		p.AuthURL, p.TokenURL, p.Scopes, p.RedirectHost = googleAuth, googleToken, []string{GoogleScope}, "127.0.0.1"
	case Microsoft:
		base := microsoftLogin + "/" + tenant + "/oauth2/v2.0/"
		p.AuthURL, p.DeviceURL, p.TokenURL = base+"authorize", base+"devicecode", base+"token"
		p.Scopes, p.RedirectHost = []string{MicrosoftScope, offlineScope}, "localhost" // Entra takes any port of localhost
	default:
		return Person{}, false
	}
	return p, true
}

func microsoftTokenURL(authority, tenant string) string {
	return authority + "/" + tenant + "/oauth2/v2.0/token"
}
