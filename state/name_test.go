package state

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFileNameReadable(t *testing.T) {
	for account, want := range map[string]string{
		"alice@old.example":         "alice@old.example.db",
		"alice@old+alice@new=x_1-2": "alice@old+alice@new=x_1-2.db",
	} {
		if got := FileName(account); got != want {
			t.Errorf("%q: %q, want %q", account, got, want)
		}
	}
}

func hostileNames() []string {
	return []string{"", ".", "..", "../../etc/passwd", "/etc/passwd", "a/b", `a\b`, "a\x00b", "-rf", ".hidden", "con", "nul.txt", "com1",
		"Alice@old.example", "ALICE@OLD.EXAMPLE", "alice@old.example~", "a b", "a:b", "ä", "a\u0308", "\xff", "日本語", "a\nb", "\x1b[2J",
		strings.Repeat("x", 5000), strings.Repeat("x", 5001), strings.Repeat("é", 100), "a*", "a?", "a.db", "a.db.lock", "fleet", "fleet.db", "%2e%2e", "a~b"}
}

func checkFileName(t *testing.T, account string) string {
	t.Helper()
	name := FileName(account)
	if name != filepath.Base(name) || name == "." || name == ".." || len(name) > 140 || !strings.HasSuffix(name, extension) ||
		strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || name != strings.ToLower(name) {
		t.Errorf("%q: %q", account, name)
	}
	if name == "fleet.db" {
		t.Errorf("%q has the name of the fleet file", account)
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune(`/\:*?"<>|`, rune(c)) {
			t.Errorf("%q: %q", account, name)
		}
	}
	return name
}

func TestFileNameOfHostileIDs(t *testing.T) {
	taken := map[string]string{}
	for _, account := range hostileNames() {
		name := checkFileName(t, account)
		if other, ok := taken[name]; ok {
			t.Errorf("%q and %q share %q", account, other, name)
		}
		taken[name] = account
	}
}

func FuzzFileName(f *testing.F) {
	for _, a := range hostileNames() {
		f.Add(a, a+"x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if x, y := checkFileName(t, a), checkFileName(t, b); a != b && x == y {
			t.Errorf("%q and %q share %q", a, b, x)
		}
	})
}

// An id is opened, found and listed under its name, whatever is in it.
func TestHostileIDsAreAccounts(t *testing.T) {
	dir := t.TempDir()
	ids := hostileNames()[1:9]
	for _, id := range ids {
		f, err := Open(context.Background(), Options{Dir: dir, Account: id})
		must(t, err)
		must(t, f.Close())
		s, err := Inspect(context.Background(), f.Path())
		must(t, err)
		if s.Account != id || s.Running || s.Version != current() || s.Created.IsZero() {
			t.Errorf("%q: %+v", id, s)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "fleet.db"), nil, 0o600)) // no account's
	paths, err := List(dir)
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, "fleet.db")))
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(paths) != len(ids) || len(entries) != 2*len(ids) { // the locks stay
		t.Errorf("%d of %d", len(paths), len(entries))
	}
	if paths, err := List(filepath.Join(dir, "none")); err != nil || paths != nil {
		t.Errorf("%v, %v", paths, err)
	}
}
