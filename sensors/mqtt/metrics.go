package mqtt

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/time/rate"
)

// The reasons for which the broker refuses, as the metric and the log name them.
const (
	refusedAnonymous   = "anonymous"
	refusedCredentials = "credentials"
	refusedUnavailable = "unavailable" // the ingest path does not take it: full, away, or stopping
	refusedWill        = "will"
	refusedPublish     = "publish-topic"
	refusedSubscribe   = "subscribe-topic"
	refusedRevoked     = "revoked" // disabled, or the secret was changed
	refusedTooLarge    = "too-large"
	refusedProtocol    = "protocol" // what is not MQTT
	refusedHandshake   = "handshake"
	refusedTooMany     = "too-many-connections"
	refusedPanic       = "panic"
)

func reasons() []string {
	return []string{
		refusedAnonymous, refusedCredentials, refusedUnavailable, refusedWill, refusedPublish, refusedSubscribe,
		refusedRevoked, refusedTooLarge, refusedProtocol, refusedHandshake, refusedTooMany, refusedPanic,
	}
}

type metrics struct {
	connects  prometheus.Counter
	takeovers prometheus.Counter
	wills     prometheus.Counter
	published *prometheus.CounterVec
	refused   *prometheus.CounterVec
	unstored  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, connections func() int) metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Namespace: "onemap", Subsystem: "mqtt", Name: name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: "onemap", Subsystem: "mqtt", Name: name, Help: help}, []string{label})
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "onemap", Subsystem: "mqtt", Name: "connections", Help: "Devices that are connected."},
		func() float64 { return float64(connections()) })
	return metrics{
		connects:  counter("connects_total", "Connections that authenticated."),
		takeovers: counter("takeovers_total", "Connections that replaced one of the same device."),
		wills:     counter("wills_total", "Last wills spoken for devices that vanished."),
		published: vec("published_total", "Publishes to a device's own topics, by QoS.", "qos"),
		refused:   vec("refused_total", "What was refused, by reason.", "reason"),
		unstored:  counter("unstored_total", "Publishes taken that could not be stored: not acknowledged, connection closed."),
	}
}

// limiter bounds one kind of log line, so that a broken device cannot fill a disk.
type limiter struct{ rate.Sometimes }

func newLimiters() map[string]*limiter {
	m := map[string]*limiter{}
	for _, r := range reasons() {
		m[r] = &limiter{rate.Sometimes{First: 3, Interval: 10 * time.Second}}
	}
	return m
}

// refuse counts, and logs a few of them.
func (b *Broker) refuse(reason string, attrs ...slog.Attr) {
	b.metrics.refused.WithLabelValues(reason).Inc()
	b.loud[reason].Do(func() {
		b.log.LogAttrs(context.Background(), slog.LevelWarn, "refused", append([]slog.Attr{slog.String("reason", reason)}, attrs...)...)
	})
}
