package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// link is the connection of one device. It does as little work as possible, so that the server is measured and not the
// client.
type link struct {
	device   *device
	messages []message // one per datastream
	conn     *net.TCPConn
	in       []byte // bytes that are read and not processed
	buf      []byte
	out      []byte
	window   int
	will     bool // the CONNECT has a last will

	sent  uint64 // number of publishes on all connections; it determines the packet ids
	acked atomic.Uint64
	last  time.Time // time of the newest reading
}

// handshakeWithin is the time limit from the connection to the CONNACK.
const handshakeWithin = 20 * time.Second

// newLink returns the link of a device. window is the number of unacknowledged publishes that it may have; values is the
// number of readings per publish.
func newLink(d *device, window, values int) *link {
	l := &link{device: d, window: window, buf: make([]byte, 4096)}
	for _, s := range d.streams {
		l.messages = append(l.messages, newMessage(d.topic, s, values))
	}
	return l
}

// open connects, logs in and waits for the CONNACK.
func (l *link) open(ctx context.Context, addr string) error {
	conn, err := (&net.Dialer{Timeout: handshakeWithin}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	l.conn, l.in = conn.(*net.TCPConn), nil
	if err := l.handshake(); err != nil {
		l.cut()
		l.conn = nil
		return fmt.Errorf("%s: %w", l.device.id, err)
	}
	return nil
}

// handshake sends the CONNECT and reads until the CONNACK. Bytes behind the CONNACK stay in l.in.
func (l *link) handshake() error {
	if err := l.conn.SetDeadline(time.Now().Add(handshakeWithin)); err != nil {
		return err
	}
	if _, err := l.conn.Write(l.device.connect(l.will)); err != nil {
		return err
	}
	for {
		kind, body, rest, err := nextPacket(l.in)
		if err != nil {
			return err
		}
		if kind != 0 {
			l.in = rest
			if err := accepted(kind, body); err != nil {
				return err
			}
			return l.conn.SetDeadline(time.Time{})
		}
		if err := l.read(); err != nil {
			return err
		}
	}
}

// read reads the available bytes.
func (l *link) read() error {
	n, err := l.conn.Read(l.buf)
	if n > 0 {
		l.in = append(l.in, l.buf[:n]...)
		return nil
	}
	return err
}

// disconnect sends a DISCONNECT and closes the connection.
func (l *link) disconnect() {
	_, _ = l.conn.Write([]byte{packetDisconnect, 0}) // an error means that the connection is closed already
	_ = l.conn.Close()
}

// cut resets the connection without a DISCONNECT, like a broken network.
func (l *link) cut() {
	_ = l.conn.SetLinger(0) // an error means that it is closed already
	_ = l.conn.Close()
}

// id returns the packet id of the nth publish. Ids are 1 to 65,535; 0 is not valid.
func (*link) id(n uint64) uint16 { return uint16(n%65535) + 1 }

// send sends n publishes in one write. No two readings of a device have the same time.
func (l *link) send(n int, value func() string) error {
	l.out = l.out[:0]
	for range n {
		m := &l.messages[l.sent%uint64(len(l.messages))]
		at := time.Now()
		if !at.After(l.last) {
			at = l.last.Add(time.Microsecond)
		}
		at = at.Truncate(time.Microsecond).Add(time.Microsecond)
		l.last = at.Add(time.Duration(len(m.times)) * time.Microsecond)
		l.out = m.appendTo(l.out, l.id(l.sent), at, value())
		l.sent++
	}
	if _, err := l.conn.Write(l.out); err != nil {
		return fmt.Errorf("%s: %w", l.device.id, err)
	}
	return nil
}

// acks processes the received acknowledgements, which must be in order, and returns their number.
func (l *link) acks() (n int, err error) {
	rest := l.in
	for {
		kind, body, more, err := nextPacket(rest)
		if err != nil {
			return n, fmt.Errorf("%s: %w", l.device.id, err)
		}
		if kind == 0 {
			l.in = append(l.in[:0], rest...)
			l.acked.Add(uint64(n))
			return n, nil
		}
		rest = more
		id, err := acknowledged(kind, body)
		if err != nil {
			return n, fmt.Errorf("%s: %w", l.device.id, err)
		}
		next := l.acked.Load() + uint64(n)
		if next == l.sent || id != l.id(next) {
			return n, fmt.Errorf("%s: %d is acknowledged, after %d of %d", l.device.id, id, next, l.sent)
		}
		n++
	}
}

// flow publishes and waits for acknowledgements. next gets the number of new acknowledgements and returns the number of
// publishes to send. flow returns when everything is acknowledged and next returns 0.
func (l *link) flow(next func(acked int) int, value func() string) error {
	if n := next(l.window); n > 0 {
		if err := l.send(n, value); err != nil {
			return err
		}
	}
	for l.acked.Load() < l.sent {
		if err := l.read(); err != nil {
			return fmt.Errorf("%s: after %d of %d were acknowledged: %w", l.device.id, l.acked.Load(), l.sent, err)
		}
		n, err := l.acks()
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if n = next(n); n > 0 {
			if err := l.send(n, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// flood keeps the window full until stop is true, and then waits until everything is acknowledged.
func (l *link) flood(stop *atomic.Bool, value func() string) error {
	return l.flow(func(acked int) int {
		if stop.Load() {
			return 0
		}
		return acked
	}, value)
}

// publish sends n publishes and waits until they are acknowledged.
func (l *link) publish(n int, value func() string) error {
	return l.flow(func(acked int) int {
		acked = min(acked, n)
		n -= acked
		return acked
	}, value)
}

func belowValue() string { return belowThreshold }

// openAll opens links, at most atATime at the same time.
func openAll(ctx context.Context, addr string, links []*link, atATime int) error {
	errs := make([]error, len(links))
	gate := make(chan struct{}, atATime)
	done := make(chan struct{})
	for i, l := range links {
		go func() {
			gate <- struct{}{}
			errs[i] = l.open(ctx, addr)
			<-gate
			done <- struct{}{}
		}()
	}
	for range links {
		<-done
	}
	return errors.Join(errs...)
}

func disconnectAll(links []*link) {
	for _, l := range links {
		if l.conn != nil {
			l.disconnect()
		}
	}
}

func cutAll(links []*link) {
	for _, l := range links {
		if l.conn != nil {
			l.cut()
		}
	}
}
