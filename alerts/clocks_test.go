package alerts

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"onemap/internal/core"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// TestClocksAndLinksAgainstModel: a device with any clock over any link. Its messages are decoded, judged, stored and
// evaluated as those of a real one are; what the model knows beside that is which reading is of now.
func TestClocksAndLinksAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		defer w.stop()
		for range rapid.IntRange(3, 14).Draw(rt, "events") {
			w.event(rt)
		}
		w.check(rt)
	})
}

// world is one device, its clock, its link, and the server.
type world struct {
	shelf    *shelf
	in       *sensors.Ingest
	external bool // through another broker: no connection is known
	interval time.Duration

	now     time.Time     // true
	ahead   time.Duration // of the device's clock
	stands  time.Time     // what a clock that was never set said at since; zero: it has been set
	since   time.Time
	calm    int // live readings since something has happened to the clock, the link or the server
	right   int // live readings since the clock was last wrong
	missed  int // live readings in a row that were not evaluated
	session uint64
	next    int // number of the next reading, which is its value
	sent    []sensors.Message
	untrue  map[float64]bool // readings whose time cannot be true: they are stored at their receipt, and so again when they are sent again
}

func newWorld(rt *rapid.T) *world {
	w := &world{
		shelf:    &shelf{rows: map[rowKey]row{}, conflicts: map[conflictKey]bool{}, evaluated: map[float64]int{}, kept: map[float64]bool{}, source: map[float64]sensors.TimeSource{}},
		external: rapid.Bool().Draw(rt, "an external broker"),
		interval: rapid.SampledFrom([]time.Duration{2 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute}).Draw(rt, "interval"),
		now:      time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC), session: 1, next: 1, right: 100, untrue: map[float64]bool{},
	}
	w.shelf.rule = Rule{ID: 1, Type: "water_level", Direction: Above, Enabled: true, Version: 1, Thresholds: []Threshold{{core.Red, 1e6, 1e5}}}
	w.shelf.interval = int(w.interval.Seconds())
	w.start(rt)
	w.live(rt, 3)
	return w
}

// start is a server that knows what is stored.
func (w *world) start(rt *rapid.T) {
	registry := sensors.NewRegistry(w.shelf, sensors.RegistryOptions{}, nil, nil)
	if err := registry.Reload(context.Background()); err != nil {
		rt.Fatal(err)
	}
	w.in = sensors.NewIngest(sensors.IngestOptions{Committers: 1}, registry, w.shelf, nil, nil)
	w.in.Start()
}

func (w *world) stop() { _ = w.in.Stop(context.Background()) } // it has no deadline

// clock is what the device's clock says now.
func (w *world) clock() time.Time {
	if !w.stands.IsZero() {
		return w.stands.Add(w.now.Sub(w.since)).Truncate(time.Millisecond)
	}
	return w.now.Add(w.ahead).Truncate(time.Millisecond)
}

func (w *world) isRight() bool { return w.stands.IsZero() && w.ahead.Abs() < time.Second }

// pass lets some time go by, in which the clock drifts.
func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// measure makes the next reading by the device's clock of now.
func (w *world) measure() sensors.Message {
	v := float64(w.next)
	w.next++
	if behind := w.now.Sub(w.clock()); behind > 10*366*24*time.Hour || behind < -31*24*time.Hour {
		w.untrue[v] = true
	}
	return w.message(fmt.Sprintf(`{"t":%q,"v":{"level":%v}}`, w.clock().Format(time.RFC3339Nano), v))
}

func (w *world) message(payload string) sensors.Message {
	return sensors.Message{Device: "dev-1", Division: "370602", Subject: "onemap/v1/370602/dev-1/obs", Raw: []byte(payload), Decoder: mqttjson.Decoder(mqttjson.KindObs)}
}

// send delivers messages one shortly after another and waits until they are stored.
func (w *world) send(rt *rapid.T, messages ...sensors.Message) {
	done := make(chan error, len(messages))
	for _, e := range messages {
		w.pass(50 * time.Millisecond)
		if e.Received = w.now; !w.external {
			e.Session = w.session
		}
		if err := w.in.Accept(e, func(err error) { done <- err }); err != nil {
			rt.Fatal(err)
		}
	}
	for range messages {
		if err := <-done; err != nil {
			rt.Fatal(err)
		}
	}
	w.sent = append(w.sent, messages...)
}

// live measures and sends at once.
func (w *world) live(rt *rapid.T, n int) {
	for range n {
		jitter := time.Duration(rapid.IntRange(0, 300).Draw(rt, "on the way, ms")) * time.Millisecond
		w.pass(w.interval)
		v := float64(w.next)
		e := w.measure()
		w.pass(jitter)
		w.send(rt, e)
		w.pass(-jitter - 50*time.Millisecond)
		w.calm++
		if w.right++; !w.isRight() {
			w.right = 0
		}
		if w.shelf.evaluated[v] > 0 {
			w.missed = 0
		} else {
			w.missed++
		}
		most := 1
		if w.external {
			most = 2
		}
		if w.missed > min(most, w.calm) {
			rt.Fatalf("live reading %v is the %d. in a row that is not evaluated", v, w.missed)
		}
		if time.Duration(w.right)*w.interval > 30*time.Second && w.right > 3 && w.shelf.source[v] == sensors.TimeWrong {
			rt.Fatalf("reading %v of a right clock has the time source %d", v, w.shelf.source[v])
		}
	}
}

// disturbed begins to count anew: each event may cost readings again.
func (w *world) disturbed() { w.calm, w.missed = 0, 0 }

// event is one thing that happens.
func (w *world) event(rt *rapid.T) {
	switch rapid.SampledFrom([]string{"live", "clock", "right", "outage", "again", "kill", "restart"}).Draw(rt, "event") {
	case "live":
		w.live(rt, rapid.IntRange(1, 6).Draw(rt, "readings"))
	case "clock":
		w.turn(rt)
		w.live(rt, rapid.IntRange(3, 6).Draw(rt, "readings"))
	case "right":
		w.ahead, w.stands = 0, time.Time{}
		w.disturbed()
		w.live(rt, rapid.IntRange(3, 6).Draw(rt, "readings"))
	case "outage":
		w.outage(rt)
		w.live(rt, 3)
	case "again": // what is stored comes again, over a new connection
		n := min(len(w.sent), rapid.IntRange(1, 12).Draw(rt, "messages"))
		w.reconnect(rt)
		w.deliver(rt, slices.Clone(w.sent[len(w.sent)-n:]))
		w.live(rt, 3)
	case "kill": // what was on its way is not stored, and comes again to the next server
		var lost []sensors.Message
		for range rapid.IntRange(1, 5).Draw(rt, "messages") {
			w.pass(w.interval)
			lost = append(lost, w.measure())
		}
		w.stop()
		w.start(rt)
		w.reconnect(rt)
		w.deliver(rt, lost)
		w.live(rt, 3)
	case "restart":
		w.stop()
		w.start(rt)
		w.reconnect(rt)
		w.live(rt, 3)
	}
}

// deliver sends messages that may have been delivered before, with a word of that or without.
func (w *world) deliver(rt *rapid.T, messages []sensors.Message) {
	said := w.external || rapid.Bool().Draw(rt, "says so") // a broker always does
	for i := range messages {
		messages[i].Redelivered = said
	}
	w.send(rt, messages...)
}

func (w *world) reconnect(rt *rapid.T) {
	w.pass(time.Duration(rapid.IntRange(1, 20).Draw(rt, "away, s")) * time.Second)
	w.session++
	w.disturbed()
}

// turn makes the clock a wrong one.
func (w *world) turn(rt *rapid.T) {
	w.disturbed()
	w.stands = time.Time{}
	switch rapid.SampledFrom([]string{"back", "ahead", "1970", "GPS", "stepwise"}).Draw(rt, "clock") {
	case "back":
		w.ahead = -rapid.SampledFrom([]time.Duration{10 * time.Second, 35 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 26 * time.Hour, 400 * 24 * time.Hour}).Draw(rt, "by")
	case "ahead":
		w.ahead = rapid.SampledFrom([]time.Duration{8 * time.Second, time.Minute, time.Hour, 40 * 24 * time.Hour}).Draw(rt, "by")
	case "1970":
		w.stands, w.since = time.Unix(200, 0).UTC(), w.now
	case "GPS":
		w.ahead = -1024 * 7 * 24 * time.Hour
	case "stepwise":
		w.ahead -= 90 * time.Second
	}
}

// outage is a link that is away: the device keeps what it measures, and sends it in its own way.
func (w *world) outage(rt *rapid.T) {
	wasRight := w.isRight() && w.right > 3
	var kept []sensors.Message
	first := w.next
	for range rapid.IntRange(0, 8).Draw(rt, "kept") {
		w.pass(w.interval)
		kept = append(kept, w.measure())
	}
	last := w.next
	w.reconnect(rt)
	switch rapid.SampledFrom([]string{"lost", "oldest first", "after a new one", "newest first", "cut", "an array", "one each reading"}).Draw(rt, "what was kept") {
	case "oldest first":
		w.send(rt, kept...)
	case "after a new one":
		w.live(rt, 1)
		w.send(rt, kept...)
	case "newest first":
		w.live(rt, 1)
		slices.Reverse(kept)
		w.send(rt, kept...)
	case "cut":
		w.live(rt, 1)
		slices.Reverse(kept)
		for _, e := range kept {
			w.send(rt, e)
			w.reconnect(rt)
		}
	case "an array":
		w.live(rt, 1)
		var all []byte
		for i, e := range kept {
			if i > 0 {
				all = append(all, ',')
			}
			all = append(all, e.Raw...)
		}
		if len(kept) > 1 {
			w.send(rt, w.message("["+string(all)+"]"))
		} else {
			last = first
		}
	case "one each reading":
		w.live(rt, 1)
		for _, e := range kept {
			w.send(rt, e)
			w.live(rt, 1)
		}
	default:
		return
	}
	w.disturbed()
	for v := first; v < last && wasRight; v++ {
		if got := w.shelf.source[float64(v)]; got == sensors.TimeWrong {
			rt.Fatalf("reading %d of a backlog has the time source %d", v, got)
		}
	}
}

// check looks at what has become of everything that was sent.
func (w *world) check(rt *rapid.T) {
	for v, n := range w.shelf.evaluated {
		if n > 1 && !w.untrue[v] {
			rt.Fatalf("reading %v is evaluated %d times", v, n)
		}
	}
	for _, e := range w.sent {
		var v float64
		if n, err := fmt.Sscanf(string(e.Raw[len(e.Raw)-len(`"level":0000}}`):]), `%v`, &v); n == 1 && err == nil && !w.shelf.kept[v] {
			rt.Fatalf("reading %v is not stored", v)
		}
	}
}

// shelf is a store in memory with the promises of the real one, and the rules behind it.
type shelf struct {
	interval  int
	rows      map[rowKey]row
	conflicts map[conflictKey]bool
	place     time.Time // of the newest reading
	said      time.Time // in it, by the device
	offset    *float64  // noted of the clock
	rule      Rule
	state     State
	evaluated map[float64]int
	kept      map[float64]bool
	source    map[float64]sensors.TimeSource
}

type (
	rowKey      int64
	conflictKey struct {
		at    rowKey
		value float64
	}
	row struct {
		value  float64
		lag    time.Duration
		source sensors.TimeSource
	}
)

func (s *shelf) CommitBatch(_ context.Context, b sensors.Batch) (res sensors.BatchResult, err error) {
	if len(b.Quarantine) > 0 {
		return res, fmt.Errorf("in quarantine: %s", b.Quarantine[0].Detail)
	}
	obs := slices.Clone(b.Observations)
	var stored []sensors.Observation
	for _, o := range obs {
		s.kept[o.Value] = true
		if o, ok := s.insert(o); ok {
			stored = append(stored, o)
		}
	}
	slices.SortStableFunc(stored, func(a, b sensors.Observation) int { return a.StateTime().Compare(b.StateTime()) })
	for _, o := range stored {
		o.Time = o.StateTime()
		if !Late(&s.rule, &s.state, o.Time) {
			s.evaluated[o.Value]++
		}
		s.state, _ = Evaluate(&s.rule, s.state, o)
	}
	for _, c := range b.Clocks {
		if s.offset = nil; c.Offset != 0 {
			seconds := c.Offset.Seconds()
			s.offset = &seconds
		}
	}
	return res, nil
}

// insert stores a reading that is new: see sensors/pg/ingest_conflicts.go for one whose time another one has.
func (s *shelf) insert(o sensors.Observation) (sensors.Observation, bool) {
	said, lag := o.Time, o.ReceivedAt.Sub(o.Time)
	if had, ok := s.rows[rowKey(o.Time.UnixMicro())]; ok {
		isNow := !o.Now.IsZero() && !o.Now.Equal(o.Time)
		fresh := had.value != o.Value && !s.conflicts[conflictKey{rowKey(o.Time.UnixMicro()), o.Value}]
		if fresh {
			s.conflicts[conflictKey{rowKey(o.Time.UnixMicro()), o.Value}] = true
		}
		switch {
		case fresh && isNow, !fresh && isNow && had.value == o.Value && lag > 30*time.Second && (lag-had.lag).Abs() > 2*time.Minute:
			o.Time = o.Now
		case fresh && had.source == sensors.TimeWrong && o.Time.After(s.place):
			o.Time = o.Time.Add(time.Microsecond)
		default:
			return o, false
		}
	}
	s.rows[rowKey(o.Time.UnixMicro())] = row{o.Value, lag, o.TimeSource}
	s.source[o.Value] = o.TimeSource
	if o.StateTime().After(s.place) {
		s.place, s.said = o.StateTime(), said
	}
	return o, true
}

func (s *shelf) Stored(_ context.Context, readings []sensors.Observation) ([]bool, error) {
	out := make([]bool, len(readings))
	for i, o := range readings {
		at := rowKey(o.Time.UnixMicro())
		had, ok := s.rows[at]
		out[i] = ok && had.value == o.Value || s.conflicts[conflictKey{at, o.Value}]
	}
	return out, nil
}

func (s *shelf) RegistrySeq(context.Context) (int64, error) { return 0, nil }

func (s *shelf) LoadRegistry(context.Context) ([]sensors.RegisteredDevice, error) {
	d := sensors.RegisteredDevice{Device: sensors.Device{ID: "dev-1", Division: "370602", Enabled: true, ClockOffsetS: s.offset}}
	d.Streams = []sensors.Datastream{{ID: 1, DeviceID: "dev-1", Name: "level", Type: "water_level", IntervalS: s.interval}}
	if !s.place.IsZero() {
		times := sensors.NewestTimes{Place: s.place}
		if s.offset != nil && *s.offset < 0 && s.place.Sub(s.said) > time.Second {
			times.DeviceTime = s.said
		}
		d.Newest = map[int64]sensors.NewestTimes{1: times}
	}
	return []sensors.RegisteredDevice{d}, nil
}

func (s *shelf) DatastreamTypes(context.Context) ([]sensors.DatastreamType, error) {
	return []sensors.DatastreamType{{Code: "water_level", Min: -1, Max: 1e9, IntervalS: s.interval}}, nil
}
