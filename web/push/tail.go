package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"onemap/internal/core"
	"onemap/internal/errs"
	"onemap/sensors"
)

// tailPage bounds one reading of the event log or of the batches, rows.
const (
	eventPage = 500
	batchPage = 200
	// maxBatchBacklog is how many batches are caught up with one by one after an outage; past it
	// clients take a new snapshot.
	maxBatchBacklog = 5000
)

// tailState is how one tail is doing: written by the tail, read by everyone.
type tailState struct {
	name   string
	unread errs.Code // says that the tail could not be read
	grace  time.Duration
	now    func() time.Time

	mu      sync.Mutex
	okAt    time.Time // last read to its end
	failing bool
}

func newTailState(name string, unread errs.Code, grace time.Duration, now func() time.Time) *tailState {
	return &tailState{name: name, unread: unread, grace: grace, now: now, okAt: now()}
}

// report takes the outcome of a reading that reached the end (err nil) or failed. It says whether
// the tail has just begun to fail, or has just stopped failing.
func (t *tailState) report(err error) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.okAt = t.now()
	}
	changed = t.failing != (err != nil)
	t.failing = err != nil
	return changed
}

func (t *tailState) age() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(0, t.now().Sub(t.okAt))
}

// health is bad once the last good reading is older than the grace: that also covers a call that
// hangs without failing.
func (t *tailState) health() core.Health {
	age := t.age()
	if age <= t.grace {
		return core.Health{OK: true}
	}
	return core.Unwell("push", age.Round(100*time.Millisecond).Seconds(), t.unread)
}

// listen turns the database's notifications into nudges of the event tail.
func (h *Hub) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := h.parts.Events.EventsNotified(ctx)
		nudge(h.eventNudge)
		if err != nil {
			pause(ctx, h.o.PollEvents)
		}
	}
}

// tailEvents follows the event log: woken by notifications, every PollEvents in any case.
func (h *Hub) tailEvents(ctx context.Context) {
	h.follow(ctx, h.eventTail, h.o.PollEvents, h.eventNudge, h.readEvents)
}

// tailBatches follows the ingest batches.
func (h *Hub) tailBatches(ctx context.Context) {
	h.follow(ctx, h.batchTail, h.o.PollBatches, h.batchNudge, h.readBatches)
}

// follow calls read until ctx ends: again at once while there is more, after a nudge, and every
// poll. Failures are logged when they begin and when they end.
func (h *Hub) follow(ctx context.Context, t *tailState, poll time.Duration, nudged <-chan struct{}, read func(context.Context) (more bool, err error)) {
	timer := time.NewTimer(poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		callCtx, cancel := context.WithTimeout(ctx, h.o.CallTimeout)
		more, err := read(callCtx)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			h.metrics.tailErrors.WithLabelValues(t.name).Inc()
		}
		if err == nil && more {
			continue
		}
		if t.report(err) {
			h.logTail(ctx, t.name, err)
		}
		if err != nil {
			// A nudge must not turn a failing source into a busy loop.
			pause(ctx, poll)
			continue
		}
		timer.Reset(poll)
		select {
		case <-ctx.Done():
		case <-nudged:
		case <-timer.C:
		}
	}
}

func (h *Hub) logTail(ctx context.Context, name string, err error) {
	if err != nil {
		h.log.WarnContext(ctx, "cannot read the "+name, slog.Any("error", err))
		return
	}
	h.log.InfoContext(ctx, "reading the "+name)
}

// readEvents publishes the next page of the log, when it is the log that the clients know: of the same epoch, and with
// the same event at the position up to which they were sent.
func (h *Hub) readEvents(ctx context.Context) (more bool, err error) {
	h.mu.RLock()
	epoch, pos := h.events.epoch, h.events.head
	h.mu.RUnlock()
	if epoch == "" {
		return false, h.begin(ctx)
	}
	page, err := h.parts.Events.EventsAfter(ctx, pos.Seq, eventPage)
	if err != nil {
		return false, fmt.Errorf("read events after %d: %w", pos.Seq, err)
	}
	switch {
	case page.Epoch != epoch:
		h.restart(ctx, resume(causeRestored, "the event log was restored"))
		return true, nil
	case page.Truncated:
		h.restart(ctx, resume(causePruned, "events were pruned before they were read"))
		return true, nil
	case page.Before != pos.ID: // a folder that was put back: the same numbers, another past
		h.restart(ctx, resume(causeRestored, "the event log was restored"))
		return true, nil
	}
	if err := inOrder(pos.Seq, page.Events); err != nil {
		return false, err
	}
	h.publish(ctx, page.Events)
	return len(page.Events) == eventPage, nil
}

// begin reads the newest events of the log into the ring, so that the clients that come back after a
// restart of the server are replayed from memory.
func (h *Hub) begin(ctx context.Context) error {
	epoch, head, err := h.parts.Events.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the log's head: %w", err)
	}
	var held []core.Event
	floor := core.Mark{Seq: max(0, head.Seq-int64(h.o.RingEvents))}
	for pos := floor; ; {
		page, err := h.parts.Events.EventsAfter(ctx, pos.Seq, eventPage)
		if err != nil {
			return fmt.Errorf("read events after %d: %w", pos.Seq, err)
		}
		if err := inOrder(pos.Seq, page.Events); err != nil {
			return err
		}
		switch {
		case page.Epoch != epoch, len(held) > 0 && !page.Truncated && page.Before != pos.ID:
			return errors.New("the log was restored while it was read")
		case page.Truncated: // begin after what was pruned, of which Before is the last
			held, floor = nil, head
			if len(page.Events) > 0 {
				floor = core.Mark{Seq: page.Events[0].Seq - 1, ID: page.Before}
			}
		case len(held) == 0:
			floor.ID = page.Before
		}
		held = append(held, page.Events...)
		if len(page.Events) < eventPage {
			break
		}
		pos = held[len(held)-1].Mark()
	}
	entries := h.entries(ctx, held)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events.reset(epoch, floor)
	for _, e := range entries {
		h.events.push(e)
	}
	h.metrics.head.Set(float64(h.events.head.Seq))
	return nil
}

// inOrder holds the source to its word: strictly ascending, after pos.
func inOrder(pos int64, events []core.Event) error {
	for _, e := range events {
		if e.Seq <= pos {
			return fmt.Errorf("the event log is out of order: %d after %d", e.Seq, pos)
		}
		pos = e.Seq
	}
	return nil
}

// readBatches applies the next page of committed batches to the live state. Where it must begin, or
// is too far behind to read every batch, it starts at the newest one: clients then take a snapshot.
func (h *Hub) readBatches(ctx context.Context) (more bool, err error) {
	pos, begun := h.live.position()
	if !begun || h.batchTail.age() > h.batchTail.grace {
		head, err := h.parts.Batches.HeadBatch(ctx)
		if err != nil {
			return false, fmt.Errorf("read the newest batch: %w", err)
		}
		switch {
		case !begun:
			h.live.begin(head)
			return true, nil
		case head.Seq < pos.Seq || head.Seq-pos.Seq > maxBatchBacklog:
			h.renewLive(head)
			return true, nil
		}
	}
	batches, err := h.parts.Batches.BatchesAfter(ctx, pos, batchPage)
	if errors.Is(err, sensors.ErrOtherLog) {
		head, err := h.parts.Batches.HeadBatch(ctx)
		if err != nil {
			return false, fmt.Errorf("read the newest batch: %w", err)
		}
		h.renewLive(head)
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read batches after %d: %w", pos.Seq, err)
	}
	h.live.apply(pos, batches)
	if n := len(batches); n > 0 {
		h.metrics.batch.Set(float64(batches[n-1].Seq))
	}
	return len(batches) == batchPage, nil
}

// renewLive begins the live state anew after a batch and sends every client away to take a snapshot.
func (h *Hub) renewLive(head core.Mark) {
	h.live.begin(head)
	h.closeWhere(resume(causeRestored, "the live state was started anew"), func(*client) bool { return true })
}

// pause waits d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
