//go:build bench

package bench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mailmove/imapx/imaptest/real"
)

func mbsync(j job) (*exec.Cmd, error) {
	store := func(name, addr, user string) string {
		host, port, _ := net.SplitHostPort(addr)
		return fmt.Sprintf("IMAPAccount %[1]s\nHost %[2]s\nPort %[3]s\nUser %[4]s\nPass %[5]s\nSSLType None\nAuthMechs LOGIN\nTimeout 600\n\n"+
			"IMAPStore %[1]s\nAccount %[1]s\n\n", name, host, port, user, real.Password)
	}
	state := filepath.Join(j.dir, "mbsync")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	conf, err := j.write("mbsyncrc", store("source", j.source, j.sourceUser)+store("target", j.target, j.targetUser)+
		"Channel all\nFar :source:\nNear :target:\nPatterns *\nSync Pull\nCreate Near\nCopyArrivalDate yes\nSyncState "+state+"/\n")
	if err != nil {
		return nil, err
	}
	root := filepath.Join(real.Peers(), "isync")
	_, libs := perlOf(root)
	return j.finish(exec.Command(filepath.Join(root, "usr/bin/mbsync"), "-c", conf, "all"), "LD_LIBRARY_PATH="+libs)
}

// believe writes the state that mbsync would have, had it copied an account whose copy is there already, UIDs included:
// copying 200,000 messages takes it longer than any limit. Layout: isync's src/sync.c of version 1.4.
func believe(j job) error {
	if _, err := mbsync(j); err != nil { // makes the folder
		return err
	}
	from, err := login(j.source, j.sourceUser)
	if err != nil {
		return err
	}
	defer from.close()
	to, err := login(j.target, j.targetUser)
	if err != nil {
		return err
	}
	defer to.close()
	all, err := from.folders()
	if err != nil {
		return err
	}
	for _, f := range all {
		far, rows, err := uidsAndFlags(from, f.raw)
		if err != nil {
			return err
		}
		near, copies, err := uidsAndFlags(to, f.raw)
		if err != nil {
			return err
		}
		if !slices.Equal(rows, copies) {
			return fmt.Errorf("folder %s has other UIDs or flags on the target", f.raw)
		}
		last := 0
		var b strings.Builder
		for _, row := range rows {
			uid, flags, _ := strings.Cut(row, " ")
			fmt.Fprintf(&b, "%s %s %s\n", uid, uid, flags)
			if last, err = strconv.Atoi(uid); err != nil {
				return err
			}
		}
		head := fmt.Sprintf("FarUidValidity %s\nNearUidValidity %s\nMaxPulledUid %d\nMaxPushedUid %d\n\n", far, near, last, last)
		name := strings.ReplaceAll(strings.Trim(f.raw, `"`), "/", "!")
		if _, err := j.write(filepath.Join("mbsync", name), head+b.String()); err != nil {
			return err
		}
	}
	return nil
}

// uidsAndFlags gives "UID FLAGS" of each message, the flags as mbsync's letters.
func uidsAndFlags(c *talker, raw string) (validity string, rows []string, err error) {
	lines, err := c.command("EXAMINE %s", raw)
	if err != nil {
		return "", nil, err
	}
	for _, l := range lines {
		if _, rest, has := strings.Cut(l, "[UIDVALIDITY "); has {
			validity, _, _ = strings.Cut(rest, "]")
		}
	}
	if lines, err = c.command("UID FETCH 1:* (UID FLAGS)"); err != nil {
		return "", nil, err
	}
	fetched := regexp.MustCompile(`UID (\d+) FLAGS \(([^)]*)\)`)
	for _, l := range lines {
		m := fetched.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		letters := ""
		for _, f := range []struct{ flag, letter string }{
			{`\Draft`, "D"}, {`\Flagged`, "F"}, {`$Forwarded`, "P"}, {`\Answered`, "R"}, {`\Seen`, "S"}, {`\Deleted`, "T"},
		} {
			if slices.Contains(strings.Fields(m[2]), f.flag) {
				letters += f.letter
			}
		}
		rows = append(rows, m[1]+" "+letters)
	}
	return validity, rows, nil
}
