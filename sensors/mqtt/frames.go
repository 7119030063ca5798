package mqtt

import (
	"io"
	"net"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors/feed/mqttjson"
)

// The sizes of one read from a connection, in bytes. They are small because most devices send little data, with long pauses.
const (
	readLittle = 512
	readAhead  = 2048
)

// packets reads packets until the connection ends. It processes a plain publish of readings itself and passes it to the
// session directly, because the engine would copy it several times. All other packets, and all malformed data, go to the
// engine unchanged. While packets waits for data its stack is small; the stack is the largest part of a connection's memory.
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
		// The answer to a PINGREQ is always a PINGRESP ([MQTT-3.12.4-1]).
		case first == packets.Pingreq<<4 && whole == 2:
			c.ahead = c.ahead[2:]
			_, err = c.Write([]byte{packets.Pingresp << 4, 0})
		case whole > 0 && whole-body <= s.b.opts.maxPacket() && s.plain(first):
			err = c.readPublish(s, whole, body)
		default:
			err = s.engine(whole, body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Read implements net.Conn for the engine. It returns the bytes of the packet that was passed to the engine, and no more.
func (c *conn) Read(p []byte) (n int, err error) {
	if p = p[:min(len(p), c.pass)]; len(p) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	if len(c.ahead) > 0 {
		n = copy(p, c.ahead)
		if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
			c.ahead = nil // releases the memory of a large packet
		}
	} else {
		n, err = c.Conn.Read(p)
	}
	c.pass -= n
	return n, err
}

// frame reads until the length of the next packet is known. It returns that length and the offset of the body, in bytes; it
// returns 0 if the length is malformed.
func (c *conn) frame() (whole, body int, err error) {
	if len(c.ahead) == 0 {
		_ = c.SetDeadline(time.Time{}) // for the next packet; an error means that it is closed, and the read then fails too
	}
	for {
		length := 0
		for i := 1; i < len(c.ahead); i++ {
			// The remaining length is a variable byte integer: 7 bits a byte, lowest first, at most 4 bytes. Source:
			// MQTT 5.0, 1.5.5.
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

// fill reads once from the connection and appends the bytes to ahead.
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
	// Bytes that came with an error are processed first; the next read returns the error again.
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// gather reads until the packet is complete. The caller has checked its size against the limit.
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

// plain reports whether a packet with this first byte may be a publish that readPublish can process.
func (s *session) plain(first byte) bool {
	// The flags of a PUBLISH. Source: MQTT 5.0, 3.3.1. DUP must be 0 at QoS 0 ([MQTT-3.3.1-2]). QoS 3 is malformed
	// ([MQTT-3.3.1-4]). Only the engine handles retained publishes.
	const dup, retain = 8, 1
	qos := first >> 1 & 3
	return first>>4 == packets.Publish && first&retain == 0 && qos < 3 && (qos > 0 || first&dup == 0)
}

// readPublish processes a publish of readings. It passes the packet to the engine if it is not a plain publish of readings.
func (c *conn) readPublish(s *session, whole, body int) error {
	for len(c.ahead) < min(whole, readAhead) { // reads as much as fits, so that ahead contains the topic
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

// readings returns the offset of the payload in the body of a publish to the device's own obs topic, and the packet id. It
// returns 0 for any other packet. The body is: topic length (2 bytes), topic, packet id (2 bytes, at QoS 1 and 2), properties
// (version 5), payload. Source: MQTT 5.0, 3.3.2.
func (s *session) readings(b []byte, qos byte, length int) (at int, id uint16) {
	at = 2 + len(s.obs)
	if len(b) < at || int(b[0])<<8|int(b[1]) != len(s.obs) || string(b[2:at]) != s.obs {
		return 0, 0
	}
	if qos > 0 {
		if at += 2; len(b) < at {
			return 0, 0
		}
		// A packet id of 0 is not allowed ([MQTT-2.2.1-3] in 5.0). The engine refuses it.
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
