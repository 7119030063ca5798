package alerts

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"onemap/internal/core"
	"onemap/sensors"
)

// swings are readings that take the values by turns, the pace apart.
func swings(n int, pace time.Duration, values ...float64) []sensors.Observation {
	out := make([]sensors.Observation, n)
	for i := range out {
		when := at().Add(time.Duration(i) * pace)
		out[i] = sensors.Observation{DatastreamID: 1, Time: when, ReceivedAt: when, QC: sensors.QCGood, Value: values[i%len(values)]}
	}
	return out
}

// TestFlappingIsOneEpisode is forty readings by turns on both sides of blue, 0.3 s apart: with a hold they are one
// episode that is told at its begin and once as flapping; without one they would be twenty.
func TestFlappingIsOneEpisode(t *testing.T) {
	for hold, want := range map[int][2]int{0: {40, 0}, DefaultHoldSeconds: {2, 19}} {
		r := &Rule{Direction: Above, HoldSeconds: hold, Version: 1, Thresholds: []Threshold{
			{core.Red, 4.5, 4.2}, {core.Orange, 4, 3.7}, {core.Yellow, 3.5, 3.2}, {core.Blue, 3, 2.7}}}
		s, told := State{Detection: Normal}, 0
		for _, o := range swings(40, 300*time.Millisecond, 3.2, 2.7) {
			var tr Transition
			if s, tr = Evaluate(r, s, o); tr.Any() {
				told++
			}
		}
		if told != want[0] || s.Flaps != want[1] {
			t.Errorf("hold %d s: told %d times, %d flaps, want %v", hold, told, s.Flaps, want)
		}
	}
}

// settled is what the level must be by the words of the rule, found in the whole past: no sum, no memory.
func settled(r *Rule, past []sensors.Observation, level core.Level) core.Level {
	for _, t := range r.Thresholds {
		if heldFor(past, time.Duration(r.ForSeconds)*time.Second, func(v float64) bool { return r.met(t, v) }) && t.Level.Worse(level) {
			return t.Level
		}
	}
	for _, t := range r.Thresholds {
		left := heldFor(past, time.Duration(r.HoldSeconds)*time.Second, func(v float64) bool { return r.left(t, v) })
		if !t.Level.Worse(level) && !left {
			return t.Level
		}
	}
	return core.None
}

// heldFor reports whether the newest readings have all been so, over at least the duration.
func heldFor(past []sensors.Observation, d time.Duration, so func(float64) bool) bool {
	newest := past[len(past)-1]
	for i := len(past) - 1; i >= 0 && so(past[i].Value); i-- {
		if newest.Time.Sub(past[i].Time) >= d {
			return true
		}
	}
	return false
}

// TestEvaluateIsWhatTheRuleSays holds the levels and the peak against the whole past of readings.
func TestEvaluateIsWhatTheRuleSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRules(t)[0]
		var past []sensors.Observation
		s, level, peak := State{Detection: Normal}, core.None, 0.0
		when := at()
		for i := range rapid.IntRange(1, 60).Draw(t, "readings") {
			when = when.Add(time.Duration(rapid.IntRange(1, 4).Draw(t, "dt")) * time.Second)
			o := sensors.Observation{DatastreamID: 1, Time: when, QC: sensors.QCGood, Value: float64(rapid.IntRange(0, 9).Draw(t, "v"))}
			past = append(past, o)
			next := settled(&r, past, level)
			switch {
			case next == core.None:
			case level == core.None:
				peak = o.Value
			default:
				peak = max(peak, o.Value)
			}
			level = next
			s, _ = Evaluate(&r, s, o)
			if s.Level != level || (level != core.None && s.PeakValue != peak) {
				t.Fatalf("reading %d: %s with a peak of %v, want %s with %v", i, s.Level, s.PeakValue, level, peak)
			}
		}
	})
}
