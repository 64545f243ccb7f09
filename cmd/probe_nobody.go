package cmd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"mailmove/cmd/internal/discover"
	"mailmove/cmd/internal/ui"
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
	if others := eachOnce(tried, first); len(others) > 0 {
		what += "; tried too: " + strings.Join(others, "; ")
	}
	return &failure{code: exitCode(first), what: what, hint: hint} // without the error, whose words would take the place of these
}

// eachOnce says why servers did not answer, each once and the first few; without is one that is told already, nil: none is.
func eachOnce(tried []*imapx.Error, without *imapx.Error) (told []string) {
	key := func(x *imapx.Error) string {
		if noHost(x) { // whatever the port
			return x.Text
		}
		return x.Server + x.Text
	}
	known := make(map[string]bool)
	if without != nil {
		known[key(without)] = true
	}
	for _, x := range tried {
		if !known[key(x)] {
			known[key(x)] = true
			told = append(told, x.Server+": "+x.Text)
		}
	}
	if more := len(told) - mostTold; more > 0 {
		told = append(told[:mostTold], fmt.Sprintf("%d more", more))
	}
	return told
}

// passedOver says which servers did not answer before one did: what is wrong with them may be why mail programs fail.
func (p *probing) passedOver(tried []*imapx.Error) error {
	told := eachOnce(tried, nil)
	if len(told) == 0 {
		return nil
	}
	_, err := io.WriteString(p.a.err, hanging("passed over: ", ui.Clean(strings.Join(told, "; ")), max(p.a.width, 40)))
	return err
}

// worthTelling: a server that is only guessed and is no host says nothing of the domain.
func worthTelling(s discover.Server, x *imapx.Error) bool { return !s.Guessed || !noHost(x) }

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
