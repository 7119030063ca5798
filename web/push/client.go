package push

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"onemap/internal/core"
	"onemap/internal/wait"
)

// closeGrace is the time limit for sending the close frame, and again for the client's answer.
const closeGrace = time.Second

// client is one connection: a reader goroutine (run), a writer goroutine (write) and a position in the log.
type client struct {
	hub    *Hub
	conn   *websocket.Conn // set by begin
	who    core.Principal
	scope  core.Scope
	cancel context.CancelCauseFunc // the cause is a *closing
	begun  atomic.Bool             // the handshake has been answered
	closed atomic.Bool

	wakeup chan struct{}
	ready  chan struct{} // closed when the hello has been accepted: the fields from id on are set
	gone   chan struct{} // closed when the reader has ended

	statusFrom time.Time // start of the period in which status frames are counted; used only by the reader
	statuses   int       // status frames in that period; used only by the reader

	id      string
	since   time.Time
	class   *class // nil until welcomed; the hub's lock guards its fields
	welcome *message
	gen     uint64 // generation of the ring that the position belongs to

	// Only the writer uses these fields after ready is closed.
	position   core.Mark // all visible events up to it have been written
	stateAt    core.Mark // all visible readings up to this batch have been written
	tilesAt    uint64    // all visible tile changes up to this flush have been written
	states     []*message
	statesTo   core.Mark
	nextBeat   time.Time
	pulseSeen  uint64
	rosterSeen uint64
	viewers    *message // the last viewers frame that was sent

	sent      atomic.Int64 // seq: everything visible up to it has been sent
	claimed   atomic.Int64 // seq that the client has acknowledged
	acked     atomic.Int64 // seq of the receipt: the smaller of sent and claimed
	replaying atomic.Bool
	doneCount atomic.Int64 // the part of class.count that this client has received
	doneBytes atomic.Int64 // the part of class.bytes that this client has received
	waited    atomic.Int64 // time spent in writes since the client was last up to date, ns
	writing   atomic.Int64 // start of the current write, ns after hub.born; 0: no write
	expires   atomic.Int64 // expiry of the session, Unix ns; 0: never
	using     atomic.Bool  // the page is visible, or its alarm sound is armed
	checkAt   atomic.Int64 // time of the next session check, Unix ns; negative: flagged for a check now
}

// newClient returns the client of a connection whose handshake is not answered yet.
func newClient(h *Hub, p core.Principal) *client {
	c := &client{
		hub: h, who: p, scope: p.Scope(),
		wakeup: make(chan struct{}, 1), ready: make(chan struct{}), gone: make(chan struct{}),
	}
	c.setExpiry(p.Expires)
	c.checkAt.Store(h.sessions.next(p))
	return c
}

// begin starts the connection's two goroutines. A connection that was closed during its handshake then sends its close
// frame and ends.
func (c *client) begin(ctx context.Context, conn *websocket.Conn) {
	c.conn = conn
	c.begun.Store(true)
	c.hub.handlers.Add(1) // enter has added one already: two goroutines
	go c.run(ctx)
	go c.write(ctx)
}

// setExpiry stores the expiry of the session; the zero time means that it never expires.
func (c *client) setExpiry(t time.Time) {
	if t.IsZero() {
		c.expires.Store(0)
		return
	}
	c.expires.Store(t.UnixNano())
}

// inUse reports whether the page is in use: it is visible, or its alarm sound is armed.
func (c *client) inUse() bool { return c.using.Load() }

// wake makes the writer check again for something to send. It never blocks.
func (c *client) wake() { wait.Wake(c.wakeup) }

// close ends the connection with a close frame. Only the first call has an effect. It never blocks and takes no lock of
// the hub.
func (c *client) close(why *closing) {
	if c.closed.Swap(true) {
		return
	}
	if c.begun.Load() { // the deadline ends a blocked write, so that the writer can send the close frame
		_ = c.conn.NetConn().SetWriteDeadline(time.Now().Add(closeGrace))
	}
	c.cancel(why)
}

// cut closes the connection without a close frame. It does nothing during the handshake, which has its own timeout.
func (c *client) cut() {
	if c.begun.Load() {
		_ = c.conn.Close()
	}
}

// reason returns why the connection was closed.
func reason(ctx context.Context) *closing {
	if why, ok := errors.AsType[*closing](context.Cause(ctx)); ok {
		return why
	}
	return &closing{websocket.CloseNormalClosure, causeGone, ""}
}

// run reads from the client until the connection ends.
func (c *client) run(ctx context.Context) {
	defer c.hub.handlers.Done()
	err := c.readLoop(ctx)
	// ours is true if the hub ends the connection, and false if the client or the network has ended it.
	why, ours := errors.AsType[*closing](err)
	if !ours {
		why = &closing{websocket.CloseNormalClosure, causeGone, ""}
	}
	c.close(why)
	// The client leaves before the drain, so that it counts no longer as connected.
	c.hub.leave(c, reason(ctx).cause)
	if ours {
		c.drain()
	}
	close(c.gone)
}

// readLoop handles the client's frames. It returns a *closing if the hub ends the connection, and the read error if the
// client ended it.
func (c *client) readLoop(ctx context.Context) error {
	h, err := c.readHello()
	if err != nil {
		return err
	}
	if err := c.hub.admit(ctx, c, h); err != nil {
		return err
	}
	// The writer waits for ready, so it sends no data before the welcome and reads fields that are set.
	close(c.ready)

	// The writer pings with each heartbeat. After three pings without a pong the connection counts as dead.
	idle := 3*c.hub.o.Heartbeat + c.hub.o.Heartbeat/2
	alive := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(idle)) }
	c.conn.SetPongHandler(alive)
	for {
		if err := alive(""); err != nil {
			return err
		}
		frame, err := c.readFrame()
		if isTimeout(err) {
			return resume(causeGone, "no answer to the pings of %v", idle)
		}
		if err != nil {
			return err
		}
		switch f := frame.(type) {
		case ack:
			err = c.acknowledge(ctx, f.Seq)
		case ClientStatus:
			err = c.receiveStatus(ctx, f)
		default:
			err = badFrame("type: hello was said already")
		}
		if err != nil {
			return err
		}
	}
}

// readHello reads the first frame, which must be a hello, within HelloTimeout.
func (c *client) readHello() (hello, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(c.hub.o.HelloTimeout)); err != nil {
		return hello{}, err
	}
	frame, err := c.readFrame()
	if isTimeout(err) {
		return hello{}, noHello("no hello within %v", c.hub.o.HelloTimeout)
	}
	if err != nil {
		return hello{}, err
	}
	h, ok := frame.(hello)
	if !ok {
		return hello{}, &closing{CloseNoHello, causeNoHello, "the first frame must be hello"}
	}
	return h, nil
}

// readFrame reads and decodes one text frame. The limit of one byte more than the largest frame lets decodeFrame refuse
// a longer one.
func (c *client) readFrame() (any, error) {
	kind, r, err := c.conn.NextReader()
	if err != nil {
		return nil, err
	}
	if kind != websocket.TextMessage {
		return nil, badFrame("the frame is binary; only text is spoken here")
	}
	data, err := io.ReadAll(io.LimitReader(r, maxClientFrame+1))
	if err != nil {
		return nil, err
	}
	return decodeFrame(data)
}

// isTimeout reports whether err is an expired deadline of the connection.
func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout()
}

// acknowledge handles an ack. The ack may be ahead of what this connection has sent, because a snapshot can bring the
// client further than its stream. The receipt then follows the stream up to the acknowledged seq. An ack beyond the
// head of the log is an error, because no client can have received such an event.
func (c *client) acknowledge(ctx context.Context, seq int64) error {
	if seq > c.sent.Load() && !c.hub.exists(ctx, seq) {
		return badFrame("seq: %d is beyond the head of the event log", seq)
	}
	// The receipt is cumulative, so an older ack changes nothing.
	if seq > c.claimed.Load() {
		c.claimed.Store(seq)
		c.settle()
	}
	return nil
}

// advance records that everything visible up to seq has been sent. Only the writer calls it, and before the write:
// the client's ack may arrive before the write call returns.
func (c *client) advance(seq int64) {
	if seq <= c.sent.Load() {
		return
	}
	c.sent.Store(seq)
	// The client has acknowledged more than was sent, and the stream now reaches a part of it.
	if c.claimed.Load() > c.acked.Load() {
		c.settle()
	}
}

// settle queues the receipt for the smaller of claimed and sent. The reader and the writer both call it, so it moves
// acked with compare-and-swap and never backwards.
func (c *client) settle() {
	n := min(c.claimed.Load(), c.sent.Load())
	for old := c.acked.Load(); n > old; old = c.acked.Load() {
		if c.acked.CompareAndSwap(old, n) {
			c.hub.receipts.put(c, n)
			return
		}
	}
}

// drain reads and drops the client's frames until the writer closes the connection. Without it, unread input would
// cause a TCP reset, and the close frame could be lost.
func (c *client) drain() {
	for {
		if _, _, err := c.conn.NextReader(); err != nil {
			return
		}
	}
}

// caughtUp records that the client is up to date. The caller holds the hub's read lock.
func (c *client) caughtUp() {
	c.replaying.Store(false)
	c.doneCount.Store(c.class.count)
	c.doneBytes.Store(c.class.bytes)
	c.waited.Store(0)
}

// pace returns the reason to close a client that is too slow, nil if it is fast enough. The caller holds the hub's
// lock. The measure is the time spent in writes to the client since it was last up to date, so a burst of events or a
// busy server does not count against the client.
func (c *client) pace() *closing {
	o := &c.hub.o
	waited := time.Duration(c.waited.Load())
	if since := c.writing.Load(); since != 0 {
		waited += time.Since(c.hub.born) - time.Duration(since)
	}
	// A replay can contain thousands of events, so it has a longer limit and no limit on the waiting events.
	if c.replaying.Load() {
		if waited > o.ReplayLag {
			return resume(causeSlow, "the replay took too long: reconnect to go on with it")
		}
		return nil
	}
	count, size := c.class.count-c.doneCount.Load(), c.class.bytes-c.doneBytes.Load()
	if waited > o.QueueLag && count > 0 {
		return resume(causeSlow, "too slow: events waited for %v", waited.Round(100*time.Millisecond))
	}
	if waited > o.QueueStall && (count > int64(o.QueueMessages) || size > int64(o.QueueBytes)) {
		return resume(causeSlow, "too slow: %d events are waiting", count)
	}
	return nil
}
