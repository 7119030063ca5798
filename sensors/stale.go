package sensors

import "time"

// A datastream is stale when it has missed StaleIntervals of its intervals, and never sooner than StaleLeast after its
// newest observation. This is the one definition: presence, the rules and the pages use it.
const (
	StaleIntervals = 3
	StaleLeast     = 30 * time.Second
)

// StaleAfter returns how long a datastream with this interval, in seconds, may be without a new observation.
func StaleAfter(intervalS int) time.Duration {
	return max(StaleIntervals*time.Duration(intervalS)*time.Second, StaleLeast)
}

// EffectiveTime returns the earlier of the observation's own time and its time of receipt. An observation that is sent late does
// not describe the present, although the device is on line.
func (o Observation) EffectiveTime() time.Time {
	if o.ReceivedAt.Before(o.Time) {
		return o.ReceivedAt
	}
	return o.Time
}

// IsStale reports whether a datastream is stale at a time: newest is the effective time of its newest observation, and
// listening is since when the server can receive without a break. A datastream is not stale before StaleAfter has passed since then.
func IsStale(newest, listening time.Time, intervalS int, now time.Time) bool {
	if listening.After(newest) {
		newest = listening
	}
	return now.Sub(newest) >= StaleAfter(intervalS)
}

// WithStaleAfter returns the datastream with StaleAfterS set.
func (s Datastream) WithStaleAfter() Datastream {
	s.StaleAfterS = int(StaleAfter(s.IntervalS) / time.Second)
	return s
}
