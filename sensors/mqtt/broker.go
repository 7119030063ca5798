// Package mqtt is an embedded MQTT broker (3.1.1 and 5) on TCP, TLS and WebSockets. It passes the publishes of devices to
// the ingest path. A device authenticates with its id and its secret, or with its client certificate. It may publish to its own
// obs and status topics and subscribe to its own cmd topic. Everything else is refused and counted. A device cannot read the
// publishes of another device.
//
// A QoS 1 publish is acknowledged after the commit and not before. This does not delay the publishes behind it. A QoS 2 publish
// is received (PUBREC) after the commit. A QoS 0 publish is stored in the same way, without an answer. If a publish cannot be
// stored, its connection is closed, so that the device sends it again. A repeated publish is recognized by the times of its
// readings, at every QoS.
//
// The unacknowledged publishes of a connection are limited, by count and by bytes, and so are those of all connections
// together. At the limit the broker stops reading, and the device must buffer. One device cannot delay another. Devices that
// cause trouble are listed.
//
// The presence of a device comes from its status topic and its last will. The broker keeps the wills itself. It publishes a
// will only if the device is lost. It does not publish it if the device sent a DISCONNECT, if a newer connection of the same
// device has taken over, if the broker disconnected the device, or if this server stops. An offline status that cannot be
// stored at once is kept and stored later, unless the device has connected again by then. A device may have been on line before
// this server started. If it does not connect again and no node receives anything from it within a grace period, it is marked
// off line.
package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// Broker is the embedded MQTT broker.
type Broker struct {
	opts      Options
	receiver  sensors.Receiver
	registry  *sensors.Registry
	log       *slog.Logger
	clock     func() time.Time
	metrics   metrics
	logLimits map[string]*limiter

	server    *mochi.Server
	listeners []*listener
	tls       *tls.Config
	pair      *keyPair // nil without a TLS listener
	upgrader  *websocket.Upgrader
	limiter   *connLimiter
	abuse     *abuse
	presence  *presence
	quotas    quotas
	live      liveMap
	sessions  atomic.Uint64 // number of sessions since the start
	attaching sync.Mutex    // held while a session begins or ends
	load      load
	began     time.Time

	mu       sync.RWMutex // guards stopping, so that pending cannot grow while Stop waits
	stopping bool
	pending  sync.WaitGroup // publishes accepted and not yet answered

	answers, buffers sync.Pool // memory for answers and their bytes, reused because it is needed only during a write
	stopOnce         sync.Once
	stopErr          error
}

// New returns a broker; Start binds its addresses. Without a logger it does not log, without a registerer its metrics are not
// exported, and the default clock is time.Now.
func New(opts Options, receiver sensors.Receiver, registry *sensors.Registry, log *slog.Logger, reg prometheus.Registerer, clock func() time.Time) *Broker {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if clock == nil {
		clock = time.Now
	}
	b := &Broker{
		opts: opts.withDefaults(), receiver: receiver, registry: registry, log: log, clock: clock,
		logLimits: newLimiters(), live: liveMap{m: map[string]*session{}}, upgrader: newUpgrader(),
	}
	b.limiter = newConnLimiter(b.opts)
	b.abuse = newAbuse(b)
	b.metrics = newMetrics(reg, b)
	b.presence = newPresence(b)
	return b
}

// Start binds the addresses and serves. It returns a *ListenError if an address cannot be bound, and an error of kind
// fault.Invalid if the certificate cannot be used.
func (b *Broker) Start(ctx context.Context) error {
	if err := b.bind(ctx); err != nil {
		return errors.Join(err, b.unbind())
	}
	b.server = mochi.New(b.mochiOptions())
	err := b.server.AddHook(&hook{b: b}, nil)
	for _, l := range b.listeners {
		err = errors.Join(err, b.server.AddListener(l))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("set up the broker: %w", err), b.unbind())
	}
	b.began = b.clock()
	if err := b.server.Serve(); err != nil {
		return errors.Join(fmt.Errorf("serve devices: %w", err), b.unbind())
	}
	b.registry.OnReload(b.Recheck)
	b.presence.start()
	b.log.InfoContext(ctx, "the broker takes devices", "addresses", b.addresses())
	return nil
}

// bind opens the configured listeners. The certificate is loaded first, so that a wrong one stops the start before a port is
// open.
func (b *Broker) bind(ctx context.Context) error {
	if b.opts.ListenTLS != "" || b.opts.ListenWSS != "" {
		pair, err := newKeyPair(b.opts.CertFile, b.opts.KeyFile, b.log, b.clock)
		if err != nil {
			return err
		}
		b.pair, b.tls = pair, pair.config()
	}
	for _, l := range [][2]string{{KindTCP, b.opts.Listen}, {KindTLS, b.opts.ListenTLS}, {KindWS, b.opts.ListenWS}, {KindWSS, b.opts.ListenWSS}} {
		if l[1] == "" || l[1] == Off {
			continue
		}
		if err := b.listen(ctx, l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}

// unbind closes the listeners that bind has opened, so that a failed Start leaves no port open.
func (b *Broker) unbind() error {
	var all []error
	for _, l := range b.listeners {
		all = append(all, l.ln.Close())
	}
	b.listeners = nil
	return errors.Join(all...)
}

// Addr returns the host:port of the TCP listener. It returns "" before Start and without a TCP listener.
func (b *Broker) Addr() string { return b.AddrOf(KindTCP) }

// AddrOf returns the host:port of the listener of this kind. It returns "" if there is none.
func (b *Broker) AddrOf(kind string) string {
	for _, l := range b.listeners {
		if l.kind == kind {
			return l.Address()
		}
	}
	return ""
}

// addresses returns the addresses of all listeners, as URLs.
func (b *Broker) addresses() string {
	var all []string
	for _, l := range b.listeners {
		all = append(all, l.kind+"://"+l.Address())
	}
	return strings.Join(all, " ")
}

// Health reports whether devices can connect, as part "broker".
func (b *Broker) Health() core.Health {
	h := core.Health{Part: "broker", OK: true}
	b.mu.RLock()
	defer b.mu.RUnlock()
	switch {
	case len(b.listeners) == 0:
		h = core.Unwell(h.Part, 0, fault.CodePartStarting)
	case b.stopping:
		h = core.Unwell(h.Part, 0, fault.CodePartStopping)
	}
	for _, l := range b.listeners {
		if h.OK && !l.serving.Load() {
			h = core.Unwell(h.Part, 0, CodeListenerClosed, l.kind)
		}
	}
	return h
}

// Connections returns the number of connected devices.
func (b *Broker) Connections() int { return b.live.count() }

// Stop accepts no more publishes, waits until the accepted ones are committed and acknowledged, and closes every connection.
// It publishes no will for the connections that it closes. If ctx ends first, it closes the connections at once. It may be
// called more than once. Stop the broker before the ingest path, which the waiting publishes need.
func (b *Broker) Stop(ctx context.Context) error {
	b.stopOnce.Do(func() { b.stopErr = b.stop(ctx) })
	return b.stopErr
}

// stop is Stop without the guard against a second call.
func (b *Broker) stop(ctx context.Context) error {
	b.mu.Lock()
	b.stopping = true
	b.mu.Unlock()
	if b.server == nil {
		return nil
	}
	// Contract "PUBACK means committed": Stop waits for the commits of the accepted publishes before it closes a
	// connection, unless ctx ends first.
	// The order matters: no new connections, then the end of the pending publishes, then the end of the sessions.
	b.presence.stop()
	b.limiter.close()
	for _, l := range b.listeners {
		l.stopAccepting()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.pending.Wait()
		b.disconnectAll()
		_ = b.server.Close() // always nil
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		b.closeAll()
		return fmt.Errorf("the broker stopped before every publish was answered: %w", ctx.Err())
	}
}

// disconnectAll sends a DISCONNECT to every device, which may take a second. It then closes the connections that have no session
// yet, and waits for all to end.
func (b *Broker) disconnectAll() {
	b.abuse.releaseAll()
	var all sync.WaitGroup
	b.live.each(func(s *session) { all.Go(func() { s.disconnect(packets.ErrServerShuttingDown) }) })
	all.Wait()
	b.closeAll()
	b.limiter.open.Wait()
}

// closeAll closes every connection.
func (b *Broker) closeAll() {
	for _, c := range b.limiter.list() {
		_ = c.Close()
	}
}

// begin counts a publish that must be acknowledged. It returns false while the broker stops.
func (b *Broker) begin() bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.stopping {
		return false
	}
	// The lock makes this safe: Stop sets stopping under the write lock, so no publish is added after Stop has begun to
	// wait.
	b.pending.Add(1)
	return true
}

// isStopping reports whether Stop was called.
func (b *Broker) isStopping() bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.stopping
}
