package dns

import (
	"net/netip"
	"strconv"
	"strings"
)

// spfTerm is a mechanism of an SPF record (RFC 7208 4.6.1).
type spfTerm struct {
	qualifier byte   // + - ~ ?
	name      string // all, include, a, mx, ptr, ip4, ip6, exists; or redirect
	domain    string // "": the record's own
	bits4     int    // of a prefix, -1: none was given
	bits6     int
	prefix    netip.Prefix // of ip4 and ip6
	bad       string       // what is wrong with it
}

// spfMechanisms says which there are, and whether each wants look-ups (RFC 7208 4.6.4).
func spfMechanisms() map[string]bool {
	return map[string]bool{"all": false, "ip4": false, "ip6": false, "include": true, "a": true, "mx": true, "ptr": true, "exists": true, "redirect": true}
}

// isSPF tells whether a text is an SPF record (RFC 7208 4.5).
func isSPF(text string) bool {
	return strings.EqualFold(text, "v=spf1") || len(text) > 6 && strings.EqualFold(text[:7], "v=spf1 ")
}

// parseSPF cuts an SPF record into terms. A redirect comes last, whatever its place, and counts only where there is no
// "all" (RFC 7208 6.1). Other modifiers are left out.
func parseSPF(text string) (terms []spfTerm) {
	var redirect *spfTerm
	hasAll := false
	for _, word := range strings.Fields(text)[1:] {
		name, value, modifier := strings.Cut(word, "=")
		if modifier && !strings.ContainsAny(name, ":/") {
			if strings.EqualFold(name, "redirect") {
				redirect = &spfTerm{qualifier: '+', name: "redirect", domain: Name(value)}
			}
			continue
		}
		t := parseTerm(word)
		hasAll = hasAll || t.name == "all"
		terms = append(terms, t)
	}
	if redirect != nil && !hasAll {
		terms = append(terms, *redirect)
	}
	return terms
}

func parseTerm(word string) spfTerm {
	t := spfTerm{qualifier: '+', bits4: -1, bits6: -1}
	if strings.IndexByte("+-~?", word[0]) >= 0 {
		t.qualifier, word = word[0], word[1:]
	}
	end := strings.IndexAny(word, ":/")
	if end < 0 {
		end = len(word)
	}
	t.name = strings.ToLower(word[:end])
	rest := strings.TrimPrefix(word[end:], ":")
	if _, known := spfMechanisms()[t.name]; !known || t.name == "redirect" {
		t.bad = "there is no mechanism " + short(word)
		return t
	}
	if t.name == "ip4" || t.name == "ip6" {
		t.network(rest)
		return t
	}
	domain, bits, _ := strings.Cut(rest, "/")
	t.domain = Name(domain)
	t.lengths(bits)
	if (t.name == "include" || t.name == "exists") && domain == "" {
		t.bad = t.name + " names no domain"
	}
	return t
}

// network reads the value of ip4 and ip6.
func (t *spfTerm) network(text string) {
	var err error
	if strings.Contains(text, "/") {
		t.prefix, err = netip.ParsePrefix(text)
	} else {
		var ip netip.Addr
		ip, err = netip.ParseAddr(text)
		t.prefix = netip.PrefixFrom(ip, ip.BitLen())
	}
	if err != nil || t.prefix.Addr().Is4() != (t.name == "ip4") {
		t.bad = short(text) + " is no network for " + t.name
	}
}

// lengths reads "24", "24//64" and "/64", what stands behind the first slash of a and mx.
func (t *spfTerm) lengths(text string) {
	if text == "" {
		return
	}
	four, six, both := strings.Cut(text, "//")
	if strings.HasPrefix(text, "/") {
		four, six, both = "", text[1:], true
	}
	read := func(s string, most int) int {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > most {
			t.bad = short(text) + " is no length of a prefix"
			return -1
		}
		return n
	}
	if four != "" {
		t.bits4 = read(four, 32)
	}
	if both {
		t.bits6 = read(six, 128)
	}
}
