package oauth

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const recordVersion = 1

// Record is a login of a person that is kept.
type Record struct {
	Version      int       `json:"version"`
	Provider     string    `json:"provider"`
	User         string    `json:"user"`
	ClientID     string    `json:"client_id"`
	ClientSecret string    `json:"client_secret,omitempty"`
	TokenURL     string    `json:"token_url"`
	Scopes       []string  `json:"scopes"`
	RefreshToken string    `json:"refresh_token"`
	AccessToken  string    `json:"access_token,omitempty"` // the last one, so that the next run need not ask
	Expires      time.Time `json:"expires,omitzero"`       // of the access token
	LoggedIn     time.Time `json:"logged_in"`
	Renewed      time.Time `json:"renewed"`
}

// String keeps a record out of logs.
func (r Record) String() string { return "login of " + r.User + " at " + r.Provider }

// GoString is String.
func (r Record) GoString() string { return r.String() }

// readRecord understands what a file holds.
func readRecord(b []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		return Record{}, jsonProblem(err)
	}
	switch {
	case r.Version > recordVersion:
		return Record{}, fmt.Errorf("it was written by a later version of mailmove (format %d, this one knows %d)", r.Version, recordVersion)
	case r.Version < 1 || r.RefreshToken == "" || r.ClientID == "":
		return Record{}, fmt.Errorf("it is no login of mailmove")
	}
	return r, secureURL("token_url", r.TokenURL)
}

// fileName names a login's file so that people can read it; what is not harmless in a name is escaped.
func fileName(provider, user string) string {
	return escape(provider) + "--" + escape(strings.ToLower(user))
}

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("@._", c) >= 0 && b.Len() > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
