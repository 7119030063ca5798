package alerts

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/wait"
	"onemap/sensors"
)

// Options are the engine's settings. A zero value means the default that the comment of the field states.
type Options struct {
	Sender      string        // CAP sender; "onemap"
	Unit        core.Text     // the unit that issues the messages; 烟台市应急管理局
	CityCode    string        // GB/T 2260; "3706"
	Node        string        // this node's name, for logs
	BatchLimit  int           // largest number of batches that are read at once; 64
	Poll        time.Duration // longest delay of a reading after a missed Wake; 200 ms
	Tick        time.Duration // interval of the check for stale and expiring alerts, and of storing steps without a notice; 1 s
	LeaseRetry  time.Duration // how often a standby node asks for the lease; 1 s
	Backoff     time.Duration // the pause after a failure; 500 ms
	ReloadEvery time.Duration // longest delay of a rule after a missed ReloadRules; 1 min
	RenewBefore time.Duration // a message is renewed this long before it expires, at most a quarter of its life; 10 min
	ClearFor    time.Duration // life of an all-clear message; 30 min
	LagLimit    time.Duration // Health is bad if the lag is longer; 10 s
}

// orDefault sets a value that is the zero value of its type.
func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// withDefaults returns the options with the defaults in place of zero values.
func (o Options) withDefaults() Options {
	orDefault(&o.Sender, "onemap")
	orDefault(&o.Unit, core.Text{ZH: "烟台市应急管理局", EN: "Yantai Emergency Management Bureau"})
	orDefault(&o.CityCode, "3706")
	orDefault(&o.BatchLimit, 64)
	orDefault(&o.Poll, 200*time.Millisecond)
	orDefault(&o.Tick, time.Second)
	orDefault(&o.LeaseRetry, time.Second)
	orDefault(&o.Backoff, 500*time.Millisecond)
	orDefault(&o.ReloadEvery, time.Minute)
	orDefault(&o.RenewBefore, 10*time.Minute)
	orDefault(&o.ClearFor, 30*time.Minute)
	orDefault(&o.LagLimit, 10*time.Second)
	return o
}

// Engine evaluates the rules. Every node runs an engine, and only the node that holds the lease evaluates.
type Engine struct {
	opts    Options
	issuer  Issuer
	store   EngineStore
	sensors Sensors
	log     *slog.Logger
	clock   func() time.Time
	metrics metrics
	wake    chan struct{}
	reload  chan struct{}
	status  atomic.Pointer[status]
}

// status is the state that Health reports.
type status struct {
	leading bool
	oldest  time.Time // commit time of the oldest known batch that is not evaluated; zero: none
	failing bool      // the last pass failed; the reason is in the log
	ready   bool      // the replay is done, or another node leads
}

// NewEngine returns an engine; Run starts it. With a nil logger it does not log. With a nil registerer the metrics are
// not exported. With a nil clock it uses the system clock.
func NewEngine(o Options, store EngineStore, seen Sensors, log *slog.Logger, reg prometheus.Registerer, clock func() time.Time) *Engine {
	o = o.withDefaults()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if clock == nil {
		clock = time.Now
	}
	e := &Engine{
		opts: o, issuer: Issuer{Sender: o.Sender, Unit: o.Unit, CityCode: o.CityCode},
		store: store, sensors: seen, log: log.With("part", "rules", "node", o.Node), clock: clock, metrics: newMetrics(reg),
		wake: make(chan struct{}, 1), reload: make(chan struct{}, 1),
	}
	e.status.Store(&status{})
	return e
}

// Wake signals the engine that a batch was committed. It never blocks. The engine also polls, so a missed Wake only
// causes a delay.
func (e *Engine) Wake() { wait.Wake(e.wake) }

// ReloadRules signals the engine that rules, devices or datastreams changed. It never blocks.
func (e *Engine) ReloadRules() { wait.Wake(e.reload) }

// Health returns the health of the part "rules". It is bad while readings wait longer than Options.LagLimit, while
// evaluation fails, and until the batches that were committed before the start are evaluated. The lag is the age of
// the oldest batch that is not evaluated, in seconds. A standby node reports the lag of the leader.
func (e *Engine) Health() core.Health {
	s := e.status.Load()
	h := core.Health{Part: "rules", OK: s.ready && !s.failing}
	late := false
	if !s.oldest.IsZero() {
		h.Lag = max(0, e.clock().Sub(s.oldest).Seconds())
		late = h.Lag > e.opts.LagLimit.Seconds()
	}
	switch {
	case s.failing:
		h.SetDetail(CodeRulesFailing)
	case !s.ready && s.leading:
		h.SetDetail(CodeRulesReplay)
	case !s.ready:
		h.SetDetail(fault.CodePartStarting)
	case late:
		h.SetDetail(CodeRulesLate, e.opts.LagLimit.Seconds())
	case s.leading:
		h.SetDetail(CodeRulesHere)
	default:
		h.SetDetail(CodeRulesElsewhere)
	}
	h.OK = h.OK && !late
	return h
}

// setStatus changes the status that Health reports. Only the goroutine of Run calls it, so load and store need no lock.
func (e *Engine) setStatus(change func(*status)) {
	s := *e.status.Load()
	change(&s)
	e.status.Store(&s)
	e.metrics.observe(s, e.clock())
}

// failed logs and counts a failure. The error is in the log only; Health does not show it.
func (e *Engine) failed(ctx context.Context, doing string, err error) {
	e.log.WarnContext(ctx, "the rules pause", "doing", doing, "error", err)
	e.metrics.failures.Inc()
	e.setStatus(func(s *status) { s.failing = true })
}

// Run evaluates while this node holds the lease, and stands by while another node holds it, until ctx ends. It then
// returns nil. It retries after every failure without a limit, because no other part watches the readings.
func (e *Engine) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		lost, release, ok, err := e.store.Lease(ctx)
		switch {
		case ctx.Err() != nil && !ok:
		case err != nil:
			e.failed(ctx, "asking for the lease", err)
			wait.For(ctx, e.opts.LeaseRetry)
		case !ok:
			e.standBy(ctx)
			wait.For(ctx, e.opts.LeaseRetry)
		default:
			e.lead(ctx, lost)
			release()
			if ctx.Err() == nil {
				e.log.WarnContext(ctx, "the lease is lost")
			}
		}
	}
	e.setStatus(func(s *status) { *s = status{} })
	return nil
}

// standBy reads the leader's cursor and the next batch after it, so that Health reports the leader's lag.
func (e *Engine) standBy(ctx context.Context) {
	cursor, err := e.store.Cursor(ctx)
	if err != nil {
		e.failed(ctx, "reading the cursor", err)
		return
	}
	next, err := e.sensors.BatchesAfter(ctx, cursor, 1)
	if err != nil {
		e.failed(ctx, "reading the batches", err)
		return
	}
	e.setStatus(func(s *status) {
		*s = status{ready: true}
		if len(next) > 0 {
			s.oldest = next[0].At
		}
	})
}

// lead evaluates until the lease is lost or ctx ends. After a failure it discards its memory and loads again from the
// store. The store applies a step completely or not at all, so no change is lost or applied twice.
func (e *Engine) lead(parent context.Context, lost <-chan struct{}) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-lost:
			cancel()
		case <-stop:
		}
	}()
	e.setStatus(func(s *status) { *s = status{leading: true, oldest: s.oldest} })
	e.log.InfoContext(ctx, "this node evaluates the rules")
	seen := newFreshness()
	for ctx.Err() == nil {
		doing, err := e.session(ctx, seen)
		if ctx.Err() != nil {
			break
		}
		e.failed(ctx, doing, err)
		seen.begun = time.Time{} // while the store was not available, no readings could arrive; the stale clocks restart
		wait.For(ctx, e.opts.Backoff)
	}
	e.setStatus(func(s *status) { *s = status{oldest: s.oldest} })
}

// session loads the rules, replays the batches and follows new ones until a step fails. It returns the name of that
// step and the error.
func (e *Engine) session(ctx context.Context, seen *freshness) (doing string, err error) {
	m, err := e.load(ctx, seen)
	if err != nil {
		return "loading the rules", err
	}
	poll, tick, reload := time.NewTicker(e.opts.Poll), time.NewTicker(e.opts.Tick), time.NewTicker(e.opts.ReloadEvery)
	defer poll.Stop()
	defer tick.Stop()
	defer reload.Stop()
	for due := false; ; {
		if err := e.catchUp(ctx, m); err != nil {
			return "evaluating", err
		}
		seen.begin(e.clock())
		if err := e.settle(ctx, m); err != nil {
			return "applying changed rules", err
		}
		// The tick runs after catchUp. Otherwise it would mark a datastream as stale whose readings are not read yet.
		if due {
			if err := m.flush(ctx); err != nil {
				return "storing how far the rules are", err
			}
			if err := e.tick(ctx, m); err != nil {
				return "looking for stale and expiring alerts", err
			}
			due = false
		}
		e.setStatus(func(s *status) { *s = status{leading: true, ready: true} })
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-e.wake:
		case <-poll.C:
		case <-tick.C:
			due = true
		case <-e.reload:
			m, err = e.reloaded(ctx, m)
		case <-reload.C:
			m, err = e.reloaded(ctx, m)
		}
		if err != nil {
			return "loading the rules", err
		}
	}
}

// reloaded stores the pending step and returns a new memory from the store, because rules, devices or datastreams may
// have changed.
func (e *Engine) reloaded(ctx context.Context, m *memory) (*memory, error) {
	if err := m.flush(ctx); err != nil {
		return nil, err
	}
	return e.load(ctx, m.seen)
}

// catchUp evaluates until there is no batch left.
func (e *Engine) catchUp(ctx context.Context, m *memory) error {
	for {
		batches, err := e.sensors.BatchesAfter(ctx, m.read(), e.opts.BatchLimit)
		if err != nil {
			return err
		}
		if len(batches) == 0 {
			return nil
		}
		e.setStatus(func(s *status) { s.oldest = batches[0].At })
		if m.lacks(batches) {
			fresh, err := e.load(ctx, m.seen)
			if err != nil {
				return err
			}
			fresh.ignore(batches)
			*m = *fresh
			continue // read again from the stored cursor
		}
		if err := e.evaluate(ctx, m, batches); err != nil {
			return err
		}
	}
}

// stepTracks is the number of tracks in a step at which it is applied. It is limited because a change waits until the
// step is applied.
const stepTracks = 8192

// evaluate evaluates batches in their order and collects the results in as few steps as possible. It stores a change,
// of which people are notified, at once. Other results wait for the tick. If these are lost, the same readings are
// evaluated again with the same result.
func (e *Engine) evaluate(ctx context.Context, m *memory, batches []sensors.Committed) error {
	if m.step == nil {
		m.step = e.newStep(m)
	}
	s := m.step
	for _, b := range batches {
		for _, o := range b.Observations {
			if err := e.reading(ctx, s, o); err != nil {
				return err
			}
		}
		e.metrics.evaluated.Add(float64(len(b.Observations)))
		s.to = b.Mark()
	}
	if err := s.notify(ctx); err != nil {
		return err
	}
	if len(s.touched) >= stepTracks {
		return m.flush(ctx)
	}
	return nil
}

// reading evaluates one observation by every rule that watches its datastream.
func (e *Engine) reading(ctx context.Context, s *step, o sensors.Observation) error {
	w, ok := s.m.watches[o.DatastreamID]
	if !ok || !o.Usable() {
		return nil
	}
	s.m.seen.note(o)
	for _, t := range w.tracks {
		if err := e.onTrack(ctx, s, t, o); err != nil {
			return err
		}
	}
	return nil
}

// onTrack evaluates one reading by one rule. A second change of an episode needs the alert as stored by the first
// change, so the first change is stored before it.
func (e *Engine) onTrack(ctx context.Context, s *step, t *track, o sensors.Observation) error {
	if Late(t.rule, &t.state, o.Time) {
		return nil
	}
	next, tr := Evaluate(t.rule, t.state, o)
	if tr.Back && sensors.IsStale(o.EffectiveTime(), time.Time{}, interval(t.target), o.ReceivedAt) {
		next.Detection, tr.Back = Stale, false // the reading is too old to end the stale state
	}
	if tr.Any() && s.changed(t) {
		if err := s.notify(ctx); err != nil {
			return err
		}
	}
	t.state = next
	s.touch(t)
	if !tr.Any() {
		return nil
	}
	return e.transition(ctx, s, t, tr)
}

// transition adds the change that a reading caused to the step.
func (e *Engine) transition(ctx context.Context, s *step, t *track, tr Transition) error {
	c, err := e.change(ctx, t, tr)
	if err != nil {
		return fmt.Errorf("rule %d on datastream %d: %w", t.rule.ID, t.target.Datastream.ID, err)
	}
	if tr.Flapping {
		c.Note = join(c.Note, flapNote(t.rule, t.state.Flaps))
	}
	s.add(t, c)
	return nil
}

// change returns the change of the track's alert for a transition. A change of level has a CAP message.
func (e *Engine) change(ctx context.Context, t *track, tr Transition) (Change, error) {
	switch {
	case tr.From == tr.To:
		a := *t.alert
		a.Detection, a.UpdatedAt = t.state.Detection, e.clock()
		t.state.recount(&a)
		if !tr.Back {
			return Change{Kind: EventUpdated, Alert: a}, nil
		}
		return Change{Kind: EventStale, Alert: a,
			Note: note("数据恢复，"+a.Level.ColourName().ZH+"告警仍在", "data are back, still "+a.Level.String())}, nil
	case tr.To == core.None:
		return e.messageChange(ctx, t, ended, tr.From)
	case tr.From == core.None:
		return e.messageChange(ctx, t, begun, tr.From)
	case tr.To.Worse(tr.From):
		return e.messageChange(ctx, t, rose, tr.From)
	default:
		return e.messageChange(ctx, t, fell, tr.From)
	}
}
