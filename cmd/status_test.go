package cmd

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"mailmove/state"
)

// Messages that were moved on the target have a column where there are any, and no account loses its place by that.
func TestStatusShowsMovedMessages(t *testing.T) {
	dir := t.TempDir()
	keep := func(account string, moved ...uint32) {
		t.Helper()
		ctx := context.Background()
		f, err := state.Open(ctx, state.Options{Dir: dir, Account: account, Source: "a@old:993", Target: "b@new:993"})
		if err != nil {
			t.Fatal(err)
		}
		p := state.Pair{Source: "INBOX", Target: "INBOX"}
		err = f.PutPair(ctx, &p)
		if err == nil {
			err = f.PutRows(ctx, p.ID, []state.Row{{SourceUID: 1, TargetUID: 1, Size: 9}, {SourceUID: 2, TargetUID: 2, Size: 9}, {SourceUID: 3, TargetUID: 3, Size: 9}})
		}
		if err == nil {
			err = f.SetStatus(ctx, p.ID, moved, state.Moved)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	show := func(json bool) []string {
		t.Helper()
		var out bytes.Buffer
		f := statusFlags{json: json}
		if err := f.run(context.Background(), &app{out: &out, err: &out}, dir); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(out.String()), "\n")
	}
	table := func(want ...string) {
		t.Helper()
		got := show(false)
		for i := range got {
			got[i] = strings.Join(strings.Fields(got[i]), " ")
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%q, want %q", got, want)
		}
	}
	keep("alice")
	table("FOLDERS MESSAGES SIZE EXCEPTIONS LAST PASS ACCOUNT", "1 3 27 B 0 no pass yet alice")
	keep("bert", 1, 3)
	table("FOLDERS MESSAGES SIZE MOVED EXCEPTIONS LAST PASS ACCOUNT", "1 3 27 B 0 0 no pass yet alice", "1 1 9 B 2 0 no pass yet bert")
	for i, want := range []string{`"stored":3,"bytes":27,"moved":0,"gone":0,"refused":0,"deferred":0,`, `"stored":1,"bytes":9,"moved":2,"gone":0,"refused":0,"deferred":0,`} {
		if line := show(true)[i]; !strings.Contains(line, want) {
			t.Errorf("%s has no %s", line, want)
		}
	}
}
