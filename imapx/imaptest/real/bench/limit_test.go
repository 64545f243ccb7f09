//go:build bench

package bench

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// limitEnv holds "SOURCE USER TARGET USER CONNECTIONS" where this binary is to be the limit tool (see TestMain).
const limitEnv = "MAILMOVE_BENCH_LIMIT"

const (
	fetchWindow = 500       // messages asked for by one FETCH; all are sent before the first is answered
	pushBatch   = 500       // messages of one MULTIAPPEND
	inFlight    = 8 << 20   // bytes between the two sides of a connection pair
	mostBatch   = 32 << 20  // bytes after which a batch ends
	perBody     = 256 << 10 // for the size of the channel between both sides
)

// letter is one message on its way.
type letter struct {
	folder string
	head   string // " (flags) "date""
	body   []byte
}

// part is a stretch of a folder that one connection carries.
type part struct {
	folder   string
	from, to int
}

// runLimit is the yardstick: every body is fetched and appended by raw sockets, both at once, on k pairs of
// connections, without state and without a check. It is no proven bound, and no tool.
func runLimit(args string) error {
	f := strings.Fields(args)
	if len(f) != 5 {
		return fmt.Errorf("%s=%q: five words are wanted", limitEnv, args)
	}
	source, sourceUser, target, targetUser := f[0], f[1], f[2], f[3]
	k, err := strconv.Atoi(f[4])
	if err != nil {
		return err
	}
	c, err := login(source, sourceUser)
	if err != nil {
		return err
	}
	all, err := c.folders()
	c.close()
	if err != nil {
		return err
	}
	if err := createAll(target, targetUser, all); err != nil {
		return err
	}
	failed := make(chan error, 2*k)
	var wg sync.WaitGroup
	for _, parts := range split(all, k) {
		letters := make(chan letter, inFlight/perBody)
		wg.Go(func() {
			defer close(letters)
			failed <- pull(source, sourceUser, parts, letters)
		})
		wg.Go(func() {
			err := push(target, targetUser, letters)
			for range letters { // so that a failed push does not hold up its pull
			}
			failed <- err
		})
	}
	wg.Wait()
	close(failed)
	for e := range failed {
		err = cmp.Or(err, e)
	}
	return err
}

// split gives each of k connections a k-th of every folder.
func split(all []folder, k int) [][]part {
	out := make([][]part, k)
	for _, f := range all {
		for i := range out {
			if from, to := f.messages*i/k+1, f.messages*(i+1)/k; from <= to {
				out[i] = append(out[i], part{f.raw, from, to})
			}
		}
	}
	return out
}

func createAll(addr, user string, all []folder) error {
	c, err := login(addr, user)
	if err != nil {
		return err
	}
	defer c.close()
	for _, f := range all {
		if !strings.EqualFold(strings.Trim(f.raw, `"`), "INBOX") {
			c.send("CREATE %s", f.raw)
		}
	}
	_, err = c.command("NOOP")
	return err
}

// pull asks for everything at once and hands on what comes.
func pull(addr, user string, parts []part, to chan<- letter) error {
	c, err := login(addr, user)
	if err != nil {
		return err
	}
	defer c.close()
	opened := map[string]string{} // tag of an EXAMINE to its folder
	last := ""
	for _, p := range parts {
		opened[c.send("EXAMINE %s", p.folder)] = p.folder
		for n := p.from; n <= p.to; n += fetchWindow {
			last = c.send("FETCH %d:%d (FLAGS INTERNALDATE BODY.PEEK[])", n, min(n+fetchWindow-1, p.to))
		}
	}
	if last == "" {
		return nil
	}
	asked := make(chan error, 1)
	go func() { asked <- c.w.Flush() }() // the answers are read meanwhile
	items := regexp.MustCompile(`FLAGS \(([^)]*)\)|INTERNALDATE ("[^"]*")`)
	now := ""
	for {
		text, body, err := c.line()
		if err != nil {
			return err
		}
		tag, rest, _ := strings.Cut(text, " ")
		switch {
		case tag == "*" && body != nil:
			to <- letter{now, headOf(items.FindAllStringSubmatch(text, -1)), body}
		case tag != "*" && !strings.HasPrefix(rest, "OK"):
			return fmt.Errorf("source: %s", text)
		case tag == last:
			return <-asked
		case opened[tag] != "":
			now = opened[tag]
		}
	}
}

// headOf makes what stands between the folder and the literal of an APPEND.
func headOf(items [][]string) string {
	flags, date := "", ""
	for _, m := range items {
		if m[2] != "" {
			date = m[2]
			continue
		}
		var kept []string
		for f := range strings.FieldsSeq(m[1]) {
			if f != `\Recent` { // which only servers set (RFC 3501 section 2.3.2)
				kept = append(kept, f)
			}
		}
		flags = strings.Join(kept, " ")
	}
	return " (" + flags + ") " + date
}

// push appends in batches: MULTIAPPEND (RFC 3502) with literals that do not wait (RFC 7888).
func push(addr, user string, letters <-chan letter) error {
	c, err := login(addr, user)
	if err != nil {
		return err
	}
	defer c.close()
	answers := make(chan error, 1)
	go func() { answers <- c.untilBye() }()
	n, size, folder := 0, 0, ""
	for l := range letters {
		if n > 0 && (l.folder != folder || n >= pushBatch || size >= mostBatch) {
			fmt.Fprint(c.w, "\r\n")
			n, size = 0, 0
		}
		if n == 0 {
			c.tags++
			fmt.Fprintf(c.w, "t%d APPEND %s", c.tags, l.folder)
		}
		fmt.Fprintf(c.w, "%s {%d+}\r\n", l.head, len(l.body))
		if _, err := c.w.Write(l.body); err != nil {
			return cmp.Or(waiting(answers), err)
		}
		n, size, folder = n+1, size+len(l.body), l.folder
		if len(letters) == 0 {
			if err := c.w.Flush(); err != nil {
				return cmp.Or(waiting(answers), err)
			}
		}
	}
	if n > 0 {
		fmt.Fprint(c.w, "\r\n")
	}
	c.send("LOGOUT")
	if err := c.w.Flush(); err != nil {
		return cmp.Or(waiting(answers), err)
	}
	return <-answers
}

// untilBye reads answers until the server says goodbye, and fails on a refusal.
func (c *talker) untilBye() error {
	for {
		text, _, err := c.line()
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(text, " ")
		switch {
		case strings.HasPrefix(rest, "NO "), strings.HasPrefix(rest, "BAD "):
			return fmt.Errorf("target: %s", text)
		case strings.HasPrefix(text, "* BYE"):
			return nil
		}
	}
}

func waiting(answers <-chan error) error {
	select {
	case err := <-answers:
		return err
	default:
		return nil
	}
}

// limitMain is the process of the limit tool.
func limitMain(args string) int {
	if err := runLimit(args); err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		return 1
	}
	return 0
}
