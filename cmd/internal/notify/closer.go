package notify

import (
	"context"
	"net"
	"sync"
)

// closer closes connections when a delivery ends, and with it every wait on them.
type closer struct {
	mu    sync.Mutex
	ended bool
	conns []net.Conn
}

// watch closes them when ctx ends, and when the function that it gives is called.
func (c *closer) watch(ctx context.Context) (end func()) {
	stop := context.AfterFunc(ctx, c.close)
	return func() {
		stop()
		c.close()
	}
}

func (c *closer) add(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns = append(c.conns, conn); c.ended {
		_ = conn.Close() // the delivery is over: its error is told
	}
}

func (c *closer) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for _, conn := range c.conns {
		_ = conn.Close() // mostly closed already
	}
}
