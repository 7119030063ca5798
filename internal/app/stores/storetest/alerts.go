package storetest

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/alerts"
	"onemap/internal/app/stores"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// NewRule stores a rule on the level datastreams.
func NewRule(t testing.TB, db *stores.Stores) alerts.Rule {
	t.Helper()
	r, err := db.Alerts.CreateRule(t.Context(), alerts.Rule{
		Name: core.Text{ZH: "水位超限", EN: "High water"}, Type: "level", Direction: alerts.Above,
		Thresholds: []alerts.Threshold{{Level: core.Red, Raise: 5, Clear: 4.5}, {Level: core.Yellow, Raise: 3, Clear: 2.5}},
		ForSeconds: 60, HoldSeconds: 30, Enabled: true, Origin: core.OriginSynthetic,
	}, "steward")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Issued returns the change that begins an alert of the rule on the level datastream of the n-th device.
func Issued(r alerts.Rule, ids []int64, n int, level core.Level) alerts.Change {
	division := []string{"370602", "370614"}[n%2]
	return alerts.Change{
		Kind: alerts.EventIssued,
		Note: "issued by a test",
		Alert: alerts.Alert{
			RuleID: r.ID, RuleName: r.Name, DatastreamID: ids[2*n], DeviceID: fmt.Sprintf("dev-%02d", n),
			Level: level, PeakLevel: level, Detection: alerts.Firing, Handling: alerts.New,
			Division: division, Divisions: []string{division}, Headline: core.Text{ZH: "发布洪水预警", EN: "Flood warning"},
			Lon: 121.4, Lat: 37.5, Area: orb.Polygon{{{121, 37}, {122, 37}, {122, 38}, {121, 37}}},
			Onset: Noon(), OpenedAt: Noon().Add(time.Second), UpdatedAt: Noon().Add(time.Second),
			Value: 5.5, ValueAt: Noon(), Threshold: 5, Direction: alerts.Above, Origin: core.OriginSynthetic,
		},
		Message: &alerts.Message{
			Identifier: fmt.Sprintf("id-%d-%d", r.ID, n), MsgType: "Alert", Sent: Noon(), Expires: Noon().Add(time.Hour), XML: []byte("<alert/>"),
		},
	}
}

// StateOf returns the engine state that belongs to a change.
func StateOf(c alerts.Change) alerts.State {
	last := c.Alert.ValueAt
	return alerts.State{
		RuleID: c.Alert.RuleID, DatastreamID: c.Alert.DatastreamID, Detection: c.Alert.Detection,
		Level: c.Alert.Level, LastTime: &last, LastValue: c.Alert.Value, AlertID: c.Alert.ID,
	}
}

// Apply applies changes with their states, moves the cursor by one, and returns the alerts.
func Apply(t testing.TB, db *stores.Stores, changes ...alerts.Change) []alerts.Alert {
	t.Helper()
	from, err := db.Alerts.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := alerts.Step{From: from, To: core.Mark{Seq: from.Seq + 1}, Changes: changes}
	for _, c := range changes {
		s.States = append(s.States, StateOf(c))
	}
	stored, err := db.Alerts.Apply(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// Cleared returns the change that clears the alert.
func Cleared(a alerts.Alert, at time.Time) alerts.Change {
	a.Detection, a.ClearedAt, a.UpdatedAt = alerts.Cleared, &at, at
	return alerts.Change{
		Kind: alerts.EventCleared, Alert: a,
		Message: &alerts.Message{
			Identifier: fmt.Sprintf("clear-%d", a.ID), MsgType: "Update", Sent: at, Expires: at.Add(10 * time.Minute), XML: []byte("<alert/>"),
		},
	}
}

// AlertEvents returns the events of alerts, oldest first.
func AlertEvents(t testing.TB, db *stores.Stores) []core.Event {
	t.Helper()
	all, err := EventsAfter(t.Context(), db, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var out []core.Event
	for _, e := range all {
		if len(e.Kind) > 6 && e.Kind[:6] == "alert." {
			out = append(out, e)
		}
	}
	return out
}

// CheckAlerts calls every method that reads or handles alerts, with a scope that may see only the visible ones.
func CheckAlerts(t *testing.T, db *stores.Stores, s core.Scope, all, visible []int64) {
	t.Helper()
	snap, err := db.Alerts.Alerts(t.Context(), s, alerts.Filter{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, a := range snap.Alerts {
		got = append(got, a.ID)
	}
	if !slices.Equal(got, visible) {
		t.Errorf("alerts %v, want %v", got, visible)
	}
	msgs, err := db.Alerts.CurrentMessages(t.Context(), s, Noon(), "", 100)
	if err != nil || len(msgs) != len(visible) {
		t.Errorf("%d messages, %v; want %d", len(msgs), err, len(visible))
	}
	for _, id := range all {
		sees := slices.Contains(visible, id)
		_, err := db.Alerts.Alert(t.Context(), s, id)
		_, errHandle := db.Alerts.Handle(t.Context(), s, alerts.Command{AlertID: id, Action: alerts.ActResolve, At: Noon()},
			func(a alerts.Alert) (alerts.Alert, bool, error) { return a, false, nil })
		messages, errMessages := db.Alerts.Messages(t.Context(), id)
		if errMessages != nil || len(messages) != 1 {
			t.Fatalf("messages of %d: %v, %v", id, messages, errMessages)
		}
		_, errMessage := db.Alerts.MessageByIdentifier(t.Context(), s, messages[0].Identifier)
		for what, err := range map[string]error{"read": err, "handle": errHandle, "message": errMessage} {
			if (err == nil) != sees || (!sees && !fault.Is(err, fault.NotFound)) {
				t.Errorf("%s of alert %d: %v, sees it: %v", what, id, err, sees)
			}
		}
	}
}

// Ack acknowledges the alert through the desk, as a responder of the division.
func Ack(t testing.TB, db *stores.Stores, id int64, actor, division string) alerts.Alert {
	t.Helper()
	return AckAt(t, db, id, actor, division, 0, Noon().Add(time.Minute))
}

// AckAt acknowledges from a page that shows the alert at this level.
func AckAt(t testing.TB, db *stores.Stores, id int64, actor, division string, level core.Level, at time.Time) alerts.Alert {
	t.Helper()
	a, err := alerts.NewDesk(db.Alerts, slog.New(slog.DiscardHandler), nil).Handle(t.Context(), core.Principal{
		Login: actor, Name: "演示-" + actor, Role: core.RoleResponder, Division: division,
	}, alerts.Command{AlertID: id, Action: alerts.ActAcknowledge, Level: level, At: at})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
