package sync

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest/real"
	"mailmove/state"
)

// kind is a kind of message that servers are known to refuse or to rewrite.
type kind struct {
	name  string
	data  string
	flags []imap.Flag
}

// sizeLimit is what the targets of the table take at most, in bytes.
const sizeLimit = 3 << 20

func kinds() []kind {
	head := "Message-ID: <odd@example.org>\r\nDate: Tue, 5 May 2020 05:05:05 +0000\r\nSubject: odd\r\n"
	var many []imap.Flag
	for i := range 150 {
		many = append(many, imap.Flag(fmt.Sprintf("k%03d", i)))
	}
	lines := func(n int) string { return strings.Repeat(strings.Repeat("x", 70)+"\r\n", n/72) }
	return []kind{
		{"NUL in the text", head + "\r\na\x00b\r\n", nil},
		{"NUL in the header", head + "X-Odd: a\x00b\r\n\r\ntext\r\n", nil},
		{"LF alone", head + "\r\na\nb\r\n", nil},
		{"LF alone everywhere", strings.ReplaceAll(head+"\r\na\r\n", "\r\n", "\n"), nil},
		{"CR alone", head + "\r\na\rb\r\n", nil},
		{"line of 10 KB", head + "\r\n" + strings.Repeat("x", 10<<10) + "\r\n", nil},
		{"line of 1 MB", head + "\r\n" + strings.Repeat("x", 1<<20) + "\r\n", nil},
		{"header line of 10 KB", head + "X-Odd: " + strings.Repeat("x", 10<<10) + "\r\n\r\ntext\r\n", nil},
		{"8-bit header", head + "X-Odd: \xfc\xe4\r\n\r\ntext\r\n", nil},
		{"no header", "text and\r\nno more\r\n", nil},
		{"header line that is none", "From a@b Tue May  5 05:05:05 2020\r\n" + head + "\r\ntext\r\n", nil},
		{"blank before the colon", head + "X-Odd : x\r\n\r\ntext\r\n", nil},
		{"header without an end", head, nil},
		{"no bytes", "", nil},
		{"over the size limit", head + "\r\n" + lines(sizeLimit+1<<20), nil},
		{"keyword that is no atom", head + "\r\ntext\r\n", []imap.Flag{imap.FlagSeen, "a]b"}},
		{"150 keywords", head + "\r\ntext\r\n", many},
	}
}

// kindFolder is where the n-th kind lies.
func kindFolder(n int) string { return fmt.Sprintf("K%02d", n) }

// column is a target of the table.
type column struct {
	name    string
	connect func(context.Context) (Target, error)
	prefix  string // of folders
}

// dialled is a real server's column.
func dialled(name, addr, user string) column {
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return column{name: name, connect: func(ctx context.Context) (Target, error) {
		t, err := imapx.DialTarget(ctx, imapx.Endpoint{Side: "target", Host: host, Port: n, TLS: imapx.TLSNone, User: user,
			Password: auth.NewSecret(real.Password)}, imapx.Options{})
		if err != nil {
			return nil, err
		}
		return t, nil
	}}
}

// outcomes are what became of each kind on a target.
func (c column) outcomes(t *testing.T) []string {
	t.Helper()
	b := newBench(t)
	for i, k := range kinds() {
		b.src.add(kindFolder(i), day, k.data, k.flags...)
	}
	to := func(o *Options) { o.ConnectTarget = c.connect }
	b.pass(to)
	told := make(map[string]state.Exception)
	unkept := make(map[string]bool)
	b.with(func(ctx context.Context, o Options) {
		list, err := o.State.Exceptions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			told[e.Folder] = e
			unkept[e.Flag] = unkept[e.Flag] || e.Flag != ""
		}
	})
	target, err := c.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	var out []string
	for i, k := range kinds() {
		m := readBack(t, target, c.prefix+kindFolder(i))
		out = append(out, c.outcome(t, k, told[kindFolder(i)], m, unkept))
	}
	if r := b.pass(to); r.Copied != 0 || r.NewExceptions != 0 {
		t.Errorf("%s: the second pass: %+v", c.name, r)
	}
	b.dir = t.TempDir()
	if r := b.pass(to); r.Copied != 0 {
		t.Errorf("%s: without the state %d were copied again", c.name, r.Copied)
	}
	return out
}

// outcome is the cell of one kind.
func (c column) outcome(t *testing.T, k kind, e state.Exception, there [][]byte, unkept map[string]bool) string {
	t.Helper()
	carried := e.Reason == "" || e.Reason == reasonAltered
	if carried != (len(there) == 1) || len(there) > 1 {
		t.Fatalf("%s, %s: %d on the target, exception %+v", c.name, k.name, len(there), e)
	}
	words, kept, _ := strings.Cut(e.Detail, "; kept: ")
	switch e.Reason {
	case reasonAltered:
		if looseDigest(there[0], len(there[0])) != looseDigest([]byte(k.data), len(k.data)+1) {
			t.Fatalf("%s, %s: altered in another way: %q", c.name, k.name, there[0])
		}
		words, _, _ = strings.Cut(strings.TrimPrefix(words, "carried in another form: "), "; as it is ")
		return "altered: " + words
	case reasonEmpty:
		return "stays behind: no bytes"
	case "":
	default:
		if kept == "" {
			t.Fatalf("%s, %s: refused and not kept: %+v", c.name, k.name, e)
		}
		return "kept as a file: " + e.Reason
	}
	strictSum := func(data []byte) key { d := newDigester(); d.Write(data); return d.digest() }
	without := ""
	for _, f := range k.flags {
		if unkept[string(f)] {
			without = ", without the keyword"
		}
	}
	switch {
	case bytes.Equal(there[0], []byte(k.data)):
		return "as it is" + without
	case strictSum(there[0]) == strictSum([]byte(k.data)):
		return "taken; line ends or NUL rewritten by the server" + without
	}
	return fmt.Sprintf("taken; rewritten by the server to %d bytes", len(there[0]))
}

// keptBody is a body that stays in memory.
type keptBody struct{ bytes.Buffer }

func (b *keptBody) Release() {}

// readBack gives the messages of a folder; nil where it is not there.
func readBack(t *testing.T, s Source, folder string) (out [][]byte) {
	t.Helper()
	_, err := s.Visit(t.Context(), imapx.Visit{Folder: folder, Reads: []imapx.Read{{UIDs: from(1), Want: imapx.WantBody}}}, imapx.VisitHandler{
		Alloc: func(context.Context, int64) (imapx.Body, error) { return &sizedBody{}, nil },
		Message: func(_ int, m imapx.Message) error {
			out = append(out, m.Body.(*sizedBody).Bytes())
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type sizedBody struct{ keptBody }

func (b *sizedBody) Len() int64 { return int64(b.Buffer.Len()) }

var updateTable = flag.Bool("update-refused", false, "write the table of docs/refused.md anew")

const tableBegins, tableEnds = "<!-- the table: made by TestRefusedKinds -->\n", "<!-- end of the table -->\n"

// TestRefusedKinds makes the table of docs/refused.md: what becomes of each kind of message on each server.
func TestRefusedKinds(t *testing.T) {
	t.Parallel()
	dovecot := real.Dovecot(t, real.Options{Quota: "*:storage=1G", Extra: fmt.Sprintf("plugin {\n quota_max_mail_size = %d\n}\n", sizeLimit)})
	fake := newFakeServer(300)
	fake.refuse, fake.limit = strict, sizeLimit
	columns := []column{dialled("Dovecot 2.3", dovecot.Addr(), dovecot.FreshUser())}
	for _, o := range []struct {
		name   string
		server *real.Isolated
	}{
		{"Cyrus 3.6", real.Cyrus(t, real.CyrusOptions{Extra: fmt.Sprintf("munge8bit: no\nmaxmessagesize: %d", sizeLimit)})},
		{"Courier 5.0", real.Courier(t)},
	} {
		c := dialled(o.name, o.server.Addr(), o.server.FreshUser())
		c.prefix = o.server.Prefix()
		columns = append(columns, c)
	}
	columns = append(columns, column{name: "a strict target", connect: fake.target})
	var b strings.Builder
	b.WriteString("| message |")
	for _, c := range columns {
		b.WriteString(" " + c.name + " |")
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(columns)+1) + "\n")
	cells := make([][]string, len(columns))
	for i, c := range columns {
		cells[i] = c.outcomes(t)
	}
	for i, k := range kinds() {
		fmt.Fprintf(&b, "| %s |", k.name)
		for _, c := range cells {
			b.WriteString(" " + c[i] + " |")
		}
		b.WriteString("\n")
	}
	const path = "../docs/refused.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), tableBegins)
	table, after, ok2 := strings.Cut(rest, tableEnds)
	switch {
	case !ok || !ok2:
		t.Fatalf("%s has no place for the table", path)
	case *updateTable:
		if err := os.WriteFile(path, []byte(before+tableBegins+b.String()+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case table != b.String():
		t.Errorf("the table of %s is another (go test ./sync -run RefusedKinds -update-refused writes it):\n%s", path, b.String())
	}
}

// TestRaisedLimit: what a server refuses as too large is kept, and carried once its limit is raised.
func TestRaisedLimit(t *testing.T) {
	t.Parallel()
	limited := func(n int) *real.Server {
		return real.Dovecot(t, real.Options{Quota: "*:storage=1G", Extra: fmt.Sprintf("plugin {\n quota_max_mail_size = %d\n}\n", n)})
	}
	small, large := limited(1000), limited(100_000)
	cyrus := real.Cyrus(t, real.CyrusOptions{Extra: "maxmessagesize: 1000"})
	user := small.FreshUser()
	before, other := dialled("Dovecot", small.Addr(), user), dialled("Cyrus", cyrus.Addr(), cyrus.FreshUser())
	for _, c := range []struct {
		before, after column
		raise         func()
	}{
		{before, dialled("", large.Addr(), user), func() { large.LoadMaildir(user, small.MailDir(user)) }}, // the same mailbox behind another limit
		{other, other, func() { cyrus.Reconfigure("maxmessagesize: 100000") }},
	} {
		t.Run(c.before.name, func(t *testing.T) {
			b := newBench(t)
			b.src.add("INBOX", day, letterOf(1, strings.Repeat("large", 1000)))
			b.src.add("INBOX", day, letterOf(2, "small"))
			at := func(c column) func(*Options) { return func(o *Options) { o.ConnectTarget = c.connect } }
			if r := b.pass(at(c.before)); r.Copied != 1 || r.NewExceptions != 1 || len(b.kept()) != 1 {
				t.Fatalf("%+v, kept %q", r, b.kept())
			}
			c.raise()
			b.with(func(ctx context.Context, o Options) {
				list, err := o.State.Exceptions(ctx)
				if err == nil {
					err = o.State.Retry(ctx, list[0].Pair, []uint32{1})
				}
				if err != nil {
					t.Fatal(err)
				}
			})
			if r := b.pass(at(c.after)); r.Copied != 1 || r.Exceptions != 0 || len(b.kept()) != 0 {
				t.Errorf("the limit is raised: %+v, kept %q", r, b.kept())
			}
			if r := b.pass(at(c.after)); r.Copied != 0 {
				t.Errorf("the pass after: %+v", r)
			}
		})
	}
}
