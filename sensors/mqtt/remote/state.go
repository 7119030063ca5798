package remote

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// counts holds the numbers of publishes since the start.
type counts struct {
	received    [3]atomic.Uint64 // by QoS
	redelivered atomic.Uint64
	acked       atomic.Uint64
	unstored    atomic.Uint64
	lost        atomic.Uint64 // publishes of QoS 0
	foreign     atomic.Uint64
	retained    atomic.Uint64
	forgotten   atomic.Uint64
	connects    atomic.Uint64
}

// state is the state of the connection, for Health and Stats.
type state struct {
	mu            sync.Mutex
	link          *link     // nil: not connected
	since         time.Time // start of the link, or of the time without one
	cause         error     // error that ended the last link or prevents the next one
	hasSubscribed bool      // this process has subscribed
	short         int       // successive connections that ended within 2 s
}

// shortLives is the number of successive short connections that is logged as a fault.
const shortLives = 4

// begin sets the start of the time without a connection. It needs no lock, because New calls it before other goroutines
// exist.
func (s *state) begin(now time.Time) { s.since = now }

// up records that the client is connected and subscribed over l.
func (s *state) up(now time.Time, l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link, s.since, s.cause = l, now, nil
	l.c.count.connects.Add(1)
}

// down records that there is no connection any more; lost then records the cause.
func (s *state) down(*link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = nil
}

// lost records why there is no connection. It returns how many successive connections ended within 2 s.
func (s *state) lost(now time.Time, err error) (short int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cause != nil: // could not connect
	case now.Sub(s.since) < 2*time.Second:
		s.short++
	default:
		s.short = 0
	}
	if s.cause == nil {
		s.since = now
	}
	s.cause = err
	return s.short
}

// setCause records why the client does not connect: the readings cannot be stored.
func (s *state) setCause(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = err
}

// subscribed reports whether this process has subscribed once.
func (s *state) subscribed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hasSubscribed
}

// setSubscribed records a granted subscription.
func (s *state) setSubscribed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hasSubscribed = true
}

// Health returns the state of part "broker". It reports a fault while there is no connection, and while a publish waits
// longer for its commit than Patience. Lag is the time since then, in seconds.
func (c *Client) Health() core.Health {
	h := core.Health{Part: "broker", OK: true}
	now := c.clock()
	c.state.mu.Lock()
	l, since := c.state.link, c.state.since
	c.state.mu.Unlock()
	if l == nil {
		return core.Unwell(h.Part, now.Sub(since).Seconds(), CodeExternalAway)
	}
	if _, _, oldest := l.window.depth(); !oldest.IsZero() && now.Sub(oldest) > c.opts.Patience {
		return core.Unwell(h.Part, now.Sub(oldest).Seconds(), CodeExternalSlow)
	}
	return h
}

// Connected reports whether the client is connected and subscribed.
func (c *Client) Connected() bool {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return c.state.link != nil
}

// Stats returns the statistics of the client.
func (c *Client) Stats() sensors.BrokerStats {
	b := sensors.BrokerStats{
		Name: "external", Address: c.target.Address(),
		QoS0: c.count.received[0].Load(), QoS1: c.count.received[1].Load(), QoS2: c.count.received[2].Load(),
		Refused: map[string]uint64{},
	}
	for reason, n := range map[string]uint64{
		"topic": c.count.foreign.Load(), "retained": c.count.retained.Load(), "unstored": c.count.unstored.Load(),
		"qos0-lost": c.count.lost.Load(), "session-forgotten": c.count.forgotten.Load(),
	} {
		if n > 0 {
			b.Refused[reason] = n
		}
	}
	if n := c.count.connects.Load(); n > 0 {
		b.Reconnects = n - 1
	}
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	b.Connected = c.state.link != nil
	if c.state.cause != nil {
		msg := fault.NewMessage(CodeExternalCause, c.state.cause)
		b.Detail, b.Code, b.Params = msg.String(), msg.Code, msg.Params
	}
	return b
}

// Troubles returns nil: only the external broker knows which device causes trouble.
func (c *Client) Troubles() []sensors.DeviceTrouble { return nil }

// register exports the counts as metrics.
func (c *Client) register(reg prometheus.Registerer) {
	f := promauto.With(reg)
	name := func(n string) prometheus.Opts {
		return prometheus.Opts{Namespace: "onemap", Subsystem: "remote", Name: n}
	}
	counter := func(n, help string, v *atomic.Uint64) {
		o := prometheus.CounterOpts(name(n))
		o.Help = help
		f.NewCounterFunc(o, func() float64 { return float64(v.Load()) })
	}
	for qos, label := range []string{"0", "1", "2"} {
		o := prometheus.CounterOpts(name("received_total"))
		o.Help, o.ConstLabels = "Publishes received from the external broker, by QoS.", prometheus.Labels{"qos": label}
		f.NewCounterFunc(o, func() float64 { return float64(c.count.received[qos].Load()) })
	}
	counter("redelivered_total", "Publishes that the broker marked as sent before.", &c.count.redelivered)
	counter("acked_total", "Publishes acknowledged to the broker.", &c.count.acked)
	counter("unstored_total", "Publishes that could not be stored: not acknowledged, the broker sends them again.", &c.count.unstored)
	counter("qos0_lost_total", "Publishes of QoS 0 that could not be stored, or found no room.", &c.count.lost)
	counter("foreign_total", "Publishes whose topic is no device's: in quarantine.", &c.count.foreign)
	counter("retained_total", "Retained publishes of the past that were passed over.", &c.count.retained)
	counter("sessions_forgotten_total", "Times that the broker had forgotten the session, and with it what it held.", &c.count.forgotten)
	counter("connects_total", "Connections made.", &c.count.connects)
	gauge := func(n, help string, v func() float64) {
		o := prometheus.GaugeOpts(name(n))
		o.Help = help
		f.NewGaugeFunc(o, v)
	}
	pending := func(pick func(items, bytes int, oldest time.Time) float64) func() float64 {
		return func() float64 {
			c.state.mu.Lock()
			l := c.state.link
			c.state.mu.Unlock()
			if l == nil {
				return 0
			}
			return pick(l.window.depth())
		}
	}
	gauge("connected", "1 while the subscription stands.", pending(func(int, int, time.Time) float64 { return 1 }))
	gauge("pending", "Publishes received and not acknowledged.", pending(func(n, _ int, _ time.Time) float64 { return float64(n) }))
	gauge("pending_bytes", "And their bytes.", pending(func(_, n int, _ time.Time) float64 { return float64(n) }))
	gauge("oldest_unacknowledged_seconds", "Age of the oldest of them.", pending(func(_, _ int, oldest time.Time) float64 {
		if oldest.IsZero() {
			return 0
		}
		return c.clock().Sub(oldest).Seconds()
	}))
}
