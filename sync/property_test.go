package sync

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"

	"mailmove/imapx"
	"mailmove/state"
)

// world is what the property knows of both mailboxes, by folder and content: what was ever on the source, what came to
// the target from elsewhere, and what its user deleted there since the ledger began.
type world struct {
	*bench
	merged                 bool // the source's folder B is carried into the target's A
	ever, foreign, deleted map[string]int
	starred                map[*fakeMessage]bool // what its user changed on the target, and did not delete
}

// contentsOfWorld are hard to tell apart: one Message-ID with several bodies, no Message-ID, no header at all. Where
// Message-ID, Date and size or INTERNALDATE agree, the rules take two messages for one; so versions differ in both.
func contentsOfWorld() []string {
	out := []string{"\r\nno header\r\n", "\r\nno header either\r\n", "From: a@example.org\r\nSubject: no id\r\n\r\nx\r\n"}
	for i := range 3 {
		out = append(out, letterOf(1, fmt.Sprint("version ", strings.Repeat("x", i))), letterOf(10+i, "plain"))
	}
	return out
}

func (w *world) at(folder, data string) string {
	if w.merged && folder == "A/B" {
		folder = "A"
	}
	return folder + "\x00" + data
}

// run is one pass of this world.
func (w *world) run(change ...func(*Options)) Report {
	return w.pass(append(change, func(o *Options) {
		if w.merged {
			o.Mapping.Maps = []MapRule{{Source: "A/B", Target: "A"}}
		}
	})...)
}

// heldBy counts messages by target folder and content.
func (w *world) heldBy(s *fakeServer) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int)
	for name, f := range s.folders {
		for _, m := range f.messages {
			out[w.at(name, string(m.data))]++
		}
	}
	return out
}

// check: nothing lost, nothing twice.
func (w *world) check(t *rapid.T) {
	src, dst := w.heldBy(w.src), w.heldBy(w.dst)
	told := w.told(t)
	for k, n := range src {
		if dst[k]+w.deleted[k]+told[k] < n {
			t.Fatalf("lost: %q is %d times on the source, %d on the target, %d deleted there, %d told as moved", k, n, dst[k], w.deleted[k], told[k])
		}
	}
	for k, n := range dst {
		if strings.HasPrefix(k, "Trash\x00") { // what was deleted on the source
			continue
		}
		if n > w.ever[k]+w.foreign[k] {
			for _, e := range w.events {
				switch e.(type) {
				case MessageCopied, FolderDone, FolderPlanned:
				default:
					t.Logf("%T %+v", e, e)
				}
			}
			t.Fatalf("doubled: %q is %d times on the target, was %d on the source, %d came from elsewhere", k, n, w.ever[k], w.foreign[k])
		}
	}
}

// nothingStarredIsGone: no pass deletes what its user changed.
func (w *world) nothingStarredIsGone(t *rapid.T) {
	there := make(map[*fakeMessage]bool)
	for _, f := range w.dst.folders {
		for _, m := range f.messages {
			there[m] = true
		}
	}
	for m := range w.starred {
		if !there[m] {
			t.Fatalf("UID %d was changed by its user and is deleted: %q", m.uid, m.data)
		}
	}
}

// messageAt is a message of a server.
func messageAt(s *fakeServer, folder string, uid uint32) *fakeMessage {
	at := slices.IndexFunc(s.folders[folder].messages, func(m *fakeMessage) bool { return m.uid == uid })
	return s.folders[folder].messages[at]
}

// nothingUncounted: whatever is on the source now has a row in the ledger, and what is deferred is on the source.
func (w *world) nothingUncounted(t *rapid.T) {
	w.ledger(func(ctx context.Context, st *state.File) {
		pairs, err := st.Pairs(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pairs {
			known, there := make(map[uint32]state.Status), make(map[uint32]bool)
			if err := st.Rows(ctx, p.ID, 0, func(r state.Row) error { known[r.SourceUID] = r.Status; return nil }); err != nil {
				t.Fatal(err)
			}
			for _, m := range w.src.folders[p.Source].messages {
				there[m.uid] = true
				if _, ok := known[m.uid]; !ok {
					t.Fatalf("%s UID %d is neither carried nor deferred", p.Source, m.uid)
				}
			}
			for uid, s := range known {
				if s == state.Deferred && !there[uid] {
					t.Fatalf("%s UID %d is deferred and not on the source", p.Source, uid)
				}
			}
		}
	})
}

// told counts by folder and content what the state lists as moved on the target or as not carried. Only messages of the
// source can be exceptions.
func (w *world) told(t *rapid.T) map[string]int {
	ctx := context.Background()
	st, err := state.Open(ctx, state.Options{Dir: w.dir, Account: "a"})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	out := make(map[string]int)
	once := make(map[string]bool)
	tell := func(folder string, uid uint32) bool {
		f := w.src.folders[folder]
		at := slices.IndexFunc(f.messages, func(m *fakeMessage) bool { return m.uid == uid })
		if key := fmt.Sprint(folder, " ", uid); at >= 0 && !once[key] {
			once[key] = true
			out[w.at(folder, string(f.messages[at].data))]++
		}
		return at >= 0
	}
	list, err := st.Exceptions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if (e.Reason == reasonMoved || e.Reason == reasonUnreadable) && !tell(e.Folder, e.UID) {
			t.Fatalf("an exception for a message that the source does not have: %+v", e)
		}
	}
	pairs, err := st.Pairs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pairs {
		if err := st.RowsByStatus(ctx, p.ID, state.Moved, func(r state.Row) error { tell(p.Source, r.SourceUID); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// one draws a message of a server, or ok false.
func one(t *rapid.T, s *fakeServer) (folder string, uid uint32, data string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Sorted(maps.Keys(s.folders))
	folder = rapid.SampledFrom(names).Draw(t, "folder")
	list := s.folders[folder].messages
	if len(list) == 0 {
		return "", 0, "", false
	}
	m := list[rapid.IntRange(0, len(list)-1).Draw(t, "message")]
	return folder, m.uid, string(m.data), true
}

// renumber gives a folder another UIDVALIDITY and other UIDs, as a rebuilt index does.
func (s *fakeServer) renumber(folder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.folders[folder]
	s.validity += 7
	f.validity = s.validity
	for i, m := range f.messages {
		m.uid = uint32(3 * (i + 1))
	}
	f.next = uint32(3*len(f.messages) + 4)
	f.modseq++
}

// damage keeps a message of the source from being read.
func (w *world) damage(folder string, uid uint32, want imapx.Want) {
	w.src.mu.Lock()
	defer w.src.mu.Unlock()
	for _, m := range w.src.folders[folder].messages {
		if m.uid == uid {
			w.src.damaged[m] = want
		}
	}
}

// TestNothingLostNothingTwice lets random things happen between passes, losses of connections and of the state
// among them.
func TestNothingLostNothingTwice(t *testing.T) {
	t.Parallel()
	all := contentsOfWorld()
	rapid.Check(t, func(t *rapid.T) {
		w := &world{bench: &bench{t: t, src: newFakeServer(100), dst: newFakeServer(5000)},
			ever: map[string]int{}, foreign: map[string]int{}, deleted: map[string]int{}, starred: map[*fakeMessage]bool{}}
		w.dir = tempDir(t)
		w.src.damaged = make(map[*fakeMessage]imapx.Want)
		w.merged = rapid.Bool().Draw(t, "merged")
		folder := rapid.SampledFrom([]string{"INBOX", "A", "A/B"})
		content := rapid.SampledFrom(all)
		date := func(c string) time.Time {
			return day.AddDate(0, 0, slices.Index(all, c)).Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "hours")) * time.Hour)
		}
		w.src.folder("A")
		w.src.folder("A/B")
		for range rapid.IntRange(0, 12).Draw(t, "at first") {
			f, c := folder.Draw(t, "folder"), content.Draw(t, "content")
			w.src.add(f, date(c), c)
			w.ever[w.at(f, c)]++
			if rapid.IntRange(0, 3).Draw(t, "taken over") == 0 {
				w.dst.add(f, date(c), c)
				w.foreign[w.at(f, c)]++
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"new on the source": func(t *rapid.T) {
				f, c := folder.Draw(t, "folder"), content.Draw(t, "content")
				w.src.add(f, date(c), c)
				w.ever[w.at(f, c)]++
			},
			"new on the target": func(t *rapid.T) {
				f, c := folder.Draw(t, "folder"), content.Draw(t, "content")
				w.dst.add(f, date(c), c)
				w.foreign[w.at(f, c)]++
			},
			"flagged on the source": func(t *rapid.T) {
				if f, uid, _, ok := one(t, w.src); ok {
					w.src.setFlags(f, uid, imap.FlagSeen)
				}
			},
			"deleted on the source": func(t *rapid.T) {
				if f, uid, _, ok := one(t, w.src); ok {
					w.src.expunge(f, uid)
				}
			},
			"deleted on the target": func(t *rapid.T) {
				if f, uid, c, ok := one(t, w.dst); ok {
					delete(w.starred, messageAt(w.dst, f, uid))
					w.dst.expunge(f, uid)
					w.deleted[w.at(f, c)]++
				}
			},
			"flagged on the target": func(t *rapid.T) {
				if f, uid, _, ok := one(t, w.dst); ok {
					w.dst.setFlags(f, uid, imap.FlagFlagged)
					w.starred[messageAt(w.dst, f, uid)] = true
				}
			},
			"pass with deletions": func(t *rapid.T) {
				how := rapid.SampledFrom([]Deletions{TrashDeleted, ExpungeDeleted}).Draw(t, "how")
				w.dst.folder("Trash").use = imap.MailboxAttrTrash
				w.dst.noMove = rapid.Bool().Draw(t, "without MOVE")
				w.dst.expunges = expunging(rapid.IntRange(0, 3).Draw(t, "ends"))
				w.run(deletions(how, Ceiling{Percent: rapid.SampledFrom([]int{10, 100}).Draw(t, "most")}))
				w.dst.expunges = expungeWorks
				w.nothingStarredIsGone(t)
			},
			"damaged on the source": func(t *rapid.T) {
				if f, uid, _, ok := one(t, w.src); ok {
					w.damage(f, uid, rapid.SampledFrom([]imapx.Want{imapx.WantBody, imapx.WantBody | imapx.WantIdentity}).Draw(t, "in"))
				}
			},
			"repaired on the source": func(*rapid.T) { clear(w.src.damaged) },
			"source renumbered":      func(t *rapid.T) { w.src.renumber(folder.Draw(t, "folder")) },
			"target renumbered": func(t *rapid.T) {
				if f := folder.Draw(t, "folder"); w.dst.folders[f] != nil {
					w.dst.renumber(f)
				}
			},
			"state lost": func(t *rapid.T) {
				w.dir = tempDir(t)
				clear(w.deleted) // without a ledger nobody knows
			},
			"pass with losses": func(t *rapid.T) {
				w.dst.multi = rapid.Bool().Draw(t, "whole batches")
				fates := make([]fate, 3)
				for i := range fates {
					fates[i] = fate{dies: rapid.Bool().Draw(t, "dies"), stored: rapid.IntRange(0, 20).Draw(t, "stored"),
						when: landing(rapid.IntRange(0, 4).Draw(t, "when"))}
				}
				w.dst.batches = 0
				w.dst.lose = func(n int) fate {
					if n > len(fates) {
						return fate{}
					}
					return fates[n-1]
				}
				w.run()
				w.dst.lose = nil
				w.dst.releaseAll()
				w.run() // the last look: without it nobody would know of what landed late
			},
			"pass": func(*rapid.T) { w.run() },
			"moved on the source": func(t *rapid.T) {
				f, uid, c, ok := one(t, w.src)
				to := folder.Draw(t, "to")
				if ok && f != to {
					w.src.move(f, uid, to)
					w.ever[w.at(to, c)]++
				}
			},
			"pass with a filter": func(t *rapid.T) {
				f := Filter{NewerThan: day.AddDate(0, 0, rapid.IntRange(0, len(all)).Draw(t, "from day"))}
				if rapid.Bool().Draw(t, "also older") {
					f.OlderThan = day.AddDate(0, 0, rapid.IntRange(0, len(all)).Draw(t, "to day"))
				}
				w.run(func(o *Options) { o.Filter = f })
				w.nothingUncounted(t)
			},
			"": func(t *rapid.T) {
				if rapid.IntRange(0, 2).Draw(t, "look") > 0 {
					return
				}
				w.run() // the one that takes away what landed late
				if r := w.run(); r.Deferred != 0 {
					t.Fatalf("%d messages are deferred by no filter", r.Deferred)
				}
				w.check(t)
			},
		})
	})
}

// tempDir is t.TempDir, which rapid does not have.
func tempDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "mailmove-property-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
