package push

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
)

// Hub pushes the event log and the live state to the clients of this node. Create it with New, subscribe it to the
// follower of the log, run it with Run, and pass connections to Serve.
//
// Events are not queued per client. The hub keeps each client's position in the log. The client's writer reads the
// events after this position, from the ring in memory or, if they are older, from the source. So a replay continues
// into live events without a hand-over that could lose or duplicate an event.
type Hub struct {
	o        Options
	parts    Parts
	log      *slog.Logger
	now      func() time.Time
	born     time.Time // zero of the writers' monotonic time
	metrics  *metrics
	upgrader websocket.Upgrader

	mu       sync.RWMutex
	events   ring
	classes  map[core.Scope]*class
	conns    map[*client]struct{} // every connection, from before its handshake is answered
	accounts map[int64]int        // connections by account
	stage    stage
	handlers sync.WaitGroup // counts one per handshake and two goroutines per connection

	live     *live
	tiles    *tileFeed
	roster   *roster
	viewers  *viewers
	receipts *receipts
	sessions *sessions
	pulse    *healthReporter
	replays  chan struct{} // semaphore: limits the replays that read the source at the same time

	batchTail *eventlog.Poller
}

// stage is the lifecycle state of the hub.
type stage uint8

const (
	stageNew stage = iota
	stageRunning
	stageStopped
)

// class is the set of welcomed clients of one scope. All of them may see the same events.
type class struct {
	members map[*client]struct{}
	count   int64 // visible events published since the class began
	bytes   int64
}

// New returns a hub; it returns an error if a required part is missing. The logger may be nil (no log), the registerer
// may be nil (no metrics), and the clock may be nil (time.Now).
func New(parts Parts, o Options, log *slog.Logger, reg prometheus.Registerer, now func() time.Time) (*Hub, error) {
	if parts.Events == nil || parts.Follower == nil || parts.Batches == nil {
		return nil, errors.New("push: an event source, its follower and a batch source are needed")
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	o = o.withDefaults()
	h := &Hub{
		o: o, parts: parts, log: log, now: now, born: time.Now(),
		classes:  make(map[core.Scope]*class),
		conns:    make(map[*client]struct{}),
		accounts: make(map[int64]int),
		// At most eight replays read the log at the same time, so that clients that reconnect together leave database
		// connections to other requests.
		replays: make(chan struct{}, 8),
	}
	h.events.maxEvents, h.events.maxBytes = o.RingEvents, o.RingBytes
	h.metrics = newMetrics(reg)
	h.upgrader = websocket.Upgrader{
		Subprotocols: []string{Protocol}, HandshakeTimeout: 5 * time.Second, CheckOrigin: func(*http.Request) bool { return true }, // mayUpgrade has checked it

		ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10, WriteBufferPool: &sync.Pool{},
	}
	h.live = newLive(parts.Directory)
	h.tiles = newTileFeed(h.metrics)
	h.roster = newRoster()
	h.viewers = newViewers()
	h.receipts = newReceipts(h)
	h.sessions = newSessions(h)
	h.batchTail = h.newBatchTail()
	h.pulse = newHealthReporter(h)
	return h, nil
}

// Wake notifies the hub that an ingest batch was committed on this node. It never blocks.
func (h *Hub) Wake() { h.batchTail.Wake() }

// Run reads the batches and serves the connections until ctx ends. Then it closes the connections with code 4101,
// saves their receipts and returns nil. Run may be called once; a second call returns an error.
func (h *Hub) Run(ctx context.Context) error {
	h.mu.Lock()
	if h.stage != stageNew {
		h.mu.Unlock()
		return errors.New("push: the hub has run already")
	}
	h.stage = stageRunning
	h.mu.Unlock()

	var loops sync.WaitGroup
	for _, loop := range []func(context.Context){
		h.batchTail.Run, h.flushState, h.flushTiles, h.pulse.run, h.keepRoster, h.receipts.run, h.sessions.run,
	} {
		loops.Go(func() { loop(ctx) })
	}
	<-ctx.Done()
	h.dismiss()
	// The loops end before settle, so that no loop saves a receipt or presence after it.
	loops.Wait()
	h.settle(context.WithoutCancel(ctx))
	return nil
}

// dismiss closes every connection and waits for them. After StopTimeout it cuts the remaining ones without a close
// handshake.
func (h *Hub) dismiss() {
	h.mu.Lock()
	h.stage = stageStopped
	h.mu.Unlock()
	h.closeWhere(goingAway(causeStopping, "the server is stopping"), func(*client) bool { return true })
	// Wait has no timeout, so a goroutine reports its end on a channel.
	left := make(chan struct{})
	go func() { h.handlers.Wait(); close(left) }()
	timeout := time.NewTimer(h.o.StopTimeout)
	defer timeout.Stop()
	select {
	case <-left:
		return
	case <-timeout.C:
	}
	h.mu.RLock()
	for c := range h.conns {
		c.cut()
	}
	h.mu.RUnlock()
	<-left
}

// settle saves the remaining receipts and records that this node has no connected clients.
func (h *Hub) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, h.o.CallTimeout)
	defer cancel()
	h.receipts.save(ctx)
	if h.parts.Clients == nil {
		return
	}
	if err := h.parts.Clients.ClientsSeen(ctx, h.o.Node, nil, h.now()); err != nil {
		h.log.WarnContext(ctx, "could not record that the clients are gone", slog.Any("error", err))
	}
}

// publish appends events to the ring and wakes the clients that may see them. If an event ends a session, its
// connections are closed first, so that they receive nothing after that event.
func (h *Hub) publish(ctx context.Context, events []core.Event) {
	entries := h.entries(ctx, events)
	for _, e := range entries {
		h.metrics.eventDelay.Observe(max(0, e.got.Sub(e.At).Seconds()))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	woken := make(map[*class]bool)
	for _, e := range entries {
		h.sessions.handleRevocation(ctx, e.Event)
		h.events.push(e)
		for scope, cl := range h.classes {
			if e.VisibleTo(scope) {
				cl.count++
				cl.bytes += int64(e.msg.size)
				woken[cl] = true
			}
		}
	}
	for cl := range woken {
		for c := range cl.members {
			if why := c.pace(); why != nil {
				c.close(why)
			}
			c.wake()
		}
	}
	h.metrics.head.Set(float64(h.events.head.Seq))
}

// entries encodes events as frames. The log holds JSON only, so a payload that is not JSON is a defect. Such an event
// is sent without its payload, because the event itself must not be lost.
func (h *Hub) entries(ctx context.Context, events []core.Event) []*entry {
	entries := make([]*entry, len(events))
	now := h.now()
	for i, e := range events {
		msg, err := marshalMessage(typeEvent, eventOf(e))
		if err != nil {
			h.log.ErrorContext(ctx, "an event's payload is not JSON; sent without it", slog.Int64("seq", e.Seq), slog.Any("error", err))
			e.Payload = nil
			if !encodable(e.At) {
				e.At = now
			}
			msg = must(marshalMessage(typeEvent, eventOf(e)))
		}
		entries[i] = &entry{Event: e, msg: msg, got: now}
	}
	return entries
}

// take returns at most limit events after the client's position that the client may see. If there are none, the client
// is up to date and take moves its position to the head. It returns errBehind if the next event is no longer in
// memory, and errOtherEpoch if the log was reset.
func (h *Hub) take(c *client, limit int) ([]*entry, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if c.gen != h.events.gen {
		return nil, errOtherEpoch
	}
	if c.position.Seq < h.events.floor.Seq {
		return nil, errBehind
	}
	var batch []*entry
	for _, e := range h.events.entries[h.events.after(c.position.Seq):] {
		if e.VisibleTo(c.scope) {
			if batch = append(batch, e); len(batch) == limit {
				break
			}
		}
	}
	if len(batch) == 0 {
		c.position = furthest(c.position, h.events.head)
		c.caughtUp()
	}
	return batch, nil
}

// The errors of take. writeNext handles both: it reads older events from the log, or closes the connection.
var (
	errBehind     = errors.New("behind what is in memory")
	errOtherEpoch = errors.New("the log was reset")
)

// closeWhere closes the connections for which match returns true.
func (h *Hub) closeWhere(why *closing, match func(*client) bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for c := range h.conns {
		if match(c) {
			c.close(why)
		}
	}
}

// restart drops the log in memory and closes every connection, so that the clients reconnect to the new log. The tile
// feed is not reset, because it does not depend on the log: a client that reconnects checks all of its tiles again.
func (h *Hub) restart(ctx context.Context, why *closing) {
	h.log.WarnContext(ctx, "starting over with the event log", slog.String("reason", why.reason))
	h.mu.Lock()
	h.events.reset("", core.Mark{})
	h.mu.Unlock()
	h.receipts.forget()
	h.live.reset()
	h.batchTail.Wake()
	h.closeWhere(why, func(*client) bool { return true })
}

// Health returns the health of the hub. It is not OK when the event log or the batches could not be read for too long.
// It never blocks.
func (h *Hub) Health() core.Health {
	events, unread := h.parts.Follower.Late()
	batches, late := h.batchTail.Late()
	switch {
	case unread && (!late || events >= batches):
		return unwell(events, CodeEventsUnread)
	case late:
		return unwell(batches, CodeBatchesUnread)
	}
	return core.Health{Part: "push", OK: true}
}

// unwell returns the hub's health when a source could not be read; age is the time since the last complete read.
func unwell(age time.Duration, code fault.Code) core.Health {
	return core.Unwell("push", age.Round(100*time.Millisecond).Seconds(), code)
}

// must panics on err. Use it only for encodings that cannot fail: our own structs without external input.
func must[T any](v T, err error) T {
	if err != nil {
		panic("push: " + err.Error())
	}
	return v
}
