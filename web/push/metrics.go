package push

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the hub's metrics. The labelled children are resolved once, because the writers count every frame.
type metrics struct {
	clients     prometheus.Gauge
	refused     prometheus.Counter
	frames      map[string]prometheus.Counter
	bytes       prometheus.Counter
	closed      map[string]prometheus.Counter
	joined      map[string]prometheus.Counter
	replayed    *prometheus.CounterVec
	head        prometheus.Gauge
	batch       prometheus.Gauge
	eventDelay  prometheus.Histogram
	batchErrors prometheus.Counter
	batchAge    prometheus.Gauge
	receipts    *prometheus.CounterVec
	waiting     prometheus.Gauge

	tileNotices   prometheus.Counter
	tileCoarsened prometheus.Counter
	tileBehind    prometheus.Counter
}

// The label values of onemap_push_joined_total: how a hello was answered.
const (
	joinedFresh     = "snapshot"  // recovered: false
	joinedLive      = "live"      // nothing was missed
	joinedRecovered = "recovered" // a replay follows
)

// newMetrics registers the metrics; a nil registerer means that they are counted and not exported.
func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: "onemap", Subsystem: "push", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Namespace: "onemap", Subsystem: "push", Name: name, Help: help})
	}
	m := &metrics{
		clients:  gauge("clients", "Connected clients of this node."),
		refused:  counter("refused_total", "Connections refused before the handshake.").WithLabelValues(),
		bytes:    counter("sent_bytes_total", "Bytes of frames written to clients, without headers.").WithLabelValues(),
		replayed: counter("replayed_events_total", "Events sent again to clients that had missed them.", "from"),
		head:     gauge("event_head", "Newest event of the log that this node has read."),
		batch:    gauge("batch_head", "Newest ingest batch that this node has read."),
		eventDelay: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: "onemap", Subsystem: "push", Name: "event_delay_seconds",
			Help:    "From an event's time in the log to its reading by this node.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}),
		batchErrors: counter("batch_errors_total", "Failed readings of the ingest batches.").WithLabelValues(),
		batchAge:    gauge("batch_age_seconds", "Since the ingest batches were last read to their end."),
		receipts:    counter("receipts_total", "Receipts of clients by what became of them.", "outcome"),
		waiting:     gauge("receipts_waiting", "Receipts that wait to be saved."),

		tileNotices:   counter("tile_notices_total", "Notices of changed tiles from the tile engine.").WithLabelValues(),
		tileCoarsened: counter("tile_ranges_coarsened_total", "Ranges of changed tiles that went up in coarser ones.").WithLabelValues(),
		tileBehind:    counter("tile_behind_total", "Clients told that every tile may have changed, because they were too far behind.").WithLabelValues(),

		frames: make(map[string]prometheus.Counter),
		closed: make(map[string]prometheus.Counter),
		joined: make(map[string]prometheus.Counter),
	}
	frames := counter("frames_sent_total", "Frames written to clients by type.", "type")
	for _, t := range []string{typeWelcome, typeEvent, typeState, typeTiles, typeBeat, typeClients} {
		m.frames[t] = frames.WithLabelValues(t)
	}
	closed := counter("closed_total", "Closed connections by cause.", "cause")
	for _, c := range causes() {
		m.closed[c] = closed.WithLabelValues(c)
	}
	joined := counter("joined_total", "Answered hellos: live, recovered by a replay, or sent to a snapshot.", "how")
	for _, j := range []string{joinedFresh, joinedLive, joinedRecovered} {
		m.joined[j] = joined.WithLabelValues(j)
	}
	return m
}
