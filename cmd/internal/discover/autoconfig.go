package discover

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

const (
	maxFile      = 256 << 10 // bytes; files have some thousand
	mostHops     = 5
	notEncrypted = "plain"
)

// clientConfig is the part of an autoconfig file that says where IMAP is.
type clientConfig struct {
	Incoming []struct {
		Type   string   `xml:"type,attr"`
		Host   string   `xml:"hostname"`
		Port   int      `xml:"port"`
		Socket string   `xml:"socketType"`
		User   []string `xml:"username"`
	} `xml:"emailProvider>incomingServer"`
}

// byFile asks the domain's web server for its autoconfig file, by https alone: the certificate is what vouches for it.
func (f *Found) byFile(ctx context.Context, client *http.Client, address, domain string) {
	own := http.Client{}
	if client != nil {
		own = *client
	}
	own.Timeout, own.CheckRedirect = lookupPatience, onlyHTTPS
	for _, place := range []string{
		"https://autoconfig." + domain + "/mail/config-v1.1.xml?emailaddress=" + url.QueryEscape(address),
		"https://" + domain + "/.well-known/autoconfig/mail/config-v1.1.xml",
	} {
		shown, _, _ := strings.Cut(place, "?")
		config, err := fetch(ctx, &own, place)
		if err != nil {
			f.note("%s: %s", shown, words(err))
			continue
		}
		if f.take(config, shown, address, domain) > 0 {
			return
		}
		f.note("%s: it names no IMAP server with TLS", shown)
	}
}

func onlyHTTPS(r *http.Request, via []*http.Request) error {
	if r.URL.Scheme != "https" {
		return errors.New("it leads to a page without TLS")
	}
	if len(via) > mostHops {
		return errors.New("it leads from page to page")
	}
	return nil
}

func fetch(ctx context.Context, client *http.Client, place string) (c clientConfig, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return c, err
	}
	answer, err := client.Do(request)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the place, which has the address in it
		}
		return c, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return c, fmt.Errorf("status %d", answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxFile+1))
	switch {
	case err != nil:
		return c, err
	case len(text) > maxFile:
		return c, errors.New("the file is too long")
	}
	if err := xml.Unmarshal(text, &c); err != nil {
		return c, errors.New("it is no autoconfig file")
	}
	return c, nil
}

// take adds the servers of a file, and gives how many.
func (f *Found) take(c clientConfig, place, address, domain string) (n int) {
	local := address[:strings.LastIndexByte(address, '@')]
	fill := strings.NewReplacer("%EMAILADDRESS%", address, "%EMAILLOCALPART%", local, "%EMAILDOMAIN%", domain)
	for i, in := range c.Incoming {
		if i == mostEntries {
			f.note("%s: %d more entries that are not looked at", place, len(c.Incoming)-i)
			break
		}
		socket := strings.ToLower(strings.TrimSpace(in.Socket))
		host := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(fill.Replace(in.Host)), "."))
		if !strings.EqualFold(in.Type, "imap") || n == mostServers {
			continue
		}
		if socket == notEncrypted {
			f.note("%s: a server in clear text, which is left out", place)
			continue
		}
		if socket != "ssl" && socket != "starttls" || !plainHost(host) || in.Port < 1 || in.Port > 65535 {
			f.note("%s: an entry that names no server", place)
			continue
		}
		user := ""
		if len(in.User) > 0 {
			user = fill.Replace(strings.TrimSpace(in.User[0]))
		}
		if len(user) > longestUser || strings.IndexFunc(user, unicode.IsControl) >= 0 {
			f.note("%s: an entry whose user's name cannot be one", place)
			continue
		}
		n++
		f.note("%s: %s port %d", place, host, in.Port)
		f.add(Server{Host: host, Port: in.Port, StartTLS: socket == "starttls", User: user, From: place, Vouched: true})
	}
	return n
}
