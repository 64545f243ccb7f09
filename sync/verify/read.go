package verify

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	mailsync "mailmove/sync"
)

// rec is what is kept of one message while its folder is compared.
type rec struct {
	uid    uint32
	from   int32 // the group's pairing that it is of; on the target 0
	named  bool  // the fingerprint has something to go by
	failed bool  // the server lists it and does not give it
	hashed bool  // exact is known
	mated  bool
	fp     mailsync.Print
	exact  [sha256.Size]byte
	size   int64  // bytes; of the body where it was read, else what the server says; 0: it did not say
	date   int64  // INTERNALDATE in Unix seconds as far as it is to be believed, else 0
	flags  string // sorted, separated by blanks, without \Recent
}

const (
	wantIdentity = imapx.WantIdentity | imapx.WantDate | imapx.WantSize | imapx.WantFlags
	wantContent  = imapx.WantBody | imapx.WantDate | imapx.WantFlags
)

// folder reads all messages of a folder below next (0: below its UIDNEXT), as closely as the level wants it. What arrives
// while it is read is not looked at.
func (r *reader) folder(ctx context.Context, side Side, raw string, validity uint32, next imap.UID) ([]rec, imapx.Opened, error) {
	want := imapx.Want(wantIdentity)
	if r.level == Content && r.sample >= 1 {
		want = wantContent
	}
	var out []rec
	var flags interned
	free := shelf{}
	set := imap.UIDSet{imap.UIDRange{Start: 1, Stop: 0}}
	res, err := side.Visit(ctx, imapx.Visit{Folder: raw, UIDValidity: validity, Reads: []imapx.Read{{UIDs: set, Want: want}}},
		imapx.VisitHandler{
			Opened: func(o imapx.Opened) error {
				if next == 0 {
					next = o.UIDNext
				}
				return nil
			},
			Alloc: free.alloc,
			Message: func(_ int, m imapx.Message) error {
				k := rec{uid: uint32(m.UID), size: m.Size, flags: flags.of(flagText(m.Flags))}
				if !m.Date.IsZero() {
					k.date = mailsync.Believed(m.Date.Unix())
				}
				if m.Body != nil {
					k.take(free.back(m.Body))
				} else {
					k.fp, k.named = mailsync.Fingerprint(m.Header)
				}
				if next == 0 || m.UID < next {
					out = append(out, k)
				}
				return nil
			},
		})
	if err != nil {
		return nil, res.Opened, err
	}
	for uid := range res.Failed {
		if next == 0 || uid < next {
			out = append(out, rec{uid: uint32(uid), failed: true})
		}
	}
	slices.SortFunc(out, func(a, b rec) int { return int(int64(a.uid) - int64(b.uid)) })
	if want == wantIdentity && r.level == Content {
		err = r.sampled(ctx, side, raw, res.Opened.UIDValidity, out)
	}
	return out, res.Opened, err
}

// take is for a body that was read.
func (k *rec) take(s mailsync.Sums) {
	k.fp, k.named, k.exact, k.size, k.hashed = s.Fingerprint, s.Named, s.Exact, s.Size, true
}

// reader is how closely a folder is read.
type reader struct {
	level  Level
	sample float64
}

// chosen reports whether a message is of the sample: by its fingerprint, so that the same are on both sides and in every
// run.
func (r *reader) chosen(k *rec) bool {
	return r.level == Content && (r.sample >= 1 || k.named && float64(binary.BigEndian.Uint32(k.fp[:4])) < r.sample*(1<<32))
}

// sampled reads the bodies of the sample.
func (r *reader) sampled(ctx context.Context, side Side, raw string, validity uint32, list []rec) error {
	var at []int
	for i := range list {
		if r.chosen(&list[i]) && !list[i].failed {
			at = append(at, i)
		}
	}
	b, err := bodies(ctx, side, raw, validity, list, at, false)
	for _, i := range at {
		if s, ok := b.sums[i]; ok {
			list[i].exact, list[i].size, list[i].hashed = s.Exact, s.Size, true
		} else {
			list[i].failed = b.failed[i]
		}
	}
	return err
}

// read are bodies by their place in a list. Those that are in neither map have vanished.
type read struct {
	sums   map[int]mailsync.Sums
	failed map[int]bool // the server does not give them
}

// bodies reads the bodies of some messages of a list.
func bodies(ctx context.Context, side Side, raw string, validity uint32, list []rec, at []int, normal bool) (read, error) {
	b := read{sums: make(map[int]mailsync.Sums, len(at)), failed: make(map[int]bool)}
	if len(at) == 0 {
		return b, nil
	}
	places := make(map[imap.UID]int, len(at))
	var set imap.UIDSet
	for _, i := range at {
		places[imap.UID(list[i].uid)] = i
		set.AddNum(imap.UID(list[i].uid))
	}
	free := shelf{normal: normal}
	res, err := side.Visit(ctx, imapx.Visit{Folder: raw, UIDValidity: validity, Reads: []imapx.Read{{UIDs: set, Want: imapx.WantBody}}},
		imapx.VisitHandler{Alloc: free.alloc, Message: func(_ int, m imapx.Message) error {
			s := free.back(m.Body)
			if i, ok := places[m.UID]; ok {
				b.sums[i] = s
			}
			return nil
		}})
	for uid := range res.Failed {
		if i, ok := places[uid]; ok {
			b.failed[i] = true
		}
	}
	return b, err
}

// shelf keeps what bodies are hashed with for the next ones of a visit. A visit's handler is called by one goroutine.
type shelf struct {
	normal bool
	spare  []*mailsync.Hashed
}

func (s *shelf) alloc(_ context.Context, size int64) (imapx.Body, error) {
	n := len(s.spare)
	if n == 0 {
		return mailsync.NewHashed(size, s.normal), nil
	}
	h := s.spare[n-1]
	s.spare = s.spare[:n-1]
	h.Reset(size)
	return h, nil
}

func (s *shelf) back(b imapx.Body) mailsync.Sums {
	h := b.(*mailsync.Hashed)
	sums := h.Sums()
	s.spare = append(s.spare, h)
	return sums
}

func flagText(flags []imap.Flag) string {
	s := make([]string, len(flags))
	for i, f := range flags {
		s[i] = string(f)
	}
	slices.Sort(s)
	return strings.Join(slices.Compact(s), " ")
}

// digest is what a message adds to its folder's digest in a receipt: SHA-256 of its bytes where they were to be read,
// else of what was.
func (r *reader) digest(k *rec) [sha256.Size]byte {
	if k.hashed && r.chosen(k) {
		return k.exact
	}
	d := make([]byte, 0, 64)
	d = append(d, k.fp[:]...)
	d = binary.BigEndian.AppendUint64(d, uint64(k.date))
	d = binary.BigEndian.AppendUint64(d, uint64(k.size))
	return sha256.Sum256(d)
}

// foldDigest is SHA-256 of the sorted digests, one after the other.
func (r *reader) foldDigest(list []rec) [sha256.Size]byte {
	all := make([][sha256.Size]byte, len(list))
	for i := range list {
		all[i] = r.digest(&list[i])
	}
	slices.SortFunc(all, func(a, b [sha256.Size]byte) int { return slices.Compare(a[:], b[:]) })
	h := sha256.New()
	for i := range all {
		h.Write(all[i][:])
	}
	var out [sha256.Size]byte
	h.Sum(out[:0])
	return out
}
