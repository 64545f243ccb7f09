package real

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMissingServers runs this binary without the packages: skipped loudly, or failed where servers are demanded.
func TestMissingServers(t *testing.T) {
	for _, c := range []struct {
		env    string
		passes bool
	}{{"CI=", true}, {"CI=false", true}, {"CI=true", false}, {"MAILMOVE_REQUIRE_SERVERS=1", false}} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLogins$", "-test.v")
		cmd.Env = append(os.Environ(), "CI=", "MAILMOVE_REQUIRE_SERVERS=", "MAILMOVE_TEST_SERVERS="+t.TempDir(), c.env)
		out, err := cmd.CombinedOutput()
		if (err == nil) != c.passes || !strings.Contains(string(out), "make test") {
			t.Errorf("%s: %v\n%s", c.env, err, out)
		}
		if c.passes && !strings.Contains(string(out), "*** TestLogins SKIPPED") {
			t.Errorf("%s: skipped without a word:\n%s", c.env, out)
		}
	}
}

func TestRelocateRefusesAnotherLength(t *testing.T) {
	if err := relocate(t.TempDir(), "/tmp/of-another-length"); err == nil {
		t.Error("paths of another length would break the binaries")
	}
}
