package sensors

import "time"

// The limits for the judgement of clocks. docs/devices.md has the table of their effects.
const (
	clockSlack   = 30 * time.Second // a reading up to this much older than its receipt is delayed; its clock is not wrong
	clockJitter  = 2 * time.Second  // a reading up to this much older than the newest one was overtaken during transmission
	clockDrift   = 2 * time.Second  // two offsets that differ by less are of the same clock
	clockPace    = time.Second      // messages received closer together than this do not show the pace of a clock
	clockBurst   = 5 * time.Second  // readings that fill a hole within a session arrive faster than this
	clockRefresh = time.Minute      // an offset is stored again when it has changed by more than this
	steadyRun    = 2                // number of messages at one offset that prove a clock behind, if the reading would otherwise be late
	steadyRise   = 3                // the same number if the times rise, so that the readings are evaluated in both cases
)

// ClockState is the state of a device's clock between two of its messages. The zero value is the state of an unknown device.
// Offsets are time of receipt minus device time: positive means that the clock is behind.
type ClockState struct {
	Session uint64    // of the last message; 0: not known
	Begun   time.Time // receipt of the first message of that session
	Heard   time.Time // receipt of the last message; zero: none since the start
	Follows bool      // the first time of the session, or of the run, continues the times before it

	// The run: successive messages with the same offset.
	Received time.Time // receipt of the message with which the next one is compared
	Offset   time.Duration
	Run      int // number of messages, without those that follow too soon after another

	Behind bool          // the clock is known to be behind
	By     time.Duration // the offset by which it is behind
	Loose  bool          // By was determined before the start of the server, so it is approximate
}

// StreamClock holds the state of the times of one datastream. A place is the state time of a reading: its own time or, for a
// wrong clock, its receipt.
type StreamClock struct {
	Place        time.Time // the newest place of a reading
	DeviceTime   time.Time // the newest device time since the clock was last set back; zero: none
	DeviceTimeAt time.Time // first receipt of that time
	Before       time.Time // the newest device time before DeviceTime; the readings in between may follow later

	Session uint64    // the last session with a message of the datastream
	Gap     time.Time // the last device time before that session; the gap is from here to the begin of the session
	Ground  time.Time // the newest place before that session; the gap begins here if the clock is right
	Filled  bool      // a message of that session has filled the gap
}

// timedMessage is a message with one plausible time.
type timedMessage struct {
	t, received time.Time
	session     uint64        // of the device's connection; 0: not known
	again       bool          // it is marked as redelivered, or it is stored already
	interval    time.Duration // expected between two readings
}

func (m *timedMessage) offset() time.Duration { return m.received.Sub(m.t) }

// enter starts a session with its first message. follows is true if its time continues the times before it.
func (c *ClockState) enter(session uint64, received time.Time, follows bool) {
	if c.Heard.IsZero() || session != c.Session {
		c.Session, c.Begun, c.Follows, c.Run = session, received, follows, 0
	}
}

// join adds a message to the run, or starts a new run if the offset differs.
func (c *ClockState) join(m timedMessage, follows bool) {
	elapsed := m.received.Sub(c.Received)
	switch {
	case c.Run == 0 || !sameOffset(c.Offset, m.offset(), elapsed):
		c.Received, c.Offset, c.Run = m.received, m.offset(), 1
		if m.session == 0 {
			c.Follows = follows
		}
	case elapsed >= clockPace:
		c.Received, c.Offset, c.Run = m.received, m.offset(), c.Run+1
	}
}

// sameOffset reports whether two offsets, measured elapsed apart, are of the same clock. The messages of a backlog, sent at
// twice the pace at which they were measured, do not have the same offset.
func sameOffset(a, b, elapsed time.Duration) bool {
	return (a - b).Abs() <= min(clockDrift, elapsed/2)+elapsed/100
}

// judge decides the place of a single, plausible reading. It returns the zero time if the place is the reading's own time. It
// returns the place if the device's clock is behind. s is the state of the message's datastream with the newest place. If
// needsStore returns true, again must be known before the call.
func (c *ClockState) judge(s *StreamClock, m timedMessage) (now time.Time) {
	known, elapsed := c.likeKnown(s, m), m.received.Sub(c.Heard)
	follows := !s.DeviceTime.IsZero() && m.t.After(s.DeviceTime) && m.t.Sub(s.DeviceTime) <= 2*m.interval+clockSlack
	c.enter(m.session, m.received, follows)
	c.join(m, follows)
	c.Heard = m.received
	s.enter(m.session)
	offset, newer := m.offset(), m.t.After(s.Place)
	switch {
	case known:
		return c.behind(s, m)
	case newer && offset > clockSlack && c.Run >= steadyRise && !c.Follows:
		return c.behind(s, m)
	case newer:
		if offset.Abs() <= clockSlack {
			c.Behind = false
		}
		s.own(m)
		return time.Time{}
	case c.Behind && offset > c.By && m.t.After(s.DeviceTime) && m.t.Add(c.By).After(s.Place):
		s.recordTime(m) // sent late by a clock that is behind: correct the time by the known offset
		return s.place(m.t.Add(c.By))
	case m.again:
		return time.Time{}
	case overtaken(s, m):
		return time.Time{}
	case m.t.Equal(s.DeviceTime) && m.received.Sub(s.DeviceTimeAt) <= clockSlack:
		return time.Time{} // another value of the same time
	case c.Run >= steadyRun:
		return c.behind(s, m)
	case m.session == 0 || s.fills(c, m, elapsed):
		s.Filled = true
		return time.Time{}
	default: // the clock was set back
		return c.behind(s, m)
	}
}

// overtaken reports whether an older message is only late because of the transmission, or because its time has no fraction of
// a second.
func overtaken(s *StreamClock, m timedMessage) bool {
	if m.t.After(s.DeviceTime) {
		return m.offset() <= clockJitter && s.Place.Sub(m.t) <= clockJitter
	}
	return m.offset() <= clockSlack && s.DeviceTime.Sub(m.t) <= clockJitter
}

// needsStore reports whether the judgement of a message must know whether it is stored already.
func (c *ClockState) needsStore(s *StreamClock, m timedMessage) bool {
	return !m.t.After(s.Place) && !c.likeKnown(s, m) && m.session != 0
}

// likeKnown reports whether the message is a new one with the known offset of a clock that is behind.
func (c *ClockState) likeKnown(s *StreamClock, m timedMessage) bool {
	if !c.Behind || !m.t.After(s.DeviceTime) {
		return false
	}
	near := clockDrift + m.received.Sub(c.Heard)/100
	if c.Loose {
		near = 2*clockRefresh + c.By/50
	}
	return (m.offset() - c.By).Abs() <= min(near, c.By/2)
}

// behind records that the clock is behind. An offset within clockJitter means that a clock that was ahead has been corrected.
// It returns the place of the reading, its receipt.
func (c *ClockState) behind(s *StreamClock, m timedMessage) time.Time {
	c.Behind, c.By, c.Loose = m.offset() > clockJitter, m.offset(), false
	s.recordTime(m)
	return s.place(m.received)
}

// enter starts a session. If the gap was being filled when the last session ended, it stays open.
func (s *StreamClock) enter(session uint64) {
	if session == s.Session {
		return
	}
	if !s.Filled {
		s.Gap, s.Ground = s.DeviceTime, s.Place
	}
	s.Session, s.Filled = session, false
}

// fills reports whether an old time may be of a buffered reading: it is between the last time before the session and the
// begin of the session, or between the two newest times. A hole of the second kind is filled in a burst, unless it is so long
// that the datastream was stale. elapsed is the time since the previous message.
func (s *StreamClock) fills(c *ClockState, m timedMessage, elapsed time.Duration) bool {
	gap := s.Ground
	if c.Behind {
		gap = s.Gap
	}
	if !gap.IsZero() && m.t.After(gap) && !m.t.After(c.Begun) {
		return true
	}
	if s.Before.IsZero() || !m.t.After(s.Before) || !m.t.Before(s.DeviceTime) {
		return false
	}
	hole := s.DeviceTime.Sub(s.Before)
	return elapsed < min(clockBurst, hole/2) || hole >= StaleAfter(int(m.interval.Seconds()))
}

// recordTime records the device time of a reading. A time before the newest one means that the clock was set back, so the record
// starts again.
func (s *StreamClock) recordTime(m timedMessage) {
	switch {
	case m.t.After(s.DeviceTime):
		s.Before, s.DeviceTime, s.DeviceTimeAt = s.DeviceTime, m.t, m.received
	case m.t.Before(s.DeviceTime):
		s.Before, s.DeviceTime, s.DeviceTimeAt = time.Time{}, m.t, m.received
	}
}

// own sets the place of a reading to its own time.
func (s *StreamClock) own(m timedMessage) {
	s.recordTime(m)
	if s.Place.After(s.Before) { // the earlier times were of a clock that was behind
		s.Before = s.Place
	}
	s.Place = m.t
}

// place returns the next free place at or after a time.
func (s *StreamClock) place(at time.Time) time.Time {
	if !at.After(s.Place) {
		at = s.Place.Add(time.Microsecond)
	}
	s.Place = at
	return at
}
