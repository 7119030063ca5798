package alerts

import (
	"cmp"
	"context"
	"slices"
	"time"

	"onemap/internal/core"
	"onemap/sensors"
)

// key identifies an episode: the rule and the datastream.
type key struct{ rule, datastream int64 }

// track is one rule on one datastream.
type track struct {
	rule   *Rule
	target *sensors.Target
	state  State
	alert  *Alert // the open episode; nil when there is none
}

func (t *track) key() key { return key{t.rule.ID, t.target.Datastream.ID} }

// watch holds the tracks of one datastream. It has none if no rule applies to the datastream.
type watch struct{ tracks []*track }

// memory is the leader's copy of the store's content at the cursor. The leader discards it when it may differ from the
// store.
type memory struct {
	cursor  core.Mark        // as it is stored
	step    *step            // results that are evaluated and not applied; nil: none
	watches map[int64]*watch // by datastream
	open    map[key]*track
	stray   map[key]State // stored states that have no track
	orphans []orphan      // open episodes without a track
	edited  []*track      // tracks whose rule was created or edited after their last evaluation
	targets map[int64]*sensors.Target
	seen    *freshness
}

// read returns the position up to which the batches are evaluated.
func (m *memory) read() core.Mark {
	if m.step != nil {
		return m.step.to
	}
	return m.cursor
}

// flush applies the pending step, if there is one.
func (m *memory) flush(ctx context.Context) error {
	if m.step == nil {
		return nil
	}
	if err := m.step.apply(ctx); err != nil {
		return err
	}
	m.step = nil
	return nil
}

// orphan is an open episode whose rule, device or datastream is gone, disabled or replaced.
type orphan struct {
	alert  Alert
	rule   *Rule // nil when it is gone
	target *sensors.Target
	state  State
	why    string // for the event log
}

// freshness is the leader's knowledge of the datastreams that is not in the store. It is kept across a reload.
type freshness struct {
	begun  time.Time // when the replay ended; the stale clocks start then; zero before
	newest map[int64]sensors.Observation
}

func newFreshness() *freshness { return &freshness{newest: map[int64]sensors.Observation{}} }

func (f *freshness) begin(now time.Time) {
	if f.begun.IsZero() {
		f.begun = now
	}
}

// note keeps the newest usable reading. It ignores a late reading, which does not describe the present.
func (f *freshness) note(o sensors.Observation) {
	if last, ok := f.newest[o.DatastreamID]; !ok || o.Time.After(last.Time) {
		f.newest[o.DatastreamID] = o
	}
}

// isStale reports whether the target's datastream is stale.
func (f *freshness) isStale(t *sensors.Target, now time.Time) bool {
	return sensors.IsStale(f.newest[t.Datastream.ID].EffectiveTime(), f.begun, interval(t), now)
}

// missing returns a text that states for how long there have been no data, or how late the data are.
func (f *freshness) missing(t *sensors.Target, now time.Time) string {
	o, last := f.newest[t.Datastream.ID], f.begun
	if o.ReceivedAt.After(last) {
		last = o.ReceivedAt
	}
	if now.Sub(last) < sensors.StaleAfter(interval(t)) {
		late := seconds(o.ReceivedAt.Sub(o.Time))
		return note("数据迟到 "+late+"，级别保持", "data arrive "+late+" late, the level is kept")
	}
	return note("数据中断 "+seconds(now.Sub(last))+"，级别保持", "no data for "+seconds(now.Sub(last))+", the level is kept")
}

// interval is the expected time between two observations of the target, in seconds.
func interval(t *sensors.Target) int { return cmp.Or(t.Datastream.IntervalS, t.Type.IntervalS) }

// load returns a memory with the rules, targets, states and open alerts of the store. It disables an invalid rule.
func (e *Engine) load(ctx context.Context, seen *freshness) (*memory, error) {
	m := &memory{watches: map[int64]*watch{}, open: map[key]*track{}, stray: map[key]State{}, targets: map[int64]*sensors.Target{}, seen: seen}
	var err error
	if m.cursor, err = e.store.Cursor(ctx); err != nil {
		return nil, err
	}
	rules, err := e.store.Rules(ctx)
	if err != nil {
		return nil, err
	}
	targets, err := e.sensors.Targets(ctx)
	if err != nil {
		return nil, err
	}
	states, err := e.store.States(ctx)
	if err != nil {
		return nil, err
	}
	open, err := e.store.OpenAlerts(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rules {
		if err := rules[i].Validate(); err != nil {
			e.log.ErrorContext(ctx, "a rule that cannot be is left out", "rule", rules[i].ID, "error", err)
			rules[i].Enabled = false
		}
	}
	m.watch(rules, targets)
	m.restore(states)
	m.adopt(rules, open)
	for _, w := range m.watches {
		for _, t := range w.tracks {
			if t.state.RuleVersion != t.rule.Version {
				m.edited = append(m.edited, t)
			}
		}
	}
	slices.SortFunc(m.edited, byKey)
	e.metrics.tracks.Set(float64(m.size()))
	return m, nil
}

func byKey(a, b *track) int { return compareKeys(a.key(), b.key()) }

// compareKeys orders by rule, then by datastream.
func compareKeys(a, b key) int {
	if a.rule != b.rule {
		return int(min(max(a.rule-b.rule, -1), 1))
	}
	return int(min(max(a.datastream-b.datastream, -1), 1))
}

// size returns the number of tracks.
func (m *memory) size() int {
	n := 0
	for _, w := range m.watches {
		n += len(w.tracks)
	}
	return n
}

// watch creates a track for each rule that applies to a datastream. It skips disabled rules and devices. If a datastream
// has rules of its own, they replace the rules of its type.
func (m *memory) watch(rules []Rule, targets []sensors.Target) {
	ofType, ofStream := map[string][]*Rule{}, map[int64][]*Rule{}
	for i := range rules {
		r := &rules[i]
		switch {
		case !r.Enabled:
		case r.DatastreamID != 0:
			ofStream[r.DatastreamID] = append(ofStream[r.DatastreamID], r)
		default:
			ofType[r.Type] = append(ofType[r.Type], r)
		}
	}
	for i := range targets {
		t := &targets[i]
		m.targets[t.Datastream.ID] = t
		w := &watch{}
		m.watches[t.Datastream.ID] = w
		if !t.Device.Enabled {
			continue
		}
		apply := ofType[t.Datastream.Type]
		if own := ofStream[t.Datastream.ID]; len(own) > 0 {
			apply = own
		}
		for _, r := range apply {
			w.tracks = append(w.tracks, &track{rule: r, target: t, state: State{
				RuleID: r.ID, DatastreamID: t.Datastream.ID, Detection: Normal,
			}})
		}
		if latest := t.Datastream.Latest; latest != nil && latest.Usable() {
			m.seen.note(*latest)
		}
	}
}

// find returns the track of a rule on a datastream, nil when the rule does not apply to it.
func (m *memory) find(k key) *track {
	w, ok := m.watches[k.datastream]
	if !ok {
		return nil
	}
	for _, t := range w.tracks {
		if t.rule.ID == k.rule {
			return t
		}
	}
	return nil
}

// restore sets the stored state of each track. It keeps a state without a track in m.stray, because an open alert may
// still belong to it.
func (m *memory) restore(states []State) {
	for _, s := range states {
		k := key{s.RuleID, s.DatastreamID}
		t := m.find(k)
		if t == nil {
			m.stray[k] = s
			continue
		}
		t.state = s
		if s.AlertID == 0 { // without an episode there is no level
			t.state.Level = core.None
		}
	}
}

// adopt sets the open alert of each track. If alert and state differ, the alert takes precedence, because people see it.
func (m *memory) adopt(rules []Rule, open []Alert) {
	claimed := map[key]bool{}
	for _, a := range open {
		k := key{a.RuleID, a.DatastreamID}
		t := m.find(k)
		if t == nil {
			m.orphans = append(m.orphans, m.orphan(rules, a))
			continue
		}
		claimed[k] = true
		t.alert = &a
		at := a.ValueAt
		if t.state.AlertID != a.ID {
			t.state.AlertID, t.state.Level, t.state.Detection = a.ID, a.Level, a.Detection
			t.state.PeakValue, t.state.PeakAt, t.state.Flaps = a.PeakValue, a.PeakAt, a.Flaps
		}
		if t.state.LastTime == nil {
			t.state.LastTime, t.state.LastValue = &at, a.Value
		}
		m.open[k] = t
	}
	for _, w := range m.watches {
		for _, t := range w.tracks {
			if t.state.AlertID != 0 && !claimed[t.key()] {
				t.state.AlertID, t.state.Level, t.state.Detection = 0, core.None, Normal
			}
		}
	}
}

// orphan returns an open alert without a track, with the reason. The reason goes into the history of the alert.
func (m *memory) orphan(rules []Rule, a Alert) orphan {
	o := orphan{alert: a, target: m.targets[a.DatastreamID], state: m.stray[key{a.RuleID, a.DatastreamID}], why: note("规则已删除", "the rule was deleted")}
	for i := range rules {
		if rules[i].ID == a.RuleID {
			o.rule = &rules[i]
		}
	}
	switch {
	case o.target == nil:
		o.why = note("测点已删除", "the datastream was removed")
	case !o.target.Device.Enabled:
		o.why = note("设备已停用", "the device was disabled")
	case o.rule == nil:
	case !o.rule.Enabled:
		o.why = note("规则已停用", "the rule was disabled")
	default:
		o.why = note("该测点已改用其他规则", "another rule watches the datastream now")
	}
	return o
}

// lacks reports whether the batches contain a datastream that memory does not know. It was created after the load.
func (m *memory) lacks(batches []sensors.Committed) bool {
	for _, b := range batches {
		for i := range b.Observations {
			if _, ok := m.watches[b.Observations[i].DatastreamID]; !ok {
				return true
			}
		}
	}
	return false
}

// ignore adds an empty watch for each datastream of the batches that is unknown even after a fresh load, so that lacks
// does not request another load.
func (m *memory) ignore(batches []sensors.Committed) {
	for _, b := range batches {
		for i := range b.Observations {
			if id := b.Observations[i].DatastreamID; m.watches[id] == nil {
				m.watches[id] = &watch{}
			}
		}
	}
}
