package alertspg_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/alerts"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
)

func TestApplyStoresAStepWhole(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids, rule := storetest.StreamsOf(t, db), storetest.NewRule(t, db)
	change := storetest.Issued(rule, ids, 0, core.Red)
	stored := storetest.Apply(t, db, change)
	want := change.Alert
	want.ID, want.Version, want.RisenAt, want.Confirmations = stored[0].ID, 1, want.OpenedAt, []alerts.Confirmation{}
	if d := cmp.Diff([]alerts.Alert{want}, stored); d != "" || want.ID == 0 {
		t.Errorf("stored (-want +got):\n%s", d)
	}
	open, err := db.Alerts.OpenAlerts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(stored, open); d != "" {
		t.Errorf("open alerts (-want +got):\n%s", d)
	}
	states, err := db.Alerts.States(t.Context())
	if err != nil || len(states) != 1 || states[0].AlertID != want.ID {
		t.Errorf("states: %+v, %v", states, err)
	}
	msgs, err := db.Alerts.UnexpiredMessages(t.Context(), want.ID, storetest.Noon())
	if err != nil || len(msgs) != 1 || msgs[0].AlertID != want.ID {
		t.Errorf("messages: %+v, %v", msgs, err)
	}
	if msgs, err = db.Alerts.UnexpiredMessages(t.Context(), want.ID, storetest.Noon().Add(time.Hour)); err != nil || len(msgs) != 0 {
		t.Errorf("messages when they have expired: %+v, %v", msgs, err)
	}
	history, err := db.Alerts.History(t.Context(), want.ID)
	if err != nil || len(history) != 1 || history[0].Step != "issued" || history[0].After != "firing red" || history[0].Note != change.Note {
		t.Errorf("history: %+v, %v", history, err)
	}
	es := storetest.AlertEvents(t, db)
	if len(es) != 1 || es[0].Kind != alerts.EventIssued || !cmp.Equal(es[0].Divisions, []string{"370602"}) {
		t.Fatalf("events: %+v", es)
	}
	var payload alerts.Event
	if err := json.Unmarshal(es[0].Payload, &payload); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(alerts.Event{Alert: want, DeviceLevel: core.Red, Note: change.Note}, payload); d != "" {
		t.Errorf("payload (-want +got):\n%s", d)
	}
}

func TestStatesComeBackAsTheyWere(t *testing.T) {
	db := storetest.NewCity(t, 1)
	ids, rule := storetest.StreamsOf(t, db), storetest.NewRule(t, db)
	since, last := storetest.Noon().Add(time.Minute), storetest.Noon().Add(2*time.Minute)
	want := alerts.State{
		RuleID: rule.ID, DatastreamID: ids[0], Detection: alerts.Pending, PendingLevel: core.Red, PendingSince: &since,
		LastTime: &last, LastValue: 5.25, RuleVersion: 3,
	}
	want.Raised[core.Red], want.Raised[core.Blue] = since, storetest.Noon()
	want.Calm[core.Orange], want.PeakValue, want.PeakAt, want.Flaps = last, 7.5, storetest.Noon(), 4
	gone := want
	gone.DatastreamID = 999_999 // deleted meanwhile: dropped, not an error
	for range 2 {
		if _, err := db.Alerts.Apply(t.Context(), alerts.Step{States: []alerts.State{want, gone}}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := db.Alerts.States(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]alerts.State{want}, got); d != "" {
		t.Errorf("states (-want +got):\n%s", d)
	}
}

func TestApplyTwiceFromTheSameCursor(t *testing.T) {
	db := storetest.NewCity(t, 4)
	ids, rule := storetest.StreamsOf(t, db), storetest.NewRule(t, db)
	step := func(n int) alerts.Step {
		c := storetest.Issued(rule, ids, n, core.Red)
		return alerts.Step{From: core.Mark{}, To: core.Mark{Seq: 5}, Changes: []alerts.Change{c}, States: []alerts.State{storetest.StateOf(c)}}
	}
	errors := make(chan error, 4)
	var nodes sync.WaitGroup
	for n := range 4 {
		nodes.Go(func() {
			_, err := db.Alerts.Apply(t.Context(), step(n))
			errors <- err
		})
	}
	nodes.Wait()
	close(errors)
	won := 0
	for err := range errors {
		switch {
		case err == nil:
			won++
		case !fault.Is(err, fault.Conflict):
			t.Errorf("a loser's error: %v, want conflict", err)
		}
	}
	left := []int64{
		storetest.Count(t, db, `select count(*) from alert`), storetest.Count(t, db, `select count(*) from alert_audit`),
		storetest.Count(t, db, `select count(*) from cap_message`), storetest.Count(t, db, `select count(*) from rule_state`), int64(len(storetest.AlertEvents(t, db))),
	}
	if want := []int64{1, 1, 1, 1, 1}; won != 1 || !cmp.Equal(left, want) {
		t.Errorf("%d won, and rows are %v; want 1 of each", won, left)
	}
}

func TestFailedStepLeavesNothing(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids, rule := storetest.StreamsOf(t, db), storetest.NewRule(t, db)
	first, second := storetest.Issued(rule, ids, 0, core.Red), storetest.Issued(rule, ids, 1, core.Red)
	second.Message.Identifier = first.Message.Identifier // the second message is there already
	_, err := db.Alerts.Apply(t.Context(), alerts.Step{From: core.Mark{}, To: core.Mark{Seq: 7}, Changes: []alerts.Change{first, second}, States: []alerts.State{storetest.StateOf(first)}})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("error %v, want conflict", err)
	}
	if cursor, err := db.Alerts.Cursor(t.Context()); err != nil || cursor != (core.Mark{}) {
		t.Errorf("cursor %v, %v; want 0", cursor, err)
	}
	for _, table := range []string{"alert", "alert_audit", "cap_message", "rule_state"} {
		if n := storetest.Count(t, db, `select count(*) from `+table); n != 0 {
			t.Errorf("%s has %d rows", table, n)
		}
	}
	if es := storetest.AlertEvents(t, db); len(es) != 0 {
		t.Errorf("events: %+v", es)
	}
}

func TestOneOpenEpisodeOfARuleOnADatastream(t *testing.T) {
	db := storetest.NewCity(t, 1)
	ids, rule := storetest.StreamsOf(t, db), storetest.NewRule(t, db)
	first := storetest.Apply(t, db, storetest.Issued(rule, ids, 0, core.Yellow))[0]
	double := storetest.Issued(rule, ids, 0, core.Red)
	double.Message.Identifier = "another"
	if _, err := db.Alerts.Apply(t.Context(), alerts.Step{From: core.Mark{Seq: 1}, To: core.Mark{Seq: 2}, Changes: []alerts.Change{double}}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second open episode: %v, want conflict", err)
	}
	storetest.Apply(t, db, storetest.Cleared(first, storetest.Noon().Add(time.Hour)))
	if second := storetest.Apply(t, db, double)[0]; second.ID == first.ID {
		t.Error("after the first has cleared, the second has its id")
	}
}

// The engine's copy of an alert may be older than what people have done with it.
func TestApplyKeepsWhatPeopleDid(t *testing.T) {
	db := storetest.NewCity(t, 1)
	ids, rule := storetest.StreamsOf(t, db), storetest.NewRule(t, db)
	a := storetest.Apply(t, db, storetest.Issued(rule, ids, 0, core.Yellow))[0]
	storetest.Ack(t, db, a.ID, "r370602", "370602")
	milder := a
	milder.Level, milder.UpdatedAt = core.Blue, storetest.Noon().Add(2*time.Minute)
	got := storetest.Apply(t, db, alerts.Change{Kind: alerts.EventUpdated, Alert: milder})[0]
	if got.Handling != alerts.Acknowledged || got.Level != core.Blue || got.Version != 3 || !got.ConfirmedBy("370602") {
		t.Errorf("after acknowledgement and update: %+v", got)
	}
	worse := a
	worse.Level, worse.PeakLevel, worse.UpdatedAt = core.Red, core.Red, storetest.Noon().Add(3*time.Minute)
	got = storetest.Apply(t, db, alerts.Change{Kind: alerts.EventUpdated, Alert: worse})[0]
	checkReopened(t, db, got)
	d, err := db.Sensors.Device(t.Context(), storetest.CityScope(), "dev-00")
	if err != nil || d.Level != core.Red {
		t.Errorf("the device's level: %v, %v", d.Level, err)
	}
	cl := storetest.Apply(t, db, storetest.Cleared(got, storetest.Noon().Add(time.Hour)))[0]
	es := storetest.AlertEvents(t, db)
	var last alerts.Event
	if err := json.Unmarshal(es[len(es)-1].Payload, &last); err != nil || last.DeviceLevel != core.None || cl.Detection != alerts.Cleared {
		t.Errorf("the last event: %+v, %v", last, err)
	}
}

// checkReopened checks that the handling has restarted for an alert that rose to red after its county acknowledged it
// at yellow: in the body, the history, the event and the confirmation of the county.
func checkReopened(t *testing.T, db *stores.Stores, a alerts.Alert) {
	t.Helper()
	confirmedAt := func() (level core.Level, current bool) {
		t.Helper()
		d, err := db.Alerts.Deliveries(t.Context(), a.ID)
		if err != nil || len(d) != 1 || len(d[0].Confirmed) != 1 {
			t.Fatalf("deliveries: %+v, %v", d, err)
		}
		return d[0].Confirmed[0].Level, d[0].Confirmed[0].Current
	}
	want := &alerts.Reopened{At: a.UpdatedAt, From: alerts.Acknowledged, Level: core.Yellow, Why: alerts.ReopenRise}
	if d := cmp.Diff(want, a.Reopened); d != "" || a.Handling != alerts.New || a.Version != 4 || a.ConfirmedBy("370602") {
		t.Errorf("after a rise: %+v, reopened (-want +got):\n%s", a, d)
	}
	if level, current := confirmedAt(); level != core.Yellow || current {
		t.Errorf("confirmed at %s, still: %v", level, current)
	}
	history, err := db.Alerts.History(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	last := history[len(history)-1]
	if last.Step != alerts.StepReopened || last.Before != "acknowledged" || last.After != "new" || last.Level != core.Red || last.Actor != "" {
		t.Errorf("the last line of the history: %+v", last)
	}
	es := storetest.AlertEvents(t, db)
	var told alerts.Event
	if err := json.Unmarshal(es[len(es)-1].Payload, &told); err != nil || !cmp.Equal(told.Alert, a) {
		t.Errorf("the event: %+v, %v", told.Alert, err)
	}
	again := storetest.AckAt(t, db, a.ID, "r370602", "370602", core.Red, storetest.Noon().Add(4*time.Minute)) // the same person, at red
	if level, current := confirmedAt(); again.Handling != alerts.Acknowledged || again.HandledLevel != core.Red || level != core.Red || !current {
		t.Errorf("acknowledged again: %+v, confirmed at %s, still: %v", again, level, current)
	}
	if n := len(storetest.AlertEvents(t, db)); n != len(es)+1 {
		t.Errorf("%d events after the acknowledgement, %d before", n, len(es))
	}
}

func TestPapersAreImmutable(t *testing.T) {
	db := storetest.NewCity(t, 1)
	storetest.Apply(t, db, storetest.Issued(storetest.NewRule(t, db), storetest.StreamsOf(t, db), 0, core.Red))
	for _, sql := range []string{
		`update cap_message set xml = ''`, `delete from cap_message`,
		`update alert_audit set note = ''`, `delete from alert_audit`,
		`update event_log set payload = '{}'`,
	} {
		if _, err := db.Pool().Exec(t.Context(), sql); err == nil {
			t.Errorf("%s: done", sql)
		}
	}
}

func TestTargets(t *testing.T) {
	db := storetest.NewCity(t, 1)
	targets, err := db.Sensors.Targets(t.Context())
	if err != nil || len(targets) != 2 {
		t.Fatalf("targets: %+v, %v", targets, err)
	}
	got := targets[0]
	if got.Device.ID != "dev-00" || got.Datastream.Name != "level" || got.Type.Code != "level" || got.Hazard.RadiusM != 2000 ||
		got.Device.Lon != 121.4 || got.Device.Lat != 37.5 || !got.Device.Enabled {
		t.Errorf("target: %+v", got)
	}
}

func TestLeaseHasOneHolder(t *testing.T) {
	db := storetest.NewCity(t, 0)
	_, release, ok, err := db.Alerts.Lease(t.Context())
	if err != nil || !ok {
		t.Fatalf("first: %v, %v", ok, err)
	}
	if _, _, ok, err := db.Alerts.Lease(t.Context()); err != nil || ok {
		t.Errorf("second while the first holds: %v, %v", ok, err)
	}
	release()
	release()
	leaseAgain(t, db)()
}

// leaseAgain waits until the lease is free and takes it. The server releases the lock a moment after the connection has
// ended.
func leaseAgain(t *testing.T, db *stores.Stores) (release func()) {
	t.Helper()
	storetest.Eventually(t, "the lease is free", func() bool {
		_, again, ok, err := db.Alerts.Lease(t.Context())
		if err != nil {
			t.Fatalf("the lease again: %v", err)
		}
		release = again
		return ok
	})
	return release
}

// Of several nodes that compete for the lease, never two hold it at the same time.
func TestLeaseUnderContention(t *testing.T) {
	db := storetest.NewCity(t, 0)
	var holders sync.Mutex
	var nodes sync.WaitGroup
	for range 5 {
		nodes.Go(func() {
			for held := 0; held < 3; {
				_, release, ok, err := db.Alerts.Lease(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if !ok {
					continue
				}
				if !holders.TryLock() {
					t.Error("two hold the lease")
				} else {
					_, err = db.Alerts.Cursor(t.Context()) // some work
					holders.Unlock()
				}
				if err != nil {
					t.Error(err)
				}
				held++
				release()
			}
		})
	}
	nodes.Wait()
}

func TestLeaseIsLostWithItsConnection(t *testing.T) {
	db := storetest.NewCity(t, 0)
	lost, release, ok, err := db.Alerts.Lease(t.Context())
	if err != nil || !ok {
		t.Fatalf("lease: %v, %v", ok, err)
	}
	defer release()
	select {
	case <-lost:
		t.Fatal("lost at once")
	default:
	}
	killHolder(t, db)
	<-lost
	leaseAgain(t, db)()
}

// killHolder ends the session that holds the lease.
func killHolder(t *testing.T, db *stores.Stores) {
	t.Helper()
	n := storetest.Count(t, db, `
		select count(pg_terminate_backend(pid)) from pg_locks
		where locktype = 'advisory' and classid = 7043 and objid = 10 and granted
			and database = (select oid from pg_database where datname = current_database())`)
	if n != 1 {
		t.Fatalf("%d sessions hold the lease, want 1", n)
	}
}
