package alerts

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"onemap/alerts/cap"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// memStore is an EngineStore and a sensors.Tail in memory with the atomic semantics of the real one:
// a step is applied wholly at the cursor it was made for, or not at all.
type memStore struct {
	mu       sync.Mutex
	rules    []Rule
	targets  []sensors.Target
	states   map[key]State
	alerts   []Alert // by ID - 1
	messages []Message
	log      []Change // every change, with the alert as stored
	reopened []Audit
	steps    []Step
	batches  []sensors.Committed
	cursor   core.Mark
	holder   chan struct{} // lost of who holds the lease; nil: free

	beforeApply func(Step) error // a failure here leaves nothing behind
	afterApply  func(Step) error // a failure here leaves everything behind: the answer was lost
}

func newMemStore() *memStore { return &memStore{states: map[key]State{}} }

func (s *memStore) Lease(context.Context) (<-chan struct{}, func(), bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder != nil {
		return nil, nil, false, nil
	}
	lost := make(chan struct{})
	s.holder = lost
	return lost, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.holder == lost {
			s.holder = nil
		}
	}, true, nil
}

// lose takes the lease away from who has it.
func (s *memStore) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder != nil {
		close(s.holder)
		s.holder = nil
	}
}

func (s *memStore) Cursor(context.Context) (core.Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursor, nil
}

func (s *memStore) Rules(context.Context) ([]Rule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rules), nil
}

func (s *memStore) Targets(context.Context) ([]sensors.Target, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.targets), nil
}

func (s *memStore) States(context.Context) ([]State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []State
	for _, st := range s.states {
		all = append(all, st)
	}
	return all, nil
}

func (s *memStore) OpenAlerts(context.Context) ([]Alert, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var open []Alert
	for _, a := range s.alerts {
		if a.Detection != Cleared {
			open = append(open, a)
		}
	}
	return open, nil
}

func (s *memStore) UnexpiredMessages(_ context.Context, id int64, now time.Time) ([]Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var live []Message
	for _, m := range s.messages {
		if m.AlertID == id && m.Expires.After(now) {
			live = append(live, m)
		}
	}
	return live, nil
}

func (s *memStore) Apply(ctx context.Context, st Step) ([]Alert, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.beforeApply != nil {
		if err := s.beforeApply(st); err != nil {
			return nil, err
		}
	}
	stored, err := s.apply(st)
	if err == nil && s.afterApply != nil {
		err = s.afterApply(st)
	}
	return stored, err
}

func (s *memStore) apply(st Step) ([]Alert, error) {
	if st.From != s.cursor || st.To.Seq < st.From.Seq {
		return nil, fault.New(fault.Conflict, "the cursor is at %v, not %v", s.cursor, st.From)
	}
	seen, ids := map[key]bool{}, map[key]int64{}
	var stored []Alert
	for _, c := range st.Changes {
		k := key{c.Alert.RuleID, c.Alert.DatastreamID}
		if seen[k] {
			return nil, fault.New(fault.Internal, "two changes of %v in a step", k)
		}
		seen[k] = true
		a := c.Alert
		if a.ID == 0 {
			if slices.ContainsFunc(s.alerts, func(o Alert) bool {
				return o.Detection != Cleared && o.RuleID == k.rule && o.DatastreamID == k.datastream
			}) {
				return nil, fault.New(fault.Conflict, "%v already has an open alert", k)
			}
			a.ID = int64(len(s.alerts) + len(ids) + 1)
			ids[k] = a.ID
		}
		stored = append(stored, a)
	}
	for i, a := range stored {
		stored[i] = s.keep(st.Changes[i], a)
	}
	for _, state := range st.States {
		k := key{state.RuleID, state.DatastreamID}
		if id, ok := ids[k]; ok {
			state.AlertID = id
		}
		s.states[k] = state
	}
	s.cursor = st.To
	s.steps = append(s.steps, st)
	return slices.Clone(stored), nil
}

func (s *memStore) keep(c Change, a Alert) Alert {
	var before Alert
	if int(a.ID) <= len(s.alerts) {
		before = s.alerts[a.ID-1]
	}
	c.Alert = a
	a, reopened := c.Merge(before)
	if before.ID == 0 {
		s.alerts = append(s.alerts, a)
	} else {
		s.alerts[a.ID-1] = a
	}
	if reopened != nil {
		s.reopened = append(s.reopened, *reopened)
	}
	if c.Message != nil {
		m := *c.Message
		m.AlertID = a.ID
		s.messages = append(s.messages, m)
	}
	c.Alert = a
	s.log = append(s.log, c)
	return a
}

// handle takes a step of a person, as the desk does.
func (s *memStore) handle(c Command) (Alert, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	after, changed, err := handle(s.alerts[c.AlertID-1], c)
	if changed {
		after.Version++
		s.alerts[c.AlertID-1] = after
	}
	return after, changed, err
}

func (s *memStore) HeadBatch(context.Context) (core.Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return core.Mark{Seq: int64(len(s.batches)), ID: s.idAtLocked(int64(len(s.batches)))}, nil
}

func (s *memStore) idAtLocked(seq int64) string {
	if seq == 0 {
		return ""
	}
	return s.batches[seq-1].ID
}

func (s *memStore) BatchesAfter(_ context.Context, after core.Mark, limit int) ([]sensors.Committed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if after.Seq > int64(len(s.batches)) || s.idAtLocked(after.Seq) != after.ID {
		return nil, sensors.ErrOtherLog
	}
	rest := s.batches[after.Seq:]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

// commit appends a batch, as one of ingest's commits.
func (s *memStore) commit(at time.Time, obs ...sensors.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, sensors.Committed{Seq: int64(len(s.batches) + 1), ID: uuid.NewString(), At: at, Observations: obs})
}

// entry is what a change says, without what depends on when it was said.
type entry struct {
	Alert     int64
	Kind      string
	Detection Detection
	Level     core.Level
	Peak      core.Level
	Value     float64
	ValueAt   time.Time
	PeakValue float64
	PeakAt    time.Time
	Flaps     int
	Number    string // of the CAP message in the episode; empty when there is none
}

func (s *memStore) entries() []entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []entry
	for _, c := range s.log {
		e := entry{c.Alert.ID, c.Kind, c.Alert.Detection, c.Alert.Level, c.Alert.PeakLevel, c.Alert.Value, c.Alert.ValueAt,
			c.Alert.PeakValue, c.Alert.PeakAt, c.Alert.Flaps, ""}
		if c.Message != nil {
			_, e.Number, _ = cutLast(c.Message.Identifier, "-")
		}
		all = append(all, e)
	}
	return all
}

// wrong returns everything about the messages that must not be.
func (s *memStore) wrong() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var wrong []string
	seen, last := map[string]bool{}, map[int64]cap.Message{}
	for _, m := range s.messages {
		doc, err := cap.Unmarshal(m.XML)
		if err == nil {
			err = cap.Check(doc)
		}
		if err != nil {
			wrong = append(wrong, m.Identifier+": "+err.Error())
			continue
		}
		if seen[m.Identifier] {
			wrong = append(wrong, m.Identifier+" stands twice")
		}
		seen[m.Identifier] = true
		if m.Identifier != doc.Identifier || !m.Sent.Equal(doc.Sent) || m.MsgType != string(doc.MsgType) || !m.Expires.Equal(doc.Infos[0].Expires) {
			wrong = append(wrong, m.Identifier+": the row and the message differ")
		}
		if before, ok := last[m.AlertID]; ok {
			refers := slices.ContainsFunc(doc.References, func(r cap.Reference) bool { return r.Identifier == before.Identifier && r.Sent.Equal(before.Sent) })
			if live := before.Infos[0].Expires.After(doc.Sent); live != refers {
				wrong = append(wrong, m.Identifier+": refers to its predecessor wrongly")
			}
		} else if doc.MsgType != cap.TypeAlert {
			wrong = append(wrong, m.Identifier+": an episode begins with "+string(doc.MsgType))
		}
		last[m.AlertID] = doc
	}
	return wrong
}

// target is a datastream on a device of its own, both named alike.
func target(id int64, name, typ string) sensors.Target {
	return sensors.Target{
		Datastream: sensors.Datastream{ID: id, DeviceID: name, Name: "v", Type: typ, Title: core.Text{ZH: "水位", EN: "Water level"}},
		Device: &sensors.Device{ID: name, Division: "370602", Name: core.Text{ZH: "演示-" + name, EN: "Demo " + name}, Lon: 121.39, Lat: 37.54,
			Origin: core.OriginSynthetic, Enabled: true},
		Type: &sensors.DatastreamType{Code: typ, Title: core.Text{ZH: strings.ReplaceAll(typ, "water_level", "水位"), EN: "Water level"}, Symbol: "m", Decimals: 2, IntervalS: 60},
		Hazard: &sensors.HazardType{Code: "flood", Title: core.Text{ZH: "洪水", EN: "Flood"}, CAPCategory: "Met", RadiusM: 3000, LeadMinutes: 120,
			Instruction: core.Text{ZH: "远离河道，转移至高处。", EN: "Keep away from the river; move to high ground."}},
	}
}
