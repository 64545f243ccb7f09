package cmd

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"mailmove/imapx"
	"mailmove/imapx/auth"
)

// wayFlags say how connections get to a server.
type wayFlags struct {
	proxy string
	from  string
}

func (w *wayFlags) bind(set *pflag.FlagSet, name func(string) string) {
	set.StringVar(&w.proxy, name("-proxy"), "", "`URL` of a proxy: socks5://[user@]host or http://[user@]host:port; none: not even that of $ALL_PROXY")
	set.StringVar(&w.from, name("-bind"), "", "`IP` of this machine that connections go out from")
}

// fill sets the endpoint's part.
func (w *wayFlags) fill(ep *imapx.Endpoint, flag func(string) string) (err error) {
	if w.from != "" {
		ep.Bind, err = netip.ParseAddr(w.from)
		if err != nil {
			return usagef("for example 192.0.2.7 or 2001:db8::7", "%s %s: that is no IP address", flag("-bind"), shown(w.from))
		}
	}
	switch w.proxy {
	case "none":
		return nil
	case "":
		ep.Proxy, err = proxyOfEnvironment(*ep, flag("-proxy"))
		return err
	}
	ep.Proxy, err = parseProxy(flag("-proxy"), w.proxy, imapx.ProxyVariable(ep.Side))
	return err
}

// proxyKind is what a proxy's URL may begin with.
type proxyKind struct {
	kind imapx.ProxyKind
	port string // where the URL has none; "": it must
}

// proxyKinds has the schemes. socks5h says elsewhere that the proxy resolves names; here it always does.
func proxyKinds() map[string]proxyKind {
	return map[string]proxyKind{
		"socks5": {imapx.ProxySOCKS5, "1080"}, "socks5h": {imapx.ProxySOCKS5, "1080"}, "http": {imapx.ProxyHTTP, ""},
	}
}

// parseProxy reads a proxy's URL. No error repeats it: a password may be in it. password is the variable that has it; "": the
// URL itself may.
func parseProxy(flag, text, password string) (*imapx.Proxy, error) {
	hint := "write socks5://[user@]host[:1080] or http://[user@]host:port"
	scheme, rest, isURL := strings.Cut(text, "://")
	known, ok := proxyKinds()[strings.ToLower(scheme)]
	if !isURL || !ok {
		return nil, usagef(hint, "%s: the URL begins with neither socks5:// nor http://", flag)
	}
	p := &imapx.Proxy{Kind: known.kind}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if err := proxyLogin(p, flag, rest[:at], password); err != nil {
			return nil, err
		}
		rest = rest[at+1:]
	}
	host, port, err := parseHostPort(flag, strings.TrimSuffix(rest, "/"))
	if err != nil {
		return nil, err
	}
	portText := itoa(port)
	if port == 0 {
		portText = known.port
	}
	if portText == "" {
		return nil, usagef(hint, "%s: the URL has no port", flag)
	}
	p.Address = net.JoinHostPort(host, portText)
	return p, nil
}

// proxyLogin takes the part before the @.
func proxyLogin(p *imapx.Proxy, flag, text, variable string) error {
	user, word, has := strings.Cut(text, ":")
	if has && variable != "" {
		return usagef("command lines are seen by every user of a machine: put it into "+variable, "%s: a password in a URL is refused", flag)
	}
	user, errUser := url.PathUnescape(user)
	word, errWord := url.PathUnescape(word)
	if errUser != nil || errWord != nil {
		return usagef("write %25 for a percent sign", "%s: the part before the @ holds a %% that is no %%-code", flag)
	}
	if variable != "" {
		word = os.Getenv(variable)
	}
	switch {
	case user == "" || len(user) > 255 || checkUser(flag, user) != nil || strings.Contains(user, ":"):
		return usagef("", "%s: the user before the @ is empty, too long, or holds a character that no proxy takes", flag)
	case word == "" && variable != "":
		return &failure{code: exitNoInput, what: flag + ": no password for the user of the proxy", hint: "set " + variable}
	case word == "":
		return &failure{code: exitNoInput, what: flag + ": no password for the user of the proxy", hint: "write user:password@ there"}
	}
	p.User, p.Password = user, auth.NewSecret(word)
	return nil
}

// proxyOfEnvironment is what ALL_PROXY says, where NO_PROXY does not except the server. As everywhere, servers on this
// machine are never reached through it, and the small letters come first.
func proxyOfEnvironment(ep imapx.Endpoint, flag string) (*imapx.Proxy, error) {
	host, port := dialledAddress(ep)
	text := orElse(os.Getenv("all_proxy"), os.Getenv("ALL_PROXY"))
	if text == "" || isLoopback(host) || excepted(orElse(os.Getenv("no_proxy"), os.Getenv("NO_PROXY")), host, itoa(port)) {
		return nil, nil
	}
	p, err := parseProxy("ALL_PROXY", text, "")
	if err != nil {
		what, hint := describe(err)
		return nil, &failure{code: exitCode(err), what: what, hint: orElse(hint, "correct it") + "; or go without it: " + flag + " none"}
	}
	return p, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// excepted tells whether NO_PROXY names a server: * for all, a domain with all that is below it (with or without a dot
// before), an address, a network such as 10.0.0.0/8; each may have a port.
func excepted(list, host, port string) bool {
	ip, errIP := netip.ParseAddr(host)
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if h, p, err := net.SplitHostPort(entry); err == nil {
			if p != port {
				continue
			}
			entry = h
		}
		domain := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(entry, "."), "*"), ".")
		network, errNetwork := netip.ParsePrefix(entry)
		address, errAddress := netip.ParseAddr(strings.Trim(entry, "[]"))
		switch {
		case entry == "*":
			return true
		case errIP == nil && errNetwork == nil && network.Contains(ip.Unmap()), errIP == nil && errAddress == nil && address.Unmap() == ip.Unmap():
			return true
		case errIP != nil && domain != "" && (host == domain || strings.HasSuffix(host, "."+domain)):
			return true
		}
	}
	return false
}
