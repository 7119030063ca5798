package sensors

import (
	"context"
	"sync"
	"time"
)

// DeviceClock is by how much a device's clock is wrong, as a commit notes it.
type DeviceClock struct {
	DeviceID string
	Offset   time.Duration // the device's time less ours: negative is behind; 0: it is right
	At       time.Time
}

// clocks are the clocks of the devices. What is known of one is used by the committer alone that has its messages. The
// zero value is empty and ready.
type clocks struct {
	mu sync.Mutex
	m  map[string]*deviceClock
}

// deviceClock is the clock of one device, with the times of its datastreams.
type deviceClock struct {
	ClockState
	noted   time.Duration // what was noted last; 0: the clock was right
	streams []streamClock // of those that have had a reading
}

type streamClock struct {
	id int64
	StreamClock
}

// forget drops what is known of a device: what came of it was not stored, and will come again.
func (c *clocks) forget(k *Known) {
	if k != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.m, k.ID)
	}
}

// of returns what is known of a device's clock; after a start, that is what the store has.
func (c *clocks) of(k *Known, limits TimeLimits) *deviceClock {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.m[k.ID]
	if !ok {
		d = &deviceClock{noted: k.Clock, streams: make([]streamClock, 0, len(k.Streams))}
		if k.Clock < 0 && -k.Clock < limits.Age {
			d.Behind, d.By, d.Loose = true, -k.Clock, true
		}
		if c.m == nil {
			c.m = make(map[string]*deviceClock)
		}
		c.m[k.ID] = d
	}
	return d
}

// stream returns what is known of a datastream's times.
func (d *deviceClock) stream(k *Known, id int64) *StreamClock {
	for i := range d.streams {
		if d.streams[i].id == id {
			return &d.streams[i].StreamClock
		}
	}
	s := streamClock{id: id}
	if had, ok := k.Newest[id]; ok {
		s.Place, s.Said = had.Place, had.Said
		if s.Said.IsZero() {
			s.Said = had.Place.Add(-d.By)
		}
	}
	d.streams = append(d.streams, s)
	return &d.streams[len(d.streams)-1].StreamClock
}

// judge puts the readings of one message in their place, and gives the offset of the device's clock when that is
// another than was noted.
func (c *clocks) judge(k *Known, e *entry, past *past, limits TimeLimits) []DeviceClock {
	d, received := c.of(k, limits), e.message.Received.UTC().Truncate(time.Microsecond)
	wrong, right := e.untrue, false
	if e.hasOneTime() {
		m := e.saying(k, received)
		m.again = e.message.Redelivered || past.has(e.observations)
		wrong = d.single(k, e.observations, m)
		right = !wrong && !d.Behind && m.offset().Abs() <= clockSlack
	} else {
		d.several(k, e, received)
		right = !wrong && !e.said.IsZero() && received.Sub(e.said).Abs() <= clockSlack
		if wrong || right {
			d.Behind = false
		}
	}
	past.add(e.observations)
	switch {
	case right:
		return d.note(k.ID, 0, received)
	case e.untrue:
		return d.note(k.ID, e.said.Sub(received), received)
	case wrong && d.Behind:
		return d.note(k.ID, -d.By, received)
	}
	return nil
}

// note says what is to be noted, if the offset is another than was noted last.
func (d *deviceClock) note(device string, offset time.Duration, at time.Time) []DeviceClock {
	if (offset == 0) == (d.noted == 0) && (offset-d.noted).Abs() <= clockRefresh+d.noted.Abs()/100 {
		return nil
	}
	d.noted = offset
	return []DeviceClock{{DeviceID: device, Offset: offset, At: at}}
}

// hasOneTime reports whether a message is one record with a time that can be true.
func (e *entry) hasOneTime() bool {
	return e.records == 1 && !e.said.IsZero() && !e.untrue && len(e.observations) > 0
}

// saying is what a message that has one time says.
func (e *entry) saying(k *Known, received time.Time) saying {
	m := saying{t: e.said, received: received, session: e.message.Session}
	for i := range e.observations {
		m.interval = max(m.interval, k.interval(e.observations[i].DatastreamID))
	}
	return m
}

// single judges a message with one record by the newest of what its datastreams had.
func (d *deviceClock) single(k *Known, readings []Observation, m saying) (wrong bool) {
	now := d.judge(d.newest(k, readings), m)
	for i := range readings {
		o := &readings[i]
		s := d.stream(k, o.DatastreamID)
		s.enter(m.session)
		switch {
		case now.IsZero():
			if m.t.After(s.Place) {
				s.own(m)
			}
		default:
			if now.After(s.Place) { // not the one that it was judged by
				s.say(m)
				s.Place = now
			}
			o.Now, o.TimeSource = now, TimeWrong
		}
	}
	return !now.IsZero()
}

// newest returns the datastream with the newest place of those that have a reading.
func (d *deviceClock) newest(k *Known, readings []Observation) *StreamClock {
	for i := range readings { // all of them are known before a pointer is kept
		d.stream(k, readings[i].DatastreamID)
	}
	newest := d.stream(k, readings[0].DatastreamID)
	for i := range readings[1:] {
		if s := d.stream(k, readings[i+1].DatastreamID); s.Place.After(newest.Place) {
			newest = s
		}
	}
	return newest
}

// several takes over the places of readings that are not judged: an array's, which is a backlog up to its
// newest, and those of the receipt.
func (d *deviceClock) several(k *Known, e *entry, received time.Time) {
	d.enter(e.message.Session, received, false)
	d.Heard = received
	for i := range e.observations {
		o := &e.observations[i]
		s := d.stream(k, o.DatastreamID)
		s.enter(e.message.Session)
		m := saying{t: o.StateTime(), received: received, interval: k.interval(o.DatastreamID)}
		switch {
		case o.TimeSource != TimeDevice:
			if s.Place.After(received) { // by a clock that was a little ahead
				o.Now = s.place(m.t)
			}
			if m.t.After(s.Place) {
				s.Place = m.t
			}
		case m.t.After(s.Place):
			s.own(m)
		default:
			s.Filled = s.Filled || s.fills(&d.ClockState, m, 0)
		}
	}
}

// past are readings that are stored, or come before in the batch. A nil past has none.
type past map[readingKey]struct{}

type readingKey struct {
	datastream, at int64
	value          float64
}

func keyOf(o *Observation) readingKey {
	return readingKey{o.DatastreamID, o.Time.UnixMicro(), o.Value}
}

func (p *past) has(readings []Observation) bool {
	for i := range readings {
		if _, ok := (*p)[keyOf(&readings[i])]; ok {
			return true
		}
	}
	return false
}

// add takes readings over, once the past is asked for.
func (p *past) add(readings []Observation) {
	if *p == nil {
		return
	}
	for i := range readings {
		(*p)[keyOf(&readings[i])] = struct{}{}
	}
}

// setTimes judges the clocks that the times of a batch come from.
func (in *Ingest) setTimes(ctx context.Context, entries []*entry) error {
	var past past
	for i, e := range entries {
		k := in.registry.Device(e.message.Device)
		if len(e.observations) == 0 || k == nil {
			continue
		}
		if past == nil && in.clocks.doubts(k, e, in.opts.Limits) {
			var err error
			if past, err = in.lookBack(ctx, entries, i); err != nil {
				return err
			}
		}
		e.clocks = in.clocks.judge(k, e, &past, in.opts.Limits)
		for j := range e.observations {
			if e.observations[j].TimeSource == TimeWrong {
				e.wrong++
			}
		}
	}
	return nil
}

// doubts reports whether the judgement of a message has to know what is stored.
func (c *clocks) doubts(k *Known, e *entry, limits TimeLimits) bool {
	if !e.hasOneTime() || e.message.Redelivered {
		return false
	}
	d := c.of(k, limits)
	return d.needsStore(d.newest(k, e.observations), e.saying(k, e.message.Received))
}

// lookBack asks the store for all that a batch has from entry i on and that may be there, in one go. What comes
// before i in the batch counts as stored.
func (in *Ingest) lookBack(ctx context.Context, entries []*entry, i int) (past, error) {
	p := past{}
	for _, e := range entries[:i] {
		p.add(e.observations)
	}
	var ask []Observation
	for _, e := range entries[i:] {
		if e.hasOneTime() && !e.message.Redelivered {
			ask = append(ask, e.observations...)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, in.opts.CommitTimeout)
	defer cancel()
	stored, err := in.committer.Stored(ctx, ask)
	if err != nil {
		return nil, err
	}
	for j := range ask {
		if stored[j] {
			p.add(ask[j : j+1])
		}
	}
	return p, nil
}
