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

// maxConnect is the largest CONNECT that is read, in bytes. It is small because the CONNECT packets of devices are small, and
// because the sender is not authenticated yet.
const maxConnect = 8 << 10

// conn is the connection of a device, over any transport. The engine uses it as a net.Conn. It manages the deadlines itself,
// because the engine sets them with every packet, and sets none for a keep-alive of zero.
type conn struct {
	net.Conn          // TCP, TLS or WebSocket
	raw      net.Conn // the underlying connection; it may be closed, and its deadlines set, at any time
	host     string
	remote   string
	cert     []byte // SHA-256 of a client certificate that is currently valid; nil: none
	session  atomic.Pointer[session]
	ctx      context.Context // ends when the connection is closed
	cancel   context.CancelFunc

	opened  time.Time
	place   *list.Element // element in the limiter's list of unauthenticated connections; nil after authentication
	evicted atomic.Bool   // closed to make room for other connections
	parked  *time.Timer   // set while its CONNACK is delayed
	wake    func()        // the function of the timer

	buf       []byte        // buffer of ahead
	ahead     []byte        // bytes that are read and not yet processed
	busy      bool          // the last read filled the buffer
	pass      int           // number of the next bytes that the engine may read
	idle      time.Duration // silence after which the connection ends; 0: the deadline of the handshake applies
	refreshed time.Time     // when the read deadline was last set

	writes       sync.Mutex // serializes the writes of the engine and of this package
	writing      atomic.Int64
	writeTimeout time.Duration // time limit of one write

	deadlines sync.Mutex
	leaving   bool      // the deadline of the last write is set and must not be changed any more
	armed     time.Time // when the write deadline was last set
}

// newConn returns the connection of a client that has not sent anything. Its host is the address without the port: the
// limiter counts connections by host.
func newConn(c net.Conn, writeTimeout time.Duration, now time.Time) *conn {
	remote := c.RemoteAddr().String()
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &conn{Conn: c, raw: c, host: host, remote: remote, ctx: ctx, cancel: cancel, opened: now, writeTimeout: writeTimeout}
}

// readConnect reads until the CONNECT is complete. Larger structures are allocated only after that, so that a client that
// sends no CONNECT costs little memory.
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
		// The buffer grows by four, from 256 bytes to 16 KiB at most: connectLength refuses a CONNECT above maxConnect.
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

// connectLength returns the total length in bytes of the CONNECT packet at the beginning of b. It returns 0 if b is too short
// to know the length. Another packet first is an error ([MQTT-3.1.0-1]). Source of the length: MQTT 5.0, 1.5.5, variable byte
// integer: 7 bits a byte, lowest first, at most 4 bytes.
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

// SetDeadline is called before a packet is read. It ignores its argument: the connection sets its own read deadline, for the
// whole packet. To save system calls, it sets the deadline only if an eighth of idle has passed since the last time.
func (c *conn) SetDeadline(time.Time) error {
	if c.idle == 0 {
		return nil
	}
	now := time.Now()
	if now.Sub(c.refreshed) < c.idle/8 {
		return nil
	}
	c.refreshed = now
	// The deadline is an eighth longer than idle, because it may be an eighth old when it takes effect. So a
	// device may always be silent for the whole of idle.
	return c.raw.SetReadDeadline(now.Add(c.idle + c.idle/8))
}

// Write implements net.Conn. It fails if a device does not read and the write takes longer than patient.
func (c *conn) Write(p []byte) (int, error) {
	c.writes.Lock()
	defer c.writes.Unlock()
	now := time.Now()
	c.deadlines.Lock()
	if !c.leaving && now.Sub(c.armed) > c.writeTimeout/8 {
		c.armed = now
		_ = c.raw.SetWriteDeadline(now.Add(c.writeTimeout)) // an error means that it is closed; the write then fails too
	}
	c.deadlines.Unlock()
	c.writing.Store(now.UnixNano())
	n, err := c.Conn.Write(p)
	c.writing.Store(0)
	return n, err
}

// boundLastWrite limits the last write to one second: a DISCONNECT must not wait for a device that does not read.
func (c *conn) boundLastWrite() {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	c.leaving = true
	_ = c.raw.SetWriteDeadline(time.Now().Add(time.Second)) // an error means that it is closed already
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.cancel()
	return c.raw.Close()
}

// stuck returns the start of the write that waits for the device to read; it returns zero if no write is running.
func (c *conn) stuck() time.Time {
	if at := c.writing.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}
