package sensors

import "time"

// UnevaluatedState is the state last published about whether the rules evaluate the observations of a device. The zero value
// means that they are evaluated.
type UnevaluatedState struct {
	Reason string // late, bad or quarantine; empty: they are evaluated
	Since  time.Time
}

// EvaluationFacts holds everything that JudgeEvaluation depends on for one device. A zero time means that the event never happened.
type EvaluationFacts struct {
	ID        string
	Enabled   bool
	IntervalS int       // the longest of its datastreams' intervals, in seconds
	LastSeen  time.Time // when the last message of any kind was received
	StatusAt  time.Time // when its last status was received
	// Evaluated is the time of receipt of the newest observation that the rules evaluate. The rules evaluate an observation if it is
	// the newest of its datastream and not bad.
	Evaluated time.Time
	// Bad is true if the newest observation of at least one datastream is bad: outside the range of its type, or missing.
	Bad         bool
	BadStreams  []BadStream
	Quarantined struct{ First, Last time.Time } // payloads received in the last 2 × StaleAfter
	Published   UnevaluatedState
}

// BadStream is a datastream whose observations of the last 2 × StaleAfter are all bad.
type BadStream struct {
	IntervalS int
	Since     time.Time // when the first of them was received
	Received  time.Time // when the newest was received
}

// JudgeEvaluation decides whether a device sends data of which the rules evaluate nothing, and whether that state has changed
// and must be published. A published state stays until an observation is evaluated. listening is as for JudgePresence.
func JudgeEvaluation(f EvaluationFacts, now, listening time.Time) (state UnevaluatedState, changed bool) {
	if f.Published.Reason != "" {
		if f.Evaluated.After(f.Published.Since) && !f.Bad {
			return UnevaluatedState{Since: f.Evaluated}, true
		}
		return f.Published, false
	}
	patience := StaleAfter(f.IntervalS)
	if !f.Enabled || listening.Add(patience).After(now) {
		return f.Published, false
	}
	if f.Bad {
		state = UnevaluatedState{UnevaluatedBad, f.badSince(now)}
	} else {
		state = f.notEvaluated(now, patience)
	}
	if state.Since.IsZero() {
		return f.Published, false
	}
	return state, true
}

// badSince returns the earliest time since which a datastream has sent only bad observations. It considers only datastreams
// that still send and that have been bad for at least their StaleAfter. It returns the zero time if there is no such datastream.
func (f EvaluationFacts) badSince(now time.Time) (since time.Time) {
	for _, s := range f.BadStreams {
		patience := StaleAfter(s.IntervalS)
		if s.Since.Add(patience).After(now) || !s.Received.Add(patience).After(now) {
			continue
		}
		if since.IsZero() || s.Since.Before(since) {
			since = s.Since
		}
	}
	return since
}

// notEvaluated returns the state of a device that has no bad datastream. Since is zero if the device is evaluated or silent.
func (f EvaluationFacts) notEvaluated(now time.Time, patience time.Duration) UnevaluatedState {
	since := f.Evaluated
	if since.IsZero() {
		since = f.Quarantined.First
	}
	switch {
	case since.IsZero() || since.Add(patience).After(now):
		return UnevaluatedState{}
	case f.Quarantined.Last.Add(patience).After(now):
		return UnevaluatedState{UnevaluatedQuarantine, since}
	case f.LastSeen.Add(patience).After(now) && !f.Evaluated.IsZero() && f.LastSeen.After(f.Evaluated) && !f.LastSeen.Equal(f.StatusAt):
		// A device that sends only its status is not late: its last message is that status.
		return UnevaluatedState{UnevaluatedLate, since}
	default:
		return UnevaluatedState{}
	}
}
