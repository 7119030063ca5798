package alerts

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

func goodRule() Rule {
	return Rule{
		ID: 1, Name: core.Text{ZH: "水位", EN: "Water level"}, Type: "water_level", Direction: Above, Enabled: true, Version: 1,
		Thresholds: []Threshold{{core.Red, 4.5, 4.2}, {core.Orange, 4, 3.7}, {core.Yellow, 3.5, 3.2}, {core.Blue, 3, 2.7}},
		Origin:     core.OriginSynthetic,
	}
}

// fields lists the fields that an error names.
func fields(err error) []string {
	var names []string
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			names = append(names, fields(e)...)
		}
		return names
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		names = append(names, e.Field)
	}
	return names
}

func TestRuleValidate(t *testing.T) {
	if err := goodRule().Validate(); err != nil {
		t.Fatal(err)
	}
	low := goodRule()
	low.Direction, low.Thresholds = Below, []Threshold{{core.Red, 1, 2}, {core.Blue, 3, 3.5}}
	if err := low.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		want  []string
		spoil func(*Rule)
	}{
		{[]string{"name.zh"}, func(r *Rule) { r.Name.ZH = "" }},
		{[]string{"name.en"}, func(r *Rule) { r.Name.EN = strings.Repeat("x", MaxRuleName+1) }},
		{[]string{"datastream_type"}, func(r *Rule) { r.Type = "" }},
		{[]string{"datastream_id"}, func(r *Rule) { r.DatastreamID = -1 }},
		{[]string{"direction"}, func(r *Rule) { r.Direction = "up" }},
		{[]string{"for_seconds"}, func(r *Rule) { r.ForSeconds = -1 }},
		{[]string{"for_seconds"}, func(r *Rule) { r.ForSeconds = MaxForSeconds + 1 }},
		{[]string{"hold_seconds"}, func(r *Rule) { r.HoldSeconds = -1 }},
		{[]string{"hold_seconds"}, func(r *Rule) { r.HoldSeconds = MaxHoldSeconds + 1 }},
		{[]string{"origin"}, func(r *Rule) { r.Origin = "made-up" }},
		{[]string{"thresholds"}, func(r *Rule) { r.Thresholds = nil }},
		{[]string{"thresholds"}, func(r *Rule) {
			r.Thresholds = append(r.Thresholds, Threshold{core.Blue, 2, 1})
		}},
		{[]string{"thresholds[3].level"}, func(r *Rule) { r.Thresholds[3].Level = core.None }},
		{[]string{"thresholds[3].level"}, func(r *Rule) { r.Thresholds[3].Level = 7 }},
		{[]string{"thresholds[1].level"}, func(r *Rule) { r.Thresholds[1].Level = core.Red }},
		{[]string{"thresholds[0].raise"}, func(r *Rule) { r.Thresholds[0].Raise = math.NaN() }},
		{[]string{"thresholds[2].clear"}, func(r *Rule) { r.Thresholds[2].Clear = math.Inf(-1) }},
		{[]string{"thresholds[1].clear"}, func(r *Rule) { r.Thresholds[1].Clear = r.Thresholds[1].Raise }},
		{[]string{"thresholds[1].raise"}, func(r *Rule) { r.Thresholds[1].Raise = 4.5 }},
		{[]string{"thresholds[1].clear"}, func(r *Rule) { r.Thresholds[0].Clear = 3.5 }},
		{[]string{"name.zh", "direction", "thresholds"}, func(r *Rule) { *r = Rule{Type: "x"} }},
	} {
		r := goodRule()
		tc.spoil(&r)
		err := r.Validate()
		got := fields(err)
		for _, w := range tc.want {
			if !slices.Contains(got, w) {
				t.Errorf("want %v, got %v: %v", tc.want, got, err)
			}
		}
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: kind %v", tc.want, fault.KindOf(err))
		}
	}
	swapped := goodRule()
	slices.Reverse(swapped.Thresholds)
	if got := fields(swapped.Validate()); !slices.Contains(got, "thresholds[1].level") {
		t.Errorf("mildest first: %v", got)
	}
}

// TestEvaluateKeepsItsPromises holds any run of any rule against what Evaluate's comment says.
func TestEvaluateKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := goodRule()
		r.ForSeconds = rapid.SampledFrom([]int{0, 3}).Draw(t, "for")
		below := rapid.Bool().Draw(t, "below")
		if below { // the same in the mirror
			r.Direction = Below
			for i := range r.Thresholds {
				r.Thresholds[i].Raise, r.Thresholds[i].Clear = -r.Thresholds[i].Raise, -r.Thresholds[i].Clear
			}
		}
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		st, at := State{Detection: Normal}, time.Unix(1e9, 0)
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			at = at.Add(time.Duration(rapid.IntRange(1, 3).Draw(t, "dt")) * time.Second)
			v := float64(rapid.IntRange(25, 47).Draw(t, "v")) / 10
			if below {
				v = -v
			}
			before := st
			var tr Transition
			st, tr = Evaluate(&r, st, sensors.Observation{Time: at, Value: v, QC: sensors.QCGood})
			promises(t, &r, before, st, tr, v)
		}
	})
}

func promises(t *rapid.T, r *Rule, before, st State, tr Transition, v float64) {
	if tr.From != before.Level || tr.To != st.Level || (tr.From != tr.To) != tr.Any() {
		t.Fatalf("transition %+v from %v to %v", tr, before.Level, st.Level)
	}
	if th, ok := r.threshold(st.Level); ok && r.left(th, v) {
		t.Fatalf("%v stays at %v", v, st.Level)
	}
	if tr.To.Worse(tr.From) {
		if th, _ := r.threshold(tr.To); !r.met(th, v) {
			t.Fatalf("%v rose to %v", v, tr.To)
		}
	}
	if tr.From.Worse(tr.To) {
		if th, _ := r.threshold(tr.From); !r.left(th, v) {
			t.Fatalf("%v fell from %v", v, tr.From)
		}
	}
	if r.ForSeconds == 0 {
		for _, th := range r.Thresholds {
			if r.met(th, v) && th.Level.Worse(st.Level) {
				t.Fatalf("%v is %v only", v, st.Level)
			}
		}
	}
	if open := st.Level != core.None; open != (st.Detection == Firing || st.Detection == Recovering) {
		t.Fatalf("%v at %v", st.Detection, st.Level)
	}
	if (st.PendingLevel == core.None) != (st.PendingSince == nil) || (st.PendingLevel != core.None && !st.PendingLevel.Worse(st.Level)) {
		t.Fatalf("pending %v since %v at %v", st.PendingLevel, st.PendingSince, st.Level)
	}
}

func TestLateReadingsChangeNothing(t *testing.T) {
	r, at := goodRule(), time.Unix(1e9, 0)
	st, _ := Evaluate(&r, State{Detection: Normal}, sensors.Observation{Time: at, Value: 4.6, QC: sensors.QCGood})
	for _, o := range []sensors.Observation{
		{Time: at, Value: 0, QC: sensors.QCGood},
		{Time: at.Add(-time.Nanosecond), Value: 0, QC: sensors.QCGood},
		{Time: at.Add(time.Hour), Value: 0, QC: sensors.QCBad},
		{Time: at.Add(time.Hour), Value: 0, QC: sensors.QCMissing},
		{Time: at.Add(time.Hour), Value: math.NaN(), QC: sensors.QCGood},
		{Time: at.Add(time.Hour), Value: math.Inf(-1), QC: sensors.QCGood},
	} {
		got, tr := Evaluate(&r, st, o)
		if diff := cmp.Diff(st, got); diff != "" || tr.Any() {
			t.Errorf("%+v: %+v\n%s", o, tr, diff)
		}
	}
}
