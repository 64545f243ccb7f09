package sync

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestQuarantineFollows: where the source gives its messages other UIDs, the files of those that stay behind are theirs
// still, and are named after the new ones.
func TestQuarantineFollows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill("INBOX", 0, 3)
	b.src.add("INBOX", day, letterOf(4, "poison"))
	b.src.add("INBOX", day, letterOf(5, "poison, too"))
	b.fill("INBOX", 5, 8)
	b.dst.refuse = strict
	b.pass()
	f := b.src.folders["INBOX"]
	for n, renumber := range []func(){
		func() { f.validity++; f.messages[3].uid, f.messages[4].uid = 5, 4 },
		func() {
			f.validity += 10
			for _, m := range f.messages {
				m.uid += 100
			}
			f.next += 100
		},
		func() { f.validity += 10; f.messages = f.messages[:4] }, // the second is gone
	} {
		renumber()
		r := b.pass()
		want := []int{2, 2, 1}[n]
		if r.Copied != 0 || r.NewExceptions != 0 || int(r.Exceptions) != want || len(b.kept()) != want {
			t.Fatalf("%d: %+v, kept %q", n, r, b.kept())
		}
		told := b.byUID()
		for _, m := range f.messages[3:min(5, len(f.messages))] {
			_, path, _ := strings.Cut(told[m.uid].Detail, "; kept: ")
			if data, err := os.ReadFile(filepath.Join(b.dir, path)); err != nil || !bytes.Equal(data, m.data) {
				t.Errorf("%d: UID %d is kept as %q: %q, %v", n, m.uid, path, data, err)
			}
		}
		if want == 2 {
			b.quiet("after that")
		}
	}
}
