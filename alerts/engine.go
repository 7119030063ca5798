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

// Options are the engine's. Zero values become the defaults named.
type Options struct {
	Sender      string        // CAP sender; "onemap"
	Unit        core.Text     // who issues; 烟台市应急管理局
	CityCode    string        // GB/T 2260; "3706"
	Node        string        // this node's name, for logs
	BatchLimit  int           // batches read and applied at once; 64
	Poll        time.Duration // how long a missed Wake can delay a reading; 200 ms
	Tick        time.Duration // how often stale and expiring episodes are looked for, and what told nobody anything is stored; 1 s
	LeaseRetry  time.Duration // how often a standby node asks for the lease; 1 s
	Backoff     time.Duration // the pause after a failure; 500 ms
	ReloadEvery time.Duration // how long a missed ReloadRules can delay a rule; 1 min
	RenewBefore time.Duration // how long before its expiry a message is renewed, at most a quarter of its life; 10 min
	ClearFor    time.Duration // how long an all-clear stays current; 30 min
	LagLimit    time.Duration // a lag beyond it is bad health; 10 s
}

// orDefault sets a value that is the zero value of its type.
func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// withDefaults returns the options with the defaults that are named beside them.
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

// Engine is the one evaluating node, or one that waits to become it. All nodes run one.
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

// status is what Health tells.
type status struct {
	leading bool
	oldest  time.Time // commit time of the oldest batch known not to be evaluated; zero: none
	failing bool      // the last pass failed; why is in the log
	ready   bool      // the replay is done, or another node leads
}

// NewEngine makes an engine; nothing runs before Run. A nil logger is silent, a nil
// registerer counts without showing, a nil clock is the system's.
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

// Wake tells the engine that a batch was committed. It never blocks; a poll makes up for a missed one.
func (e *Engine) Wake() { wait.Wake(e.wake) }

// ReloadRules tells the engine that rules, devices or datastreams changed. It never blocks.
func (e *Engine) ReloadRules() { wait.Wake(e.reload) }

// Health is the part "rules": bad while readings wait longer than Options.LagLimit, while evaluation
// fails, and until the replay of what was committed before the start is done. The lag is the age of
// the oldest batch that is not evaluated; a standby node reports the leader's.
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
		h.Say(CodeRulesFailing)
	case !s.ready && s.leading:
		h.Say(CodeRulesReplay)
	case !s.ready:
		h.Say(fault.CodePartStarting)
	case late:
		h.Say(CodeRulesLate, e.opts.LagLimit.Seconds())
	case s.leading:
		h.Say(CodeRulesHere)
	default:
		h.Say(CodeRulesElsewhere)
	}
	h.OK = h.OK && !late
	return h
}

// setStatus changes what Health tells. Only the goroutine of Run calls it.
func (e *Engine) setStatus(change func(*status)) {
	s := *e.status.Load()
	change(&s)
	e.status.Store(&s)
	e.metrics.observe(s, e.clock())
}

// failed notes a failure; what only the log should have is not told to people.
func (e *Engine) failed(ctx context.Context, doing string, err error) {
	e.log.WarnContext(ctx, "the rules pause", "doing", doing, "error", err)
	e.metrics.failures.Inc()
	e.setStatus(func(s *status) { s.failing = true })
}

// Run evaluates while this node holds the lease and stands by while another does, until ctx ends. It
// returns nil then; failures are retried for ever, for there is nobody else to watch the readings.
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

// standBy looks how far the leader is.
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

// lead evaluates until the lease is lost or ctx ends. After any failure it forgets everything and
// begins again from what the store has: a step is applied wholly or not at all, so nothing can be
// lost or doubled by that.
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
		seen.begun = time.Time{} // while the store was away no device could be heard
		wait.For(ctx, e.opts.Backoff)
	}
	e.setStatus(func(s *status) { *s = status{oldest: s.oldest} })
}

// session loads, replays and follows until something fails, and says what.
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
		if due { // after the readings, or it would call stale what has only not been read yet
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

// reloaded is the memory of a store whose rules, devices or datastreams may have changed.
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
			continue // from the cursor as it is stored
		}
		if err := e.evaluate(ctx, m, batches); err != nil {
			return err
		}
	}
}

// stepTracks is how many tracks a step gathers before it is applied: a change waits for that to end.
const stepTracks = 8192

// evaluate takes batches in their order and gathers what they make in as few steps as there can be. A change
// that somebody is to be told is applied at once. What is none waits for the tick: should it be lost, the same
// readings are evaluated again, to the same end.
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

// onTrack evaluates one reading by one rule. A second change of an episode needs the alert as the
// first one was stored, so that is told before it.
func (e *Engine) onTrack(ctx context.Context, s *step, t *track, o sensors.Observation) error {
	if Late(t.rule, &t.state, o.Time) {
		return nil
	}
	next, tr := Evaluate(t.rule, t.state, o)
	if tr.Back && sensors.IsStale(o.EffectiveTime(), time.Time{}, interval(t.target), o.ReceivedAt) {
		next.Detection, tr.Back = Stale, false // it was as old as if it had not come
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

// transition adds what a reading changed to the step.
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

// change is what a transition makes of the track's alert. A change of level has a CAP message.
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
