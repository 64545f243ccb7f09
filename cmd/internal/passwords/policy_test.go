package passwords

import (
	"strings"
	"testing"
)

func TestFaults(t *testing.T) {
	const all = "min=12,lower,upper,digit,special,ascii,dict"
	parsed := make(map[string]Policy)
	for _, text := range []string{all, "min=12", "digit", "dict"} {
		p, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		parsed[text] = p
	}
	for _, c := range []struct {
		policy, password, about string
		want                    string // words of the faults, in order; "": none
	}{
		{all, "Xk7$pQ9!mZ2w", "", ""},
		{all, "Xk7$pQ9!mZ2", "", "fewer than 12"},
		{all, "xk7$pq9!mz2w", "", "no capital"},
		{all, "XK7$PQ9!MZ2W", "", "no lower-case"},
		{all, "Xkv$pQn!mZbw", "", "no digit"},
		{all, "Xk7vpQ9nmZ2w", "", "no special"},
		{all, "Xk7vpQ9n mZ2w", "", "no special"}, // a blank is none
		{all, "Xk7$pQ9!mZ2ü", "", "not ASCII"},
		{all, "Xk7$pQ9!mZ2\t", "", "not ASCII"},
		{all, "Xk7vpQ9nmZ2wß", "", "no special|not ASCII"},
		{all, "", "", "fewer than|no lower|no capital|no digit|no special|common words"},
		{"min=12", strings.Repeat("ü", 12), "", ""}, // characters, not bytes
		{"min=12", strings.Repeat("ü", 11), "", "fewer"},
		{"digit", "a", "", "no digit"},
		{"dict", "password", "", "common words"},
		{"dict", "P4$$w0rd123", "", "common words"},
		{"dict", "drowssap2024", "", "common words"},
		{"dict", "Sommer2026!", "", "common words"},
		{"dict", "Passwort-Geheim", "", "common words"},
		{"dict", "Frühling24", "", "common words"},
		{"dict", "aaaaaaaaaaaaaaaaaaaa", "", "common words"},
		{"dict", "abcdefghijklmnop", "", "common words"},
		{"dict", "98765432109876", "", "common words"},
		{"dict", "alice.oldham-2026", "", ""},
		{"dict", "alice.oldham-2026", "alice.oldham@example.org", "common words"},
		{"dict", "Xk7$pQ9!mZ2w", "alice@example.org", ""},
		{"dict", "correct horse battery staple", "", ""}, // words enough
		{"dict", strings.Repeat("Xk7$pQ9!mZ2w", 400), "", ""},
	} {
		p := parsed[c.policy]
		got := p.Faults(c.password, c.about)
		var want []string
		if c.want != "" {
			want = strings.Split(c.want, "|")
		}
		ok := len(got) == len(want)
		for i := range min(len(got), len(want)) {
			ok = ok && strings.Contains(got[i], want[i])
		}
		if !ok {
			t.Errorf("%s of %q: %q, want %q", c.policy, c.password, got, want)
		}
	}
}

// What is said depends on which rules are broken, and on nothing else of the password.
func TestFaultsTellNothing(t *testing.T) {
	p, err := Parse("min=40,lower,upper,digit,special,ascii,dict")
	if err != nil {
		t.Fatal(err)
	}
	one := strings.Join(p.Faults("zzüqqq"), " ")
	other := strings.Join(p.Faults("jüjj"), " ")
	if one != other || one == "" {
		t.Errorf("two passwords with the same faults are told apart:\n%s\n%s", one, other)
	}
}

func TestParse(t *testing.T) {
	for _, bad := range []string{"", "min", "min=0", "min=x", "min=1001", "lower=1", "lower,lower", "min=3,min=4", "Dict", "lower,,upper", "max=3"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if _, err := Parse(" min=8, lower"); err != nil {
		t.Errorf("blanks: %v", err)
	}
}

// Each list of the library is there and was read: a newer version must not make every password a good one.
func TestWordLists(t *testing.T) {
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"password", "the", "james", "mary", "smith", "kennwort"} {
		if n := d.rank[w]; n == 0 || n > 200 {
			t.Errorf("%s has rank %d", w, n)
		}
	}
	if len(d.rank) < 70_000 {
		t.Errorf("%d words", len(d.rank))
	}
}
