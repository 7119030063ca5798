package mqtt

import (
	"context"
	"sync/atomic"
	"time"

	"onemap/internal/fault"
	"onemap/sensors"
)

// publishOverhead is the approximate memory of a publish in addition to its payload, in bytes.
const publishOverhead = 256

// load is the total of the unacknowledged publishes of all connections.
type load struct {
	publishes, readings, bytes atomic.Int64
	active                     atomic.Int64 // number of connections that wait for an acknowledgement
}

// minShare is the number of publishes that a connection may always have in flight, independent of the other connections.
const minShare = 4

// room is how much a connection may have in flight.
type room struct{ publishes, readings, bytes int }

// window returns how much one connection may have in flight now. If all connections together are above the limits of Options,
// each connection gets only its share. If they are above twice the limits, each gets almost nothing. So a thousand flooding
// connections leave room in the queue for the others.
func (b *Broker) window() room {
	most := room{b.opts.Window, b.opts.WindowReadings, b.opts.WindowBytes}
	n, readings, size := int(b.load.publishes.Load()), int(b.load.readings.Load()), int(b.load.bytes.Load())
	active := max(1, int(b.load.active.Load()))
	much := func(times int) bool {
		return n > times*b.opts.InFlight || readings > times*b.opts.InFlightReadings || size > times*b.opts.InFlightBytes
	}
	switch {
	case !much(1):
		return most
	case !much(2):
		return room{
			min(most.publishes, max(minShare, b.opts.InFlight/active)), min(most.readings, max(minShare, b.opts.InFlightReadings/active)),
			min(most.bytes, b.opts.InFlightBytes/active),
		}
	}
	return room{
		min(most.publishes, minShare), min(most.readings, max(minShare, b.opts.InFlightReadings/active/minShare)),
		min(most.bytes, b.opts.InFlightBytes/active/minShare),
	}
}

// fits reports whether one more publish may be in flight; the first is always allowed. The caller must hold the lock.
func (s *session) fits(readings, size int) bool {
	if s.held == 0 {
		return true
	}
	w := s.b.window()
	return s.held < w.publishes && s.heldReadings+readings <= w.readings && s.heldBytes+size <= w.bytes
}

// acquire waits for room in the window. While it waits, this connection is not read. It returns false if the connection ends first.
func (s *session) acquire(readings, size int) bool {
	for {
		s.mu.Lock()
		if s.fits(readings, size) {
			s.held++
			s.heldReadings += readings
			s.heldBytes += size
			first := s.held == 1
			s.mu.Unlock()
			s.b.load.publishes.Add(1)
			s.b.load.readings.Add(int64(readings))
			s.b.load.bytes.Add(int64(size))
			if first {
				s.b.load.active.Add(1)
			}
			return true
		}
		room := make(chan struct{})
		s.room = room
		s.mu.Unlock()
		s.b.metrics.paused.Inc()
		if !s.pause(room) {
			return false
		}
	}
}

// pause waits for room. If this takes longer than FloodAfter, the device is reported as flooding.
func (s *session) pause(room <-chan struct{}) bool {
	long := time.NewTimer(s.b.opts.FloodAfter)
	defer long.Stop()
	for {
		select {
		case <-room:
			return true
		case <-s.conn.ctx.Done():
			return false
		case <-long.C:
			s.flood()
		}
	}
}

// flood reports the device as flooding.
func (s *session) flood() {
	s.b.abuse.report(sensors.TroubleFlood, s.device, s.conn, fault.NewMessage(CodeSendsTooFast))
}

// release returns room to the window of the session.
func (s *session) release(publishes, readings, bytes int) {
	s.mu.Lock()
	s.held -= publishes
	s.heldReadings -= readings
	s.heldBytes -= bytes
	none := s.held == 0
	if s.room != nil && (none || s.fits(0, 0)) {
		close(s.room)
		s.room = nil
	}
	s.mu.Unlock()
	s.b.load.publishes.Add(int64(-publishes))
	s.b.load.readings.Add(int64(-readings))
	s.b.load.bytes.Add(int64(-bytes))
	if none {
		s.b.load.active.Add(-1)
	}
}

// accept passes a message to the receiver, and waits while the queue is full, because a full queue is no reason to disconnect a
// device. After a publish that was not stored, it accepts no more. The device sends that publish again over its next connection.
// If later publishes were stored before it, its readings would be late, and the rules do not evaluate late readings.
func (s *session) accept(m sensors.Message, done func(error)) error {
	for {
		err := s.offer(m, done)
		if !sensors.IsFull(err) {
			return err
		}
		if err := s.await(); err != nil {
			return err
		}
	}
}

// offer checks whether a publish has failed and passes the next one on. Both happen under one lock, so that no failure can come
// in between.
func (s *session) offer(m sensors.Message, done func(error)) error {
	s.order.Lock()
	defer s.order.Unlock()
	if s.failed {
		return fault.New(fault.Unavailable, "a publish before it was not stored")
	}
	return s.b.receiver.Accept(m, done)
}

// await waits until the queue of the ingest path has room. It returns an error if the database is unavailable or the
// connection ends.
func (s *session) await() error {
	s.b.metrics.paused.Inc()
	long := time.AfterFunc(s.b.opts.FloodAfter, s.flood)
	defer long.Stop()
	err := s.b.receiver.Await(s.conn.ctx)
	if err != nil && context.Cause(s.conn.ctx) != nil {
		return fault.Wrap(fault.Unavailable, err, "the connection ended before there was room")
	}
	return err
}
