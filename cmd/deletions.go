package cmd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	mailsync "mailmove/sync"
)

// deletionFlags say what becomes of copies whose messages were deleted on the source.
type deletionFlags struct {
	how  deletions
	most ceiling
}

func (f *deletionFlags) bind(set *pflag.FlagSet) {
	set.Var(&f.how, "deletions", "what was copied, and is deleted on the source now: keep, trash or expunge it (docs/deletions.md)")
	set.Var(&f.most, "max-deletions", "more than that of a folder in one pass: none of it is deleted; 10% or a number")
}

// check refuses what makes no sense together.
func (f *deletionFlags) check(s *syncFlags, filter mailsync.Filter) error {
	if mailsync.Deletions(f.how) == mailsync.KeepDeleted {
		if f.most != (ceiling{}) {
			return usagef("give --deletions trash or --deletions expunge too, or leave it out", "--max-deletions without --deletions")
		}
		return nil
	}
	for _, row := range []struct {
		given bool
		other string
		hint  string
	}{
		{filter != mailsync.Filter{}, "a filter", "what a filter hides would look deleted; delete in a pass without it"},
		{s.cutover.tail, "--tail", "a tail is new mail only"},
		{s.cutover.reverse, "--reverse", "what people deleted on the target stays on the source"},
	} {
		if row.given {
			return usagef(row.hint, "both --deletions %s and %s", f.how.String(), row.other)
		}
	}
	return nil
}

// deletions is the value of --deletions.
type deletions mailsync.Deletions

func deletionWords() []string { return []string{"keep", "trash", "expunge"} } // by mailsync.Deletions

func (d *deletions) Set(text string) error {
	for i, word := range deletionWords() {
		if text == word {
			*d = deletions(i)
			return nil
		}
	}
	return errors.New("write " + strings.Join(deletionWords(), ", "))
}

func (d *deletions) String() string { return deletionWords()[*d] }
func (*deletions) Type() string     { return "HOW" }

// ceiling is the value of --max-deletions: a share of the folder's copies, or a number of them.
type ceiling mailsync.Ceiling

// mostDeletions bounds the number; who wants no ceiling says 100%.
const mostDeletions = 1_000_000_000

func (c *ceiling) Set(text string) error {
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.ParseInt(number, 10, 64)
	switch {
	case err != nil || number != strconv.FormatInt(max(n, 0), 10):
		return errors.New("write a share such as 10%, or a number of messages")
	case percent && (n < 1 || n > 100):
		return errors.New("a share is from 1% to 100%")
	case !percent && (n < 1 || n > mostDeletions):
		return fmt.Errorf("a number is from 1 to %d; to delete nothing, leave --deletions out", mostDeletions)
	case percent:
		*c = ceiling{Percent: int(n)}
	default:
		*c = ceiling{Messages: n}
	}
	return nil
}

func (c *ceiling) String() string { return mailsync.Ceiling(*c).String() }
func (*ceiling) Type() string     { return "LIMIT" }
