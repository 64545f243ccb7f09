package sync_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
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
	return fmt.Sprintf("%s %s[%s] at %s %d", d.side, how, d.code, d.verb, d.nth)
}

// ending is what became of the disturbed pass.
type ending string

const (
	carried ending = "carried" // all of it, within the pass
	listed  ending = "listed"  // the rest carried, the trouble listed as an exception
	stopped ending = "stopped" // the account's pass ended with the server's reason
)

// befall lets it happen, then one pass without; only what was listed about a message may be missing after that.
func (g *scene) befall(t *testing.T, d disturbance) ending {
	t.Helper()
	direct := g.fresh(t)
	x := direct
	x.Timeout = stallTimeout
	addr := &x.Target
	if d.side == "source" {
		addr = &x.Source
	}
	m, err := imaptest.NewMeddler(*addr, imaptest.Meddle{Verb: d.verb, Nth: d.nth, How: d.how, Code: d.code})
	must(t, err)
	defer m.Close()
	*addr = m.Addr()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := x.run(ctx)
	if m.Hits() != 1 {
		t.Fatalf("%v: befell %d commands of %v", d, m.Hits(), m.Commands())
	}
	diff := g.difference(t, direct)
	end := carried
	switch {
	case err != nil:
		end = stopped
		var ie *imapx.Error
		if !errors.As(err, &ie) || ie.Side != d.side || string(ie.Code) != d.code {
			t.Errorf("%v: stopped for another reason: %v", d, err)
		}
	case r.Exceptions > 0:
		end = listed
	case diff != "":
		t.Errorf("%v: the pass says that all is well, and it is not: %+v\n%s", d, r, diff)
	}
	next := direct.pass(t)
	if diff := g.difference(t, direct); diff != "" {
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

// TestRefusals refuses each kind of command once, with each code.
func TestRefusals(t *testing.T) {
	t.Parallel()
	g := newScene(t, real.Options{Without: []string{"LIST-STATUS", "LIST-EXTENDED", "SPECIAL-USE"}}, real.Options{})
	var all []disturbance
	counts := g.commands(t)
	t.Log(counts)
	for _, side := range []string{"source", "target"} {
		for verb, n := range counts[side] {
			places := []int{1}
			if only := os.Getenv("ONLY"); only != "" && !strings.Contains(only, verb+",") { continue }
			if verb == "APPEND" {
				places = []int{1, n} // a probe and the mail
			}
			for _, nth := range places {
				for _, code := range codes() {
					for _, how := range []imaptest.Meddling{imaptest.AnswerNo, imaptest.AnswerBye} {
						all = append(all, disturbance{side, verb, nth, how, code})
					}
				}
			}
		}
	}
	e := endings{cell: make(map[string]map[string]string)}
	started := time.Now()
	atOnce(t, all, func(t *testing.T, d disturbance) {
		row := fmt.Sprintf("%s %s %d %s", d.side, d.verb, d.nth, map[imaptest.Meddling]string{imaptest.AnswerNo: "NO", imaptest.AnswerBye: "BYE"}[d.how])
		e.add(row, d.code, g.befall(t, d))
	})
	t.Logf("%d refusals in %v\n%s", len(all), time.Since(started).Round(time.Millisecond), e.table(codes()))
}
