package cmd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// stops turns signals into the two stops of a pass: the first ends intake and settles what is in flight, the
// second ends everything. Where nothing has to be settled, the first ends everything.
type stops struct {
	settle   chan struct{} // closed by the first stop
	cancel   context.CancelCauseFunc
	tell     func(string) // what a person at a terminal is told; not called elsewhere
	mu       sync.Mutex
	settling bool // a pass runs that knows what to do with settle
	first    os.Signal
}

// stopped is the cause of a context that a signal ended.
type stopped struct{ signal os.Signal }

func (s *stopped) Error() string { return "stopped by " + signalName(s.signal) }

func signalName(s os.Signal) string {
	switch s {
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGHUP:
		return "SIGHUP"
	}
	return "Ctrl-C"
}

// watchSignals starts to listen. The function that it returns ends that; it must be called.
func watchSignals(parent context.Context, tell func(string)) (context.Context, *stops, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	s := &stops{settle: make(chan struct{}), cancel: cancel, tell: tell}
	arrived := make(chan os.Signal, 4)
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		// What the parent made us ignore stays so: nohup, and "command &" in a script.
		if !signal.Ignored(sig) {
			signal.Notify(arrived, sig)
		}
	}
	// A pipe that nobody reads any more (mailmove … | head) ends the output, not the work: asked for, the signal kills
	// no longer, and the write fails instead. Children are not concerned, as they would be if it were ignored.
	closed := make(chan os.Signal, 1)
	signal.Notify(closed, syscall.SIGPIPE)
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			select {
			case sig := <-arrived:
				s.arrive(sig)
			case <-done:
				return
			}
		}
	})
	return ctx, s, func() {
		signal.Stop(arrived) // SIGPIPE is not given back: the last line of an error may be what meets a closed pipe
		close(done)
		watcher.Wait()
		cancel(nil)
	}
}

func (s *stops) arrive(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first != nil {
		s.cancel(&stopped{s.first})
		return
	}
	s.first = sig
	close(s.settle)
	if !s.settling {
		s.cancel(&stopped{sig})
		return
	}
	if s.tell != nil {
		s.tell("settling what is in flight; press Ctrl-C again to stop now")
	}
}

// pass says that from now on the first stop is a pass's own to handle, and gives it the channel.
func (s *stops) pass() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settling = true
	return s.settle
}

// asking says that no pass runs any more: somebody is asked, nothing is in flight, and the first stop ends the command. It
// tells whether one has come already.
func (s *stops) asking() (stopped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settling = false
	return s.first != nil
}

// signal is the first one that arrived, nil without.
func (s *stops) signal() os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// interrupted is the error of a run that a signal ended before its work was done, with what to do then; nil without a
// signal.
func (s *stops) interrupted(settled bool, hint string) error {
	sig := s.signal()
	if sig == nil {
		return nil
	}
	codes := map[os.Signal]int{syscall.SIGINT: exitInterrupt, syscall.SIGTERM: exitTerminate, syscall.SIGHUP: exitHangup}
	what := fmt.Sprintf("stopped by %s", signalName(sig))
	if settled {
		what += "; what was in flight is settled"
	}
	return &failure{code: codes[sig], what: what, hint: hint}
}
