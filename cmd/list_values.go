package cmd

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shard is a flag value such as 3/16: the third of sixteen parts.
type shard struct{ part, of int }

const mostShards = 10_000

func (s *shard) Set(text string) error {
	part, of, _ := strings.Cut(text, "/")
	p, err := strconv.Atoi(part)
	o, errOf := strconv.Atoi(of)
	if err != nil || errOf != nil || o < 1 || o > mostShards || p < 1 || p > o {
		return errors.New("write a part and of how many, such as 3/16, from 1/16 to 16/16")
	}
	*s = shard{p, o}
	return nil
}

func (s *shard) String() string {
	if s.of == 0 {
		return ""
	}
	return strconv.Itoa(s.part) + "/" + strconv.Itoa(s.of)
}

func (*shard) Type() string { return "PART" }

// has tells whether an account belongs to the part: by its name, wherever its row stands.
func (s shard) has(account string) bool {
	if s.of <= 1 {
		return true
	}
	sum := sha256.Sum256([]byte(account))
	return binary.BigEndian.Uint64(sum[:8])%uint64(s.of) == uint64(s.part-1)
}

// only is a flag value such as failed,never.
type only []string

func onlyWords() []string { return []string{"failed", "pending", "never", "exceptions"} }

func (o *only) Set(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); !slices.Contains(onlyWords(), word) {
			return errors.New("write failed, pending, never or exceptions, several with commas")
		}
		*o = append(*o, word)
	}
	return nil
}

func (o *only) String() string { return strings.Join(*o, ",") }
func (*only) Type() string     { return "WHICH" }

// clock is a flag value such as 06:00, a time of the day in this machine's zone.
type clock struct {
	set          bool
	hour, minute int
}

func (c *clock) Set(text string) error {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return errors.New("write a time of the day such as 06:00 or 22:30")
	}
	*c = clock{true, t.Hour(), t.Minute()}
	return nil
}

func (c *clock) String() string {
	if !c.set {
		return ""
	}
	return time.Date(2000, 1, 1, c.hour, c.minute, 0, 0, time.UTC).Format("15:04")
}

func (*clock) Type() string { return "HH:MM" }

// next is when the clock shows that time next; zero where none was given. Where summer time ends it shows an hour twice; where it
// begins it shows none of them, and the end of the jump counts for all.
func (c clock) next(now time.Time) time.Time {
	for day := 0; c.set; day++ {
		t := time.Date(now.Year(), now.Month(), now.Day()+day, c.hour, c.minute, 0, 0, now.Location())
		shown := false
		for _, shift := range []time.Duration{-time.Hour, 0, time.Hour} {
			if at := t.Add(shift); c.shows(at) {
				if shown = true; at.After(now) {
					return at
				}
			}
		}
		if t.Hour()*60+t.Minute() < c.hour*60+c.minute {
			t = t.Add(time.Hour)
		}
		if !shown && t.After(now) {
			return t
		}
	}
	return time.Time{}
}

func (c clock) shows(t time.Time) bool { return t.Hour() == c.hour && t.Minute() == c.minute }

// rate is a flag value such as 5MB/s, in bytes a second; 0: as fast as it goes.
type rate int64

func (r *rate) Set(text string) error {
	var size byteSize
	if err := size.Set(strings.TrimSuffix(strings.TrimSpace(text), "/s")); err != nil {
		return errors.New("write a size a second such as 5MB/s or 500KB/s")
	}
	*r = rate(size)
	return nil
}

func (r *rate) String() string {
	if *r == 0 {
		return ""
	}
	size := byteSize(*r)
	return size.String() + "/s"
}

func (*rate) Type() string { return "RATE" }
