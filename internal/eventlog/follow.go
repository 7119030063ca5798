package eventlog

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onemap/internal/core"
	"onemap/internal/wait"
)

// Source is the event log as a follower reads it.
type Source interface {
	// Head returns the log's epoch and the mark of its newest event (zero: none).
	Head(ctx context.Context) (epoch string, head core.Mark, err error)
	// EventsAfter returns at most limit events with seq > after in seq order, and what proves which log they are of.
	EventsAfter(ctx context.Context, after int64, limit int) (core.EventPage, error)
}

// Waker waits for the database's word that there are new events.
type Waker interface {
	// Wait blocks until there may be new events, or ctx ends, or the connection breaks, which is an error. It is a
	// hint: the follower polls as well.
	Wait(ctx context.Context) error
}

// Cause is why a subscriber begins (again).
type Cause int

// The causes.
const (
	Started  Cause = iota // the follower has begun
	Restored              // the log is another one than before: the database was restored
	Pruned                // events were pruned before the follower has read them
)

// Position is a place in one incarnation of the log.
type Position struct {
	Epoch string
	Mark  core.Mark
}

// Subscriber is told of events in the order of the log. The follower calls it from one goroutine, so it must not block
// on anything but Begin's own reading of the database.
type Subscriber interface {
	// Begin says that the next events come after this position: at the start, and when something between the last
	// event and this position is missing. What the subscriber holds may be out of date then. When Begin fails, it is
	// called again, perhaps with a newer position, and the subscriber is told of no event meanwhile.
	Begin(ctx context.Context, at Position, why Cause) error
	// Receive is told of the next events.
	Receive(ctx context.Context, events []core.Event)
}

// FollowerOptions tunes a follower. The zero value of each field stands for its default.
type FollowerOptions struct {
	Poll        time.Duration // between looks at the log when nothing wakes the follower; 1 s
	CallTimeout time.Duration // of one call to the source, and of one Begin; 5 s
	Page        int           // events that are read at once; 500
}

// Follower reads the log once for all subscribers of a node.
type Follower struct {
	*Poller
	o      FollowerOptions
	source Source
	waker  Waker

	// Of Run's goroutine alone.
	subscribers []*subscription
	at          Position // what every subscriber that has begun has been told up to; zero: nothing was read
}

// subscription is a subscriber and what it must still be told.
type subscription struct {
	Subscriber
	name  string
	begun bool
	why   Cause // of the Begin that is due
}

// NewFollower returns a follower of a log. Add subscribers, then Run it. The logger may be nil (silent), so may the
// waker (it only polls), the registerer and the clock.
func NewFollower(source Source, waker Waker, o FollowerOptions, log *slog.Logger, reg prometheus.Registerer, now func() time.Time) *Follower {
	o.Poll = cmp.Or(o.Poll, time.Second)
	o.CallTimeout = cmp.Or(o.CallTimeout, 5*time.Second)
	o.Page = cmp.Or(o.Page, 500)
	f := &Follower{o: o, source: source, waker: waker}
	m := promauto.With(reg)
	f.Poller = NewPoller(PollerOptions{
		Name: "event log", Poll: o.Poll, Grace: max(3*o.Poll, time.Second), Read: f.step, Logger: log, Clock: now,
		Errors: m.NewCounter(prometheus.CounterOpts{
			Namespace: "onemap", Subsystem: "eventlog", Name: "errors_total", Help: "Failed readings of the event log.",
		}),
	})
	m.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "onemap", Subsystem: "eventlog", Name: "age_seconds", Help: "Since the event log was last read to its end.",
	}, func() float64 { return f.Age().Seconds() })
	return f
}

// Subscribe adds a subscriber; the name is for the log. Call it before Run. Subscribers are told in the order in which
// they were added.
func (f *Follower) Subscribe(name string, s Subscriber) {
	f.subscribers = append(f.subscribers, &subscription{Subscriber: s, name: name})
}

// Run follows the log until ctx ends.
func (f *Follower) Run(ctx context.Context) {
	var listening sync.WaitGroup
	defer listening.Wait()
	if f.waker != nil {
		listening.Go(func() { f.listen(ctx) })
	}
	f.Poller.Run(ctx)
}

// listen turns the database's notifications into Wake.
func (f *Follower) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := f.waker.Wait(ctx)
		f.Wake()
		if err != nil {
			wait.For(ctx, f.o.Poll)
		}
	}
}

// step begins the subscribers that have not begun, and tells all of them the next page. more is true when there may be
// another page.
func (f *Follower) step(ctx context.Context) (more bool, err error) {
	if f.at.Epoch == "" {
		if err := f.locate(ctx); err != nil {
			return false, err
		}
	}
	if err := f.begin(ctx); err != nil {
		return false, err
	}
	page, err := f.read(ctx)
	if err != nil {
		return false, fmt.Errorf("read events after %d: %w", f.at.Mark.Seq, err)
	}
	switch {
	case page.Epoch != f.at.Epoch, page.Before != f.at.Mark.ID && !page.Truncated:
		f.restart(ctx, Restored) // the epoch, or the same numbers with another past: a folder that was put back
		return true, nil
	case page.Truncated:
		f.restart(ctx, Pruned)
		return true, nil
	}
	if err := CheckOrder(f.at.Mark.Seq, page.Events); err != nil {
		return false, err
	}
	if n := len(page.Events); n > 0 {
		for _, s := range f.subscribers {
			s.Receive(ctx, page.Events)
		}
		f.at.Mark = page.Events[n-1].Mark()
	}
	return len(page.Events) == f.o.Page, nil
}

func (f *Follower) read(ctx context.Context) (core.EventPage, error) {
	ctx, cancel := context.WithTimeout(ctx, f.o.CallTimeout)
	defer cancel()
	return f.source.EventsAfter(ctx, f.at.Mark.Seq, f.o.Page)
}

// locate finds where the log ends now.
func (f *Follower) locate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.o.CallTimeout)
	defer cancel()
	epoch, head, err := f.source.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the log's head: %w", err)
	}
	f.at = Position{epoch, head}
	return nil
}

// begin begins every subscriber that has not begun. When one fails, all begin again at the log's end as it is then: the
// log may have been restored meanwhile, and all subscribers are at the same position.
func (f *Follower) begin(ctx context.Context) error {
	for _, s := range f.subscribers {
		if s.begun {
			continue
		}
		if err := f.beginOne(ctx, s); err != nil {
			f.rewind()
			return fmt.Errorf("%s: %w", s.name, err)
		}
		s.begun = true
	}
	return nil
}

func (f *Follower) beginOne(ctx context.Context, s *subscription) error {
	ctx, cancel := context.WithTimeout(ctx, f.o.CallTimeout)
	defer cancel()
	return s.Begin(ctx, f.at, s.why)
}

// restart makes every subscriber begin again because of why.
func (f *Follower) restart(ctx context.Context, why Cause) {
	f.Logger.WarnContext(ctx, "the event log does not continue", "restored", why == Restored, "after", f.at.Mark.Seq)
	for _, s := range f.subscribers {
		s.why = why
	}
	f.rewind()
}

// rewind makes every subscriber begin at the log's end.
func (f *Follower) rewind() {
	f.at = Position{}
	for _, s := range f.subscribers {
		s.begun = false
	}
}

// CheckOrder checks what a source promises: events in strictly ascending order, after a seq.
func CheckOrder(after int64, events []core.Event) error {
	for _, e := range events {
		if e.Seq <= after {
			return fmt.Errorf("the event log is out of order: %d after %d", e.Seq, after)
		}
		after = e.Seq
	}
	return nil
}
