package push

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gorilla/websocket"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/text"
)

// eventsPerTurn is the largest number of events taken at once. A due heartbeat is sent between two turns.
const eventsPerTurn = 32

// write runs the client's writer goroutine. Only this goroutine sends frames to the client; events have priority.
func (c *client) write(ctx context.Context) {
	defer c.hub.handlers.Done()
	err := c.deliver(ctx)
	if why, ok := errors.AsType[*closing](err); ok {
		c.close(why)
	}
	if ctx.Err() == nil {
		c.close(&closing{websocket.CloseNormalClosure, causeGone, ""})
	}
	c.sendClose(reason(ctx))
}

// sendClose sends the close frame, waits at most closeGrace for the reader to end, and closes the connection.
func (c *client) sendClose(why *closing) {
	defer c.cut()
	frame := websocket.FormatCloseMessage(why.code, text.Prefix(why.reason, maxReason))
	if err := c.conn.WriteControl(websocket.CloseMessage, frame, time.Now().Add(closeGrace)); err != nil {
		return
	}
	timer := time.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case <-c.gone:
	case <-timer.C:
	}
}

// deliver sends the welcome and then frames until the connection ends.
func (c *client) deliver(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-c.ready:
	}
	if err := c.send(ctx, c.welcome); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if err := c.beatIfDue(ctx); err != nil {
			return err
		}
		more, err := c.writeNext(ctx)
		if err != nil {
			return err
		}
		if more {
			continue
		}
		timer.Reset(time.Until(c.nextBeat))
		select {
		case <-ctx.Done():
			return nil
		case <-c.wakeup:
		case <-timer.C:
		}
	}
}

// writeNext sends the most urgent frames: events first; if there are none, the clients frame, the viewers frame, the
// changed tiles, or one state frame. more is true if there may be something else to send.
func (c *client) writeNext(ctx context.Context) (more bool, err error) {
	wasReplaying := c.replaying.Load()
	events, err := c.hub.take(c, eventsPerTurn)
	switch {
	case errors.Is(err, errBehind):
		return true, c.replay(ctx)
	case err != nil:
		return false, resume(causeRestored, "the event log was restored")
	case len(events) > 0:
		return true, c.sendEvents(ctx, events, "memory")
	}
	c.advance(c.position.Seq)
	if wasReplaying {
		c.nextBeat = time.Time{} // a heartbeat is due at once: it shows the client that it is up to date
		return true, nil
	}
	if msg := c.hub.roster.news(c); msg != nil {
		return true, c.send(ctx, msg)
	}
	if msg := c.hub.viewers.news(c); msg != nil {
		return true, c.send(ctx, msg)
	}
	var changed *message
	if changed, c.tilesAt = c.hub.tiles.since(c.scope, c.tilesAt); changed != nil {
		return true, c.send(ctx, changed)
	}
	if len(c.states) == 0 {
		c.states, c.statesTo = c.hub.live.since(c.scope, c.stateAt)
	}
	if len(c.states) == 0 {
		c.stateAt = c.statesTo
		return false, nil
	}
	msg := c.states[0]
	if c.states = c.states[1:]; len(c.states) == 0 {
		c.states, c.stateAt = nil, c.statesTo
	}
	return true, c.send(ctx, msg)
}

// sendEvents sends events, which the client may see, in log order.
func (c *client) sendEvents(ctx context.Context, events []*entry, from string) error {
	if c.replaying.Load() {
		c.hub.metrics.replayed.WithLabelValues(from).Add(float64(len(events)))
	}
	for _, e := range events {
		c.advance(e.Seq)
		if err := c.send(ctx, e.msg); err != nil {
			return err
		}
		c.position = e.Mark()
		c.doneCount.Add(1)
		c.doneBytes.Add(int64(e.msg.size))
		if err := c.beatIfDue(ctx); err != nil {
			return err
		}
	}
	return nil
}

// replay sends one page of events that are no longer in memory.
func (c *client) replay(ctx context.Context) error {
	events, upTo, err := c.older(ctx)
	if err != nil {
		return err
	}
	if err := c.sendEvents(ctx, events, "log"); err != nil {
		return err
	}
	c.position = upTo
	return nil
}

// older reads one page after the client's position from the source and returns the visible events and the mark that the
// page reaches. It leaves out events that are in memory, because take returns those.
func (c *client) older(ctx context.Context) (visible []*entry, upTo core.Mark, err error) {
	if err := c.awaitSlot(ctx); err != nil {
		return nil, core.Mark{}, err
	}
	defer func() { <-c.hub.replays }()
	epoch, floor, ok := c.hub.replayable(c)
	if !ok {
		return nil, core.Mark{}, resume(causeRestored, "the event log was restored")
	}
	callCtx, cancel := context.WithTimeout(ctx, c.hub.o.CallTimeout)
	defer cancel()
	page, err := c.hub.parts.Events.EventsAfter(callCtx, c.position.Seq, eventPage)
	if err == nil {
		err = eventlog.CheckOrder(c.position.Seq, page.Events)
	}
	if err != nil {
		return nil, core.Mark{}, resume(causeReplay, "the replay could not be read: reconnect to go on with it")
	}
	switch {
	case page.Epoch != epoch:
		return nil, core.Mark{}, resume(causeRestored, "the event log was restored")
	case page.Truncated:
		return nil, core.Mark{}, resume(causePruned, "events were pruned before they were sent")
	case page.Before != c.position.ID:
		return nil, core.Mark{}, resume(causeRestored, "the event log was restored")
	}
	// The page ends at the floor of the ring, or earlier if a full page does not reach it.
	upTo = floor
	if n := len(page.Events); n == eventPage && page.Events[n-1].Seq < floor.Seq {
		upTo = page.Events[n-1].Mark()
	}
	return c.hub.entries(ctx, visibleUpTo(page.Events, upTo.Seq, c.scope)), upTo, nil
}

// awaitSlot waits for a free replay slot and sends heartbeats while it waits.
func (c *client) awaitSlot(ctx context.Context) error {
	for {
		timer := time.NewTimer(time.Until(c.nextBeat))
		select {
		case c.hub.replays <- struct{}{}:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return reason(ctx)
		case <-timer.C:
		}
		if err := c.beatIfDue(ctx); err != nil {
			return err
		}
	}
}

// replayable returns the epoch and the floor of the ring; ok is false if the client's position belongs to another log.
func (h *Hub) replayable(c *client) (epoch string, floor core.Mark, ok bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.events.epoch, h.events.floor, c.gen == h.events.gen
}

// visibleUpTo returns the events of a page up to a seq that the scope may see.
func visibleUpTo(page []core.Event, upTo int64, s core.Scope) []core.Event {
	var visible []core.Event
	for _, e := range page {
		if e.Seq <= upTo && e.VisibleTo(s) {
			visible = append(visible, e)
		}
	}
	return visible
}

// beatIfDue sends a heartbeat and a ping if one is due or the health has changed. The head in the heartbeat is the
// client's own position: everything visible up to it has already been written.
func (c *client) beatIfDue(ctx context.Context) error {
	pulse := c.hub.pulse.read()
	now := time.Now()
	if now.Before(c.nextBeat) && pulse.version == c.pulseSeen {
		return nil
	}
	c.pulseSeen, c.nextBeat = pulse.version, now.Add(c.hub.o.Heartbeat)
	c.advance(c.position.Seq)
	payload := beatFrame(c.position, c.hub.now(), pulse.report)
	err := c.put(ctx, typeBeat, len(payload), func() error { return c.conn.WriteMessage(websocket.TextMessage, payload) })
	if err != nil {
		return err
	}
	return c.put(ctx, "", 0, func() error {
		return c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.hub.o.QueueLag))
	})
}

// send writes a prepared frame.
func (c *client) send(ctx context.Context, m *message) error {
	return c.put(ctx, m.kind, m.size, func() error { return c.conn.WritePreparedMessage(m.wire) })
}

// put writes one frame within QueueLag and adds the write time to waited. If the write times out, the client is too
// slow. A successful write only means that the kernel has accepted the frame.
func (c *client) put(ctx context.Context, kind string, size int, write func() error) error {
	if ctx.Err() != nil {
		return reason(ctx)
	}
	start := time.Now()
	c.writing.Store(max(1, int64(start.Sub(c.hub.born))))
	_ = c.conn.SetWriteDeadline(start.Add(c.hub.o.QueueLag)) // gorilla stores it for the next write and returns nil
	err := write()
	c.writing.Store(0)
	c.waited.Add(int64(time.Since(start)))
	if isTimeout(err) {
		return resume(causeSlow, "too slow: a frame was not taken within %v", c.hub.o.QueueLag)
	}
	if err != nil {
		return fmt.Errorf("write to the client: %w", err)
	}
	if counter, ok := c.hub.metrics.frames[kind]; ok {
		counter.Inc()
		c.hub.metrics.bytes.Add(float64(size))
	}
	return nil
}
