package sensors

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sec returns the time this many seconds after noon.
func sec(n int) time.Time {
	return time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

// receivedAt returns a datastream with an interval of a minute, whose newest observation was received when it was measured.
func receivedAt(id int64, n int) StreamFacts {
	return StreamFacts{ID: id, Name: "level", IntervalS: 60, NewestAt: sec(n), Received: sec(n)}
}

// lateBy returns a datastream whose newest observation was received some time after its measurement.
func lateBy(id int64, taken, received int) StreamFacts {
	return StreamFacts{ID: id, Name: "level", IntervalS: 60, NewestAt: sec(taken), Received: sec(received)}
}

// paced returns the datastream with another interval.
func (s StreamFacts) paced(seconds int) StreamFacts {
	s.IntervalS = seconds
	return s
}

// told returns the datastream with the state that was last published.
func (s StreamFacts) told(reason string, since int) StreamFacts {
	s.Published = StreamState{Reason: reason, Since: sec(since)}
	return s
}

func online(reason string, since int) DeviceState {
	return DeviceState{Online: true, Reason: reason, Since: sec(since)}
}

func offline(reason string, since int) DeviceState {
	return DeviceState{Reason: reason, Since: sec(since)}
}

// line formats a change as in the tables below: thing, state, reason, and since in seconds after noon.
func line(c PresenceChange) string {
	thing := c.Device
	if c.DatastreamID != 0 {
		thing = fmt.Sprint(c.DatastreamID)
	}
	return fmt.Sprintf("%s %s %s %g", thing, c.State, c.Reason, c.Since.Sub(sec(0)).Seconds())
}

// The rows of the table of docs/presence.md, each with its opposite. The server has received for an hour, unless a case
// differs.
func TestJudgePresence(t *testing.T) {
	never := StreamFacts{ID: 1, Name: "level", IntervalS: 60}
	for _, c := range []struct {
		name      string
		facts     DeviceFacts
		now       int
		listening int // 0: an hour before
		want      []string
	}{
		{name: "a datastream is stale: three intervals", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{receivedAt(1, 0), receivedAt(2, 100)}},
			now: 180, want: []string{"1 stale silence 0"}},
		{name: "not a second before", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{receivedAt(1, 0), receivedAt(2, 100)}}, now: 179},
		{name: "half a minute at least", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{receivedAt(1, 0).paced(1), receivedAt(2, 0)}},
			now: 30, want: []string{"1 stale silence 0"}},
		{name: "not sooner than half a minute", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{receivedAt(1, 0).paced(1), receivedAt(2, 0)}}, now: 29},
		{name: "late: observations arrive and are old", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{lateBy(1, 0, 170), receivedAt(2, 100)}},
			now: 180, want: []string{"1 stale late 0"}},
		{name: "late: observations arrive that do not move the newest", facts: DeviceFacts{LastSeen: sec(150), Published: online("reading", 0), Datastreams: []StreamFacts{receivedAt(1, 0)}},
			now: 190, want: []string{"dev offline late 0", "1 stale late 0"}},
		{name: "no longer late: nothing arrives any more", facts: DeviceFacts{LastSeen: sec(150), Published: offline("late", 0), Datastreams: []StreamFacts{receivedAt(1, 0).told("late", 0)}},
			now: 330, want: []string{"dev offline silence 150", "1 stale silence 0"}},
		{name: "fresh: a new observation", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{receivedAt(1, 300).told("silence", 0), receivedAt(2, 300)}},
			now: 301, want: []string{"1 fresh reading 300"}},
		{name: "fresh: a longer interval", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{receivedAt(1, 0).paced(600).told("silence", 0), receivedAt(2, 300)}},
			now: 301, want: []string{"1 fresh reading 0"}},
		{name: "a new observation that is old keeps it stale", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{lateBy(1, 100, 400).told("late", 0), receivedAt(2, 400)}}, now: 401},

		{name: "off line: it said so", facts: DeviceFacts{StatusAt: sec(20), Published: online("status", 0), Datastreams: []StreamFacts{receivedAt(1, 10)}},
			now: 21, want: []string{"dev offline status 20"}},
		{name: "on line: it said off, and has published since", facts: DeviceFacts{StatusAt: sec(20), Published: offline("status", 20), Datastreams: []StreamFacts{receivedAt(1, 21)}},
			now: 22, want: []string{"dev online reading 21"}},
		{name: "off line: its last observation came in the moment of its goodbye", facts: DeviceFacts{StatusAt: sec(20), Published: online("reading", 0), Datastreams: []StreamFacts{receivedAt(1, 20)}},
			now: 21, want: []string{"dev offline status 20"}},
		{name: "off line: all datastreams are stale", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{receivedAt(1, 60), receivedAt(2, 0).told("silence", 0)}},
			now: 240, want: []string{"dev offline silence 60", "1 stale silence 60"}},
		{name: "off line: all are late", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{lateBy(1, 30, 220), lateBy(2, 20, 220)}},
			now: 220, want: []string{"dev offline late 30", "1 stale late 30", "2 stale late 20"}},
		{name: "on line: one datastream is fresh again", facts: DeviceFacts{Published: offline("silence", 0), Datastreams: []StreamFacts{receivedAt(1, 0).told("silence", 0), receivedAt(2, 300).told("silence", 0)}},
			now: 301, want: []string{"dev online reading 300", "2 fresh reading 300"}},
		{name: "off line by silence, then by its last will", facts: DeviceFacts{StatusAt: sec(210), Published: offline("silence", 0), Datastreams: []StreamFacts{receivedAt(1, 0).told("silence", 0)}},
			now: 211, want: []string{"dev offline status 210"}},
		{name: "on line: it said so", facts: DeviceFacts{StatusOnline: true, StatusAt: sec(0), Datastreams: []StreamFacts{never}}, now: 1, want: []string{"dev online status 0"}},
		{name: "its word counts for three of its longest interval", facts: DeviceFacts{StatusOnline: true, StatusAt: sec(0), Published: online("status", 0), Datastreams: []StreamFacts{never, receivedAt(2, -900).paced(100).told("silence", -900)}}, now: 299},
		{name: "and no longer", facts: DeviceFacts{StatusOnline: true, StatusAt: sec(0), Published: online("status", 0), Datastreams: []StreamFacts{never, receivedAt(2, -900).paced(100).told("silence", -900)}},
			now: 300, want: []string{"dev offline silence 0"}},
		{name: "on line: it publishes and never sends a status", facts: DeviceFacts{Datastreams: []StreamFacts{receivedAt(1, 0)}}, now: 1, want: []string{"dev online reading 0"}},
		{name: "on line by its word, stays so by its observations", facts: DeviceFacts{StatusOnline: true, StatusAt: sec(0), Published: online("status", 0), Datastreams: []StreamFacts{receivedAt(1, 5000)}}, now: 5001},
		{name: "never seen", facts: DeviceFacts{Datastreams: []StreamFacts{never}}, now: 100_000},
		{name: "a datastream that never published is not stale", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{never, receivedAt(2, 1000)}}, now: 1001},
		{name: "without datastreams its word is all that is known", facts: DeviceFacts{StatusOnline: true, StatusAt: sec(0), Published: online("status", 0)}, now: 100_000},
		{name: "without datastreams, off line", facts: DeviceFacts{StatusAt: sec(9), Published: online("status", 0)}, now: 10, want: []string{"dev offline status 9"}},

		{name: "without datastreams and without a word nothing is known", facts: DeviceFacts{LastSeen: sec(9)}, now: 10},
		{name: "its word is no observation: the datastream is silent, not late", facts: DeviceFacts{StatusOnline: true, StatusAt: sec(300), LastSeen: sec(300), Published: offline("silence", 0), Datastreams: []StreamFacts{receivedAt(1, 0).told("silence", 0)}},
			now: 301, want: []string{"dev online status 300"}},
		{name: "no state begins before the one that was told last", facts: DeviceFacts{Published: online("reading", 100), Datastreams: []StreamFacts{lateBy(1, 30, 250)}},
			now: 250, want: []string{"dev offline late 100", "1 stale late 30"}},
		{name: "a status that is contradicted is put right", facts: DeviceFacts{StatusAt: sec(6), Published: online("status", 0), Datastreams: []StreamFacts{receivedAt(1, 7)}},
			now: 8, want: []string{"dev online reading 7"}},
		{name: "late observations hold against a word that is too old", facts: DeviceFacts{StatusOnline: true, StatusAt: sec(410), Published: offline("silence", 0), Datastreams: []StreamFacts{lateBy(1, 405, 800).told("silence", 0)}},
			now: 801, want: []string{"dev offline late 410", "1 stale late 0"}},

		{name: "the server could not hear: nothing becomes silent", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{receivedAt(1, 0)}}, now: 1079, listening: 900},
		{name: "it can hear for three intervals", facts: DeviceFacts{Published: online("reading", 0), Datastreams: []StreamFacts{receivedAt(1, 0)}},
			now: 1080, listening: 900, want: []string{"dev offline silence 0", "1 stale silence 0"}},
		{name: "what is silent stays so, though the server could not hear", facts: DeviceFacts{Published: offline("silence", 0), Datastreams: []StreamFacts{receivedAt(1, 0).told("silence", 0)}}, now: 1090, listening: 1085},
		{name: "late stays late while the server could not hear", facts: DeviceFacts{Published: offline("late", 20), Datastreams: []StreamFacts{lateBy(1, 20, 200).told("late", 20)}}, now: 600, listening: 580},
		{name: "seen for the first time before the server could hear: not decided", facts: DeviceFacts{Datastreams: []StreamFacts{receivedAt(1, 0)}}, now: 1000, listening: 990},
		{name: "a goodbye is told although the server could not hear", facts: DeviceFacts{StatusAt: sec(10), Published: online("status", 0), Datastreams: []StreamFacts{receivedAt(1, 0)}},
			now: 11, listening: 10, want: []string{"dev offline status 10"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.facts.ID = "dev"
			listening := sec(c.now - 3600)
			if c.listening != 0 {
				listening = sec(c.listening)
			}
			v := JudgePresence(c.facts, sec(c.now), listening)
			var got []string
			for _, change := range v.Changes {
				got = append(got, line(change))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			checkVerdict(t, c.facts, v, sec(c.now), listening)
		})
	}
}

// checkVerdict checks the properties of every result: the changes lead from the old state to the new one, a second check
// finds no change, and no time is in the future.
func checkVerdict(t interface{ Errorf(string, ...any) }, d DeviceFacts, v PresenceVerdict, now, listening time.Time) {
	device, streams := d.Published, map[int64]StreamState{}
	for _, s := range d.Datastreams {
		streams[s.ID] = s.Published
	}
	for i, c := range v.Changes {
		switch {
		case c.Since.After(now):
			t.Errorf("told of the future: %s", line(c))
		case c.DatastreamID == 0 && i != 0:
			t.Errorf("the device's change is not the first")
		case c.DatastreamID == 0:
			device = DeviceState{Online: c.State == PresenceOnline, Reason: c.Reason, Since: c.Since}
		case c.State == PresenceFresh:
			streams[c.DatastreamID] = StreamState{}
		default:
			streams[c.DatastreamID] = StreamState{Reason: c.Reason, Since: c.Since}
		}
	}
	if device != v.Device {
		t.Errorf("who was told holds %+v, the verdict is %+v", device, v.Device)
	}
	d.Published = v.Device
	for i, state := range v.Datastreams {
		if s := &d.Datastreams[i]; streams[s.ID] != state {
			t.Errorf("of datastream %d who was told holds %+v, the verdict is %+v", s.ID, streams[s.ID], state)
		} else {
			s.Published = state
		}
	}
	if again := JudgePresence(d, now, listening); len(again.Changes) != 0 {
		t.Errorf("a second look tells %+v", again.Changes)
	}
}

// For any facts, the results of a device satisfy checkVerdict. If the server could receive all the time, a datastream is
// stale exactly when IsStale returns true.
func TestJudgePresenceHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := 0
		d := DeviceFacts{ID: "dev", Datastreams: []StreamFacts{{ID: 1, IntervalS: 60}, {ID: 2, IntervalS: 60}}[:rapid.IntRange(0, 2).Draw(t, "datastreams")]}
		listening := sec(-3600)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			now += rapid.IntRange(1, 250).Draw(t, "seconds")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				d.StatusOnline, d.StatusAt = rapid.Bool().Draw(t, "said"), sec(now)
			case 1:
				listening = sec(now)
			case 2:
				d.LastSeen = sec(now)
			default:
				for i := range d.Datastreams {
					if age := rapid.SampledFrom([]int{-1, 0, 0, 5, 170, 400}).Draw(t, "age"); age >= 0 {
						d.Datastreams[i].NewestAt, d.Datastreams[i].Received = later(d.Datastreams[i].NewestAt, sec(now-age)), sec(now)
					}
				}
			}
			v := JudgePresence(d, sec(now), listening)
			checkVerdict(t, d, v, sec(now), listening)
			d.Published = v.Device
			for i, state := range v.Datastreams {
				s := &d.Datastreams[i]
				s.Published = state
				if want := !s.NewestAt.IsZero() && IsStale(s.NewestAt, time.Time{}, s.IntervalS, sec(now)); listening.Equal(sec(-3600)) && want != (state.Reason != "") {
					t.Fatalf("datastream %d is %+v and IsStale says %v", s.ID, state, want)
				}
			}
		}
	})
}
