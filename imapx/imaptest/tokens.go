package imaptest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// TokenServer is an OAuth server on loopback: it gives tokens for every grant that mailmove uses, and tells mail servers
// whose a token is (RFC 7662). Refresh tokens and codes are good for one use. The zero value cannot be used.
type TokenServer struct {
	Life   time.Duration                          // of an access token
	Fail   func(grant string) (int, string, bool) // answers a request for a token itself, with a status and a body; nil: never
	Device func() string                          // the error that waits for a person, "" once it has answered; nil: it has

	DeviceUser string // who answers a device code; "": u1

	server *http.Server
	url    string
	done   chan struct{}

	mu      sync.Mutex
	tokens  map[string]grant
	refresh map[string]string // to user
	codes   map[string]pending
	keys    map[string]*rsa.PublicKey // of a service account or an application, by its name
	asked   map[string]int            // by grant type
	forms   []url.Values
}

type grant struct {
	user string
	ends time.Time
}

type pending struct{ user, challenge, redirect string }

// Client is the application that this server knows, with its secret.
const (
	TokenClient = "client-1"
	TokenSecret = "client s3cret+/="
)

// NewTokenServer starts a server whose tokens live so long.
func NewTokenServer(life time.Duration) (*TokenServer, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("token server: %w", err)
	}
	s := &TokenServer{Life: life, url: "http://" + ln.Addr().String(), done: make(chan struct{}), tokens: map[string]grant{},
		refresh: map[string]string{}, codes: map[string]pending{}, keys: map[string]*rsa.PublicKey{}, asked: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /device", s.device)
	mux.HandleFunc("POST /introspect", s.introspect)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { defer close(s.done); _ = s.server.Serve(ln) }() // ends with an error: Close
	return s, nil
}

// Close ends the server.
func (s *TokenServer) Close() {
	_ = s.server.Close()
	<-s.done
}

// URL is where the server is: URL/token, /authorize, /device and /introspect.
func (s *TokenServer) URL() string { return s.url }

// Trust lets a service account, or an application with a certificate, prove itself by a key.
func (s *TokenServer) Trust(name string, key *rsa.PublicKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[name] = key
}

// Issue gives an access token for a user.
func (s *TokenServer) Issue(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issue(user)
}

func (s *TokenServer) issue(user string) string {
	token := rand.Text()
	s.tokens[token] = grant{user, time.Now().Add(s.Life)}
	return token
}

// Refresh gives a refresh token for a user, as a login of the user would.
func (s *TokenServer) Refresh(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newRefresh(user)
}

func (s *TokenServer) newRefresh(user string) string {
	token := "refresh-" + rand.Text()
	s.refresh[token] = user
	return token
}

// Revoke ends an access token before its time.
func (s *TokenServer) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// Asked is how often tokens were asked for by a grant type, refused ones too.
func (s *TokenServer) Asked(grantType string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[grantType]
}

// Last is the latest request for a token; nil: none.
func (s *TokenServer) Last() url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.forms) == 0 {
		return nil
	}
	return s.forms[len(s.forms)-1]
}

// Whose says for whom a token is, as long as it is good.
func (s *TokenServer) Whose(token string) (user string, good bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, known := s.tokens[token]
	return g.user, known && time.Now().Before(g.ends)
}

// introspect says whose a token is, as long as it is good.
func (s *TokenServer) introspect(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	g, known := s.tokens[r.PostFormValue("token")]
	s.mu.Unlock()
	answer := map[string]any{"active": false}
	if known && time.Now().Before(g.ends) {
		answer = map[string]any{"active": true, "username": g.user, "exp": g.ends.Unix()}
	}
	reply(w, http.StatusOK, answer)
}

func (s *TokenServer) token(w http.ResponseWriter, r *http.Request) {
	kind := r.PostFormValue("grant_type")
	s.mu.Lock()
	s.asked[kind]++
	s.forms = append(s.forms, r.PostForm)
	s.mu.Unlock()
	if s.Fail != nil {
		if status, body, fail := s.Fail(kind); fail {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return
		}
	}
	user, refresh, err := s.grant(kind, r)
	if err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": err.Error(), "error_description": "the test says no"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := map[string]any{"access_token": s.issue(user), "token_type": "Bearer", "expires_in": int(s.Life / time.Second)}
	if refresh {
		answer["refresh_token"] = s.newRefresh(user)
	}
	reply(w, http.StatusOK, answer)
}

// grant finds out for whom a token is, or the error of RFC 6749 section 5.2.
func (s *TokenServer) grant(kind string, r *http.Request) (user string, refresh bool, err error) {
	form := r.PostForm
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		claims, err := s.claims(form.Get("assertion"), "RS256")
		if err != nil {
			return "", false, errors.New("invalid_grant")
		}
		user, _ = claims["sub"].(string)
		return user, false, nil
	case "client_credentials":
		return form.Get("client_id"), false, s.client(form)
	case "refresh_token":
		user, known := s.refresh[form.Get("refresh_token")]
		if !known {
			return "", false, errors.New("invalid_grant")
		}
		delete(s.refresh, form.Get("refresh_token"))
		return user, true, nil
	case "authorization_code":
		p, known := s.codes[form.Get("code")]
		delete(s.codes, form.Get("code"))
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if !known || p.redirect != form.Get("redirect_uri") || base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge {
			return "", false, errors.New("invalid_grant")
		}
		return p.user, true, nil
	case "urn:ietf:params:oauth:grant-type:device_code":
		if s.Device != nil {
			if waits := s.Device(); waits != "" {
				return "", false, errors.New(waits)
			}
		}
		if s.DeviceUser != "" {
			return s.DeviceUser, true, nil
		}
		return "u1", true, nil
	}
	return "", false, errors.New("unsupported_grant_type")
}

// client checks an application's secret or assertion.
func (s *TokenServer) client(form url.Values) error {
	if assertion := form.Get("client_assertion"); assertion != "" {
		if _, err := s.claims(assertion, "PS256"); err == nil {
			return nil
		}
	} else if form.Get("client_id") == TokenClient && form.Get("client_secret") == TokenSecret {
		return nil
	}
	return errors.New("invalid_client")
}

// claims checks a JWT and gives what it says.
func (s *TokenServer) claims(text, alg string) (map[string]any, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errors.New("no JWT")
	}
	head, body := map[string]any{}, map[string]any{}
	for i, v := range []*map[string]any{&head, &body} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, v); err != nil {
			return nil, err
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	issuer, _ := body["iss"].(string)
	key := s.keys[issuer]
	if key == nil || head["alg"] != alg || body["aud"] != s.url+"/token" {
		return nil, errors.New("not known, or not for us")
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if alg == "PS256" {
		err = rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil)
	} else {
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
	}
	if ends, _ := body["exp"].(float64); err == nil && time.Now().Unix() > int64(ends) {
		err = errors.New("over")
	}
	return body, err
}

// authorize plays the person who agrees at once; login_hint says who.
func (s *TokenServer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	s.mu.Lock()
	s.codes[code] = pending{q.Get("login_hint"), q.Get("code_challenge"), back.String()}
	s.mu.Unlock()
	back.RawQuery = url.Values{"state": {q.Get("state")}, "code": {code}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (s *TokenServer) device(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"device_code": rand.Text(), "user_code": "ABCD-EFGH", "verification_uri": s.url + "/enter",
		"expires_in": 60, "interval": 1})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who does not read it any more has gone
}
