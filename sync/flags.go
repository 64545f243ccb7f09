package sync

import (
	"context"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// flagText is the ledger's form of a flag set: sorted, separated by blanks.
func flagText(flags []imap.Flag) string {
	s := make([]string, len(flags))
	for i, f := range flags {
		s[i] = string(f)
	}
	slices.Sort(s)
	return strings.Join(slices.Compact(s), " ")
}

// flagBytes is what flags take in memory, beside a few words for each.
func flagBytes(flags []imap.Flag) (n int64) {
	for _, f := range flags {
		n += int64(len(f))
	}
	return n
}

func parseFlags(text string) []imap.Flag {
	var out []imap.Flag
	for _, f := range strings.Fields(text) {
		out = append(out, imap.Flag(f))
	}
	return out
}

// hasFlag compares as IMAP does: without regard to case (RFC 9051 section 2.3.2).
func hasFlag(set []imap.Flag, f imap.Flag) bool {
	return slices.ContainsFunc(set, func(g imap.Flag) bool { return strings.EqualFold(string(f), string(g)) })
}

// keeper knows which flags a target folder keeps (PERMANENTFLAGS).
type keeper struct {
	any     bool // `\*`: new keywords are allowed
	allowed []imap.Flag
	unknown bool // the server did not say
}

func newKeeper(permanent []imap.Flag) *keeper {
	return &keeper{any: hasFlag(permanent, imap.FlagWildcard), allowed: permanent, unknown: len(permanent) == 0}
}

// filter tells the flags that can go to the target from those that it would refuse or forget.
func (k *keeper) filter(flags []imap.Flag) (kept, dropped []imap.Flag) {
	for _, f := range flags {
		switch {
		case strings.EqualFold(string(f), `\Recent`):
		case imapx.LegalFlag(f) && k.keeps(f):
			kept = append(kept, f)
		default:
			dropped = append(dropped, f)
		}
	}
	return kept, dropped
}

func (k *keeper) keeps(f imap.Flag) bool {
	if hasFlag(k.allowed, f) {
		return true
	}
	if strings.HasPrefix(string(f), `\`) { // system flags: all five where the server did not say, no others
		return k.unknown && hasFlag(systemFlags, f)
	}
	return k.any || k.unknown
}

var systemFlags = []imap.Flag{imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft}

// keepFlags filters the flags of one message; what it has to leave out is recorded.
func (l *lane) keepFlags(ctx context.Context, j *job, k *keeper, flags []imap.Flag) ([]imap.Flag, error) {
	kept, dropped := k.filter(flags)
	for _, f := range dropped {
		if err := l.lacks(ctx, j.pair.ID, f); err != nil {
			return nil, err
		}
	}
	return kept, nil
}
