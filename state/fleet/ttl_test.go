package fleet

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

// mxLook is a look at one MX; version is "data ttl".
func mxLook(complete bool, versions ...string) TTLLook {
	l := TTLLook{Name: "old.example", Type: "MX", Complete: complete}
	for _, v := range versions {
		var seen TTLSeen
		var seconds int
		if _, err := fmt.Sscan(v, &seen.Data, &seconds); err != nil {
			panic(err)
		}
		seen.TTL = time.Duration(seconds) * time.Second
		l.Seen = append(l.Seen, seen)
	}
	return l
}

// toldTTL writes what is known as "data ttl first-ended", in days from noon; an end of - is none.
func toldTTL(all []TTLSeen) (lines []string) {
	for _, s := range all {
		end := "-"
		if !s.Ended.IsZero() {
			end = fmt.Sprint(int(s.Ended.Sub(noon()) / day))
		}
		lines = append(lines, fmt.Sprintf("%s %d %d %s", s.Data, s.TTL/time.Second, s.First.Sub(noon())/day, end))
	}
	return lines
}

// When a lowering was seen first is known days after, in other runs; a server that was not heard ends nothing; a version that
// comes back begins anew.
func TestTTLsAreRemembered(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	for _, step := range []struct {
		day  int
		look TTLLook
		want []string
	}{
		{0, mxLook(true, "old 86400"), []string{"old 86400 0 -"}},
		{1, mxLook(true, "old 86400"), []string{"old 86400 0 -"}},
		{2, mxLook(false, "old 180"), []string{"old 86400 0 -", "old 180 2 -"}},
		{3, mxLook(true, "old 86400", "old 180"), []string{"old 86400 0 -", "old 180 2 -"}},
		{4, mxLook(true, "old 180"), []string{"old 86400 0 4", "old 180 2 -"}},
		{9, mxLook(true, "new 180"), []string{"old 86400 0 4", "old 180 2 9", "new 180 9 -"}},
		{10, mxLook(true, "old 180"), []string{"old 86400 0 4", "new 180 9 10", "old 180 10 -"}},
		{35, mxLook(true, "old 180"), []string{"new 180 9 10", "old 180 10 -"}},
	} {
		f, err := Open(ctx, dir)
		must(t, err)
		got, err := f.SawTTL(ctx, []TTLLook{step.look, {Name: "other.example", Type: "A", Complete: true}}, noon().Add(time.Duration(step.day)*day))
		must(t, err)
		must(t, f.Close())
		if lines := toldTTL(got); !reflect.DeepEqual(lines, step.want) {
			t.Errorf("day %d: %q, want %q", step.day, lines, step.want)
		}
	}
}

// What is kept has bounds, and a clock that was ahead once does not put a switch off.
func TestTTLsAreBounded(t *testing.T) {
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	long := strings.Repeat("x", maxData+1)
	for i := range mostTTL + 20 {
		got, err := f.SawTTL(ctx, []TTLLook{mxLook(true, fmt.Sprintf("%d%s 60", i, long))}, noon().Add(time.Duration(i)*time.Second))
		must(t, err)
		if len(got) > mostTTL {
			t.Fatalf("%d versions are kept", len(got))
		}
		if last := got[len(got)-1]; last.Data != TTLData(fmt.Sprint(i)+long) || len(last.Data) > 80 {
			t.Fatalf("kept as %q", last.Data)
		}
	}
	early := noon().Add(-day)
	got, err := f.SawTTL(ctx, []TTLLook{mxLook(true, "now 60")}, early)
	must(t, err)
	for _, s := range got {
		if s.Ended.After(early) {
			t.Errorf("%s ended at %v, looked at %v", s.Data, s.Ended, early)
		}
	}
}
