package fleet

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestBreakFor(t *testing.T) {
	var got []time.Duration
	for level := 1; level <= 7; level++ {
		got = append(got, breakFor(level)/time.Minute)
	}
	if want := []time.Duration{15, 30, 60, 120, 240, 240, 240}; !slices.Equal(got, want) || breakFor(1<<40) != breakMost {
		t.Errorf("%v, want %v", got, want)
	}
}

// Three accounts in a row open it; one account three times, or a success in between, does not.
func TestBreakerOpens(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f, now := openTest(t, dir), noon()
	fail := func(user string) {
		t.Helper()
		must(t, f.Failed(ctx, login("s", user, "x"), now, "no"))
		now = now.Add(time.Minute)
	}
	closed := func() {
		t.Helper()
		if b := blocked(t, f, login("s", "new", "x"), now); b != nil {
			t.Fatal(b)
		}
	}
	for _, user := range []string{"a", "a", "a", "a", "b"} {
		fail(user)
		closed()
	}
	must(t, f.Succeeded(ctx, login("s", "good", "y"), now))
	fail("c")
	fail("d")
	closed()
	must(t, f.Failed(ctx, login("other", "e", "x"), now, "no")) // another server's
	closed()
	opened := now
	fail("e")
	other := openTest(t, dir) // another process knows
	b := blocked(t, other, login("s", "new", "x"), opened.Add(15*time.Minute-time.Second))
	if b == nil || !b.Server || b.Failures != 3 || !b.Until.Equal(opened.Add(15*time.Minute)) || !b.Since.Equal(opened.Add(-2*time.Minute)) {
		t.Fatalf("%+v", b)
	}
	if b := blocked(t, other, login("other", "new", "x"), now); b != nil {
		t.Errorf("another server: %v", b)
	}
}

// A failure of yesterday and the day before is not in a row with today's.
func TestRowEnds(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	for day := range 5 {
		now := noon().AddDate(0, 0, day).Add(time.Duration(day) * time.Minute)
		must(t, f.Failed(ctx, login("s", fmt.Sprint("user", day), "x"), now, ""))
		if b := blocked(t, f, login("s", "new", "x"), now); b != nil {
			t.Fatalf("day %d: %v", day, b)
		}
	}
}

func open3(t *testing.T, f *Fleet, server string) {
	t.Helper()
	for _, user := range []string{"a", "b", "c"} {
		must(t, f.Failed(context.Background(), login(server, user, "x"), noon(), "no"))
	}
}

// When the time is up one may try; its failure doubles the time, its silence ends after two minutes, its success
// opens the way for all.
func TestProbe(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	open3(t, f, "s")
	now := noon()
	for i, minutes := range []time.Duration{15, 30, 60, 120, 240, 240} {
		until := now.Add(minutes * time.Minute)
		if b := blocked(t, f, login("s", "early", "x"), until.Add(-time.Second)); b == nil || !b.Server || !b.Until.Equal(until) {
			t.Fatalf("break %d: %+v", i+1, b)
		}
		now = until
		probe := login("s", fmt.Sprint("probe", i), "x")
		if b := blocked(t, f, probe, now); b != nil {
			t.Fatalf("break %d: the probe: %v", i+1, b)
		}
		if b := blocked(t, f, login("s", "second", "x"), now.Add(time.Second)); b == nil || !b.Until.Equal(now.Add(probeTime)) {
			t.Fatalf("break %d: a second probe: %+v", i+1, b)
		}
		must(t, f.Failed(ctx, probe, now, "no"))
	}
	now = now.Add(breakMost)
	if b := blocked(t, f, login("s", "killed", "x"), now); b != nil {
		t.Fatal(b)
	}
	now = now.Add(probeTime)
	lucky := login("s", "lucky", "x")
	if b := blocked(t, f, lucky, now); b != nil {
		t.Fatalf("the probe that was killed blocks: %v", b)
	}
	must(t, f.Succeeded(ctx, lucky, now))
	for i := range 5 {
		if b := blocked(t, f, login("s", fmt.Sprint("all", i), "x"), now); b != nil {
			t.Error(b)
		}
	}
	// And the row begins anew.
	must(t, f.Failed(ctx, login("s", "d", "x"), now, ""))
	must(t, f.Failed(ctx, login("s", "e", "x"), now, ""))
	if b := blocked(t, f, login("s", "f", "x"), now); b != nil {
		t.Error(b)
	}
}

// What was under way when the breaker opened, and a person who insists, do not make it longer; a credential that
// has to wait does not use up the probe.
func TestFailuresWhileOpen(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	open3(t, f, "s")
	for i := range 4 {
		must(t, f.Failed(ctx, login("s", fmt.Sprint("late", i), "x"), noon().Add(time.Minute), "no"))
	}
	up := noon().Add(15 * time.Minute)
	if b := blocked(t, f, login("s", "new", "x"), noon().Add(time.Minute)); b == nil || b.Failures != 7 || !b.Until.Equal(up) {
		t.Errorf("%+v", b)
	}
	if b := blocked(t, f, login("s", "a", "x"), up); b == nil || b.Server {
		t.Errorf("%+v", b)
	}
	if b := blocked(t, f, login("s", "new", "x"), up); b != nil {
		t.Error(b)
	}
}

// Wrong passwords are answered slowly: those that end together were in no row where a login worked that began after them.
func TestRowIsOfBeginnings(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	fail := func(user string, began time.Duration) {
		l := login("s", user, "x")
		l.Began = noon().Add(began)
		must(t, f.Failed(ctx, l, noon().Add(3*time.Second), "no"))
	}
	good := login("s", "good", "y")
	good.Began = noon().Add(50 * time.Millisecond)
	must(t, f.Succeeded(ctx, good, noon().Add(time.Second)))
	for i := range time.Duration(4) {
		fail(fmt.Sprint("slow", i), i*10*time.Millisecond)
	}
	if b := blocked(t, f, login("s", "new", "x"), noon().Add(4*time.Second)); b != nil {
		t.Errorf("a login worked between them: %v", b)
	}
	for i := range time.Duration(3) {
		fail(fmt.Sprint("late", i), time.Second+i)
	}
	if b := blocked(t, f, login("s", "new", "x"), noon().Add(4*time.Second)); b == nil || b.Failures != 3 {
		t.Errorf("%+v", b)
	}
}

// A login that worked before is let through while a server is left alone, one at a time, and opens it; when one was refused,
// the others wait for the time that everybody waits for.
func TestWhoWorkedOpens(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	worked := func(user string) Login {
		l := login("s", user, "x")
		l.Worked = true
		return l
	}
	open3(t, f, "s")
	soon := noon().Add(time.Minute)
	if b := blocked(t, f, login("s", "new", "x"), soon); b == nil {
		t.Fatal("anybody is let in")
	}
	if b := blocked(t, f, worked("a good one"), soon); b != nil {
		t.Fatal(b)
	}
	if b := blocked(t, f, worked("another"), soon); b == nil || !b.Server {
		t.Fatal("two at once")
	}
	must(t, f.Succeeded(ctx, worked("a good one"), soon))
	if b := blocked(t, f, login("s", "new", "x"), soon); b != nil {
		t.Fatal(b)
	}

	// Now the server refuses everybody, and once the time is up still does.
	must(t, f.Forget(ctx, "s", ""))
	open3(t, f, "s")
	if b := blocked(t, f, worked("a good one"), soon); b != nil {
		t.Fatal(b)
	}
	must(t, f.Failed(ctx, worked("a good one"), soon, "no"))
	up := noon().Add(15 * time.Minute)
	if b := blocked(t, f, worked("another"), soon); b == nil || !b.Until.Equal(up) {
		t.Fatalf("%+v", b)
	}
	if b := blocked(t, f, worked("another"), up); b != nil {
		t.Fatal(b)
	}
	must(t, f.Failed(ctx, worked("another"), up, "no"))
	if b := blocked(t, f, worked("a third"), up.Add(time.Minute)); b == nil || !b.Until.Equal(up.Add(30*time.Minute)) {
		t.Fatalf("%+v", b)
	}

	// A login that had worked is the third in a row.
	for _, l := range []Login{login("t", "a", "x"), login("t", "b", "x"), {Server: "t", User: "c", Credential: []byte("x"), Worked: true}} {
		must(t, f.Failed(ctx, l, noon(), "no"))
	}
	if b := blocked(t, f, Login{Server: "t", User: "d", Credential: []byte("x"), Worked: true}, soon); b == nil {
		t.Error("the server is asked by one after another")
	}
}

// Two processes and this one ask at the same moment: one is let through.
func TestOneProbeOfManyProcesses(t *testing.T) {
	dir := t.TempDir()
	open3(t, openTest(t, dir), "shy")
	one, lineOne := child(t, "probe", "one", dir)
	two, lineTwo := child(t, "probe", "two", dir)
	lines := []string{lineOne(), lineTwo()}
	must(t, one.Wait())
	must(t, two.Wait())
	slices.Sort(lines)
	if !slices.Equal(lines, []string{"through 0", "through 1"}) {
		t.Errorf("%q", lines)
	}
}
