package sensors

import (
	"context"
	"sync"
	"time"
)

// DeviceClock is the offset of a device's clock, as a commit stores it.
type DeviceClock struct {
	DeviceID string
	Offset   time.Duration // device time minus server time: negative is behind; 0: the clock is right
	At       time.Time
}

// clocks holds the clocks of the devices. The mutex guards only the map: a deviceClock is used only by the committer that
// processes the messages of its device. The zero value is empty and ready for use.
type clocks struct {
	mu sync.Mutex
	m  map[string]*deviceClock
}

// deviceClock is the clock of one device, with the times of its datastreams.
type deviceClock struct {
	ClockState
	noted   time.Duration // the offset that was last stored; 0: the clock was right
	streams []streamClock // the datastreams that have a reading
}

type streamClock struct {
	id int64
	StreamClock
}

// forget removes the clock of a device. It is called when messages of the device were not stored and will be sent again.
func (c *clocks) forget(k *Known) {
	if k != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.m, k.ID)
	}
}

// of returns the clock of a device. If it is not in memory, as after a start, it begins with the offset from the store.
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

// stream returns the times of a datastream. If they are not in memory, they begin with those from the store. The pointer is valid
// until the next datastream is added.
func (d *deviceClock) stream(k *Known, id int64) *StreamClock {
	for i := range d.streams {
		if d.streams[i].id == id {
			return &d.streams[i].StreamClock
		}
	}
	s := streamClock{id: id}
	if had, ok := k.Newest[id]; ok {
		s.Place, s.DeviceTime = had.Place, had.DeviceTime
		if s.DeviceTime.IsZero() {
			s.DeviceTime = had.Place.Add(-d.By)
		}
	}
	d.streams = append(d.streams, s)
	return &d.streams[len(d.streams)-1].StreamClock
}

// judge sets the times by which the readings of one message count. It returns the offset of the device's clock if that differs
// from the one stored last.
func (c *clocks) judge(k *Known, e *entry, past *past, limits TimeLimits) []DeviceClock {
	d, received := c.of(k, limits), e.message.Received.UTC().Truncate(time.Microsecond)
	wrong, right := e.untrue, false
	if e.hasOneTime() {
		m := e.timedMessage(k, received)
		m.again = e.message.Redelivered || past.has(e.observations)
		wrong = d.single(k, e.observations, m)
		right = !wrong && !d.Behind && m.offset().Abs() <= clockSlack
	} else {
		d.several(k, e, received)
		right = !wrong && !e.lastTime.IsZero() && received.Sub(e.lastTime).Abs() <= clockSlack
		if wrong || right {
			d.Behind = false
		}
	}
	past.add(e.observations)
	switch {
	case right:
		return d.offsetToStore(k.ID, 0, received)
	case e.untrue:
		return d.offsetToStore(k.ID, e.lastTime.Sub(received), received)
	case wrong && d.Behind:
		return d.offsetToStore(k.ID, -d.By, received)
	}
	return nil
}

// offsetToStore returns the offset to store, if it differs enough from the one stored last. Small differences (clockRefresh plus 1 %) are
// ignored, unless the clock becomes right or wrong.
func (d *deviceClock) offsetToStore(device string, offset time.Duration, at time.Time) []DeviceClock {
	if (offset == 0) == (d.noted == 0) && (offset-d.noted).Abs() <= clockRefresh+d.noted.Abs()/100 {
		return nil
	}
	d.noted = offset
	return []DeviceClock{{DeviceID: device, Offset: offset, At: at}}
}

// hasOneTime reports whether a message consists of one record with a plausible time.
func (e *entry) hasOneTime() bool {
	return e.records == 1 && !e.lastTime.IsZero() && !e.untrue && len(e.observations) > 0
}

// timedMessage returns the facts about the clock from a message with one time.
func (e *entry) timedMessage(k *Known, received time.Time) timedMessage {
	m := timedMessage{t: e.lastTime, received: received, session: e.message.Session}
	for i := range e.observations {
		m.interval = max(m.interval, k.interval(e.observations[i].DatastreamID))
	}
	return m
}

// single judges a message with one record, by the datastream of the message that has the newest place. It reports whether the
// clock is wrong.
func (d *deviceClock) single(k *Known, readings []Observation, m timedMessage) (wrong bool) {
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
			if now.After(s.Place) { // false for the datastream by which the message was judged: it has this place already
				s.recordTime(m)
				s.Place = now
			}
			o.Now, o.TimeSource = now, TimeWrong
		}
	}
	return !now.IsZero()
}

// newest returns the datastream with the newest place of those that have a reading.
func (d *deviceClock) newest(k *Known, readings []Observation) *StreamClock {
	for i := range readings { // add all datastreams first: adding one invalidates the pointers
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

// several updates the places from readings that are not judged: the readings of an array, which is a backlog up to its newest
// reading, and the readings that count at their receipt.
func (d *deviceClock) several(k *Known, e *entry, received time.Time) {
	d.enter(e.message.Session, received, false)
	d.Heard = received
	for i := range e.observations {
		o := &e.observations[i]
		s := d.stream(k, o.DatastreamID)
		s.enter(e.message.Session)
		m := timedMessage{t: o.StateTime(), received: received, interval: k.interval(o.DatastreamID)}
		switch {
		case o.TimeSource != TimeDevice:
			if s.Place.After(received) { // the place was set by a clock that was slightly ahead
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

// past is the set of readings that are stored already or occur earlier in the batch. A nil past is empty.
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

// add adds readings to the set. It does nothing if the past is nil, because then the batch does not need it.
func (p *past) add(readings []Observation) {
	if *p == nil {
		return
	}
	for i := range readings {
		(*p)[keyOf(&readings[i])] = struct{}{}
	}
}

// setTimes judges the device clocks for all entries of a batch and sets the times by which the readings count.
func (in *Ingest) setTimes(ctx context.Context, entries []*entry) error {
	var past past
	for i, e := range entries {
		k := in.registry.Device(e.message.Device)
		if len(e.observations) == 0 || k == nil {
			continue
		}
		if past == nil && in.clocks.doubts(k, e, in.opts.Limits) {
			var err error
			if past, err = in.loadPast(ctx, entries, i); err != nil {
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

// doubts reports whether judging a message requires a query for stored readings.
func (c *clocks) doubts(k *Known, e *entry, limits TimeLimits) bool {
	if !e.hasOneTime() || e.message.Redelivered {
		return false
	}
	d := c.of(k, limits)
	return d.needsStore(d.newest(k, e.observations), e.timedMessage(k, e.message.Received))
}

// loadPast asks the store, in one query, which readings of the entries from i on are stored already. The readings of the entries
// before i count as stored.
func (in *Ingest) loadPast(ctx context.Context, entries []*entry, i int) (past, error) {
	p := past{}
	for _, e := range entries[:i] {
		p.add(e.observations)
	}
	var candidates []Observation
	for _, e := range entries[i:] {
		if e.hasOneTime() && !e.message.Redelivered {
			candidates = append(candidates, e.observations...)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, in.opts.CommitTimeout)
	defer cancel()
	stored, err := in.committer.Stored(ctx, candidates)
	if err != nil {
		return nil, err
	}
	for j := range candidates {
		if stored[j] {
			p.add(candidates[j : j+1])
		}
	}
	return p, nil
}
