package sensors

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// PresenceLate is the reason of a silence that is none on the wire: readings arrive, and they are as
// old as if none did.
const PresenceLate = "late"

// The other reasons of a PresenceChange and of Device.Reason.
const (
	PresenceByStatus  = "status"
	PresenceBySilence = "silence"
	PresenceByReading = "reading"
)

// PresenceListed is how many changes one PresenceEvent lists at most.
const PresenceListed = 100

// StaleCheck is one check for what has fallen silent.
type StaleCheck struct {
	Node           string        // which node looks
	ListeningSince time.Time     // since when it hears without a break: silence counts from there
	Gap            time.Duration // no look when another node's was less than this ago
}

// StaleReport is the result of a StaleCheck.
type StaleReport struct {
	Looked  bool // false: another node does, or just did
	Stale   int  // datastreams that are stale, of enabled devices, as some node last saw
	Offline int  // devices that are off line, of those that are enabled and were ever seen; likewise
	Changes int  // what it told
	Events  int  // in how many events
}

// StaleStore finds what became stale, and appends the events in the transaction in which it stores that.
type StaleStore interface {
	CheckStale(ctx context.Context, l StaleCheck) (StaleReport, error)
}

// WatchOptions tunes the look for silence. The zero value of each is the default named.
type WatchOptions struct {
	Node        string
	Every       time.Duration    // 5 s
	Timeout     time.Duration    // of one look; 15 s
	IsListening func() bool      // whether this node takes readings in; nil: always
	Clock       func() time.Time // time.Now
}

// Watch looks for devices and datastreams that fell silent. A node that could not hear, because it has
// just started, its database was away, its ingest path refused or the process stood still, calls nobody
// silent for that time.
type Watch struct {
	opts    WatchOptions
	store   StaleStore
	log     *slog.Logger
	hearing time.Time // since when it hears without a break
	last    time.Time // the last look that came through
	failing bool

	stale, offline   prometheus.Gauge
	seconds          prometheus.Histogram
	changes, failure prometheus.Counter
}

// NewWatch makes a watch; Run sets it going. A nil logger and a nil registerer are silent.
func NewWatch(o WatchOptions, store StaleStore, log *slog.Logger, reg prometheus.Registerer) *Watch {
	o.Every, o.Timeout = cmp.Or(o.Every, 5*time.Second), cmp.Or(o.Timeout, 15*time.Second)
	if o.IsListening == nil {
		o.IsListening = func() bool { return true }
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f := promauto.With(reg)
	const namespace, subsystem = "onemap", "presence"
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	}
	return &Watch{
		opts: o, store: store, log: log,
		stale:   gauge("stale_datastreams", "Datastreams of enabled devices that missed three of their intervals, as some node last saw."),
		offline: gauge("offline_devices", "Enabled devices that were seen and are off line, as some node last saw."),
		changes: counter("changes_total", "Changes of presence that this node told."),
		failure: counter("look_failures_total", "Looks for silence that failed."),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "look_seconds", Help: "How long a look for silence took.",
			Buckets: []float64{.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 15},
		}),
	}
}

// Run looks every WatchOptions.Every until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(w.opts.Every)
	defer tick.Stop()
	for {
		_, err := w.Once(ctx)
		if ctx.Err() != nil {
			return
		}
		if failing := err != nil; failing != w.failing {
			w.failing = failing
			if failing {
				w.log.WarnContext(ctx, "looking for silence fails", "error", err)
			} else {
				w.log.InfoContext(ctx, "looking for silence works again")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Once looks one time. It must not be called while Run runs.
func (w *Watch) Once(ctx context.Context) (StaleReport, error) {
	now := w.opts.Clock()
	if !w.opts.IsListening() || now.Sub(w.last) > 4*w.opts.Every || now.Before(w.last) {
		w.hearing = now
	}
	ctx, cancel := context.WithTimeout(ctx, w.opts.Timeout)
	defer cancel()
	began := time.Now()
	r, err := w.store.CheckStale(ctx, StaleCheck{Node: w.opts.Node, ListeningSince: w.hearing, Gap: w.opts.Every / 2})
	if err != nil {
		w.failure.Inc()
		w.last = time.Time{} // the next one begins to hear anew
		return r, err
	}
	w.last = now
	w.stale.Set(float64(r.Stale))
	w.offline.Set(float64(r.Offline))
	w.changes.Add(float64(r.Changes))
	if r.Looked {
		w.seconds.Observe(time.Since(began).Seconds())
	}
	return r, nil
}
