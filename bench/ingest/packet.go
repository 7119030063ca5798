package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The first bytes of the used packets. Source: MQTT 3.1.1, 2.2.
const (
	packetConnect = 0x10
	packetConnack = 0x20
	packetPublish = 0x32 // QoS 1
	packetPuback  = 0x40

	packetDisconnect = 0xe0
)

// maxRemaining is the largest remaining length of a packet from the server. The expected packets have two bytes.
const maxRemaining = 1 << 16

// login holds the credentials of a device and the topic of its will.
type login struct {
	id, secret string
	will       string // topic of the last will
}

// connect returns a CONNECT with a clean session and without a keep-alive. Source: MQTT 3.1.1, 3.1.
func (l login) connect(will bool) []byte {
	flags := byte(0xc2) // flags: user name, password, clean session
	if will {
		flags |= 0x2c // flags: will retain, will QoS 1, will
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

// appendText appends a string with its length in two bytes.
func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// nextPacket splits the first packet from the bytes. kind is 0 if the packet is not complete yet.
func nextPacket(in []byte) (kind byte, body, rest []byte, err error) {
	if len(in) < 2 {
		return 0, nil, in, nil
	}
	n, length := binary.Uvarint(in[1:min(len(in), 5)]) // the length of MQTT has the same encoding, with at most four bytes
	switch {
	case length < 0 || n > maxRemaining, length == 0 && len(in) >= 5:
		return 0, nil, in, errors.New("a packet that is too long")
	case length == 0 || uint64(len(in)-1-length) < n:
		return 0, nil, in, nil
	}
	end := 1 + length + int(n)
	return in[0], in[1+length : end], in[end:], nil
}

// accepted returns an error if the packet is not a CONNACK that accepts the connection.
func accepted(kind byte, body []byte) error {
	switch {
	case kind != packetConnack || len(body) != 2:
		return fmt.Errorf("packet %#x of %d bytes is no CONNACK", kind, len(body))
	case body[1] != 0:
		return fmt.Errorf("the connection is refused with %d", body[1])
	}
	return nil
}

// acknowledged returns the packet id of a PUBACK.
func acknowledged(kind byte, body []byte) (uint16, error) {
	if kind != packetPuback || len(body) != 2 {
		return 0, fmt.Errorf("packet %#x of %d bytes is no PUBACK", kind, len(body))
	}
	return binary.BigEndian.Uint16(body), nil
}

// timeForm is the form of times in payloads. Its length is constant.
const timeForm = "2006-01-02T15:04:05.000000Z"

// The two values that are sent, below and beyond the threshold of the rule. Both have the same length.
const (
	belowThreshold = "1.250"
	aboveThreshold = "7.500"
)

// message is a prepared PUBLISH of readings. Only the packet id, the times and the first value change.
type message struct {
	packet []byte
	id     int   // offset of the packet id
	times  []int // offsets of the times
	values []int
}

// newMessage returns a PUBLISH of n readings of one datastream: an object or, for several, an array of objects.
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
		payload = append(payload, belowThreshold+"}}"...)
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

// appendTo appends the packet with an id and with times from at on, one microsecond apart. value replaces the first value.
func (m *message) appendTo(b []byte, id uint16, at time.Time, value string) []byte {
	start := len(b)
	b = append(b, m.packet...)
	p := b[start:]
	binary.BigEndian.PutUint16(p[m.id:], id)
	copy(p[m.values[0]:], value)
	second := at.UTC().Truncate(time.Second)
	micro := int(at.Sub(second) / time.Microsecond)
	var buf [len(timeForm)]byte
	head := second.AppendFormat(buf[:0], timeForm[:20])
	for _, place := range m.times {
		copy(p[place:], head)
		putMicro(p[place+20:], micro)
		if micro++; micro == 1_000_000 {
			second, micro = second.Add(time.Second), 0
			head = second.AppendFormat(buf[:0], timeForm[:20])
		}
	}
	return b
}

// putMicro writes a number as six digits.
func putMicro(b []byte, micro int) {
	for i := 5; i >= 0; i-- {
		b[i] = byte('0' + micro%10)
		micro /= 10
	}
}
