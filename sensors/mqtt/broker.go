// Package mqtt brings devices' publishes to the ingest path: an embedded MQTT broker (3.1.1 and 5)
// on TCP. A device authenticates with its id and its secret and may publish to its own obs and
// status topics and subscribe to its own cmd topic; everything else is refused and counted. Nobody
// may read what another device publishes.
//
// A QoS 1 publish is acknowledged after the commit and not before, without holding up the publishes
// behind it; QoS 2 is received (PUBREC) after the commit; QoS 0 is stored the same way, without an
// answer. When a publish cannot be stored its connection is closed, so that the device sends again.
//
// Presence is what a device says on its status topic, and its last will. The broker keeps the wills
// itself and speaks one only for a device that is gone: not when the device said good-bye, not when
// a newer connection of the same device has taken over, and not because this server stops. An
// offline that cannot be stored at once is kept and stored later, unless the device is back by then.
// A device that was on line before this server began, and has neither come back nor been heard of
// by any node within a grace period, is marked off line then.
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/core"
	"onemap/sensors"
)

// Options tunes the embedded broker. The zero value of each is the default named.
type Options struct {
	Listen           string        // TCP address; 127.0.0.1:1883. Port 0 picks a free one
	MaxPayload       int           // bytes; 64 KiB. Larger payloads are put to quarantine; packets beyond twice that end the connection unread
	Window           int           // publishes of one connection that may wait for their commit; 256. Then reading pauses
	MaxClients       int           // connections; 20,000
	HandshakeTimeout time.Duration // from accept to a complete CONNECT; 10 s
	PresenceGrace    time.Duration // after the start, for devices to come back; 3 min. Negative: never mark
	PresenceRetry    time.Duration // between attempts to store an offline that could not be; 2 s
}

func (o Options) withDefaults() Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:1883"
	}
	if o.MaxPayload == 0 {
		o.MaxPayload = 64 << 10
	}
	if o.Window == 0 {
		o.Window = 256
	}
	if o.MaxClients == 0 {
		o.MaxClients = 20000
	}
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	if o.PresenceGrace == 0 {
		o.PresenceGrace = 3 * time.Minute
	}
	if o.PresenceRetry == 0 {
		o.PresenceRetry = 2 * time.Second
	}
	return o
}

// maxPacket is the largest MQTT packet that is read at all, bytes.
func (o Options) maxPacket() int { return 2*o.MaxPayload + 1024 }

// Broker is the embedded MQTT broker.
type Broker struct {
	opts     Options
	receiver sensors.Receiver
	registry *sensors.Registry
	log      *slog.Logger
	clock    func() time.Time
	metrics  metrics
	loud     map[string]*limiter

	server   *mochi.Server
	listener *listener
	presence *presence
	began    time.Time

	mu       sync.RWMutex // guards stopping, against pending growing while Stop waits
	stopping bool
	pending  sync.WaitGroup // publishes accepted and not yet answered

	sessions sync.Map // net.Conn → *session, from authentication to the connection's end
	live     liveMap
	stopOnce sync.Once
	stopErr  error
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
		loud: newLimiters(), live: liveMap{m: map[string]*session{}},
	}
	b.metrics = newMetrics(reg, b.live.count)
	b.presence = newPresence(b)
	return b
}

// Start binds the address and serves. A busy port is a *net.OpError in the error's chain.
func (b *Broker) Start(ctx context.Context) error {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", b.opts.Listen)
	if err != nil {
		return fmt.Errorf("listen for devices on %s: %w", b.opts.Listen, err)
	}
	b.listener = newListener(b, ln)
	b.server = mochi.New(b.mochiOptions())
	if err := b.server.AddHook(&hook{b: b}, nil); err != nil {
		return errors.Join(fmt.Errorf("set up the broker: %w", err), ln.Close())
	}
	if err := b.server.AddListener(b.listener); err != nil {
		return errors.Join(fmt.Errorf("set up the broker: %w", err), ln.Close())
	}
	b.began = b.clock()
	if err := b.server.Serve(); err != nil {
		return errors.Join(fmt.Errorf("serve devices: %w", err), ln.Close())
	}
	b.presence.start()
	b.log.InfoContext(ctx, "the broker takes devices", "address", b.Addr())
	return nil
}

// mochiOptions keeps what a connection may cost small: no aliases, few pending writes, bounded
// packets. mochi's own log would hold payloads and passwords; ours names what matters.
func (b *Broker) mochiOptions() *mochi.Options {
	caps := mochi.NewDefaultServerCapabilities()
	caps.MaximumClients = int64(b.opts.MaxClients)
	caps.MaximumClientWritesPending = 64
	caps.MaximumPacketSize = uint32(b.opts.maxPacket())
	caps.MaximumSessionExpiryInterval = 3600
	caps.TopicAliasMaximum = 0 // an alias is resolved after the topic was checked
	caps.SharedSubAvailable = 0
	caps.WildcardSubAvailable = 0
	caps.SubIDAvailable = 0
	return &mochi.Options{
		Capabilities:           caps,
		Logger:                 slog.New(slog.DiscardHandler),
		SysTopicResendInterval: 24 * 3600, // nobody may read them
	}
}

// Addr is the address that is listened on; empty before Start.
func (b *Broker) Addr() string {
	if b.listener == nil {
		return ""
	}
	return b.listener.Address()
}

// Health says whether devices can connect: part "broker".
func (b *Broker) Health() core.Health {
	h := core.Health{Part: "broker", OK: true}
	b.mu.RLock()
	defer b.mu.RUnlock()
	switch {
	case b.listener == nil:
		h.OK, h.Detail = false, "not started"
	case b.stopping:
		h.OK, h.Detail = false, "stopping"
	case !b.listener.accepting():
		h.OK, h.Detail = false, "no longer accepts connections"
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
	b.listener.stopAccepting()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.pending.Wait()
		_ = b.server.Close() // always nil
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		b.listener.cut()
		return fmt.Errorf("the broker stopped before every publish was answered: %w", ctx.Err())
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
