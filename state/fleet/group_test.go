package fleet

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"
)

// A group is taken from the state that somebody saw it in, or not at all; and what was said with it is kept with it.
func TestGroupsMoveOnce(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	at := noon().Truncate(time.Millisecond).Local()
	copied := Group{Name: "one", State: "copied", Since: at, Why: "the passes", Trouble: at.Add(time.Minute)}
	must(t, f.Keep(ctx, Change{Groups: []Group{copied}, Outcomes: []Outcome{{Account: "a", Word: "done", Mail: at}}}))
	final := Group{Name: "one", State: "final", Since: at.Add(time.Hour), Why: "by\nroot", From: "copied"}
	must(t, f.Keep(ctx, Change{Groups: []Group{final}}))

	late := Group{Name: "one", State: "planned", From: "copied"}
	note := Note{Key: "k", Channel: "mail", Recipient: "a@b", Kind: "start", Name: "one", Created: at}
	err := f.Keep(ctx, Change{Groups: []Group{late}, Notes: []Note{note}, Outcomes: []Outcome{{Account: "a", Word: "failed"}}})
	if !errors.Is(err, ErrGroupMoved) {
		t.Errorf("a change that was made for another state: %v", err)
	}
	if err := f.Keep(ctx, Change{Groups: []Group{{Name: "two", State: "final", From: "copied"}}}); !errors.Is(err, ErrGroupMoved) {
		t.Errorf("a group that nobody keeps: %v", err)
	}
	if n, _, err := f.NotesWaiting(ctx); err != nil || n != 0 {
		t.Errorf("a note of what did not happen was kept: %d, %v", n, err)
	}
	if o, _, err := f.Outcome(ctx, "a"); err != nil || o.Word != "done" || !o.Mail.Equal(at) {
		t.Errorf("an outcome of what did not happen was kept: %+v, %v", o, err)
	}

	same := final // no step: the state is the same
	same.From, same.Trouble, same.Safe = "final", at.Add(2*time.Hour), at.Add(3*time.Hour)
	must(t, f.Keep(ctx, Change{Groups: []Group{same}}))
	must(t, f.Close())
	f = openTest(t, dir)
	groups, err := f.Groups(ctx)
	must(t, err)
	same.From, same.Why = "", "by root"
	if !reflect.DeepEqual(groups, map[string]Group{"one": same}) {
		t.Errorf("got %+v, want %+v", groups, same)
	}
	steps, err := f.Steps(ctx, "one")
	must(t, err)
	want := []Step{{"copied", at, "the passes"}, {"final", at.Add(time.Hour), "by root"}}
	if !reflect.DeepEqual(steps, want) {
		t.Errorf("got %+v, want %+v", steps, want)
	}
}

// A file of before groups were kept: what it knows of good passes stands for what it does not know of mail.
func TestGroupsComeToAnOldFile(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	old := schema()
	f, err := open(ctx, dir, old[:slices.IndexFunc(old, func(step []string) bool { return slices.Equal(step, cutoverTables()) })])
	must(t, err)
	_, err = f.db.ExecContext(ctx, `INSERT INTO outcomes VALUES ('a', 'done', 0, '', 1, 2, 3, 4, 0, 0)`)
	must(t, err)
	must(t, f.Close())
	f = openTest(t, dir)
	if o, known, err := f.Outcome(ctx, "a"); err != nil || !known || !o.Mail.Equal(moment(3)) {
		t.Errorf("%+v, %v, %v", o, known, err)
	}
	if groups, err := f.Groups(ctx); err != nil || len(groups) != 0 {
		t.Errorf("%v, %v", groups, err)
	}
}
