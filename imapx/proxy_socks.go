package imapx

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// Numbers of RFC 1928 and RFC 1929.
const (
	socksVersion   = 5
	socksNoLogin   = 0x00
	socksPassword  = 0x02
	socksNoMethod  = 0xff
	socksConnect   = 1
	socksIPv4      = 1
	socksName      = 3
	socksIPv6      = 4
	passwordV1     = 1
	socksNotByRule = 2 // the reply that stays the same however often one asks
)

// socksReplies are the words of RFC 1928 section 6.
func socksReplies() []string {
	return []string{"", "general failure", "not allowed by its rules", "network unreachable", "host unreachable",
		"connection refused by the server", "TTL expired", "command not supported", "address type not supported"}
}

// socks asks for a connection to address. Names are sent as they are.
func (p *Proxy) socks(nc net.Conn, address string) error {
	target, err := socksAddress(address)
	if err != nil {
		return err
	}
	if err := p.socksLogin(nc); err != nil {
		return err
	}
	if _, err := nc.Write(append([]byte{socksVersion, socksConnect, 0}, target...)); err != nil {
		return err
	}
	var head [4]byte
	if _, err := io.ReadFull(nc, head[:]); err != nil {
		return err
	}
	if head[0] != socksVersion {
		return p.foreign()
	}
	if reply := int(head[1]); reply != 0 {
		words := "code " + strconv.Itoa(reply)
		if all := socksReplies(); reply < len(all) {
			words = all[reply]
		}
		return p.refused(words+" ("+address+")", reply == socksNotByRule)
	}
	return p.skipBound(nc, head[3])
}

// socksLogin agrees on a method, and logs in where the proxy wants it.
func (p *Proxy) socksLogin(nc net.Conn) error {
	methods := []byte{socksVersion, 1, socksNoLogin}
	if p.User != "" {
		methods = []byte{socksVersion, 2, socksNoLogin, socksPassword}
	}
	if _, err := nc.Write(methods); err != nil {
		return err
	}
	var answer [2]byte
	if _, err := io.ReadFull(nc, answer[:]); err != nil {
		return err
	}
	switch {
	case answer[0] != socksVersion:
		return p.foreign()
	case answer[1] == socksNoLogin:
		return nil
	case answer[1] == socksPassword && p.User != "":
		return p.socksPassword(nc)
	case answer[1] == socksNoMethod && p.User == "":
		return p.wantsLogin("wants a login")
	}
	return p.wantsLogin("offers no way to log in that is spoken here")
}

func (p *Proxy) socksPassword(nc net.Conn) error {
	password := p.Password.Reveal()
	if len(p.User) > 255 || len(password) == 0 || len(password) > 255 {
		return p.wantsLogin("takes a user and a password of 1 to 255 bytes each")
	}
	b := append([]byte{passwordV1, byte(len(p.User))}, p.User...)
	b = append(append(b, byte(len(password))), password...)
	if _, err := nc.Write(b); err != nil {
		return err
	}
	var answer [2]byte
	if _, err := io.ReadFull(nc, answer[:]); err != nil {
		return err
	}
	if answer[1] != 0 {
		return p.wantsLogin("refuses the login of its user")
	}
	return nil
}

// skipBound reads the address that the proxy goes out from, byte for byte: what follows is the server's.
func (p *Proxy) skipBound(nc net.Conn, kind byte) error {
	var size int
	switch kind {
	case socksIPv4:
		size = net.IPv4len
	case socksIPv6:
		size = net.IPv6len
	case socksName:
		var n [1]byte
		if _, err := io.ReadFull(nc, n[:]); err != nil {
			return err
		}
		size = int(n[0])
	default:
		return p.foreign()
	}
	_, err := io.ReadFull(nc, make([]byte, size+2)) // and the port
	return err
}

// socksAddress is host:port as RFC 1928 section 5 writes it.
func socksAddress(address string) ([]byte, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %s: %w", portText, err)
	}
	var b []byte
	ip := net.ParseIP(host)
	switch {
	case ip.To4() != nil:
		b = append([]byte{socksIPv4}, ip.To4()...)
	case ip != nil:
		b = append([]byte{socksIPv6}, ip...)
	case len(host) > 255:
		return nil, errors.New("the host name is longer than 255 bytes")
	default:
		b = append([]byte{socksName, byte(len(host))}, host...)
	}
	return append(b, byte(port>>8), byte(port)), nil
}
