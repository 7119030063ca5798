package sensorspg_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// presenceCase is a sequence of steps of dev-00 and its server, each before a check.
type presenceCase struct {
	name   string
	steps  []presenceStep
	online bool // at the end
	reason string
	stale  [2]bool
}

// presenceStep is an action and the changes that the check after it publishes.
type presenceStep struct {
	do   func(s *scene)
	want []string
}

var quiet = []string{}

func TestPresence(t *testing.T) {
	for _, c := range slices.Concat(presenceByWord, presenceBySilence, presenceByClocks, presenceWhenBlind) {
		t.Run(c.name, c.run)
	}
}

func (c presenceCase) run(t *testing.T) {
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
}

// Statuses of devices, with and without readings after them.
var presenceByWord = []presenceCase{
	{"never seen", []presenceStep{{func(s *scene) { s.at(100_000) }, quiet}}, false, "", [2]bool{}},
	{"says online, readings come", []presenceStep{
		{func(s *scene) { s.reports(d0, true) }, []string{"dev-00 online status 0"}},
		{func(s *scene) { s.at(60).both(d0) }, quiet},
		{func(s *scene) { s.at(239) }, quiet},
	}, true, "status", [2]bool{}},
	{"last will", []presenceStep{
		{func(s *scene) { s.reports(d0, true).at(10).both(d0) }, []string{"dev-00 online status 0"}},
		{func(s *scene) { s.at(20).reports(d0, false) }, []string{"dev-00 offline status 20"}},
		{func(s *scene) { s.at(190) }, []string{"dev-00/level stale silence 10", "dev-00/rain stale silence 10"}},
	}, false, "status", [2]bool{true, true}},
	{"comes and goes between two looks", []presenceStep{
		{func(s *scene) { s.reports(d0, true).at(1).reports(d0, false) }, []string{"dev-00 offline status 1"}},
		{func(s *scene) { s.at(2).reports(d0, true).at(3).reports(d0, false) }, quiet},
	}, false, "status", [2]bool{}},
	{"its will comes after the silence", []presenceStep{
		{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(200) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
		{func(s *scene) { s.at(210).reports(d0, false) }, []string{"dev-00 offline status 210"}},
	}, false, "status", [2]bool{true, true}},
	{"a reading before the goodbye does not bring it back, one after does", []presenceStep{
		{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(5).both(d0).at(6).reports(d0, false) }, []string{"dev-00 offline status 6"}},
		{func(s *scene) { s.at(7).both(d0) }, []string{"dev-00 online reading 7"}},
	}, true, "reading", [2]bool{}},
	{"a goodbye in the moment of the last reading holds", []presenceStep{
		{func(s *scene) { s.both(d0).reports(d0, false) }, []string{"dev-00 offline status 0"}},
	}, false, "status", [2]bool{}},
	{"a goodbye and a reading after it between two looks: those who heard the goodbye are put right", []presenceStep{
		{func(s *scene) { s.reports(d0, true) }, []string{"dev-00 online status 0"}},
		{func(s *scene) { s.at(6).reports(d0, false).at(7).both(d0) }, []string{"dev-00 online reading 7"}},
		{func(s *scene) { s.at(8) }, quiet},
	}, true, "reading", [2]bool{}},
}

// Silence, its end, and its times.
var presenceBySilence = []presenceCase{
	{"silence, one datastream, then both", []presenceStep{
		{func(s *scene) { s.reports(d0, true).both(d0) }, []string{"dev-00 online status 0"}},
		{func(s *scene) { s.at(60).receives(s.streams[d0][0], 0) }, quiet},
		{func(s *scene) { s.at(179) }, quiet},
		{func(s *scene) { s.at(180) }, []string{"dev-00/rain stale silence 0"}},
		{func(s *scene) { s.at(239) }, quiet},
		{func(s *scene) { s.at(240) }, []string{"dev-00 offline silence 60", "dev-00/level stale silence 60"}},
		{func(s *scene) { s.at(500) }, quiet},
	}, false, "silence", [2]bool{true, true}},
	{"back again by a reading", []presenceStep{
		{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(200) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
		{func(s *scene) { s.at(300).receives(s.streams[d0][1], 1) }, []string{"dev-00 online reading 300", "dev-00/rain fresh reading 300"}},
	}, true, "reading", [2]bool{true, false}},
	{"back again by its word", []presenceStep{
		{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(200) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
		{func(s *scene) { s.at(300).reports(d0, true) }, []string{"dev-00 online status 300"}},
		{func(s *scene) { s.at(479) }, quiet},
		{func(s *scene) { s.at(480) }, []string{"dev-00 offline silence 300"}},
	}, false, "silence", [2]bool{true, true}},
	{"sends at irregular times: its interval bounds them", []presenceStep{
		{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.interval(d0, 0, 3600).at(3000) }, []string{"dev-00/rain stale silence 0"}},
		{func(s *scene) { s.at(10_800) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0"}},
	}, false, "silence", [2]bool{true, true}},
	{"a short interval is not held to less than half a minute", []presenceStep{
		{func(s *scene) { s.interval(d0, 0, 1).interval(d0, 1, 1).both(d0) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(29) }, quiet},
		{func(s *scene) { s.at(30) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
	}, false, "silence", [2]bool{true, true}},
	{"a longer interval makes it fresh", []presenceStep{
		{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(180) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
		{func(s *scene) { s.interval(d0, 0, 600) }, []string{"dev-00 online reading 0", "dev-00/level fresh reading 0"}},
	}, true, "reading", [2]bool{false, true}},
}

// Clocks that are behind or ahead.
var presenceByClocks = []presenceCase{
	{"a clock that is behind: late, not silent", []presenceStep{
		{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(100).receives(s.streams[d0][0], 90).receives(s.streams[d0][1], 90) }, quiet},
		{func(s *scene) { s.at(220).receives(s.streams[d0][0], 190).receives(s.streams[d0][1], 190) },
			[]string{"dev-00 offline late 30", "dev-00/level stale late 30", "dev-00/rain stale late 30"}},
		{func(s *scene) { s.at(280).receives(s.streams[d0][0], 190).receives(s.streams[d0][1], 190) }, quiet},
		{func(s *scene) { s.at(300).receives(s.streams[d0][0], 0) }, []string{"dev-00 online reading 300", "dev-00/level fresh reading 300"}},
	}, true, "reading", [2]bool{false, true}},
	{"a clock that was set back: nothing is newer than what is known, and yet it is received from", []presenceStep{
		{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(150).receives(s.streams[d0][0], 200).receives(s.streams[d0][1], 200).at(190) },
			[]string{"dev-00 offline late 0", "dev-00/level stale late 0", "dev-00/rain stale late 0"}},
		{func(s *scene) { s.at(330) }, []string{"dev-00 offline silence 150", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
	}, false, "silence", [2]bool{true, true}},
	{"a clock that is ahead keeps nothing fresh", []presenceStep{
		{func(s *scene) { s.receives(s.streams[d0][0], -3000).receives(s.streams[d0][1], -3000) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(180) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
	}, false, "silence", [2]bool{true, true}},
	{"a clock that is ahead by as little as is believed keeps nothing fresh either", []presenceStep{
		{func(s *scene) {
			for _, id := range s.streams[d0] {
				storetest.Commit(s.t, s.db, sensors.Observation{DatastreamID: id, Time: after(40), TimeSource: sensors.TimeDevice, ReceivedAt: s.now})
			}
		}, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(180) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
	}, false, "silence", [2]bool{true, true}},
}

// A server that could not receive.
var presenceWhenBlind = []presenceCase{
	{"the server was blind", []presenceStep{
		{func(s *scene) { s.both(d0) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(1000); s.hearing = after(900) }, quiet},
		{func(s *scene) { s.at(1079) }, quiet},
		{func(s *scene) { s.at(1080) }, []string{"dev-00 offline silence 0", "dev-00/level stale silence 0", "dev-00/rain stale silence 0"}},
		{func(s *scene) { s.at(1090); s.hearing = after(1085) }, quiet}, // what is known to be silent stays so
	}, false, "silence", [2]bool{true, true}},
	{"blind to a device that was late: it is not called silent yet", []presenceStep{
		{func(s *scene) { s.receives(s.streams[d0][0], 0) }, []string{"dev-00 online reading 0"}},
		{func(s *scene) { s.at(200).receives(s.streams[d0][0], 180) }, []string{"dev-00 offline late 20", "dev-00/level stale late 20"}},
		{func(s *scene) { s.at(600); s.hearing = after(580) }, quiet},
		{func(s *scene) { s.at(760) }, []string{"dev-00 offline silence 200", "dev-00/level stale silence 20"}},
	}, false, "silence", [2]bool{true, false}},
	{"blind, and seen for the first time before", []presenceStep{
		{func(s *scene) { s.both(d0).at(1000); s.hearing = after(990) }, quiet},
		{func(s *scene) { s.at(1010).both(d0) }, []string{"dev-00 online reading 1010"}},
	}, true, "reading", [2]bool{}},
	{"blind to a device that said goodbye", []presenceStep{
		{func(s *scene) { s.reports(d0, true) }, []string{"dev-00 online status 0"}},
		{func(s *scene) { s.at(10).reports(d0, false); s.hearing = after(10) }, []string{"dev-00 offline status 10"}},
	}, false, "status", [2]bool{}},
}

// A status is visible before the next check.
func TestStatusBeforeTheLook(t *testing.T) {
	s := newScene(t, 1)
	for i, online := range []bool{true, false, true} {
		s.at(i).reports(d0, online)
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
	if known, err := s.db.Sensors.LoadRegistry(ctx); err != nil || known[0].Streams[0].IntervalS != 600 {
		t.Errorf("the registry has %+v, %v", known, err)
	}
	if targets, err := s.db.Sensors.Targets(ctx); err != nil || targets[0].Datastream.IntervalS != 600 {
		t.Errorf("the rules have %+v, %v", targets, err)
	}
	_, head, err := s.db.Log().Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.db.Sensors.SetInterval(ctx, storetest.CityScope(), id, 0, "wang"); err != nil || got.IntervalS != 60 || got.ID != id || got.Name != "level" {
		t.Errorf("%+v, %v", got, err)
	}
	events, err := storetest.EventsAfter(ctx, s.db, head.Seq, 10)
	if err != nil || len(events) != 1 || events[0].Kind != sensors.EventRegistryChanged || events[0].Subject != d0 || events[0].Actor != "wang" {
		t.Errorf("%+v, %v", events, err)
	}
	if _, err := s.db.Sensors.SetInterval(ctx, core.Scope{Division: "370614"}, id, 5, "li"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another county: %v", err)
	}
	if _, err := s.db.Sensors.SetInterval(ctx, storetest.CityScope(), id, 700_000, "li"); fault.KindOf(err) != fault.Invalid || storetest.FieldOf(err) != "datastreams.interval_s" {
		t.Errorf("more than a week: %v", err)
	}
	made, err := s.db.Sensors.CreateDevice(ctx, sensors.Device{
		ID: "new", Division: "370602", Name: core.Text{ZH: "新"}, HazardType: "flood", Lon: 121, Lat: 37, Origin: core.OriginReal,
		Streams: []sensors.Datastream{{Name: "a", Type: "level", IntervalS: 5}, {Name: "b", Type: "level"}},
	}, storetest.SecretOf("new"), "wang")
	if err != nil || made.Streams[0].IntervalS != 5 || made.Streams[1].IntervalS != 60 {
		t.Errorf("%+v, %v", made.Streams, err)
	}
}

// A device that reported online and sends only old readings is off line since its status. A client that used the newer of the
// two would have the wrong state.
func TestLateReadingsHoldAgainstWhatWasSaid(t *testing.T) {
	s := newScene(t, 1)
	s.at(0).both("dev-00").look()
	if told := s.at(400).look(); len(told) == 0 {
		t.Fatal("it did not fall silent")
	}
	s.at(410).reports("dev-00", true)
	s.at(800).receives(s.streams["dev-00"][0], 395)
	told := s.look()
	if len(told) == 0 || told[0].State != sensors.PresenceOffline || told[0].Reason != sensors.PresenceLate || !told[0].Since.Equal(after(410)) {
		t.Fatalf("told %+v", told)
	}
	if d := s.device("dev-00"); d.Online || d.Reason != sensors.PresenceLate {
		t.Errorf("the snapshot says %t, %s", d.Online, d.Reason)
	}
	if told := s.at(805).look(); len(told) > 0 {
		t.Errorf("told again: %+v", told)
	}
}
