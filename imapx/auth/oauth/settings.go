package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const maxFile = 64 << 10 // bytes of a settings file, a key or a secret

// Settings are a settings file: who asks for tokens, and where.
type Settings struct {
	Type string `json:"type"` // one of the words below

	// "service_account", as Google's console gives it out
	ClientEmail  string `json:"client_email"`
	PrivateKeyID string `json:"private_key_id"`
	PrivateKey   string `json:"private_key"`
	TokenURI     string `json:"token_uri"`

	// "m365" and "client_credentials"
	Tenant           string `json:"tenant"`    // m365
	Authority        string `json:"authority"` // m365: default https://login.microsoftonline.com
	ClientSecretFile string `json:"client_secret_file"`
	Certificate      string `json:"certificate"` // PEM file, instead of a secret
	Key              string `json:"key"`         // PEM file

	// "login", and in part "client_credentials"
	Person

	dir string // of the file: what it names is relative to it
}

// The words of "type".
const (
	typeServiceAccount = "service_account"
	typeMicrosoft      = "m365"
	typeClient         = "client_credentials"
	typeLogin          = "login"
)

// ReadSettings reads a settings file. Errors name what is wrong, and hold nothing of a key.
func ReadSettings(path string) (*Settings, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	s := &Settings{dir: filepath.Dir(path)}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, jsonProblem(err)
	}
	if s.Type != typeServiceAccount { // Google may put more into its own
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(new(Settings)); err != nil {
			return nil, jsonProblem(err)
		}
	}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	return s, s.check()
}

// jsonProblem repeats nothing of a file that may hold a key but the name of a field.
func jsonProblem(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("it is no JSON (at byte %d)", syntax.Offset)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("its field %q has the wrong type", kind.Field)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return errors.New("it has an " + clean(strings.TrimPrefix(err.Error(), "json: ")))
	}
	return errors.New("it is no JSON object")
}

// check fills in defaults and finds what is missing.
func (s *Settings) check() error {
	need := func(fields ...string) error {
		for i := 0; i < len(fields); i += 2 {
			if fields[i+1] == "" {
				return fmt.Errorf("its field %q is missing", fields[i])
			}
		}
		return nil
	}
	var err error
	switch s.Type {
	case typeServiceAccount:
		if s.TokenURI == "" {
			s.TokenURI = googleToken
		}
		if len(s.Scopes) == 0 {
			s.Scopes = []string{GoogleAdminScope}
		}
		s.TokenURL = s.TokenURI
		err = need("client_email", s.ClientEmail, "private_key", s.PrivateKey)
	case typeMicrosoft:
		if s.Authority == "" {
			s.Authority = microsoftLogin
		}
		if len(s.Scopes) == 0 {
			s.Scopes = []string{MicrosoftAppScope}
		}
		s.TokenURL = microsoftTokenURL(strings.TrimSuffix(s.Authority, "/"), s.Tenant)
		if !regexp.MustCompile(`^[A-Za-z0-9.-]+$`).MatchString(s.Tenant) {
			return errors.New(`its field "tenant" is no domain and no tenant id`)
		}
		err = errors.Join(need("client_id", s.ClientID), s.checkProof())
	case typeClient:
		err = errors.Join(need("client_id", s.ClientID, "token_url", s.TokenURL), s.checkProof())
	case typeLogin:
		err = need("client_id", s.ClientID, "token_url", s.TokenURL)
		if err == nil && s.AuthURL == "" && s.DeviceURL == "" {
			err = errors.New(`it has neither "auth_url" nor "device_url"`)
		}
		if s.RedirectHost == "" {
			s.RedirectHost = "127.0.0.1"
		}
		if s.RedirectHost != "localhost" && s.RedirectHost != "127.0.0.1" { // there we listen
			err = errors.New(`its field "redirect_host" is not this machine: write localhost or 127.0.0.1`)
		}
	case "":
		err = errors.New(`its field "type" is missing`)
	default:
		err = fmt.Errorf("its type %q is unknown: it is service_account, m365, client_credentials or login", clean(s.Type))
	}
	if err != nil {
		return err
	}
	for what, address := range map[string]string{"token_url": s.TokenURL, "auth_url": s.AuthURL, "device_url": s.DeviceURL} {
		if address != "" {
			if err := secureURL(what, address); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkProof wants a secret or a certificate, and not both.
func (s *Settings) checkProof() error {
	switch certificate := s.Certificate != "" && s.Key != ""; {
	case (s.Certificate == "") != (s.Key == ""):
		return errors.New(`"certificate" and "key" belong together`)
	case certificate == (s.ClientSecretFile != ""):
		return errors.New(`it wants either "client_secret_file" or "certificate" with "key"`)
	}
	return nil
}

// ForPerson tells whether somebody has to log in for tokens, and as which application.
func (s *Settings) ForPerson() (Person, bool, error) {
	if s.Type != typeLogin {
		return Person{}, false, nil
	}
	p := s.Person
	if s.ClientSecretFile != "" {
		secret, err := s.secret()
		if err != nil {
			return p, true, err
		}
		p.ClientSecret = secret
	}
	return p, true, nil
}

func (s *Settings) secret() (string, error) {
	b, err := readFile(s.path(s.ClientSecretFile))
	if err != nil {
		return "", fmt.Errorf("client_secret_file: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", errors.New("client_secret_file: its first line is empty")
	}
	return line, nil
}

func (s *Settings) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// readFile reads a small file whole.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s: it is larger than %d KiB", path, maxFile>>10)
	}
	return b, err
}
