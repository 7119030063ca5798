package push

import (
	"context"
	"errors"
	"fmt"

	"onemap/internal/core"
	"onemap/internal/eventlog"
)

// Subscriber returns the hub as a subscriber of the event log.
func (h *Hub) Subscriber() eventlog.Subscriber { return subscriber{h} }

// subscriber implements eventlog.Subscriber.
type subscriber struct{ hub *Hub }

// Begin reads the newest events up to the position into the ring, so that clients that reconnect after a restart of the
// server are replayed from memory. If the log does not continue, it closes every connection, so that the clients
// reconnect to the new log.
func (s subscriber) Begin(ctx context.Context, at eventlog.Position, why eventlog.Cause) error {
	switch why {
	// The ring is empty, and no client is connected to an older log.
	case eventlog.Started:
	case eventlog.Restored:
		s.hub.restart(ctx, resume(causeRestored, "the event log was restored"))
	case eventlog.Pruned:
		s.hub.restart(ctx, resume(causePruned, "events were pruned before they were read"))
	}
	return s.hub.begin(ctx, at)
}

// Receive publishes the events.
func (s subscriber) Receive(ctx context.Context, events []core.Event) { s.hub.publish(ctx, events) }

// begin fills the ring with the events before a position.
func (h *Hub) begin(ctx context.Context, at eventlog.Position) error {
	var held []core.Event
	// RingEvents seqs before the position are the most that the ring can hold.
	floor := core.Mark{Seq: max(0, at.Mark.Seq-int64(h.o.RingEvents))}
	for pos := floor.Seq; pos < at.Mark.Seq; {
		page, err := h.parts.Events.EventsAfter(ctx, pos, eventPage)
		if err != nil {
			return fmt.Errorf("read events after %d: %w", pos, err)
		}
		if err := eventlog.CheckOrder(pos, page.Events); err != nil {
			return err
		}
		switch {
		// Two pages belong together only if the second one begins after the last event of the first one.
		case page.Epoch != at.Epoch, len(held) > 0 && !page.Truncated && page.Before != held[len(held)-1].ID:
			return errors.New("the log was restored while it was read")
		case page.Truncated: // begin after the pruned events; Before is the id of the last pruned one
			held, floor = nil, at.Mark
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
		pos = held[len(held)-1].Seq
	}
	for len(held) > 0 && held[len(held)-1].Seq > at.Mark.Seq { // drop newer events: Receive delivers them later
		held = held[:len(held)-1]
	}
	if len(held) > 0 && held[len(held)-1].ID != at.Mark.ID {
		return errors.New("the log was restored while it was read")
	}
	// The frames are encoded before the lock is taken, because encoding thousands of events takes time.
	entries := h.entries(ctx, held)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events.reset(at.Epoch, floor)
	for _, e := range entries {
		h.events.push(e)
	}
	h.metrics.head.Set(float64(h.events.head.Seq))
	return nil
}
