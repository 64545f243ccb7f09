package imapx

import (
	"context"
	"net"
	"net/netip"
)

// Direct is how servers are dialled where there is no proxy.
func Direct(bind netip.Addr) *net.Dialer { return direct(bind) }

// Noop sends what keepAlive sends, without its two minutes of silence before.
func (t *Target) Noop(ctx context.Context) error {
	return t.c.call(ctx, t.c.command("NOOP"), &command{op: "NOOP"})
}

// The bounds, for docs/hostile-servers.md.
const (
	MaxFolders  = maxFolders
	MaxNames    = maxNames
	MaxName     = maxName
	MaxAttrs    = maxAttrs
	MaxAttrText = maxAttrText
	MaxLevels   = maxLevels
	MaxDelim    = maxDelim
	MaxSteps    = maxSteps
	MaxMessages = maxMessages
	MaxUnwanted = maxUnwanted
	MaxIdle     = maxIdle
	MaxTrickle  = maxTrickle
)
