package sensors

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// PresenceLate is the reason when readings do arrive, but their event times are so old that the device or datastream counts
// as stale.
const PresenceLate = "late"

// The other reasons of a PresenceChange and of Device.Reason.
const (
	PresenceByStatus  = "status"
	PresenceBySilence = "silence"
	PresenceByReading = "reading"
)

// PresenceListed is the largest number of changes that one PresenceEvent lists.
const PresenceListed = 100

// StaleCheck holds the parameters of one check for stale devices and datastreams.
type StaleCheck struct {
	Node           string        // the node that checks
	ListeningSince time.Time     // since when the node receives without a break; silence counts from this time
	Gap            time.Duration // the check is skipped if another node checked less than this time ago
}

// StaleReport is the result of a StaleCheck.
type StaleReport struct {
	Looked  bool // false: another node is checking, or has just checked
	Stale   int  // number of stale datastreams of enabled devices, at the last check of any node
	Offline int  // number of off-line devices among those that are enabled and were seen at least once, at the last check of any node
	Changes int  // number of changes that this check published
	Events  int  // number of events that contain these changes
}

// StaleStore finds the devices and datastreams whose presence changed. It stores the changes and appends their events in the
// same transaction.
type StaleStore interface {
	CheckStale(ctx context.Context, l StaleCheck) (StaleReport, error)
}

// WatchOptions configures a Watch. The zero value of each field stands for the default that its comment names.
type WatchOptions struct {
	Node        string
	Every       time.Duration    // 5 s
	Timeout     time.Duration    // time limit of one check; 15 s
	IsListening func() bool      // reports whether this node accepts readings; nil: always
	Clock       func() time.Time // time.Now
}

// Watch regularly checks for devices and datastreams that became stale. A node does not count a time in which it could not
// receive as silence of a device. It cannot receive before it has started, while its database is unavailable, while its ingest
// path refuses, and while the process is suspended.
type Watch struct {
	opts    WatchOptions
	store   StaleStore
	log     *slog.Logger
	hearing time.Time // since when the node receives without a break
	last    time.Time // time of the last check; zero: the last check failed, or there was none
	failing bool

	stale, offline   prometheus.Gauge
	seconds          prometheus.Histogram
	changes, failure prometheus.Counter
}

// NewWatch returns a Watch; Run starts it. With a nil logger nothing is logged; with a nil registerer no metrics are registered.
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

// Run checks every WatchOptions.Every until ctx ends. It logs a failure once, when the failures begin and when they end.
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

// Once runs one check. It must not be called while Run runs. If the ingest path does not accept readings, or more than
// 4 × Every passed since the last successful check, or the clock was set back, silence counts from now.
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
		w.last = time.Time{} // so that the next check counts silence from its own time
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
