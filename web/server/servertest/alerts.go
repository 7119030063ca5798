package servertest

import (
	"time"

	"onemap/alerts"
	"onemap/internal/core"
)

// RuleBody is the body of a request that creates a rule.
const RuleBody = `{"name":{"zh":"a","en":"a"},"datastream_type":"level","direction":"above","enabled":true,"thresholds":[{"level":1,"raise":5,"clear":4}]}`

// NewRule returns a rule for the table of routes.
func NewRule(*World, string) (any, []string) {
	return map[string]any{
		"name": map[string]string{"zh": "雨量", "en": "Rain"}, "datastream_type": "rain", "direction": "above", "enabled": true,
		"thresholds": []any{map[string]any{"level": 1, "raise": 50, "clear": 40}},
	}, nil
}

// Raise adds an alert on the device, like the engine. It first clears the open alert of the device.
func (w *World) Raise(device string, change func(*alerts.Alert)) alerts.Alert {
	w.T.Helper()
	ctx := w.T.Context()
	open, err := w.DB.Alerts.OpenAlerts(ctx)
	w.Must(err)
	now := w.Clock.Now().Truncate(time.Second)
	for _, a := range open {
		if a.DeviceID == device {
			w.Detect(a, alerts.Cleared)
		}
	}
	from, err := w.DB.Alerts.Cursor(ctx)
	w.Must(err)
	a := alerts.Alert{
		RuleID: w.Rule.ID, RuleName: w.Rule.Name, DatastreamID: w.Streams[device], DeviceID: device, Level: core.Red, PeakLevel: core.Red,
		Detection: alerts.Firing, Handling: alerts.New, Division: "3706" + device[4:6], Divisions: []string{"3706" + device[4:6]},
		Hazard: "flood", Property: "level", Headline: core.Text{ZH: "洪水红色告警", EN: "Red flood alert"}, Lon: 121.4, Lat: 37.5,
		Onset: now, OpenedAt: now, UpdatedAt: now, Value: 5.5, ValueAt: now, PeakValue: 5.5, PeakAt: now, Threshold: 5, Direction: alerts.Above, Origin: core.OriginSynthetic,
	}
	if change != nil {
		change(&a)
	}
	stored, err := w.DB.Alerts.Apply(ctx, alerts.Step{From: from, To: core.Mark{Seq: from.Seq + 1}, Changes: []alerts.Change{{Kind: alerts.EventIssued, Alert: a}}})
	w.Must(err)
	return stored[0]
}

// Detect stores a new detection state of an alert, like the engine.
func (w *World) Detect(a alerts.Alert, d alerts.Detection) alerts.Alert {
	w.T.Helper()
	from, err := w.DB.Alerts.Cursor(w.T.Context())
	w.Must(err)
	kind := alerts.EventUpdated
	a.Detection, a.UpdatedAt = d, w.Clock.Now().Truncate(time.Second)
	switch d {
	case alerts.Cleared:
		kind, a.ClearedAt = alerts.EventCleared, &a.UpdatedAt
	case alerts.Stale:
		kind = alerts.EventStale
	default:
	}
	stored, err := w.DB.Alerts.Apply(w.T.Context(), alerts.Step{From: from, To: core.Mark{Seq: from.Seq + 1}, Changes: []alerts.Change{{Kind: kind, Alert: a}}})
	w.Must(err)
	return stored[0]
}
