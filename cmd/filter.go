package cmd

import (
	"errors"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	mailsync "mailmove/sync"
)

// filterFlags say what a pass leaves to a later one.
type filterFlags struct {
	newerThan age
	olderThan age
	maxSize   byteSize
}

func (f *filterFlags) bind(set *pflag.FlagSet) {
	set.Var(&f.newerThan, "newer-than", "only mail that arrived since: 90d, 2w, 6m, 1y or 2025-01-31; the rest is for a later pass")
	set.Var(&f.olderThan, "older-than", "only mail that arrived before: written like that")
	set.Var(&f.maxSize, "max-size", "only messages up to this size: 25MB, 1.5MB or 64MiB")
}

// filter is what the engine is given, at one moment for the whole pass.
func (f *filterFlags) filter(now time.Time) (mailsync.Filter, error) {
	out := mailsync.Filter{NewerThan: f.newerThan.before(now), OlderThan: f.olderThan.before(now), MaxSize: int64(f.maxSize)}
	switch {
	case out.NewerThan.After(now):
		return out, usagef("", "--newer-than %s: that day is still to come, and no mail is newer", f.newerThan.text)
	case !out.OlderThan.IsZero() && !out.NewerThan.Before(out.OlderThan) && !out.NewerThan.IsZero():
		return out, usagef("--newer-than is the earlier day, --older-than the later one",
			"--newer-than %s with --older-than %s: no mail is both", f.newerThan.text, f.olderThan.text)
	}
	return out, nil
}

// age is a flag value such as 90d, 2w, 6m or 1y, counted back from now, or a day such as 2025-01-31, from its midnight
// in this machine's zone. Months and years are those of the calendar.
type age struct {
	text  string
	count int
	unit  string
	day   time.Time
}

// mostYears bounds how far back an age goes: mail has no more.
const mostYears = 200

func (a *age) Set(text string) error {
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		if day.Year() < 1970 {
			return errors.New("mail has no date before 1970")
		}
		*a = age{text: text, day: day}
		return nil
	}
	part := regexp.MustCompile(`^([0-9]{1,5})([dwmy])$`).FindStringSubmatch(text)
	if part == nil {
		return errors.New("write an age such as 90d, 2w, 6m or 1y, or a day such as 2025-01-31")
	}
	n, err := strconv.Atoi(part[1])
	a.count, a.unit = n, part[2]
	if now := time.Now(); err != nil || n == 0 || a.before(now).Before(now.AddDate(-mostYears, 0, 0)) {
		return errors.New("an age is at least 1d and at most " + strconv.Itoa(mostYears) + "y")
	}
	a.text, a.day = text, time.Time{}
	return nil
}

// before is the moment that the age means, zero where none was given.
func (a *age) before(now time.Time) time.Time {
	switch a.unit {
	case "d":
		return now.AddDate(0, 0, -a.count)
	case "w":
		return now.AddDate(0, 0, -7*a.count)
	case "m":
		return now.AddDate(0, -a.count, 0)
	case "y":
		return now.AddDate(-a.count, 0, 0)
	}
	return a.day
}

func (a *age) String() string { return a.text }
func (*age) Type() string     { return "AGE" }
