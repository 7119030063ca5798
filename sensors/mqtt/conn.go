package mqtt

import (
	"container/list"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// maxConnect is the largest CONNECT that is read, bytes: ours are small, and who sends one is a stranger.
const maxConnect = 8 << 10

// conn is a device's connection as the engine sees it, whatever carries it. It keeps the deadlines
// itself: the engine moves them with every packet and leaves out those of a keep-alive of zero.
type conn struct {
	net.Conn          // TCP, TLS or WebSocket
	raw      net.Conn // what carries that: may be closed, and given deadlines, at any time
	host     string
	remote   string
	cert     []byte // SHA-256 of a client certificate that is in date, nil: none
	session  atomic.Pointer[session]
	ctx      context.Context // the connection's life
	cancel   context.CancelFunc

	opened  time.Time
	place   *list.Element // in the limiter's list of connections that are not authenticated; nil after that
	evicted atomic.Bool   // to make room
	parked  *time.Timer   // while its CONNACK is delayed
	wake    func()        // what the timer does

	buf       []byte        // what is read ahead is in it
	ahead     []byte        // read and not yet taken
	busy      bool          // the last reading gave all that was asked for
	pass      int           // bytes from here on that the engine reads
	idle      time.Duration // silence after which it ends; 0: the handshake's deadline holds
	refreshed time.Time     // when the deadline for reading was last moved

	writes  sync.Mutex // one at a time: the engine's and ours
	writing atomic.Int64
	patient time.Duration // how long one write may take

	deadlines sync.Mutex
	leaving   bool      // its last write is bounded, and nobody moves the deadline again
	armed     time.Time // when the deadline for writing was last moved
}

func newConn(c net.Conn, patient time.Duration, now time.Time) *conn {
	remote := c.RemoteAddr().String()
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &conn{Conn: c, raw: c, host: host, remote: remote, ctx: ctx, cancel: cancel, opened: now, patient: patient}
}

// readConnect reads until the whole CONNECT is there, so that nothing larger is set up for who does
// not send one.
func (c *conn) readConnect() error {
	buf := make([]byte, 0, 256)
	for {
		whole, err := connectLength(buf)
		if err != nil {
			return err
		}
		if whole > 0 && len(buf) >= whole {
			c.ahead = buf
			return nil
		}
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, 4*cap(buf)), buf...)
		}
		n, err := c.Conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err != nil && n == 0 {
			return err
		}
	}
}

// connectLength is how long the packet at the beginning is in all, 0 while that cannot be told.
func connectLength(b []byte) (int, error) {
	if len(b) > 0 && b[0] != packets.Connect<<4 {
		return 0, packets.ErrProtocolViolationRequireFirstConnect
	}
	length := 0
	for i := 1; i < len(b); i++ {
		length |= int(b[i]&0x7f) << (7 * (i - 1))
		switch {
		case length > maxConnect:
			return 0, packets.ErrPacketTooLarge
		case b[i] < 0x80:
			return 1 + i + length, nil
		case i == 4:
			return 0, packets.ErrMalformedVariableByteInteger
		}
	}
	return 0, nil
}

// SetDeadline is called before a packet is read. The deadline is the connection's own, for the whole
// packet, and it is moved only when an eighth of it is over.
func (c *conn) SetDeadline(time.Time) error {
	if c.idle == 0 {
		return nil
	}
	now := time.Now()
	if now.Sub(c.refreshed) < c.idle/8 {
		return nil
	}
	c.refreshed = now
	return c.raw.SetReadDeadline(now.Add(c.idle + c.idle/8))
}

// Write implements net.Conn. A device that does not read is given up when the write has taken too long.
func (c *conn) Write(p []byte) (int, error) {
	c.writes.Lock()
	defer c.writes.Unlock()
	now := time.Now()
	c.deadlines.Lock()
	if !c.leaving && now.Sub(c.armed) > c.patient/8 {
		c.armed = now
		_ = c.raw.SetWriteDeadline(now.Add(c.patient)) // fails when it is closed, and so will the write
	}
	c.deadlines.Unlock()
	c.writing.Store(now.UnixNano())
	n, err := c.Conn.Write(p)
	c.writing.Store(0)
	return n, err
}

// boundLastWrite gives the last write one second: a DISCONNECT does not wait for a device that does not read.
func (c *conn) boundLastWrite() {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	c.leaving = true
	_ = c.raw.SetWriteDeadline(time.Now().Add(time.Second)) // fails when it is closed already
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.cancel()
	return c.raw.Close()
}

// stuck is since when a write waits for the device to read; zero when none does.
func (c *conn) stuck() time.Time {
	if at := c.writing.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}
