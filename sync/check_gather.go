package sync

import (
	"context"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sync/errgroup"

	"mailmove/imapx"
	"mailmove/state"
)

// facts are what both sides told: all that the judgement (check_judge.go) goes by.
type facts struct {
	source, target sideFacts
	refused        error // what ended the look at both sides early, nil: nothing
	same           bool
	mapped         mapped
	folders        []folderFacts // that are carried, in the order of the mapping
	carried        int64         // bytes and messages that earlier passes carried, as the state knows
	carriedCount   int64
	limit          uint64        // APPENDLIMIT, 0: none told
	permanent      []imap.Flag   // of the target's INBOX, nil: the server did not say
	unkept         []countedFlag // by name
	quota          []imapx.Quota
	quotaErr       error
	targetBytes    int64 // where no quota was told and one was given
	line           lineFacts
}

// sideFacts are one login.
type sideFacts struct {
	server string
	kind   string // the provider's name, "" for none that is known
	err    error
	ends   time.Time // of the certificate; zero: clear text, or pinned
	pinned bool
}

// countedFlag is a flag that the target does not keep, and how many messages have it.
type countedFlag struct {
	name     string
	messages int64
}

// folderFacts are one source folder that is carried.
type folderFacts struct {
	name       string
	raw        string
	validity   uint32
	messages   int64
	bytes      int64
	largest    int64
	tooLarge   int64 // messages over the target's limit
	hollow     int64 // messages without a byte: no server takes one
	older      int64 // messages that the retention would delete
	olderBytes int64
	err        error       // why it cannot be read
	part       imap.UIDSet // of Gmail's All Mail: what no other folder has; nil: all
}

// gathering is a Check at work. It writes nothing anywhere.
type gathering struct {
	CheckOptions
	*attempt
	facts facts
	src   CheckSource
	dst   CheckTarget

	mu    sync.Mutex
	flags map[string]int64 // of the source, that the target does not keep
}

// mostFlags bounds how many names of flags are counted: senders and their users choose them.
const mostFlags = 200

func (g *gathering) close() {
	var wg sync.WaitGroup
	if g.src != nil {
		wg.Go(func() { g.src.Close() })
	}
	if g.dst != nil {
		wg.Go(func() { g.dst.Close() })
	}
	wg.Wait()
}

// gather asks both sides. Its error is one of the state; what a server refuses is a fact.
func (g *gathering) gather(ctx context.Context) error {
	g.logIn(ctx)
	if g.src == nil || g.dst == nil {
		return nil
	}
	f := &g.facts
	if f.refused = g.lists(ctx); f.refused != nil {
		return nil
	}
	stored, err := g.pairsOf(ctx)
	if err != nil {
		return err
	}
	f.same = sameMailbox(g.source, g.target) && !everAlike(stored)
	f.mapped = mapFolders(g.source, g.target, stored, g.rules)
	if err := g.countCarried(ctx, stored); err != nil {
		return err
	}
	f.limit = g.dst.Limits().Append
	if f.refused = g.askTarget(ctx); f.refused != nil {
		return nil
	}
	if f.refused = g.askSource(ctx); f.refused != nil {
		return nil
	}
	g.tryLine(ctx)
	return nil
}

// logIn opens both sides at once: both may be wrong, and each is told.
func (g *gathering) logIn(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		src, err := g.ConnectSource(ctx)
		if g.facts.source.err = err; err == nil {
			g.src, g.facts.source.server, g.facts.source.ends = src, src.Address(), src.CertificateEnds()
			g.facts.source.pinned = src.CertificatePinned()
			g.facts.source.kind = src.Provider().Name
		}
	})
	wg.Go(func() {
		dst, err := g.ConnectTarget(ctx)
		if g.facts.target.err = err; err == nil {
			g.dst, g.facts.target.server, g.facts.target.ends = dst, dst.Address(), dst.CertificateEnds()
			g.facts.target.pinned = dst.CertificatePinned()
			g.facts.target.kind = dst.Provider().Name
		}
	})
	wg.Wait()
}

func (g *gathering) lists(ctx context.Context) error {
	w, wctx := errgroup.WithContext(ctx)
	w.Go(func() (err error) { g.source, err = listOnce(wctx, g.src); return err })
	w.Go(func() (err error) { g.target, err = listOnce(wctx, g.dst); return err })
	return w.Wait()
}

// listOnce reads the folders of a side, and once more where the marks of one are refused: that may be for a moment. What
// stays refused is that folder's trouble, for there is no other attempt as in a pass.
func listOnce(ctx context.Context, s Source) (imapx.Listing, error) {
	l, err := s.List(ctx)
	if err == nil && refused(l) != nil {
		l, err = s.List(ctx)
	}
	if ie := refused(l); err == nil && ie != nil && ie.Scope == imapx.ScopeAccount {
		err = ie
	}
	return l, err
}

// pairsOf are the folder pairs of earlier passes that bind this one.
func (g *gathering) pairsOf(ctx context.Context) ([]state.Pair, error) {
	stored, err := g.State.Pairs(ctx)
	if err != nil {
		return nil, err
	}
	return g.everMade(ctx, stored)
}

// countCarried sums up what the ledger knows to be on the target: it is in the used part of the quota already. A folder
// whose UIDs mean something else now counts too: a pass matches its mail.
func (g *gathering) countCarried(ctx context.Context, stored []state.Pair) error {
	for _, p := range stored {
		err := g.State.RowsByStatus(ctx, p.ID, state.Stored, func(r state.Row) error {
			g.facts.carried += r.Size
			g.facts.carriedCount++
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// askTarget reads quota, and which flags the target keeps.
func (g *gathering) askTarget(ctx context.Context) error {
	f := &g.facts
	if f.quota, f.quotaErr = g.dst.Quota(ctx); widest(f.quotaErr) {
		return f.quotaErr
	}
	if len(f.quota) == 0 && g.TargetQuota > 0 {
		sum, err := g.measure(ctx, g.dst, g.target)
		if err != nil {
			return err
		}
		f.targetBytes = sum
	}
	res, err := g.dst.Visit(ctx, imapx.Visit{Folder: "INBOX"}, imapx.VisitHandler{Message: func(int, imapx.Message) error { return nil }})
	if widest(err) {
		return err
	}
	// Opened read-only a server may keep nothing (Dovecot: `PERMANENTFLAGS ()`), which says nothing of other times.
	f.permanent = res.Opened.PermanentFlags
	return nil
}
