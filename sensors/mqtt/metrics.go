package mqtt

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/time/rate"
)

// The reasons for which the broker refuses, as used in the metric and the log.
const (
	refusedAnonymous   = "anonymous"
	refusedCredentials = "credentials"
	refusedUnavailable = "unavailable" // the ingest path does not accept it: the database is unavailable, or it is stopping
	refusedWill        = "will"
	refusedPublish     = "publish-topic"
	refusedSubscribe   = "subscribe-topic"
	refusedRevoked     = "revoked" // the device was disabled, or its credentials were changed
	refusedTooLarge    = "too-large"
	refusedProtocol    = "protocol" // the data is not valid MQTT
	refusedHandshake   = "handshake"
	refusedTooMany     = "too-many-connections"
	refusedSlowReader  = "slow-reader"
	refusedPanic       = "panic"
)

// reasons lists all reasons, so that each has its counter from the start: a rate in Prometheus needs the zero.
func reasons() []string {
	return []string{
		refusedAnonymous, refusedCredentials, refusedUnavailable, refusedWill, refusedPublish, refusedSubscribe,
		refusedRevoked, refusedTooLarge, refusedProtocol, refusedHandshake, refusedTooMany, refusedSlowReader,
		refusedPanic,
	}
}

// tally is a Prometheus counter whose value can be read.
type tally struct {
	prometheus.Counter
	n *atomic.Uint64
}

// newTally returns a tally around a counter, beginning at 0.
func newTally(c prometheus.Counter) tally { return tally{c, &atomic.Uint64{}} }

// Inc implements prometheus.Counter.
func (t tally) Inc() {
	t.Counter.Inc()
	t.n.Add(1)
}

// metrics holds the counters of the broker. Their help texts in newMetrics say what they count.
type metrics struct {
	connects  prometheus.Counter
	takeovers prometheus.Counter
	wills     prometheus.Counter
	paused    prometheus.Counter
	unstored  prometheus.Counter
	published [3]tally
	refused   map[string]tally
}

// newMetrics registers the metrics under onemap_mqtt_. The gauges read the state of b at each scrape.
func newMetrics(reg prometheus.Registerer, b *Broker) metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: "onemap", Subsystem: "mqtt", Name: name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: "onemap", Subsystem: "mqtt", Name: name, Help: help}, []string{label})
	}
	gauge := func(name, help string, value func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "onemap", Subsystem: "mqtt", Name: name, Help: help}, value)
	}
	gauge("connections", "Devices that are connected.", func() float64 { return float64(b.live.count()) })
	gauge("in_flight", "Publishes that wait for their commit.", func() float64 { return float64(b.load.publishes.Load()) })
	gauge("in_flight_bytes", "What they hold of memory, roughly.", func() float64 { return float64(b.load.bytes.Load()) })
	m := metrics{
		connects:  counter("connects_total", "Connections that authenticated."),
		takeovers: counter("takeovers_total", "Connections that replaced one of the same device."),
		wills:     counter("wills_total", "Last wills spoken for devices that vanished."),
		paused:    counter("paused_total", "Times that reading from a device stopped until there was room."),
		unstored:  counter("unstored_total", "Publishes taken that could not be stored: not acknowledged, connection closed."),
		refused:   map[string]tally{},
	}
	published := vec("published_total", "Publishes to a device's own topics, by QoS.", "qos")
	for qos := range m.published {
		m.published[qos] = newTally(published.WithLabelValues(strconv.Itoa(qos)))
	}
	refused := vec("refused_total", "What was refused, by reason.", "reason")
	for _, r := range reasons() {
		m.refused[r] = newTally(refused.WithLabelValues(r))
	}
	return m
}

// limiter limits how often one kind of log line is written, so that a faulty device cannot fill the disk.
type limiter struct{ rate.Sometimes }

// newLimiters returns a limiter for each reason: the first three lines, then one line every 10 s.
func newLimiters() map[string]*limiter {
	m := map[string]*limiter{}
	for _, r := range reasons() {
		m[r] = &limiter{rate.Sometimes{First: 3, Interval: 10 * time.Second}}
	}
	return m
}

// refuse counts a refusal and logs a few of them.
func (b *Broker) refuse(reason string, attrs ...slog.Attr) {
	b.metrics.refused[reason].Inc()
	b.logLimits[reason].Do(func() {
		b.log.LogAttrs(context.Background(), slog.LevelWarn, "refused", append([]slog.Attr{slog.String("reason", reason)}, attrs...)...)
	})
}
