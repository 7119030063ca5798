package sensorspg_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"onemap/internal/app/stores"
	"onemap/sensors"
)

// replayed is the state of a client that started without state and applied every event.
type replayed struct {
	Devices map[string]string
	Streams map[int64]string
}

func (r replayed) take(changes []sensors.PresenceChange) {
	for _, c := range changes {
		line := fmt.Sprintf("%s %s %s", c.State, c.Reason, c.Since.UTC())
		switch c.State {
		case sensors.PresenceOnline, sensors.PresenceOffline:
			r.Devices[c.Device] = line
		case sensors.PresenceFresh:
			delete(r.Streams, c.DatastreamID)
		default:
			r.Streams[c.DatastreamID] = line
		}
	}
}

// stored is the same state from the tables.
func stored(t testing.TB, db *stores.Stores) replayed {
	t.Helper()
	r := replayed{map[string]string{}, map[int64]string{}}
	var device, state, reason string
	var stream int64
	var since time.Time
	rows, err := db.Pool().Query(t.Context(), `
		select device_id, 0, case when online then 'online' else 'offline' end, reason, since from device_presence
		union all select '', datastream_id, 'stale', reason, since from datastream_silence`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pgx.ForEachRow(rows, []any{&device, &stream, &state, &reason, &since}, func() error {
		line := fmt.Sprintf("%s %s %s", state, reason, since.UTC())
		if device != "" {
			r.Devices[device] = line
		} else {
			r.Streams[stream] = line
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// For any actions of devices and any times of the checks, a client that applies the events has the state of the tables, and
// no change is published twice.
func TestToldIsStored(t *testing.T) {
	s := newScene(t, 4)
	rapid.Check(t, func(rt *rapid.T) {
		if _, err := s.db.Pool().Exec(t.Context(), `
			truncate device_presence, datastream_silence, latest, observation, observation_conflict, ingest_listener;
			update device set online = false, status_at = null, last_seen = null`); err != nil {
			rt.Fatal(err)
		}
		s.now, s.hearing = s.now.Add(24*time.Hour), s.now.Add(23*time.Hour)
		known := replayed{map[string]string{}, map[int64]string{}}
		device := rapid.SampledFrom(slices.Sorted(maps.Keys(s.streams)))
		step := func(what string) {
			told := s.look()
			for _, c := range told {
				if c.Since.After(s.now) {
					rt.Errorf("%s: %+v is since later than now", what, c)
				}
			}
			known.take(told)
			if diff := cmp.Diff(stored(s.t, s.db), known); diff != "" {
				rt.Fatalf("%s: the tables (-) and those who heard all events (+) differ:\n%s", what, diff)
			}
			for _, d := range s.snapshot() {
				told, ok := known.Devices[d.ID]
				if got := fmt.Sprintf("%s %s %s", map[bool]string{true: "online", false: "offline"}[d.Online], d.Reason, orZero(d.StatusAt)); ok && got != told {
					rt.Fatalf("%s: the snapshot says of %s %q, the events %q", what, d.ID, got, told)
				}
				for _, st := range d.Streams {
					if _, stale := known.Streams[st.ID]; stale != (st.StaleSince != nil) {
						rt.Fatalf("%s: the snapshot says of %s/%s that it is stale since %v, the events that it is: %v", what, d.ID, st.Name, st.StaleSince, stale)
					}
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"time": func(rt *rapid.T) {
				s.now = s.now.Add(time.Duration(rapid.IntRange(1, 250).Draw(rt, "seconds")) * time.Second)
			},
			"reading": func(rt *rapid.T) {
				s.receives(s.streams[device.Draw(rt, "device")][rapid.IntRange(0, 1).Draw(rt, "which")], rapid.SampledFrom([]int{0, 0, 0, 5, 170, 400, -50}).Draw(rt, "age"))
			},
			"online":  func(rt *rapid.T) { s.reports(device.Draw(rt, "device"), true) },
			"offline": func(rt *rapid.T) { s.reports(device.Draw(rt, "device"), false) },
			"pace": func(rt *rapid.T) {
				s.interval(device.Draw(rt, "device"), 0, rapid.SampledFrom([]int{0, 1, 300}).Draw(rt, "interval"))
			},
			"blind": func(*rapid.T) { s.hearing = s.now },
			"look":  func(*rapid.T) { step("look") },
		})
		step("at the end")
	})
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
