package imapx

import (
	"context"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// sizesAtOnce bounds the STATUS commands of one flight.
const sizesAtOnce = 256

// Sizes asks for the bytes of folders (raw names) by STATUS SIZE (RFC 8438). Folders whose size the server does not
// give are absent, all of them where it does not know how. It can cost the server a look at every message.
func (s *Source) Sizes(ctx context.Context, folders []string) (map[string]int64, error) {
	return s.c.sizesOf(ctx, folders)
}

// Sizes is Source.Sizes.
func (t *Target) Sizes(ctx context.Context, folders []string) (map[string]int64, error) {
	return t.c.sizesOf(ctx, folders)
}

func (c *conn) sizesOf(ctx context.Context, folders []string) (map[string]int64, error) {
	out := make(map[string]int64)
	if !c.has(imap.CapStatusSize) {
		return out, nil
	}
	if err := c.lockSelection(ctx); err != nil {
		return nil, err
	}
	defer c.unlockSelection()
	for len(folders) > 0 {
		n := min(len(folders), sizesAtOnce)
		if err := c.sizes(ctx, folders[:n], out); err != nil {
			return nil, err
		}
		folders = folders[n:]
	}
	return out, nil
}

// sizes is one flight. What a server refuses is that folder's trouble.
func (c *conn) sizes(ctx context.Context, folders []string, out map[string]int64) error {
	take := func(r *wire.Response, _ bool) (bool, error) {
		if r.Name != "STATUS" {
			return false, nil
		}
		raw, err := r.P.AString()
		if err != nil {
			return true, err
		}
		return true, r.P.List(func() error {
			item, err := r.P.Atom()
			if err != nil {
				return err
			}
			if item != "SIZE" {
				return r.P.Skip()
			}
			n, err := r.P.Number64()
			out[key(string(raw))] = int64(min(n, 1<<62))
			return err
		})
	}
	var sent []*command
	for _, raw := range folders {
		if raw == c.sel.folder {
			continue // STATUS of the selected folder may be stale (RFC 9051 section 6.3.11)
		}
		h := &command{op: "STATUS", folder: raw, kind: KindFolder, scope: ScopeFolder, data: take}
		if err := c.send(ctx, c.command("STATUS").Mailbox(raw).Raw(" (SIZE)"), h); err != nil {
			if c.failure() != nil {
				return err
			}
			continue
		}
		sent = append(sent, h)
	}
	for _, h := range sent {
		if err := c.wait(ctx, h); err != nil && c.failure() != nil {
			return err
		}
	}
	return nil
}
