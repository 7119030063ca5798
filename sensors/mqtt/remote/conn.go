package remote

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a network connection that is read in large pieces, that gives up on a write which does not
// end, and that knows when the broker was last heard of.
type conn struct {
	net.Conn
	in    *bufio.Reader
	limit time.Duration // of a write
	heard atomic.Int64  // Unix nanoseconds

	mu     sync.Mutex
	out    []byte // acknowledgements that gather while others are written
	busy   bool   // a flush runs
	failed error
	flush  sync.Cond
}

// gatherMost is how many bytes may wait to be written, about 16,000 acknowledgements.
const gatherMost = 64 << 10

func newConn(c net.Conn, limit time.Duration) *conn {
	w := &conn{Conn: c, limit: limit}
	w.in = bufio.NewReaderSize(network{w}, 64<<10)
	w.flush.L = &w.mu
	w.heard.Store(time.Now().UnixNano())
	return w
}

// Read implements net.Conn. One read of the network serves many packets: paho asks for a byte at a time.
func (c *conn) Read(p []byte) (int, error) { return c.in.Read(p) }

// network is the connection itself, which is heard when it is read.
type network struct{ *conn }

func (n network) Read(p []byte) (int, error) {
	got, err := n.Conn.Read(p)
	if got > 0 {
		n.heard.Store(time.Now().UnixNano())
	}
	if errors.Is(err, net.ErrClosed) {
		// paho takes a closed connection for one that it closed itself, and would wait: it has to see why.
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.failed != nil {
			err = n.failed
		}
	}
	return got, err
}

// silent is how long nothing came.
func (c *conn) silent() time.Duration { return time.Since(time.Unix(0, c.heard.Load())) }

// Write implements net.Conn. It returns before the bytes are on their way; an error is told to a later call.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.failed == nil && len(c.out) > gatherMost {
		c.flush.Wait()
	}
	if c.failed != nil {
		return 0, c.failed
	}
	c.out = append(c.out, p...)
	if !c.busy {
		c.busy = true
		go c.write()
	}
	return len(p), nil
}

// write writes what has gathered until nothing is left.
func (c *conn) write() {
	var spare []byte
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) > 0 && c.failed == nil {
		out := c.out
		c.out = spare[:0]
		c.mu.Unlock()
		_ = c.SetWriteDeadline(time.Now().Add(c.limit)) // a closed connection fails in the next line
		_, err := c.Conn.Write(out)
		c.mu.Lock()
		spare = out
		if err != nil {
			c.failed = err
			_ = c.Conn.Close() // the reader is told, and with it paho
		}
		c.flush.Broadcast()
	}
	c.busy = false
	c.flush.Broadcast()
}

// Close implements net.Conn. What was written before it still goes out, within the limit of a write.
func (c *conn) Close() error {
	c.mu.Lock()
	for c.busy && c.failed == nil {
		c.flush.Wait()
	}
	if c.failed == nil {
		c.failed = net.ErrClosed
	}
	c.mu.Unlock()
	return c.Conn.Close()
}

// cut ends the connection at once.
func (c *conn) cut() { _ = c.Conn.Close() }
