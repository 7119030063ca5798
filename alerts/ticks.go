package alerts

import (
	"context"
	"slices"
	"time"

	"onemap/sensors"
)

// tick marks the open alerts whose data have stopped as stale, and renews the messages that are about to expire. It runs
// only after the replay, so that a server that was down for an hour does not mark its devices as stale.
func (e *Engine) tick(ctx context.Context, m *memory) error {
	now, s := e.clock(), e.newStep(m)
	for _, t := range m.openTracks() {
		switch {
		case t.state.Detection != Stale && m.seen.isStale(t.target, now):
			t.state.Detection = Stale
			a := *t.alert
			a.Detection, a.UpdatedAt = Stale, now
			t.state.recount(&a)
			s.add(t, Change{Kind: EventStale, Alert: a, Note: m.seen.missing(t.target, now)})
		case t.alert.Expires.Sub(now) <= e.renewBefore(t.target):
			c, err := e.messageChange(ctx, t, renewed, t.state.Level)
			if err != nil {
				return err
			}
			s.add(t, c)
		}
	}
	return s.apply(ctx)
}

// openTracks returns the open episodes in a fixed order.
func (m *memory) openTracks() []*track {
	open := make([]*track, 0, len(m.open))
	for _, t := range m.open {
		open = append(open, t)
	}
	slices.SortFunc(open, byKey)
	return open
}

// renewBefore returns how long before its expiry a message is renewed. It is at most a quarter of the message's life,
// because a short-lived message would otherwise be renewed with every tick.
func (e *Engine) renewBefore(t *sensors.Target) time.Duration {
	return min(e.opts.RenewBefore, lead(t)/4)
}

// settle applies changed rules to the open episodes. It runs after the readings that were committed before the change.
// It does nothing if no rule has changed:
//
//   - An episode without a rule, device or datastream is cleared, with a note that states the reason.
//   - A new or edited rule evaluates the newest reading, unless that reading is stale. A new rule for a river that is
//     already too high then fires at once.
func (e *Engine) settle(ctx context.Context, m *memory) error {
	if len(m.orphans) == 0 && len(m.edited) == 0 {
		return nil
	}
	if err := m.flush(ctx); err != nil {
		return err
	}
	s := e.newStep(m)
	for _, o := range m.orphans {
		c := Change{Kind: EventCleared, Alert: o.alert, Note: o.why}
		c.Alert.Detection = Cleared
		if o.state.AlertID == o.alert.ID && !o.state.PeakAt.IsZero() {
			o.state.recount(&c.Alert)
		}
		c, err := e.sign(ctx, c, issue{why: withdrawn, before: o.alert.Level, rule: o.rule, target: o.target})
		if err != nil {
			return err
		}
		s.changes, s.of = append(s.changes, c), append(s.of, nil)
		s.gone = append(s.gone, State{RuleID: o.alert.RuleID, DatastreamID: o.alert.DatastreamID, Detection: Normal,
			LastTime: o.state.LastTime, LastValue: o.state.LastValue})
	}
	for _, t := range m.edited {
		o, ok := m.seen.newest[t.target.Datastream.ID]
		if !ok || t.state.RuleVersion == t.rule.Version || sensors.IsStale(o.EffectiveTime(), time.Time{}, interval(t.target), e.clock()) {
			continue
		}
		if err := e.onTrack(ctx, s, t, o); err != nil {
			return err
		}
	}
	if err := s.apply(ctx); err != nil {
		return err
	}
	m.orphans, m.edited = nil, nil
	return nil
}
