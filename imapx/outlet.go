package imapx

import (
	"bufio"
	"io"

	"github.com/klauspost/compress/flate"
)

// deflateLevel is the best of those that are much faster than any slow line; what more effort would gain is in
// docs/decisions/0015-compression.md.
const deflateLevel = 3

// outlet is the way out: a buffer in which pipelined commands share packets and, once the server has agreed to
// COMPRESS, the compressor behind it.
type outlet struct {
	*bufio.Writer
	zip *deflater // nil: not compressed
}

func newOutlet(w io.Writer) *outlet { return &outlet{Writer: bufio.NewWriterSize(w, writeBuffer)} }

// compressedOutlet is an outlet to w that deflates (RFC 4978). It holds 1.2 MB.
func compressedOutlet(w io.Writer) (*outlet, error) {
	line := bufio.NewWriterSize(w, writeBuffer) // a compressor writes in small pieces
	z, err := flate.NewWriter(line, deflateLevel)
	if err != nil {
		return nil, err
	}
	zip := &deflater{z: z, line: line}
	return &outlet{Writer: bufio.NewWriterSize(zip, writeBuffer), zip: zip}, nil
}

// Flush sends everything on its way. A buffer that runs full does not come here: to end a block costs bytes, and is
// only needed where the server must see all that was written.
func (o *outlet) Flush() error {
	if err := o.Writer.Flush(); err != nil || o.zip == nil {
		return err
	}
	return o.zip.sync()
}

// deflater compresses what a buffer hands on.
type deflater struct {
	z     *flate.Writer
	line  *bufio.Writer
	dirty bool // something was written since the last sync: an empty block would be a packet for nothing
}

func (d *deflater) Write(p []byte) (int, error) {
	d.dirty = true
	return d.z.Write(p)
}

func (d *deflater) sync() error {
	if !d.dirty {
		return nil
	}
	d.dirty = false
	if err := d.z.Flush(); err != nil {
		return err
	}
	return d.line.Flush()
}
