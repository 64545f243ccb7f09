package ui

import (
	"io"
	"time"

	mailsync "mailmove/sync"
)

// Mode is a way of rendering.
type Mode int

const (
	Plain    Mode = iota // lines: problems, a heartbeat, a summary
	Terminal             // a progress bar, problems above it, a summary
	Quiet                // nothing unless something is new
	JSON                 // one JSON object a line
)

// Options say how and where to render.
type Options struct {
	Mode      Mode
	Out       io.Writer        // results
	Err       io.Writer        // problems and progress
	Width     int              // columns of the terminal; 0: 80
	Heartbeat time.Duration    // Plain: time between two lines of progress; 0: none
	Now       func() time.Time // nil: time.Now
}

// Renderer shows the events of a pass. Event is not called concurrently; Close is called once, at the end.
type Renderer interface {
	Event(mailsync.Event)
	Close()
}

// New makes the renderer of a mode.
func New(o Options) Renderer {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Width <= 0 {
		o.Width = 80
	}
	switch o.Mode {
	case Terminal:
		return newTerminal(o)
	case Quiet:
		return &quiet{out: o.Out, problems: problems{out: o.Err}}
	case JSON:
		return &jsonLines{out: o.Out, now: o.Now}
	}
	return newPlain(o)
}
