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
	MaxQueue        int              // messages that may wait; 65,536
	MaxQueueBytes   int              // bytes that may wait; 64 MiB
	MaxBatch        int              // rows after which a batch is closed; 5,000
	MaxPayload      int              // larger payloads go to quarantine, bytes; 64 KiB
	QuarantineBytes int              // of a payload that quarantine keeps; 4 KiB
	CommitTimeout   time.Duration    // a commit that takes longer counts as the database away; 15 s
	ProbeMin        time.Duration    // first pause before an absent database is asked again; 250 ms
	ProbeMax        time.Duration    // the longest such pause; 5 s
	Committers      int              // commits that may run side by side, beside that of the devices that send little; 2
	FloodRate       float64          // messages a second and committer from which batches are let grow; 4,000
	FloodHold       time.Duration    // how long they may grow then; 4 ms. Negative: never
	SampleEvery     time.Duration    // length of a sample of Stats; 5 s
	Node            string           // what Stats calls this node
	Limits          TimeLimits       // which event times are believed
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

// Ingest implements Receiver: it decodes messages and commits them in groups: a lone reading at once, and while a commit
// runs the next group gathers. In a flood it lets the next group gather for a few milliseconds more,
// since what a commit costs beside its rows is better spent on many. What is accepted is acknowledged
// after its commit and not before.
//
// Several committers share the work by device: what one device sends is committed in its order, and no
// two committers ever write the same datastream. Devices are served by turns, and one that sends little does not wait
// for those that send much: while these are committed, a committer of its own takes the others' readings.
//
// While the database is away it refuses fast, asks at growing intervals whether it is back, and
// resumes by itself. A message that the database will not have for a reason of its own is found by
// halving the batch and put to quarantine, so it never holds up others.
type Ingest struct {
	opts      IngestOptions
	registry  *Registry
	committer Committer
	log       *slog.Logger
	metrics   *ingestMetrics
	queue     *queue
	sampler   *sampler
	clocks    clocks         // of the devices
	loud      rate.Sometimes // bounds what strange payloads can write into the log

	cancel context.CancelFunc
	lanes  sync.WaitGroup
	ended  chan struct{}

	probing chan struct{} // holds a token while a committer asks whether the database is back; guards pause
	pause   time.Duration

	mu      sync.Mutex // guards what Health reads, and that the queue refuses exactly while the database is away
	since   time.Time  // away since; zero: not away
	because error
	running []time.Time // when each committer's running commit began; zero: none runs

	decodings []Decoding // one for each committer, used again for each message
}

// NewIngest builds the path; Start sets it going. A nil logger and a nil registerer are silent.
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

// Start begins to commit. It must be called once.
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

// Stop refuses what comes from now on and commits what was accepted. When ctx ends first, the rest
// is not stored and each done is told so; either way no done is left uncalled.
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

// Quarantine implements Receiver. The payload is cut to the cap.
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

// Health says whether readings are being stored: part "database", with the seconds since they are
// not.
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
