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
	Follows bool      // the first time of the session, or of the run, comes next after what was said before

	// The run: messages one after another at the same offset.
	Received time.Time // the one that the next is compared with
	Offset   time.Duration
	Run      int // how many, those too close to the one before not counted

	Behind bool          // the clock is known to be behind
	By     time.Duration // the offset by which it is behind
	Loose  bool          // By was determined before the start of the server, so it is approximate
}

// StreamClock holds the state of the times of one datastream.
type StreamClock struct {
	Place  time.Time // the newest place that a reading was given among the present, its own time or its receipt
	Said   time.Time // the newest time that the device said since its clock was last set back; zero: none
	SaidAt time.Time // when that was received first
	Before time.Time // the newest time before it: the two are the ends of a hole that may be filled later

	Session uint64    // the last that it had a message in
	Gap     time.Time // what was said last before that session: the session's gap begins here and ends where the session does
	Ground  time.Time // the newest place then: there it begins when the clock is right
	Filled  bool      // a message of that session has filled the gap
}

// saying is one message with one plausible time, as the judgement sees it.
type saying struct {
	t, received time.Time
	session     uint64        // of the device's connection; 0: not known
	again       bool          // the device or the broker says that it is sent again, or the store has it
	interval    time.Duration // expected between two readings
}

func (m *saying) offset() time.Duration { return m.received.Sub(m.t) }

// enter begins a session with its first message. follows says that its time comes next after what was said before.
func (c *ClockState) enter(session uint64, received time.Time, follows bool) {
	if c.Heard.IsZero() || session != c.Session {
		c.Session, c.Begun, c.Follows, c.Run = session, received, follows, 0
	}
}

// join takes a message into its run.
func (c *ClockState) join(m saying, follows bool) {
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

// sameOffset reports whether two offsets, seen so long after each other, are of one clock. Messages of a backlog
// that come one after another, at twice the pace at which they were made, are not at the same offset.
func sameOffset(a, b, elapsed time.Duration) bool {
	return (a - b).Abs() <= min(clockDrift, elapsed/2)+elapsed/100
}

// judge decides where a single, plausible reading stands among the present: at its own time, for which now is
// zero, or at now, since it is of a device whose clock is behind. s is the datastream of the message with the
// newest place. again of the message must be known where needsStore says so.
func (c *ClockState) judge(s *StreamClock, m saying) (now time.Time) {
	known, elapsed := c.likeKnown(s, m), m.received.Sub(c.Heard)
	follows := !s.Said.IsZero() && m.t.After(s.Said) && m.t.Sub(s.Said) <= 2*m.interval+clockSlack
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
	case c.Behind && offset > c.By && m.t.After(s.Said) && m.t.Add(c.By).After(s.Place):
		s.say(m) // sent late by a clock that is behind: it stands where it would with a right one
		return s.place(m.t.Add(c.By))
	case m.again:
		return time.Time{}
	case overtaken(s, m):
		return time.Time{}
	case m.t.Equal(s.Said) && m.received.Sub(s.SaidAt) <= clockSlack:
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

// overtaken reports whether a message that is not newer is late by no more than what happens on the way, or what a
// time without fractions of seconds lacks.
func overtaken(s *StreamClock, m saying) bool {
	if m.t.After(s.Said) {
		return m.offset() <= clockJitter && s.Place.Sub(m.t) <= clockJitter
	}
	return m.offset() <= clockSlack && s.Said.Sub(m.t) <= clockJitter
}

// needsStore reports whether the judgement of a message has to know that it is not stored already.
func (c *ClockState) needsStore(s *StreamClock, m saying) bool {
	return !m.t.After(s.Place) && !c.likeKnown(s, m) && m.session != 0
}

// likeKnown reports whether the message is a new one of a clock that is behind by what is known.
func (c *ClockState) likeKnown(s *StreamClock, m saying) bool {
	if !c.Behind || !m.t.After(s.Said) {
		return false
	}
	near := clockDrift + m.received.Sub(c.Heard)/100
	if c.Loose {
		near = 2*clockRefresh + c.By/50
	}
	return (m.offset() - c.By).Abs() <= min(near, c.By/2)
}

// behind sets that the clock is behind, unless it was ahead before and has only been corrected. It returns the place of the reading.
func (c *ClockState) behind(s *StreamClock, m saying) time.Time {
	c.Behind, c.By, c.Loose = m.offset() > clockJitter, m.offset(), false
	s.say(m)
	return s.place(m.received)
}

// enter begins a session. A gap that was being filled when the last one ended is still open.
func (s *StreamClock) enter(session uint64) {
	if session == s.Session {
		return
	}
	if !s.Filled {
		s.Gap, s.Ground = s.Said, s.Place
	}
	s.Session, s.Filled = session, false
}

// fills reports whether an old time may be of a reading that the device had kept: it lies between what it said
// last before its session and the session's begin, or between its two newest times. Such a hole is filled in a burst,
// unless the datastream was silent for so long that it is stale. elapsed is the time since the message before.
func (s *StreamClock) fills(c *ClockState, m saying, elapsed time.Duration) bool {
	gap := s.Ground
	if c.Behind {
		gap = s.Gap
	}
	if !gap.IsZero() && m.t.After(gap) && !m.t.After(c.Begun) {
		return true
	}
	if s.Before.IsZero() || !m.t.After(s.Before) || !m.t.Before(s.Said) {
		return false
	}
	hole := s.Said.Sub(s.Before)
	return elapsed < min(clockBurst, hole/2) || hole >= StaleAfter(int(m.interval.Seconds()))
}

// say takes over what the device said, in a reading that was given a place. A time that is not after the one
// before begins anew: the clock was set back.
func (s *StreamClock) say(m saying) {
	switch {
	case m.t.After(s.Said):
		s.Before, s.Said, s.SaidAt = s.Said, m.t, m.received
	case m.t.Before(s.Said):
		s.Before, s.Said, s.SaidAt = time.Time{}, m.t, m.received
	}
}

// own sets the place of a reading to its own time.
func (s *StreamClock) own(m saying) {
	s.say(m)
	if s.Place.After(s.Before) { // what was said before was of a clock that was behind
		s.Before = s.Place
	}
	s.Place = m.t
}

// place returns the next place at or after a moment.
func (s *StreamClock) place(at time.Time) time.Time {
	if !at.After(s.Place) {
		at = s.Place.Add(time.Microsecond)
	}
	s.Place = at
	return at
}
