package state

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// A window's messages are one value, for a row each costs three times the CPU of the whole protocol. Layout, in
// varints of encoding/binary where no size is given: the format (1), the number of messages, then for each
// the source UID, 16 bytes of fingerprint, 1 byte that is 1 where 16 bytes of digest follow, size, date, length
// of the flags, flags. A TargetUID is never in it: what was recorded is in the ledger.
const packFormat = 1

var errPacked = errors.New("a window's messages cannot be read")

func packRows(rows []Row) []byte {
	b := make([]byte, 0, 8+48*len(rows))
	b = append(b, packFormat)
	b = binary.AppendUvarint(b, uint64(len(rows)))
	for i := range rows {
		r := &rows[i]
		b = binary.AppendUvarint(b, uint64(r.SourceUID))
		b = append(b, r.Fingerprint[:]...)
		if r.Digest == [16]byte{} {
			b = append(b, 0)
		} else {
			b = append(append(b, 1), r.Digest[:]...)
		}
		b = binary.AppendVarint(b, r.Size)
		b = binary.AppendVarint(b, r.Date)
		b = binary.AppendUvarint(b, uint64(len(r.Flags)))
		b = append(b, r.Flags...)
	}
	return b
}

// unpackRows reads what packRows wrote; the file may be damaged, so nothing in it is believed.
func unpackRows(b []byte) ([]Row, error) {
	u := unpacker{rest: b}
	if u.byte() != packFormat {
		return nil, errPacked
	}
	n := u.uvarint()
	if n > maxWindow || n > uint64(len(b)) {
		return nil, errPacked
	}
	rows := make([]Row, n)
	for i := range rows {
		r := &rows[i]
		uid := u.uvarint()
		r.SourceUID = uint32(uid)
		copy(r.Fingerprint[:], u.bytes(16))
		hasDigest := u.byte()
		if hasDigest == 1 {
			copy(r.Digest[:], u.bytes(16))
		}
		r.Size, r.Date = u.varint(), u.varint()
		r.Flags = string(u.bytes(u.uvarint()))
		if u.bad || uid > 1<<32-1 || hasDigest > 1 {
			return nil, errPacked
		}
	}
	if len(u.rest) > 0 {
		return nil, errPacked
	}
	return rows, nil
}

// unpacker reads from rest; once something is missing it is bad and gives zeroes.
type unpacker struct {
	rest []byte
	bad  bool
}

func (u *unpacker) bytes(n uint64) []byte {
	if u.bad || n > uint64(len(u.rest)) {
		u.bad = true
		return nil
	}
	b := u.rest[:n]
	u.rest = u.rest[n:]
	return b
}

func (u *unpacker) byte() byte {
	if b := u.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (u *unpacker) uvarint() uint64 {
	v, n := binary.Uvarint(u.rest)
	u.skip(n)
	return v
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint(u.rest)
	u.skip(n)
	return v
}

func (u *unpacker) skip(n int) {
	if n <= 0 {
		u.bad = true
		return
	}
	u.bytes(uint64(n))
}

// uidRanges writes the source UIDs in the order of the rows, as IMAP writes a set ("1:3,7"): for people only.
func uidRanges(rows []Row) string {
	var b strings.Builder
	for i := 0; i < len(rows); {
		first, last := rows[i].SourceUID, rows[i].SourceUID
		for i++; i < len(rows) && uint64(rows[i].SourceUID) == uint64(last)+1; i++ {
			last++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(first), 10))
		if last > first {
			b.WriteString(":" + strconv.FormatUint(uint64(last), 10))
		}
	}
	return b.String()
}
