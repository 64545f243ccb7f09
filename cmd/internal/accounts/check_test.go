package accounts

import (
	"errors"
	"strings"
	"testing"
)

// What is wrong between rows is told at each row that it concerns.
func TestCheck(t *testing.T) {
	l := readText(t, "id,source_user,target_user\n"+
		"1,a,a2\n"+ // 2: as line 3
		"2,a,a2\n"+ // 3: the same account
		"3,b,x\n"+ // 4: one target with 5 and 6
		"4,c,x\n"+
		"5,d,x\n"+
		"6,e,e\n"+ // 7: source is target
		"7,f,f2\n"+ // 8: id of 9
		"7,g,g2\n"+
		"8,,h2\n"+ // 10: nothing known of the source
		"9,,i2\n"+
		"10,bad,j2\n") // 12: resolve refuses
	l.Check(func(r Row) (string, string, error) {
		if r.Fields["source_user"] == "bad" {
			return "", "", Problem{Column: "source_user", Text: "bad", Hint: "hint"}
		}
		return r.Fields["source_user"], r.Fields["target_user"], nil
	})
	want := map[int]string{
		3:  "line 3: the same account as in line 2",
		4:  "line 4: column target_user: goes into the same mailbox as line 5",
		5:  "line 5: column target_user: goes into the same mailbox as line 4",
		6:  "line 6: column target_user: goes into the same mailbox as line 4",
		7:  "line 7: source and target are the same mailbox",
		8:  "line 8: column id: has the same id as line 9",
		9:  "line 9: column id: has the same id as line 8",
		12: "line 12: column source_user: bad",
	}
	for _, r := range l.Rows {
		var texts []string
		for _, p := range r.Problems {
			texts = append(texts, p.Error())
		}
		if got := strings.Join(texts, "; "); got != want[r.Line] {
			t.Errorf("line %d: %q, want %q", r.Line, got, want[r.Line])
		}
	}
}

type hinted struct{ error }

func (hinted) Hint() string { return "do this" }

func TestCheckTakesHints(t *testing.T) {
	l := readText(t, "source_user,target_user\na,b\n")
	l.Check(func(Row) (string, string, error) { return "", "", hinted{errors.New("no")} })
	if p := l.Rows[0].Problems; len(p) != 1 || p[0] != (Problem{Line: 2, Text: "no", Hint: "do this"}) {
		t.Errorf("%+v", p)
	}
}

func TestExpand(t *testing.T) {
	for template, want := range map[string]string{
		"{user}*master": "al{id}ice*master", "{user}@{domain}": "al{id}ice@old.example", "{id}": "7", "{other}": "{other}", "": "", "plain": "plain",
	} {
		if got := Expand(template, "al{id}ice", "old.example", "7"); got != want {
			t.Errorf("%s: %s, want %s", template, got, want)
		}
	}
}
