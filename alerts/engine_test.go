package alerts

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// node runs an engine until stop is called.
type node struct {
	*Engine
	stop func()
}

func startNode(t *testing.T, name string, s *memStore, reg prometheus.Registerer) node {
	ctx, cancel := context.WithCancel(t.Context())
	e := NewEngine(Options{Node: name}, s, s, quiet(), reg, time.Now)
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	synctest.Wait()
	return node{e, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}}
}

func floodRule() Rule {
	return Rule{ID: 1, Name: core.Text{ZH: "flood"}, Type: "water_level", Direction: Above, Enabled: true, Version: 1,
		Thresholds: []Threshold{{core.Red, 4.5, 4.2}}}
}

func reading(v float64) sensors.Observation {
	return sensors.Observation{DatastreamID: 1, Time: time.Now(), ReceivedAt: time.Now(), Value: v, QC: sensors.QCGood}
}

func kinds(s *memStore) []string {
	var ks []string
	for _, e := range s.entries() {
		ks = append(ks, strings.TrimPrefix(e.Kind, "alert."))
	}
	return ks
}

func wantKinds(t *testing.T, s *memStore, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, kinds(s)); diff != "" {
		t.Errorf("the changes differ:\n%s", diff)
	}
}

func TestStandbyTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCity([]Rule{floodRule()})
		a, b := startNode(t, "a", s, nil), startNode(t, "b", s, nil)
		defer b.stop()
		if h := a.Health(); !h.OK || !strings.Contains(h.Detail, "on this node") {
			t.Errorf("leader: %+v", h)
		}
		if h := b.Health(); !h.OK || !strings.Contains(h.Detail, "another node") {
			t.Errorf("standby: %+v", h)
		}
		s.commit(time.Now(), reading(5))
		b.Wake()
		time.Sleep(300 * time.Millisecond) // the poll alone
		wantKinds(t, s, "issued")
		a.stop()
		s.commit(time.Now(), reading(1))
		time.Sleep(1500 * time.Millisecond)
		wantKinds(t, s, "issued", "cleared")
		if h := b.Health(); !h.OK || !strings.Contains(h.Detail, "on this node") {
			t.Errorf("new leader: %+v", h)
		}
	})
}

func TestLostLeaseStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCity([]Rule{floodRule()})
		a := startNode(t, "a", s, nil)
		defer a.stop()
		s.lose()
		if _, release, ok, _ := s.Lease(t.Context()); !ok {
			t.Fatal("the lease is not free")
		} else {
			defer release()
		}
		synctest.Wait()
		s.commit(time.Now(), reading(5))
		a.Wake()
		time.Sleep(time.Minute)
		wantKinds(t, s)
		h := a.Health()
		if h.OK || h.Lag < 59 {
			t.Errorf("a standby whose leader does nothing: %+v", h)
		}
	})
}

func TestFailuresPauseAndNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCity([]Rule{floodRule()})
		a := startNode(t, "a", s, nil)
		defer a.stop()
		s.mu.Lock()
		s.beforeApply = func(Step) error { return fault.New(fault.Unavailable, "the database is away") }
		s.mu.Unlock()
		s.commit(time.Now(), reading(5))
		time.Sleep(time.Minute)
		if h := a.Health(); h.OK || h.Lag < 59 || !strings.Contains(h.Detail, "retrying") || strings.Contains(h.Detail, "database") {
			t.Errorf("while failing: %+v", h)
		}
		s.mu.Lock()
		s.beforeApply, s.afterApply = nil, func(Step) error { return errors.New("the answer was lost") }
		s.mu.Unlock()
		time.Sleep(time.Second)
		s.mu.Lock()
		s.afterApply = nil
		s.mu.Unlock()
		time.Sleep(time.Second)
		wantKinds(t, s, "issued")
		if h := a.Health(); !h.OK || h.Lag != 0 {
			t.Errorf("afterwards: %+v", h)
		}
		time.Sleep(2 * time.Minute) // nobody could be heard while the store was away
		wantKinds(t, s, "issued")
	})
}

func TestConflictStartsFromTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCity([]Rule{floodRule()})
		a := startNode(t, "a", s, nil)
		defer a.stop()
		s.commit(time.Now(), reading(5))
		// another node was faster by the same batch
		other := &worker{store: s, limit: 64, now: time.Now()}
		if err := other.pass(true); err != nil {
			t.Fatal(err)
		}
		a.Wake()
		time.Sleep(time.Second)
		s.commit(time.Now(), reading(1))
		a.Wake()
		time.Sleep(time.Second)
		wantKinds(t, s, "issued", "cleared")
	})
}

func TestMissedReloadIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCity(nil)
		a := startNode(t, "a", s, nil)
		defer a.stop()
		s.commit(time.Now(), reading(5))
		time.Sleep(time.Second)
		s.mu.Lock()
		s.rules = []Rule{floodRule(), {ID: 2, Enabled: true}} // the second cannot be, and harms nobody
		s.mu.Unlock()
		time.Sleep(61 * time.Second)
		wantKinds(t, s, "issued")
	})
}

func TestUnknownDatastreamsAreLookedUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCity([]Rule{floodRule()})
		a := startNode(t, "a", s, nil)
		defer a.stop()
		o := reading(5)
		o.DatastreamID = 77
		s.commit(time.Now(), o, reading(5))
		a.Wake()
		synctest.Wait()
		wantKinds(t, s, "issued")
		if c, _ := s.Cursor(t.Context()); c.Seq != 1 {
			t.Errorf("the cursor is at %d", c.Seq)
		}
	})
}

func TestHandlingSurvivesTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCity([]Rule{floodRule()})
		a := startNode(t, "a", s, nil)
		defer a.stop()
		s.commit(time.Now(), reading(5))
		a.Wake()
		synctest.Wait()
		s.mu.Lock()
		s.alerts[0].Handling, s.alerts[0].Assignee = Assigned, "r370602"
		s.mu.Unlock()
		time.Sleep(time.Second)
		s.commit(time.Now(), reading(1))
		a.Wake()
		synctest.Wait()
		if got := s.alerts[0]; got.Handling != Assigned || got.Assignee != "r370602" || got.Detection != Cleared || got.ClearedAt == nil {
			t.Errorf("%+v", got)
		}
	})
}

// TestLoadRepairs: what the store says of a state and its alert cannot contradict each other in what the
// engine goes on with. The alert decides, for it is what people see.
func TestLoadRepairs(t *testing.T) {
	now := time.Date(2026, 11, 23, 6, 58, 1, 0, time.UTC)
	s := newCity([]Rule{floodRule()})
	at := now.Add(-time.Minute)
	open := Alert{ID: 1, RuleID: 1, DatastreamID: 1, Detection: Firing, Level: core.Red, Value: 5, ValueAt: at, Expires: now.Add(time.Hour)}
	lost := Alert{ID: 2, RuleID: 1, DatastreamID: 99, DeviceID: "gone", Detection: Stale, Level: core.Red, PeakLevel: core.Red, Value: 5, ValueAt: at,
		PeakValue: 6, PeakAt: at}
	s.alerts = []Alert{open, lost}
	s.states[key{1, 2}] = State{RuleID: 1, DatastreamID: 2, Detection: Firing, Level: core.Red, AlertID: 7, LastTime: &at, RuleVersion: 1}
	w := &worker{store: s, limit: 64, now: now}
	if err := w.pass(true); err != nil {
		t.Fatal(err)
	}
	if st := w.m.find(key{1, 1}).state; st.AlertID != 1 || st.Level != core.Red || st.Detection != Firing || !st.LastTime.Equal(at) {
		t.Errorf("an alert without a state: %+v", st)
	}
	if st := w.m.find(key{1, 2}).state; st.AlertID != 0 || st.Level != core.None || st.Detection != Normal {
		t.Errorf("a state without its alert: %+v", st)
	}
	if diff := cmp.Diff([]entry{{Alert: 2, Kind: EventCleared, Detection: Cleared, Level: core.Red, Peak: core.Red,
		Value: 5, ValueAt: at, PeakValue: 6, PeakAt: at, Number: "1"}}, s.entries()); diff != "" {
		t.Errorf("an alert of a datastream that is gone:\n%s", diff)
	}
	if got := s.log[0].Note; !strings.Contains(got, "removed") {
		t.Errorf("it says %q", got)
	}
}

// TestLatestOfTheStore: a rule that was made while no engine ran looks at the newest reading, if it is
// fresh enough to mean anything.
func TestLatestOfTheStore(t *testing.T) {
	now := time.Date(2026, 11, 23, 6, 58, 1, 0, time.UTC)
	s := newCity([]Rule{floodRule()})
	for i, age := range []time.Duration{time.Minute, time.Hour} {
		at := now.Add(-age)
		s.targets[i].Datastream.Latest = &sensors.Observation{DatastreamID: int64(i + 1), Time: at, ReceivedAt: at, Value: 5, QC: sensors.QCGood}
	}
	if err := (&worker{store: s, limit: 64, now: now}).pass(true); err != nil {
		t.Fatal(err)
	}
	if e := s.entries(); len(e) != 1 || s.log[0].Alert.DatastreamID != 1 {
		t.Errorf("%+v", e)
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, reg := newCity([]Rule{floodRule()}), prometheus.NewPedanticRegistry()
		a := startNode(t, "a", s, reg)
		s.commit(time.Now(), reading(5))
		a.Wake()
		synctest.Wait()
		got := map[string]float64{}
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				parts := []string{f.GetName()}
				for _, l := range m.GetLabel() {
					parts = append(parts, l.GetValue())
				}
				name := strings.Join(parts, "/")
				got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		for name, want := range map[string]float64{
			"onemap_rules_readings_evaluated_total": 1, "onemap_rules_transitions_total/alert.issued": 1, "onemap_rules_transitions_total/alert.stale": 0,
			"onemap_rules_leader": 1, "onemap_rules_step_seconds": 1, "onemap_rules_tracks": 2, "onemap_rules_lag_seconds": 0,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s is %v, want %v", name, v, want)
			}
		}
		a.stop()
	})
}

// BenchmarkEngine is readings a second through the engine, over a store in memory: 1,200 datastreams,
// batches of 500 as ingest commits them under load, two rules each.
func BenchmarkEngine(b *testing.B) {
	const streams, size = 1200, 500
	s := newMemStore()
	s.rules = []Rule{floodRule(), floodRule()}
	s.rules[1].ID, s.rules[1].ForSeconds = 2, 60
	for id := int64(1); id <= streams; id++ {
		s.targets = append(s.targets, target(id, "d", "water_level"))
	}
	start, n := time.Now(), 0
	for n < b.N {
		obs := make([]sensors.Observation, size)
		for i := range obs {
			at := start.Add(time.Duration(n/streams) * time.Second)
			obs[i] = sensors.Observation{DatastreamID: int64(n%streams + 1), Time: at, ReceivedAt: at, Value: float64(n % 4), QC: sensors.QCGood}
			n++
		}
		s.commit(start, obs...)
	}
	e := NewEngine(Options{}, s, s, quiet(), nil, nil)
	m, err := e.load(b.Context(), newFreshness())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	if err := e.catchUp(b.Context(), m); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "readings/s")
}
