//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mailmove/imapx/imaptest/real"
)

// talker is a bare IMAP connection: as little as a yardstick and a look from outside need.
type talker struct {
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	tags int
}

// patience is the longest wait of a talker for an answer or for room to write.
const patience = 60 * time.Second

// rolling ends a connection that makes no progress.
type rolling struct{ net.Conn }

func (c rolling) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c rolling) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func login(addr, user string) (*talker, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	c := &talker{conn: rolling{conn}, r: bufio.NewReaderSize(rolling{conn}, 256<<10), w: bufio.NewWriterSize(rolling{conn}, 256<<10)}
	if _, _, err := c.line(); err != nil { // the greeting
		conn.Close()
		return nil, err
	}
	if _, err := c.command("LOGIN %s %s", user, real.Password); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// send writes a command without waiting.
func (c *talker) send(format string, args ...any) (tag string) {
	c.tags++
	tag = fmt.Sprintf("t%d", c.tags)
	fmt.Fprintf(c.w, "%s "+format+"\r\n", append([]any{tag}, args...)...)
	return tag
}

// line is one answer: its text around a literal, and the literal, if it has one.
func (c *talker) line() (text string, literal []byte, err error) {
	for {
		part, err := c.r.ReadString('\n')
		if err != nil {
			return text, literal, err
		}
		part = strings.TrimSuffix(strings.TrimSuffix(part, "\n"), "\r")
		text += part
		open := strings.LastIndexByte(part, '{')
		if open < 0 || !strings.HasSuffix(part, "}") || strings.Contains(part[:open], " OK ") {
			return text, literal, nil
		}
		n, err := strconv.Atoi(part[open+1 : len(part)-1])
		if err != nil {
			return text, literal, nil
		}
		literal = make([]byte, n)
		if _, err := io.ReadFull(c.r, literal); err != nil {
			return text, literal, err
		}
	}
}

// command waits for the answer, and gives the untagged lines before it.
func (c *talker) command(format string, args ...any) (lines []string, err error) {
	tag := c.send(format, args...)
	if err := c.w.Flush(); err != nil {
		return nil, err
	}
	for {
		text, literal, err := c.line()
		if err != nil {
			return lines, err
		}
		if rest, ours := strings.CutPrefix(text, tag+" "); ours {
			if !strings.HasPrefix(rest, "OK") {
				return lines, fmt.Errorf("%s: %s", strings.Fields(fmt.Sprintf(format, args...))[0], rest)
			}
			return lines, nil
		}
		if literal != nil {
			text = strings.Replace(text, fmt.Sprintf("{%d}", len(literal)), quoted(string(literal)), 1)
		}
		lines = append(lines, text)
	}
}

func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// folder is what LIST and STATUS say of one folder.
type folder struct {
	raw      string // quoted, as the server sent it
	messages int
	size     int64 // STATUS=SIZE
}

// folders lists what can be selected.
func (c *talker) folders() (all []folder, err error) {
	lines, err := c.command(`LIST "" "*" RETURN (STATUS (MESSAGES SIZE))`)
	if err != nil {
		return nil, err
	}
	listed := regexp.MustCompile(`^\* LIST \(([^)]*)\) \S+ (.+)$`)
	status := regexp.MustCompile(`^\* STATUS (.+) \(MESSAGES (\d+) SIZE (\d+)\)$`)
	at := map[string]int{}
	for _, l := range lines {
		if m := listed.FindStringSubmatch(l); m != nil && !strings.Contains(m[1], `\Noselect`) && !strings.Contains(m[1], `\NonExistent`) {
			at[m[2]] = len(all)
			all = append(all, folder{raw: m[2]})
		}
		if m := status.FindStringSubmatch(l); m != nil {
			i, known := at[m[1]]
			if !known {
				return nil, fmt.Errorf("a status of %s, which is not in the list", m[1])
			}
			if all[i].messages, err = strconv.Atoi(m[2]); err != nil {
				return nil, err
			}
			if all[i].size, err = strconv.ParseInt(m[3], 10, 64); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func (c *talker) close() { c.conn.Close() }

// totals adds up an account's folders.
func totals(addr, user string) (messages int, bytes int64, err error) {
	c, err := login(addr, user)
	if err != nil {
		return 0, 0, err
	}
	defer c.close()
	all, err := c.folders()
	for _, f := range all {
		messages, bytes = messages+f.messages, bytes+f.size
	}
	return messages, bytes, err
}

// settle opens every folder, so that all peers find an indexed mailbox without \Recent mail.
func settle(addr, user string) error {
	c, err := login(addr, user)
	if err != nil {
		return err
	}
	defer c.close()
	all, err := c.folders()
	if err != nil {
		return err
	}
	for _, f := range all {
		if _, err := c.command("SELECT %s", f.raw); err != nil {
			return err
		}
	}
	return nil
}

// change sets a flag on ten messages of INBOX, others each round, and adds ten messages.
func change(addr, user string, round int) error {
	c, err := login(addr, user)
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.command("SELECT INBOX"); err != nil {
		return err
	}
	from := round*10 + 1
	if _, err := c.command(`STORE %d:%d FLAGS.SILENT (\Flagged \Draft)`, from, from+9); err != nil {
		return err
	}
	for i := range 10 {
		body := bytes.Repeat([]byte("a line of a new message\r\n"), 20)
		m := fmt.Sprintf("From: a@example.org\r\nSubject: new %d %d\r\nMessage-ID: <new-%d-%d@example.org>\r\n\r\n%s", round, i, round, i, body)
		if _, err := c.command("APPEND INBOX {%d+}\r\n%s", len(m), m); err != nil {
			return err
		}
	}
	return nil
}
