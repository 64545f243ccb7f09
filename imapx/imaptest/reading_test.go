package imaptest_test

import (
	"testing"

	"mailmove/imapx/imaptest"
)

// TestReadingIsComparedWithMany: one reading stands for its account, however that goes on.
func TestReadingIsComparedWithMany(t *testing.T) {
	corpus := imaptest.NewFlatCorpus(20, 600, 1)
	users := []imaptest.EmbeddedUser{{Name: "u1", Password: "pass", Corpus: corpus}, {Name: "u2", Password: "pass", Corpus: corpus}}
	e := embedded(t, imaptest.EmbeddedOptions{Users: users})
	read := func(user string) imaptest.Reading {
		r, err := imaptest.Read(t.Context(), imaptest.Login{Addr: e.Addr(), User: user, Password: "pass"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var bytes int64
	for m := range corpus.Messages() {
		bytes += int64(len(m.CRLF()))
	}
	want := read("u1")
	if want.Messages() != 20 || want.Bytes() != bytes {
		t.Errorf("%d messages and %d bytes instead of 20 and %d", want.Messages(), want.Bytes(), bytes)
	}
	for round, extra := range []int{0, 1, 2} {
		d, err := want.Diff(read("u2"), imaptest.CompareOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Differences) != extra || d.Count(imaptest.Extra) != extra {
			t.Errorf("round %d: %s", round, d)
		}
		for _, user := range []string{"u1", "u2"} {
			if err := e.Deliver(user, "INBOX", letter("new", "new\n")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := want.Diff(want, imaptest.CompareOptions{Map: func(string) string { return "" }}); err == nil {
		t.Error("a mapping that gives no name was taken")
	}
	if _, err := imaptest.Read(t.Context(), imaptest.Login{Addr: e.Addr(), User: "u1", Password: "wrong"}); err == nil {
		t.Error("an account was read with a wrong password")
	}
}
