package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

	"mailmove/cmd/internal/ui"
)

// output is standard output, or another file that results go to. It remembers the first write that failed: whoever
// renders events cannot stop for it, and a run whose summary is lost must not end as if it had been told.
type output struct {
	name string // for the message
	to   io.Writer

	mu  sync.Mutex
	err error
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.to.Write(b)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// settle gives how a run ended, and beside it what was lost of its output; hint says what that means. A run that failed
// for another reason keeps its code. A reader that went away (a pipe into head) lost nothing that it wanted: the run
// ends with its own code.
func (o *output) settle(ended error, hint string) (err, lost error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	own := ended != nil && !errors.Is(ended, o.err)
	switch {
	case o.err == nil:
		return ended, nil
	case errors.Is(o.err, syscall.EPIPE) && own:
		return ended, nil
	case errors.Is(o.err, syscall.EPIPE):
		return nil, nil
	}
	failed := &failure{code: exitOutput, err: o.err, what: fmt.Sprintf("%s: not all was written: %v", o.name, cause(o.err)), hint: hint}
	if own {
		return ended, failed
	}
	return failed, nil
}

// silent hides the errors of what is below it from cobra, which prints them in its own words; an output remembers them.
type silent struct{ to io.Writer }

func (s silent) Write(b []byte) (int, error) {
	_, _ = s.to.Write(b)
	return len(b), nil
}

// printJSON writes one object on one line, exact for a program and harmless on a terminal.
func printJSON(w io.Writer, object any) error {
	line, err := json.Marshal(object)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, ui.EscapeJSON(string(line)))
	return err
}

// each goes on where one of a list fails: the errors are told, the last one is the command's.
func each[T any](a *app, list []T, do func(T) error) (failed error) {
	for _, x := range list {
		if err := do(x); err != nil {
			a.tellError(failed)
			failed = err
		}
	}
	return failed
}
