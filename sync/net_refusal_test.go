package sync_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	mailsync "mailmove/sync"
)

// disturbance is one fault of one command of the scene's pass.
type disturbance struct {
	side, verb string
	nth        int // of the verb
	how        imaptest.Meddling
	code       string
}

func (d disturbance) String() string {
	how := map[imaptest.Meddling]string{imaptest.AnswerNo: "NO", imaptest.AnswerBye: "BYE", imaptest.LoseAnswer: "answer lost", imaptest.MuteAnswer: "answer never"}[d.how]
	return fmt.Sprintf("%s %s [%s] at %s %d", d.side, how, d.code, d.verb, d.nth)
}

// ending is what became of the disturbed pass.
type ending string

const (
	carried ending = "carried" // all of it, within the pass
	listed  ending = "listed"  // the rest carried, the trouble listed as an exception
	stopped ending = "stopped" // the account's pass ended with the server's reason
)

// expected is what has to become of it: what can be retried is, what concerns the account stops it, what concerns a
// folder or a message leaves the rest alone. What is asked twice or not needed at all gets over any refusal.
func (d disturbance) expected() ending {
	forNow := slices.Contains([]string{"UNAVAILABLE", "INUSE", "LIMIT", "THROTTLED", "SERVERBUG", ""}, d.code)
	account := slices.Contains([]string{"OVERQUOTA", "EXPIRED", "AUTHENTICATIONFAILED"}, d.code)
	probe := d.verb == "APPEND" && d.nth == 1
	switch {
	case forNow, d.how != imaptest.AnswerNo && !account:
		return carried
	case d.how != imaptest.AnswerNo:
		return stopped
	case d.verb == "UNSELECT", d.verb == "STATUS", d.verb == "ID", probe: // who we are is only told
		return carried
	case account:
		return stopped
	}
	switch d.verb { // TOOBIG and TRYCREATE
	case "AUTHENTICATE", "LIST", "LSUB", "NAMESPACE":
		return stopped
	case "UID FETCH", "RENAME": // asked for again, singly; keeps its name
		return carried
	case "APPEND":
		if d.code == "TOOBIG" { // the batch is split, and its parts are taken
			return carried
		}
	}
	return listed
}

// vanishes is the case that a code says that a folder is not there, after it was listed: on the target it is made and
// opened again, which may succeed; on the source it is left to the next pass, without an exception. A batch that is
// refused as too big is split, unless it is the one message of a folder: that is listed.
func (d disturbance) vanishes(want, end ending) bool {
	if d.code == "TOOBIG" && d.verb == "APPEND" {
		return want == carried && end == listed
	}
	return d.code == "TRYCREATE" && want == listed && end == carried
}

// remains is what one pass more does not mend, for it is not tried again by itself.
func (d disturbance) remains(diff string) bool {
	if d.how != imaptest.AnswerNo || d.code != "TOOBIG" && d.code != "TRYCREATE" {
		return false
	}
	switch d.verb {
	case "APPEND":
		return d.code == "TOOBIG" && strings.Contains(diff, "differences 1\n") && strings.Contains(diff, " missing ")
	case "RENAME": // the folder keeps its old name on the target
		return strings.Contains(diff, `missing-folder "Mailing lists"`) && strings.Contains(diff, `extra-folder "Lists" with 3`)
	case "SUBSCRIBE":
		return strings.Contains(diff, "differences 1\n") && strings.Contains(diff, "missing-subscription")
	}
	return false
}

// befall lets it happen, then one pass without; only what was listed about a message may be missing after that.
func (g *scene) befall(t *testing.T, d disturbance) ending {
	t.Helper()
	direct := g.fresh(t)
	x := direct
	x.Timeout = 10 * time.Second
	if d.how == imaptest.MuteAnswer {
		x.Timeout = stallTimeout
	}
	addr := &x.Target
	if d.side == "source" {
		addr = &x.Source
	}
	m, err := imaptest.NewMeddler(*addr, imaptest.Meddle{Verb: d.verb, Nth: d.nth, How: d.how, Code: d.code})
	must(t, err)
	defer m.Close()
	*addr = m.Addr()
	var said []string
	x.Events = func(e mailsync.Event) {
		switch e := e.(type) {
		case mailsync.Exception:
			said = append(said, e.Folder+": "+e.Reason+": "+e.Detail)
		case mailsync.Throttled:
			said = append(said, e.Why)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := x.run(ctx)
	if m.Hits() != 1 {
		t.Fatalf("%v: befell %d commands of %v", d, m.Hits(), m.Commands())
	}
	end := d.judge(t, r, err, said)
	if end == carried && r.Exceptions == 0 && d.code != "TRYCREATE" {
		if diff := g.difference(t, direct); diff != "" && !d.remains(diff) {
			t.Errorf("%v: the pass says that all is well, and it is not: %+v\n%s", d, r, diff)
		}
	}
	next := direct.pass(t)
	if diff := g.difference(t, direct); diff != "" && !d.remains(diff) {
		t.Errorf("%v: %s, and one pass later (%+v):\n%s", d, end, next, diff)
	}
	if v := sent(t, direct); len(v) > 0 { // a last look for what might have landed late
		if v = sent(t, direct); len(v) > 0 {
			t.Errorf("%v: two passes later it still sends %v", d, v)
		}
	}
	g.wipe(direct)
	return end
}

// judge reads the pass's own words.
func (d disturbance) judge(t *testing.T, r mailsync.Report, err error, said []string) ending {
	t.Helper()
	end := carried
	var ie *imapx.Error
	switch {
	case errors.As(err, &ie):
		end = stopped
		if ie.Side != d.side || string(ie.Code) != d.code {
			t.Errorf("%v: stopped for another reason: %v", d, err)
		}
	case err != nil:
		t.Fatalf("%v: %v", d, err)
	case r.Exceptions > 0 && d.how != imaptest.MuteAnswer: // one answer missing among others breaks the order that tells them apart
		end = listed
	}
	if want := d.expected(); end != want && !d.vanishes(want, end) {
		t.Errorf("%v: %s, and it was to be %s (%v):\n%s", d, end, want, err, strings.Join(said, "\n"))
	}
	return end
}

// codes are what servers refuse with (RFC 5530, 7889, 9051; THROTTLED is Gmail's).
func codes() []string {
	return []string{"UNAVAILABLE", "INUSE", "LIMIT", "THROTTLED", "SERVERBUG", "OVERQUOTA", "EXPIRED", "AUTHENTICATIONFAILED", "TOOBIG", "TRYCREATE"}
}

// endings collects what happened, to be printed as a table.
type endings struct {
	mu   sync.Mutex
	cell map[string]map[string]string // row, column
}

func (e *endings) add(row, column string, end ending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cell[row] == nil {
		e.cell[row] = make(map[string]string)
	}
	e.cell[row][column] = string(end)
}

func (e *endings) table(columns []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s", "")
	for _, c := range columns {
		fmt.Fprintf(&b, " %-11.11s", c)
	}
	for _, row := range slices.Sorted(maps.Keys(e.cell)) {
		fmt.Fprintf(&b, "\n%-28s", row)
		for _, c := range columns {
			fmt.Fprintf(&b, " %-11s", cmp.Or(e.cell[row][c], "-"))
		}
	}
	return b.String()
}

// places are all commands of the scene's pass to be disturbed: the first of each verb, and of APPEND the last, for
// the first is a probe without mail.
func (g *scene) places(t *testing.T) (out []disturbance) {
	t.Helper()
	counts := g.commands(t)
	for _, side := range []string{"source", "target"} {
		delete(counts[side], "LOGOUT") // its answer is not waited for, so that it may not even come through
		for _, verb := range slices.Sorted(maps.Keys(counts[side])) {
			out = append(out, disturbance{side: side, verb: verb, nth: 1})
			if verb == "APPEND" {
				out = append(out, disturbance{side: side, verb: verb, nth: counts[side][verb]})
			}
		}
	}
	return out
}

// disturb lets all of them happen and prints the table.
func (g *scene) disturb(t *testing.T, all []disturbance, columns []string, column func(disturbance) string) {
	t.Helper()
	e := endings{cell: make(map[string]map[string]string)}
	started := time.Now()
	atOnce(t, all, func(t *testing.T, d disturbance) {
		e.add(fmt.Sprintf("%s %s %d", d.side, d.verb, d.nth), column(d), g.befall(t, d))
	})
	t.Logf("%d commands disturbed in %v\n%s", len(all), time.Since(started).Round(time.Millisecond), e.table(columns))
}

// sceneServers leave out what would ask for all in one command.
func sceneServers(t *testing.T) *scene {
	t.Helper()
	return newScene(t, real.Options{Without: []string{"LIST-STATUS", "LIST-EXTENDED", "SPECIAL-USE"}}, real.Options{})
}

func refusalColumn(d disturbance) string { return cmp.Or(d.code, "none") }

// TestRefusals refuses each kind of command of a pass once, with each code; of those that mean the same to us each
// command gets one. The end-to-end tests try them all.
func TestRefusals(t *testing.T) {
	t.Parallel()
	g := sceneServers(t)
	var all []disturbance
	for i, d := range g.places(t) {
		alike := [][]string{{"UNAVAILABLE", "LIMIT", "THROTTLED"}, {"OVERQUOTA", "EXPIRED", "AUTHENTICATIONFAILED"}}
		for _, d.code = range []string{alike[0][i%3], alike[1][i%3], "INUSE", "SERVERBUG", "TOOBIG", "TRYCREATE"} {
			all = append(all, d)
		}
	}
	g.disturb(t, all, codes(), refusalColumn)
}

// TestGoodbyes ends the connection in place of each kind of command, with no code and with one of all codes.
func TestGoodbyes(t *testing.T) {
	t.Parallel()
	g := sceneServers(t)
	var all []disturbance
	for i, d := range g.places(t) {
		d.how = imaptest.AnswerBye
		for _, d.code = range []string{"", codes()[i%len(codes())]} {
			all = append(all, d)
		}
	}
	g.disturb(t, all, append([]string{"none"}, codes()...), refusalColumn)
}

// TestLostAnswers lets the server carry out each kind of command, and keeps the answer: the connection ends, or says
// nothing any more.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	g := sceneServers(t)
	names := map[imaptest.Meddling]string{imaptest.LoseAnswer: "lost", imaptest.MuteAnswer: "never"}
	var all []disturbance
	for _, d := range g.places(t) {
		for d.how = range names {
			all = append(all, d)
		}
	}
	g.disturb(t, all, []string{"lost", "never"}, func(d disturbance) string { return names[d.how] })
}
