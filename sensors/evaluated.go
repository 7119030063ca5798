package sensors

import "time"

// UnevaluatedState is what was last told of a device whose observations the rules do not evaluate. The zero value says that they
// are evaluated.
type UnevaluatedState struct {
	Reason string // late, bad or quarantine; empty: they are evaluated
	Since  time.Time
}

// EvaluationFacts is all that JudgeEvaluation depends on for one device. A zero time says that there was no such moment.
type EvaluationFacts struct {
	ID        string
	Enabled   bool
	IntervalS int       // the longest of its datastreams' intervals, in seconds
	LastSeen  time.Time // when the last message of any kind was received
	SaidAt    time.Time // when its last status was received
	// Evaluated is when the newest observation that the rules evaluate was received: one that is the newest of its datastream, and not bad.
	Evaluated time.Time
	// Bad says that the newest observation of one datastream is bad: outside the range of its type, or missing.
	Bad         bool
	BadStreams  []BadStream
	Quarantined struct{ First, Last time.Time } // payloads of the last two times StaleAfter
	LastTold    UnevaluatedState
}

// BadStream is a datastream of which all observations of the last two times StaleAfter are bad.
type BadStream struct {
	IntervalS int
	Since     time.Time // when the first of them was received
	Received  time.Time // when the newest was received
}

// JudgeEvaluation decides whether a device sends and the rules evaluate nothing of it, and whether that has to be told.
// What was told stays until an observation is evaluated. listening is as for JudgePresence.
func JudgeEvaluation(f EvaluationFacts, now, listening time.Time) (state UnevaluatedState, changed bool) {
	if f.LastTold.Reason != "" {
		if f.Evaluated.After(f.LastTold.Since) && !f.Bad {
			return UnevaluatedState{Since: f.Evaluated}, true
		}
		return f.LastTold, false
	}
	patience := StaleAfter(f.IntervalS)
	if !f.Enabled || listening.Add(patience).After(now) {
		return f.LastTold, false
	}
	if f.Bad {
		state = UnevaluatedState{UnevaluatedBad, f.badSince(now)}
	} else {
		state = f.unheard(now, patience)
	}
	if state.Since.IsZero() {
		return f.LastTold, false
	}
	return state, true
}

// badSince returns since when a datastream that still sends has sent nothing good for its StaleAfter, the earliest of them.
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

// unheard returns the state of a device none of whose datastreams is bad. Its time is zero when the device is evaluated, or silent.
func (f EvaluationFacts) unheard(now time.Time, patience time.Duration) UnevaluatedState {
	since := f.Evaluated
	if since.IsZero() {
		since = f.Quarantined.First
	}
	switch {
	case since.IsZero() || since.Add(patience).After(now):
		return UnevaluatedState{}
	case f.Quarantined.Last.Add(patience).After(now):
		return UnevaluatedState{UnevaluatedQuarantine, since}
	case f.LastSeen.Add(patience).After(now) && !f.Evaluated.IsZero() && f.LastSeen.After(f.Evaluated) && !f.LastSeen.Equal(f.SaidAt):
		// A device that only says its status is not late: its last message is that status.
		return UnevaluatedState{UnevaluatedLate, since}
	default:
		return UnevaluatedState{}
	}
}
