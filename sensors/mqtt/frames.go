package mqtt

import (
	"io"
	"net"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors/feed/mqttjson"
)

// How much is read from a connection at once, bytes: most devices say little, and wait between.
const (
	readLittle = 512
	readAhead  = 2048
)

// packets reads one packet after the other, until the connection ends. A plain publish of readings is taken
// here and goes to the session at once: the engine would copy it several times. All other packets, and
// whatever is not one, go to the engine as they are. While it waits its stack is small, which is the most
// that a connection costs.
func (c *conn) packets(s *session) error {
	for !s.client.Closed() {
		whole, body, err := c.frame()
		if err != nil {
			return err
		}
		if c.ctx.Err() != nil {
			return net.ErrClosed
		}
		switch first := c.ahead[0]; {
		case first == packets.Pingreq<<4 && whole == 2:
			c.ahead = c.ahead[2:]
			_, err = c.Write([]byte{packets.Pingresp << 4, 0})
		case whole > 0 && whole-body <= s.b.opts.maxPacket() && s.plain(first):
			err = c.take(s, whole, body)
		default:
			err = s.engine(whole, body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Read is net.Conn's: it gives the engine the packet that is its own, and no more.
func (c *conn) Read(p []byte) (n int, err error) {
	if p = p[:min(len(p), c.pass)]; len(p) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	if len(c.ahead) > 0 {
		n = copy(p, c.ahead)
		if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
			c.ahead = nil // lets go of a large packet
		}
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
	size := readLittle
	if c.busy || len(c.ahead) >= size {
		size = readAhead
	}
	to := c.buf
	if len(to) < size {
		to = make([]byte, size)
	}
	kept := copy(to, c.ahead)
	n, err := c.Conn.Read(to[kept:])
	c.buf, c.ahead, c.busy = to, to[:kept+n], kept+n == len(to)
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// gather reads until the whole packet is there; its size is bounded by then.
func (c *conn) gather(whole int) error {
	if len(c.ahead) >= whole {
		return nil
	}
	b := make([]byte, whole)
	if _, err := io.ReadFull(c.Conn, b[copy(b, c.ahead):]); err != nil {
		return err
	}
	c.ahead = b
	return nil
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
	qos, dup := c.ahead[0]>>1&3, c.ahead[0]&8 != 0
	at, id := s.readings(c.ahead[body:min(whole, len(c.ahead))], qos, whole-body)
	if at == 0 {
		return s.engine(whole, body)
	}
	payload := make([]byte, whole-body-at)
	n := copy(payload, c.ahead[body+at:min(whole, len(c.ahead))])
	if c.ahead = c.ahead[min(whole, len(c.ahead)):]; n < len(payload) {
		if _, err := io.ReadFull(c.Conn, payload[n:]); err != nil {
			return err
		}
	}
	s.publish(s.message(s.obs, mqttjson.KindObs, payload, dup), answer{packetID: id, qos: qos}, nil)
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
