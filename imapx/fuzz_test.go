package imapx

import (
	"testing"

	"github.com/emersion/go-imap/v2"
)

// FuzzAnswers: whatever a server puts into COPYUID, APPENDUID or a UID set, nothing is believed that was not asked.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{"9 1:2 5:6", "9 1:4294967295 1:4294967295", "9 2,1 5:6", "7 0", "1:*"} {
		f.Add(s)
	}
	asked := imap.UIDSet{{Start: 1, Stop: 9}}
	f.Fuzz(func(t *testing.T, in string) {
		got := map[imap.UID]imap.UID{}
		copied(got, in, asked)
		for uid, to := range got {
			if !asked.Contains(uid) || to == 0 {
				t.Fatalf("%q gives %v", in, got)
			}
		}
		if v, uids := appendUIDs(status{code: "APPENDUID", args: in}, 3); len(uids) != 0 && (len(uids) != 3 || v == 0 || uids[0] >= uids[1]) {
			t.Fatalf("%q gives %d %v", in, v, uids)
		}
		if s, err := parseSet(in); err == nil && (len(s) == 0 || s.Dynamic()) {
			t.Fatalf("%q gives %v", in, s)
		}
	})
}
