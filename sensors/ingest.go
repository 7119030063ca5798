package sensors

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// IngestOptions tunes the ingest path. The zero value of each is the default named.
type IngestOptions struct {
	MaxQueue        int              // largest number of messages in the queue; 65,536
	MaxQueueBytes   int              // largest number of bytes in the queue; 64 MiB
	MaxBatch        int              // number of rows after which a batch is closed; 5,000
	MaxPayload      int              // larger payloads go to quarantine, bytes; 64 KiB
	QuarantineBytes int              // number of bytes of a payload that quarantine keeps; 4 KiB
	CommitTimeout   time.Duration    // if a commit takes longer, the database counts as unavailable; 15 s
	ProbeMin        time.Duration    // first pause before an unavailable database is probed again; 250 ms
	ProbeMax        time.Duration    // the longest such pause; 5 s
	Committers      int              // commits that may run in parallel, not counting the express committer for light devices; 2
	FloodRate       float64          // rate from which batches may wait to grow, messages per second and committer; 4,000
	FloodHold       time.Duration    // how long such a batch waits; 4 ms. Negative: never
	SampleEvery     time.Duration    // length of a sample of Stats; 5 s
	Node            string           // name of this node in Stats
	Limits          TimeLimits       // range of the event times that are accepted
	OnCommit        func(seq int64)  // called after each commit of an ingest_batch row; must not block
	Clock           func() time.Time // time.Now
}

func (o IngestOptions) withDefaults() IngestOptions {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.MaxQueue, 65536)
	def(&o.MaxQueueBytes, 64<<20)
	def(&o.MaxBatch, 5000)
	def(&o.MaxPayload, 64<<10)
	def(&o.QuarantineBytes, 4<<10)
	pause := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	pause(&o.CommitTimeout, 15*time.Second)
	pause(&o.ProbeMin, 250*time.Millisecond)
	pause(&o.ProbeMax, 5*time.Second)
	pause(&o.FloodHold, 4*time.Millisecond)
	pause(&o.SampleEvery, 5*time.Second)
	def(&o.Committers, 2)
	if o.FloodRate == 0 {
		o.FloodRate = 4000
	}
	o.Limits = o.Limits.withDefaults()
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

// Ingest implements Receiver. It decodes messages and commits them in batches. A single message is committed at once. While
// a commit runs, the next batch gathers. When messages arrive fast, the next batch waits a few milliseconds longer: a commit
// has a fixed cost, which is better shared by many rows. A message is acknowledged after its commit, never before.
//
// Several committers share the work by device. The messages of one device are committed in order, and two committers never
// write the same datastream at the same time. Devices are served in turn. A device that sends little does not wait for devices
// that send much: while the data of the latter is committed, a separate committer takes the messages of the former.
//
// While the database is unavailable, Ingest refuses at once, probes the database at growing intervals, and resumes by itself.
// If the database refuses a message because of its content, Ingest finds that message by halving the batch and puts it into
// quarantine, so that it never delays other messages.
type Ingest struct {
	opts      IngestOptions
	registry  *Registry
	committer Committer
	log       *slog.Logger
	metrics   *ingestMetrics
	queue     *queue
	sampler   *sampler
	clocks    clocks         // the state of the devices' clocks
	loud      rate.Sometimes // limits how many log lines undecodable payloads can cause

	cancel context.CancelFunc
	lanes  sync.WaitGroup
	ended  chan struct{}

	probing chan struct{} // holds a token while a committer probes the database; guards pause
	pause   time.Duration

	mu      sync.Mutex // guards the fields that Health reads; also ensures that the queue refuses exactly while the database is unavailable
	since   time.Time  // start of the outage; zero: the database is available
	because error
	running []time.Time // start of each committer's current commit; zero: no commit runs

	decodings []Decoding // one per committer, reused for each message
}

// NewIngest returns an Ingest; Start starts it. With a nil logger nothing is logged; with a nil registerer no metrics are registered.
func NewIngest(opts IngestOptions, registry *Registry, committer Committer, log *slog.Logger, reg prometheus.Registerer) *Ingest {
	opts = opts.withDefaults()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	q := newQueue(opts.Committers, opts.MaxQueue, opts.MaxQueueBytes)
	in := &Ingest{
		opts: opts, registry: registry, committer: committer, log: log, queue: q, pause: opts.ProbeMin,
		loud:    rate.Sometimes{First: 3, Interval: 10 * time.Second},
		probing: make(chan struct{}, 1), ended: make(chan struct{}), running: make([]time.Time, opts.Committers+1),
		decodings: make([]Decoding, opts.Committers+1),
	}
	in.metrics = newIngestMetrics(reg, q, opts.Clock)
	in.sampler = newSampler(opts, q, in.metrics)
	return in
}

// Start starts the committers. It must be called once.
func (in *Ingest) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	in.cancel = cancel
	for at := range in.opts.Committers + 1 {
		in.lanes.Go(func() { in.run(ctx, at) })
	}
	go in.sampler.run(ctx)
	go func() {
		in.lanes.Wait()
		close(in.ended)
	}()
}

// Stop refuses new messages and commits the accepted ones. If ctx ends first, the remaining messages are not stored and their
// done functions are called with an error. In both cases every done function is called.
func (in *Ingest) Stop(ctx context.Context) error {
	in.queue.refuse(refusedStopping)
	if in.cancel == nil { // never started
		for at := range in.opts.Committers {
			in.failQueued(at, refusal(refusedStopping))
		}
		return nil
	}
	defer in.cancel()
	select {
	case <-in.ended:
		return nil
	case <-ctx.Done():
		in.cancel()
		<-in.ended
		return fmt.Errorf("ingest stopped before everything was stored: %w", ctx.Err())
	}
}

// Accept implements Receiver.
func (in *Ingest) Accept(m Message, done func(error)) error {
	if m.Decoder == nil {
		return fault.New(fault.Internal, "a message without a decoder")
	}
	if m.Received.IsZero() {
		m.Received = in.opts.Clock()
	}
	if m.Values == 0 {
		m.Values = m.Decoder.Count(m.Raw)
	}
	return in.put(item{message: m, done: done, rows: m.Values})
}

// Await implements Receiver.
func (in *Ingest) Await(ctx context.Context) error {
	for {
		room, reason := in.queue.room()
		switch {
		case reason == "":
			return nil
		case reason != refusedFull:
			return refusal(reason)
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Quarantine implements Receiver. It cuts the payload to QuarantineBytes.
func (in *Ingest) Quarantine(q Quarantined, done func(error)) error {
	q = in.capped(q)
	return in.put(item{ready: &q, done: done})
}

func (in *Ingest) put(it item) error {
	if reason := in.queue.put(it); reason != "" {
		in.metrics.refuse(reason)
		return refusal(reason)
	}
	in.metrics.received.Add(1)
	return nil
}

// Health reports whether readings are being stored. The part is "database". If they are not stored, the value is the number of
// seconds since then. A commit that runs longer than 5 s is reported too.
func (in *Ingest) Health() core.Health {
	in.mu.Lock()
	defer in.mu.Unlock()
	const slow = 5 * time.Second
	h := core.Health{Part: "database", OK: true}
	began := time.Time{}
	for _, at := range in.running {
		if !at.IsZero() && (began.IsZero() || at.Before(began)) {
			began = at
		}
	}
	switch now := in.opts.Clock(); {
	case !in.since.IsZero():
		h = core.Unwell(h.Part, now.Sub(in.since).Seconds(), CodeReadingsUnstored, in.because)
	case !began.IsZero() && now.Sub(began) > slow:
		h = core.Unwell(h.Part, now.Sub(began).Seconds(), CodeCommitSlow)
	}
	return h
}
