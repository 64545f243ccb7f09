package sync

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"

	"mailmove/imapx"
	"mailmove/state"
)

// What sync/verify needs of the engine, so that both mean the same: where a folder's mail goes, what tells messages
// apart, and the normal form of their bytes.

// Print is a truncated SHA-256, as in state.Row.
type Print = [16]byte

// Fingerprint reads the answer to imapx.WantIdentity. named is false where nothing in it tells the message from others.
func Fingerprint(header []byte) (fp Print, named bool) {
	k, named := fingerprintOf(header)
	return Print(k), named
}

// Believed is an INTERNALDATE in Unix seconds as far as it says something, else 0: a pass carries such a message with
// another date.
func Believed(date int64) int64 { return believed(date) }

// NotCarried reports whether a reason of an exception says that a message is not on the target.
func NotCarried(reason string) bool {
	for _, r := range notCarried() {
		if r == reason {
			return true
		}
	}
	return false
}

// ReasonDate is the reason of an exception that says that a message was carried with another date.
const ReasonDate = reasonDate

// ReasonAltered is the reason of an exception that says that a message was carried in another form.
const ReasonAltered = reasonAltered

// ReasonLateDouble is the reason of an exception that says that a message is on the target twice.
const ReasonLateDouble = reasonLateDouble

// ReasonFolder is the reason of an exception that says that a folder could not be carried.
const ReasonFolder = reasonFolder

// TooMany reports whether so many messages of an account are gone-on-target that no user can have decided it.
func TooMany(gone, all int64) bool { return gone > goneAtLeast && gone*100 > all*gonePercent }

// Pairing is a source folder and the target folder that its mail belongs to.
type Pairing struct {
	Source *imapx.Folder
	Target *imapx.Folder // nil: not there
	Raw    string        // of the target, on the wire; several pairings may share one
	Name   string        // of the target, decoded
	Stored *state.Pair   // as earlier passes made it; nil: none did
}

// LeftOut is a source folder that nothing carries.
type LeftOut struct {
	Source *imapx.Folder
	Why    string
}

// Pairings pairs the folders of both sides as a pass with this mapping and this state would. st may be nil: there were
// no passes. It reads the state and writes nothing; a *MappingError is a rule that makes no sense with these folders.
func Pairings(ctx context.Context, st *state.File, source, target imapx.Listing, m Mapping) ([]Pairing, []LeftOut, error) {
	rules, err := m.compile()
	if err != nil {
		return nil, nil, err
	}
	var stored []state.Pair
	if st != nil {
		a := newAttempt(&pass{Options: Options{State: st}})
		a.source, a.target = source, target
		if stored, err = st.Pairs(ctx); err != nil {
			return nil, nil, err
		}
		if stored, err = a.everMade(ctx, stored); err != nil {
			return nil, nil, err
		}
	}
	mapped := mapFolders(source, target, stored, rules)
	if mapped.err != nil {
		return nil, nil, mapped.err
	}
	var pairs []Pairing
	for _, p := range mapped.pairs {
		pairs = append(pairs, Pairing{p.source, p.target, p.raw, p.name, p.stored})
	}
	var out []LeftOut
	for _, o := range mapped.out {
		out = append(out, LeftOut{o.folder, o.why})
	}
	return pairs, out, nil
}

// SameMailbox reports whether both listings are of one mailbox under two names, as far as the state does not know that
// the two were always alike. st may be nil.
func SameMailbox(ctx context.Context, st *state.File, source, target imapx.Listing) (bool, error) {
	if !sameMailbox(source, target) || st == nil {
		return sameMailbox(source, target), nil
	}
	stored, err := st.Pairs(ctx)
	return !everAlike(stored), err
}

// Hashed is a body that is hashed as it comes and not kept: an imapx.Body.
type Hashed struct {
	size   int64
	n      int64
	header headerScanner
	exact  hash.Hash
	normal *digester // nil: not asked for
	loose  *digester // with normal
}

// NewHashed makes room for a body of size bytes. The normal form is hashed only where it is asked for: it costs as much
// again.
func NewHashed(size int64, normal bool) *Hashed {
	h := &Hashed{exact: sha256.New()}
	if normal {
		h.normal, h.loose = newDigester(), newLooseDigester()
	}
	h.Reset(size)
	return h
}

// Reset makes it good for another body.
func (h *Hashed) Reset(size int64) {
	h.size, h.n, h.header = size, 0, newHeaderScanner()
	h.exact.Reset()
	if h.normal != nil {
		h.normal.reset()
		h.loose.reset()
	}
}

func (h *Hashed) Write(p []byte) (int, error) {
	h.n += int64(len(p))
	h.header.Write(p)
	h.exact.Write(p)
	if h.normal != nil {
		h.normal.Write(p)
		h.loose.Write(p)
	}
	return len(p), nil
}

// Sums are what a whole body came to.
type Sums struct {
	Exact       [32]byte // SHA-256 of the bytes
	Normal      Print    // of the form that survives what servers are known to do to bytes; zero where it was not asked for
	Loose       Print    // of the form that is the same for a message and its altered copy (docs/refused.md); with Normal
	Fingerprint Print
	Named       bool  // the fingerprint has something to go by
	Size        int64 // bytes
}

// Sums ends the body. It may be called once.
func (h *Hashed) Sums() Sums {
	s := Sums{Size: h.n}
	h.exact.Sum(s.Exact[:0])
	if h.normal != nil {
		s.Normal, s.Loose = Print(h.normal.digest()), Print(h.loose.digest())
	}
	fp, named := h.header.fingerprint()
	s.Fingerprint, s.Named = Print(fp), named
	return s
}

// WriteTo gives nothing: the bytes were not kept.
func (h *Hashed) WriteTo(io.Writer) (int64, error) { return 0, nil }

// Len is the announced size in bytes.
func (h *Hashed) Len() int64 { return h.size }

// Release does nothing: there is no room to give back.
func (h *Hashed) Release() {}
