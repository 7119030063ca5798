package sensors_test

import (
	"context"
	"testing"
	"time"

	"onemap/internal/app/stores"

	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// cutOff is a store that can be made unreachable. It keeps the last parameters.
type cutOff struct {
	sensors.StaleStore
	away bool
	last sensors.StaleCheck
}

func (c *cutOff) CheckStale(ctx context.Context, l sensors.StaleCheck) (sensors.StaleReport, error) {
	c.last = l
	if c.away {
		return sensors.StaleReport{}, fault.New(fault.Unavailable, "away")
	}
	return c.StaleStore.CheckStale(ctx, l)
}

// A node counts silence from its start, from the end of an outage of its database, from the time at which its ingest path
// accepts readings again, and from the time at which its process runs again.
func TestWatchHears(t *testing.T) {
	noon := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	now := noon
	clock := func() time.Time { return now }
	db, err := stores.Open(t.Context(), stores.Options{URL: storetest.NewURL(t), MaxConns: 4, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	cable, refusing := &cutOff{StaleStore: db.Sensors}, false
	w := sensors.NewWatch(sensors.WatchOptions{Node: "n1", IsListening: func() bool { return !refusing }, Clock: clock}, cable, nil, nil)
	for _, c := range []struct {
		name     string
		at       int // seconds after noon
		away     bool
		refusing bool
		hearing  int
	}{
		{"the start", 0, false, false, 0},
		{"later", 5, false, false, 0},
		{"and later", 10, false, false, 0},
		{"the database goes", 15, true, false, 0},
		{"is away", 20, true, false, 20},
		{"and away", 25, true, false, 25},
		{"it is back", 30, false, false, 30},
		{"later", 35, false, false, 30},
		{"the ingest path refuses", 40, false, true, 40},
		{"and refuses", 45, false, true, 45},
		{"it takes readings", 50, false, false, 45},
		{"the process stood still", 100, false, false, 100},
		{"later", 105, false, false, 100},
		{"the clock is set back", 90, false, false, 90},
		{"later", 95, false, false, 90},
	} {
		now, cable.away, refusing = noon.Add(time.Duration(c.at)*time.Second), c.away, c.refusing
		if _, err := w.Once(t.Context()); (err != nil) != c.away {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := cable.last.ListeningSince.Sub(noon).Seconds(); got != float64(c.hearing) {
			t.Errorf("%s, at %d: it hears since %g, want %d", c.name, c.at, got, c.hearing)
		}
	}
}

func TestWatchMetrics(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	db, err := stores.Open(t.Context(), stores.Options{URL: storetest.NewURL(t), MaxConns: 4, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(db.Sensors.PutHazardTypes(ctx, []sensors.HazardType{{Code: "flood", Title: core.Text{ZH: "洪水"}, Sector: "x", CAPCategory: "Met", RadiusM: 1, LeadMinutes: 60}}))
	must(db.Sensors.PutDatastreamTypes(ctx, []sensors.DatastreamType{{Code: "level", Title: core.Text{ZH: "水位"}, Unit: "m", Symbol: "m", HazardType: "flood", Max: 10, IntervalS: 1}}))
	d, err := db.Sensors.CreateDevice(ctx, sensors.Device{
		ID: "d1", Division: "370602", Name: core.Text{ZH: "站"}, HazardType: "flood", Lon: 121, Lat: 37, Origin: core.OriginReal,
		Streams: []sensors.Datastream{{Name: "level", Type: "level"}},
	}, []byte{1}, "test")
	must(err)
	_, err = db.Sensors.CommitBatch(ctx, sensors.Batch{Observations: []sensors.Observation{{DatastreamID: d.Streams[0].ID, Time: now, ReceivedAt: now}}})
	must(err)
	regs := []*prometheus.Registry{prometheus.NewRegistry(), prometheus.NewRegistry()}
	var nodes []*sensors.Watch
	for i, name := range []string{"n1", "n2"} {
		nodes = append(nodes, sensors.NewWatch(sensors.WatchOptions{Node: name, Clock: clock}, db.Sensors, nil, regs[i]))
	}
	for range 9 {
		for _, w := range nodes {
			_, err := w.Once(ctx)
			must(err)
		}
		now = now.Add(5 * time.Second)
	}
	value := func(reg *prometheus.Registry, name string) float64 {
		t.Helper()
		all, err := reg.Gather()
		must(err)
		for _, f := range all {
			if f.GetName() == name {
				m := f.GetMetric()[0]
				return m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		t.Fatalf("there is no %s", name)
		return 0
	}
	for i, want := range []struct{ looks, changes float64 }{{9, 3}, {0, 0}} { // the second comes right after the first
		for name, want := range map[string]float64{
			"onemap_presence_stale_datastreams": 1, "onemap_presence_offline_devices": 1,
			"onemap_presence_look_seconds": want.looks, "onemap_presence_changes_total": want.changes, "onemap_presence_look_failures_total": 0,
		} {
			if got := value(regs[i], name); got != want {
				t.Errorf("node %d: %s is %g, want %g", i+1, name, got, want)
			}
		}
	}
}
