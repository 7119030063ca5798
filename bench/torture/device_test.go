package torture_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// message is one publish. Each device numbers its messages from 0.
type message struct {
	topic   string
	payload []byte
	qos     byte
	ends    bool // the server ends the connection for it; it is never acknowledged
}

// device publishes its messages in order, keeps those that are not acknowledged, and sends them again after each
// reconnection, as a device with its own store does.
type device struct {
	id, secret string
	datastream int64
	topic      string
	messages   int
	make       func(n int) message                    // called once for each number, in order, when it is first sent
	rewind     int                                    // how many messages that were acknowledged on a connection are sent again after it, too
	limit      func() (n int, raised <-chan struct{}) // no message from n on is made before raised is closed
	stay       <-chan struct{}                        // it stays connected until this is closed; nil: it leaves when it is done

	acked                     []bool // by number
	sent, resent, ended, lost int    // publishes, those that were repeated, connections that the server ended and that broke

	done    int      // messages that are acknowledged
	next    int      // the first number that was never sent
	again   []flight // to be sent again
	waiting []flight // sent on this connection and not acknowledged
	kept    []flight // the last that were acknowledged on it
}

// flight is a message that was sent or is to be sent again.
type flight struct {
	n int
	message
	sent bool // before
}

var (
	errLost  = errors.New("the connection is lost")
	errEnded = errors.New("the server has ended the connection, as it should")
)

// run publishes until every message is acknowledged or ctx ends. addr returns the present address of the broker; acked counts
// first acknowledgements.
func (d *device) run(ctx context.Context, addr func() string, window int, acked *atomic.Int64) error {
	d.acked = make([]bool, d.messages)
	const least, most = 10 * time.Millisecond, 500 * time.Millisecond
	for pause := least; ; pause = min(2*pause, most) {
		l, err := dial(ctx, addr(), d.id, d.secret)
		if err == nil {
			had := d.done
			if err = d.session(ctx, l, window, acked); err == nil {
				return nil
			}
			if d.done > had {
				pause = least
			}
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errEnded):
			d.ended++
			continue
		}
		d.lost++
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// session publishes over one connection until every message is acknowledged.
func (d *device) session(ctx context.Context, l *link, window int, acked *atomic.Int64) (err error) {
	defer func() { _ = l.conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = l.conn.Close() })
	defer stop()
	answers := make(chan ack, 4*window+16)
	go l.acks(answers)
	defer func() {
		d.again = slices.Concat(d.kept, d.waiting, d.again)
		d.waiting, d.kept = nil, nil
	}()
	for {
		limit, raised := d.limit()
		err := errors.Join(d.fill(l, window, limit), l.out.Flush())
		var stayed <-chan struct{}
		if err == nil && d.next == d.messages && len(d.waiting)+len(d.again) == 0 {
			if d.stay == nil {
				return l.bye()
			}
			stayed = d.stay
		}
		var a ack
		if open := false; err == nil {
			select {
			case a, open = <-answers:
			case <-raised:
				continue
			case <-stayed:
				return l.bye()
			}
			if !open {
				err = errLost
			}
		}
		switch {
		case err != nil && len(d.waiting) > 0 && d.waiting[0].ends: // perhaps before all of it was written
			d.waiting = nil
			return errEnded
		case err != nil:
			return err
		}
		if err := d.answered(l, a, acked); err != nil {
			return err
		}
	}
}

// fill sends messages until the window is full. A message for which the server ends the connection is sent alone, so that no
// other message has to be sent again because of it.
func (d *device) fill(l *link, window, limit int) error {
	for len(d.waiting) < window {
		if len(d.again) == 0 {
			if d.next == min(limit, d.messages) {
				return nil
			}
			d.again = append(d.again, flight{n: d.next, message: d.make(d.next)})
			d.next++
		}
		f := d.again[0]
		if len(d.waiting) > 0 && (f.ends || d.waiting[0].ends) {
			return nil
		}
		if d.sent++; f.sent {
			d.resent++
		}
		f.sent = true
		d.again, d.waiting = d.again[1:], append(d.waiting, f)
		if err := l.publish(f.topic, f.payload, f.qos, packetID(f.n)); err != nil {
			return err
		}
	}
	return nil
}

// answered handles an acknowledgement: a PUBACK, or at QoS 2 the PUBREC, after which the server is responsible for the
// message.
func (d *device) answered(l *link, a ack, acked *atomic.Int64) error {
	switch a.kind {
	case packetPuback, packetPubrec:
	case packetPubcomp:
		return nil
	default:
		return errLost
	}
	i := slices.IndexFunc(d.waiting, func(f flight) bool { return packetID(f.n) == a.id })
	if i < 0 || d.waiting[i].ends || (d.waiting[i].qos == 2) != (a.kind == packetPubrec) {
		return errors.New("an acknowledgement of nothing")
	}
	f := d.waiting[i]
	d.waiting = slices.Delete(d.waiting, i, i+1)
	if !d.acked[f.n] {
		d.acked[f.n] = true
		d.done++
		acked.Add(1)
	}
	if d.rewind > 0 {
		d.kept = append(d.kept, f)
		d.kept = d.kept[max(0, len(d.kept)-d.rewind):]
	}
	if a.kind == packetPubrec {
		return l.release(a.id)
	}
	return nil
}

// packetID returns a packet identifier from 1 to 65,535. Messages in one window have different identifiers.
func packetID(n int) uint16 { return uint16(n%65535 + 1) }
