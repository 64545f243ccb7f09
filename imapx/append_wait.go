package imapx

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/emersion/go-imap/v2"
)

// pending is a batch that was written.
type pending struct {
	t      *Target
	batch  AppendBatch
	ops    []*appendOp
	unsent *Error // why the last messages were not sent

	mu   sync.Mutex
	out  Appended
	done bool
}

// written ends Append. A refusal that came too early to write on ends the connection, but it is an answer: nothing
// of that command was stored, and nothing behind it was sent.
func (p *pending) written(err error) (Pending, error) {
	if err == nil {
		return p, nil
	}
	if len(p.ops) == 0 {
		return nil, err
	}
	last := p.ops[len(p.ops)-1].cmd
	if last.done == nil || !last.ended() || last.lost != nil || last.status.name == "OK" {
		return nil, err
	}
	var lost *Error
	errors.As(err, &lost)
	p.unsent = lost
	return p, nil
}

// Wait collects the answers. It may be called again.
func (p *pending) Wait(ctx context.Context) (Appended, error) {
	for _, op := range p.ops {
		if err := p.t.c.await(ctx, op.cmd); err != nil {
			return Appended{}, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.done {
		p.collect()
		p.done = true
	}
	return p.out, nil
}

func (p *pending) collect() {
	if p.unsent != nil {
		for i := range p.out.Errs {
			if p.out.Errs[i] == nil {
				p.out.Errs[i] = p.unsent
			}
		}
	}
	first := true
	for _, op := range p.ops {
		if op.cmd.status.name != "OK" {
			err := p.t.c.refused(op.cmd, op.cmd.status)
			for _, m := range op.messages {
				p.out.Errs[m.index] = err
			}
			continue
		}
		validity, uids := appendUIDs(op.cmd.status, len(op.messages))
		if first {
			p.out.UIDValidity = validity
		} else if validity != p.out.UIDValidity {
			p.out.UIDValidity = 0
		}
		first = false
		for i, m := range op.messages {
			p.out.Errs[m.index] = nil
			if uids != nil {
				p.out.UIDs[m.index] = uids[i]
			}
		}
	}
	if p.out.UIDValidity == 0 { // UIDs of different lives of the folder cannot be told apart
		clear(p.out.UIDs)
	}
}

// appendUIDs reads [APPENDUID validity set] (RFC 4315 section 3). A set that does not name exactly n UIDs,
// ascending as they were stored, is as good as none.
func appendUIDs(s status, n int) (validity uint32, uids []imap.UID) {
	if s.code != "APPENDUID" {
		return 0, nil
	}
	first, set, _ := strings.Cut(s.args, " ")
	v, err := strconv.ParseUint(first, 10, 32)
	if err != nil || v == 0 {
		return 0, nil
	}
	last := uint64(0)
	for _, part := range strings.Split(strings.TrimSpace(set), ",") {
		a, b, ranged := strings.Cut(part, ":")
		if !ranged {
			b = a
		}
		from, err1 := strconv.ParseUint(a, 10, 32)
		to, err2 := strconv.ParseUint(b, 10, 32)
		if err1 != nil || err2 != nil || from <= last || to < from || to-from >= uint64(n-len(uids)) {
			return uint32(v), nil
		}
		for u := from; u <= to; u++ {
			uids = append(uids, imap.UID(u))
		}
		last = to
	}
	if len(uids) != n {
		return uint32(v), nil
	}
	return uint32(v), uids
}
