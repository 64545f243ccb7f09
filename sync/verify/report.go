package verify

import (
	"fmt"
	"time"
)

// Level is how closely both sides are compared.
type Level int

const (
	Counts   Level = iota // messages of each folder, from the listing
	Identity              // each message: fingerprint, INTERNALDATE, size, flags
	Content               // also all bytes
)

// Levels are the words for them, in order.
func Levels() []string { return []string{"counts", "identity", "content"} }

func (l Level) String() string {
	if l < Counts || l > Content {
		return "unknown"
	}
	return Levels()[l]
}

// ParseLevel reads one of Levels.
func ParseLevel(word string) (Level, error) {
	for i, w := range Levels() {
		if w == word {
			return Level(i), nil
		}
	}
	return 0, fmt.Errorf("%q is no level", word)
}

// Word says what a difference is. docs/verify.md explains them.
type Word string

const (
	KnownException Word = "known exception"              // the state lists it with a reason
	ByUser         Word = "moved or deleted by its user" // on either side
	Changed        Word = "changed by its user"          // flags that are not those that it was carried with
	GoneOnTarget   Word = "gone-on-target"               // was carried, and is in no folder of the target
	ArrivedSince   Word = "arrived since"                // came to one side by itself: on the source after the last pass
	ByServer       Word = "altered by the server"        // other bytes, the same in the normal form
	Missing        Word = "missing"                      // not on the target, and nothing says why
	Altered        Word = "altered"                      // on both sides, and not the same
	Extra          Word = "extra"                        // on the target, and nothing says why
)

// Words are all of them, the explained ones first.
func Words() []Word {
	return []Word{KnownException, ByUser, Changed, GoneOnTarget, ArrivedSince, ByServer, Missing, Altered, Extra}
}

// Explained reports whether a difference of this word is no fault.
func (w Word) Explained() bool { return w != Missing && w != Altered && w != Extra }

// Difference is a message, or messages of one folder that cannot be told singly, that is not the same on both sides.
type Difference struct {
	Word      Word
	Source    string // source folder, decoded; "": there is none
	Target    string // target folder, decoded; "": there is none
	SourceUID uint32 // 0: not on the source, or not told
	TargetUID uint32 // 0: not on the target, or not told
	Messages  int64  // 0: the folder itself, else how many
	Detail    string // what differs, or why; may hold what servers said
}

// Total are the messages of one side of a folder pair.
type Total struct {
	Messages int64
	Bytes    int64 // as far as they were asked for; 0 with Counts
}

// Folder is a target folder and the source folders whose mail belongs there.
type Folder struct {
	Sources []string // decoded
	Target  string   // decoded
	Source  Total    // of all of them
	There   Total    // on the target
	Equal   int64    // messages that are the same on both sides; -1: not known (Counts)
	Words   map[Word]int64
}

// Unexplained counts the folder's differences that nothing explains.
func (f Folder) Unexplained() int64 { return unexplained(f.Words) }

func unexplained(words map[Word]int64) (n int64) {
	for w, k := range words {
		if !w.Explained() {
			n += k
		}
	}
	return n
}

// Report is what a run found on one account.
type Report struct {
	Account  string
	Level    Level
	Sample   float64 // share of the messages whose bytes were compared, 0 to 1; with Content
	State    bool    // there was a ledger to explain with
	Started  time.Time
	Ended    time.Time
	Folders  []Folder // by target name
	LeftOut  int64    // source folders that the mapping leaves out
	Source   Total
	Target   Total
	Equal    int64 // messages that are the same; -1: not known
	Read     int64 // bytes of bodies that were read, both sides together
	Words    map[Word]int64
	TooMany  bool // more is gone-on-target than a user takes away: a fault or retention
	Receipt  *Receipt
	gone     int64
	expected int64 // messages that the ledger has on the target, or had
}

// Unexplained counts the differences that nothing explains. With TooMany those that are gone-on-target are among them.
func (r Report) Unexplained() int64 {
	n := unexplained(r.Words)
	if r.TooMany {
		n += r.Words[GoneOnTarget]
	}
	return n
}

// Verified reports that nothing is unexplained.
func (r Report) Verified() bool { return r.Unexplained() == 0 }
