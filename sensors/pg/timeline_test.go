package sensorspg_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	sensorspg "onemap/sensors/pg"
)

// The timeline shows a scope the events that the push would have sent, newest first.
func TestEventsAreThosePushed(t *testing.T) {
	db := storetest.NewCity(t, 0)
	ctx := t.Context()
	kinds := []string{"presence.changed", "alert.issued"}
	for _, kind := range append(kinds, "account.changed") {
		for _, to := range [][]string{{}, {"3706"}, {"370602"}, {"370602001"}, {"370614", "370602"}, {"3707"}} {
			for _, roles := range [][]string{nil, {"city_commander"}, {"county_responder", "observer"}} {
				if _, err := db.Pool().Exec(ctx, `select append_event($1, $2, $3, '', '', '{}')`, kind, to, roles); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	all, err := storetest.EventsAfter(ctx, db, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(all)
	for _, division := range []string{"37", "3706", "370602", "370602001", "370614", "3701", ""} {
		for _, role := range core.Roles() {
			s := core.Scope{Division: division, Role: role}
			var want []int64
			for _, e := range all {
				if slices.Contains(kinds, e.Kind) && e.VisibleTo(s) {
					want = append(want, e.Seq)
				}
			}
			var got []int64
			for before := int64(0); ; before = got[len(got)-1] {
				page, err := db.Sensors.Events(ctx, s, kinds, "", storetest.PageOf(7, before))
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page {
					got = append(got, e.Seq)
				}
				if len(page) < 7 {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: pushed (-), listed (+)\n%s", s, diff)
			}
		}
	}
	if none, err := db.Sensors.Events(ctx, storetest.CityScope(), nil, "", storetest.PageOf(7, 0)); err != nil || len(none) != 0 {
		t.Errorf("of no kind: %v, %v", none, err)
	}
}

// The events of a device are those that name it and those that may concern it. None is missing.
func TestEventsOfADevice(t *testing.T) {
	db := storetest.NewCity(t, 2) // dev-00 in 370602, dev-01 in 370614
	ctx := t.Context()
	changes := func(more int, devices ...string) string {
		var all []map[string]any
		for _, d := range devices {
			all = append(all, map[string]any{"device": d, "state": "offline"})
		}
		text, err := json.Marshal(map[string]any{"changes": all, "more": more})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, e := range []struct{ subject, kind, division, payload string }{
		{"both", "presence.changed", "370602", changes(0, "dev-00", "dev-01")},
		{"other", "presence.changed", "370602", changes(0, "dev-01", "dev-000")},
		{"left out", "presence.changed", "370602", changes(3, "dev-01")},
		{"left out elsewhere", "presence.changed", "370614", changes(3, "dev-01")},
		{"its alert", "alert.issued", "370602", `{"alert": {"device_id": "dev-00"}}`},
		{"another alert", "alert.issued", "370602", `{"alert": {"device_id": "dev-01"}}`},
		{"a layer", "layer.changed", "370602", `{"layer": "dev-00"}`},
		{"of another shape", "presence.changed", "370602", `{"changes": "dev-00", "alert": ["dev-00"], "more": "dev-00"}`},
		{"nothing at all", "presence.changed", "370602", `null`},
	} {
		if _, err := db.Pool().Exec(ctx, `select append_event($1, array[$2], null, $3, '', $4)`, e.kind, e.division, e.subject, e.payload); err != nil {
			t.Fatal(err)
		}
	}
	list := func(s core.Scope, device string, kinds ...string) (subjects []string) {
		t.Helper()
		all, err := db.Sensors.Events(ctx, s, kinds, device, storetest.PageOf(10, 0))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			subjects = append(subjects, e.Subject)
		}
		return subjects
	}
	everything := []string{"presence.changed", "alert.issued", "layer.changed"}
	elsewhere := core.Scope{Division: "370614", Role: core.RoleObserver}
	for _, c := range []struct {
		got, want []string
	}{
		{list(storetest.CityScope(), "dev-00", everything...), []string{"its alert", "left out", "both"}},
		{list(storetest.CityScope(), "dev-00", "presence.changed"), []string{"left out", "both"}},
		{list(storetest.CityScope(), "dev-0", everything...), nil},
		{list(storetest.CityScope(), "dev-00\x00", "alert.issued"), nil},
		{list(elsewhere, "dev-00", everything...), nil},
		{list(elsewhere, "dev-01", everything...), []string{"left out elsewhere"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if page, err := db.Sensors.Events(ctx, storetest.CityScope(), everything, "dev-00", storetest.PageOf(1, 0)); err != nil || len(page) != 1 || page[0].Subject != "its alert" {
		t.Errorf("the first page: %+v, %v", page, err)
	}
}

// An index serves the events of a device, however long the log is, and whether the statement's plan is generic or custom.
func TestEventsOfADeviceAreIndexed(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ctx := t.Context()
	if _, err := db.Pool().Exec(ctx, `
		insert into event_log (seq, at, kind, divisions, payload)
		select -i, now(), 'presence.changed', array['370602'], jsonb_build_object('more', 0,
			'changes', jsonb_build_array(jsonb_build_object('device', 'other-' || i % 1000), jsonb_build_object('device', 'third-' || i % 300)))
		from generate_series(1, 100000) i`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Pool().Exec(ctx, `analyze event_log`); err != nil {
		t.Fatal(err)
	}
	sql, _ := sensorspg.EventsSQL(storetest.CityScope(), []string{"presence.changed"}, "other-7", storetest.PageOf(50, 0))
	conn := storetest.Connect(t, db.Pool().Config().ConnString())
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		if _, err := conn.Exec(ctx, "set plan_cache_mode = "+mode+"; prepare "+mode+" as "+sql); err != nil {
			t.Fatal(err)
		}
		rows, err := conn.Query(ctx, "explain execute "+mode+" ('{presence.changed}', 0, '3706', 'city_commander', 50, 'other-7')")
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		for _, index := range []string{"event_log_devices", "event_log_more", "Index Cond: (seq = ANY"} {
			if !strings.Contains(plan, index) || strings.Contains(plan, "Seq Scan on event_log") {
				t.Errorf("%s, without %s:\n%s", mode, index, plan)
			}
		}
	}
	page, err := db.Sensors.Events(ctx, storetest.CityScope(), []string{"presence.changed"}, "other-7", storetest.PageOf(200, 0))
	if err != nil || len(page) != 100 {
		t.Errorf("%d events, %v", len(page), err)
	}
}

// A conflict stays after the first value was deleted, and is deleted with its datastream.
func TestConflictsOutliveTheirReading(t *testing.T) {
	db := storetest.NewCity(t, 2)
	ids := storetest.StreamsOf(t, db)
	storetest.Commit(t, db, storetest.Reading(ids[0], 0, 1), storetest.Reading(ids[1], 0, 1), storetest.Reading(ids[2], 0, 1))
	storetest.Commit(t, db, storetest.Reading(ids[0], 0, 2))
	storetest.Commit(t, db, storetest.Reading(ids[1], 0, 3))
	storetest.Commit(t, db, storetest.Reading(ids[2], 0, 4))
	list := func(s core.Scope) map[float64]*float64 {
		t.Helper()
		all, err := db.Sensors.Conflicts(t.Context(), s, 0, storetest.PageOf(10, 0))
		if err != nil {
			t.Fatal(err)
		}
		out := map[float64]*float64{}
		for _, c := range all {
			out[c.Value] = c.Stored
		}
		return out
	}
	one := 1.0
	if diff := cmp.Diff(map[float64]*float64{2: &one, 3: &one, 4: &one}, list(storetest.CityScope())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[float64]*float64{4: &one}, list(core.Scope{Division: "370614"})); diff != "" {
		t.Errorf("in 370614 (-want +got)\n%s", diff)
	}
	if _, err := db.Pool().Exec(t.Context(), `truncate observation_short`); err != nil { // where rain is kept
		t.Fatal(err)
	}
	if _, err := db.Pool().Exec(t.Context(), `delete from datastream where id = $1`, ids[0]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[float64]*float64{3: nil, 4: &one}, list(storetest.CityScope())); diff != "" {
		t.Errorf("later (-want +got)\n%s", diff)
	}
}
