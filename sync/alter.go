package sync

import (
	"bytes"
	"io"
	"math/bits"
	"slices"
	"strings"
)

// What may be altered of a message that the target refuses as it is: the ladder of docs/refused.md. Every step is
// undone by the loose form (looseform.go), so that an altered copy has the digest of the message it was made of: no
// later pass, with or without a state, takes it for another one.

// alteration is a set of steps.
type alteration uint8

const (
	alterEnds alteration = 1 << iota
	alterNUL
	alterHeader
	alterKeywords
)

// rung is one step of the ladder.
type rung struct {
	step  alteration
	words func(as *nature) string // what it did, for the exception
	// over puts the step before w; nil: it leaves the bytes alone.
	over func(w io.Writer, as *nature) stage
}

// ladder has its steps in the order in which they are applied and, where one is enough, tried.
func ladder() []rung {
	return []rung{
		{alterEnds, always("CR and LF alone as CR LF"), func(w io.Writer, _ *nature) stage { return &endsStage{out: w} }},
		{alterNUL, always("NUL as 0x80"), func(w io.Writer, _ *nature) stage { return &nulStage{out: w} }},
		{alterHeader, (*nature).headerWords, func(w io.Writer, as *nature) stage {
			return &headerStage{out: w, top: as.headless()}
		}},
		{alterKeywords, always("without its keywords"), nil},
	}
}

// stage alters what is written to it and hands it on. Memory is bounded whatever is written.
type stage interface {
	io.Writer
	close() error // writes what was held back
}

// nature is what of a message the ladder could alter.
type nature struct {
	bare    bool // a CR or LF alone
	nul     bool
	fields  int  // header lines that are fields, also those with blanks before the colon
	spaced  int  // of these: with blanks before the colon
	wrong   int  // header lines that are none
	endless bool // the header has no end
}

// headless: nothing before the first empty line is a header.
func (n *nature) headless() bool { return n.fields == 0 && n.wrong > 0 }

func always(words string) func(*nature) string { return func(*nature) string { return words } }

// headerWords says what the header stage does to it.
func (n *nature) headerWords() string {
	if n.headless() {
		return "an empty line before the text, for it has no header"
	}
	var out []string
	if n.spaced > 0 {
		out = append(out, "no blanks before a header's colon")
	}
	if n.wrong > 0 {
		out = append(out, "header lines that are none as "+keptField)
	}
	if n.endless {
		out = append(out, "an empty line after the header")
	}
	return strings.Join(out, "; ")
}

// steps are those that would alter something.
func (n *nature) steps() (out alteration) {
	if n.bare {
		out |= alterEnds
	}
	if n.nul {
		out |= alterNUL
	}
	if n.spaced+n.wrong > 0 || n.endless {
		out |= alterHeader
	}
	return out
}

// inspect reads a whole body.
func inspect(b io.WriterTo) (*nature, error) {
	n := &nature{}
	w := &inspector{nature: n, header: &headerStage{out: io.Discard, seen: n}}
	if _, err := b.WriteTo(w); err != nil {
		return nil, err
	}
	return n, w.header.close()
}

type inspector struct {
	nature *nature
	header *headerStage
}

func (w *inspector) Write(p []byte) (int, error) {
	w.nature.nul = w.nature.nul || bytes.IndexByte(p, 0) >= 0
	return w.header.Write(p)
}

// alterOnlyAll is the size in bytes above which not every choice of steps is tried, but all of them at once.
const alterOnlyAll = 1 << 20

// choices gives the sets of steps to be tried: the least first.
func choices(of alteration, size int64) (out []alteration) {
	if of == 0 {
		return nil
	}
	if size > alterOnlyAll {
		return []alteration{of}
	}
	for a := alteration(1); a <= of; a++ {
		if a&^of == 0 {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(x, y alteration) int { return bits.OnesCount8(uint8(x)) - bits.OnesCount8(uint8(y)) })
	return out
}

// words says what was altered.
func (a alteration) words(as *nature) string {
	var out []string
	for _, r := range ladder() {
		if a&r.step != 0 {
			out = append(out, r.words(as))
		}
	}
	return strings.Join(out, "; ")
}

// alteredBody is a body as it is after some steps, made anew each time that it is sent.
type alteredBody struct {
	io.WriterTo
	as    *nature
	steps alteration
	size  int64
}

// alter gives b after these steps. It reads b once, for the size.
func alter(b io.WriterTo, as *nature, steps alteration) (*alteredBody, error) {
	a := &alteredBody{WriterTo: b, as: as, steps: steps}
	n, err := a.WriteTo(io.Discard)
	a.size = n
	return a, err
}

// WriteTo gives the number of altered bytes.
func (a *alteredBody) WriteTo(w io.Writer) (int64, error) {
	count := &counter{out: w}
	var chain []stage // the last is written to first
	top := io.Writer(count)
	rungs := ladder()
	for _, r := range slices.Backward(rungs) {
		if a.steps&r.step != 0 && r.over != nil {
			s := r.over(top, a.as)
			chain, top = append(chain, s), s
		}
	}
	if _, err := a.WriterTo.WriteTo(top); err != nil {
		return count.n, err
	}
	for _, s := range slices.Backward(chain) {
		if err := s.close(); err != nil {
			return count.n, err
		}
	}
	return count.n, nil
}

func (a *alteredBody) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
func (a *alteredBody) Len() int64                { return a.size }
func (a *alteredBody) Release()                  {}

// fingerprint is what the target will make of its header.
func (a *alteredBody) fingerprint() (key, error) {
	h := newHeaderScanner()
	_, err := a.WriteTo(&h)
	fp, _ := h.fingerprint()
	return fp, err
}

type counter struct {
	out io.Writer
	n   int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	c.n += int64(n)
	return n, err
}
