package imapx

import (
	"bytes"
	"encoding/base64"
	"io"
	"net"
	"strconv"
	"strings"

	"mailmove/imapx/auth"
)

// Bounds of what a proxy may say.
const (
	mostProxyHeader = 16 << 10 // bytes
	mostProxyWords  = 200      // bytes of its status line that are shown
)

// httpPrefix is what every answer begins with.
const httpPrefix = "HTTP/1."

// connect asks for a connection to address (RFC 9110 section 9.3.6). Names are sent as they are.
func (p *Proxy) connect(nc net.Conn, address string) error {
	var (
		b      strings.Builder
		secret []auth.Secret
	)
	b.WriteString("CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\n")
	if p.User != "" {
		login := base64.StdEncoding.EncodeToString([]byte(p.User + ":" + p.Password.Reveal()))
		secret = []auth.Secret{auth.NewSecret(login), p.Password}
		b.WriteString("Proxy-Authorization: Basic " + login + "\r\n")
	}
	b.WriteString("\r\n")
	if _, err := nc.Write([]byte(b.String())); err != nil {
		return err
	}
	header, err := proxyHeader(nc)
	if err != nil {
		return err
	}
	line, _, _ := bytes.Cut(header, []byte("\n"))
	protocol, words, _ := strings.Cut(strings.TrimRight(string(line), "\r"), " ")
	code, _, _ := strings.Cut(words, " ")
	status, err := strconv.Atoi(code)
	if !strings.HasPrefix(protocol, httpPrefix) || err != nil || status < 200 || status > 599 {
		return p.foreign()
	}
	words = scrubber(secret).Replace(words) // before it is cut: it may repeat what we said
	if len(words) > mostProxyWords {
		words = words[:mostProxyWords] + "…"
	}
	words = strings.ToValidUTF8(words, "\ufffd")
	switch {
	case status < 300:
		return nil
	case status == 407 || status == 401: // tinyproxy says 401
		return p.wantsLogin("wants a login, or another one: " + words)
	}
	return p.refused(words+" ("+address+")", status < 500)
}

// proxyHeader reads up to the empty line, byte for byte: what follows is the server's, who may greet at once. It is nil
// where it is too long, or is none.
func proxyHeader(nc net.Conn) (header []byte, err error) {
	var one [1]byte
	for len(header) < mostProxyHeader {
		if _, err := io.ReadFull(nc, one[:]); err != nil {
			return nil, err
		}
		header = append(header, one[0])
		if len(header) == len(httpPrefix) && string(header) != httpPrefix {
			return nil, nil // who speaks first, or another protocol, would be waited for
		}
		if one[0] == '\n' && (bytes.HasSuffix(header, []byte("\r\n\r\n")) || bytes.HasSuffix(header, []byte("\n\n"))) {
			return header, nil
		}
	}
	return nil, nil
}
