package remote

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a network connection to the broker. It reads in large blocks, limits the time of a write, and records when data was
// last received.
type conn struct {
	net.Conn
	in         *bufio.Reader
	limit      time.Duration // time limit of a write
	receivedAt atomic.Int64  // when data was last received, Unix nanoseconds

	mu     sync.Mutex
	out    []byte // packets that wait while others are written
	busy   bool   // write is running
	failed error
	flush  sync.Cond
}

// gatherMost is the number of waiting bytes above which Write blocks, about 16,000 acknowledgements.
const gatherMost = 64 << 10

// newConn returns a connection whose writes take at most limit. Its read buffer has 64 KiB.
func newConn(c net.Conn, limit time.Duration) *conn {
	w := &conn{Conn: c, limit: limit}
	w.in = bufio.NewReaderSize(network{w}, 64<<10)
	w.flush.L = &w.mu
	w.receivedAt.Store(time.Now().UnixNano())
	return w
}

// Read implements net.Conn. It is buffered, because paho reads single bytes: one read of the network serves many packets.
func (c *conn) Read(p []byte) (int, error) { return c.in.Read(p) }

// network reads from the connection without a buffer and records the time of receipt.
type network struct{ *conn }

// Read implements io.Reader for the buffer of conn.
func (n network) Read(p []byte) (int, error) {
	got, err := n.Conn.Read(p)
	if got > 0 {
		n.receivedAt.Store(time.Now().UnixNano())
	}
	if errors.Is(err, net.ErrClosed) {
		// paho assumes that it closed a closed connection itself, and would wait. So it must get the original error.
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.failed != nil {
			err = n.failed
		}
	}
	return got, err
}

// sinceReceived returns the time since data was last received.
func (c *conn) sinceReceived() time.Duration { return time.Since(time.Unix(0, c.receivedAt.Load())) }

// Write implements net.Conn. It returns before the bytes are sent; a later call returns the error.
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

// write sends the waiting bytes until none are left.
func (c *conn) write() {
	var spare []byte
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) > 0 && c.failed == nil {
		out := c.out
		c.out = spare[:0]
		c.mu.Unlock()
		_ = c.SetWriteDeadline(time.Now().Add(c.limit)) // an error is ignored: on a closed connection the next line fails too
		_, err := c.Conn.Write(out)
		c.mu.Lock()
		spare = out
		if err != nil {
			c.failed = err
			_ = c.Conn.Close() // so that the reader, and thus paho, gets the error
		}
		c.flush.Broadcast()
	}
	c.busy = false
	c.flush.Broadcast()
}

// Close implements net.Conn. It first sends the bytes that were written before, within the time limit of a write.
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

// cut closes the connection at once, without sending the waiting bytes.
func (c *conn) cut() { _ = c.Conn.Close() }
