package imapx_test

import (
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

func scriptedTarget(t *testing.T, play func(s *scripted)) *imapx.Target {
	t.Helper()
	tgt, err := imapx.DialTarget(within(t, 10*time.Second), serve(t, play), imapx.Options{Trace: traceTo(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tgt.Close() })
	return tgt
}

// swallow reads a command with its literals, asking for those that wait, and gives its tag and text.
func (s *scripted) swallow() (tag, text string) {
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return tag, text
		}
		text += line
		if tag == "" {
			tag, _, _ = strings.Cut(line, " ")
		}
		m := regexp.MustCompile(`\{(\d+)(\+?)\}\r\n$`).FindStringSubmatch(line)
		if m == nil {
			return tag, text
		}
		if m[2] == "" {
			s.send("+ go\n")
		}
		n, _ := strconv.Atoi(m[1])
		if _, err := io.CopyN(io.Discard, s.r, int64(n)); err != nil {
			return tag, text
		}
	}
}

func messages(n int) (out []imapx.AppendMessage) {
	for range n {
		out = append(out, imapx.AppendMessage{Flags: []imap.Flag{imap.FlagSeen}, Body: text("a: b\r\n\r\nhello\r\n")})
	}
	return out
}

// TestAppendAnswers: what servers say to a batch, and what is made of it.
func TestAppendAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer string // to a MULTIAPPEND of three
		uids   string
		kind   imapx.Kind
		scope  imapx.Scope
		dead   bool
	}{
		"uids":           {"OK [APPENDUID 7 5:7] done", "[5 6 7]", 0, 0, false},
		"no uids":        {"OK done", "[0 0 0]", 0, 0, false},
		"too few uids":   {"OK [APPENDUID 7 5:6] done", "[0 0 0]", 0, 0, false},
		"descending":     {"OK [APPENDUID 7 7,6,5] done", "[0 0 0]", 0, 0, false},
		"too big":        {"NO [TOOBIG] large", "[0 0 0]", imapx.KindAppend, imapx.ScopeMessage, false},
		"quota":          {"NO [OVERQUOTA] full", "[0 0 0]", imapx.KindQuota, imapx.ScopeAccount, false},
		"gone":           {"NO [TRYCREATE] gone", "[0 0 0]", imapx.KindAppend, imapx.ScopeFolder, false},
		"plain no":       {"NO no", "[0 0 0]", imapx.KindAppend, imapx.ScopeMessage, false},
		"bad is the end": {"BAD what", "[0 0 0]", imapx.KindAppend, imapx.ScopeMessage, true},
	} {
		t.Run(name, func(t *testing.T) {
			tgt := scriptedTarget(t, func(s *scripted) {
				s.hello("MULTIAPPEND LITERAL+ UIDPLUS")
				s.send("%s NO nothing to store\n", s.expect(`APPEND "F" \(\\Seen\) \{0\+\}`))
				s.send("* BAD Invalid tag\n")
				s.r.ReadString('\n')
				tag, text := s.swallow()
				if strings.Count(text, "(\\Seen) {15+}") != 3 {
					t.Errorf("%q", text)
				}
				s.send("%s %s\n", tag, c.answer)
				s.rest()
			})
			ctx := within(t, 10*time.Second)
			a := store(t, ctx, tgt, "F", messages(3)...)
			if got := strings.Join(strings.Fields(sprint(a.UIDs)), " "); got != c.uids {
				t.Errorf("uids %s", got)
			}
			for _, err := range a.Errs {
				var x *imapx.Error
				if strings.HasPrefix(c.answer, "OK") != (err == nil) || err != nil && (!errors.As(err, &x) || x.Kind != c.kind || x.Scope != c.scope) {
					t.Errorf("%v", err)
				}
			}
			if _, err := tgt.List(ctx); (err != nil) != c.dead {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func sprint(uids []imap.UID) string {
	var b []string
	for _, u := range uids {
		b = append(b, strconv.FormatUint(uint64(u), 10))
	}
	return "[" + strings.Join(b, " ") + "]"
}

// TestAppendWaits: where the server has not clearly accepted the flags, or cannot do otherwise, literals wait.
func TestAppendWaits(t *testing.T) {
	big := text(strings.Repeat("x", 5000))
	for name, c := range map[string]struct {
		caps, probe string // answer to the probe; "": none must come
		want        []string
		body        imapx.Body
	}{
		"bad flags":         {"MULTIAPPEND LITERAL+", "BAD no", []string{"{15}", "{15}"}, nil},
		"stored":            {"MULTIAPPEND LITERAL+", "OK stored it", []string{"{15}", "{15}"}, nil},
		"no literal+":       {"MULTIAPPEND", "", []string{"{15}", "{15}"}, nil},
		"single, first":     {"LITERAL+", "", []string{"{15}", "{15+}"}, nil},
		"minus":             {"MULTIAPPEND LITERAL-", "NO empty", []string{"{15+}", "{5000}"}, big},
		"accepted":          {"MULTIAPPEND LITERAL+", "NO empty", []string{"{15+}", "{5000+}"}, big},
		"no folder (probe)": {"MULTIAPPEND LITERAL+", "NO [TRYCREATE] x", []string{"{15}", "{15}"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(chan string, 10)
			tgt := scriptedTarget(t, func(s *scripted) {
				s.hello(c.caps)
				if c.probe != "" {
					s.send("%s %s\n", s.expect(`APPEND "F" \(\\Seen\) \{0\+\}`), c.probe)
					s.r.ReadString('\n')
				}
				for {
					tag, text := s.swallow()
					if text == "" || strings.Contains(text, "LOGOUT") {
						close(seen)
						s.send("%s OK\n", tag)
						return
					}
					for _, l := range regexp.MustCompile(`\{\d+\+?\}`).FindAllString(text, -1) {
						seen <- l
					}
					s.send("%s OK\n", tag)
				}
			})
			ctx := within(t, 10*time.Second)
			batch := messages(2)
			if c.body != nil {
				batch[1].Body = c.body
			}
			if name == "single, first" { // the second goes once the first has shown that the flags are taken
				store(t, ctx, tgt, "F", batch[0])
				batch = batch[1:]
			}
			store(t, ctx, tgt, "F", batch...)
			tgt.Close()
			var got []string
			for l := range seen {
				got = append(got, l)
			}
			if strings.Join(got, " ") != strings.Join(c.want, " ") {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// TestAppendRefusesLocally: nothing of a message that must not go reaches the server; the others do.
func TestAppendRefusesLocally(t *testing.T) {
	tgt := scriptedTarget(t, func(s *scripted) {
		s.hello("APPENDLIMIT=100 UIDPLUS")
		tag, text := s.swallow()
		if !strings.Contains(text, "{15}") {
			t.Errorf("%q", text)
		}
		s.send("%s OK [APPENDUID 7 9]\n", tag)
		s.rest()
	})
	batch := messages(4)
	batch[0].Body = text(strings.Repeat("x", 101))
	batch[1].Flags = []imap.Flag{"a\r\nb"}
	batch[3].Body = text("")
	a := store(t, within(t, 10*time.Second), tgt, "F", batch...)
	var x *imapx.Error
	if !errors.As(a.Errs[0], &x) || x.Code != imap.ResponseCodeTooBig || x.Scope != imapx.ScopeMessage || a.Errs[1] == nil || a.Errs[2] != nil || a.Errs[3] == nil || a.UIDs[2] != 9 {
		t.Errorf("%+v", a)
	}
	if tgt.Limits().Append != 100 {
		t.Errorf("%+v", tgt.Limits())
	}
}

// TestShortBody: a body that ends early leaves a server waiting for the rest; the connection must not live on.
func TestShortBody(t *testing.T) {
	for name, c := range map[string]string{"short": "abc", "long": strings.Repeat("x", 50)} {
		t.Run(name, func(t *testing.T) {
			tgt := scriptedTarget(t, func(s *scripted) {
				s.hello("LITERAL+")
				s.swallow()
			})
			freed := 0
			m := &memory{size: 15, released: &freed}
			m.WriteString(c)
			ctx := within(t, 10*time.Second)
			_, err := tgt.Append(ctx, imapx.AppendBatch{Folder: "F", Messages: []imapx.AppendMessage{{Body: m}}})
			var x *imapx.Error
			if !errors.As(err, &x) || x.Kind != imapx.KindLost || x.Retry != imapx.RetryReconnect {
				t.Errorf("%v", err)
			}
			if _, err := tgt.List(ctx); err == nil {
				t.Error("the connection lives on")
			}
		})
	}
}

// TestEarlyRefusal: a server that answers before it has everything may take the rest for commands.
func TestEarlyRefusal(t *testing.T) {
	tgt := scriptedTarget(t, func(s *scripted) {
		s.hello("MULTIAPPEND LITERAL+")
		s.send("%s NO empty\n", s.expect(`APPEND .*`))
		s.r.ReadString('\n')
		s.send("%s NO [OVERQUOTA] full\n", s.expect("APPEND .*"))
		io.Copy(io.Discard, s.r)
	})
	ctx := within(t, 10*time.Second)
	batch := messages(2)
	batch[0].Body = &slow{text(strings.Repeat("x", 1<<20))}
	p, err := tgt.Append(ctx, imapx.AppendBatch{Folder: "F", Messages: batch})
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Wait(ctx)
	var x *imapx.Error
	if err != nil || !errors.As(a.Errs[0], &x) || x.Kind != imapx.KindQuota || !errors.As(a.Errs[1], &x) || x.Kind != imapx.KindQuota {
		t.Errorf("%v %+v", err, a)
	}
	if _, err := tgt.List(ctx); err == nil {
		t.Error("the connection lives on")
	}
}

// slow writes its second half late.
type slow struct{ imapx.Body }

func (b *slow) WriteTo(w io.Writer) (int64, error) {
	half := strings.Repeat("x", int(b.Len()/2))
	for range 2 {
		if _, err := io.WriteString(w, half); err != nil {
			return 0, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return b.Len(), nil
}
