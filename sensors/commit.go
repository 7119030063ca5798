package sensors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"onemap/internal/fault"
)

// run is the loop of one committer. The last index, after those of the lanes, is the express committer.
func (in *Ingest) run(ctx context.Context, at int) {
	var pace pace
	for {
		in.delayForBatch(at, &pace)
		entries, err := in.gather(ctx, at)
		if err == nil && len(entries) == 0 {
			if in.queue.stopping() && in.queue.waits(at) == 0 {
				return
			}
			<-in.queue.wake(at) // Stop signals too
			continue
		}
		if err == nil {
			err = in.commit(ctx, at, entries)
		}
		if err != nil {
			in.markUnavailable(ctx, entries, err)
			for _, e := range entries {
				in.clocks.forget(in.registry.Device(e.message.Device))
			}
		}
		in.queue.release(at, entries)
		if err == nil {
			pace.note(in.opts.Clock(), len(entries))
			continue
		}
		in.failQueued(at, err)
		if !in.waitForDatabase(ctx, at) {
			in.failQueued(at, err)
			return
		}
	}
}

// pace is the rate at which messages have arrived at a committer. note updates the rate as an exponential moving average
// with weight 1/8.
type pace struct {
	last time.Time
	rate float64 // messages per second
}

func (p *pace) note(now time.Time, messages int) {
	if passed := now.Sub(p.last).Seconds(); passed > 0 {
		p.rate += (float64(messages)/passed - p.rate) / 8
	}
	p.last = now
}

// delayForBatch waits for FloodHold when messages arrive fast, so that the next batch is larger. It does not wait if enough
// messages for a good batch are waiting already, because a larger batch would not be cheaper per row.
func (in *Ingest) delayForBatch(at int, p *pace) {
	const good = 512
	if in.opts.FloodHold <= 0 || p.rate < in.opts.FloodRate || in.queue.stopping() {
		return
	}
	if waits := in.queue.waits(at); waits > 0 && waits < good {
		time.Sleep(in.opts.FloodHold)
	}
}

// markUnavailable fails the entries whose commit failed, and refuses new ones until the database is back.
func (in *Ingest) markUnavailable(ctx context.Context, entries []*entry, err error) {
	if in.setAway(err) {
		in.log.ErrorContext(ctx, "the database is away: nothing is acknowledged until it is back", "error", err)
	}
	err = unavailable(err)
	for _, e := range entries {
		in.finish(e, err)
	}
}

// setAway records that the database is unavailable, and the cause. It reports whether this is a change. The unavailable flag
// and the refusal of the queue change together, under one lock: committers fail and probe at the same time, and a queue that
// refuses while no committer probes would refuse for ever.
func (in *Ingest) setAway(err error) (first bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.because = err
	if first = in.since.IsZero(); first {
		in.since = in.opts.Clock()
		in.metrics.away.Set(1)
		in.queue.refuse(refusedAway)
	}
	return first
}

// setBack records that the database is available again.
func (in *Ingest) setBack() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.because, in.since = nil, time.Time{}
	in.metrics.away.Set(0)
	in.queue.admit()
}

// failQueued fails all items that still wait in a lane.
func (in *Ingest) failQueued(at int, err error) {
	for _, it := range in.queue.drain(at) {
		e := &entry{item: it}
		in.finish(e, unavailable(err))
		in.queue.release(at, []*entry{e})
	}
}

// waitForDatabase probes the database, with growing pauses, until it answers. It returns false if Stop is called first.
// Only one committer probes; the others wait for its result. The pause is reset by the next successful commit, not by the
// answer to a probe: a database may answer queries and still fail to store.
func (in *Ingest) waitForDatabase(ctx context.Context, at int) bool {
	in.probing <- struct{}{}
	defer func() { <-in.probing }()
	for !in.queue.stopping() {
		in.mu.Lock()
		back := in.since.IsZero()
		in.mu.Unlock()
		if back { // another committer has found the database available
			return true
		}
		timer := time.NewTimer(in.pause)
		select {
		case <-in.queue.wake(at): // Stop, or an item that was queued just before the refusal
			timer.Stop()
			continue
		case <-timer.C:
		}
		in.pause = min(2*in.pause, in.opts.ProbeMax)
		in.probe(ctx)
	}
	return false
}

// resetBackoff makes the next outage begin with the shortest pause.
func (in *Ingest) resetBackoff() {
	select {
	case in.probing <- struct{}{}:
		in.pause = in.opts.ProbeMin
		<-in.probing
	default: // another committer holds the token: it has found the database unavailable in the meantime
	}
}

// probe queries the database once. If the query succeeds, the queue accepts messages again.
func (in *Ingest) probe(ctx context.Context) {
	probe, cancel := context.WithTimeout(ctx, in.opts.CommitTimeout)
	defer cancel()
	if err := in.registry.Reload(probe); err != nil {
		in.setAway(err)
		return
	}
	in.setBack()
	in.log.InfoContext(ctx, "the database answers again")
}

// commit stores the entries. If the database refuses a batch, commit splits it into two halves and commits each of them. An
// error means that the database is unavailable; entries already finished stay finished.
func (in *Ingest) commit(ctx context.Context, at int, entries []*entry) error {
	b := merge(entries)
	b.Registry = entries[0].registry
	res, err := in.store(ctx, at, b)
	switch {
	case err == nil:
		in.committed(entries, res)
		return nil
	case errors.Is(err, ErrRegistryChanged):
		return in.recommit(ctx, at, entries)
	case isAway(err):
		return err
	case len(entries) == 1:
		return in.poison(ctx, at, entries[0], err)
	}
	half := len(entries) / 2
	if err := in.commit(ctx, at, entries[:half]); err != nil {
		return err
	}
	return in.commit(ctx, at, entries[half:])
}

func (in *Ingest) store(ctx context.Context, at int, b Batch) (BatchResult, error) {
	ctx, cancel := context.WithTimeout(ctx, in.opts.CommitTimeout)
	defer cancel()
	began := in.opts.Clock()
	in.mu.Lock()
	in.running[at] = began
	in.mu.Unlock()
	res, err := in.committer.CommitBatch(ctx, b)
	in.mu.Lock()
	in.running[at] = time.Time{}
	in.mu.Unlock()
	if err != nil {
		return BatchResult{}, fmt.Errorf("commit a batch of %d readings: %w", len(b.Observations), err)
	}
	took, rows := in.opts.Clock().Sub(began), len(b.Observations)+len(b.Statuses)+len(b.Quarantine)
	in.metrics.batch(took, rows)
	in.sampler.batch(took, rows)
	return res, nil
}

// committed updates the metrics, wakes the readers of the batches, and acknowledges all entries.
func (in *Ingest) committed(entries []*entry, res BatchResult) {
	in.resetBackoff()
	in.metrics.stored(res)
	if res.Seq > 0 && in.opts.OnCommit != nil {
		in.opts.OnCommit(res.Seq)
	}
	for _, e := range entries {
		for _, q := range e.quarantine {
			in.metrics.quarantine(q.Reason)
		}
		in.metrics.future.Add(uint64(e.wrong))
		in.finish(e, nil)
	}
}

// poison puts a message that the store refuses even alone into quarantine, so that it is kept and can be acknowledged. If the
// quarantine row cannot be stored either, the message is not acknowledged.
func (in *Ingest) poison(ctx context.Context, at int, e *entry, cause error) error {
	in.log.ErrorContext(ctx, "the store refuses a publish", "device", e.message.Device, "topic", e.message.Subject, "error", cause)
	if e.ready == nil {
		e.observations, e.statuses = nil, nil
		e.quarantine = []Quarantined{in.row(e.message, OneFault(ReasonRefused, "", CodeStoreRefused, printableText(cause.Error(), 500)))}
		res, err := in.store(ctx, at, merge([]*entry{e}))
		switch {
		case err == nil:
			in.committed([]*entry{e}, res)
			return nil
		case isAway(err):
			return err
		}
		cause = err
	}
	in.log.ErrorContext(ctx, "a publish can be neither stored nor kept in quarantine", "device", e.message.Device, "error", cause)
	in.finish(e, fault.Wrap(fault.Internal, cause, "not stored"))
	return nil
}

// finish calls done of the entry, at most once.
func (in *Ingest) finish(e *entry, err error) {
	if e.finished {
		return
	}
	e.finished = true
	if err != nil {
		in.metrics.failed.Add(1)
	}
	if e.done != nil {
		e.done(err)
	}
}

// isAway reports whether a later retry can succeed: the error is of kind fault.Unavailable, a timeout or a cancellation.
func isAway(err error) bool {
	return fault.Is(err, fault.Unavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func unavailable(err error) error {
	if fault.Is(err, fault.Unavailable) {
		return err
	}
	return fault.Wrap(fault.Unavailable, err, "not stored")
}
