package cmd

import (
	"strconv"
	"sync/atomic"

	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/rogpeppe/go-internal/testscript"
)

type limitsKey struct{}

// limits are how large a message each server of a script takes, in bytes; 0: as large as it can.
type limits map[string]*atomic.Uint32

// limited is a session of a server that refuses large messages. It does not tell its limit before (RFC 7889).
type limited struct {
	imapserver.SessionIMAP4rev2
	limit *atomic.Uint32
}

func (l limited) AppendLimit() uint32 {
	if n := l.limit.Load(); n > 0 {
		return n
	}
	return 100 << 20
}

// setLimit is the script command
//
//	limit ADDRESS BYTES
//
// From the next connection on the server refuses messages that are larger; 0: none.
func setLimit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: limit ADDRESS BYTES")
	}
	n, err := strconv.ParseUint(args[1], 10, 32)
	ts.Check(err)
	limit := ts.Value(limitsKey{}).(limits)[args[0]]
	if limit == nil {
		ts.Fatalf("no server at %s", args[0])
	}
	limit.Store(uint32(n))
}
