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
	opts     Options
	receiver sensors.Receiver
	registry *sensors.Registry
	log      *slog.Logger
	clock    func() time.Time
	metrics  metrics
	loud     map[string]*limiter

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
	sessions  atomic.Uint64 // how many there were
	attaching sync.Mutex    // while a session begins or ends
	load      load
	began     time.Time

	mu       sync.RWMutex // guards stopping, against pending growing while Stop waits
	stopping bool
	pending  sync.WaitGroup // publishes accepted and not yet answered

	answers, buffers sync.Pool // of what is written: it is held for a moment only
	stopOnce         sync.Once
	stopErr          error
}

// New builds the broker; Start binds it. A nil logger and a nil registerer are silent, a nil clock
// is time.Now.
func New(opts Options, receiver sensors.Receiver, registry *sensors.Registry, log *slog.Logger, reg prometheus.Registerer, clock func() time.Time) *Broker {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if clock == nil {
		clock = time.Now
	}
	b := &Broker{
		opts: opts.withDefaults(), receiver: receiver, registry: registry, log: log, clock: clock,
		loud: newLimiters(), live: liveMap{m: map[string]*session{}}, upgrader: newUpgrader(),
	}
	b.limiter = newConnLimiter(b.opts)
	b.abuse = newAbuse(b)
	b.metrics = newMetrics(reg, b)
	b.presence = newPresence(b)
	return b
}

// Start binds the addresses and serves. One that cannot be had is a *ListenError; a certificate that
// cannot be used is fault.Invalid.
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

func (b *Broker) unbind() error {
	var all []error
	for _, l := range b.listeners {
		all = append(all, l.ln.Close())
	}
	b.listeners = nil
	return errors.Join(all...)
}

// Addr is the address that is listened on by TCP; empty before Start, and without that listener.
func (b *Broker) Addr() string { return b.AddrOf(KindTCP) }

// AddrOf is the address of the kind's listener, host:port; empty when there is none.
func (b *Broker) AddrOf(kind string) string {
	for _, l := range b.listeners {
		if l.kind == kind {
			return l.Address()
		}
	}
	return ""
}

// addresses are those of all listeners, as URLs.
func (b *Broker) addresses() string {
	var all []string
	for _, l := range b.listeners {
		all = append(all, l.kind+"://"+l.Address())
	}
	return strings.Join(all, " ")
}

// Health says whether devices can connect: part "broker".
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

// Connections is how many devices are connected.
func (b *Broker) Connections() int { return b.live.count() }

// Stop takes no more publishes, waits until those taken are committed and answered, and closes every
// connection; no will is spoken. When ctx ends first the connections are cut. It may be called more
// than once. Stop it before the ingest path.
func (b *Broker) Stop(ctx context.Context) error {
	b.stopOnce.Do(func() { b.stopErr = b.stop(ctx) })
	return b.stopErr
}

func (b *Broker) stop(ctx context.Context) error {
	b.mu.Lock()
	b.stopping = true
	b.mu.Unlock()
	if b.server == nil {
		return nil
	}
	b.presence.stop()
	b.limiter.close()
	for _, l := range b.listeners {
		l.stopAccepting()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.pending.Wait()
		b.dismiss()
		_ = b.server.Close() // always nil
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		b.cut()
		return fmt.Errorf("the broker stopped before every publish was answered: %w", ctx.Err())
	}
}

// dismiss says good-bye to every device, which may take a second, closes what has not got so far as
// to be one, and waits for all.
func (b *Broker) dismiss() {
	b.abuse.releaseAll()
	var all sync.WaitGroup
	b.live.each(func(s *session) { all.Go(func() { s.disconnect(packets.ErrServerShuttingDown) }) })
	all.Wait()
	b.cut()
	b.limiter.open.Wait()
}

// cut closes every connection.
func (b *Broker) cut() {
	for _, c := range b.limiter.list() {
		_ = c.Close()
	}
}

// begin counts a publish that is to be answered; false while stopping.
func (b *Broker) begin() bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.stopping {
		return false
	}
	b.pending.Add(1)
	return true
}

func (b *Broker) isStopping() bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.stopping
}
