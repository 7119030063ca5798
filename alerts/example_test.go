package alerts_test

import (
	"fmt"
	"time"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/sensors"
)

// A rule has a pair of values for each level: one that raises it and one on the safe side that ends it. The level falls
// only after the value has been past the second one for HoldSeconds.
func ExampleEvaluate() {
	rule := alerts.Rule{
		Name: core.Text{ZH: "水位超限", EN: "Water level too high"}, Type: "water_level", Direction: alerts.Above, HoldSeconds: 120, Version: 1,
		Thresholds: []alerts.Threshold{{Level: core.Red, Raise: 4.5, Clear: 4.3}, {Level: core.Orange, Raise: 4.0, Clear: 3.8}},
	}
	if err := rule.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	var state alerts.State
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	for _, metres := range []float64{3.9, 4.1, 4.6, 4.2, 4.2, 4.2, 3.7} {
		var change alerts.Transition
		state, change = alerts.Evaluate(&rule, state, sensors.Observation{Time: at, Value: metres, QC: sensors.QCGood})
		fmt.Printf("%s %.1f m: %s, %s", at.Format("15:04"), metres, state.Level, state.Detection)
		if change.Any() {
			fmt.Printf(" (was %s)", change.From)
		}
		fmt.Println()
		at = at.Add(time.Minute)
	}
	// Output:
	// 08:00 3.9 m: none, normal
	// 08:01 4.1 m: orange, firing (was none)
	// 08:02 4.6 m: red, firing (was orange)
	// 08:03 4.2 m: red, firing
	// 08:04 4.2 m: red, firing
	// 08:05 4.2 m: orange, recovering (was red)
	// 08:06 3.7 m: orange, recovering
}
