package sensors

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// ingestMetrics holds the counters of the ingest path. Stats reads them; they are exported if there is a registerer.
type ingestMetrics struct {
	received, committed, duplicate, conflict, late, future, quarantined, beyond, refused, failed, batches atomic.Uint64

	byReason  *prometheus.CounterVec // of quarantine
	byRefusal *prometheus.CounterVec
	seconds   prometheus.Histogram
	rows      prometheus.Histogram
	away      prometheus.Gauge
}

func newIngestMetrics(reg prometheus.Registerer, q *queue, clock func() time.Time) *ingestMetrics {
	f := promauto.With(reg)
	const namespace, subsystem = "onemap", "ingest"
	m := &ingestMetrics{}
	for _, c := range []struct {
		name, help string
		n          *atomic.Uint64
	}{
		{"accepted_total", "Envelopes taken into the queue.", &m.received},
		{"stored_total", "Observations stored that were new.", &m.committed},
		{"duplicate_total", "Observations that were there already, with the same value.", &m.duplicate},
		{"conflict_total", "Observations that were there already, with another value.", &m.conflict},
		{"late_total", "Observations stored that were older than what their datastream had.", &m.late},
		{"future_total", "Observations stored that were ahead of their receipt.", &m.future},
		{"quarantine_dropped_total", "Payloads that quarantine only counts, since they came beyond their device's budget of the minute.", &m.beyond},
		{"failed_total", "Envelopes taken and not stored: they were not acknowledged.", &m.failed},
	} {
		f.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: c.name, Help: c.help},
			func() float64 { return float64(c.n.Load()) })
	}
	gauge := func(name, help string, value func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, value)
	}
	gauge("queue_envelopes", "Envelopes accepted and not yet answered.", func() float64 { n, _ := q.depth(); return float64(n) })
	gauge("queue_bytes", "Bytes of those.", func() float64 { _, n := q.depth(); return float64(n) })
	gauge("oldest_seconds", "Age of the oldest envelope that is not yet answered.", func() float64 { return age(q, clock()).Seconds() })
	vec := func(name, help string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, []string{"reason"})
	}
	m.byReason = vec("quarantined_total", "Publishes put to quarantine, by the first reason.")
	m.byRefusal = vec("refused_total", "Envelopes refused before the queue, by reason.")
	m.seconds = f.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "commit_seconds", Help: "How long a commit took.",
		Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 15},
	})
	m.rows = f.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "batch_rows", Help: "Rows of a commit.",
		Buckets: prometheus.ExponentialBuckets(1, 4, 8),
	})
	m.away = f.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: "database_away", Help: "1 while the database is away."})
	return m
}

// age returns how long the oldest message in the queue has been waiting for its acknowledgement.
func age(q *queue, now time.Time) time.Duration {
	at := q.oldest()
	if at.IsZero() {
		return 0
	}
	return max(0, now.Sub(at))
}

func (m *ingestMetrics) refuse(reason string) {
	m.refused.Add(1)
	m.byRefusal.WithLabelValues(reason).Inc()
}

func (m *ingestMetrics) quarantine(reason string) {
	m.quarantined.Add(1)
	m.byReason.WithLabelValues(reason).Inc()
}

func (m *ingestMetrics) stored(res BatchResult) {
	m.committed.Add(uint64(res.Stored))
	m.duplicate.Add(uint64(res.Duplicates))
	m.conflict.Add(uint64(res.Conflicts))
	m.late.Add(uint64(res.Late))
	m.beyond.Add(uint64(res.Beyond))
}

func (m *ingestMetrics) batch(took time.Duration, rows int) {
	m.batches.Add(1)
	m.seconds.Observe(took.Seconds())
	m.rows.Observe(float64(rows))
}

// counts returns the current values of the counters.
func (m *ingestMetrics) counts() IngestCounts {
	return IngestCounts{
		Received: m.received.Load(), Committed: m.committed.Load(), Duplicate: m.duplicate.Load(), Conflict: m.conflict.Load(),
		Late: m.late.Load(), Future: m.future.Load(), Quarantined: m.quarantined.Load(), Refused: m.refused.Load(),
		Failed: m.failed.Load(), Batches: m.batches.Load(),
	}
}
