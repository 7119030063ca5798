package sensorspg_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// If two nodes check at the same time, each change is published by one of them.
func TestTwoNodesTellOnce(t *testing.T) {
	s := newScene(t, 20)
	want := map[string]int{}
	for id := range s.streams {
		s.both(id)
		want[id+" online"] = 1
	}
	for range 3 {
		var all sync.WaitGroup
		for _, node := range []string{"n1", "n2", "n3", "n4"} {
			all.Go(func() {
				if _, err := s.db.Sensors.CheckStale(t.Context(), sensors.StaleCheck{Node: node, ListeningSince: s.hearing}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	got := map[string]int{}
	for _, c := range changesOf(t, s.told(0)) {
		got[c.Device+" "+c.State]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got)\n%s", diff)
	}
}

// A check is not repeated right after that of another node, and returns its counts. Silence counts from the time since which
// all present nodes receive.
func TestNodesLookForEachOther(t *testing.T) {
	s := newScene(t, 1)
	s.both(d0).look()
	look := func(l sensors.StaleCheck) sensors.StaleReport {
		t.Helper()
		r, err := s.db.Sensors.CheckStale(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	s.at(200)
	if r := look(sensors.StaleCheck{Node: "n2", ListeningSince: s.now, Gap: time.Second}); !r.Looked || r.Changes != 0 {
		t.Errorf("a node that has just begun to hear: %+v", r)
	}
	if r := look(sensors.StaleCheck{Node: "n1", ListeningSince: s.hearing}); r.Changes != 0 {
		t.Errorf("told a silence that the other node could not hear: %+v", r)
	}
	s.at(300) // n2 is gone
	if r := look(sensors.StaleCheck{Node: "n1", ListeningSince: s.hearing}); r.Changes != 3 || r.Stale != 2 || r.Offline != 1 {
		t.Errorf("%+v", r)
	}
	s.at(301)
	if r := look(sensors.StaleCheck{Node: "n3", ListeningSince: s.hearing, Gap: 2 * time.Second}); r.Looked || r.Stale != 2 || r.Offline != 1 {
		t.Errorf("right after another node's look: %+v", r)
	}
	if _, err := s.db.Sensors.CheckStale(t.Context(), sensors.StaleCheck{}); fault.KindOf(err) != fault.Invalid || storetest.FieldOf(err) != "node" {
		t.Errorf("without a name: %v", err)
	}
}

// A failed network writes one event per division, and not one per device.
func TestNetworkFalls(t *testing.T) {
	s := newScene(t, 0)
	ctx := t.Context()
	const devices, counties = 5000, 13
	for _, sql := range []string{
		`insert into device (id, division_code, name_zh, hazard_type, geom, secret_sha256, origin)
			select 'net-' || i, (370602 + i % 13)::text, '演示', 'flood', st_setsrid(st_point(121, 37), 4326), '', 'synthetic'
			from generate_series(1, 5000) i`,
		`insert into datastream (device_id, name, type) select id, 'level', 'level' from device`,
		`insert into latest (datastream_id, ts, value, qc, time_source, received_at)
			select id, '2026-03-14 12:00Z', 1, 1, 1, '2026-03-14 12:00Z' from datastream`,
	} {
		if _, err := s.db.Pool().Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	look := func(seconds int) []core.Event {
		t.Helper()
		_, head, err := s.db.Log().Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.at(seconds).db.Sensors.CheckStale(ctx, sensors.StaleCheck{Node: "n1", ListeningSince: s.hearing})
		if err != nil || r.Events != counties {
			t.Fatalf("%+v, %v", r, err)
		}
		return s.told(head.Seq)
	}
	if up := look(1); len(up) != counties {
		t.Errorf("%d events when they came", len(up))
	}
	total, gone := 0, map[string]bool{}
	for _, e := range look(200) {
		p := payloadOf(t, e)
		if len(e.Divisions) != 1 || len(p.Changes) != sensors.PresenceListed {
			t.Errorf("an event for %v lists %d", e.Divisions, len(p.Changes))
		}
		gone[e.Divisions[0]] = true
		total += len(p.Changes) + p.More
		for _, c := range p.Changes { // the devices come first
			if c.State != sensors.PresenceOffline || c.DatastreamID != 0 {
				t.Fatalf("%+v", c)
			}
		}
	}
	if len(gone) != counties || total != 2*devices {
		t.Errorf("%d divisions were told of %d changes", len(gone), total)
	}
}
