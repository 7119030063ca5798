package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// link is one device's connection: as little work as can be, so that what is measured is the server.
type link struct {
	device   *device
	messages []message // one a datastream
	conn     *net.TCPConn
	in       []byte // read and not yet taken
	buf      []byte
	out      []byte
	window   int
	will     bool // leave a last will

	sent  uint64 // over all connections; the packet ids follow from it
	acked atomic.Uint64
	last  time.Time // of the newest reading
}

const handshakeWithin = 20 * time.Second

// newLink is a device that may have so many publishes on their way, of so many readings each.
func newLink(d *device, window, values int) *link {
	l := &link{device: d, window: window, buf: make([]byte, 4096)}
	for _, s := range d.streams {
		l.messages = append(l.messages, newMessage(d.topic, s, values))
	}
	return l
}

// open connects and logs in.
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

// read takes what has come.
func (l *link) read() error {
	n, err := l.conn.Read(l.buf)
	if n > 0 {
		l.in = append(l.in, l.buf[:n]...)
		return nil
	}
	return err
}

// leave says good-bye.
func (l *link) leave() {
	_, _ = l.conn.Write([]byte{packetDisconnect, 0}) // it may be gone already
	_ = l.conn.Close()
}

// cut ends the connection as a network does: without a word, and nothing lingers.
func (l *link) cut() {
	_ = l.conn.SetLinger(0) // a closed one has been cut
	_ = l.conn.Close()
}

// id is the packet id of the nth publish.
func (*link) id(n uint64) uint16 { return uint16(n%65535) + 1 }

// send writes n publishes at once.
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

// acks takes the acknowledgements that have come, which must be in order, and gives their number.
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

// flow publishes until next, which is told how many were acknowledged, gives 0 and all is acknowledged.
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

// flood keeps the window full until stop is true, and then waits until all is acknowledged.
func (l *link) flood(stop *atomic.Bool, value func() string) error {
	return l.flow(func(acked int) int {
		if stop.Load() {
			return 0
		}
		return acked
	}, value)
}

// publish publishes n.
func (l *link) publish(n int, value func() string) error {
	return l.flow(func(acked int) int {
		acked = min(acked, n)
		n -= acked
		return acked
	}, value)
}

func always() string { return calm }

// openAll connects links, some at a time.
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

func leaveAll(links []*link) {
	for _, l := range links {
		if l.conn != nil {
			l.leave()
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
