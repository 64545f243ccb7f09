package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailmove/cmd/internal/ui"
	"mailmove/state"
)

// hostile are texts that mail may bring.
func hostile() state.Exception {
	return state.Exception{
		Folder: "Rechnungen\x1b[2J\u202egnp.exe\n下書き and a name that is far too long for any column", UID: 7, Reason: "refused",
		Code: "CANNOT", Detail: "no\r\nway \x9b31m \xff", MessageID: "<a\tb@c>", Subject: "win\u200bner\a", Date: "Mon",
	}
}

func keepExceptions(t *testing.T, dir string, all ...state.Exception) {
	t.Helper()
	ctx := context.Background()
	f, err := state.Open(ctx, state.Options{Dir: dir, Account: "alice", Source: "a@old:993", Target: "b@new:993"})
	if err != nil {
		t.Fatal(err)
	}
	p := state.Pair{Source: "X", Target: "X", SourceName: "X", TargetName: "X"}
	err = f.PutPair(ctx, &p)
	for _, e := range all {
		if e.UID != 0 {
			e.Pair = p.ID
		}
		e.LastPass = 1
		_, put := f.PutException(ctx, e)
		err = errors.Join(err, put)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestExceptionTable(t *testing.T) {
	dir := t.TempDir()
	keepExceptions(t, dir, hostile(), state.Exception{Reason: "gone-on-target", Detail: "21 of 100 messages"},
		state.Exception{Folder: "INBOX", UID: 4294967295, Reason: "unreadable", Detail: strings.Repeat("long ", 100)})
	var out bytes.Buffer
	if err := (&selection{}).list(t.Context(), &app{out: &out, err: &out}, dir, false); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/exceptions.golden", out.Bytes())
	for _, r := range strings.ReplaceAll(out.String(), "\n", "") {
		if ui.Clean(string(r)) != string(r) {
			t.Errorf("%U is printed as it is", r)
		}
	}
	// A folder is chosen as it is shown whole, or as it is.
	for _, name := range []string{hostile().Folder, ui.Clean(hostile().Folder)} {
		if s := (selection{folder: name}); !s.takes(hostile()) {
			t.Errorf("not chosen by %q", name)
		}
	}
}

// Programs get every byte that JSON can carry, on one line, and nothing that a terminal acts on.
func TestExceptionJSON(t *testing.T) {
	dir := t.TempDir()
	keepExceptions(t, dir, hostile())
	var out bytes.Buffer
	if err := (&selection{id: "alice"}).list(t.Context(), &app{out: &out, err: &out}, dir, true); err != nil {
		t.Fatal(err)
	}
	var got exceptionRecord
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if h := hostile(); got.Folder != h.Folder || got.Subject != h.Subject || got.MessageID != h.MessageID || got.State != "new" && got.State != "known" {
		t.Errorf("got %+v", got)
	}
	if text := out.String(); strings.ContainsAny(text, "\x1b\u202e\u200b\a\u009b") || strings.Count(text, "\n") != 1 {
		t.Errorf("got %q", text)
	}
}

// The fields of the JSON lines are those that the documents name.
func TestRecordsAreDocumented(t *testing.T) {
	for page, record := range map[string]any{"exceptions.md": exceptionRecord{}, "status.md": statusRecord{}} {
		text, err := os.ReadFile(filepath.Join("../docs", page))
		if err != nil {
			t.Fatal(err)
		}
		_, part, _ := strings.Cut(string(text), "--json` gives")
		if page == "status.md" {
			_, part, _ = strings.Cut(string(text), "## --json")
		} else {
			part, _, _ = strings.Cut(part, "The texts come")
		}
		var have []string
		for _, row := range strings.Split(part, "\n") {
			if cells := strings.Split(row, "|"); page == "status.md" && len(cells) > 1 {
				row = cells[1]
			} else if page == "status.md" {
				continue
			}
			for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row, -1) {
				have = append(have, m[1])
			}
		}
		var want []string
		for i := range reflect.TypeOf(record).NumField() {
			want = append(want, reflect.TypeOf(record).Field(i).Tag.Get("json"))
		}
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Errorf("docs/%s has %q, the code %q", page, have, want)
		}
	}
}

func TestUIDRanges(t *testing.T) {
	for text, want := range map[string]string{"7": "7", "7,9:12": "7,9:12", "3:3": "3"} {
		var r uidRanges
		if err := r.Set(text); err != nil || r.String() != want {
			t.Errorf("%q: %q, %v", text, r.String(), err)
		}
	}
	for _, text := range []string{"", "0", "9:7", "1,", "x", "1-3", "4294967296", "1:*", "-1"} {
		var r uidRanges
		if err := r.Set(text); err == nil {
			t.Errorf("%q is taken as %s", text, r.String())
		}
	}
	r := uidRanges{{7, 7}, {9, 12}}
	if !r.contain(7) || r.contain(8) || !r.contain(12) || r.contain(13) || r.contain(0) {
		t.Error(r)
	}
}

// What may be on the target already, or is there, is not tried again by --all, and each says why; named, it is, with a
// warning.
func TestRetryChooses(t *testing.T) {
	dir := t.TempDir()
	at := func(uid uint32, reason string) state.Exception {
		return state.Exception{Folder: "X", UID: uid, Reason: reason}
	}
	keepExceptions(t, dir, at(1, "refused"), at(2, "flag"), at(3, "ambiguous"), at(4, "moved"), at(5, "of-a-later-program"),
		at(1, "date"), at(0, "folder"))
	for _, c := range []struct {
		s    selection
		out  string
		err  []string // of standard error
		code int
	}{
		{selection{all: true}, "alice: the next pass tries 1 message again\n",
			[]string{"1 of the reason ambiguous: .*twice; give --reason ambiguous", "1 of the reason date: ", "1 of the reason flag: ",
				"1 of the reason folder: ", "1 of the reason moved: .*twice", "1 of the reason of-a-later-program: "}, 0},
		{selection{reason: "ambiguous"}, "alice: the next pass tries 1 message again\n", []string{"^warning: .*twice\n$"}, 0},
		{selection{folder: "X", uids: uidRanges{{2, 2}}}, "", []string{"1 of the reason flag"}, exitUsage},
		{selection{folder: "Y"}, "", nil, exitNoInput},
	} {
		var out, told bytes.Buffer
		c.s.id = "alice"
		err := c.s.change(t.Context(), &app{out: &out, err: &told}, dir, c.s.retry)
		if out.String() != c.out || exitCode(err) != c.code {
			t.Errorf("%+v: %q, %v", c.s, out.String(), err)
		}
		for _, want := range c.err {
			if !regexp.MustCompile(want).MatchString(told.String()) {
				t.Errorf("%+v: no %q in %q", c.s, want, told.String())
			}
		}
	}
}
