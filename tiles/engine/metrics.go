package engine

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onemap/internal/fault"
)

// metrics are the counters of /metrics.
type metrics struct {
	sent, unchanged, bad, failed prometheus.Counter
	seconds, bytes, lag          prometheus.Histogram
	thinned                      *prometheus.CounterVec
}

// newMetrics returns the metrics and registers them with reg. If reg is nil, they count and are not exported.
func newMetrics(reg prometheus.Registerer, e *Engine) *metrics {
	f := promauto.With(reg)
	answers := f.NewCounterVec(prometheus.CounterOpts{
		Name: "onemap_tile_requests_total", Help: "Requests for tiles, by outcome: sent, unchanged (304), refused, failed.",
	}, []string{"outcome"})
	for outcome, n := range map[string]*atomic.Int64{"hit": &e.hits, "miss": &e.misses} {
		f.NewCounterFunc(prometheus.CounterOpts{
			Name: "onemap_tile_cache_total", Help: "Looks into the cache of whole tiles: hit or miss.",
			ConstLabels: prometheus.Labels{"outcome": outcome},
		}, func() float64 { return float64(n.Load()) })
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "onemap_tile_cache_bytes", Help: "What the cache of tiles holds."},
		func() float64 { return float64(e.cacheBytes()) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "onemap_tile_feed_age_seconds", Help: "Since when the change feed has not been read."},
		func() float64 { return e.feedAge().Seconds() })
	return &metrics{
		sent: answers.WithLabelValues("sent"), unchanged: answers.WithLabelValues("unchanged"),
		bad: answers.WithLabelValues("refused"), failed: answers.WithLabelValues("failed"),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onemap_tile_seconds", Help: "Time to make a tile that was not in the cache.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
		}),
		bytes: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onemap_tile_bytes", Help: "Size of the tiles that were made, uncompressed.",
			Buckets: prometheus.ExponentialBuckets(256, 4, 8),
		}),
		lag: f.NewHistogram(prometheus.HistogramOpts{
			Name: "onemap_tile_change_seconds", Help: "From a change's writing in the database until the tiles show it.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 12),
		}),
		thinned: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onemap_tile_thinned_total", Help: "Parts of tiles that were over their budget of bytes and made coarser, by layer.",
		}, []string{"layer"}),
	}
}

// refused counts an error. It counts as failed if the server is the cause, and as refused if the request is.
func (m *metrics) refused(err error) {
	if k := fault.KindOf(err); k == fault.Internal || k == fault.Unavailable {
		m.failed.Inc()
		return
	}
	m.bad.Inc()
}

// made records a tile that was made: the time that it took, and its size in bytes.
func (m *metrics) made(took time.Duration, size int) {
	m.seconds.Observe(took.Seconds())
	m.bytes.Observe(float64(size))
}
