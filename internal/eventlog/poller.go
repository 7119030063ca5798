package eventlog

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/wait"
)

// PollerOptions configures a Poller. All fields except Logger, Errors and Clock are required.
type PollerOptions struct {
	Name  string        // name of the source, for the log
	Poll  time.Duration // between reads if nothing wakes the poller
	Grace time.Duration // the age above which the source counts as late
	// Read reads the next part; more is true when there may be another one.
	Read   func(ctx context.Context) (more bool, err error)
	Logger *slog.Logger       // nil: no messages
	Errors prometheus.Counter // counts failed reads; nil: not counted
	Clock  func() time.Time   // nil: time.Now
}

// Poller reads a source repeatedly: at once while there is more, when it is woken, and every Poll.
type Poller struct {
	PollerOptions
	woken chan struct{}

	mu      sync.Mutex
	okAt    time.Time // when it was last read to its end
	failing bool
}

// NewPoller returns a poller. Run starts it.
func NewPoller(o PollerOptions) *Poller {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Errors == nil {
		o.Errors = prometheus.NewCounter(prometheus.CounterOpts{Name: "errors"})
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Poller{PollerOptions: o, woken: make(chan struct{}, 1), okAt: o.Clock()}
}

// Wake makes the poller read now. It never blocks.
func (p *Poller) Wake() {
	wait.Wake(p.woken)
}

// Age returns the time since the source was last read to its end. It grows while reads fail or a read hangs.
func (p *Poller) Age() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, p.Clock().Sub(p.okAt))
}

// Late returns the age and whether it exceeds the grace.
func (p *Poller) Late() (age time.Duration, late bool) {
	age = p.Age()
	return age, age > p.Grace
}

// Run reads until ctx ends.
func (p *Poller) Run(ctx context.Context) {
	timer := time.NewTimer(p.Poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		more, err := p.Read(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil && more {
			continue
		}
		p.report(ctx, err)
		if err != nil {
			wait.For(ctx, p.Poll) // Wake must not turn a failing source into a busy loop
			continue
		}
		timer.Reset(p.Poll)
		select {
		case <-ctx.Done():
		case <-p.woken:
		case <-timer.C:
		}
	}
}

// report records the result of a read. It logs only the first failure and the first success after failures.
func (p *Poller) report(ctx context.Context, err error) {
	p.mu.Lock()
	if err == nil {
		p.okAt = p.Clock()
	}
	changed := p.failing != (err != nil)
	p.failing = err != nil
	p.mu.Unlock()
	if err != nil {
		p.Errors.Inc()
	}
	switch {
	case !changed:
	case err != nil:
		p.Logger.WarnContext(ctx, "cannot read the "+p.Name, "error", err)
	default:
		p.Logger.InfoContext(ctx, "reading the "+p.Name)
	}
}
