package alerts

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"onemap/internal/core"
	"onemap/sensors"
)

// worker drives an engine by hand, so that it can be killed between any two of its breaths.
type worker struct {
	t     *rapid.T
	store *memStore
	limit int
	now   time.Time
	e     *Engine
	m     *memory
}

var errKilled = errors.New("killed")

// pass evaluates everything that is committed, as a session does, and stores what told nobody anything when it
// is time to. A failure kills the engine: the next pass begins from the store.
func (w *worker) pass(due bool) error {
	ctx := context.Background()
	if w.e == nil {
		w.e = NewEngine(Options{BatchLimit: w.limit}, w.store, w.store, quiet(), nil, func() time.Time { return w.now })
		var err error
		if w.m, err = w.e.load(ctx, newFreshness()); err != nil {
			w.t.Fatal(err)
		}
	}
	err := w.e.catchUp(ctx, w.m)
	if err == nil && due {
		err = w.m.flush(ctx)
	}
	if err == nil {
		err = w.e.settle(ctx, w.m)
	}
	if err != nil {
		w.e = nil
	}
	return err
}

func genRules(t *rapid.T) []Rule {
	rules := []Rule{{
		ID: 1, Name: core.Text{ZH: "a"}, Type: "water_level", Direction: Above, Enabled: true, Version: 1,
		ForSeconds: rapid.SampledFrom([]int{0, 0, 2, 5}).Draw(t, "for"), HoldSeconds: rapid.SampledFrom([]int{0, 2, 5}).Draw(t, "hold"),
		Thresholds: []Threshold{{core.Red, 8, 7}, {core.Orange, 6, 5}, {core.Blue, 3, 2}},
	}}
	if rapid.Bool().Draw(t, "two rules") {
		rules = append(rules, Rule{ID: 2, Name: core.Text{ZH: "b"}, Type: "water_level", Direction: Below, Enabled: true, Version: 1,
			Thresholds: []Threshold{{core.Yellow, 1, 4}}})
	}
	return rules
}

// genBatches makes commits of readings that mostly go forward in time, with late ones, repetitions
// and bad ones among them.
func genBatches(t *rapid.T, start time.Time) [][]sensors.Observation {
	at := [3]int{}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []sensors.Observation {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) sensors.Observation {
			ds := rapid.IntRange(1, 2).Draw(t, "ds")
			at[ds] += rapid.IntRange(-2, 4).Draw(t, "dt")
			qc := rapid.SampledFrom([]sensors.QC{1, 1, 1, 1, 1, 2, 3, 4, 9}).Draw(t, "qc")
			when := start.Add(time.Duration(at[ds]) * time.Second)
			return sensors.Observation{DatastreamID: int64(ds), Time: when, ReceivedAt: when, QC: qc,
				Value: float64(rapid.IntRange(0, 9).Draw(t, "v"))}
		}), 0, 6).Draw(t, "batch")
	}), 1, 12).Draw(t, "batches")
}

func newCity(rules []Rule) *memStore {
	s := newMemStore()
	s.rules, s.targets = rules, []sensors.Target{target(1, "river", "water_level"), target(2, "brook", "water_level")}
	return s
}

// byStream splits the changes by rule and datastream: how different episodes interleave depends on
// where steps are cut, what each of them says does not.
func byStream(s *memStore) map[key][]entry {
	split := map[key][]entry{}
	for i, e := range s.entries() {
		a := s.log[i].Alert
		e.Alert = 0 // given in the order of commits
		k := key{a.RuleID, a.DatastreamID}
		split[k] = append(split[k], e)
	}
	return split
}

// levels is what the alerts must do, from nothing but Evaluate on every reading in its order.
func levels(rules []Rule, batches [][]sensors.Observation) map[key][]core.Level {
	out := map[key][]core.Level{}
	for i := range rules {
		for ds := int64(1); ds <= 2; ds++ {
			k, st := key{rules[i].ID, ds}, State{Detection: Normal}
			for _, b := range batches {
				for _, o := range b {
					if o.DatastreamID != ds {
						continue
					}
					var tr Transition
					if st, tr = Evaluate(&rules[i], st, o); tr.Any() {
						out[k] = append(out[k], tr.To)
					}
				}
			}
		}
	}
	return out
}

// TestExactlyOnce kills the engine at any point: between a commit and its evaluation, before a step is
// applied, and after it was applied but before the engine knew. The alerts are those of a run that
// nobody disturbed: none is lost, none doubled.
func TestExactlyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
		rules := genRules(t)
		batches := genBatches(t, start)

		calm := &worker{t: t, store: newCity(rules), limit: 64, now: start}
		hard := &worker{t: t, store: newCity(rules), limit: rapid.IntRange(1, 5).Draw(t, "limit"), now: start}
		hard.store.beforeApply = func(Step) error {
			if rapid.IntRange(0, 3).Draw(t, "before") == 0 {
				return errKilled
			}
			return nil
		}
		hard.store.afterApply = func(Step) error {
			if rapid.IntRange(0, 3).Draw(t, "after") == 0 {
				return errKilled
			}
			return nil
		}
		for _, b := range batches {
			calm.store.commit(start, b...)
			if err := calm.pass(true); err != nil {
				t.Fatal(err)
			}
			hard.store.commit(start, b...)
			switch rapid.IntRange(0, 3).Draw(t, "fate") {
			case 0: // evaluation is late
			case 1: // killed between commit and evaluation
				hard.e = nil
			default:
				if err := hard.pass(rapid.Bool().Draw(t, "due")); err != nil && !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
			}
		}
		hard.store.beforeApply, hard.store.afterApply = nil, nil
		hard.e = nil
		if err := hard.pass(true); err != nil {
			t.Fatal(err)
		}
		compareRuns(t, calm.store, hard.store)
		compareWithModel(t, levels(rules, batches), hard.store)
	})
}

func compareRuns(t *rapid.T, calm, hard *memStore) {
	if diff := cmp.Diff(byStream(calm), byStream(hard)); diff != "" {
		t.Errorf("the disturbed run differs:\n%s", diff)
	}
	states := func(s *memStore) map[key]State {
		out := map[key]State{}
		for k, st := range s.states {
			if st.AlertID != 0 {
				st.AlertID = 1
			}
			out[k] = st
		}
		return out
	}
	if diff := cmp.Diff(states(calm), states(hard)); diff != "" {
		t.Errorf("the states differ:\n%s", diff)
	}
	for name, s := range map[string]*memStore{"calm": calm, "hard": hard} {
		for _, w := range s.wrong() {
			t.Errorf("%s: %s", name, w)
		}
	}
}

func compareWithModel(t *rapid.T, want map[key][]core.Level, s *memStore) {
	got := map[key][]core.Level{}
	for k, es := range byStream(s) {
		for _, e := range es {
			l := e.Level
			if e.Detection == Cleared {
				l = core.None
			}
			got[k] = append(got[k], l)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the alerts are not what the readings say:\n%s", diff)
	}
}

// TestEvaluateIsIdempotent: replaying any readings that were evaluated changes nothing.
func TestEvaluateIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRules(t)[0]
		var all []sensors.Observation
		for _, b := range genBatches(t, time.Unix(1e9, 0)) {
			all = append(all, b...)
		}
		st := State{Detection: Normal}
		for i, o := range all {
			st, _ = Evaluate(&r, st, o)
			again, tr := Evaluate(&r, st, all[rapid.IntRange(0, i).Draw(t, "again")])
			if diff := cmp.Diff(st, again); diff != "" || tr.Any() {
				t.Fatalf("a replay changed the state:\n%s", diff)
			}
		}
	})
}
