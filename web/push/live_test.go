package push

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"onemap/internal/core"
	"onemap/sensors"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// reading is one of a datastream, s seconds after noon.
func reading(ds int64, s int, v float64) sensors.Observation {
	at := noon.Add(time.Duration(s) * time.Second)
	return sensors.Observation{DatastreamID: ds, Time: at, Value: v, QC: sensors.QCGood, ReceivedAt: at.Add(time.Second)}
}

func status(device string, s int, online bool) sensors.Status {
	return sensors.Status{DeviceID: device, Online: online, At: noon.Add(time.Duration(s) * time.Second)}
}

func TestStateOverTheWire(t *testing.T) {
	ho := open(t, fast(), func(ho *house) { ho.batches.startAt(40) }).ready()
	city := ho.join(commander, "city", "e1", 0)
	county := ho.join(responder370602, "county", "e1", 0)
	ahead := reading(12, 0, 3.5)
	ahead.TimeSource = sensors.TimeWrong
	ho.batches.commit([]sensors.Observation{reading(11, 0, 1.5), ahead, reading(21, 0, 2.5), reading(999, 0, 9)}, status("d1", 0, true), status("d2", 0, false))
	ho.hub.Wake()

	f := county.await("state", func(f frame) bool { return f.Type == typeState })
	want := `{"type":"state","at":"` + atOf(t, f) + `","batch":41,"batch_id":"` + ho.batches.idAt(41) + `",` +
		`"readings":[{"ds":11,"device":"d1","t":"2026-07-01T12:00:00Z","v":1.5,"qc":1},` +
		`{"ds":12,"device":"d1","t":"2026-07-01T12:00:00Z","v":3.5,"qc":1,"src":3}],` +
		`"status":[{"device":"d1","online":true,"at":"2026-07-01T12:00:00Z"}],"seen":{"d1":"2026-07-01T12:00:01Z"}}`
	if f.raw != want {
		t.Errorf("the county got\n%s, want\n%s", f.raw, want)
	}
	f = city.await("state", func(f frame) bool { return f.Type == typeState })
	if got := datastreams(f); !slices.Equal(got, []int64{11, 12, 21, 999}) || len(f.Status) != 2 || f.Batch != 41 {
		t.Errorf("the city got %s", f.raw)
	}
}

func atOf(t *testing.T, f frame) string {
	t.Helper()
	var at struct{ At string }
	if err := json.Unmarshal([]byte(f.raw), &at); err != nil {
		t.Fatal(err)
	}
	if parsed, err := time.Parse(time.RFC3339, at.At); err != nil || parsed.Location() != time.UTC {
		t.Errorf("at %q is not UTC: %v", at.At, err)
	}
	return at.At
}

func datastreams(f frame) []int64 {
	var ids []int64
	for _, r := range f.Readings {
		ids = append(ids, r.Datastream)
	}
	return ids
}

// TestStateResumed: a client that names the batch it has gets what it missed in between, merged.
func TestStateResumed(t *testing.T) {
	ho := open(t, fast(), func(ho *house) { ho.batches.startAt(40) }).ready()
	for i := range 3 {
		ho.batches.commit([]sensors.Observation{reading(11, i, float64(i)), reading(12, -i, float64(i))})
	}
	until(t, "the batches are shown", func() bool { _, to := ho.hub.live.since(core.Scope{Division: "3706"}, at(40)); return to.Seq == 43 })
	p := ho.connect(responder370602)
	p.say(fmt.Sprintf(`{"type":"hello","client":"abcdefgh","epoch":"e1","last_seq":0,"batch":40,"batch_id":%q}`, ho.batches.idAt(40)))
	if w := p.next(); !w.State {
		t.Errorf("welcome %s", w.raw)
	}
	f := p.await("state", func(f frame) bool { return f.Type == typeState })
	if f.Batch != 43 || len(f.Readings) != 2 || f.Readings[0].Value != 2 || f.Readings[1].Value != 0 {
		t.Errorf("got %s, want the newest of each", f.raw)
	}
	for _, hello := range []string{
		`{"type":"hello","client":"abcdefgh","epoch":"e1","last_seq":0,"batch":39}`,                                                 // before this node's time
		`{"type":"hello","client":"abcdefgh","epoch":"e1","last_seq":0,"batch":41}`,                                                 // without a proof
		`{"type":"hello","client":"abcdefgh","epoch":"e1","last_seq":0,"batch":41,"batch_id":"b5c3"}`,                               // of a folder that was put back
		fmt.Sprintf(`{"type":"hello","client":"abcdefgh","epoch":"e0","last_seq":0,"batch":41,"batch_id":%q}`, ho.batches.idAt(41)), // of another log
		`{"type":"hello","client":"abcdefgh","epoch":"e1","last_seq":0}`,
	} {
		p := ho.connect(responder370602)
		p.say(hello)
		w := p.next()
		if w.State {
			t.Errorf("%s was answered with %s", hello, w.raw)
		}
		if !w.Recovered {
			continue
		}
		// It was not said what it has, so it gets all that is known.
		if f := p.await("state", func(f frame) bool { return f.Type == typeState }); f.Batch != 43 || len(f.Readings) != 2 {
			t.Errorf("after %s came %s", hello, f.raw)
		}
	}
}

func newTestLive() *live {
	l := newLive(places{"d1": "370602", "d2": "370614"})
	l.begin(core.Mark{})
	return l
}

// at is the mark of a batch in tests that do not look at ids.
func at(seq int64) core.Mark { return core.Mark{Seq: seq} }

// see is what since gives, before it is encoded.
func (l *live) see(s core.Scope, from int64) ([]stateFrame, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from >= l.flushed.Seq {
		return nil, from
	}
	return l.build(s, at(from)), l.flushed.Seq
}

func TestLiveNewestWins(t *testing.T) {
	l := newTestLive()
	l.apply(at(0), []sensors.Committed{
		{Seq: 1, Observations: []sensors.Observation{reading(11, 5, 5), reading(11, 3, 3), reading(12, 1, math.NaN())}},
		{Seq: 2, Observations: []sensors.Observation{reading(11, 4, 4)}, Statuses: []sensors.Status{status("d1", 9, true), status("d1", 8, false)}},
	})
	if d := l.flush(noon); !maps.Equal(d, map[string]struct{}{"370602": {}}) {
		t.Errorf("touched %v", d)
	}
	city := core.Scope{Division: "3706"}
	got, to := l.see(city, 0)
	if to != 2 || len(got) != 1 || len(got[0].Readings) != 1 || got[0].Readings[0].Value != 5 || len(got[0].Status) != 1 || !got[0].Status[0].Online {
		t.Fatalf("%+v to %d", got, to)
	}
	// A late one changes nothing that is shown, but the device was heard.
	late := reading(11, 2, 2)
	late.ReceivedAt = noon.Add(time.Hour)
	l.apply(at(2), []sensors.Committed{{Seq: 3, Observations: []sensors.Observation{late}, Statuses: []sensors.Status{status("d1", 1, false)}}})
	l.flush(noon)
	got, to = l.see(city, 2)
	if to != 3 || len(got) != 1 || len(got[0].Readings)+len(got[0].Status) != 0 || !got[0].Seen["d1"].Equal(late.ReceivedAt) {
		t.Errorf("%+v to %d", got, to)
	}
	if got, to := l.see(core.Scope{Division: "370614"}, 2); got != nil || to != 3 {
		t.Errorf("another county got %v to %d", got, to)
	}
	if d := l.flush(noon); d != nil {
		t.Errorf("nothing new touched %v", d)
	}
	l.apply(at(1), []sensors.Committed{{Seq: 9}}) // of a tail that was overtaken
	if pos, _ := l.position(); pos != at(3) {
		t.Errorf("at %v", pos)
	}
}

// TestLiveChunks: a frame has a bound, and only the last one says that the client has everything.
func TestLiveChunks(t *testing.T) {
	l := newTestLive()
	var obs []sensors.Observation
	for ds := range int64(2*readingsPerFrame + 1) {
		obs = append(obs, reading(ds, 0, 1))
	}
	l.apply(at(0), []sensors.Committed{{Seq: 7, Observations: obs}})
	l.flush(noon)
	frames, _ := l.see(core.Scope{Division: "3706"}, 0)
	var batches, sizes []int64
	for _, f := range frames {
		batches, sizes = append(batches, f.Batch), append(sizes, int64(len(f.Readings)))
	}
	if diff := cmp.Diff([]int64{0, 0, 7}, batches); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int64{readingsPerFrame, readingsPerFrame, 1}, sizes); diff != "" {
		t.Error(diff)
	}
}

// TestLiveConverges: however slowly a client takes its frames, after the last one it shows the newest
// reading and status of everything in its scope, and has never been shown anything else.
func TestLiveConverges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newTestLive()
		type viewer struct {
			scope    core.Scope
			at       int64
			readings map[int64]readingFrame
			status   map[string]sensors.Status
		}
		var viewers []*viewer
		for _, d := range []string{"3706", "370602", "370614", "370685"} {
			viewers = append(viewers, &viewer{core.Scope{Division: d}, 0, map[int64]readingFrame{}, map[string]sensors.Status{}})
		}
		take := func(v *viewer) {
			frames, to := l.see(v.scope, v.at)
			for _, f := range frames {
				for _, r := range f.Readings {
					if old, ok := v.readings[r.Datastream]; ok && r.Time.Before(old.Time) {
						rt.Fatalf("%v: reading %d went back from %v to %v", v.scope, r.Datastream, old.Time, r.Time)
					}
					v.readings[r.Datastream] = r
				}
				for _, s := range f.Status {
					v.status[s.DeviceID] = s
				}
			}
			v.at = to
		}
		truth := map[int64]sensors.Observation{}
		online := map[string]sensors.Status{}
		steps := rapid.IntRange(1, 3*historyTicks).Draw(rt, "steps")
		for seq := int64(1); seq <= int64(steps); seq++ {
			o := reading(rapid.SampledFrom([]int64{11, 12, 21, 22, 990}).Draw(rt, "ds"), rapid.IntRange(0, 50).Draw(rt, "t"), float64(seq))
			s := status(rapid.SampledFrom([]string{"d1", "d2"}).Draw(rt, "device"), rapid.IntRange(0, 50).Draw(rt, "at"), seq%2 == 0)
			l.apply(at(seq-1), []sensors.Committed{{Seq: seq, Observations: []sensors.Observation{o}, Statuses: []sensors.Status{s}}})
			if old, ok := truth[o.DatastreamID]; !ok || !o.Time.Before(old.Time) {
				truth[o.DatastreamID] = o
			}
			if old, ok := online[s.DeviceID]; !ok || !s.At.Before(old.At) {
				online[s.DeviceID] = s
			}
			if rapid.IntRange(0, 2).Draw(rt, "flush") > 0 {
				l.flush(noon)
			}
			if i := rapid.IntRange(0, 12).Draw(rt, "who"); i < len(viewers) {
				take(viewers[i])
			}
		}
		l.flush(noon)
		for _, v := range viewers {
			take(v)
			for ds, o := range truth {
				device, _ := l.where.DeviceOf(ds)
				visible := v.scope.Covers(l.divisionOf(device))
				got, ok := v.readings[ds]
				if ok != visible || ok && got.Value != o.Value {
					rt.Errorf("%v shows %v of %d, want %v (visible %v)", v.scope, got, ds, o.Value, visible)
				}
			}
			for device, s := range online {
				got, ok := v.status[device]
				if visible := v.scope.Covers(l.divisionOf(device)); ok != visible || ok && got.Online != s.Online {
					rt.Errorf("%v shows %v of %s, want %v", v.scope, got, device, s)
				}
			}
		}
	})
}

// TestLiveShared: clients of one scope at the same batch are given the same frames.
func TestLiveShared(t *testing.T) {
	l := newTestLive()
	l.apply(at(0), []sensors.Committed{{Seq: 1, Observations: []sensors.Observation{reading(11, 0, 1)}}})
	l.flush(noon)
	a, _ := l.since(core.Scope{Division: "3706"}, at(0))
	b, _ := l.since(core.Scope{Division: "3706"}, at(0))
	if len(a) != 1 || a[0] != b[0] {
		t.Error("the frame was made twice")
	}
}

// TestBatchTailStartsAnew: too far behind, or behind a restored log, clients take a snapshot.
func TestBatchTailStartsAnew(t *testing.T) {
	for name, head := range map[string]int64{"restored": 10, "too far": 50 + maxBatchBacklog} {
		t.Run(name, func(t *testing.T) {
			ho := open(t, fast(), func(ho *house) { ho.batches.startAt(40) }).ready()
			p := ho.join(commander, "p", "e1", 0)
			ho.batches.mu.Lock()
			ho.batches.away = true
			ho.batches.mu.Unlock()
			ho.clock.advance(time.Minute)
			p.await("bad health", func(f frame) bool { return f.Type == typeBeat && !f.Health.OK })
			ho.batches.mu.Lock()
			ho.batches.away, ho.batches.head = false, head
			ho.batches.mu.Unlock()
			p.wantClosed(CloseResume, "started anew")
			again := ho.connect(commander)
			again.say(fmt.Sprintf(`{"type":"hello","client":"abcdefgh","epoch":"e1","last_seq":0,"batch":%d}`, 9))
			if w := again.next(); w.State || !w.Recovered {
				t.Errorf("welcome %s", w.raw)
			}
		})
	}
}
