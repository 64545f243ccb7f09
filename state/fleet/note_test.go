package fleet

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

func anyMail() []Way { return []Way{{Channel: "mail"}} }

func claim(t *testing.T, f *Fleet, ways []Way, now time.Time) ([]Note, time.Time) {
	t.Helper()
	batch, next, err := f.ClaimNotes(context.Background(), ways, now, time.Minute)
	must(t, err)
	return batch, next
}

// What is noted twice is told once; what belongs together is told together; what is told is over.
func TestNotesAreClaimedOnce(t *testing.T) {
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	var notes []Note
	for i := range 3 {
		notes = append(notes, Note{Key: fmt.Sprint("trouble/", i), Channel: "mail", Recipient: "a@b", Kind: "trouble", Name: "one", Body: []byte("{}"), Created: noon()})
	}
	other := Note{Key: "trouble/0", Channel: "mail", Recipient: "c@d", Kind: "trouble", Name: "one", Created: noon()}
	hook := Note{Key: "trouble/0", Channel: "webhook", Recipient: "x", Kind: "trouble", Name: "one", Created: noon()}
	must(t, f.Keep(ctx, Change{Notes: append(notes, other, hook)}))
	must(t, f.Keep(ctx, Change{Notes: append(notes, other)}))

	first, _ := claim(t, f, anyMail(), noon())
	if len(first) != 3 || first[0].Batch != "trouble/0" || first[2].Batch != "trouble/0" || first[0].Tries != 1 {
		t.Fatalf("%+v", first)
	}
	second, _ := claim(t, f, anyMail(), noon())
	if len(second) != 1 || second[0].Recipient != "c@d" {
		t.Fatalf("%+v", second)
	}
	if third, next := claim(t, f, anyMail(), noon()); len(third) != 0 || !next.Equal(noon().Add(time.Minute)) {
		t.Errorf("what is being told was given twice: %+v, next %v", third, next)
	}
	must(t, f.NotesSent(ctx, first))
	must(t, f.Keep(ctx, Change{Notes: notes})) // the same event again
	if again, _ := claim(t, f, anyMail(), noon().Add(time.Hour)); len(again) != 1 || again[0].Recipient != "c@d" || again[0].Tries != 2 {
		t.Errorf("after a process that died: %+v", again)
	}
	if none, _ := claim(t, f, []Way{{"webhook", "y"}}, noon()); len(none) != 0 {
		t.Errorf("another webhook was given %+v", none)
	}
	if ours, _ := claim(t, f, []Way{{"webhook", "x"}}, noon()); len(ours) != 1 {
		t.Errorf("the webhook was given %+v", ours)
	}
}

// A batch that was begun comes again as the same batch, whatever was noted since: it goes out under the same name.
func TestNotesKeepTheirBatch(t *testing.T) {
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	note := func(key string) Note {
		return Note{Key: key, Channel: "mail", Recipient: "a@b", Kind: "trouble", Name: "one", Created: noon()}
	}
	must(t, f.Keep(ctx, Change{Notes: []Note{note("1")}}))
	first, _ := claim(t, f, anyMail(), noon())
	must(t, f.Keep(ctx, Change{Notes: []Note{note("2")}}))
	must(t, f.NotesLater(ctx, first, noon().Add(time.Hour), "down\r\n", Way{Channel: "mail"}))
	if none, next := claim(t, f, anyMail(), noon().Add(time.Minute)); len(none) != 0 || !next.Equal(noon().Add(time.Hour)) {
		t.Errorf("a server that is down is asked again: %+v, next %v", none, next)
	}
	at := noon().Add(time.Hour)
	again, _ := claim(t, f, anyMail(), at)
	rest, _ := claim(t, f, anyMail(), at)
	if len(again) != 1 || again[0].Batch != "1" || len(rest) != 1 || rest[0].Batch != "2" {
		t.Errorf("%+v, then %+v", again, rest)
	}
}

// A webhook that is down keeps what is for itself waiting, and nothing of another one.
func TestAWayThatIsDownStopsNoOther(t *testing.T) {
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	note := func(key, hook string) Note {
		return Note{Key: key, Channel: "webhook", Recipient: hook, Kind: "trouble", Name: key, Created: noon()}
	}
	must(t, f.Keep(ctx, Change{Notes: []Note{note("1", "dead"), note("2", "dead"), note("1", "alive")}}))
	dead, alive := Way{Channel: "webhook", Recipient: "dead"}, Way{Channel: "webhook", Recipient: "alive"}
	first, _ := claim(t, f, []Way{dead, alive}, noon())
	if len(first) != 1 || first[0].Recipient != "dead" {
		t.Fatalf("%+v came first", first)
	}
	must(t, f.NotesLater(ctx, first, noon().Add(time.Hour), "down", dead))
	if next, _ := claim(t, f, []Way{dead, alive}, noon()); len(next) != 1 || next[0].Recipient != "alive" {
		t.Errorf("after a webhook was down, %+v is due", next)
	}
	if again, _ := claim(t, f, []Way{dead}, noon()); len(again) != 0 {
		t.Errorf("the webhook that is down is asked for %+v", again)
	}
}

// A clock that was wrong once keeps nothing back for ever.
func TestNotesOfAWrongClock(t *testing.T) {
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	must(t, f.Keep(ctx, Change{Notes: []Note{{Key: "1", Channel: "mail", Created: noon()}}}))
	ahead := noon().Add(1000 * time.Hour)
	batch, _ := claim(t, f, anyMail(), ahead)
	if len(batch) != 1 {
		t.Fatal("nothing was due")
	}
	if batch, _ = claim(t, f, anyMail(), noon()); len(batch) != 1 {
		t.Error("a lease of the far future is believed")
	}
	must(t, f.NotesLater(ctx, batch, ahead, "", Way{}))
	if batch, _ = claim(t, f, anyMail(), noon()); len(batch) != 1 {
		t.Error("a delay of the far future is believed")
	}
}

func TestNotesAreBounded(t *testing.T) {
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	var notes []Note
	for i := range maxBatch + 5 {
		notes = append(notes, Note{Key: fmt.Sprint(i), Channel: "mail", Kind: "trouble", Created: noon(), Body: []byte(strings.Repeat("x", maxBody+1))})
	}
	must(t, f.Keep(ctx, Change{Notes: notes}))
	batch, _ := claim(t, f, anyMail(), noon())
	if len(batch) != maxBatch || len(batch[0].Body) != maxBody {
		t.Errorf("%d notes at once, of %d bytes", len(batch), len(batch[0].Body))
	}
	must(t, f.NotesSent(ctx, batch))
	if n, oldest, err := f.NotesWaiting(ctx); err != nil || n != 5 || !oldest.Equal(noon()) {
		t.Errorf("%d wait since %v, %v", n, oldest, err)
	}
	if n, err := f.GiveUpNotes(ctx, noon()); err != nil || n != 0 {
		t.Errorf("gave up %d too early, %v", n, err)
	}
	if n, err := f.GiveUpNotes(ctx, noon().Add(time.Second)); err != nil || n != 5 {
		t.Errorf("gave up %d of 5, %v", n, err)
	}
	must(t, f.Keep(ctx, Change{Notes: []Note{{Key: "new", Channel: "mail", Created: noon()}}}))
	batch, _ = claim(t, f, anyMail(), noon())
	must(t, f.NotesSent(ctx, batch))
	if n, err := f.GiveUpNotes(ctx, noon().Add(keepNotes+time.Second)); err != nil || n != 0 {
		t.Errorf("gave up %d that were sent, %v", n, err)
	}
	var left int
	must(t, f.db.QueryRowContext(ctx, `SELECT count(*) FROM notes`).Scan(&left))
	if left != 0 {
		t.Errorf("%d notes are kept for ever", left)
	}
}

// A list of thousands has thousands of notes, and each delivery looks for the next: not through all that was told before.
func TestNotesAreFoundByAnIndex(t *testing.T) {
	f := openTest(t, t.TempDir())
	for query, index := range map[string]string{waitingNotes: "notes_in_order", notesTogether: "notes_together"} {
		var id, parent, unused int
		var detail string
		args := []any{"mail", "a@b", "trouble", "one", "", 1, 2, maxBatch}[:strings.Count(query, "?")]
		must(t, f.db.QueryRowContext(t.Context(), `EXPLAIN QUERY PLAN `+query, args...).Scan(&id, &parent, &unused, &detail))
		if !strings.Contains(detail, "USING INDEX "+index) {
			t.Errorf("%s: %s", query, detail)
		}
	}
}
