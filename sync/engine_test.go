package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// failer is what testing.T and rapid.T have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// bench is two fake servers and a state folder.
type bench struct {
	t        failer
	src, dst *fakeServer
	dir      string
	events   []Event
	stop     chan struct{}
	hook     func(string) // of the state
}

func newBench(t *testing.T) *bench {
	return &bench{t: t, src: newFakeServer(100), dst: newFakeServer(200), dir: t.TempDir()}
}

var day = time.Date(2020, 5, 5, 5, 5, 5, 0, time.UTC)

// letterOf makes a message whose Message-ID is n's.
func letterOf(n int, body string) string {
	return fmt.Sprintf("Message-ID: <%d@example.org>\r\nDate: Tue, 5 May 2020 05:05:05 +0000\r\nSubject: number %d\r\n\r\n%s\r\n", n, n, body)
}

func (b *bench) fill(folder string, from, to int) {
	for i := from; i < to; i++ {
		b.src.add(folder, day.Add(time.Duration(i)*time.Hour), letterOf(i, strings.Repeat("x", 10+i%50)), imap.FlagSeen)
	}
}

// run does one pass and checks nothing.
func (b *bench) run(change ...func(*Options)) (r Report, err error) {
	b.t.Helper()
	b.with(func(ctx context.Context, o Options) { r, err = Run(ctx, o) }, change...)
	return r, err
}

// with opens the state for a call of the engine.
func (b *bench) with(do func(context.Context, Options), change ...func(*Options)) {
	b.t.Helper()
	ctx := context.Background()
	st, err := state.Open(ctx, state.Options{Dir: b.dir, Account: "a", Hook: b.hook})
	if err != nil {
		b.t.Fatal(err)
	}
	defer st.Close()
	o := Options{
		Account: "a", ConnectSource: b.src.source, ConnectTarget: b.dst.target, State: st, SpoolDir: b.dir,
		Settle: 20 * time.Millisecond, LateWindow: 30 * time.Millisecond, RetryFor: 10 * time.Second,
		Events: func(e Event) { b.events = append(b.events, e) }, Stop: b.stop,
	}
	for _, f := range change {
		f(&o)
	}
	b.src.forget()
	b.dst.forget()
	do(ctx, o)
}

func (b *bench) pass(change ...func(*Options)) Report {
	b.t.Helper()
	r, err := b.run(change...)
	if err != nil {
		b.t.Fatalf("pass: %v", err)
	}
	return r
}

// equal is the referee: every source folder is on the target, message by message.
func (b *bench) equal(when string) {
	b.t.Helper()
	for name := range b.src.folders {
		if want, got := b.src.content(name), b.dst.content(name); !slices.Equal(want, got) {
			b.t.Fatalf("%s: folder %s: %d messages on the source, %d on the target, or other bytes, dates, flags", when, name, len(want), len(got))
		}
	}
}

func (b *bench) quiet(when string) {
	b.t.Helper()
	r := b.pass()
	if n := b.dst.count("APPEND") + b.dst.count("STORE") + b.dst.count("EXPUNGE") + b.src.count("FETCH") + b.dst.count("FETCH"); n != 0 || r.Copied != 0 {
		b.t.Fatalf("%s: a pass without changes worked: source %v, target %v", when, b.src.commands, b.dst.commands)
	}
}

func TestFirstPassDeltaAndNoChange(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 1200)
	b.fill("A", 2000, 2010)
	b.src.folder("Empty")
	b.src.folder("A/B").subscribed = true
	r := b.pass()
	b.equal("first pass")
	if r.Copied != 1210 || r.FoldersCreated != 3 || !b.dst.folders["A/B"].subscribed || b.dst.folders["Empty"].subscribed {
		t.Errorf("report %+v, subscribed %v", r, b.dst.folders["A/B"].subscribed)
	}
	b.quiet("second pass")

	b.fill("INBOX", 1200, 1203)
	b.fill("New", 3000, 3002)
	b.src.setFlags("A", 3, imap.FlagFlagged, "$Forwarded")
	r = b.pass()
	b.equal("delta")
	if r.Copied != 5 || r.Flags != 1 {
		t.Errorf("delta: %+v", r)
	}
	b.quiet("fourth pass")
}

func TestUserDecisionsOnTheTargetStay(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 10)
	b.src.setFlags("INBOX", 5)
	b.pass()
	b.dst.expunge("INBOX", 2)
	b.dst.setFlags("INBOX", 5, imap.FlagSeen, "$label1")
	b.src.setFlags("INBOX", 5, imap.FlagFlagged)
	b.src.setFlags("INBOX", 2, imap.FlagFlagged)
	b.pass()
	got := strings.Join(b.dst.content("INBOX"), "\n")
	if len(b.dst.content("INBOX")) != 9 {
		t.Error("a message that its user deleted came back")
	}
	if !strings.Contains(got, `$label1 \Flagged \Seen`) {
		t.Errorf("flags are not merged three ways:\n%s", got)
	}
}

func TestDeletedFlagIsNotMerged(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 2)
	b.pass()
	b.src.setFlags("INBOX", 1, imap.FlagSeen, imap.FlagDeleted)
	b.pass()
	if strings.Contains(strings.Join(b.dst.content("INBOX"), "\n"), "Deleted") {
		t.Error("a deletion was merged into the target")
	}
}

func TestWithoutModSequences(t *testing.T) {
	b := newBench(t)
	b.src.noModSeq = true
	b.fill("INBOX", 0, 10)
	b.pass()
	b.src.setFlags("INBOX", 3, imap.FlagAnswered)
	if r := b.pass(); r.Flags != 1 {
		t.Errorf("flags: %+v", r)
	}
	b.equal("flags without mod-sequences")
}

func TestWithoutUIDPlus(t *testing.T) {
	b := newBench(t)
	b.dst.noUIDs = true
	b.fill("INBOX", 0, 700)
	b.src.add("INBOX", day, letterOf(1, "twin"))
	b.src.add("INBOX", day, letterOf(1, "twin"))
	b.pass()
	b.equal("first pass")
	b.quiet("second pass")
	b.src.setFlags("INBOX", 9, imap.FlagFlagged)
	b.pass()
	b.equal("a flag by a UID that was learned by listing")
}

func TestRefusedMessagesDoNotStopTheOthers(t *testing.T) {
	for _, multi := range []bool{true, false} {
		t.Run(fmt.Sprintf("whole batches %v", multi), func(t *testing.T) {
			b := newBench(t)
			b.fill("INBOX", 0, 50)
			bad := b.src.add("INBOX", day, letterOf(900, "REFUSE"))
			b.fill("INBOX", 50, 90)
			b.src.add("INBOX", day, "")
			b.dst.multi = multi
			b.dst.refuse = func(data []byte) *imapx.Error {
				if strings.Contains(string(data), "REFUSE") {
					return &imapx.Error{Op: "APPEND", Text: "message contains NUL", Kind: imapx.KindAppend, Scope: imapx.ScopeMessage}
				}
				return nil
			}
			r := b.pass()
			if len(b.dst.content("INBOX")) != 90 || r.NewExceptions != 2 || r.Copied != 90 {
				t.Fatalf("%d messages, report %+v", len(b.dst.content("INBOX")), r)
			}
			var told bool
			for _, e := range b.events {
				if x, ok := e.(Exception); ok && x.UID == bad && x.Reason == reasonRefused && x.New {
					told = true
				}
			}
			if !told {
				t.Error("the refused message is not told")
			}
			if r := b.pass(); r.NewExceptions != 0 || r.Exceptions != 2 || b.dst.count("APPEND") != 0 {
				t.Errorf("second pass: %+v", r)
			}
		})
	}
}

func TestTooLargeIsNotSent(t *testing.T) {
	b := newBench(t)
	b.dst.limit = 500
	b.fill("INBOX", 0, 5)
	b.src.add("INBOX", day, letterOf(77, strings.Repeat("y", 600)))
	if r := b.pass(); r.Copied != 5 || r.NewExceptions != 1 {
		t.Errorf("%+v", r)
	}
}

func TestQuotaStopsTheAccount(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 20)
	full := true
	b.dst.refuse = func([]byte) *imapx.Error {
		if full {
			return &imapx.Error{Op: "APPEND", Code: imap.ResponseCodeOverQuota, Kind: imapx.KindQuota}
		}
		return nil
	}
	_, err := b.run()
	var ie *imapx.Error
	if !errors.As(err, &ie) || ie.Kind != imapx.KindQuota {
		t.Fatalf("error %v", err)
	}
	full = false
	b.pass()
	b.equal("after room was made")
	b.quiet("a refusal leaves no intent behind")
}

func TestFlagsThatTheTargetDoesNotKeep(t *testing.T) {
	b := newBench(t)
	b.dst.folders["INBOX"].permanent = slices.Clone(systemFlags)
	b.src.add("INBOX", day, letterOf(1, "x"), imap.FlagSeen, "$label1", "bad]flag")
	r := b.pass()
	if got := b.dst.content("INBOX"); len(got) != 1 || !strings.HasSuffix(got[0], ` \Seen`) {
		t.Errorf("%v", got)
	}
	if r.NewExceptions != 2 {
		t.Errorf("a lost keyword is not listed: %+v", r)
	}
}

func TestFolderErrorLeavesTheOthers(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 5)
	b.fill("B", 0, 5)
	b.dst.refuse = func(data []byte) *imapx.Error { return nil }
	target := func(ctx context.Context) (Target, error) {
		return &brokenFolder{fakeConn: &fakeConn{fakeServer: b.dst}, name: "B"}, nil
	}
	r := b.pass(func(o *Options) { o.ConnectTarget = target })
	if r.NewExceptions != 1 || len(b.dst.content("INBOX")) != 5 {
		t.Errorf("%+v", r)
	}
	b.pass()
	b.equal("after the folder works again")
	if r := b.pass(); r.Exceptions != 0 {
		t.Errorf("the folder's exception stays: %+v", r)
	}
}

// brokenFolder cannot prepare one folder.
type brokenFolder struct {
	*fakeConn
	name string
}

func (c *brokenFolder) Prepare(ctx context.Context, asks []imapx.Prepare) ([]imapx.Prepared, error) {
	out, err := c.fakeConn.Prepare(ctx, asks)
	for i, a := range asks {
		if a.Folder == c.name {
			out[i] = imapx.Prepared{Err: folderError("CREATE", a.Folder, "name refused")}
		}
	}
	return out, err
}

func TestDryRunWritesNothing(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 5)
	b.fill("A", 0, 5)
	r := b.pass(func(o *Options) { o.DryRun = true })
	if len(b.dst.content("INBOX")) != 0 || b.dst.folders["A"] != nil || r.FoldersCreated != 1 {
		t.Errorf("%+v", r)
	}
}

func TestSameMailboxIsRefused(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 5)
	b.dst = b.src
	if _, err := b.run(); !errors.Is(err, ErrSameMailbox) {
		t.Errorf("error %v", err)
	}
	if len(b.src.content("INBOX")) != 5 {
		t.Error("the mailbox was written to")
	}
}

// TestAlikeByChance: servers that count alike cost a proof where something is to be carried, and nothing where not.
func TestAlikeByChance(t *testing.T) {
	b := newBench(t)
	b.dst = newFakeServer(100)
	b.fill("INBOX", 0, 5)
	b.pass()
	b.pass()
	if !sameMailbox(listed(t, b.src), listed(t, b.dst)) {
		t.Fatal("the two are not alike")
	}
	b.quiet("alike")
	if b.dst.count("SELECT") != 0 {
		t.Errorf("a pass without work made a folder: %v", b.dst.commands)
	}
	b.fill("INBOX", 5, 6)
	if r := b.pass(); r.Copied != 1 {
		t.Errorf("%+v", r)
	}
	b.equal("alike")
}

func listed(t *testing.T, s *fakeServer) imapx.Listing {
	t.Helper()
	c, err := s.source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestStopSettlesAndResumes(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 3000)
	b.stop = make(chan struct{})
	n := 0
	_, err := b.run(func(o *Options) {
		inner := o.Events
		o.Events = func(e Event) {
			inner(e)
			if _, ok := e.(MessageCopied); ok {
				if n++; n == 700 {
					close(b.stop)
				}
			}
		}
	})
	if !errors.Is(err, ErrInterrupted) {
		t.Fatalf("error %v", err)
	}
	half := len(b.dst.content("INBOX"))
	b.stop = nil
	r := b.pass()
	b.equal("after the stop")
	if half == 3000 || r.Copied != int64(3000-half) || r.Recovered != 0 {
		t.Errorf("%d were there, then %+v", half, r)
	}
}
