package alerts

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the engine's numbers. Without a registerer they are counted and not shown.
type metrics struct {
	evaluated   prometheus.Counter
	transitions *prometheus.CounterVec
	lag         prometheus.Gauge
	step        prometheus.Histogram
	leader      prometheus.Gauge
	tracks      prometheus.Gauge
	failures    prometheus.Counter
	unwritten   prometheus.Counter
}

// newMetrics returns the metrics of the engine and registers them. If the registerer is nil, they are not exported.
func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		evaluated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "onemap_rules_readings_evaluated_total", Help: "Committed readings that the rules have looked at."}),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "onemap_rules_transitions_total", Help: "Changes of alerts, by the kind of their event."}, []string{"kind"}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "onemap_rules_lag_seconds", Help: "Age of the oldest batch that is not evaluated."}),
		step: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "onemap_rules_step_seconds", Help: "How long applying a step took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}}),
		leader: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "onemap_rules_leader", Help: "1 while this node evaluates the rules."}),
		tracks: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "onemap_rules_tracks", Help: "Pairs of a rule and a datastream that are watched."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "onemap_rules_failures_total", Help: "Passes that failed and were begun again."}),
		unwritten: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "onemap_rules_messages_unwritten_total", Help: "Changes of alerts whose CAP message could not be written."}),
	}
	for _, kind := range []string{EventIssued, EventUpdated, EventCleared, EventStale} {
		m.transitions.WithLabelValues(kind)
	}
	if reg != nil {
		reg.MustRegister(m.evaluated, m.transitions, m.lag, m.step, m.leader, m.tracks, m.failures, m.unwritten)
	}
	return m
}

// observe shows the status.
func (m metrics) observe(s status, now time.Time) {
	m.leader.Set(0)
	if s.leading {
		m.leader.Set(1)
	}
	m.lag.Set(0)
	if !s.oldest.IsZero() {
		m.lag.Set(max(0, now.Sub(s.oldest).Seconds()))
	}
}
