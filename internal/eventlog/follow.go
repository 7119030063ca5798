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
	// EventsAfter returns at most limit events with seq > after in seq order, and the marks that identify their log.
	EventsAfter(ctx context.Context, after int64, limit int) (core.EventPage, error)
}

// Waker waits for a notification of the database that there are new events.
type Waker interface {
	// Wait blocks until there may be new events or ctx ends. It returns an error if the connection breaks. The
	// notification is only a hint, because the follower also polls.
	Wait(ctx context.Context) error
}

// Cause is why Begin is called.
type Cause int

// The causes.
const (
	Started  Cause = iota // the follower has started
	Restored              // the log is not the same as before: the database was restored
	Pruned                // events were pruned before the follower read them
)

// Position is a place in one incarnation of the log.
type Position struct {
	Epoch string
	Mark  core.Mark
}

// Subscriber receives events in the order of the log. The follower calls it from one goroutine, so it must not block,
// except for reads of the database in Begin.
type Subscriber interface {
	// Begin sets the position after which the next events come. The follower calls it at the start, and when events
	// between the last event and this position are missing; the state of the subscriber may then be out of date. If
	// Begin fails, the follower calls it again, perhaps with a newer position. The subscriber receives no events until
	// Begin succeeds.
	Begin(ctx context.Context, at Position, why Cause) error
	// Receive handles the next events.
	Receive(ctx context.Context, events []core.Event)
}

// FollowerOptions configures a follower. The zero value of a field means the default at the end of its comment.
type FollowerOptions struct {
	Poll        time.Duration // between polls of the log if nothing wakes the follower; 1 s
	CallTimeout time.Duration // of one call to the source, and of one Begin; 5 s
	Page        int           // events per read; 500
}

// Follower reads the log once for all subscribers of a node.
type Follower struct {
	*Poller
	o      FollowerOptions
	source Source
	waker  Waker

	// Used only by the goroutine of Run.
	subscribers []*subscription
	at          Position // every subscriber that has begun has received all events up to it; zero: nothing was read
}

// subscription is a subscriber and the Begin that is due, if any.
type subscription struct {
	Subscriber
	name  string
	begun bool
	why   Cause // cause of the due Begin
}

// NewFollower returns a follower of a log. Add the subscribers before Run. The logger may be nil (no log), the waker may
// be nil (it only polls), and the registerer and the clock may be nil.
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

// Subscribe adds a subscriber. The name appears in the log. Call Subscribe before Run. Subscribers receive events in the
// order in which they were added.
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

// listen calls Wake for each notification of the database.
func (f *Follower) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := f.waker.Wait(ctx)
		f.Wake()
		if err != nil {
			wait.For(ctx, f.o.Poll)
		}
	}
}

// step calls Begin of the subscribers that have not begun, then passes the next page to all subscribers. more is true if
// there may be another page.
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
		f.restart(ctx, Restored) // another epoch, or the same epoch with other events: a data folder was restored
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

// locate sets the position to the end of the log.
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

// begin calls Begin of every subscriber that has not begun. If one fails, all subscribers begin again at the log's end of
// that time, because the log may have been restored in the meantime and all subscribers must be at the same position.
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

// CheckOrder returns an error if the events are not in strictly ascending order of seq, or not all after the seq after.
// Every Source must keep this order.
func CheckOrder(after int64, events []core.Event) error {
	for _, e := range events {
		if e.Seq <= after {
			return fmt.Errorf("the event log is out of order: %d after %d", e.Seq, after)
		}
		after = e.Seq
	}
	return nil
}
