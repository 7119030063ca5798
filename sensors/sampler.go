package sensors

import (
	"context"
	"slices"
	"sync"
	"time"
)

// sampleHistory is the age of the oldest sample.
const sampleHistory = 15 * time.Minute

// sampler keeps the statistics of the ingest path in the last intervals.
type sampler struct {
	opts    IngestOptions
	queue   *queue
	metrics *ingestMetrics
	began   time.Time

	mu      sync.Mutex
	last    IngestCounts // at the end of the last sample
	took    []time.Duration
	rows    int
	samples []IngestSample // oldest first
}

// maxTook is the largest number of commits per interval whose times are kept.
const maxTook = 8192

func newSampler(opts IngestOptions, q *queue, m *ingestMetrics) *sampler {
	return &sampler{opts: opts, queue: q, metrics: m, began: opts.Clock()}
}

func (s *sampler) run(ctx context.Context) {
	tick := time.NewTicker(s.opts.SampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.sample()
		}
	}
}

// batch records one commit.
func (s *sampler) batch(took time.Duration, rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.took) < maxTook {
		s.took = append(s.took, took)
	}
	s.rows += rows
}

// sample ends an interval and keeps its statistics.
func (s *sampler) sample() {
	now := s.metrics.counts()
	at := s.opts.Clock()
	items, bytes := s.queue.depth()
	s.mu.Lock()
	defer s.mu.Unlock()
	one := IngestSample{
		At: at.UTC(), IngestCounts: since(now, s.last), QueueEnvelopes: items, QueueBytes: bytes,
		OldestMS: milliseconds(age(s.queue, at)),
	}
	if n := len(s.took); n > 0 {
		slices.Sort(s.took)
		one.CommitP50MS, one.CommitP99MS = milliseconds(s.took[n/2]), milliseconds(s.took[n*99/100])
	}
	if one.Batches > 0 {
		one.BatchRows = float64(s.rows) / float64(one.Batches)
	}
	s.last, s.took, s.rows = now, s.took[:0], 0
	if keep := int(sampleHistory / s.opts.SampleEvery); len(s.samples) >= keep {
		s.samples = slices.Delete(s.samples, 0, len(s.samples)-keep+1)
	}
	s.samples = append(s.samples, one)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func since(now, then IngestCounts) IngestCounts {
	return IngestCounts{
		Received: now.Received - then.Received, Committed: now.Committed - then.Committed, Duplicate: now.Duplicate - then.Duplicate,
		Conflict: now.Conflict - then.Conflict, Late: now.Late - then.Late, Future: now.Future - then.Future,
		Quarantined: now.Quarantined - then.Quarantined, Refused: now.Refused - then.Refused,
		Failed: now.Failed - then.Failed, Batches: now.Batches - then.Batches,
	}
}

// Stats returns the statistics of this node's ingest path. The caller adds Brokers and Troubles.
func (in *Ingest) Stats() IngestStats {
	s := in.sampler
	s.mu.Lock()
	defer s.mu.Unlock()
	return IngestStats{
		Node: in.opts.Node, StartedAt: s.began.UTC(), EveryS: int(in.opts.SampleEvery / time.Second),
		MaxQueue: in.opts.MaxQueue, MaxBytes: in.opts.MaxQueueBytes, Totals: in.metrics.counts(),
		Samples: slices.Clone(s.samples), Brokers: []BrokerStats{}, Troubles: []DeviceTrouble{},
	}
}
