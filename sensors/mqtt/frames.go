package mqtt

import (
	"io"
	"math"
	"net"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors"
)

// readAhead is how much is read from a connection at once, bytes.
const readAhead = 2048

// Read is net.Conn's. Once the device has said who it is, a plain publish of readings is taken here
// and goes to the session at once: the engine would copy it several times and grow the stack of every
// connection. All other packets, and whatever is not one, go to the engine as they are.
func (c *conn) Read(p []byte) (int, error) {
	for {
		if c.pass > 0 {
			return c.hand(p)
		}
		s := c.session.Load()
		if s == nil {
			return c.Conn.Read(p) // the CONNECT was read ahead; nothing follows it before its answer
		}
		if c.ctx.Err() != nil {
			return 0, net.ErrClosed
		}
		whole, body, err := c.frame()
		if err != nil {
			return 0, err
		}
		if whole == 0 || whole-body > s.b.opts.maxPacket() || !s.plain(c.ahead[0]) {
			c.pass = whole
			if whole == 0 {
				c.pass = math.MaxInt // not a packet: it ends here, by the engine's word
			}
			continue
		}
		if err := c.take(s, whole, body); err != nil {
			return 0, err
		}
	}
}

// hand gives the engine what is its own.
func (c *conn) hand(p []byte) (n int, err error) {
	p = p[:min(len(p), c.pass)]
	if len(c.ahead) > 0 {
		n = copy(p, c.ahead)
		c.ahead = c.ahead[n:]
	} else {
		n, err = c.Conn.Read(p)
	}
	c.pass -= n
	return n, err
}

// frame reads until the length of the packet at the beginning is known, and gives it with where its
// body begins; 0 when it is none.
func (c *conn) frame() (whole, body int, err error) {
	if len(c.ahead) == 0 {
		_ = c.SetDeadline(time.Time{}) // for the next packet; fails when it is closed, and so will reading
	}
	for {
		length := 0
		for i := 1; i < len(c.ahead); i++ {
			length |= int(c.ahead[i]&0x7f) << (7 * (i - 1))
			if c.ahead[i] < 0x80 {
				return 1 + i + length, 1 + i, nil
			}
			if i == 4 {
				return 0, 0, nil
			}
		}
		if err := c.fill(); err != nil {
			return 0, 0, err
		}
	}
}

// fill reads once more behind what is there.
func (c *conn) fill() error {
	if c.buf == nil {
		c.buf = make([]byte, readAhead)
	}
	kept := copy(c.buf, c.ahead)
	n, err := c.Conn.Read(c.buf[kept:])
	c.ahead = c.buf[:kept+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// plain reports whether a packet that begins so may be a publish that is taken here.
func (s *session) plain(first byte) bool {
	const dup, retain = 8, 1
	qos := first >> 1 & 3
	return first>>4 == packets.Publish && first&retain == 0 && qos < 3 && (qos > 0 || first&dup == 0)
}

// take takes a publish, or leaves it to the engine when there is more to it than readings.
func (c *conn) take(s *session, whole, body int) error {
	for len(c.ahead) < min(whole, readAhead) { // as much as fits, so that its topic is there
		if err := c.fill(); err != nil {
			return err
		}
	}
	qos := c.ahead[0] >> 1 & 3
	at, id := s.readings(c.ahead[body:min(whole, len(c.ahead))], qos, whole-body)
	if at == 0 {
		c.pass = whole
		return nil
	}
	payload := make([]byte, whole-body-at)
	n := copy(payload, c.ahead[body+at:min(whole, len(c.ahead))])
	if c.ahead = c.ahead[min(whole, len(c.ahead)):]; n < len(payload) {
		if _, err := io.ReadFull(c.Conn, payload[n:]); err != nil {
			return err
		}
	}
	s.publish(s.obs, sensors.KindObs, payload, answer{packetID: id, qos: qos}, nil)
	return nil
}

// readings tells where the payload of a publish to the device's own obs begins in its body, and its
// packet id; 0 for any other.
func (s *session) readings(b []byte, qos byte, length int) (at int, id uint16) {
	at = 2 + len(s.obs)
	if len(b) < at || int(b[0])<<8|int(b[1]) != len(s.obs) || string(b[2:at]) != s.obs {
		return 0, 0
	}
	if qos > 0 {
		if at += 2; len(b) < at {
			return 0, 0
		}
		if id = uint16(b[at-2])<<8 | uint16(b[at-1]); id == 0 {
			return 0, 0
		}
	}
	if s.client.Properties.ProtocolVersion == 5 {
		if len(b) <= at || b[at] != 0 { // it has properties
			return 0, 0
		}
		at++
	}
	if at > length {
		return 0, 0
	}
	return at, id
}
