package imaptest

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// lsub asks for the subscribed folders with LSUB, over a connection of its own, for go-imap only speaks of them with
// LIST-EXTENDED (RFC 5258): Courier takes that for a plain LIST, and GNU mailutils refuses it. The names are raw; one
// that is \Noselect is only the parent of one that is subscribed (RFC 3501 section 6.3.9).
func lsub(ctx context.Context, l Login) (map[string]bool, error) {
	conn, err := (&net.Dialer{Timeout: readTimeout}).DialContext(ctx, "tcp", l.Addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if l.TLS != nil {
		conn = tls.Client(conn, l.TLS)
	}
	r := bufio.NewReader(movingDeadline{conn})
	if _, err := r.ReadString('\n'); err != nil { // the greeting
		return nil, err
	}
	names := map[string]bool{}
	for i, command := range []string{"LOGIN " + strconv.Quote(l.User) + " " + strconv.Quote(l.Password), `LSUB "" "*"`, "LOGOUT"} {
		tag := fmt.Sprintf("s%d ", i)
		if _, err := fmt.Fprintf(conn, "%s%s\r\n", tag, command); err != nil {
			return nil, err
		}
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return nil, fmt.Errorf("LSUB: %w", err)
			}
			line = strings.TrimRight(line, "\r\n")
			if answer, ok := strings.CutPrefix(line, tag); ok {
				if !strings.HasPrefix(answer, "OK") {
					return nil, fmt.Errorf("LSUB: %q", line)
				}
				break
			}
			if err := subscribedIn(line, names); err != nil {
				return nil, err
			}
		}
	}
	return names, nil
}

// subscribedIn reads `* LSUB (attributes) "." name`; other lines are nothing.
func subscribedIn(line string, names map[string]bool) error {
	rest, ok := strings.CutPrefix(line, "* LSUB (")
	if !ok {
		return nil
	}
	attrs, rest, _ := strings.Cut(rest, ") ")
	_, name, ok := strings.Cut(rest, " ") // behind the separator
	if ok && strings.HasPrefix(name, `"`) {
		name, ok = strings.CutSuffix(name[1:], `"`)
		name = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(name)
	}
	if !ok || strings.HasSuffix(name, "}") { // a literal is never needed for the corpus' names
		return fmt.Errorf("LSUB: cannot read %q", line)
	}
	if !strings.Contains(strings.ToLower(attrs), `\noselect`) {
		names[name] = true
	}
	return nil
}
