package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"testing"
)

// passNumbers are what a dry run and a pass must agree in.
type passNumbers struct {
	Type           string `json:"type"`
	Folders        int64  `json:"folders"`
	FoldersCreated int64  `json:"folders_created"`
	SourceMessages int64  `json:"source_messages"`
	ToCopy         int64  `json:"to_copy"`
	ToCopyBytes    int64  `json:"to_copy_bytes"`
	Copied         int64  `json:"copied"`
	CopiedBytes    int64  `json:"copied_bytes"`
	Matched        int64  `json:"matched"`
	Flags          int64  `json:"flags"`
	NewExceptions  int64  `json:"new_exceptions"`
}

// numbers runs a pass with --json and gives its last line.
func (a stopAccount) numbers(t *testing.T, more ...string) (n passNumbers) {
	t.Helper()
	c := exec.CommandContext(t.Context(), a.program, append(append(a.args(a.target.Addr()), "--json"), more...)...)
	c.Env = a.env()
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == exitExceptions) {
		t.Fatalf("%v: %s", err, said.String())
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &n); err != nil || n.Type != "pass-ended" {
		t.Fatalf("%v: %s", err, lines[len(lines)-1])
	}
	return n
}

// On real servers, with every quirk of the corpus: a first pass, one without changes, and one whose state was lost.
func TestDryRunOnDovecot(t *testing.T) {
	t.Parallel()
	a := newStopBench(t, 1).account(t)
	for _, step := range []string{"first", "unchanged", "state lost"} {
		if step == "state lost" {
			c := exec.Command(a.program, "forget", "--id", "moved", "--yes", "--state-dir", a.state)
			if said, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, said)
			}
		}
		dry, did := a.numbers(t, "--dry-run"), a.numbers(t)
		did.ToCopy, did.ToCopyBytes, did.Copied, did.CopiedBytes, did.NewExceptions = did.Copied, did.CopiedBytes, 0, 0, 0
		if dry != did {
			t.Errorf("%s: said %+v\ndid %+v", step, dry, did)
		}
		if want := map[string]int64{"first": dry.ToCopy, "state lost": dry.Matched}; step != "unchanged" && want[step] != dry.SourceMessages {
			t.Errorf("%s: %+v", step, dry)
		}
	}
	a.finish(t, "after it")
}
