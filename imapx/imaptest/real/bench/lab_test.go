//go:build bench

package bench

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// lab is a pair of servers with one mailbox on the source.
type lab struct {
	t              *testing.T
	settings       settings
	mail           mailbox
	source, target *real.Server
	scratch        string
	inMemory       bool
	tree           string // the mailbox as a Maildir
	messages       int
	bytes          int64
	sources        map[string]string  // users that have it: "" everybody's, else a peer's own
	original       *imaptest.Reading  // what all of them hold; nil until it is read, and after a change
	accounts       map[string]account // by peer: the last one whose first pass was right
	changes        int                // rounds of change that happened
}

// account is what a peer moved, and what it knows about it.
type account struct {
	sourceUser, targetUser string
	dir                    string
}

// newLab makes the mail and starts the servers. Its files go away with the test.
func newLab(t *testing.T, s settings, m mailbox, options real.Options) (*lab, error) {
	l := &lab{t: t, settings: s, mail: m, sources: map[string]string{}, accounts: map[string]account{}}
	var err error
	if l.scratch, l.inMemory, err = makeScratch(s.cache, m.room); err != nil {
		return nil, err
	}
	t.Cleanup(func() { os.RemoveAll(l.scratch) })
	owner, err := hold(l.scratch)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { owner.Close() })
	corpus, err := m.make()
	if err != nil {
		return nil, err
	}
	l.tree = filepath.Join(l.scratch, "mail")
	begin := time.Now()
	manifest, err := corpus.WriteMaildir(l.tree)
	if err != nil {
		return nil, err
	}
	l.messages, l.bytes = manifest.Messages, manifest.Bytes
	if m.links > 1 {
		if err := multiply(l.tree, m.links); err != nil {
			return nil, err
		}
		l.messages, l.bytes = l.messages*m.links, l.bytes*int64(m.links)
	}
	t.Logf("%s: %d messages, %.1f MB, made in %v, %s", m.name, l.messages, float64(l.bytes)/1e6, time.Since(begin).Round(time.Millisecond), l.where())
	options.MailRoot = l.scratch
	l.source, l.target = real.Dovecot(t, options), real.Dovecot(t, options)
	return l, nil
}

func (l *lab) where() string {
	if l.inMemory {
		return "in memory"
	}
	return "on the DISK, for there is too little memory"
}

// multiply lays each message there n times, under names of their own.
func multiply(tree string, n int) error {
	found, err := filepath.Glob(filepath.Join(tree, "[cn]*", "*.corpus,*"))
	if err != nil {
		return err
	}
	for _, path := range found {
		for i := range n - 1 {
			name := strings.Replace(filepath.Base(path), ".corpus,", fmt.Sprintf(".copy%d,", i), 1)
			if err := os.Link(path, filepath.Join(filepath.Dir(path), name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// sourceOf is the source user for a peer, loaded and settled.
func (l *lab) sourceOf(p peer) (string, error) {
	own := ""
	if p.writesSource {
		own = p.name
	}
	if user, has := l.sources[own]; has {
		return user, nil
	}
	user := l.source.FreshUser()
	l.source.LoadMaildir(user, l.tree)
	if err := settle(l.source.Addr(), user); err != nil {
		return "", err
	}
	l.sources[own] = user
	_, err := l.reading(user) // warms the server's caches, for the first peer too
	return user, err
}

// reading is what a source user holds; all of them hold the same, until change.
func (l *lab) reading(user string) (imaptest.Reading, error) {
	if l.mail.quick {
		return imaptest.Reading{}, nil
	}
	if l.original != nil {
		return *l.original, nil
	}
	r, err := imaptest.Read(context.Background(), imaptest.Login{Addr: l.source.Addr(), User: user, Password: real.Password})
	if err == nil {
		l.original = &r
	}
	return r, err
}

// fresh is an account that nothing was moved into.
func (l *lab) fresh(p peer) (a account, err error) {
	if a.sourceUser, err = l.sourceOf(p); err != nil {
		return a, err
	}
	a.targetUser = l.target.FreshUser()
	a.dir, err = os.MkdirTemp(l.scratch, p.name+"-")
	return a, err
}

// fill puts the whole mailbox into an account's target.
func (l *lab) fill(a account) error {
	// Dovecot's UIDVALIDITY is the second in which it sees a folder first. Made in the same one, source and target
	// are the same mailbox to whoever compares their marks.
	time.Sleep(1100 * time.Millisecond)
	l.target.LoadMaildir(a.targetUser, l.tree)
	return settle(l.target.Addr(), a.targetUser)
}

// drop forgets an account's target and the peer's state.
func (l *lab) drop(a account) {
	if a.targetUser == "" {
		return
	}
	l.target.Wipe(a.targetUser)
	os.RemoveAll(a.dir)
}

// keep makes a the peer's account for lines that want one.
func (l *lab) keep(p peer, a account) {
	l.drop(l.accounts[p.name])
	l.accounts[p.name] = a
}

// change changes every source alike.
func (l *lab) change() error {
	for _, user := range l.sources {
		if err := change(l.source.Addr(), user, l.changes); err != nil {
			return err
		}
	}
	l.original = nil
	l.changes++
	return nil
}

// run lets a peer work on an account over a network.
func (l *lab) run(p peer, a account, ln line) (cost, error) {
	source, target := l.source.Addr(), l.target.Addr()
	if ln.tls {
		source, target = l.source.TLSAddr(), l.target.TLSAddr()
	}
	if ln.rtt > 0 || ln.mbit > 0 { // without delay there is no proxy: it would cost CPU
		for _, addr := range []*string{&source, &target} {
			slow, err := imaptest.NewProxy(*addr, imaptest.Faults{RTT: ln.rtt, Bandwidth: int64(ln.mbit) * 1e6 / 8})
			if err != nil {
				return cost{}, err
			}
			defer slow.Close()
			*addr = slow.Addr()
		}
	}
	j := job{lab: l, source: source, target: target, sourceUser: a.sourceUser, targetUser: a.targetUser, dir: a.dir, tls: ln.tls}
	cmd, err := p.command(j)
	if err != nil {
		return cost{}, err
	}
	limit := l.settings.limit
	if p.name == "mailmove" {
		limit = max(limit, l.mail.limit)
	}
	return measure(cmd, filepath.Join(a.dir, "output"), limit)
}

// referee tells what is wrong with an account: "equal", or what differs in how many messages.
func (l *lab) referee(p peer, a account) (string, error) {
	if l.mail.quick {
		return l.counts(a)
	}
	want, err := l.reading(a.sourceUser)
	if err != nil {
		return "", err
	}
	got, err := imaptest.Read(context.Background(), imaptest.Login{Addr: l.target.Addr(), User: a.targetUser, Password: real.Password})
	if err != nil {
		return "", err
	}
	var o imaptest.CompareOptions
	if isLimit(p.name) {
		o.Ignore = []imaptest.Kind{imaptest.MissingSubscription, imaptest.ExtraSubscription}
	}
	d, err := want.Diff(got, o)
	if err != nil {
		return "", err
	}
	if d.Equal() {
		return equal, nil
	}
	kinds := map[imaptest.Kind]int{}
	for _, x := range d.Differences {
		kinds[x.Kind]++
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		out = append(out, fmt.Sprintf("%d %s", kinds[k], k))
	}
	return strings.Join(out, ", "), nil
}

const (
	equal       = "equal"
	equalCounts = "equal counts and sizes"
)

// counts compares the number of messages and their bytes, as the servers count them.
func (l *lab) counts(a account) (string, error) {
	messages, bytes, err := totals(l.source.Addr(), a.sourceUser)
	if err != nil {
		return "", err
	}
	gotMessages, gotBytes, err := totals(l.target.Addr(), a.targetUser)
	if err != nil {
		return "", err
	}
	if messages != gotMessages || bytes != gotBytes {
		return fmt.Sprintf("%d messages and %d bytes of %d and %d", gotMessages, gotBytes, messages, bytes), nil
	}
	return equalCounts, nil
}
