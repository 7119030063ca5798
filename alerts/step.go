package alerts

import (
	"context"
	"maps"
	"slices"
	"time"

	"onemap/internal/core"
)

// step collects the states and changes that are applied together.
type step struct {
	e       *Engine
	m       *memory
	to      core.Mark
	touched map[*track]struct{}
	changes []Change
	of      []*track            // the track of each change; nil for an orphan
	twice   map[*track]struct{} // tracks that have a change in this step
	gone    []State             // states of orphans
}

func (e *Engine) newStep(m *memory) *step {
	return &step{e: e, m: m, to: m.cursor, touched: map[*track]struct{}{}, twice: map[*track]struct{}{}}
}

func (s *step) touch(t *track) { s.touched[t] = struct{}{} }

func (s *step) changed(t *track) bool {
	_, ok := s.twice[t]
	return ok
}

// add adds a change of a track to the step. It sets the alert's ID in the state of the track, because both are stored
// together.
func (s *step) add(t *track, c Change) {
	s.touch(t)
	s.twice[t] = struct{}{}
	s.changes, s.of = append(s.changes, c), append(s.of, t)
	t.state.AlertID = c.Alert.ID
	if c.Alert.Detection == Cleared {
		t.state.AlertID = 0
	}
}

// apply commits the step, advances the cursor and copies the stored alerts into memory. The step is empty afterwards.
func (s *step) apply(ctx context.Context) error {
	if s.to == s.m.cursor && len(s.touched) == 0 && len(s.changes) == 0 {
		return nil
	}
	out := Step{From: s.m.cursor, To: s.to, Changes: s.changes, States: s.gone}
	for t := range s.touched {
		out.States = append(out.States, t.state)
	}
	if err := s.commit(ctx, out); err != nil {
		return err
	}
	s.m.cursor = s.to
	clear(s.touched)
	return nil
}

// notify commits the changes and the states of their tracks, because people wait for the changes. It does not advance
// the cursor. After a failure the other readings of the step are evaluated again. The readings of the committed tracks
// are then late and change nothing.
func (s *step) notify(ctx context.Context) error {
	if len(s.changes) == 0 {
		return nil
	}
	out := Step{From: s.m.cursor, To: s.m.cursor, Changes: s.changes, States: s.gone}
	told := slices.Collect(maps.Keys(s.twice))
	for _, t := range told {
		out.States = append(out.States, t.state)
	}
	if err := s.commit(ctx, out); err != nil {
		return err
	}
	for _, t := range told {
		delete(s.touched, t)
	}
	return nil
}

// commit stores a step in one transaction and copies the stored alerts into memory. It sorts the states, so that every
// node writes them in the same order.
func (s *step) commit(ctx context.Context, out Step) error {
	slices.SortFunc(out.States, func(a, b State) int {
		return compareKeys(key{a.RuleID, a.DatastreamID}, key{b.RuleID, b.DatastreamID})
	})
	start := s.e.clock()
	stored, err := s.e.store.Apply(ctx, out)
	if err != nil {
		return err
	}
	s.e.metrics.step.Observe(s.e.clock().Sub(start).Seconds())
	for i, a := range stored {
		s.took(ctx, i, a)
	}
	clear(s.twice)
	s.changes, s.of, s.gone = nil, nil, nil
	return nil
}

// took copies one stored alert into memory, logs it and counts it.
func (s *step) took(ctx context.Context, i int, a Alert) {
	s.e.metrics.transitions.WithLabelValues(s.changes[i].Kind).Inc()
	s.e.log.InfoContext(ctx, "alert", "kind", s.changes[i].Kind, "alert", a.ID, "rule", a.RuleID, "datastream", a.DatastreamID,
		"device", a.DeviceID, "level", a.Level, "detection", a.Detection, "value", a.Value)
	t := s.of[i]
	switch {
	case t == nil:
	case a.Detection == Cleared:
		t.alert, t.state.AlertID = nil, 0
		delete(s.m.open, t.key())
	default:
		t.alert, t.state.AlertID = &a, a.ID
		s.m.open[t.key()] = t
	}
}

// messageChange returns a change with its CAP message. The state of the track is already the new one.
func (e *Engine) messageChange(ctx context.Context, t *track, why occasion, before core.Level) (Change, error) {
	var a Alert
	if t.alert != nil {
		a = *t.alert
	} else {
		a = e.begin(t)
	}
	st, c := t.state, Change{Kind: EventUpdated}
	a.Detection = st.Detection
	a.Value, a.ValueAt = st.LastValue, *st.LastTime
	st.recount(&a)
	switch why {
	case begun:
		c.Kind = EventIssued
	case ended, withdrawn:
		c.Kind, a.Detection = EventCleared, Cleared
	case rose, fell, renewed:
	}
	if a.Detection != Cleared {
		a.Level, a.PeakLevel = st.Level, core.Worst(a.PeakLevel, st.Level)
		if th, ok := t.rule.threshold(a.Level); ok {
			a.Threshold, a.Direction = th.Raise, t.rule.Direction
		}
	}
	if why == renewed {
		c.Note = note("续发", "renewed")
	}
	c.Alert = a
	return e.sign(ctx, c, issue{why: why, before: before, rule: t.rule, target: t.target})
}

// recount copies the peak and the flaps from the state to the alert.
func (s State) recount(a *Alert) {
	a.PeakValue, a.PeakAt, a.Flaps = s.PeakValue, s.PeakAt, s.Flaps
}

// begin returns the alert of a new episode, with the fields that do not change during the episode.
func (e *Engine) begin(t *track) Alert {
	g := t.target
	origin := g.Device.Origin
	if t.rule.Origin == core.OriginSynthetic { // an alert from synthetic thresholds is not a real alarm
		origin = core.OriginSynthetic
	}
	return Alert{
		RuleID: t.rule.ID, RuleName: t.rule.Name, DatastreamID: g.Datastream.ID,
		DeviceID: g.Device.ID, DeviceName: g.Device.Name, Hazard: g.Hazard.Code, HazardName: g.Hazard.Title,
		Property: g.Type.Code, PropertyName: g.Type.Title, Symbol: g.Type.Symbol,
		Handling: New, Division: g.Device.Division, Divisions: addressed(g.Device.Division),
		Lon: g.Device.Lon, Lat: g.Device.Lat, Area: circle([2]float64{g.Device.Lon, g.Device.Lat}, g.Hazard.RadiusM),
		Onset: *t.state.LastTime, OpenedAt: e.clock(), Direction: t.rule.Direction, Origin: origin,
	}
}

// addressed returns the divisions to which an alert is sent: the county of the device, because its people must act. The
// city is not addressed; it sees every alert in its area anyway.
func addressed(division string) []string {
	if division == "" {
		return []string{}
	}
	return []string{countyOf(division)}
}

// sign writes the message of the change and sets the identifier, expiry and headline of the alert. If the message cannot
// be written, sign logs the error and returns the change without a message, so that the alert is not delayed.
func (e *Engine) sign(ctx context.Context, c Change, is issue) (Change, error) {
	a := &c.Alert
	now := e.clock()
	is.sent = now.Truncate(time.Second)
	if a.ID != 0 {
		refs, err := e.store.UnexpiredMessages(ctx, a.ID, now)
		if err != nil {
			return c, err
		}
		is.refs = refs
		// A message must not be sent before its predecessors. The clock of this node may be behind the clock of the node
		// that sent them.
		for _, p := range refs {
			if p.Sent.After(is.sent) {
				is.sent = p.Sent
			}
		}
	}
	a.UpdatedAt, a.Expires = now, is.sent.Add(lead(is.target))
	if a.Detection == Cleared {
		a.ClearedAt, a.Expires = &now, is.sent.Add(e.opts.ClearFor)
	}
	decimals := 2
	if is.target != nil {
		decimals = is.target.Type.Decimals
	}
	a.Headline = e.issuer.headline(*a, is.why, decimals)
	last := *a
	var ok bool
	if a.Identifier, ok = nextIdentifier(a.Identifier); !ok {
		a.Identifier = e.issuer.identifier(is.sent)
	}
	is.alert = *a
	m, err := e.issuer.write(is)
	if err != nil {
		e.log.ErrorContext(ctx, "an alert goes without its CAP message", "rule", a.RuleID, "datastream", a.DatastreamID, "error", err)
		e.metrics.unwritten.Inc()
		a.Identifier = last.Identifier
		return c, nil
	}
	c.Message = &m
	return c, nil
}
