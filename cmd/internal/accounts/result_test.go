package accounts

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mailmove/imapx/auth"
)

// resultOf writes a list as a run leaves it behind.
func resultOf(t interface{ Fatal(...any) }, l *List) string {
	var b bytes.Buffer
	err := l.WriteResult(&b, func(int) []string {
		return []string{"failed", "161", "0", "0", "0", "1.5", "=check"}
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// withoutPasswords is what a row says beside them.
func withoutPasswords(r Row) string {
	r.Secrets = nil
	return rendered(r)
}

// A result says of every row what the list said, whatever tool's that was.
func TestResultReadsBack(t *testing.T) {
	for _, c := range formatCases() {
		l := readFile(t, c.file)
		text := resultOf(t, l)
		back := readText(t, text)
		if len(back.Rows) != len(l.Rows) {
			t.Errorf("%s: %d rows became %d\n%s", c.file, len(l.Rows), len(back.Rows), text)
			continue
		}
		for i, r := range l.Rows {
			if len(r.Problems) == 0 && withoutPasswords(back.Rows[i]) != withoutPasswords(r) {
				t.Errorf("%s: %q became %q", c.file, withoutPasswords(r), withoutPasswords(back.Rows[i]))
			}
			for _, secret := range r.Secrets {
				if p := secret.Reveal(); len(p) > 3 && strings.Contains(text, p) {
					t.Errorf("%s: a password is in the result", c.file)
				}
			}
		}
		if again := resultOf(t, back); again != text {
			t.Errorf("%s: written again it is\n%s\nwas\n%s", c.file, again, text)
		}
	}
}

// The options of a row without a header come back: without --subfolder2 mail would go into other folders.
func TestResultKeepsOptions(t *testing.T) {
	l := readText(t, "old.example;alice;pw;new.example;alice;pw;--subfolder2 Old --exclude ^Spam$;\nold.example;bob;pw;new.example;bob;pw;\n")
	back := readText(t, resultOf(t, l))
	want := "source=old.example source_user=alice target=new.example target_user=alice --into Old --exclude Spam"
	if got := withoutPasswords(back.Rows[0]); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if len(back.Warnings) > 0 {
		t.Errorf("%v", back.Warnings)
	}
}

// Excel takes UTF-8 without a mark for Windows-1252: the result of such a list has one, and so has a converted one.
func TestWhatWasNotUTF8GetsAMark(t *testing.T) {
	for name, data := range map[string]string{
		"windows-1252": "source;source_user;target;target_user\r\nh;J\xfcrgen;n;j\r\n",
		"utf-16":       toUTF16("source;source_user;target;target_user\r\nh;Jürgen;n;j\r\n", false),
	} {
		l := readText(t, data)
		var ours bytes.Buffer
		if err := l.Write(&ours); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{resultOf(t, l), ours.String()} {
			if l.Encoding != name || !strings.HasPrefix(text, "\ufeff") || !strings.Contains(text, "Jürgen") {
				t.Errorf("%s, read as %s: %q", name, l.Encoding, text)
			}
		}
	}
}

// No cell is run by a spreadsheet, no row becomes a comment, and nothing changes on the way there and back.
func TestResultOfAnyRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := &List{Delim: rapid.SampledFrom([]rune{';', ',', '\t', '|'}).Draw(t, "delim")}
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			r := drawnRow(t)
			if r.Secrets == nil {
				r.Secrets = make(map[string]auth.Secret)
			}
			src.Rows = append(src.Rows, r)
		}
		var list bytes.Buffer
		if err := src.Write(&list); err != nil {
			t.Fatal(err)
		}
		l, err := Read(&list, "list", Options{Columns: testColumns()})
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "headerless") {
			l.Header = nil
		}
		text := resultOf(t, l)
		back, err := Read(strings.NewReader(text), "result", Options{Columns: testColumns()})
		if err != nil || len(back.Rows) != len(l.Rows) {
			t.Fatalf("%v\n%s", err, text)
		}
		for i, r := range back.Rows {
			if got, want := withoutPasswords(r), withoutPasswords(l.Rows[i]); got != want {
				t.Fatalf("row %d was %q\nand is  %q\n%s", i, want, got, text)
			}
			for _, c := range r.Cells {
				if c != "" && strings.IndexByte(formulas, c[0]) >= 0 {
					t.Fatalf("%q is run", c)
				}
			}
		}
	})
}

// A heading may be a formula too, and a cell that begins with # stays a row's.
func TestResultOfOddCells(t *testing.T) {
	text := resultOf(t, readText(t, "id;source;source_user;target;target_user;=HYPERLINK(1)\n\"#7\";h;'=a;n;\tb;=1+1\n"))
	if strings.Contains(text, ";=") {
		t.Errorf("%s", text)
	}
	back := readText(t, text)
	if len(back.Rows) != 1 || rendered(back.Rows[0]) != "id=#7 source=h source_user==a target=n target_user=b" {
		t.Errorf("%s%v", text, back.Rows)
	}
}

// Excel leaves out separators at the end of rows that are empty there. A separator that is missing elsewhere is still found.
func TestResultThatExcelSaved(t *testing.T) {
	const heads = "id;source;source_user;target;target_user;outcome;exit_code;messages;bytes;exceptions;duration;next_action\n"
	for row, sound := range map[string]bool{
		"a;h;u;n;v;done;0;3;99;0;1.5":                true,
		"a;h;u;n;v;failed;161;0;0;0;1.5;check":       true,
		"a;h;u;n;v":                                  true, // not selected
		"a;h;u;n;v;;;;;;;":                           true,
		"a;h;un;v;done;0;3;99;0;1.5;":                false,
		"a;h;un;v;failed;161;0;0;0;1.5;check":        false,
		"a;h;u;n":                                    false,
		"a;h;u;n;v;done;0;3;99;0;1.5;check;too;many": false,
	} {
		r := readText(t, heads+row+"\n").Rows[0]
		if (len(r.Problems) == 0) != sound || sound && rendered(r) != "id=a source=h source_user=u target=n target_user=v" {
			t.Errorf("%s: %s", row, rendered(r))
		}
	}
	if r := readText(t, ownHeader+",note\n1,h,u,p,n,v,q\n").Rows[0]; len(r.Problems) == 0 {
		t.Error("a short row of a list that is no result is taken")
	}
}
