package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	mailsync "mailmove/sync"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account = "alice@old.example@mail.old.example--alice@new.example@mail.new.example"

func start() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// aPass is every kind of event, with hostile names.
func aPass() []mailsync.Event {
	report := mailsync.Report{
		Pass: 3, Started: start(), Ended: start().Add(95 * time.Second), Folders: 20, FoldersOpened: 4, FoldersCreated: 1,
		SourceMessages: 2000, Copied: 1234, CopiedBytes: 42_000_000, Matched: 7, Flags: 12, Followed: 1, Deleted: 3, Moved: 5, Gone: 21, Recovered: 2, Doubles: 1,
		Exceptions: 3, NewExceptions: 1, Deferred: 1234,
	}
	return []mailsync.Event{
		mailsync.PassStarted{Account: account, Pass: 3, Time: start()},
		mailsync.FolderPlanned{Account: account, Source: "INBOX", Target: "INBOX", Messages: 2000, Copy: 3, Opened: true},
		mailsync.FolderPlanned{Account: account, Source: "Bad\x1b[31m\u202e\U000E0041", Target: "Bad", Create: true},
		mailsync.MessageCopied{Account: account, Folder: "INBOX", Bytes: 2048},
		mailsync.Throttled{Account: account, Side: "source", Delay: 5 * time.Second, Why: "[LIMIT] slow\r\ndown"},
		mailsync.Exception{Account: account, Folder: "INBOX", UID: 7, Reason: "toobig", Detail: "too big\x1b[2J", New: true},
		mailsync.Exception{Account: account, Folder: "INBOX", UID: 8, Reason: "toobig", Detail: "known for long"},
		mailsync.Exception{Account: account, Reason: "gone-on-target", Detail: "21 of 100", New: true},
		mailsync.MessagesDeferred{Account: account, Folder: "INBOX", Messages: 2},
		mailsync.MessagesDeleted{Account: account, Folder: "INBOX", Target: "INBOX", Trash: "Trash\x1b", Messages: 3},
		mailsync.Notice{Account: account, Text: "connected again"},
		mailsync.FolderDone{Account: account, Folder: "INBOX", Copied: 1, Flags: 12},
		mailsync.PassEnded{Account: account, Report: report, Err: errors.New("it \x1bbroke")},
	}
}

func play(o Options, events ...mailsync.Event) (out, problems string) {
	var stdout, stderr bytes.Buffer
	o.Out, o.Err = &stdout, &stderr
	if o.Now == nil {
		o.Now = start
	}
	r := New(o)
	for _, e := range events {
		r.Event(e)
	}
	r.Close()
	return stdout.String(), stderr.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name string
		mode Mode
	}{{"plain", Plain}, {"quiet", Quiet}, {"json", JSON}} {
		t.Run(c.name, func(t *testing.T) {
			out, problems := play(Options{Mode: c.mode}, aPass()...)
			golden(t, c.name+".golden", "-- stdout --\n"+out+"-- stderr --\n"+problems)
		})
	}
}

// Nothing that a server says may reach a screen with its control characters, in any mode.
func TestNothingHostileIsPrinted(t *testing.T) {
	for _, mode := range []Mode{Plain, Quiet, JSON, Terminal} {
		out, problems := play(Options{Mode: mode}, aPass()...)
		text := out + strings.NewReplacer(clearLine, "", "\x1b[0K", "", "\r", "").Replace(problems)
		for _, r := range text {
			if r != '\n' && !isVisible(r) {
				t.Errorf("mode %d prints %U", mode, r)
			}
		}
	}
}

func TestQuietIsSilentWithoutNews(t *testing.T) {
	events := aPass()
	end := events[len(events)-1].(mailsync.PassEnded)
	end.Report.NewExceptions = 0
	out, problems := play(Options{Mode: Quiet}, events[0], events[6], end)
	if out+problems != "" {
		t.Errorf("quiet printed %q", out+problems)
	}
}

func TestJSONIsExact(t *testing.T) {
	out, _ := play(Options{Mode: JSON}, aPass()...)
	var planned struct{ Source string }
	if err := json.Unmarshal([]byte(strings.Split(out, "\n")[2]), &planned); err != nil {
		t.Fatal(err)
	}
	if want := "Bad\x1b[31m\u202e\U000E0041"; planned.Source != want {
		t.Errorf("the folder came out as %q, want %q", planned.Source, want)
	}
}

// docs/events.md names every type and every field, and nothing that does not exist.
func TestEventsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]map[string]bool{}
	kind := ""
	for line := range strings.Lines(string(page)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "## `"); ok {
			kind = strings.TrimSuffix(name, "`")
			documented[kind] = map[string]bool{}
		} else if name, ok := strings.CutPrefix(line, "| `"); ok && kind != "" {
			field, _, _ := strings.Cut(name, "`")
			documented[kind][field] = true
		}
	}
	j := &jsonLines{now: start}
	seen := map[string]bool{}
	for _, e := range aPass() {
		o := reflect.ValueOf(j.object(e))
		name := o.Field(0).Field(0).String()
		seen[name] = true
		fields := map[string]bool{}
		for i := 1; i < o.NumField(); i++ {
			fields[o.Type().Field(i).Tag.Get("json")] = true
		}
		if !reflect.DeepEqual(fields, documented[name]) {
			t.Errorf("%s: docs/events.md has %v, the code %v", name, documented[name], fields)
		}
	}
	for name := range documented {
		if !seen[name] {
			t.Errorf("docs/events.md describes %q, which no event has", name)
		}
	}
}

// The example at the end of docs/events.md is what the renderer prints; -update writes it anew.
func TestEventsExample(t *testing.T) {
	const file, mark = "../../../docs/events.md", "```\n"
	report := mailsync.Report{Pass: 1, Started: start(), Ended: start().Add(2 * time.Second), Folders: 1, FoldersOpened: 1, FoldersCreated: 1,
		SourceMessages: 2, Copied: 1, CopiedBytes: 2048, Exceptions: 1, NewExceptions: 1}
	lines, _ := play(Options{Mode: JSON},
		mailsync.PassStarted{Account: "alice", Pass: 1, First: true, Time: start()},
		mailsync.FolderPlanned{Account: "alice", Source: "Entwürfe", Target: "Drafts", Create: true, Messages: 2, Copy: 2, Opened: true},
		mailsync.MessageCopied{Account: "alice", Folder: "Entwürfe", Bytes: 2048},
		mailsync.Exception{Account: "alice", Folder: "Entwürfe", UID: 7, Reason: "refused", Detail: "message contains NUL", New: true},
		mailsync.Throttled{Account: "alice", Side: "target", Delay: 5 * time.Second, Why: "not available now: target mail.new.example:993: [LIMIT] slow down"},
		mailsync.FolderDone{Account: "alice", Folder: "Entwürfe", Copied: 1},
		mailsync.PassEnded{Account: "alice", Report: report})
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), mark)
	if len(parts) != 3 {
		t.Fatalf("%d parts in %s", len(parts), file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(parts[0]+mark+lines+mark+parts[2]), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if parts[1] != lines {
		t.Errorf("%s has %q, want %q", file, parts[1], lines)
	}
}

func TestTerminal(t *testing.T) {
	now := start()
	tick := func() time.Time { now = now.Add(200 * time.Millisecond); return now }
	out, problems := play(Options{Mode: Terminal, Width: 80, Now: tick}, aPass()...)
	for line := range strings.Lines(out) {
		if w := Width(strings.TrimRight(line, "\n")); w > 80 {
			t.Errorf("%d columns: %q", w, line)
		}
	}
	if !strings.Contains(out, "1,234 copied of 2,000 messages (42.0 MB)") {
		t.Errorf("no summary in %q", out)
	}
	if !strings.Contains(problems, "(1/3") {
		t.Errorf("no bar in %q", problems)
	}
	if !strings.HasSuffix(problems, clearLine) {
		t.Errorf("the bar is left on the screen: %q", problems)
	}
	for _, frame := range strings.Split(problems, "\r") {
		frame = strings.NewReplacer("\x1b[K", "", "\x1b[0K", "", "\n", "").Replace(frame)
		if w := Width(frame); w > 80 {
			t.Errorf("%d columns: %q", w, frame)
		}
	}
}

// The line fits every terminal, whatever is copied: one that wraps leaves a line behind with every step.
func TestBarFitsTheTerminal(t *testing.T) {
	for width := 21; width <= 200; width++ {
		for _, expected := range []int64{9, 2000, 1_234_567} {
			now := start()
			var out, problems bytes.Buffer
			r := New(Options{Mode: Terminal, Out: &out, Err: &problems, Width: width, Now: func() time.Time { return now }})
			r.Event(mailsync.PassStarted{Account: account})
			r.Event(mailsync.FolderPlanned{Account: account, Copy: expected})
			for range 8 {
				now = now.Add(time.Second)
				r.Event(mailsync.MessageCopied{Account: account, Folder: "Ein Ordner mit 下書き im langen Namen"})
			}
			text := problems.String()
			r.Close()
			bars := 0
			for _, frame := range strings.Split(text, "\r") {
				frame = strings.NewReplacer("\x1b[K", "", "\x1b[0K", "", "\n", "").Replace(frame)
				if w := Width(frame); w >= width {
					t.Fatalf("%d columns of %d: %q", w, width, frame)
				}
				if strings.Contains(frame, "%") {
					bars++
				}
			}
			if bars < 8 && (expected == 9 || width >= 40) { // without a count nothing is drawn at 0 %
				t.Fatalf("%d frames with a bar at %d columns: %q", bars, width, text)
			}
			if has := strings.Contains(text, "/s, "); has && width < paceFrom || !has && width >= 80 {
				t.Errorf("pace shown at %d columns, %d messages: %v", width, expected, has)
			}
			// The first frames come before the pace means anything.
			if early, _, _ := strings.Cut(text, "(3/"); width >= 80 && strings.Contains(early, " left") {
				t.Errorf("a time left after less than 3 s: %q", early)
			}
		}
	}
}

func TestThrottledLines(t *testing.T) {
	for _, c := range []struct {
		delay     time.Duration
		why, want string
	}{
		{2 * time.Second, "source h:993: login: [UNAVAILABLE] busy", "source h:993: login: [UNAVAILABLE] busy; trying again in 2 s"},
		{5 * time.Minute, "slow down", "source: slow down; trying again in 5 min 00 s"},
		{400 * time.Millisecond, "slow down", "source: slow down; trying again at once"},
		{0, "slow down", "source: slow down; trying again at once"},
	} {
		if got := problemLine(mailsync.Throttled{Side: "source", Delay: c.delay, Why: c.why}); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// A dry run has the words and numbers of the pass that it foretells.
func TestDryRunWords(t *testing.T) {
	report := mailsync.Report{DryRun: true, SourceMessages: 2000, ToCopy: 1234, ToCopyBytes: 42_000_000, Matched: 7, Flags: 12, FoldersCreated: 3, Exceptions: 2}
	end := mailsync.PassEnded{Account: "alice", Report: report}
	out, _ := play(Options{Mode: Plain}, mailsync.PassStarted{Account: "alice"}, mailsync.FolderPlanned{Copy: 3}, end)
	want := "alice: would copy 1,234 of 2,000 messages (42.0 MB), 7 already there, 12 with changed flags, 3 folders to make, " +
		"2 exceptions (0 new), 0.0 s, nothing written\n"
	if out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	out, _ = play(Options{Mode: JSON}, end)
	if !strings.Contains(out, `"to_copy":1234,"to_copy_bytes":42000000,"copied":0,`) {
		t.Errorf("no numbers in %s", out)
	}
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, problems bytes.Buffer
		r := New(Options{Out: &out, Err: &problems, Heartbeat: time.Minute, Now: time.Now})
		r.Event(mailsync.PassStarted{Account: account})
		r.Event(mailsync.FolderPlanned{Account: account, Source: "INBOX", Copy: 200})
		for range 100 {
			r.Event(mailsync.MessageCopied{Account: account, Folder: "INBOX", Bytes: 1000})
		}
		time.Sleep(2*time.Minute + time.Second)
		r.Close()
		want := "00:01:00 100 of 200 messages copied, 100.0 kB, 2/s, INBOX\n00:02:00 100 of 200 messages copied, 100.0 kB, 50/min, INBOX\n"
		if problems.String() != want {
			t.Errorf("got %q, want %q", problems.String(), want)
		}
	})
}

func TestExceptionsAreBounded(t *testing.T) {
	var events []mailsync.Event
	for i := range maxProblems + 5 {
		events = append(events, mailsync.Exception{Folder: "INBOX", UID: uint32(i + 1), Reason: "toobig", New: true})
	}
	_, problems := play(Options{Mode: Plain}, append(events, mailsync.PassEnded{Account: account})...)
	if n := strings.Count(problems, "exception: "); n != maxProblems {
		t.Errorf("%d lines", n)
	}
	if !strings.Contains(problems, "and 5 more") {
		t.Errorf("the rest is not counted: %q", problems[len(problems)-200:])
	}
}

func TestUnits(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(1234567), "1,234,567"},
		{Bytes(999), "999 B"}, {Bytes(42_000_000), "42.0 MB"}, {Bytes(999_999), "1.0 MB"},
		{elapsed(800 * time.Millisecond), "0.8 s"}, {elapsed(95 * time.Second), "1 min 35 s"}, {elapsed(2 * time.Hour), "2 h 00 min"},
		{messages(1), "1 message"}, {messages(2), "2 messages"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// What a filter leaves out is not waited for: neither the share that is done nor the time left counts it.
func TestDeferredMessagesAreNotExpected(t *testing.T) {
	var tl tally
	for _, e := range []mailsync.Event{
		mailsync.PassStarted{Account: account}, mailsync.FolderPlanned{Account: account, Copy: 100},
		mailsync.MessagesDeferred{Account: account, Messages: 60}, mailsync.MessagesDeferred{Account: account, Messages: 20},
		mailsync.MessageCopied{Account: account},
	} {
		tl.take(e, start())
	}
	if tl.expected != 20 || tl.copied != 1 {
		t.Errorf("%d of %d", tl.copied, tl.expected)
	}
	tl.take(mailsync.MessagesDeferred{Account: account, Messages: 50}, start()) // the plan was an estimate
	if tl.expected != 1 {
		t.Errorf("%d are expected", tl.expected)
	}
}
