package notify

import (
	"context"
	"errors"
	"time"
)

// Kinds of events.
const (
	Begun    = "start"    // the first pass over a group has begun
	Copied   = "copied"   // the first copy is done
	Trouble  = "trouble"  // accounts fail
	Ready    = "ready"    // nothing is in the way of the final pass
	Final    = "final"    // the final pass is done
	Switched = "switched" // mail goes to the new server
	Closed   = "closed"   // nothing reaches the old server any more
)

// Kinds gives all of them, in the order in which they happen.
func Kinds() []string { return []string{Begun, Copied, Trouble, Ready, Final, Switched, Closed} }

// Event is something that happened, to a group or to an account of it.
type Event struct {
	Time     time.Time `json:"time"`
	Account  string    `json:"account,omitempty"`
	Text     string    `json:"text,omitempty"` // clean, on one line
	Next     string    `json:"next,omitempty"` // what to do, likewise
	Accounts int       `json:"accounts,omitempty"`
	Mailbox  string    `json:"mailbox,omitempty"` // the user on the target
	Language string    `json:"-"`                 // "de" or "en"
	Owner    bool      `json:"-"`                 // it is told to the owner of the mailbox
}

// Message is what one delivery tells: events of one kind.
type Message struct {
	ID        string // the same whenever the same message is delivered; letters, digits and dashes
	Kind      string
	Group     string
	Recipient string
	Events    []Event // at least one
}

// Batch is a message on its way.
type Batch struct {
	Message
	Channel string
	Tries   int // how often its delivery was begun, with this one
	Notes   any // the store's
}

// Store keeps what is to be told. Its methods are on disk when they return.
type Store interface {
	// Claim takes what is due; where nothing is, next is when there will be something, zero: never.
	Claim(ctx context.Context, now time.Time) (b Batch, found bool, next time.Time, err error)
	Sent(ctx context.Context, b Batch, now time.Time) error
	// Later gives a batch back until due; all: and whatever else goes that way.
	Later(ctx context.Context, b Batch, due time.Time, why string, all bool) error
}

// Channel is one way to tell.
type Channel interface {
	// Deliver tells a message. nil: the receiver has it. Any error: it may not have it, and it is told again later; one
	// that wraps ErrDown says that nothing else can be told this way now either.
	Deliver(ctx context.Context, m Message) error
}

// ErrDown: the way as a whole is closed now, whatever is to be told.
var ErrDown = errors.New("not reached")

// Options say how a Notifier works.
type Options struct {
	Store    Store
	Channels map[string]Channel // by name
	Timeout  time.Duration      // of one delivery
	Now      func() time.Time
	Problem  func(error) // told of each delivery that failed; called from another goroutine
}

// Notifier delivers what a store holds, until it is closed.
type Notifier struct {
	o       Options
	wake    chan struct{}
	closing chan struct{}
	done    chan struct{}
	cancel  context.CancelFunc
	err     error // of the store; read after done
}

// Start begins to deliver. The context's values are used, its end is not: Close ends it.
func Start(ctx context.Context, o Options) *Notifier {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n := &Notifier{o: o, wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(n.done)
		n.err = n.loop(ctx)
	}()
	return n
}

// Wake says that something new may be due. It never waits.
func (n *Notifier) Wake() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Close delivers what is due, for at most within, and gives the store's error. What is left is for a later run.
func (n *Notifier) Close(within time.Duration) error {
	close(n.closing)
	timer := time.AfterFunc(within, n.cancel)
	<-n.done
	timer.Stop()
	n.cancel()
	return n.err
}

func (n *Notifier) loop(ctx context.Context) error {
	for ctx.Err() == nil { // what was given back at the end is due
		b, found, next, err := n.o.Store.Claim(ctx, n.o.Now())
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case found:
			if err := n.deliver(ctx, b); err != nil {
				return err
			}
			continue
		}
		select {
		case <-n.closing:
			return nil
		default:
		}
		if !n.await(ctx, next) {
			return nil
		}
	}
	return nil
}

// await waits for something to do; false: there will be nothing.
func (n *Notifier) await(ctx context.Context, next time.Time) bool {
	var due <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(max(next.Sub(n.o.Now()), time.Millisecond))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-n.wake:
	case <-due:
	case <-n.closing: // once more: what was noted last is to be told too
	case <-ctx.Done():
		return false
	}
	return true
}

// deliver tells a batch and notes what came of it. The note is written also when time is up.
func (n *Notifier) deliver(ctx context.Context, b Batch) error {
	within, end := context.WithTimeout(ctx, n.o.Timeout)
	defer end()
	channel, known := n.o.Channels[b.Channel]
	err := ErrDown
	if known {
		err = channel.Deliver(within, b.Message)
	}
	keep := context.WithoutCancel(ctx)
	if err == nil {
		return n.o.Store.Sent(keep, b, n.o.Now())
	}
	if ctx.Err() != nil { // the run is over, which says nothing of the receiver
		return n.o.Store.Later(keep, b, n.o.Now(), err.Error(), false)
	}
	n.o.Problem(err)
	return n.o.Store.Later(keep, b, n.o.Now().Add(Backoff(b.Tries)), err.Error(), errors.Is(err, ErrDown))
}

// Backoff is how long a message waits after so many tries: a minute, and twice as long each time, up to an hour.
func Backoff(tries int) time.Duration {
	return min(time.Minute<<min(max(tries-1, 0), 6), time.Hour)
}
