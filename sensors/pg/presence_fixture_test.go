package sensorspg_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/sensors"
)

// scene is a city of a few devices with a clock that the test sets. Its server has received since an hour before noon.
type scene struct {
	t       testing.TB
	db      *stores.Stores
	now     time.Time
	hearing time.Time
	streams map[string][2]int64 // of a device: level, rain; both are expected each minute
}

func newScene(t testing.TB, devices int) *scene {
	t.Helper()
	s := &scene{t: t, now: storetest.Noon(), hearing: storetest.Noon().Add(-time.Hour), streams: map[string][2]int64{}}
	db, err := stores.Open(t.Context(), stores.Options{URL: storetest.NewURL(t), MaxConns: 8, Clock: func() time.Time { return s.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	s.db = db
	storetest.FillCity(t, db, devices)
	for _, d := range s.snapshot() {
		s.streams[d.ID] = [2]int64{d.Streams[0].ID, d.Streams[1].ID}
	}
	return s
}

func (s *scene) snapshot() []sensors.Device {
	s.t.Helper()
	snap, err := s.db.Sensors.Devices(s.t.Context(), storetest.CityScope(), "", 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return snap.Devices
}

func (s *scene) device(id string) sensors.Device {
	s.t.Helper()
	d, err := s.db.Sensors.Device(s.t.Context(), storetest.CityScope(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// at sets the clock to this many seconds after noon.
func (s *scene) at(seconds int) *scene {
	s.now = after(seconds)
	return s
}

func after(seconds int) time.Time { return storetest.Noon().Add(time.Duration(seconds) * time.Second) }

// receives commits a reading that is received now and was measured some seconds before.
func (s *scene) receives(stream int64, age int) *scene {
	s.t.Helper()
	o := sensors.Observation{
		DatastreamID: stream, Time: s.now.Add(-time.Duration(age) * time.Second), Value: 1, QC: sensors.QCGood,
		TimeSource: sensors.TimeDevice, ReceivedAt: s.now,
	}
	if age < 0 {
		o.TimeSource, o.Now = sensors.TimeWrong, s.now
	}
	storetest.Commit(s.t, s.db, o)
	return s
}

// both commits a reading of each of a device's datastreams.
func (s *scene) both(device string) *scene {
	s.t.Helper()
	return s.receives(s.streams[device][0], 0).receives(s.streams[device][1], 0)
}

// reports commits a status that is received now.
func (s *scene) reports(device string, online bool) *scene {
	s.t.Helper()
	_, err := s.db.Sensors.CommitBatch(s.t.Context(), sensors.Batch{Statuses: []sensors.Status{{DeviceID: device, Online: online, At: s.now}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return s
}

// interval sets the interval of a device's datastream.
func (s *scene) interval(device string, which, seconds int) *scene {
	s.t.Helper()
	got, err := s.db.Sensors.SetInterval(s.t.Context(), storetest.CityScope(), s.streams[device][which], seconds, "wang")
	if err != nil || (seconds > 0 && got.IntervalS != seconds) {
		s.t.Fatalf("%+v, %v", got, err)
	}
	return s
}

// look runs a check and returns the published changes, oldest first.
func (s *scene) look() []sensors.PresenceChange {
	s.t.Helper()
	_, head, err := s.db.Log().Head(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.db.Sensors.CheckStale(s.t.Context(), sensors.StaleCheck{Node: "n1", ListeningSince: s.hearing})
	if err != nil {
		s.t.Fatal(err)
	}
	if !r.Looked {
		s.t.Fatal("it did not look")
	}
	told := changesOf(s.t, s.told(head.Seq))
	if len(told) != r.Changes {
		s.t.Errorf("it says that it told %d changes and told %+v", r.Changes, told)
	}
	return told
}

// told returns the presence events after a number.
func (s *scene) told(after int64) []core.Event {
	s.t.Helper()
	all, err := storetest.EventsAfter(s.t.Context(), s.db, after, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e core.Event) bool { return e.Kind != sensors.EventPresenceChanged })
}

func payloadOf(t testing.TB, e core.Event) sensors.PresenceEvent {
	t.Helper()
	var p sensors.PresenceEvent
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func changesOf(t testing.TB, events []core.Event) []sensors.PresenceChange {
	t.Helper()
	var all []sensors.PresenceChange
	for _, e := range events {
		all = append(all, payloadOf(t, e).Changes...)
	}
	return all
}

// lines formats changes as in the tables below: thing, state, reason, and since in seconds after noon.
func lines(changes []sensors.PresenceChange) []string {
	out := []string{}
	for _, c := range changes {
		thing := c.Device
		if c.DatastreamID != 0 {
			thing += "/" + c.Datastream
		}
		out = append(out, fmt.Sprintf("%s %s %s %g", thing, c.State, c.Reason, c.Since.Sub(storetest.Noon()).Seconds()))
	}
	return out
}

const d0 = "dev-00"
