package alerts

import (
	"time"

	"onemap/internal/core"
	"onemap/sensors"
)

// FlapsTold is the number of broken holds at which people are notified that an alert flaps.
const FlapsTold = 3

// Transition is the effect of one reading on one episode. The zero value means that no notification is necessary.
type Transition struct {
	From, To core.Level // equal: no change of level
	Back     bool       // data arrived for a stale episode, and its level did not change
	Flapping bool       // the reading broke the FlapsTold-th hold of the episode
}

// Any reports whether people must be notified of the transition.
func (t Transition) Any() bool { return t.Back || t.Flapping || t.From != t.To }

// Late reports whether a reading is too old to be evaluated: its time is before or equal to that of the newest evaluated
// reading. A rule that was created or edited since then may evaluate the newest reading again.
func Late(r *Rule, s *State, t time.Time) bool {
	if s.LastTime == nil {
		return false
	}
	return t.Before(*s.LastTime) || (t.Equal(*s.LastTime) && s.RuleVersion == r.Version)
}

// Evaluate applies one reading to a rule's state on a datastream and returns the next state and the transition. It is
// pure and uses event time. It is idempotent because of State.LastTime: a reading that was evaluated before changes
// nothing, so a replay of too many readings is harmless.
//
//   - A level is raised from the first reading that meets its Raise, until a reading does not meet it. The alert
//     rises to the worst level that has been raised for ForSeconds (0: at once). Time without readings counts too,
//     because missing data after a dangerous reading is no reason to wait.
//   - A level is left when every reading has passed its Clear for HoldSeconds (0: at once). The alert then falls to
//     the worst milder level that is not left, or to no level, which ends the episode. A fall to a milder level is
//     held too, because each fall sends a message. Only a reading can end a hold.
//   - A reading that no longer passes the Clear of the alert's level breaks the hold. This is a flap.
//   - Firing is an episode whose level last rose, or whose data returned. Recovering is an episode whose level last
//     fell and is not none. Pending is not an episode: a level is raised, and ForSeconds has not passed.
//   - An unusable or late reading changes nothing. Missing readings never clear an alert.
//   - An edited rule restarts ForSeconds and HoldSeconds and evaluates the level by its new values. A level that the
//     rule no longer has is left at once.
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

// remember updates the peak and the flaps of the episode. It reports whether the flaps have just reached FlapsTold.
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

// raise records since when each level is raised. It returns the worst level that has been raised for ForSeconds, or none.
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

// calm records since when the clear value of each level is passed. broken is true if the reading no longer passes the
// clear value of the alert's level, and an earlier reading did.
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

// settle returns the level of the alert after a reading that raised no worse level: the same level, or the worst milder
// level that is not left, or none.
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

// setPending sets the worst level that is raised and above the alert's level. It is for display.
func setPending(r *Rule, s *State) {
	s.PendingLevel, s.PendingSince = core.None, nil
	for _, t := range r.Thresholds {
		since := s.Raised[t.Level]
		if !since.IsZero() && t.Level.Worse(s.Level) && t.Level.Worse(s.PendingLevel) {
			s.PendingLevel, s.PendingSince = t.Level, &since
		}
	}
}

// detection returns the state of detection after an observation. from is the level before it. An episode whose level
// fell stays Recovering until its level rises again or it ends.
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
