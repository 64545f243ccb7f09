package cmd

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/imapx/auth"
)

// jsonProbe is the object of "probe --json".
type jsonProbe struct {
	Type        string            `json:"type"`
	Server      string            `json:"server"`
	Found       []string          `json:"found,omitempty"`
	Greeting    string            `json:"greeting"`
	TLS         string            `json:"tls"`
	Cipher      string            `json:"cipher,omitempty"`
	Certificate *jsonCertificate  `json:"certificate,omitempty"`
	Before      []string          `json:"capabilities_before"`
	After       []string          `json:"capabilities_after,omitempty"`
	Provider    string            `json:"provider,omitempty"`
	ID          map[string]string `json:"id,omitempty"`
	Namespaces  []string          `json:"namespaces,omitempty"`
	Folders     int               `json:"folders"`
	Special     map[string]string `json:"special_folders,omitempty"`
	Quota       []jsonQuota       `json:"quota,omitempty"`
	AppendLimit uint64            `json:"append_limit,omitempty"`
	Limits      []string          `json:"known_limits,omitempty"`
	RTT         int64             `json:"round_trip_us"`
	Write       *jsonHabits       `json:"write,omitempty"`
	Slow        []string          `json:"slow"`
	Problems    []string          `json:"problems,omitempty"`
}

type jsonCertificate struct {
	Names  string    `json:"names"`
	Issuer string    `json:"issuer"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	SHA256 string    `json:"sha256"`
	Pinned bool      `json:"remembered"` // trusted by itself (mailmove trust)
}

type jsonQuota struct {
	Root     string `json:"root"`
	Bytes    int64  `json:"bytes"`
	Limit    int64  `json:"bytes_limit,omitempty"`
	Messages int64  `json:"messages"`
	Most     int64  `json:"messages_limit,omitempty"`
}

type jsonHabits struct {
	Stored   int   `json:"stored"`
	TookUS   int64 `json:"took_us"`
	UIDs     bool  `json:"uids_told"`
	Dates    bool  `json:"dates_kept"`
	Keywords bool  `json:"keywords_kept"`
	Bytes    bool  `json:"bytes_kept"`
	Removed  bool  `json:"removed"`
}

// object is what was found; nothing of it is as the server sent it.
func (p *probing) object(found *imapx.Probe) jsonProbe {
	j := jsonProbe{Type: "probe", Server: found.Server, Found: p.notes, Greeting: ui.Clean(found.Greeting), TLS: "none", Before: clean(found.Before),
		After: clean(found.After), Provider: found.Provider.Name, Folders: len(found.Listing.Folders), AppendLimit: found.Limits.Append,
		Limits: knownLimits(found), RTT: found.RTT.Microseconds(), Slow: found.Slow()}
	if t := found.TLS; t != nil {
		j.TLS, j.Cipher = tls.VersionName(t.Version), tls.CipherSuiteName(t.CipherSuite)
		if len(t.PeerCertificates) > 0 {
			j.Certificate = certificateOf(t.PeerCertificates[0])
			j.Certificate.Pinned = p.pinned
		}
	}
	for k, v := range found.ID {
		if j.ID == nil {
			j.ID = make(map[string]string)
		}
		j.ID[ui.Clean(k)] = ui.Clean(v)
	}
	for _, n := range found.Listing.Personal {
		j.Namespaces = append(j.Namespaces, ui.Clean(fmt.Sprintf("%q, separator %q", n.Prefix, n.Delim)))
	}
	for _, folder := range found.Listing.Folders {
		if folder.SpecialUse != "" {
			if j.Special == nil {
				j.Special = make(map[string]string)
			}
			j.Special[string(folder.SpecialUse)] = ui.Clean(folder.Name)
		}
	}
	for _, q := range found.Quota {
		j.Quota = append(j.Quota, jsonQuota{ui.Clean(q.Root), q.Bytes.Used, q.Bytes.Limit, q.Messages.Used, q.Messages.Limit})
	}
	if h := found.Write; h != nil {
		j.Write = &jsonHabits{h.Stored, h.Took.Microseconds(), h.UIDsTold, h.Dates, h.Keywords, h.Bytes, h.Removed}
	}
	for _, err := range found.Problems {
		j.Problems = append(j.Problems, ui.Clean(errorWords(err)))
	}
	return j
}

func certificateOf(c *x509.Certificate) *jsonCertificate {
	return &jsonCertificate{ui.Clean(auth.Names(c)), ui.Clean(c.Issuer.String()), c.NotBefore.UTC(), c.NotAfter.UTC(), auth.PinOf(c).Fingerprint(), false}
}

// knownLimits are those of the provider's row, for people.
func knownLimits(found *imapx.Probe) (out []string) {
	l := found.Provider.Limits
	for _, x := range []struct {
		n    int64
		text string
	}{
		{int64(l.Connections), "connections of one account"},
		{l.Download, "bytes a day down"},
		{l.Upload, "bytes a day up"},
		{l.Message, "bytes of one message"},
		{l.Folder, "messages of one folder"},
	} {
		if x.n > 0 {
			out = append(out, ui.Count(x.n)+" "+x.text)
		}
	}
	return out
}

func clean(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = ui.Clean(w)
	}
	return out
}

// print renders what was found; nil: nothing was.
func (p *probing) print(found *imapx.Probe) error {
	if found == nil {
		return nil
	}
	j := p.object(found)
	if p.json {
		return printJSON(p.a.out, j)
	}
	page := &probePage{}
	page.line("server", j.Server)
	page.line("greeting", j.Greeting)
	page.line("TLS", strings.TrimSpace(j.TLS+" "+j.Cipher))
	if c := j.Certificate; c != nil {
		page.line("certificate", fmt.Sprintf("for %s, issued by %s, from %s to %s, SHA-256 %s", c.Names, orElse(c.Issuer, "nobody"),
			c.From.Format(time.DateOnly), c.To.Format(time.DateOnly), c.SHA256))
	}
	if p.pinned {
		page.line("trusted", "by itself, as mailmove trust remembers it; no authority was asked")
	}
	page.line("before login", strings.Join(j.Before, " "))
	page.line("after login", strings.Join(j.After, " "))
	page.line("provider", orElse(j.Provider, "not recognised"))
	page.line("known limits", strings.Join(j.Limits, ", "))
	for _, k := range slices.Sorted(maps.Keys(j.ID)) {
		page.line("ID", k+": "+j.ID[k])
	}
	for _, n := range j.Namespaces {
		page.line("namespace", n)
	}
	if found.LoggedIn {
		page.line("folders", ui.Count(int64(j.Folders)))
	}
	for _, k := range slices.Sorted(maps.Keys(j.Special)) {
		page.line("special folder", j.Special[k]+" ("+strings.TrimPrefix(k, `\`)+")")
	}
	for _, q := range j.Quota {
		page.line("quota", quotaWords(q))
	}
	if j.AppendLimit > 0 {
		page.line("append limit", ui.Bytes(int64(j.AppendLimit)))
	}
	page.line("round trip", found.RTT.Round(10*time.Microsecond).String())
	if h := j.Write; h != nil {
		page.line("written", fmt.Sprintf("%d messages in %v; UIDs told: %s, dates kept: %s, keywords kept: %s, bytes kept: %s; removed again: %s",
			h.Stored, found.Write.Took.Round(10*time.Microsecond), yes(h.UIDs), yes(h.Dates), yes(h.Keywords), yes(h.Bytes), yes(h.Removed)))
	}
	for _, problem := range j.Problems {
		page.line("problem", problem)
	}
	verdict := "fast"
	if len(j.Slow) > 0 {
		verdict = "slow, because " + strings.Join(j.Slow, "; ")
	}
	page.line("verdict", verdict)
	_, err := io.WriteString(p.a.out, page.b.String())
	return err
}

func quotaWords(q jsonQuota) string {
	words := ui.Bytes(q.Bytes)
	if q.Limit > 0 {
		words += " of " + ui.Bytes(q.Limit)
	}
	if q.Most > 0 {
		words += fmt.Sprintf(", %s of %s messages", ui.Count(q.Messages), ui.Count(q.Most))
	}
	return words
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// probePage is a table of names and texts, wrapped at 80 columns.
type probePage struct{ b strings.Builder }

const (
	probeWidth = 80
	probeFirst = 16 // columns of the names
)

func (p *probePage) line(name, text string) {
	if text == "" {
		return
	}
	line := fmt.Sprintf("%-*s", probeFirst-1, name)
	for _, word := range strings.Fields(text) {
		if ui.Width(line)+1+ui.Width(word) > probeWidth && strings.TrimSpace(line) != "" {
			p.b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", probeFirst-1)
		}
		line += " " + word
	}
	p.b.WriteString(line + "\n")
}
