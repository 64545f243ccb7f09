package dns

import (
	"testing"
	"time"
)

// version is a version of the MX of old.example; days are from noon, an end of 0 is none.
func version(data string, ttl time.Duration, first, ended int) Known {
	k := Known{Name: "old.example", Type: "MX", Version: Version{Data: data, TTL: ttl}, First: noon().AddDate(0, 0, first)}
	if ended != 0 {
		k.Ended = noon().AddDate(0, 0, ended)
	}
	return k
}

// When a switch is safe, and when the old is forgotten, by what is known of earlier looks.
func TestPlan(t *testing.T) {
	const (
		day = 24 * time.Hour
		low = 3 * time.Minute
	)
	for name, c := range map[string]struct {
		known     []Known
		ttl       time.Duration
		old       time.Duration
		at        time.Duration // of the look, from noon
		lowered   bool
		earliest  time.Duration // from the look
		forgotten time.Duration // after a switch at the earliest
		changed   time.Duration // from the look, 0: nothing changed
	}{
		"a day, not lowered":          {[]Known{version("old", day, -5, 0)}, day, 0, 0, false, day, day, 0},
		"lowered an hour ago":         {[]Known{version("old", day, -5, 1), version("old", low, 1, 0)}, low, day, day + time.Hour, true, 23 * time.Hour, low, 0},
		"lowered two days ago":        {[]Known{version("old", day, -5, 1), version("old", low, 1, 0)}, low, day, 3 * day, true, 0, low, 0},
		"a server is silent":          {[]Known{version("old", day, -5, 0), version("old", low, -1, 0)}, low, day, 0, true, day, low, 0},
		"never seen before":           {[]Known{version("old", low, 0, 0)}, low, day, 0, true, day, low, 0},
		"never seen, and it is known": {[]Known{version("old", low, 0, 0)}, low, 0, 0, true, 0, low, 0},
		"an hour's TTL, lowered":      {[]Known{version("old", time.Hour, 0, 1), version("old", low, 1, 0)}, low, day, day, true, time.Hour, low, 0},
		"seen low for a week":         {[]Known{version("old", low, -7, 0)}, low, day, 0, true, 0, low, 0},
		"switched a minute ago":       {[]Known{version("old", low, -5, 1), version("new", low, 1, 0)}, low, day, day + time.Minute, true, 0, low, 2 * time.Minute},
		"switched without lowering":   {[]Known{version("old", day, -5, 1), version("new", low, 1, 0)}, low, 0, day + time.Hour, true, 23 * time.Hour, low, 23 * time.Hour},
		"a TTL of a year":             {[]Known{version("old", 365*day, -5, 0)}, 365 * day, 0, 0, false, 7 * day, 7 * day, 0},
	} {
		t.Run(name, func(t *testing.T) {
			now := noon().Add(c.at)
			values := "old"
			for _, k := range c.known {
				if k.Ended.IsZero() {
					values = k.Data
				}
			}
			set := RecordSet{Name: "old.example", Type: "MX", Answers: []Answer{{Version: Version{Data: values, TTL: c.ttl}, Values: []string{values}}}}
			d := Domain{Name: "old.example", Records: []RecordSet{set}}
			p := planOf(Config{OldTTL: c.old}.filled(), &d, c.known, now)
			if p.Lowered != c.lowered || !p.Earliest.Equal(now.Add(c.earliest)) {
				t.Errorf("lowered %v, earliest in %v", p.Lowered, p.Earliest.Sub(now))
			}
			if got := p.ForgottenAt(p.Earliest).Sub(p.Earliest); got != c.forgotten {
				t.Errorf("forgotten %v after a switch", got)
			}
			if got := p.Until.Sub(now); p.Changed != (c.changed > 0) || p.Changed && got != c.changed {
				t.Errorf("changed %v, remembered for %v", p.Changed, got)
			}
			d.Plan = p
			r := Report{Time: now, Domains: []Domain{d}}
			if (r.Safe(p.Earliest) == nil) != c.lowered || c.earliest > 0 && r.Safe(now) == nil {
				t.Errorf("safe then: %v; now: %v", r.Safe(p.Earliest), r.Safe(now))
			}
		})
	}
}

func TestLowTTLs(t *testing.T) {
	for name, want := range map[string]time.Duration{"firma.de": 3 * time.Minute, "firma.example": 5 * time.Minute} {
		if got := (&Config{}).low(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for d, want := range map[time.Duration]string{
		24 * time.Hour: "86400 s (1 day)", 90 * time.Second: "90 s", time.Minute: "60 s (1 minute)", 2 * time.Hour: "7200 s (2 hours)", 0: "0 s",
	} {
		if got := Spell(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

// Serials wrap around.
func TestSerials(t *testing.T) {
	for _, c := range []struct {
		a, b uint32
		want bool
	}{{2, 1, true}, {1, 2, false}, {1, 1, false}, {5, 4294967290, true}, {4294967290, 5, false}} {
		if got := newer(c.a, c.b); got != c.want {
			t.Errorf("%d after %d: %v", c.a, c.b, got)
		}
	}
}

func TestValidNames(t *testing.T) {
	for name, want := range map[string]bool{
		"old.example": true, "OLD.example.": true, "_dmarc.old.example": true, "": false, ".": false, "müller.de": false, "a b": false,
		"a..b": false, "a\\.b": false, "x/y": false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
