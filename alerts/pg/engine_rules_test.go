package alertspg_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/alerts"
	"onemap/alerts/cap"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/sensors"
)

// evaluating runs the real engine on the database until the returned function is called.
func evaluating(t *testing.T, db *stores.Stores) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e := alerts.NewEngine(alerts.Options{Poll: 5 * time.Millisecond, LeaseRetry: 5 * time.Millisecond, Backoff: 5 * time.Millisecond,
		ReloadEvery: 20 * time.Millisecond}, db.Alerts, db.Sensors, slog.New(slog.DiscardHandler), nil, nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.Run(ctx); err != nil {
			t.Errorf("engine: %v", err)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// steps waits until the event log has n events of alerts, and returns their kinds.
func steps(t *testing.T, db *stores.Stores, n int) []string {
	t.Helper()
	var got []string
	for len(got) < n && t.Context().Err() == nil {
		got = got[:0]
		for _, e := range storetest.AlertEvents(t, db) {
			got = append(got, e.Kind)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return got
}

func read(t *testing.T, db *stores.Stores, ds int64, at time.Time, v float64) {
	t.Helper()
	_, err := db.Sensors.CommitBatch(t.Context(), sensors.Batch{Observations: []sensors.Observation{{
		DatastreamID: ds, Time: at, Value: v, QC: sensors.QCGood, TimeSource: sensors.TimeDevice, ReceivedAt: time.Now(),
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEngineOnTheDatabase runs the rules on the real store and kills the engine between a commit and its evaluation.
// Every alert is raised once, with valid messages, and a rise above the acknowledged level restarts the handling.
func TestEngineOnTheDatabase(t *testing.T) {
	db := storetest.NewCity(t, 1)
	ds := storetest.StreamsOf(t, db)[0]
	rule := storetest.NewRule(t, db)
	rule.ForSeconds, rule.HoldSeconds = 0, 0
	rule, err := db.Alerts.UpdateRule(t.Context(), rule, rule.Version, "steward")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Truncate(time.Second)
	stop := evaluating(t, db)
	read(t, db, ds, at, 3.1)
	steps(t, db, 1)
	stop()
	open, err := db.Alerts.OpenAlerts(t.Context())
	if err != nil || len(open) != 1 || open[0].Level != core.Yellow {
		t.Fatalf("open: %+v, %v", open, err)
	}
	desk := alerts.NewDesk(db.Alerts, nil, nil)
	if _, err := desk.Handle(t.Context(), storetest.Person(storetest.CityScope(), "commander"), alerts.Command{AlertID: open[0].ID, Action: alerts.ActAcknowledge}); err != nil {
		t.Fatal(err)
	}
	read(t, db, ds, at.Add(1500*time.Microsecond), 5.5)
	read(t, db, ds, at.Add(2*time.Second), 4.5)
	read(t, db, ds, at.Add(time.Second), 9) // late
	read(t, db, ds, at.Add(3*time.Second), 2)
	read(t, db, ds, at.Add(4*time.Second), 6)
	stop = evaluating(t, db)
	defer func() { stop() }()
	want := []string{alerts.EventIssued, alerts.EventAcknowledged, alerts.EventUpdated, alerts.EventUpdated,
		alerts.EventCleared, alerts.EventIssued}
	if d := cmp.Diff(want, steps(t, db, len(want))); d != "" {
		t.Fatalf("events (-want +got):\n%s", d)
	}
	first, err := db.Alerts.Alert(t.Context(), storetest.CityScope(), open[0].ID)
	if err != nil || first.Handling != alerts.New || first.Reopened == nil || first.Detection != alerts.Cleared || first.PeakLevel != core.Red {
		t.Errorf("first episode: %+v, %v", first, err)
	}
	if err := db.Alerts.DeleteRule(t.Context(), rule.ID, rule.Version, "steward"); err != nil {
		t.Fatal(err)
	}
	want = append(want, alerts.EventCleared)
	steps(t, db, len(want))
	stop()
	stop = evaluating(t, db) // once more over everything: nothing new
	read(t, db, ds, at.Add(5*time.Second), 9)
	waitForCursor(t, db)
	if d := cmp.Diff(want, steps(t, db, len(want))); d != "" {
		t.Errorf("events in the end (-want +got):\n%s", d)
	}
	checkPapers(t, db, first.ID, 4)
	checkPapers(t, db, first.ID+1, 2)
}

// waitForCursor waits until every batch is evaluated.
func waitForCursor(t *testing.T, db *stores.Stores) {
	t.Helper()
	for t.Context().Err() == nil {
		head, err := db.Sensors.HeadBatch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if cursor, err := db.Alerts.Cursor(t.Context()); err != nil || cursor == head {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// checkPapers checks that the alert has n CAP messages and that they follow the rules of CAP.
func checkPapers(t *testing.T, db *stores.Stores, alert int64, n int) {
	t.Helper()
	messages, err := db.Alerts.Messages(t.Context(), alert)
	if err != nil || len(messages) != n {
		t.Fatalf("alert %d has %d messages, want %d, %v", alert, len(messages), n, err)
	}
	for i, p := range messages {
		m, err := cap.Unmarshal(p.XML)
		if err == nil {
			err = cap.Check(m)
		}
		if err != nil {
			t.Errorf("%s: %v", p.Identifier, err)
		}
		if len(m.References) != i || !m.Sent.Equal(p.Sent) {
			t.Errorf("%s refers to %v", p.Identifier, m.References)
		}
	}
}

// TestTargetsCarryTheNewestReading checks that a rule that was created while no engine ran evaluates the newest value.
func TestTargetsCarryTheNewestReading(t *testing.T) {
	db := storetest.NewCity(t, 1)
	ds, at := storetest.StreamsOf(t, db)[0], time.Now().Truncate(time.Second)
	read(t, db, ds, at, 6)
	read(t, db, ds, at.Add(-time.Second), 1)
	targets, err := db.Sensors.Targets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range targets {
		switch latest := g.Datastream.Latest; {
		case g.Datastream.ID != ds && latest != nil:
			t.Errorf("%d has %+v", g.Datastream.ID, latest)
		case g.Datastream.ID == ds && (latest == nil || latest.Value != 6 || !latest.Time.Equal(at) || latest.DatastreamID != ds):
			t.Errorf("%d has %+v", ds, latest)
		}
	}
	storetest.NewRule(t, db)
	for _, sql := range []string{`update rule_cursor set seq = 2`, `update rule set for_seconds = 0`} { // both batches were evaluated without it
		if _, err := db.Pool().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	defer evaluating(t, db)()
	if d := cmp.Diff([]string{alerts.EventIssued}, steps(t, db, 1)); d != "" {
		t.Error(d)
	}
}
