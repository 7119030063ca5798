package stores_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"onemap/alerts"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/pg"
)

// oldAlert is an alert as it was stored before the columns of its confirmations, its peak and its rises existed.
type oldAlert struct {
	detection, handling, assignee string
	level, peak                   core.Level
	direction                     string
	value                         float64
	messages                      []float64   // the values that its CAP messages told, a minute apart
	history                       [][5]string // actor, division, step, before, after, a minute apart
}

// insertOld writes the alert with the id in the way of the previous version.
func insertOld(t *testing.T, conn *pgx.Conn, id int64, a oldAlert) {
	t.Helper()
	body := map[string]any{
		"id": id, "rule_id": 1, "datastream_id": id, "device_id": "dev-00", "level": a.level, "peak_level": a.peak,
		"detection": a.detection, "handling": a.handling, "division": "370602", "divisions": []string{"370602"},
		"headline": core.Text{ZH: "烟台市应急管理局发布洪水红色预警（水位站 4.62 m）", EN: "Yantai Bureau issues red warning: Flood (gauge, 4.62 m)"}, "area": [][][2]float64{}, "onset": storetest.Noon(), "opened_at": storetest.Noon(), "updated_at": storetest.Noon(), "cleared_at": nil,
		"value": a.value, "value_at": storetest.Noon().Add(time.Hour), "threshold": 3, "direction": a.direction, "origin": "real",
		"assignee": a.assignee, "expires": storetest.Noon(), "version": 5,
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`insert into alert (id, rule_id, datastream_id, device_id, detection, handling, level, peak_level, division_code, divisions,
			onset, opened_at, updated_at, assignee, body, version) overriding system value
		values ($1, 1, $1, 'dev-00', $2, $3, $4, $5, '370602', '{370602}', $6, $6, $6, $7, $8, 5)`,
		id, a.detection, a.handling, int16(a.level), int16(a.peak), storetest.Noon(), a.assignee, raw)
	exec(`insert into rule_state (rule_id, datastream_id, detection, level, alert_id) values (1, $1, $2, $3, $1)`, id, a.detection, int16(a.level))
	for i, v := range a.messages {
		xml := fmt.Sprintf("<parameter>\n<valueName>threshold</valueName>\n<value>999</value>\n</parameter>\n<parameter>\n<valueName>value</valueName>\n      <value>%v</value>\n</parameter>", v)
		exec(`insert into cap_message values ($1, $2, 'Update', $3, $3, $4)`, fmt.Sprintf("m-%d-%d", id, i), id, storetest.Noon().Add(time.Duration(i)*time.Minute), []byte(xml))
	}
	for i, h := range a.history {
		exec(`insert into alert_audit (alert_id, at, actor, division_code, step, before, after) values ($1, $2, $3, $4, $5, $6, $7)`,
			id, storetest.Noon().Add(time.Duration(i)*time.Minute), h[0], h[1], h[2], h[3], h[4])
	}
}

// step and change are lines of a history.
func step(actor, division, step, before, after string) [5]string {
	return [5]string{actor, division, step, before, after}
}

func change(kind, before, after string) [5]string { return step("", "370602", kind, before, after) }

func confirmed(division, user string, level core.Level, minute int, current bool) alerts.Confirmation {
	return alerts.Confirmation{Division: division, User: user, Name: user, Level: level, At: storetest.Noon().Add(time.Duration(minute) * time.Minute).UTC(), Current: current}
}

// TestMigrationFillsHandling: the migration fills old alerts from their history and their messages. An alert that has become
// worse since it was handled must be handled again.
func TestMigrationFillsHandling(t *testing.T) {
	issued := change("issued", "", "firing blue")
	type want struct {
		handling  alerts.Handling
		handledAt core.Level
		assignee  string
		peak      float64
		peakAt    time.Time
		risenAt   int // minutes after noon
		risenFrom core.Level
		why       alerts.ReopenWhy
		marks     []alerts.Confirmation
	}
	minute := func(n int) time.Time { return storetest.Noon().Add(time.Duration(n) * time.Minute) }
	tests := map[string]struct {
		old  oldAlert
		want want
	}{
		"untouched": {
			oldAlert{"firing", "new", "", core.Blue, core.Blue, "above", 3.1, []float64{3.1}, [][5]string{issued}},
			want{alerts.New, 0, "", 3.1, minute(0), 0, 0, "", []alerts.Confirmation{}},
		},
		"acknowledged at blue, now red": {
			oldAlert{"firing", "acknowledged", "", core.Red, core.Red, "above", 4.9, []float64{3.1, 4.9},
				[][5]string{issued, step("r370602", "370602", "acknowledge", "new", "acknowledged"), change("updated", "firing blue", "firing red")}},
			want{alerts.New, 0, "", 4.9, minute(1), 2, core.Blue, alerts.ReopenRise, []alerts.Confirmation{confirmed("370602", "r370602", core.Blue, 1, false)}},
		},
		"closed after the fall": {
			oldAlert{"cleared", "closed", "", core.Blue, core.Red, "above", 8.4, []float64{9, 118, 8.4}, [][5]string{
				issued, change("updated", "firing blue", "firing red"), step("r370602", "370602", "acknowledge", "new", "acknowledged"),
				change("updated", "firing red", "recovering blue"), change("cleared", "recovering blue", "cleared blue"),
				step("c", "3706", "resolve", "acknowledged", "resolved"), step("c", "3706", "close", "resolved", "closed")}},
			want{alerts.Closed, core.Blue, "", 118, minute(1), 1, core.Blue, "", []alerts.Confirmation{
				confirmed("370602", "r370602", core.Red, 2, true), confirmed("3706", "c", core.Blue, 6, true)}},
		},
		"resolved, then milder": {
			oldAlert{"recovering", "resolved", "", core.Yellow, core.Red, "below", 0.9, []float64{0.8, 0.4, 0.9}, [][5]string{
				change("issued", "", "firing red"), step("c", "3706", "resolve", "acknowledged", "resolved"), change("updated", "firing red", "recovering yellow")}},
			want{alerts.Resolved, core.Yellow, "", 0.4, minute(1), 0, 0, "", []alerts.Confirmation{confirmed("3706", "c", core.Red, 1, true)}},
		},
		"resolved, milder and worse again": {
			oldAlert{"firing", "resolved", "", core.Orange, core.Red, "above", 4.1, nil, [][5]string{
				change("issued", "", "firing red"), step("c", "3706", "resolve", "acknowledged", "resolved"),
				change("updated", "firing red", "recovering yellow"), change("updated", "recovering yellow", "firing orange")}},
			want{alerts.New, 0, "", 4.1, minute(60), 3, core.Yellow, alerts.ReopenRise, []alerts.Confirmation{confirmed("3706", "c", core.Red, 1, false)}},
		},
		"assigned, data stopped and back": {
			oldAlert{"firing", "assigned", "r370602", core.Red, core.Red, "above", 5, nil, [][5]string{
				change("issued", "", "firing red"), step("c", "3706", "assign", "new", "assigned"),
				change("stale", "firing red", "stale red"), change("stale", "stale red", "firing red")}},
			want{alerts.New, 0, "", 5, minute(60), 3, core.Red, alerts.ReopenData, []alerts.Confirmation{confirmed("3706", "c", core.Red, 1, false)}},
		},
	}
	url := storetest.NewEmptyURL(t)
	conn := storetest.Connect(t, url)
	storetest.MigrateTo(t, conn, 10)
	if _, err := conn.Exec(t.Context(), `
		insert into hazard_type (code, title_zh, title_en, sector, cap_category, radius_m) values ('flood', '洪水', 'Flood', 'water', 'Met', 100);
		insert into datastream_type (code, title_zh, title_en, unit, symbol, hazard_type, gross_min, gross_max) values ('level', '水位', 'Level', 'm', 'm', 'flood', 0, 30);
		insert into rule (name_zh, type, direction, thresholds) values ('水位', 'level', 'above', '[]');
		set session_replication_role = replica`); err != nil { // states without datastreams
		t.Fatal(err)
	}
	ids, id := map[string]int64{}, int64(0)
	for name, tt := range tests {
		id++
		ids[name] = id
		insertOld(t, conn, id, tt.old)
	}
	if err := pg.Migrate(t.Context(), url, nil); err != nil {
		t.Fatal(err)
	}
	db, err := stores.Open(t.Context(), stores.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	told := map[string]alerts.Event{}
	for _, e := range storetest.AlertEvents(t, db) {
		var payload alerts.Event
		if err := json.Unmarshal(e.Payload, &payload); err != nil || e.Kind != alerts.EventUpdated {
			t.Fatalf("event %+v: %v", e, err)
		}
		told[e.Subject] = payload
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, err := db.Alerts.Alert(t.Context(), storetest.CityScope(), ids[name])
			if err != nil {
				t.Fatal(err)
			}
			got := want{a.Handling, a.HandledLevel, a.Assignee, a.PeakValue, a.PeakAt.UTC(), int(a.RisenAt.Sub(storetest.Noon()).Minutes()), a.RisenFrom, "", a.Confirmations}
			for i := range got.marks {
				got.marks[i].At = got.marks[i].At.UTC()
			}
			if a.Reopened != nil {
				got.why = a.Reopened.Why
			}
			if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(want{})); d != "" {
				t.Errorf("migrated (-want +got):\n%s", d)
			}
			if a.Detection != alerts.Cleared && a.Headline != (core.Text{ZH: "烟台市应急管理局监测告警：洪水红色（水位站 4.62 m）", EN: "Yantai Bureau, monitoring alarm: Flood, red (gauge, 4.62 m)"}) {
				t.Errorf("headline %+v", a.Headline)
			}
			if e, ok := told[fmt.Sprint(a.ID)]; ok != (a.Reopened != nil) || (ok && (!cmp.Equal(e.Alert, a) || e.DeviceLevel != core.Red)) {
				t.Errorf("told: %v, %+v", ok, e)
			}
			checkMigratedHistory(t, db, a, tt.old)
		})
	}
}

// checkMigratedHistory: every line has its level, and the last one records that the handling began again.
func checkMigratedHistory(t *testing.T, db *stores.Stores, a alerts.Alert, old oldAlert) {
	t.Helper()
	history, err := db.Alerts.History(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	lines := len(old.history)
	if a.Reopened != nil {
		lines++
	}
	if len(history) != lines {
		t.Fatalf("history: %+v", history)
	}
	for _, h := range history {
		if h.Level == core.None {
			t.Errorf("a line without its level: %+v", h)
		}
	}
	if last := history[lines-1]; a.Reopened != nil && (last.Step != alerts.StepReopened || last.Before != old.handling || last.After != "new" || last.Actor != "") {
		t.Errorf("the last line: %+v", last)
	}
	if a.Reopened != nil && (a.Version != 6 || string(a.Reopened.From) != old.handling) {
		t.Errorf("version %d, reopened %+v", a.Version, a.Reopened)
	}
}
