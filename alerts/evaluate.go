package alerts

import (
	"time"

	"onemap/internal/core"
	"onemap/sensors"
)

// Transition is what one reading did to one episode. The zero value is: nothing that anybody must
// be told.
type Transition struct {
	From, To core.Level // equal: no change of level
	Back     bool       // data came back to a stale episode and left its level as it was
}

// Any reports whether there is something to tell.
func (t Transition) Any() bool { return t.Back || t.From != t.To }

// Usable reports whether a reading may be evaluated at all: not QCBad, not QCMissing, and a number.
func Usable(o sensors.Observation) bool {
	return o.QC != sensors.QCBad && o.QC != sensors.QCMissing && finite(o.Value)
}

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
//   - A level is kept until a reading is at or past its Clear. Then it falls at once to the worst milder
//     level whose own Clear is not passed, or to none, which ends the episode.
//   - Firing is an episode whose level last rose (or whose data came back); Recovering is one whose
//     level last fell but that still has one. Pending is no episode yet, only a level being raised.
//   - An unusable or late reading changes nothing. No reading never clears anything.
//   - An edited rule counts ForSeconds anew and judges the level by its new values.
func Evaluate(r *Rule, s State, o sensors.Observation) (State, Transition) {
	if !Usable(o) || Late(r, &s, o.Time) {
		return s, Transition{From: s.Level, To: s.Level}
	}
	if s.RuleVersion != r.Version {
		s.Raised, s.RuleVersion = [5]time.Time{}, r.Version
	}
	held := raise(r, &s, o)
	from := s.Level
	switch {
	case held.Worse(from):
		s.Level = held
	case from != core.None && !keeps(r, from, o.Value):
		s.Level = fallsTo(r, from, o.Value)
	}
	at := o.Time
	s.LastTime, s.LastValue = &at, o.Value
	setPending(r, &s)
	back := s.Detection == Stale && s.Level == from
	s.Detection = detection(s, from)
	return s, Transition{From: from, To: s.Level, Back: back}
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

// keeps reports whether the level holds at v. A level that the rule no longer has does not.
func keeps(r *Rule, l core.Level, v float64) bool {
	t, ok := r.threshold(l)
	return ok && !r.left(t, v)
}

// fallsTo is the worst level milder than from that still holds.
func fallsTo(r *Rule, from core.Level, v float64) core.Level {
	to := core.None
	for _, t := range r.Thresholds {
		if from.Worse(t.Level) && !r.left(t, v) && t.Level.Worse(to) {
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
