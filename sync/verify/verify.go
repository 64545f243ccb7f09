package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mailmove/imapx"
	"mailmove/state"
	mailsync "mailmove/sync"
)

// Side is a mailbox as it is compared: nothing in it can change one. It is the engine's Source.
type Side = mailsync.Source

// Options are one comparison of one account.
type Options struct {
	Account       string // id
	ConnectSource func(context.Context) (Side, error)
	ConnectTarget func(context.Context) (Side, error)
	State         *state.File // only read; nil or fresh: nothing explains
	Mapping       mailsync.Mapping
	Level         Level
	Sample        float64          // with Content: share of the messages whose bytes are compared, over 0 to 1; 0: all
	Connections   int              // for each side, 1 to 32; 0: 2
	Retries       int              // how often a folder is read again after a lost connection; 0: 3, below 0: never
	Pause         time.Duration    // before that; 0: 2 s, growing
	Difference    func(Difference) // each one as it is found, never concurrently; may be nil
}

const mostConnections = 32

func (o *Options) complete() error {
	switch {
	case o.Connections == 0:
		o.Connections = 2
	case o.Connections < 1 || o.Connections > mostConnections:
		return fmt.Errorf("%d connections: 1 to %d", o.Connections, mostConnections)
	}
	if o.Retries == 0 {
		o.Retries = 3
	}
	if o.Pause == 0 {
		o.Pause = 2 * time.Second
	}
	if o.Sample < 0 || o.Sample > 1 || o.Sample != 0 && o.Level != Content {
		return fmt.Errorf("a sample of %v at level %s", o.Sample, o.Level)
	}
	if o.Sample == 0 {
		o.Sample = 1
	}
	return o.Mapping.Check()
}

// run is a comparison under way.
type run struct {
	Options
	listedSource imapx.Listing
	listedTarget imapx.Listing
	exceptions   map[place][]state.Exception // by pair and source UID
	unkept       map[int64][]string          // flags that target folders do not keep, by pair
	leftOut      []mailsync.LeftOut
	lastPass     int64 // when the newest pass that ended began, Unix seconds; 0: none did

	mu     sync.Mutex // guards the rest, and the order of calls to Difference
	report Report
	at     map[string]int // index in report.Folders, by raw target name
	lost   []lost         // carried, and not in their folder
	found  []stray        // on the target, and not the ledger's

	sourceFolders []FolderReceipt
	targetFolders []FolderReceipt
}

// place is a message, or with UID 0 a folder, as exceptions name it.
type place struct {
	pair int64
	uid  uint32
}

// Run compares both sides. The error is that of a server (*imapx.Error), of the state, or the context's; the report then
// holds what was found until then. Whether both sides are the same is for Report.Verified to say.
func Run(ctx context.Context, o Options) (Report, error) {
	if err := o.complete(); err != nil {
		return Report{}, err
	}
	r := &run{Options: o, at: make(map[string]int)}
	r.report = Report{Account: o.Account, Level: o.Level, Started: time.Now(), Words: make(map[Word]int64)}
	if o.Level == Content {
		r.report.Sample = o.Sample
	}
	err := r.all(ctx)
	r.report.Ended = time.Now()
	r.finish()
	return r.report, err
}

func (r *run) all(ctx context.Context) error {
	first, err := r.connect(ctx)
	if err != nil {
		return err
	}
	defer first.close()
	if err := r.again(ctx, first, func() error { return r.list(ctx, first) }); err != nil {
		return err
	}
	if err := r.recall(ctx); err != nil {
		return err
	}
	pairs, out, err := mailsync.Pairings(ctx, r.State, r.listedSource, r.listedTarget, r.Mapping)
	if err != nil {
		return err
	}
	r.leftOut, r.report.LeftOut = out, int64(len(out))
	groups := byTarget(pairs)
	if r.Level == Counts {
		for _, g := range groups {
			if err := r.countGroup(ctx, g); err != nil {
				return err
			}
		}
		return r.strangers(ctx)
	}
	if err := r.spread(ctx, first, groups); err != nil {
		return err
	}
	if err := r.elsewhere(ctx, first); err != nil {
		return err
	}
	return r.strangers(ctx)
}

// list reads the folders of both sides and makes sure that they are two.
func (r *run) list(ctx context.Context, l *line) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { r.listedSource, err = l.src.List(gctx); return err })
	g.Go(func() (err error) { r.listedTarget, err = l.dst.List(gctx); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	same, err := mailsync.SameMailbox(ctx, r.State, r.listedSource, r.listedTarget)
	if err == nil && same {
		err = mailsync.ErrSameMailbox
	}
	return err
}

// recall reads what the state knows of the account as a whole. Without a pass that reached its end it explains nothing:
// what an interrupted first pass has left is not what somebody decided.
func (r *run) recall(ctx context.Context) error {
	r.exceptions = make(map[place][]state.Exception)
	if r.State == nil || r.State.Fresh() {
		r.State = nil
		return nil
	}
	r.report.State = true
	list, err := r.State.Exceptions(ctx)
	if err != nil {
		return err
	}
	for _, e := range list {
		at := place{e.Pair, e.UID}
		r.exceptions[at] = append(r.exceptions[at], e)
	}
	if r.unkept, err = r.State.Unkept(ctx); err != nil {
		return err
	}
	passes, err := r.State.Passes(ctx, 100)
	for _, p := range passes {
		if p.Result == state.ResultDone || p.Result == state.ResultExceptions {
			r.lastPass = max(r.lastPass, p.Started.Unix())
		}
	}
	return err
}

// group is a target folder with all source folders whose mail belongs there.
type group []mailsync.Pairing

func (g group) raw() string           { return g[0].Raw }
func (g group) name() string          { return g[0].Name }
func (g group) target() *imapx.Folder { return g[0].Target }

func (g group) messages() (n int64) {
	for _, p := range g {
		if p.Source.Mark != nil {
			n += int64(p.Source.Mark.Messages)
		}
	}
	return n
}

func byTarget(pairs []mailsync.Pairing) []group {
	var out []group
	at := make(map[string]int)
	for _, p := range pairs {
		i, ok := at[p.Raw]
		if !ok {
			i = len(out)
			at[p.Raw] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	slices.SortStableFunc(out, func(a, b group) int { return int(b.messages() - a.messages()) }) // the fullest first
	return out
}

// folder keeps what a folder came to.
func (r *run) folder(g group, f Folder, diffs []Difference) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.Target = g.name()
	for _, p := range g {
		f.Sources = append(f.Sources, p.Source.Name)
	}
	f.Words = make(map[Word]int64)
	r.at[g.raw()] = len(r.report.Folders)
	r.report.Folders = append(r.report.Folders, f)
	for _, d := range diffs {
		r.tell(g.raw(), d)
	}
}

// tell counts a difference and passes it on; r.mu is held. A difference of the folder itself counts as one.
func (r *run) tell(raw string, d Difference) {
	n := max(d.Messages, 1)
	if i, ok := r.at[raw]; ok {
		r.report.Folders[i].Words[d.Word] += n
	}
	r.report.Words[d.Word] += n
	if d.Word == GoneOnTarget {
		r.report.gone += n
	}
	if r.Difference != nil {
		r.Difference(d)
	}
}

func (r *run) finish() {
	p := &r.report
	slices.SortFunc(p.Folders, func(a, b Folder) int { return strings.Compare(a.Target, b.Target) })
	for _, f := range p.Folders {
		p.Source.Messages += f.Source.Messages
		p.Source.Bytes += f.Source.Bytes
		p.Target.Messages += f.There.Messages
		p.Target.Bytes += f.There.Bytes
		p.Equal += f.Equal
	}
	if r.Level == Counts {
		p.Equal = -1
	}
	p.TooMany = mailsync.TooMany(p.gone, p.expected)
	p.Receipt = r.receipt()
}

// ofFolder reports whether an error concerns one folder alone.
func ofFolder(err error) (*imapx.Error, bool) {
	var ie *imapx.Error
	return ie, errors.As(err, &ie) && ie.Scope != imapx.ScopeAccount
}
