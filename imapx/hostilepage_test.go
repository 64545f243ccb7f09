package imapx_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"mailmove/imapx"
)

const hostileDocument = "../docs/hostile-servers.md"

// TestHostileDocument: docs/hostile-servers.md is made from the transcripts and the bounds themselves. Run it with -update
// behind TestHostileServers to write both anew.
func TestHostileDocument(t *testing.T) {
	want := hostilePage(t)
	if *update {
		if err := os.WriteFile(hostileDocument, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(hostileDocument)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is not what the transcripts say; run go test ./imapx -run TestHostile -update", hostileDocument)
	}
}

func hostilePage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Broken and hostile servers

What a server may say is bounded, and everything odd that servers are known for is played to mailmove by its tests. Each
ends in a pass, in an exception (a message or a folder that is left out and told), or in an error with a name and an exit
code. Nothing hangs, and memory does not depend on the server's good will.

Made by ` + "`go test ./imapx -run TestHostile -update`" + ` from imapx/testdata/hostile; TestHostileServers plays the files,
bounds the time of each by 90 seconds and its memory by ` + fmt.Sprint(memoryOfOne>>20) + ` MiB.

## Bounds

| what | bound | beyond |
| --- | --- | --- |
`)
	for _, r := range [][3]string{
		{"one line of an answer, without its literals", "1 MiB; 16 MiB where it is a list of numbers (SEARCH, ESEARCH, VANISHED)", "error: the connection ends (exit 76)"},
		{"literals of one answer that are kept in memory", "8 MiB; a body goes where there is room for it (`--memory`, then the disk)", "thrown away; the message is asked for alone, then an exception"},
		{"one literal", "1 TiB announced", "error: the connection ends (exit 76)"},
		{"literals of one answer", "4096", "error: the connection ends (exit 76)"},
		{"lists within lists", "64 deep", "the answer is dropped; the message is asked for alone, then an exception"},
		{"flags of one message", "4096, of 64 KiB together", "the same"},
		{"different flags of one folder's messages, where a whole folder is compared", "16 MiB", "the folder is an exception"},
		{"bodies of one answer", "1", "the others are thrown away"},
		{"folders", fmt.Sprint(imapx.MaxFolders), "error (exit 76)"},
		{"names of all folders together", fmt.Sprintf("%d MiB", imapx.MaxNames>>20), "error (exit 76)"},
		{"levels of all folders together", fmt.Sprint(imapx.MaxLevels), "error (exit 76)"},
		{"one folder's name; its attributes; its separator", fmt.Sprintf("%d KiB; %d, of %d KiB together; %d bytes", imapx.MaxName>>10, imapx.MaxAttrs,
			imapx.MaxAttrText>>10, imapx.MaxDelim), "the line is dropped, the listing counts as incomplete, and that is an exception"},
		{"messages of one folder", fmt.Sprint(imapx.MaxMessages), "the folder is an exception"},
		{"questions in place of one SEARCH that the server cuts (MESSAGELIMIT)", fmt.Sprint(imapx.MaxSteps), "the folder is an exception"},
		{"answers in a row that bring nothing", fmt.Sprint(imapx.MaxUnwanted), "the connection ends, another attempt is made, then an error (exit 76)"},
		{"time without a byte", "2 minutes", "the connection ends, another attempt is made, then an error (exit 101, 102)"},
		{"time with words that bring nothing (`* OK Still here`)", fmt.Sprintf("%d times as long", imapx.MaxIdle), "the same"},
		{"an answer that has begun, and comes too slowly", fmt.Sprintf("less than %d KiB in that time", imapx.MaxTrickle>>10), "the same"},
	} {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r[0], r[1], r[2])
	}
	b.WriteString(`
## Transcripts

What the server does, and what it ends in. A message that is carried is shown with its UID, its bytes and its flags, a
folder with the number of its messages.
`)
	for _, g := range [][2]string{{"greeting silent caps login", "Greeting and login"}, {"list", "Folders"}, {"examine search esearch", "Which messages there are"},
		{"fetch", "Messages"}, {"append", "Appending to the target"}} {
		fmt.Fprintf(&b, "\n### %s\n\n| transcript | the server | ends in |\n| --- | --- | --- |\n", g[1])
		for _, x := range transcripts(t) {
			kind, _, _ := strings.Cut(x.name, "-")
			if strings.Contains(" "+g[0]+" ", " "+kind+" ") {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", x.name, cell(x.what), cell(x.ends))
			}
		}
	}
	return b.String()
}

// cell keeps a table a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "[", `\[`, "_", `\_`).Replace(s)
}
