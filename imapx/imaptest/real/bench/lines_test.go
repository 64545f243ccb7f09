//go:build bench

package bench

import (
	"time"

	"mailmove/imapx/imaptest"
)

// kind is what is done in a line.
type kind int

const (
	first    kind = iota // a pass into a user that nobody used
	nochange             // a pass after which nothing changed
	changed              // ten flags and ten new messages since the last pass
	takeover             // everything is on both sides, and there is no state
	ledger               // what the state costs, without any server
)

// line is one thing that is measured. Goals of 0 are none.
type line struct {
	name   string
	mail   string // name of a mailbox
	kind   kind
	rtt    time.Duration
	mbit   int      // bandwidth of each side's line in each direction; 0: no limit
	tls    bool     // both sides by implicit TLS
	blind  bool     // the servers offer neither CONDSTORE nor QRESYNC
	peers  []string // nil: every peer that can
	rounds int      // at most; 0: as many as asked for

	wall    float64 // seconds to stay below
	ratio   float64 // of the limit tool's best setting in the same rounds, to stay below
	carry   float64 // of the time in which the line could carry the bytes, to stay below
	fastest bool    // faster than every peer but the limit tool
	rss     int64   // bytes to stay below
	cpu     float64 // seconds of user and system to stay below
}

const mb = 1 << 20

// lines are in the order in which they are measured: what changes a mailbox is its last.
func lines() []line {
	alone := []string{"mailmove"}
	far := []string{"mailmove", "limit4", "interimap", "doveadm", "mbsync", "imapsync"} // few connections only lose there
	return []line{
		{name: "first S", mail: "S", wall: 0.43, ratio: 1.4, fastest: true},
		{name: "first S 10ms", mail: "S", rtt: 10 * time.Millisecond, peers: far, rounds: 3, fastest: true},
		{name: "first S 40ms", mail: "S", rtt: 40 * time.Millisecond, peers: far, rounds: 3, wall: 1.5, fastest: true},
		{name: "first S 150ms", mail: "S", rtt: 150 * time.Millisecond, peers: far, rounds: 3, fastest: true},
		{name: "first S 150ms 20Mbit", mail: "S", rtt: 150 * time.Millisecond, mbit: 20, peers: []string{"mailmove", "limit4", "interimap"}, rounds: 3, carry: 1.2, fastest: true},
		{name: "nochange S", mail: "S", kind: nochange, wall: 0.10},
		{name: "nochange S 40ms", mail: "S", kind: nochange, rtt: 40 * time.Millisecond, wall: 0.35},
		{name: "first T", mail: "T", wall: 1.7, ratio: 1.4, fastest: true},
		{name: "ledger T", mail: "T", kind: ledger, peers: alone, rounds: 3},
		{name: "first M", mail: "M", wall: 4.0, ratio: 1.4, fastest: true, rss: 110 * mb, cpu: 2.5},
		{name: "first M TLS", mail: "M", tls: true, peers: alone, rounds: 3},
		{name: "nochange M", mail: "M", kind: nochange, wall: 0.10},
		{name: "nochange M 40ms", mail: "M", kind: nochange, rtt: 40 * time.Millisecond, wall: 0.35},
		{name: "first N", mail: "N", peers: []string{"mailmove", "interimap", "doveadm"}, rounds: 1, rss: 110 * mb},
		{name: "nochange N", mail: "N", kind: nochange, wall: 0.10},
		{name: "nochange N 40ms", mail: "N", kind: nochange, rtt: 40 * time.Millisecond, wall: 0.35},
		{name: "takeover N", mail: "N", kind: takeover, peers: alone, rounds: 3, wall: 20},
		{name: "changed N", mail: "N", kind: changed, wall: 0.30},
		{name: "nochange N blind", mail: "N", kind: nochange, blind: true, peers: alone, rounds: 3, wall: 5},
		{name: "nochange 1000", mail: "1000", kind: nochange},
		{name: "first 100000", mail: "100000", peers: alone, rounds: 1, rss: 110 * mb},
		{name: "nochange 100000", mail: "100000", kind: nochange, peers: alone},
		{name: "first 1000000", mail: "1000000", peers: alone, rounds: 1, rss: 110 * mb},
		{name: "nochange 1000000", mail: "1000000", kind: nochange, peers: alone},
		{name: "first 200x50MB", mail: "200x50MB", peers: alone, rounds: 1, rss: 110 * mb},
	}
}

// mailbox is a corpus and what it wants of the machine.
type mailbox struct {
	name  string
	make  func() (*imaptest.Corpus, error)
	links int           // each message file lies there so many times, under other names; 0: once
	room  int64         // bytes of memory or disk for all that lies there at one time
	quick bool          // referee by counts and sizes of folders alone
	limit time.Duration // of one run of mailmove, where it is more than usual
}

const seed = 1

func mailboxes() []mailbox {
	preset := func(p imaptest.Preset) func() (*imaptest.Corpus, error) {
		return func() (*imaptest.Corpus, error) { return imaptest.NewCorpus(p, seed) }
	}
	flat := func(messages, size int) func() (*imaptest.Corpus, error) {
		return func() (*imaptest.Corpus, error) { return imaptest.NewFlatCorpus(messages, size, seed), nil }
	}
	return []mailbox{
		{name: "S", make: preset(imaptest.S), room: 1 << 30},
		{name: "T", make: preset(imaptest.T), room: 1 << 30},
		{name: "M", make: preset(imaptest.M), room: 6 << 30},
		{name: "N", make: preset(imaptest.N), room: 9 << 30, limit: 5 * time.Minute},
		{name: "1000", make: flat(1000, 600), room: 1 << 29},
		{name: "100000", make: flat(100_000, 600), room: 2 << 30, limit: 5 * time.Minute},
		{name: "1000000", make: flat(1_000_000, 600), room: 13 << 30, limit: 20 * time.Minute, quick: true},
		// 20 different messages, each ten times: a gigabyte on the source, ten on the target.
		{name: "200x50MB", make: flat(20, 50_000_000), links: 10, room: 13 << 30, limit: 20 * time.Minute, quick: true},
	}
}
