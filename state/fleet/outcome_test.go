package fleet

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestOutcomesAreKept(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	at := noon().Truncate(time.Millisecond).Local()
	want := map[string]Outcome{
		"a": {Account: "a", Word: "failed", Code: 161, Text: "login refused", Since: at, Last: at.Add(time.Hour), Told: at},
		"b": {Account: "b", Word: "done", Since: at, Last: at, Good: at, Final: true, Exceptions: 3},
	}
	must(t, f.Record(ctx, Outcome{Account: "a", Word: "done"}))
	must(t, f.Record(ctx))
	must(t, f.Record(ctx, want["a"], want["b"]))
	must(t, f.Close())
	f = openTest(t, dir)
	got, err := f.Outcomes(ctx)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if o, known, err := f.Outcome(ctx, "b"); err != nil || !known || !reflect.DeepEqual(o, want["b"]) {
		t.Errorf("%+v, %v, %v", o, known, err)
	}
	if _, known, err := f.Outcome(ctx, "c"); err != nil || known {
		t.Errorf("an account that nobody noted: %v, %v", known, err)
	}
	must(t, f.ForgetOutcome(ctx, "a"))
	must(t, f.ForgetOutcome(ctx, "never seen"))
	if got, err = f.Outcomes(ctx); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	must(t, f.Record(ctx, Outcome{Account: "c", Text: strings.Repeat("x\n", maxText)}))
	got, err = f.Outcomes(ctx)
	must(t, err)
	if text := got["c"].Text; len(text) > maxText || strings.Contains(text, "\n") {
		t.Errorf("a text of %d bytes was kept as it came", len(text))
	}
}

// A limit is believed for a while, and not one of the future.
func TestLimitsAreBelievedForAWhile(t *testing.T) {
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	must(t, f.Limited(ctx, "Old.example.", 3, noon()))
	for after, want := range map[time.Duration]int{0: 3, keepLimit - time.Second: 3, keepLimit + time.Second: 0, -time.Hour: 0} {
		got, err := f.Limits(ctx, noon().Add(after))
		must(t, err)
		if got["old.example"] != want {
			t.Errorf("after %v: %v, want %d", after, got, want)
		}
	}
	must(t, f.Limited(ctx, "old.example", 5, noon()))
	if got, err := f.Limits(ctx, noon()); err != nil || got["old.example"] != 5 {
		t.Errorf("%v, %v", got, err)
	}
}

// A day's volume adds up, and the next day begins at nothing.
func TestVolumesAreOfADay(t *testing.T) {
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	today, tomorrow := noon(), noon().AddDate(0, 0, 1)
	must(t, f.AddVolume(ctx, "a", today, 100))
	must(t, f.AddVolume(ctx, "a", today, 11))
	must(t, f.AddVolume(ctx, "b", today, 5))
	must(t, f.AddVolume(ctx, "b", tomorrow, 7))
	for day, want := range map[time.Time]map[string]int64{today: {"a": 111}, tomorrow: {"b": 7}} {
		if got, err := f.Volumes(ctx, day); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %v, %v; want %v", day, got, err, want)
		}
	}
}
