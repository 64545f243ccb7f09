package fleet

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWaiting(t *testing.T) {
	dir := t.TempDir()
	now := time.Now().Truncate(time.Millisecond)
	if all, err := Waiting(t.Context(), filepath.Join(dir, "none"), now); len(all) > 0 || err != nil {
		t.Errorf("%v %v", all, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); err == nil {
		t.Error("looking made a folder")
	}
	f, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, user := range []string{"alice", "bob", "carol"} {
		l := Login{Server: "old.example", User: user, Credential: []byte("wrong")}
		if err := f.Failed(t.Context(), l, now.Add(time.Duration(i)*time.Second), "no ("+user+")"); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := Waiting(t.Context(), dir, now.Add(time.Minute))
	if err != nil || len(all) != 4 {
		t.Fatalf("%v %v", all, err)
	}
	if e := all[0]; !e.Server || e.Host != "old.example" || e.Failures != 3 || !e.Until.Equal(now.Add(2*time.Second).Add(breakFirst)) || e.Text != "no (carol)" {
		t.Errorf("%+v", e)
	}
	for i, user := range []string{"alice", "bob", "carol"} {
		if e := all[i+1]; e.Server || e.User != user || !e.Until.Equal(now.Add(time.Duration(i)*time.Second).Add(time.Hour)) {
			t.Errorf("%+v", e)
		}
	}
	if all, err := Waiting(t.Context(), dir, now.Add(30*time.Minute)); err != nil || len(all) != 3 {
		t.Errorf("after the breaker's time: %v %v", all, err)
	}
	if all, err := Waiting(t.Context(), dir, now.Add(2*time.Hour)); err != nil || len(all) != 0 {
		t.Errorf("after all times: %v %v", all, err)
	}
}
