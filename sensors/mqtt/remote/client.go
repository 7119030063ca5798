// Package remote is a client of an external MQTT broker of any make. It passes the publishes to the same ingest path as the
// embedded broker does. It acknowledges a publish to the broker after the commit, in the order of receipt. Until then the
// publish stays in the broker's session for this client: while the network is down, after a kill of the server, and while the
// database is unavailable.
//
// Losses in the broker itself cannot be seen from here, such as a full queue or a session that was not saved. `onemap doctor`
// checks the settings for that, and docs/brokers.md names them.
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

// Options configures the client. URL and ClientID are required. The zero value of each other field stands for the default
// that its comment names.
type Options struct {
	Endpoint
	ClientID string // unique for this node, and the same after a restart: it identifies the session at the broker
	Group    string // $share group in which the nodes share the subscription; empty: none

	MaxPending      int           // publishes that may wait for their commit; 65,535, the number of packet ids in MQTT
	MaxPendingBytes int           // limit of their bytes; 64 MiB
	MaxPayload      int           // larger payloads go to quarantine, bytes; 64 KiB
	KeepAlive       time.Duration // whole seconds; 15 s
	PingTimeout     time.Duration // time limit for the broker's answer to a ping; 5 s
	ConnectTimeout  time.Duration // for network, TLS and MQTT together; 10 s
	RetryMin        time.Duration // first pause before the next connection; 250 ms
	RetryMax        time.Duration // longest pause; 5 s
	Patience        time.Duration // if a publish waits longer for its commit, Health reports a fault; 30 s
}

// withDefaults returns the options with the default in place of every zero. The defaults are those that the comments of
// Options name.
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

// Client keeps a connection to an external broker while it runs.
type Client struct {
	opts     Options
	target   *Target
	receiver sensors.Receiver
	log      *slog.Logger
	clock    func() time.Time
	count    counts
	logLimit rate.Sometimes // limits the log lines about publishes to unknown topics
	state    state
	pending  pendingAcks

	stopping context.CancelFunc // ends the acceptance of publishes
	abandon  context.CancelFunc // ends the wait for accepted publishes
	ended    chan struct{}
}

// New checks the options and returns a client; Start connects it. It returns an error of kind fault.Invalid that names the
// wrong option. Without a logger it does not log, without a registerer its metrics are not exported, and the default clock is
// time.Now.
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
		log:      log.With("broker", target.Address()),
		logLimit: rate.Sometimes{First: 3, Interval: 10 * time.Second},
	}
	c.state.begin(clock())
	c.register(reg)
	return c, nil
}

// Start connects in the background and returns at once. It must be called once.
func (c *Client) Start() {
	hard, abandon := context.WithCancel(context.Background())
	soft, stopping := context.WithCancel(hard)
	c.abandon, c.stopping = abandon, stopping
	go func() {
		defer close(c.ended)
		c.run(soft, hard)
	}()
}

// Stop accepts no more publishes, acknowledges the accepted ones after their commit, and disconnects. The session at the
// broker stays. If ctx ends first, the broker sends the unacknowledged publishes again after the next start.
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

// livedLong is the life of a connection after which the next pause is short again. A connection with an acknowledgement has
// the same effect.
const livedLong = 10 * time.Second

// run connects again and again until soft ends. The pauses grow, and are random so that the nodes do not connect at the same
// moment.
func (c *Client) run(soft, hard context.Context) {
	pause := c.opts.RetryMin
	for {
		if !c.awaitStore(soft) {
			return
		}
		began := time.Now()
		acked := c.count.acked.Load()
		err := c.runConnection(soft, hard)
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
		// The pause doubles up to RetryMax. The time waited is random, between a half and the whole of it.
		pause = min(2*pause, c.opts.RetryMax)
	}
}

// awaitStore waits until readings can be stored. Until then it does not connect, because the broker keeps the publishes.
func (c *Client) awaitStore(ctx context.Context) bool {
	for pause := c.opts.RetryMin; ; pause = min(2*pause, c.opts.RetryMax) {
		err := c.receiver.Await(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			return true
		}
		c.state.setCause(err)
		if !wait.For(ctx, pause/2+rand.N(pause/2+1)) {
			return false
		}
	}
}

// runConnection connects and processes publishes. It returns when the connection is lost, or when soft has ended and everything is
// acknowledged.
func (c *Client) runConnection(soft, hard context.Context) error {
	l, err := c.connect(soft)
	if err != nil {
		return err
	}
	// The deferred calls run in the reverse order: first the pump ends, then the window is read. So remember sees every
	// publish that was passed on.
	defer func() { c.pending.remember(l.window.unacked()) }()
	ctx, cancel := context.WithCancel(hard)
	pumped := make(chan struct{})
	defer func() { cancel(); <-pumped }() // wait, so that it does not run beside the pump of the next connection
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
	err = l.serve(soft, ctx)
	c.state.down(l)
	if errors.Is(err, errStopping) {
		l.disconnect()
	} else {
		l.end()
	}
	return err
}

// pendingAcks stores the times of receipt of publishes that were passed on and not acknowledged. The broker sends them again with
// the same packet id. A publish without its own time must not become a second reading, so it keeps its first time of receipt.
type pendingAcks struct {
	mu sync.Mutex
	by map[uint16]pendingAck // by packet id; the broker must not reuse it before the acknowledgement, [MQTT-2.3.1-4] in 3.1.1
}

// pendingAck identifies a publish by a hash, and holds the time of its first receipt.
type pendingAck struct {
	sum uint64 // of topic and payload
	at  time.Time
}

// remember adds the publishes of a connection that has ended.
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

// recall returns the time of the first receipt of a publish. It returns false if the publish is not known, or if the packet
// id now belongs to another publish.
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

// seed is the same for the whole process, so that sums of different connections can be compared.
var seed = maphash.MakeSeed() //nolint:gochecknoglobals // random, never changed

// sum returns a hash of topic and payload, so that their copies need not be kept.
func (s *slot) sum() uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(s.topic) // never fails
	_ = h.WriteByte(0)
	_, _ = h.Write(s.payload)
	return h.Sum64()
}

// forget removes everything. It is called when the broker has a new session, in which old packet ids have no meaning.
func (o *pendingAcks) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.by = nil
}
