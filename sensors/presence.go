package sensors

import "time"

// DeviceState is the presence state of a device that was last published. The zero value means that no state was published yet.
type DeviceState struct {
	Online bool
	Reason string    // status, reading, silence or late; empty: no state was published
	Since  time.Time // from when the state holds
}

// StreamState is the presence state of a datastream that was last published. The zero value means that the datastream is fresh.
type StreamState struct {
	Reason string    // silence or late; empty: it is fresh
	Since  time.Time // the effective time of the newest observation when it became stale
}

// DeviceFacts holds everything that the presence of one device depends on. A zero time means that the event never happened.
type DeviceFacts struct {
	ID           string
	StatusOnline bool      // the last status, or the last will: on line or off line
	StatusAt     time.Time // when that status was received
	LastSeen     time.Time // when the last message of any kind was received
	Published    DeviceState
	Datastreams  []StreamFacts
}

// StreamFacts holds everything that the presence of one datastream depends on.
type StreamFacts struct {
	ID        int64
	Name      string
	IntervalS int       // seconds between two observations
	NewestAt  time.Time // effective time of the newest observation
	Received  time.Time // when the newest observation was received
	Published StreamState
}

// PresenceVerdict is the result of JudgePresence.
type PresenceVerdict struct {
	Device      DeviceState      // the current state
	Datastreams []StreamState    // the current states, in the order of DeviceFacts.Datastreams
	Changes     []PresenceChange // the differences to the states last published; the device's change is first
}

// StaleDatastreams returns how many datastreams of the device are stale.
func (v PresenceVerdict) StaleDatastreams() int {
	n := 0
	for _, s := range v.Datastreams {
		if s.Reason != "" {
			n++
		}
	}
	return n
}

// JudgePresence decides whether a device is on line, which of its datastreams are stale, and which changes must be published.
// It depends only on its arguments: the same state, facts and times produce the same verdict.
//
// listening is the time since when the server can receive without a break. Silence counts from there: the server
// must not blame a device for a time in which it could not receive. docs/presence.md has the table of states.
func JudgePresence(d DeviceFacts, now, listening time.Time) PresenceVerdict {
	v := PresenceVerdict{Device: d.Published}
	s := sumUp(d, now)
	if s.heard.IsZero() && d.StatusAt.IsZero() {
		return v // never seen, and so neither on line nor off line
	}
	if state, told := judgeDevice(d, s, now, listening); told {
		v.Device = state
		v.Changes = append(v.Changes, state.change(d.ID))
	}
	v.Datastreams = make([]StreamState, len(d.Datastreams))
	for i, stream := range d.Datastreams {
		state := judgeStream(stream, d, s, now, listening)
		if v.Datastreams[i] = state; state.Reason != stream.Published.Reason {
			v.Changes = append(v.Changes, state.change(d.ID, stream))
		}
	}
	return v
}

// deviceSum summarizes the facts of a device at one moment.
type deviceSum struct {
	heard      time.Time     // when the last message of any kind was received
	newestAt   time.Time     // effective time of the newest observation of all datastreams
	freshUntil time.Time     // when the last of its datastreams becomes stale
	patience   time.Duration // the longest StaleAfter of its datastreams; 0: the device has no datastreams
	allStale   bool          // at least one datastream has observations, and every datastream that has observations is stale
}

func sumUp(d DeviceFacts, now time.Time) deviceSum {
	s := deviceSum{heard: d.LastSeen}
	fresh, stale := false, false
	for _, stream := range d.Datastreams {
		patience := StaleAfter(stream.IntervalS)
		s.patience = max(s.patience, patience)
		if stream.NewestAt.IsZero() {
			continue
		}
		s.heard, s.newestAt = later(s.heard, stream.Received), later(s.newestAt, stream.NewestAt)
		s.freshUntil = later(s.freshUntil, stream.NewestAt.Add(patience))
		if stream.freshAt(now) {
			fresh = true
		} else {
			stale = true
		}
	}
	s.allStale = stale && !fresh
	return s
}

// judgeDevice returns the state of a device that was seen at least once, and whether that state must be published.
func judgeDevice(d DeviceFacts, s deviceSum, now, listening time.Time) (DeviceState, bool) {
	told, known := d.Published, d.Published.Reason != ""
	saidOff := !d.StatusOnline && !d.StatusAt.IsZero() && !d.StatusAt.Before(s.heard) // and nothing was received after that status
	alive := s.aliveAt(d, now)
	hold := s.patience == 0 || listening.Add(s.patience).After(now) // the server has not received for long enough to decide
	if !known && !saidOff && !alive && hold {
		return told, false // not decided yet
	}
	online := !saidOff && (alive || told.Online && hold)
	// The pages apply a status as soon as it arrives. If a status arrived after the last change and contradicts the
	// state, the pages show a wrong state. The state must then be published again.
	misled := known && d.StatusOnline != online && d.StatusAt.After(told.Since)

	next := DeviceState{Online: online}
	switch {
	case saidOff:
		next.Reason = PresenceByStatus
	case online && told.Online && !misled:
		next.Reason = told.Reason
	case online && d.StatusOnline && d.StatusAt.After(told.Since):
		next.Reason = PresenceByStatus
	case online:
		next.Reason = PresenceByReading
	case s.patience > 0 && s.heard.Add(s.patience).After(now):
		next.Reason = PresenceLate
	case hold:
		next.Reason = told.Reason
	default:
		next.Reason = PresenceBySilence
	}
	if known && online == told.Online && next.Reason == told.Reason && !misled {
		return told, false
	}
	next.Since = s.since(d, next)
	return next, true
}

// aliveAt reports whether the device has recent data: a fresh observation, or a recent status that says on line.
// For a device without datastreams only the status is known.
func (s deviceSum) aliveAt(d DeviceFacts, now time.Time) bool {
	if s.patience == 0 {
		return d.StatusOnline
	}
	return s.freshUntil.After(now) || d.StatusOnline && d.StatusAt.Add(s.patience).After(now)
}

// since returns the time from which a new state of a device holds. This time is never before the state that was last
// published, and never before a status that the new state contradicts.
func (s deviceSum) since(d DeviceFacts, next DeviceState) time.Time {
	at := later(s.heard, d.StatusAt)
	switch {
	case next.Reason == PresenceByStatus:
		at = d.StatusAt
	case next.Reason == PresenceLate && !s.newestAt.IsZero():
		at = s.newestAt
	case next.Reason == PresenceLate:
		at = s.heard
	}
	if d.StatusOnline != next.Online {
		at = later(at, d.StatusAt)
	}
	return later(at, d.Published.Since)
}

// judgeStream returns the state of a datastream. A datastream without any observation is fresh: it has no old value
// that could be mistaken for a current one.
func judgeStream(stream StreamFacts, d DeviceFacts, s deviceSum, now, listening time.Time) StreamState {
	told, stale := stream.Published, stream.Published.Reason != ""
	hold := listening.Add(StaleAfter(stream.IntervalS)).After(now)
	if stream.freshAt(now) || !stale && (hold || stream.NewestAt.IsZero()) {
		return StreamState{}
	}
	// An observation that is older than the newest one does not change the newest time. It is visible only in the time of
	// the device's last message. That message is an observation if it is later than the last status.
	received := stream.Received
	if s.allStale && (d.StatusAt.IsZero() || s.heard.After(d.StatusAt)) {
		received = later(received, s.heard)
	}
	next := StreamState{Reason: PresenceBySilence, Since: stream.NewestAt}
	if stale {
		next.Since = told.Since
	}
	switch {
	case received.Add(StaleAfter(stream.IntervalS)).After(now):
		next.Reason = PresenceLate
	case stale && hold:
		next.Reason = told.Reason
	}
	return next
}

// freshAt reports whether the newest observation is recent enough. It ignores whether the server could receive since then.
func (s StreamFacts) freshAt(now time.Time) bool {
	return !s.NewestAt.IsZero() && !IsStale(s.NewestAt, time.Time{}, s.IntervalS, now)
}

func (s DeviceState) change(device string) PresenceChange {
	c := PresenceChange{Device: device, State: PresenceOffline, Reason: s.Reason, Since: s.Since}
	if s.Online {
		c.State = PresenceOnline
	}
	return c
}

func (s StreamState) change(device string, stream StreamFacts) PresenceChange {
	c := PresenceChange{Device: device, DatastreamID: stream.ID, Datastream: stream.Name, State: PresenceStale, Reason: s.Reason, Since: s.Since}
	if s.Reason == "" {
		c.State, c.Reason, c.Since = PresenceFresh, PresenceByReading, stream.Received
	}
	return c
}

// later returns the later of two times. The zero time is before every other.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
