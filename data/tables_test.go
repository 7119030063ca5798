package data_test

import (
	"testing"

	"onemap/alerts"
	"onemap/data"
	"onemap/sensors"
)

func TestDefaultRulesHold(t *testing.T) {
	types := map[string]sensors.DatastreamType{}
	for _, d := range data.DatastreamTypes() {
		types[d.Code] = d
	}
	for _, r := range data.DefaultRules() {
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v", r.Type, err)
		}
		if len(r.Thresholds) != 4 || r.ForSeconds != 0 || r.HoldSeconds != alerts.DefaultHoldSeconds || !r.Enabled {
			t.Errorf("%+v", r)
		}
		for _, th := range r.Thresholds {
			if th.Raise > types[r.Type].Max || th.Clear < types[r.Type].Min {
				t.Errorf("%s: %+v is outside the gross range", r.Type, th)
			}
		}
		delete(types, r.Type)
	}
	if len(types) > 0 {
		t.Errorf("without a rule: %v", types)
	}
}
