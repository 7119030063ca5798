package alerts

import (
	"time"

	"onemap/internal/core"
	"onemap/sensors"
)

// FlapsTold is the number of broken holds at which people are told that an alert flaps.
const FlapsTold = 3

// Transition is what one reading did to one episode. The zero value is: nothing that anybody must
// be told.
type Transition struct {
	From, To core.Level // equal: no change of level
	Back     bool       // data came back to a stale episode and left its level as it was
	Flapping bool       // the reading broke the FlapsTold-th hold of the episode
}

// Any reports whether there is something to tell.
func (t Transition) Any() bool { return t.Back || t.Flapping || t.From != t.To }

// Late reports whether a reading is too old to be evaluated: at or before the newest evaluated one.
// A rule that was made or edited since may look at that newest one again.
func Late(r *Rule, s *State, t time.Time) bool {
	if s.LastTime == nil {
		return false
	}
	return t.Before(*s.LastTime) || (t.Equal(*s.LastTime) && s.RuleVersion == r.Version)
}

// Evaluate is the whole of detection: what one reading makes of a rule's state on a datastream. It is
// pure and in event time, and because of State.LastTime it is idempotent: readings that were evaluated
// before change nothing, so replaying too much is harmless.
//
//   - A level is raised from the first reading at or past its Raise for as long as none is short of it.
//     The alert rises to the worst level that has been raised for ForSeconds: 0 is at once. Time
//     without readings counts, too: silence after a dangerous reading is no reason to wait.
//   - A level is left when no reading has been short of its Clear for HoldSeconds: 0 is at once. Then it
//     falls to the worst milder level that is not left itself, or to none, which ends the episode. Falls to
//     a milder level are held, too, for each of them is a message. It takes a reading to end a hold.
//   - A reading that is short of the Clear of the alert's level again breaks the hold: that is a flap.
//   - Firing is an episode whose level last rose (or whose data came back); Recovering is one whose
//     level last fell but that still has one. Pending is no episode yet, only a level being raised.
//   - An unusable or late reading changes nothing. No reading never clears anything.
//   - An edited rule counts ForSeconds and HoldSeconds anew and judges the level by its new values. A level
//     that it no longer has is left at once.
func Evaluate(r *Rule, s State, o sensors.Observation) (State, Transition) {
	if !o.Usable() || Late(r, &s, o.Time) {
		return s, Transition{From: s.Level, To: s.Level}
	}
	if s.RuleVersion != r.Version {
		s.Raised, s.Calm, s.RuleVersion = [5]time.Time{}, [5]time.Time{}, r.Version
	}
	from := s.Level
	held, broken := raise(r, &s, o), calm(r, &s, o)
	switch {
	case held.Worse(from):
		s.Level = held
	case from != core.None:
		s.Level = settle(r, &s, o)
	}
	at := o.Time
	s.LastTime, s.LastValue = &at, o.Value
	flapping := remember(r, &s, o, from, broken)
	setPending(r, &s)
	back := s.Detection == Stale && s.Level == from
	s.Detection = detection(s, from)
	return s, Transition{From: from, To: s.Level, Back: back, Flapping: flapping}
}

// remember keeps what the episode has been through, and reports whether it has just come to FlapsTold flaps.
func remember(r *Rule, s *State, o sensors.Observation, from core.Level, broken bool) bool {
	switch {
	case s.Level == core.None:
		s.Calm = [5]time.Time{}
		return false
	case from == core.None:
		s.PeakValue, s.PeakAt, s.Flaps = o.Value, o.Time, 0
		return false
	case s.PeakAt.IsZero() || r.worse(o.Value, s.PeakValue):
		s.PeakValue, s.PeakAt = o.Value, o.Time
	}
	if broken {
		s.Flaps++
	}
	return broken && s.Flaps == FlapsTold
}

// raise notes which levels are raised since when, and gives the worst one that has been for long enough.
func raise(r *Rule, s *State, o sensors.Observation) core.Level {
	held, enough := core.None, time.Duration(r.ForSeconds)*time.Second
	for _, t := range r.Thresholds {
		since := &s.Raised[t.Level]
		switch {
		case !r.met(t, o.Value):
			*since = time.Time{}
			continue
		case since.IsZero():
			*since = o.Time
		}
		if o.Time.Sub(*since) >= enough && t.Level.Worse(held) {
			held = t.Level
		}
	}
	return held
}

// calm notes which levels' clear values are passed since when. broken says that the reading is short of that of
// the alert's level again, after one that was past it.
func calm(r *Rule, s *State, o sensors.Observation) (broken bool) {
	for _, t := range r.Thresholds {
		since := &s.Calm[t.Level]
		switch {
		case !r.left(t, o.Value):
			broken = broken || (t.Level == s.Level && !since.IsZero())
			*since = time.Time{}
		case since.IsZero():
			*since = o.Time
		}
	}
	return broken
}

// settle is the level that the alert has after a reading that raised none: its own, or the worst milder one
// that it has not left.
func settle(r *Rule, s *State, o sensors.Observation) core.Level {
	hold := time.Duration(r.HoldSeconds) * time.Second
	_, known := r.threshold(s.Level)
	to := core.None
	for _, t := range r.Thresholds {
		left := r.left(t, o.Value)
		if known {
			left = left && o.Time.Sub(s.Calm[t.Level]) >= hold
		}
		if !left && !t.Level.Worse(s.Level) && t.Level.Worse(to) {
			to = t.Level
		}
	}
	return to
}

// setPending says which level is on its way, for people to see.
func setPending(r *Rule, s *State) {
	s.PendingLevel, s.PendingSince = core.None, nil
	for _, t := range r.Thresholds {
		since := s.Raised[t.Level]
		if !since.IsZero() && t.Level.Worse(s.Level) && t.Level.Worse(s.PendingLevel) {
			s.PendingLevel, s.PendingSince = t.Level, &since
		}
	}
}

// detection returns the state of detection after an observation, of which from was the level before. It is the
// trend that counts: an episode whose level fell stays Recovering until it rises again or ends.
func detection(s State, from core.Level) Detection {
	switch {
	case s.Level == core.None && s.PendingLevel != core.None:
		return Pending
	case s.Level == core.None:
		return Normal
	case s.Level.Worse(from):
		return Firing
	case from.Worse(s.Level):
		return Recovering
	case s.Detection == Recovering:
		return Recovering
	default:
		return Firing
	}
}
