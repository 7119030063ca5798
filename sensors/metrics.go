package sensors

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// ingestMetrics are the ingest path's series; with a nil registerer they count for nobody.
type ingestMetrics struct {
	accepted    prometheus.Counter
	stored      prometheus.Counter
	duplicate   prometheus.Counter
	conflict    prometheus.Counter
	quarantined *prometheus.CounterVec
	refused     *prometheus.CounterVec
	failed      prometheus.Counter
	commit      prometheus.Histogram
	batch       prometheus.Histogram
	away        prometheus.Gauge
}

func newIngestMetrics(reg prometheus.Registerer, q *queue) ingestMetrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: "onemap", Subsystem: "ingest", Name: name, Help: help})
	}
	vec := func(name, help string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: "onemap", Subsystem: "ingest", Name: name, Help: help}, []string{"reason"})
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "onemap", Subsystem: "ingest", Name: "queue_envelopes", Help: "Envelopes that wait for a commit."},
		func() float64 { n, _ := q.depth(); return float64(n) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "onemap", Subsystem: "ingest", Name: "queue_bytes", Help: "Bytes that wait for a commit."},
		func() float64 { _, n := q.depth(); return float64(n) })
	return ingestMetrics{
		accepted:    counter("accepted_total", "Envelopes taken into the queue."),
		stored:      counter("stored_total", "Observations stored that were new."),
		duplicate:   counter("duplicate_total", "Observations that were there already, with the same value."),
		conflict:    counter("conflict_total", "Observations that were there already, with another value."),
		quarantined: vec("quarantined_total", "Publishes put to quarantine, by the first reason."),
		refused:     vec("refused_total", "Envelopes refused before the queue, by reason."),
		failed:      counter("failed_total", "Envelopes taken and not stored: they were not acknowledged."),
		commit: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: "onemap", Subsystem: "ingest", Name: "commit_seconds", Help: "How long a commit took.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 15},
		}),
		batch: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: "onemap", Subsystem: "ingest", Name: "batch_rows", Help: "Rows of a commit.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 8),
		}),
		away: f.NewGauge(prometheus.GaugeOpts{Namespace: "onemap", Subsystem: "ingest", Name: "database_away", Help: "1 while the database is away."}),
	}
}
