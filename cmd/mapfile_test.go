package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMapLines(t *testing.T) {
	for line, want := range map[string][2]string{
		`A=B`:                  {"A", "B"},
		`A b = C d`:            {"A b", "C d"},
		"\tA\t=\tB\t":          {"A", "B"},
		`A=B # why`:            {"A", "B"},
		`A=B# 2`:               {"A", "B# 2"},
		`A=B#2 #`:              {"A", "B#2"},
		`a\=b = c\=d=e`:        {"a=b", "c=d=e"},
		`"A " = " B"`:          {"A ", " B"},
		`"A"="B"#why`:          {"A", "B"},
		`"#1" = "Team #2" # x`: {"#1", "Team #2"},
		`"a=b"=c`:              {"a=b", "c"},
		`"say \"hi\" \\ \n"=c`: {`say "hi" \ \n`, "c"},
		`A "b"=c "d"`:          {`A "b"`, `c "d"`},
		"A\u00a0=B":            {"A\u00a0", "B"}, // it shows as a blank, and is a letter of the name
	} {
		if r, err := mapLine(strings.Trim(line, " \t")); err != nil || [2]string{r.Source, r.Target} != want {
			t.Errorf("%s: %q to %q, %v", line, r.Source, r.Target, err)
		}
	}
	for line, want := range map[string]string{
		`A`: "there is no =", `A # = B`: "there is no =", `=B`: "it names no source folder", ` = B`: "it names no source folder",
		`""=B`: "it names no source folder", `A=`: "it names no target folder", `A= # B`: "it names no target folder",
		`A=""`: "it names no target folder", `"A=B`: "a quote is not closed", `A="B\"`: "a quote is not closed",
		`"A" b=C`: "there is no =", `A="B" c`: "there is something after the quotes", "A\xff=B": "it is not UTF-8", "\"A\xff\"=B": "it is not UTF-8",
	} {
		if r, err := mapLine(line); err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v; want %s", line, r, err, want)
		}
	}
}

// Comments and blank lines are counted: an error names the line as an editor does.
func TestMapFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "map")
	if err := os.WriteFile(path, []byte("\xef\xbb\xbf# what\r\n\r\n  # why\r\n A = B \r\n\t\r\nC=\"D \" # x\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rules, err := (&mappingFlags{mapFile: path}).readFile()
	if err != nil || len(rules) != 2 || rules[0].Target != "B" || rules[1].Target != "D " || rules[1].Where != "--map-file "+path+":6" {
		t.Errorf("%q, %v", rules, err)
	}
}
