package cmd

import (
	"testing"
	"time"
)

func TestAges(t *testing.T) {
	now := time.Date(2024, 3, 31, 12, 30, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"1d":         now.AddDate(0, 0, -1),
		"90d":        now.AddDate(0, 0, -90),
		"2w":         now.AddDate(0, 0, -14),
		"6m":         time.Date(2023, 10, 1, 12, 30, 0, 0, time.Local), // there is no 31 September
		"1y":         time.Date(2023, 3, 31, 12, 30, 0, 0, time.Local),
		"2024-02-29": time.Date(2024, 2, 29, 0, 0, 0, 0, time.Local),
		"1970-01-01": time.Date(1970, 1, 1, 0, 0, 0, 0, time.Local),
	} {
		var a age
		if err := a.Set(text); err != nil || !a.before(now).Equal(want) || a.String() != text {
			t.Errorf("%s: %v, %v, want %v", text, err, a.before(now), want)
		}
	}
	for _, text := range []string{"", "d", "0d", "-1d", "1h", "1 d", "90", "201y", "99999y", "2024-13-01", "2023-02-29", "1900-01-01", "1.5y", "31.01.2025"} {
		var a age
		if err := a.Set(text); err == nil {
			t.Errorf("%q was taken for %v", text, a.before(now))
		}
	}
	var none age
	if !none.before(now).IsZero() || none.String() != "" {
		t.Error("no age is no filter")
	}
}

// The last of several values counts, whatever kind the first was.
func TestAgeGivenTwice(t *testing.T) {
	var a age
	for _, text := range []string{"2024-02-29", "1d", "2024-02-28"} {
		if err := a.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.before(time.Now()); got.Day() != 28 {
		t.Errorf("%v", got)
	}
}

func TestFilterBounds(t *testing.T) {
	now := time.Date(2024, 3, 31, 12, 30, 0, 0, time.Local)
	set := func(newer, older string) *filterFlags {
		f := &filterFlags{maxSize: 5}
		for a, text := range map[*age]string{&f.newerThan: newer, &f.olderThan: older} {
			if text != "" {
				if err := a.Set(text); err != nil {
					t.Fatal(err)
				}
			}
		}
		return f
	}
	for _, c := range []struct {
		newer, older string
		ok           bool
	}{{"", "", true}, {"1y", "", true}, {"", "1y", true}, {"2y", "1y", true}, {"1y", "1y", false}, {"1y", "2y", false},
		{"2024-03-31", "", true}, {"2024-04-01", "", false}, {"", "2024-04-01", true}} {
		f, err := set(c.newer, c.older).filter(now)
		if (err == nil) != c.ok {
			t.Errorf("newer than %q, older than %q: %v", c.newer, c.older, err)
		}
		if err == nil && (f.MaxSize != 5 || f.NewerThan.IsZero() != (c.newer == "") || f.OlderThan.IsZero() != (c.older == "")) {
			t.Errorf("%+v", f)
		}
	}
}
