package sensors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"onemap/internal/core"
	"onemap/internal/errs"
)

// Receiver is what a broker hands its publishes to: the embedded one, and a client of an external
// one, alike.
type Receiver interface {
	// Accept takes the envelope and never blocks. When it returns nil, done is called exactly once,
	// from another goroutine, in the order of acceptance and without waiting for what it does:
	// done(nil) when everything of the envelope is durable, as observation, status or quarantine
	// row, and an error when it is not and must not be acknowledged. When Accept returns an error
	// (errs.Unavailable: full, away, or stopping), done is never called.
	Accept(env Envelope, done func(error)) error
	// Quarantine takes a row for what cannot be an envelope, under the same promise.
	Quarantine(q Quarantined, done func(error)) error
}

// IngestOptions tunes the ingest path. The zero value of each is the default named.
type IngestOptions struct {
	MaxQueue        int              // envelopes that may wait; 65,536
	MaxQueueBytes   int              // bytes that may wait; 64 MiB
	MaxBatch        int              // rows after which a batch is closed; 5,000
	MaxPayload      int              // larger payloads go to quarantine, bytes; 64 KiB
	QuarantineBytes int              // of a payload that quarantine keeps; 4 KiB
	CommitTimeout   time.Duration    // a commit that takes longer counts as the database away; 15 s
	ProbeMin        time.Duration    // first pause before an absent database is asked again; 250 ms
	ProbeMax        time.Duration    // the longest such pause; 5 s
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
	o.Limits = o.Limits.withDefaults()
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

// Ingest decodes envelopes and commits them in groups: a lone reading at once, and while a commit
// runs the next group gathers. What is accepted is acknowledged after its commit and not before.
//
// While the database is away it refuses fast, asks at growing intervals whether it is back, and
// resumes by itself. An envelope that the database will not have for a reason of its own is found by
// halving the batch and put to quarantine, so it never holds up others.
type Ingest struct {
	opts      IngestOptions
	registry  *Registry
	committer Committer
	log       *slog.Logger
	metrics   ingestMetrics
	queue     *queue
	loud      rate.Sometimes // bounds what strange payloads can write into the log

	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex // guards what Health reads
	since   time.Time  // away since; zero: not away
	because error
	running time.Time // when the running commit began; zero: none runs
}

// NewIngest builds the path; Start sets it going. A nil logger and a nil registerer are silent.
func NewIngest(opts IngestOptions, registry *Registry, committer Committer, log *slog.Logger, reg prometheus.Registerer) *Ingest {
	opts = opts.withDefaults()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	q := newQueue(opts.MaxQueue, opts.MaxQueueBytes)
	return &Ingest{
		opts: opts, registry: registry, committer: committer, log: log, queue: q,
		metrics: newIngestMetrics(reg, q), loud: rate.Sometimes{First: 3, Interval: 10 * time.Second},
		ended: make(chan struct{}),
	}
}

// Start begins to commit. It must be called once.
func (in *Ingest) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	in.cancel = cancel
	go in.run(ctx)
}

// Stop refuses what comes from now on and commits what was accepted. When ctx ends first, the rest
// is not stored and each done is told so; either way no done is left uncalled.
func (in *Ingest) Stop(ctx context.Context) error {
	in.queue.refuse(refusedStopping)
	if in.cancel == nil { // never started
		in.rest(refusal(refusedStopping))
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

// Accept is Receiver's.
func (in *Ingest) Accept(env Envelope, done func(error)) error {
	if env.Received.IsZero() {
		env.Received = in.opts.Clock()
	}
	return in.put(item{env: env, done: done})
}

// Quarantine is Receiver's. The payload is cut to the cap.
func (in *Ingest) Quarantine(q Quarantined, done func(error)) error {
	q = in.capped(q)
	return in.put(item{ready: &q, done: done})
}

func (in *Ingest) put(it item) error {
	if reason := in.queue.put(it); reason != "" {
		in.metrics.refused.WithLabelValues(reason).Inc()
		return refusal(reason)
	}
	in.metrics.accepted.Inc()
	return nil
}

// Health says whether readings are being stored: part "database", with the seconds since they are
// not.
func (in *Ingest) Health() core.Health {
	in.mu.Lock()
	defer in.mu.Unlock()
	const slow = 5 * time.Second
	h := core.Health{Part: "database", OK: true}
	switch now := in.opts.Clock(); {
	case !in.since.IsZero():
		h.OK, h.Lag, h.Detail = false, now.Sub(in.since).Seconds(), "readings cannot be stored: "+in.because.Error()
	case !in.running.IsZero() && now.Sub(in.running) > slow:
		h.OK, h.Lag, h.Detail = false, now.Sub(in.running).Seconds(), "a commit of readings takes long"
	}
	return h
}

// run is the one committer.
func (in *Ingest) run(ctx context.Context) {
	defer close(in.ended)
	pause := in.opts.ProbeMin
	for {
		entries, err := in.gather(ctx)
		if err == nil && len(entries) == 0 {
			if in.queue.stopping() {
				return
			}
			<-in.queue.wake // Stop signals too
			continue
		}
		if err == nil {
			err = in.commit(ctx, entries)
		}
		if err == nil {
			pause = in.opts.ProbeMin
			continue
		}
		in.leave(ctx, entries, err)
		if !in.returned(ctx, &pause) {
			in.rest(err)
			return
		}
	}
}

// leave tells everybody who waits that the database is away, and refuses from now on.
func (in *Ingest) leave(ctx context.Context, entries []*entry, err error) {
	in.mu.Lock()
	if in.since.IsZero() {
		in.since = in.opts.Clock()
	}
	in.because = err
	in.mu.Unlock()
	in.metrics.away.Set(1)
	in.log.ErrorContext(ctx, "the database is away: nothing is acknowledged until it is back", "error", err)
	in.queue.refuse(refusedAway)
	err = unavailable(err)
	for _, e := range entries {
		in.finish(e, err)
	}
	in.rest(err)
}

// rest fails everything that still waits.
func (in *Ingest) rest(err error) {
	for it, ok := in.queue.take(); ok; it, ok = in.queue.take() {
		in.finish(&entry{item: it}, unavailable(err))
	}
}

// returned asks at growing pauses until the database answers; false when Stop came first. The pause
// shrinks again with the next commit, not with the answer: a database may answer and not store.
func (in *Ingest) returned(ctx context.Context, pause *time.Duration) bool {
	for !in.queue.stopping() {
		timer := time.NewTimer(*pause)
		select {
		case <-in.queue.wake: // Stop, or a straggler from before the refusal
			timer.Stop()
			continue
		case <-timer.C:
		}
		*pause = min(2**pause, in.opts.ProbeMax)
		probe, cancel := context.WithTimeout(ctx, in.opts.CommitTimeout)
		err := in.registry.Reload(probe)
		cancel()
		if err != nil {
			in.mu.Lock()
			in.because = err
			in.mu.Unlock()
			continue
		}
		in.mu.Lock()
		in.since, in.because = time.Time{}, nil
		in.mu.Unlock()
		in.metrics.away.Set(0)
		in.queue.admit()
		in.log.InfoContext(ctx, "the database answers again")
		return true
	}
	return false
}

// commit stores the entries, halving a batch that the database will not have. The error means that
// the database is away; entries already finished stay finished.
func (in *Ingest) commit(ctx context.Context, entries []*entry) error {
	res, err := in.store(ctx, merge(entries))
	switch {
	case err == nil:
		in.committed(entries, res)
		return nil
	case isAway(err):
		return err
	case len(entries) == 1:
		return in.poison(ctx, entries[0], err)
	}
	half := len(entries) / 2
	if err := in.commit(ctx, entries[:half]); err != nil {
		return err
	}
	return in.commit(ctx, entries[half:])
}

func (in *Ingest) store(ctx context.Context, b Batch) (BatchResult, error) {
	ctx, cancel := context.WithTimeout(ctx, in.opts.CommitTimeout)
	defer cancel()
	began := in.opts.Clock()
	in.mu.Lock()
	in.running = began
	in.mu.Unlock()
	res, err := in.committer.CommitBatch(ctx, b)
	in.mu.Lock()
	in.running = time.Time{}
	in.mu.Unlock()
	if err != nil {
		return BatchResult{}, fmt.Errorf("commit a batch of %d readings: %w", len(b.Observations), err)
	}
	in.metrics.commit.Observe(in.opts.Clock().Sub(began).Seconds())
	in.metrics.batch.Observe(float64(len(b.Observations) + len(b.Statuses) + len(b.Quarantine)))
	return res, nil
}

// committed counts, wakes the readers, and lets everybody be acknowledged.
func (in *Ingest) committed(entries []*entry, res BatchResult) {
	in.metrics.stored.Add(float64(res.Stored))
	in.metrics.duplicate.Add(float64(res.Duplicates))
	in.metrics.conflict.Add(float64(res.Conflicts))
	if res.Seq > 0 && in.opts.OnCommit != nil {
		in.opts.OnCommit(res.Seq)
	}
	for _, e := range entries {
		for _, q := range e.quarantine {
			in.metrics.quarantined.WithLabelValues(q.Reason).Inc()
		}
		in.finish(e, nil)
	}
}

// poison puts to quarantine what the store refuses by itself, so that it is kept and can be
// acknowledged. When not even that can be stored, it is not acknowledged.
func (in *Ingest) poison(ctx context.Context, e *entry, cause error) error {
	in.log.ErrorContext(ctx, "the store refuses a publish", "device", e.env.Device, "topic", e.env.Topic, "error", cause)
	if e.ready == nil {
		e.observations, e.statuses = nil, nil
		e.quarantine = []Quarantined{in.row(e.env, ReasonRefused, printableText(cause.Error(), 500))}
		res, err := in.store(ctx, merge([]*entry{e}))
		switch {
		case err == nil:
			in.committed([]*entry{e}, res)
			return nil
		case isAway(err):
			return err
		}
		cause = err
	}
	in.log.ErrorContext(ctx, "a publish can be neither stored nor kept in quarantine", "device", e.env.Device, "error", cause)
	in.finish(e, errs.Wrap(errs.Internal, cause, "not stored"))
	return nil
}

// finish calls done once.
func (in *Ingest) finish(e *entry, err error) {
	if e.finished {
		return
	}
	e.finished = true
	if err != nil {
		in.metrics.failed.Inc()
	}
	if e.done != nil {
		e.done(err)
	}
}

// isAway reports whether trying again later is right: the kind says so, or time ran out.
func isAway(err error) bool {
	return errs.Is(err, errs.Unavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func unavailable(err error) error {
	if errs.Is(err, errs.Unavailable) {
		return err
	}
	return errs.Wrap(errs.Unavailable, err, "not stored")
}
