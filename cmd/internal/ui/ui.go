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
	Out       io.Writer          // results
	Err       io.Writer          // problems and progress
	Width     int                // columns of the terminal; 0: 80
	Heartbeat time.Duration      // Plain: time between two lines of progress; 0: none
	Now       func() time.Time   // nil: time.Now
	Words     func(error) string // how errors are worded; nil: as they word themselves
	Colour    bool               // problems in yellow, on a terminal
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
	return worded(o.mode(), o.Words)
}

func (o Options) mode() Renderer {
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

// worded gives a renderer the texts of errors as the command line words them: the engine's own name the protocol's
// commands, which say little to people.
func worded(r Renderer, words func(error) string) Renderer {
	if words == nil {
		return r
	}
	return &wording{r, words}
}

type wording struct {
	Renderer
	words func(error) string
}

func (w *wording) Event(e mailsync.Event) {
	if t, is := e.(mailsync.Throttled); is && t.Err != nil {
		t.Why = w.words(t.Err)
		e = t
	}
	w.Renderer.Event(e)
}
