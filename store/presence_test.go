package store_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"onemap/internal/core"
	"onemap/internal/errs"
	"onemap/sensors"
	"onemap/store"
	"onemap/store/storetest"
)

// scene is a city of a few devices whose clock the test sets. Its server has heard since an hour before noon.
type scene struct {
	t       testing.TB
	db      *store.DB
	now     time.Time
	hearing time.Time
	streams map[string][2]int64 // of a device: level, rain; both are expected each minute
}

func newScene(t testing.TB, devices int) *scene {
	t.Helper()
	s := &scene{t: t, now: noon, hearing: noon.Add(-time.Hour), streams: map[string][2]int64{}}
	db, err := store.Open(t.Context(), store.Options{URL: storetest.NewURL(t), MaxConns: 8, Clock: func() time.Time { return s.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	s.db = db
	fillCity(t, db, devices)
	for _, d := range s.snapshot() {
		s.streams[d.ID] = [2]int64{d.Streams[0].ID, d.Streams[1].ID}
	}
	return s
}

func (s *scene) snapshot() []sensors.Device {
	s.t.Helper()
	snap, err := s.db.Devices(s.t.Context(), city)
	if err != nil {
		s.t.Fatal(err)
	}
	return snap.Devices
}

func (s *scene) device(id string) sensors.Device {
	s.t.Helper()
	d, err := s.db.Device(s.t.Context(), city, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// at sets the clock, seconds after noon.
func (s *scene) at(seconds int) *scene {
	s.now = after(seconds)
	return s
}

func after(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// hears commits a reading that is received now and was taken some seconds before.
func (s *scene) hears(stream int64, age int) *scene {
	s.t.Helper()
	o := sensors.Observation{
		DatastreamID: stream, Time: s.now.Add(-time.Duration(age) * time.Second), Value: 1, QC: sensors.QCGood,
		TimeSource: sensors.TimeDevice, ReceivedAt: s.now,
	}
	if age < 0 {
		o.TimeSource, o.Now = sensors.TimeAhead, s.now
	}
	commit(s.t, s.db, o)
	return s
}

// both commits a reading of each of a device's datastreams.
func (s *scene) both(device string) *scene {
	s.t.Helper()
	return s.hears(s.streams[device][0], 0).hears(s.streams[device][1], 0)
}

// says commits a status that is received now.
func (s *scene) says(device string, online bool) *scene {
	s.t.Helper()
	_, err := s.db.CommitBatch(s.t.Context(), sensors.Batch{Statuses: []sensors.Status{{DeviceID: device, Online: online, At: s.now}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return s
}

// look looks and gives what was told, oldest first.
func (s *scene) look() []sensors.PresenceChange {
	s.t.Helper()
	_, head, err := s.db.Head(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.db.LookForSilence(s.t.Context(), sensors.Look{Node: "n1", Hearing: s.hearing})
	if err != nil {
		s.t.Fatal(err)
	}
	if !r.Looked {
		s.t.Fatal("it did not look")
	}
	told := changesOf(s.t, s.told(head))
	if len(told) != r.Changes {
		s.t.Errorf("it says that it told %d changes and told %+v", r.Changes, told)
	}
	return told
}

// told gives the presence events after a number.
func (s *scene) told(after int64) []core.Event {
	s.t.Helper()
	all, _, err := s.db.EventsAfter(s.t.Context(), after, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e core.Event) bool { return e.Kind != core.EventPresenceChanged })
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

// lines writes changes as the tables below do: thing, state, reason, and since when in seconds after noon.
func lines(changes []sensors.PresenceChange) []string {
	out := []string{}
	for _, c := range changes {
		thing := c.Device
		if c.DatastreamID != 0 {
			thing += "/" + c.Datastream
		}
		out = append(out, fmt.Sprintf("%s %s %s %g", thing, c.State, c.Reason, c.Since.Sub(noon).Seconds()))
	}
	return out
}

const d0 = "dev-00"

func TestPresence(t *testing.T) {
	type step struct {
		do   func(s *scene)
		want []string
	}
	quiet := []string{}
	for _, c := range []struct {
		name   string
		steps  []step
		online bool // of dev-00, at the end
		reason string
		stale  [2]bool
	}{
		{"never seen", []step{{func(s *scene) { s.at(100_000) }, quiet}}, false, "", [2]bool{}},
		{"says online, readings come", []step{
			{func(s *scene) { s.says(d0, true) }, []string{"dev-00 online status 0"}},
			{func(s *scene) { s.at(60).both(d0) }, quiet},
			{func(s *scene) { s.at(239) }, quiet},
		}, true, "status", [2]bool{}},
		{"last will", []step{
			{func(s *scene) { s.says(d0, true).at(10).both(d0) }, []string{"dev-00 online status 0"}},
			{func(s *scene) { s.at(20).says(d0, false) }, []string{"dev-00 offline status 20"}},
			{func(s *scene) { s.at(190) }, []string{"dev-00/level stale silence 10", "dev-00/rain stale silence 10"}},
		}, false, "status", [2]bool{true, true}},
		{"comes and goes between two looks", []step{
			{func(s *scene) { s.says(d0, true).at(1).says(d0, false) }, []string{"dev-00 offline status 1"}},
			{func(s *scene) { s.at(2).says(d0, true).at(3).says(d0, false) }, quiet},
		}, false, "status", [2]bool{}},
		{"silence, one datastream, then both", []step{
			{func(s *scene) { s.says(d0, true).both(d0) }, []string{"dev-00 online status 0"}},
			{func(s *scene) { s.at(60).hears(s.streams[d0][0], 0) }, quiet},
			{func(s *scene) { s.at(179) }, quiet},
			{func(s *scene) { s.at(180) }, []string{"dev-00/rain stale silence 0"}},
			{func(s *scene) { s.at(239) }, quiet},
			{func(s *scene) { s.at(240) }, []string{"dev-00 offline silence 60", "dev-00/level stale silence 60"}},
			{func(s *scene) { s.at(500) }, quiet},
		}, false, "silence", [2]bool{true, true}},
		{"back again by a reading", []step{
			{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(200) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
			{func(s *scene) { s.at(300).hears(s.streams[d0][1], 1) }, []string{"dev-00 online reading 300", "dev-00/rain fresh reading 300"}},
		}, true, "reading", [2]bool{true, false}},
		{"back again by its word", []step{
			{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(200) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
			{func(s *scene) { s.at(300).says(d0, true) }, []string{"dev-00 online status 300"}},
			{func(s *scene) { s.at(479) }, quiet},
			{func(s *scene) { s.at(480) }, []string{"dev-00 offline silence 300"}},
		}, false, "silence", [2]bool{true, true}},
		{"its will comes after the silence", []step{
			{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(200) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
			{func(s *scene) { s.at(210).says(d0, false) }, []string{"dev-00 offline status 210"}},
		}, false, "status", [2]bool{true, true}},
		{"a reading before the goodbye does not bring it back, one after does", []step{
			{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(5).both(d0).at(6).says(d0, false) }, []string{"dev-00 offline status 6"}},
			{func(s *scene) { s.at(7).both(d0) }, []string{"dev-00 online reading 7"}},
		}, true, "reading", [2]bool{}},
		{"a goodbye in the moment of the last reading holds", []step{
			{func(s *scene) { s.both(d0).says(d0, false) }, []string{"dev-00 offline status 0"}},
		}, false, "status", [2]bool{}},
		{"a goodbye and a reading after it between two looks: those who heard the goodbye are put right", []step{
			{func(s *scene) { s.says(d0, true) }, []string{"dev-00 online status 0"}},
			{func(s *scene) { s.at(6).says(d0, false).at(7).both(d0) }, []string{"dev-00 online reading 7"}},
			{func(s *scene) { s.at(8) }, quiet},
		}, true, "reading", [2]bool{}},
		{"a clock that is behind: late, not silent", []step{
			{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(100).hears(s.streams[d0][0], 90).hears(s.streams[d0][1], 90) }, quiet},
			{func(s *scene) { s.at(220).hears(s.streams[d0][0], 190).hears(s.streams[d0][1], 190) },
				[]string{"dev-00 offline late 30", "dev-00/level stale late 30", "dev-00/rain stale late 30"}},
			{func(s *scene) { s.at(280).hears(s.streams[d0][0], 190).hears(s.streams[d0][1], 190) }, quiet},
			{func(s *scene) { s.at(300).hears(s.streams[d0][0], 0) }, []string{"dev-00 online reading 300", "dev-00/level fresh reading 300"}},
		}, true, "reading", [2]bool{false, true}},
		{"a clock that was set back: nothing is newer than what is known, and yet it is received from", []step{
			{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(150).hears(s.streams[d0][0], 200).hears(s.streams[d0][1], 200).at(190) },
				[]string{"dev-00 offline late 0", "dev-00/level stale late 0", "dev-00/rain stale late 0"}},
			{func(s *scene) { s.at(330) }, []string{"dev-00 offline silence 150", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
		}, false, "silence", [2]bool{true, true}},
		{"a clock that is ahead keeps nothing fresh", []step{
			{func(s *scene) { s.hears(s.streams[d0][0], -3000).hears(s.streams[d0][1], -3000) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(180) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
		}, false, "silence", [2]bool{true, true}},
		{"a clock that is ahead by as little as is believed keeps nothing fresh either", []step{
			{func(s *scene) {
				for _, id := range s.streams[d0] {
					commit(s.t, s.db, sensors.Observation{DatastreamID: id, Time: after(40), TimeSource: sensors.TimeDevice, ReceivedAt: s.now})
				}
			}, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(180) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
		}, false, "silence", [2]bool{true, true}},
		{"sends at irregular times: its interval bounds them", []step{
			{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.interval(d0, 0, 3600).at(3000) }, []string{"dev-00/rain stale silence 0"}},
			{func(s *scene) { s.at(10_800) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0"}},
		}, false, "silence", [2]bool{true, true}},
		{"a short interval is not held to less than half a minute", []step{
			{func(s *scene) { s.interval(d0, 0, 1).interval(d0, 1, 1).both(d0) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(29) }, quiet},
			{func(s *scene) { s.at(30) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
		}, false, "silence", [2]bool{true, true}},
		{"a longer interval makes it fresh", []step{
			{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(180) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
			{func(s *scene) { s.interval(d0, 0, 600) }, []string{"dev-00 online reading 0", "dev-00/level fresh reading 0"}},
		}, true, "reading", [2]bool{false, true}},
		{"the server was blind", []step{
			{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(1000); s.hearing = after(900) }, quiet},
			{func(s *scene) { s.at(1079) }, quiet},
			{func(s *scene) { s.at(1080) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
			{func(s *scene) { s.at(1090); s.hearing = after(1085) }, quiet}, // what is known to be silent stays so
		}, false, "silence", [2]bool{true, true}},
		{"blind to a device that was late: it is not called silent yet", []step{
			{func(s *scene) { s.hears(s.streams[d0][0], 0) }, []string{"dev-00 online reading 0"}},
			{func(s *scene) { s.at(200).hears(s.streams[d0][0], 180) }, []string{"dev-00 offline late 20", "dev-00/level stale late 20"}},
			{func(s *scene) { s.at(600); s.hearing = after(580) }, quiet},
			{func(s *scene) { s.at(760) }, []string{"dev-00 offline silence 200", "dev-00/level stale silence 20"}},
		}, false, "silence", [2]bool{true, false}},
		{"blind, and seen for the first time before", []step{
			{func(s *scene) { s.both(d0).at(1000); s.hearing = after(990) }, quiet},
			{func(s *scene) { s.at(1010).both(d0) }, []string{"dev-00 online reading 1010"}},
		}, true, "reading", [2]bool{}},
		{"blind to a device that said goodbye", []step{
			{func(s *scene) { s.says(d0, true) }, []string{"dev-00 online status 0"}},
			{func(s *scene) { s.at(10).says(d0, false); s.hearing = after(10) }, []string{"dev-00 offline status 10"}},
		}, false, "status", [2]bool{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, 1)
			for i, step := range c.steps {
				step.do(s)
				if diff := cmp.Diff(step.want, lines(s.look())); diff != "" {
					t.Errorf("step %d: told (-want +got)\n%s", i, diff)
				}
				if again := s.look(); len(again) != 0 {
					t.Errorf("step %d: told once more: %v", i, lines(again))
				}
			}
			d := s.device(d0)
			stale := [2]bool{d.Streams[0].StaleSince != nil, d.Streams[1].StaleSince != nil}
			if d.Online != c.online || d.Reason != c.reason || stale != c.stale {
				t.Errorf("the device is online %v for %q with stale datastreams %v", d.Online, d.Reason, stale)
			}
			if never := c.reason == ""; never != (d.StatusAt == nil) {
				t.Errorf("its state is since %v", d.StatusAt)
			}
		})
	}
}

// interval sets the pace of a device's datastream.
func (s *scene) interval(device string, which, seconds int) *scene {
	s.t.Helper()
	got, err := s.db.SetInterval(s.t.Context(), city, s.streams[device][which], seconds, "wang")
	if err != nil || (seconds > 0 && got.IntervalS != seconds) {
		s.t.Fatalf("%+v, %v", got, err)
	}
	return s
}

// What a device says is shown before the next look.
func TestStatusBeforeTheLook(t *testing.T) {
	s := newScene(t, 1)
	for i, online := range []bool{true, false, true} {
		s.at(i).says(d0, online)
		if d := s.device(d0); d.Online != online || d.Reason != "status" || d.StatusAt == nil || !d.StatusAt.Equal(s.now) {
			t.Errorf("it said %v and is %v for %q since %v", online, d.Online, d.Reason, d.StatusAt)
		}
	}
	s.look()
	if d := s.at(1000); len(d.look()) == 0 || s.device(d0).Online {
		t.Error("its old word holds against the silence")
	}
}

func TestIntervals(t *testing.T) {
	s := newScene(t, 1)
	ctx, id := t.Context(), s.streams[d0][0]
	s.interval(d0, 0, 600)
	if d := s.device(d0); d.Streams[0].IntervalS != 600 || d.Streams[1].IntervalS != 60 {
		t.Errorf("%+v", d.Streams)
	}
	if known, err := s.db.LoadRegistry(ctx); err != nil || known[0].Streams[0].IntervalS != 600 {
		t.Errorf("the registry has %+v, %v", known, err)
	}
	if targets, err := s.db.Targets(ctx); err != nil || targets[0].Datastream.IntervalS != 600 {
		t.Errorf("the rules have %+v, %v", targets, err)
	}
	_, head, err := s.db.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.db.SetInterval(ctx, city, id, 0, "wang"); err != nil || got.IntervalS != 60 || got.ID != id || got.Name != "level" {
		t.Errorf("%+v, %v", got, err)
	}
	events, _, err := s.db.EventsAfter(ctx, head, 10)
	if err != nil || len(events) != 1 || events[0].Kind != core.EventRegistryChanged || events[0].Subject != d0 || events[0].Actor != "wang" {
		t.Errorf("%+v, %v", events, err)
	}
	if _, err := s.db.SetInterval(ctx, core.Scope{Division: "370614"}, id, 5, "li"); errs.KindOf(err) != errs.NotFound {
		t.Errorf("another county: %v", err)
	}
	if _, err := s.db.SetInterval(ctx, city, id, 700_000, "li"); errs.KindOf(err) != errs.Invalid || fieldOf(err) != "datastreams.interval_s" {
		t.Errorf("more than a week: %v", err)
	}
	made, err := s.db.CreateDevice(ctx, sensors.Device{
		ID: "new", Division: "370602", Name: core.Text{ZH: "新"}, HazardType: "flood", Lon: 121, Lat: 37,
		Streams: []sensors.Datastream{{Name: "a", Type: "level", IntervalS: 5}, {Name: "b", Type: "level"}},
	}, secretOf("new"), "wang")
	if err != nil || made.Streams[0].IntervalS != 5 || made.Streams[1].IntervalS != 60 {
		t.Errorf("%+v, %v", made.Streams, err)
	}
}

// Of two nodes that look at once, each change is told by one.
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
				if _, err := s.db.LookForSilence(t.Context(), sensors.Look{Node: node, Hearing: s.hearing}); err != nil {
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

// A look is not repeated right after another node's, and gives its figures; and silence counts from when
// every node that is there hears.
func TestNodesLookForEachOther(t *testing.T) {
	s := newScene(t, 1)
	s.both(d0).look()
	look := func(l sensors.Look) sensors.LookResult {
		t.Helper()
		r, err := s.db.LookForSilence(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	s.at(200)
	if r := look(sensors.Look{Node: "n2", Hearing: s.now, Gap: time.Second}); !r.Looked || r.Changes != 0 {
		t.Errorf("a node that has just begun to hear: %+v", r)
	}
	if r := look(sensors.Look{Node: "n1", Hearing: s.hearing}); r.Changes != 0 {
		t.Errorf("told a silence that the other node could not hear: %+v", r)
	}
	s.at(300) // n2 is gone
	if r := look(sensors.Look{Node: "n1", Hearing: s.hearing}); r.Changes != 3 || r.Stale != 2 || r.Offline != 1 {
		t.Errorf("%+v", r)
	}
	s.at(301)
	if r := look(sensors.Look{Node: "n3", Hearing: s.hearing, Gap: 2 * time.Second}); r.Looked || r.Stale != 2 || r.Offline != 1 {
		t.Errorf("right after another node's look: %+v", r)
	}
	if _, err := s.db.LookForSilence(t.Context(), sensors.Look{}); errs.KindOf(err) != errs.Invalid || fieldOf(err) != "node" {
		t.Errorf("without a name: %v", err)
	}
}

// A network that falls makes an event for each division, and not one for each device.
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
		_, head, err := s.db.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.at(seconds).db.LookForSilence(ctx, sensors.Look{Node: "n1", Hearing: s.hearing})
		if err != nil || r.Events != counties {
			t.Fatalf("%+v, %v", r, err)
		}
		return s.told(head)
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

// replayed is what somebody knows who began with nothing and heard every event.
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

// stored is the same out of the tables.
func stored(t testing.TB, db *store.DB) replayed {
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

// Whatever devices do and whenever is looked: who replays the events holds what the tables say, and no change is
// told twice.
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
				s.hears(s.streams[device.Draw(rt, "device")][rapid.IntRange(0, 1).Draw(rt, "which")], rapid.SampledFrom([]int{0, 0, 0, 5, 170, 400, -50}).Draw(rt, "age"))
			},
			"online":  func(rt *rapid.T) { s.says(device.Draw(rt, "device"), true) },
			"offline": func(rt *rapid.T) { s.says(device.Draw(rt, "device"), false) },
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
