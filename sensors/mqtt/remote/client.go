// Package remote reads from an external MQTT broker, whichever it is, and hands its publishes to the
// same ingest path as the embedded broker does. A publish is acknowledged to the broker when it is
// committed, and in the order of receipt; until then it stays in the broker's session for this client,
// over a cut network, a killed server and an absent database.
//
// What the broker itself loses (a queue that is full, a session that it did not save) cannot be seen
// from here: `onemap doctor` looks for the settings, docs/brokers.md names them.
package remote

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"onemap/internal/fault"
	"onemap/internal/wait"
	"onemap/sensors"
)

// Options says which broker and how. URL and ClientID are needed; the zero value of the rest is the
// default named.
type Options struct {
	Endpoint
	ClientID string // of this node alone, and the same after a restart: the broker's session hangs on it
	Group    string // share the subscription with the other nodes of this $share group; empty: do not

	MaxPending      int           // publishes that may wait for their commit; 65,535, the most that MQTT lets be in flight
	MaxPendingBytes int           // and their bytes; 64 MiB
	MaxPayload      int           // larger payloads go to quarantine, bytes; 64 KiB
	KeepAlive       time.Duration // whole seconds; 15 s
	PingTimeout     time.Duration // how long the broker may take to answer a ping; 5 s
	ConnectTimeout  time.Duration // for network, TLS and MQTT together; 10 s
	RetryMin        time.Duration // first pause before the next connection; 250 ms
	RetryMax        time.Duration // the longest; 5 s
	Patience        time.Duration // a publish that waits longer for its commit makes the part unwell; 30 s
}

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.MaxPending, 65535)
	def(&o.MaxPendingBytes, 64<<20)
	def(&o.MaxPayload, 64<<10)
	span := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	span(&o.KeepAlive, 15*time.Second)
	span(&o.PingTimeout, 5*time.Second)
	span(&o.ConnectTimeout, 10*time.Second)
	span(&o.RetryMin, 250*time.Millisecond)
	span(&o.RetryMax, 5*time.Second)
	span(&o.Patience, 30*time.Second)
	return o
}

// Client is connected to an external broker as long as it runs.
type Client struct {
	opts     Options
	target   *Target
	receiver sensors.Receiver
	log      *slog.Logger
	clock    func() time.Time
	count    counts
	loud     rate.Sometimes // bounds what strangers' publishes can write into the log
	state    state
	pending  pendingAcks

	stopping context.CancelFunc // no more is taken
	abandon  context.CancelFunc // what was taken is not waited for
	ended    chan struct{}
}

// New checks the options (fault.Invalid names the one at fault); Start connects. A nil logger and a nil
// registerer are silent, a nil clock is time.Now.
func New(opts Options, receiver sensors.Receiver, log *slog.Logger, reg prometheus.Registerer, clock func() time.Time) (*Client, error) {
	opts = opts.withDefaults()
	target, err := opts.Resolve()
	if err != nil {
		return nil, err
	}
	if err := checkClientID(opts.ClientID); err != nil {
		return nil, err
	}
	if opts.Group != "" && !sensors.ValidDeviceID(opts.Group) {
		return nil, fault.InvalidField("broker-group", "%q is not 1 to 64 of [A-Za-z0-9_-]", opts.Group)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if clock == nil {
		clock = time.Now
	}
	c := &Client{
		opts: opts, target: target, receiver: receiver, clock: clock, ended: make(chan struct{}),
		log:  log.With("broker", target.Address()),
		loud: rate.Sometimes{First: 3, Interval: 10 * time.Second},
	}
	c.state.begin(clock())
	c.register(reg)
	return c, nil
}

// Start begins to connect, and returns before it is. It must be called once.
func (c *Client) Start() {
	hard, abandon := context.WithCancel(context.Background())
	soft, stopping := context.WithCancel(hard)
	c.abandon, c.stopping = abandon, stopping
	go func() {
		defer close(c.ended)
		c.run(soft, hard)
	}()
}

// Stop takes nothing more, acknowledges what was taken when it is stored, and disconnects. The
// broker's session stays. When ctx ends first, what is not acknowledged by then comes again after the
// next start.
func (c *Client) Stop(ctx context.Context) error {
	if c.stopping == nil { // never started
		return nil
	}
	defer c.abandon()
	c.stopping()
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		c.abandon()
		<-c.ended
		return fault.Wrap(fault.Unavailable, ctx.Err(), "stopped before everything was acknowledged")
	}
}

// A connection that lived this long, or brought something home, makes the next pause short again.
const livedLong = 10 * time.Second

// run keeps a connection until soft ends.
func (c *Client) run(soft, hard context.Context) {
	pause := c.opts.RetryMin
	for {
		if !c.awaitStore(soft) {
			return
		}
		began := time.Now()
		acked := c.count.acked.Load()
		err := c.live(soft, hard)
		if soft.Err() != nil {
			return
		}
		if time.Since(began) > livedLong || c.count.acked.Load() > acked {
			pause = c.opts.RetryMin
		}
		short := c.state.lost(c.clock(), err)
		c.log.WarnContext(soft, "not connected to the external broker", "error", err, "retry_in", pause)
		if short == shortLives {
			c.log.WarnContext(soft, "the broker ends each connection at once; does another node use the same client id?", "client_id", c.opts.ClientID)
		}
		if !wait.For(soft, pause/2+rand.N(pause/2+1)) {
			return
		}
		pause = min(2*pause, c.opts.RetryMax)
	}
}

// awaitStore waits until readings are stored: as long as they are not, the broker keeps them best.
func (c *Client) awaitStore(ctx context.Context) bool {
	for pause := c.opts.RetryMin; ; pause = min(2*pause, c.opts.RetryMax) {
		err := c.receiver.Await(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			return true
		}
		c.state.waits(err)
		if !wait.For(ctx, pause/2+rand.N(pause/2+1)) {
			return false
		}
	}
}

// live connects and stays until the connection is lost, or soft ends and all is acknowledged.
func (c *Client) live(soft, hard context.Context) error {
	l, err := c.connect(soft)
	if err != nil {
		return err
	}
	defer func() { c.pending.remember(l.window.unacked()) }()
	ctx, cancel := context.WithCancel(hard)
	pumped := make(chan struct{})
	defer func() { cancel(); <-pumped }() // it hands nothing on beside the next connection's
	go func() {
		defer close(pumped)
		l.pump(ctx)
	}()
	if err := l.subscribe(soft); err != nil {
		l.end()
		return err
	}
	c.state.up(c.clock(), l)
	c.log.InfoContext(soft, "connected to the external broker", "client_id", c.opts.ClientID, "session_present", l.present, "filters", c.filters())
	err = l.stay(soft, ctx)
	c.state.down(l)
	if errors.Is(err, errStopping) {
		l.leave()
	} else {
		l.end()
	}
	return err
}

// pendingAcks stores the times of receipt of publishes that were passed on and not acknowledged. The broker sends them again with
// the same packet id. A publish without its own time must not become a second reading, so it keeps its first time of receipt.
type pendingAcks struct {
	mu sync.Mutex
	by map[uint16]pendingAck // by packet id, which the broker may not use anew before the acknowledgement
}

type pendingAck struct {
	sum uint64 // of topic and payload
	at  time.Time
}

func (o *pendingAcks) remember(slots []*slot) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by == nil {
		o.by = map[uint16]pendingAck{}
	}
	for _, s := range slots {
		o.by[s.id] = pendingAck{s.sum(), s.received}
	}
}

// recall returns the time of the first receipt.
func (o *pendingAcks) recall(s *slot) (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d, ok := o.by[s.id]
	if !ok {
		return time.Time{}, false
	}
	delete(o.by, s.id)
	return d.at, d.sum == s.sum()
}

// seed is one for the process, so that sums of different connections can be compared.
var seed = maphash.MakeSeed() //nolint:gochecknoglobals // random, never changed

func (s *slot) sum() uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(s.topic) // never fails
	_ = h.WriteByte(0)
	_, _ = h.Write(s.payload)
	return h.Sum64()
}

func (o *pendingAcks) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.by = nil
}
