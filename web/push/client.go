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

// closeGrace is how long a closed connection has for the close frame to go out and to be answered.
const closeGrace = time.Second

// client is one connection: a reader (run) and a writer (write), and a position in the log.
type client struct {
	hub    *Hub
	conn   *websocket.Conn // set by begin
	who    core.Principal
	scope  core.Scope
	cancel context.CancelCauseFunc // with the *closing
	begun  atomic.Bool             // the handshake has been answered
	closed atomic.Bool

	wakeup chan struct{}
	ready  chan struct{} // closed when the hello has been answered: what is below is set
	gone   chan struct{} // closed when the reader has ended

	statusFrom time.Time // of the span in which statuses are counted; the reader's alone
	statuses   int       // so are these

	id      string
	since   time.Time
	class   *class // nil until welcomed; its fields are under the hub's lock
	welcome *message
	gen     uint64 // of the ring that the position belongs to

	// The writer's alone, once ready.
	position   core.Mark // all visible events up to it have been written
	stateAt    core.Mark // so have all visible readings up to this batch
	tilesAt    uint64    // so have all visible changes of tiles up to this flush
	states     []*message
	statesTo   core.Mark
	nextBeat   time.Time
	pulseSeen  uint64
	rosterSeen uint64
	viewers    *message // the last that was sent

	sent      atomic.Int64 // everything visible up to it has been sent
	claimed   atomic.Int64 // what the client says that it has
	acked     atomic.Int64 // what it has a receipt for: the smaller of the two
	replaying atomic.Bool
	doneCount atomic.Int64 // of class.count
	doneBytes atomic.Int64
	waited    atomic.Int64 // for writes since it was last up to date, ns
	writing   atomic.Int64 // since when a write has been going on, ns after hub.born; 0: none
	expires   atomic.Int64 // of the session, Unix ns; 0: never
	using     atomic.Bool  // the page is looked at, or armed to sound
	checkAt   atomic.Int64 // when to check the session again, Unix ns
}

func newClient(h *Hub, p core.Principal) *client {
	c := &client{
		hub: h, who: p, scope: p.Scope(),
		wakeup: make(chan struct{}, 1), ready: make(chan struct{}), gone: make(chan struct{}),
	}
	c.setExpiry(p.Expires)
	c.checkAt.Store(h.sessions.next(p))
	return c
}

// begin starts the connection's two goroutines. One that was closed during its handshake ends with its close frame.
func (c *client) begin(ctx context.Context, conn *websocket.Conn) {
	c.conn = conn
	c.begun.Store(true)
	c.hub.handlers.Add(1) // with the one of the handshake: two
	go c.run(ctx)
	go c.write(ctx)
}

func (c *client) setExpiry(t time.Time) {
	if t.IsZero() {
		c.expires.Store(0)
		return
	}
	c.expires.Store(t.UnixNano())
}

// inUse reports whether somebody uses the page: it is looked at, or armed to sound.
func (c *client) inUse() bool { return c.using.Load() }

// wake tells the writer to look again.
func (c *client) wake() { wait.Wake(c.wakeup) }

// close ends the connection with a close frame. The first reason counts. It never blocks and takes
// no lock of the hub.
func (c *client) close(why *closing) {
	if c.closed.Swap(true) {
		return
	}
	if c.begun.Load() { // a writer that is stuck in a write must come out of it to say why
		_ = c.conn.NetConn().SetWriteDeadline(time.Now().Add(closeGrace))
	}
	c.cancel(why)
}

// cut ends the connection without a word. One in its handshake is bounded by the handshake's own patience.
func (c *client) cut() {
	if c.begun.Load() {
		_ = c.conn.Close()
	}
}

// reason is why the connection was closed.
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
	why, ours := errors.AsType[*closing](err)
	if !ours {
		why = &closing{websocket.CloseNormalClosure, causeGone, ""}
	}
	c.close(why)
	c.hub.leave(c, reason(ctx).cause)
	if ours {
		c.drain()
	}
	close(c.gone)
}

// readLoop handles the client's frames. It returns a *closing when the hub ends the connection, the
// read's error when the client did.
func (c *client) readLoop(ctx context.Context) error {
	h, err := c.readHello()
	if err != nil {
		return err
	}
	if err := c.hub.admit(ctx, c, h); err != nil {
		return err
	}
	close(c.ready)

	// The writer pings with each heartbeat: three without an answer, and nobody is there.
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

func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout()
}

// acknowledge takes a receipt. It may run ahead of what was sent here: a snapshot brought the client
// further than its stream has come. Then it counts as far as the stream is, and on with it. What the
// log does not have nobody can have received.
func (c *client) acknowledge(ctx context.Context, seq int64) error {
	if seq > c.sent.Load() && !c.hub.exists(ctx, seq) {
		return badFrame("seq: %d is beyond the head of the event log", seq)
	}
	if seq > c.claimed.Load() {
		c.claimed.Store(seq)
		c.settle()
	}
	return nil
}

// advance notes that everything visible up to seq has been sent. The writer alone calls it, before
// the write: the receipt may be faster than the line after it.
func (c *client) advance(seq int64) {
	if seq <= c.sent.Load() {
		return
	}
	c.sent.Store(seq)
	if c.claimed.Load() > c.acked.Load() {
		c.settle()
	}
}

// settle saves the receipt of what the client claims and was sent.
func (c *client) settle() {
	n := min(c.claimed.Load(), c.sent.Load())
	for old := c.acked.Load(); n > old; old = c.acked.Load() {
		if c.acked.CompareAndSwap(old, n) {
			c.hub.receipts.put(c, n)
			return
		}
	}
}

// drain reads on, so that the close frame is not lost to a reset; the writer ends it.
func (c *client) drain() {
	for {
		if _, _, err := c.conn.NextReader(); err != nil {
			return
		}
	}
}

// caughtUp notes that the client is up to date. The hub's lock is held for reading.
func (c *client) caughtUp() {
	c.replaying.Store(false)
	c.doneCount.Store(c.class.count)
	c.doneBytes.Store(c.class.bytes)
	c.waited.Store(0)
}

// pace is why the client is too slow to be kept, nil when it is not. The hub's lock is held. What
// counts is how long the client has kept the hub waiting since it was last up to date: a burst of
// events, or a busy server, is not its fault.
func (c *client) pace() *closing {
	o := &c.hub.o
	waited := time.Duration(c.waited.Load())
	if since := c.writing.Load(); since != 0 {
		waited += time.Since(c.hub.born) - time.Duration(since)
	}
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
