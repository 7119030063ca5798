package alerts

import (
	"context"
	"maps"
	"slices"
	"time"

	"onemap/internal/core"
)

// step gathers what is applied together.
type step struct {
	e       *Engine
	m       *memory
	to      core.Mark
	touched map[*track]struct{}
	changes []Change
	of      []*track            // of each change; nil for an orphan's
	twice   map[*track]struct{} // tracks that have a change in it
	gone    []State             // of orphans
}

func (e *Engine) newStep(m *memory) *step {
	return &step{e: e, m: m, to: m.cursor, touched: map[*track]struct{}{}, twice: map[*track]struct{}{}}
}

func (s *step) touch(t *track) { s.touched[t] = struct{}{} }

func (s *step) changed(t *track) bool {
	_, ok := s.twice[t]
	return ok
}

// add puts a change of a track into the step. The track has the alert as it will be from now on, so
// that its state is written with it.
func (s *step) add(t *track, c Change) {
	s.touch(t)
	s.twice[t] = struct{}{}
	s.changes, s.of = append(s.changes, c), append(s.of, t)
	t.state.AlertID = c.Alert.ID
	if c.Alert.Detection == Cleared {
		t.state.AlertID = 0
	}
}

// apply commits what was gathered and takes over what was stored. The step is empty afterwards.
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

// notify commits the changes and their tracks' states alone, for somebody waits for these. The cursor stays: after
// a failure what the step holds beside them is evaluated again, and they are not, because they have been.
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

// commit stores a step in one transaction and takes over what the store made of it. The states are sorted, so that
// every node writes them in the same order.
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

// took takes over one alert as it was stored.
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

// messageChange makes a change with its CAP message out of a track whose state is already the new one.
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

// recount puts what the state has counted of an episode into its alert.
func (s State) recount(a *Alert) {
	a.PeakValue, a.PeakAt, a.Flaps = s.PeakValue, s.PeakAt, s.Flaps
}

// begin is a new episode of a track: everything that does not change while it lasts.
func (e *Engine) begin(t *track) Alert {
	g := t.target
	origin := g.Device.Origin
	if t.rule.Origin == core.OriginSynthetic { // made-up thresholds make no real alarm
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

// addressed is whom an alert goes to: the county of the device, for its people must act. The city
// sees everything that lies in it without being addressed.
func addressed(division string) []string {
	if division == "" {
		return []string{}
	}
	return []string{countyOf(division)}
}

// sign writes the change's message and puts its identifier, expiry and headline into the alert. A
// message that cannot be written does not hold the alert back: it goes without, and that is logged.
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
		for _, p := range refs { // a node whose clock is behind the last one's
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
