package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The first bytes of the packets of MQTT 3.1.1 that a device and a server exchange here.
const (
	packetConnect = 0x10
	packetConnack = 0x20
	packetPublish = 0x32 // QoS 1
	packetPuback  = 0x40

	packetDisconnect = 0xe0
)

// maxRemaining bounds a packet from a server; none that is waited for has more than two bytes.
const maxRemaining = 1 << 16

// login is what a device says of itself.
type login struct {
	id, secret string
	will       string // topic of the last will
}

// connect is a CONNECT with a clean session and no keep-alive.
func (l login) connect(will bool) []byte {
	flags := byte(0xc2) // user name, password, clean session
	if will {
		flags |= 0x2c // retained, QoS 1
	}
	body := appendText(nil, "MQTT")
	body = append(body, 4, flags, 0, 0)
	body = appendText(body, l.id)
	if will {
		body = appendText(appendText(body, l.will), "offline")
	}
	body = appendText(appendText(body, l.id), l.secret)
	return append(binary.AppendUvarint([]byte{packetConnect}, uint64(len(body))), body...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// nextPacket cuts the first packet off; kind 0 is that it has not all come yet.
func nextPacket(in []byte) (kind byte, body, rest []byte, err error) {
	if len(in) < 2 {
		return 0, nil, in, nil
	}
	n, length := binary.Uvarint(in[1:min(len(in), 5)]) // MQTT's variable length is the same, of four bytes at most
	switch {
	case length < 0 || n > maxRemaining, length == 0 && len(in) >= 5:
		return 0, nil, in, errors.New("a packet that is too long")
	case length == 0 || uint64(len(in)-1-length) < n:
		return 0, nil, in, nil
	}
	end := 1 + length + int(n)
	return in[0], in[1+length : end], in[end:], nil
}

// accepted checks a CONNACK.
func accepted(kind byte, body []byte) error {
	switch {
	case kind != packetConnack || len(body) != 2:
		return fmt.Errorf("packet %#x of %d bytes is no CONNACK", kind, len(body))
	case body[1] != 0:
		return fmt.Errorf("the connection is refused with %d", body[1])
	}
	return nil
}

// acknowledged returns the id in a PUBACK.
func acknowledged(kind byte, body []byte) (uint16, error) {
	if kind != packetPuback || len(body) != 2 {
		return 0, fmt.Errorf("packet %#x of %d bytes is no PUBACK", kind, len(body))
	}
	return binary.BigEndian.Uint16(body), nil
}

// timeForm is how times stand in payloads: always as long.
const timeForm = "2006-01-02T15:04:05.000000Z"

// The two values that are sent: one below the rule's threshold, one beyond.
const (
	calm  = "1.250"
	alarm = "7.500"
)

// message is a PUBLISH of readings, all of which but the id, the times and the values is ready.
type message struct {
	packet []byte
	id     int   // where the packet id stands
	times  []int // where the times stand
	values []int
}

// newMessage makes a PUBLISH of n readings of one datastream: an object, or an array of such.
func newMessage(topic, stream string, n int) message {
	var m message
	var payload []byte
	for i := range n {
		if i > 0 {
			payload = append(payload, ',')
		} else if n > 1 {
			payload = append(payload, '[')
		}
		payload = append(payload, `{"t":"`...)
		m.times = append(m.times, len(payload))
		payload = fmt.Appendf(payload, `%s","v":{"%s":`, timeForm, stream)
		m.values = append(m.values, len(payload))
		payload = append(payload, calm+"}}"...)
	}
	if n > 1 {
		payload = append(payload, ']')
	}
	m.packet = binary.AppendUvarint([]byte{packetPublish}, uint64(2+len(topic)+2+len(payload)))
	m.packet = appendText(m.packet, topic)
	m.id = len(m.packet)
	m.packet = append(append(m.packet, 0, 0), payload...)
	for i := range n {
		m.times[i] += m.id + 2
		m.values[i] += m.id + 2
	}
	return m
}

// appendTo appends the packet with an id and the times from at on, a microsecond apart. value takes the
// first reading's place.
func (m *message) appendTo(b []byte, id uint16, at time.Time, value string) []byte {
	start := len(b)
	b = append(b, m.packet...)
	p := b[start:]
	binary.BigEndian.PutUint16(p[m.id:], id)
	copy(p[m.values[0]:], value)
	second := at.UTC().Truncate(time.Second)
	micro := int(at.Sub(second) / time.Microsecond)
	var room [len(timeForm)]byte
	head := second.AppendFormat(room[:0], timeForm[:20])
	for _, place := range m.times {
		copy(p[place:], head)
		putMicro(p[place+20:], micro)
		if micro++; micro == 1_000_000 {
			second, micro = second.Add(time.Second), 0
			head = second.AppendFormat(room[:0], timeForm[:20])
		}
	}
	return b
}

// putMicro writes six digits.
func putMicro(b []byte, micro int) {
	for i := 5; i >= 0; i-- {
		b[i] = byte('0' + micro%10)
		micro /= 10
	}
}
