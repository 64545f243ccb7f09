package cmd

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"mailmove/imapx"
)

// mostTold is how many other servers an error names.
const mostTold = 4

// nobody is the error where no server answered: the one that matters most, and what became of the others.
func (p *probing) nobody(tried []*imapx.Error) error {
	if p.usual != "" && !slices.ContainsFunc(tried, func(x *imapx.Error) bool { return !noHost(x) }) {
		return &failure{
			code: exitCode(tried[0]),
			what: fmt.Sprintf("no IMAP server is found for %s: its domain names none, and there is no host with a common name", shown(p.usual)),
			hint: "is the address right? If so, ask who runs the mailbox for the server's name: mailmove probe HOST --user NAME",
		}
	}
	first := slices.MaxFunc(tried, func(a, b *imapx.Error) int { return matters(a) - matters(b) })
	if len(tried) == 1 {
		return first
	}
	what, hint := describe(first)
	known, others := map[string]bool{first.Server + first.Text: true}, []string(nil)
	for _, x := range tried {
		key := x.Server + x.Text
		if noHost(x) { // whatever the port
			key = x.Text
		}
		if x != first && !known[key] && (!noHost(x) || x.Text != first.Text) {
			known[key] = true
			others = append(others, x.Server+": "+x.Text)
		}
	}
	if more := len(others) - mostTold; more > 0 {
		others = append(others[:mostTold], fmt.Sprintf("%d more", more))
	}
	if len(others) > 0 {
		what += "; tried too: " + strings.Join(others, "; ")
	}
	return &failure{code: exitCode(first), what: what, hint: hint} // without the error, whose words would take the place of these
}

// matters orders why servers did not answer: a certificate is a server that is there, a name that is not says least.
// Of equals the first counts, which is the better way in.
func matters(x *imapx.Error) int {
	switch {
	case x.Kind == imapx.KindTLS:
		return 2
	case noHost(x):
		return 0
	}
	return 1
}

func noHost(x *imapx.Error) bool {
	var dns *net.DNSError
	return errors.As(x, &dns) && dns.IsNotFound
}
