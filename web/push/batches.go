package push

import (
	"context"
	"errors"
	"fmt"
	"time"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/sensors"
)

const (
	eventPage = 500 // events per read
	batchPage = 200 // batches per read
	// maxBatchBacklog is the largest number of batches that are read one by one after an outage. Above it, clients take
	// a new snapshot.
	maxBatchBacklog = 5000
)

// newBatchTail returns the poller that follows the ingest batches.
func (h *Hub) newBatchTail() *eventlog.Poller {
	return eventlog.NewPoller(eventlog.PollerOptions{
		Name: "ingest batches", Poll: h.o.PollBatches, Grace: max(3*h.o.PollBatches, 3*time.Second), Logger: h.log, Clock: h.now,
		Errors: h.metrics.batchErrors,
		Read: func(ctx context.Context) (more bool, err error) {
			ctx, cancel := context.WithTimeout(ctx, h.o.CallTimeout)
			defer cancel()
			return h.readBatches(ctx)
		},
	})
}

// readBatches applies the next page of committed batches to the live state. At the first call, or if it is too far
// behind to read every batch, it starts at the newest batch; clients then take a snapshot. more is true if there may be
// another page.
func (h *Hub) readBatches(ctx context.Context) (more bool, err error) {
	// The live state is built only from committed batches, so it never shows a reading that could be lost. Each node
	// reads all batches, also those of other nodes.
	pos, begun := h.live.position()
	if _, late := h.batchTail.Late(); !begun || late {
		head, err := h.parts.Batches.HeadBatch(ctx)
		if err != nil {
			return false, fmt.Errorf("read the newest batch: %w", err)
		}
		switch {
		case !begun:
			h.live.begin(head)
			return true, nil
		// A head behind the position means that the database is an older copy.
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
	// apply does nothing if restart has reset the state since pos was read.
	h.live.apply(pos, batches)
	if n := len(batches); n > 0 {
		h.metrics.batch.Set(float64(batches[n-1].Seq))
	}
	return len(batches) == batchPage, nil
}

// renewLive resets the live state to start after a batch and closes every connection, so that the clients take a
// snapshot.
func (h *Hub) renewLive(head core.Mark) {
	h.live.begin(head)
	h.closeWhere(resume(causeRestored, "the live state was started anew"), func(*client) bool { return true })
}
