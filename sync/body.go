package sync

import (
	"context"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"sync"
)

// spoolOver is the size in bytes above which a body goes to disk.
const spoolOver = 1 << 20

// leastBuffer is the smallest body buffer in bytes.
const leastBuffer = 2 << 10

// bufferFor gives the bytes of the buffer that a body of size goes into, and its pool: four sizes for each power of two, so
// that less than a quarter of the room is wasted.
func bufferFor(size int64) (room int64, pool int) {
	size = max(size, leastBuffer)
	step := bits.Len64(uint64(size-1)) - 3
	room = (size + 1<<step - 1) >> step << step
	return room, step*4 + int(room>>step) - 5
}

// bodies makes room for message bodies: pooled memory up to spoolOver, beyond that an unlinked file beside the
// state (never a temporary folder, which may be memory).
type bodies struct {
	budget    *budget
	dir       string
	pools     [4 * bits.UintSize]sync.Pool // by bufferFor
	digesters sync.Pool
}

func newBodies(b *budget, dir string) *bodies { return &bodies{budget: b, dir: dir} }

// body is one message on its way. It identifies itself while it is written.
type body struct {
	owner  *bodies
	size   int64 // announced
	n      int64 // written
	mem    []byte
	file   *os.File
	weight int64

	header headerScanner
	hash   *digester
	sum    key // of the whole body, after finish
}

// finish ends writing: the body knows its digest then.
func (b *body) finish() {
	b.sum = b.hash.digest()
	b.owner.digesters.Put(b.hash)
	b.hash = nil
}

func (s *bodies) digester() *digester {
	d, ok := s.digesters.Get().(*digester)
	if !ok {
		return newLooseDigester()
	}
	d.reset()
	return d
}

// alloc waits for room for size bytes.
func (s *bodies) alloc(ctx context.Context, size int64) (*body, error) {
	b := &body{owner: s, size: size, header: newHeaderScanner(), hash: s.digester()}
	if size <= spoolOver {
		room, pool := bufferFor(size)
		b.weight = min(room, s.budget.size)
		if err := s.budget.take(ctx, s.budget.memory, b.weight); err != nil {
			return nil, err
		}
		if p, ok := s.pools[pool].Get().(*[]byte); ok {
			b.mem = (*p)[:0]
		} else {
			b.mem = make([]byte, 0, room)
		}
		return b, nil
	}
	b.weight = min(size, spoolLimit)
	if err := s.budget.take(ctx, s.budget.disk, b.weight); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.dir, spoolPrefix+"*")
	if err == nil {
		err = os.Remove(f.Name())
	}
	if err != nil {
		s.budget.disk.Release(b.weight)
		return nil, &SpoolError{Dir: s.dir, Err: err}
	}
	b.file = f
	return b, nil
}

func (b *body) Write(p []byte) (int, error) {
	if b.n+int64(len(p)) > b.size {
		return 0, fmt.Errorf("body longer than the %d bytes that were announced", b.size)
	}
	b.n += int64(len(p))
	b.header.Write(p)
	b.hash.Write(p)
	if b.file == nil {
		b.mem = append(b.mem, p...)
		return len(p), nil
	}
	n, err := b.file.Write(p)
	if err != nil {
		err = &SpoolError{Dir: b.owner.dir, Err: err}
	}
	return n, err
}

// WriteTo sends the whole body from its beginning, any number of times.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	if b.file == nil {
		n, err := w.Write(b.mem)
		return int64(n), err
	}
	return io.Copy(w, io.NewSectionReader(b.file, 0, b.n))
}

func (b *body) Len() int64 { return b.size }

// Release gives the room back. The body must not be used afterwards.
func (b *body) Release() {
	if b.owner == nil {
		return
	}
	s := b.owner
	b.owner = nil
	if b.file != nil {
		b.file.Close()
		s.budget.disk.Release(b.weight)
		return
	}
	mem := b.mem[:0]
	b.mem = nil
	_, pool := bufferFor(int64(cap(mem)))
	s.pools[pool].Put(&mem)
	s.budget.memory.Release(b.weight)
}

// SpoolError means that a large message found no room on disk.
type SpoolError struct {
	Dir string
	Err error
}

func (e *SpoolError) Error() string {
	return fmt.Sprintf("cannot keep a large message in %s: %v", filepath.Clean(e.Dir), e.Err)
}

func (e *SpoolError) Unwrap() error { return e.Err }

// digestOnly is a body that is hashed and thrown away: for telling messages apart.
type digestOnly struct {
	size   int64
	header headerScanner
	sum    *digester
}

func newDigestOnly(size int64) *digestOnly {
	return &digestOnly{size: size, header: newHeaderScanner(), sum: newLooseDigester()}
}

func (d *digestOnly) Write(p []byte) (int, error) {
	d.header.Write(p)
	return d.sum.Write(p)
}

func (d *digestOnly) WriteTo(io.Writer) (int64, error) { return 0, nil }
func (d *digestOnly) Len() int64                       { return d.size }
func (d *digestOnly) Release()                         {}
