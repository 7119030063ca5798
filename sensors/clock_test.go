package sensors

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// said is one message: received at second at, with the device time t, over a connection.
type said struct {
	at, t   float64
	want    string // own: at its own time; now: at its receipt; late: stored and not evaluated; repeat: not stored
	session int    // 0: the connection of the message before; below 0: an external broker, which says none
	value   float64
	dup     bool
	array   bool
}

const hour = 3600.

// TestJudge is the table of docs/devices.md. The messages are decoded and judged as in the ingest path, one per batch.
func TestJudge(t *testing.T) {
	for name, messages := range map[string][]said{
		"a right clock":                        {own(0, 0), own(60, 60), own(120, 119), own(180, 180)},
		"slow on the way":                      {own(20, 0), own(85, 60), own(140, 120)},
		"sent twice":                           {own(0, 0).of(1), repeat(0.1, 0).of(1), own(60, 60).of(2), repeat(61, 60).of(2), own(120, 120)},
		"another value of the same time":       {own(0, 0).of(1), repeat(0.1, 0).of(2), own(60, 60)},
		"overtaken by a second":                {own(0, 0), own(60, 60), late(60.5, 59), own(120, 120)},
		"set back by 10 s":                     {own(0, 0), own(60, 60), now(70, 50.5), now(80, 70), now(140, 130)},
		"set back by 10 s, a reading a second": {own(0, 0), own(1, 1), now(2, -8), now(3, -7), now(4, -6), own(5, 5), own(6, 6)},
		"set back by what it was ahead":        {own(0, 9), own(1, 10), corrected(2, 2), corrected(3, 3), corrected(4, 4), own(11, 11), own(12, 12)},
		"set back by 30 s and more":            {own(0, 0), own(60, 60), own(120, 80), own(180, 140)},
		"set back by an hour":                  {own(0, 0), own(60, 60), now(120, 120-hour), now(180, 180-hour), now(240, 240-hour)},
		"set back and right again":             {own(0, 0), own(60, 60), now(120, 120-hour), now(180, 180-hour), own(240, 240), own(300, 300)},
		"set back twice":                       {own(0, 0), now(60, 60-hour), now(120, 120-2*hour), now(180, 180-2*hour)},
		"set back as fast as can be sent":      {own(0, 0), now(0.01, -10), now(0.02, -9.99), now(0.03, -9.98)},
		"set back, ten readings a second":      {own(0, 0), own(0.1, 0.1), now(0.2, 0.2-hour), now(0.3, 0.3-hour), now(0.4, 0.4-hour)},
		"set back, and sent again":             {own(0, 0), now(60, 60-hour).of(1), repeat(61, 60-hour).over(2).of(2), repeat(62, 60-hour).of(1), now(120, 120-hour)},
		"set back to the minutes of before": {
			own(0, 0).of(1), own(60, 60).of(2), own(120, 120).of(3), now(180, 0).of(4), now(240, 60).of(5), now(300, 120).of(6),
		},
		"set back to the minutes and values of before": {
			own(0, 0).of(0.5), own(60, 60).of(0.5), own(120, 120).of(0.5), now(600, 30).of(0.5), now(630, 60).of(0.5), now(690, 120).of(0.5),
		},
		"a clock that stands":                   {own(0, 0).of(1), repeat(10, 0).of(2), now(60, 0).of(3), now(120, 0).of(4)},
		"behind from the first on":              {own(0, -hour), own(60, 60-hour), now(120, 120-hour), now(180, 180-hour)},
		"behind, two messages at once":          {own(0, -hour), own(0.1, 0.1-hour), own(60, 60-hour), now(120, 120-hour), now(120.1, 120.1-hour)},
		"behind, and it drifts":                 {own(0, 0), now(hour, -60), now(2*hour, hour-70), now(3*hour, 2*hour-95), now(4*hour, 3*hour-110)},
		"a replaced device":                     {own(0, 0), own(60, 60), now(600, 600-2*hour).over(2), now(660, 660-2*hour)},
		"a replaced device, a little behind":    {own(0, 0), own(60, 60), own(hour, hour-900).over(2), own(hour+60, hour-840), now(hour+120, hour-780)},
		"back at the time that it saved last":   {own(0, 0), own(60, 60), own(900, 65).over(2), own(960, 125), own(1020, 185), own(1080, 245)},
		"back at a time that it saved before":   {own(0, 0), own(60, 60), now(900, -1000).over(2), now(960, -940), now(1020, -880)},
		"a backlog one by one":                  {own(0, 0), own(hour, 60).over(2), own(hour+0.1, 120), own(hour+0.2, 180), own(hour+0.3, hour)},
		"a backlog in turns of a second":        {own(0, 0), own(hour, 60).over(2), own(hour+1, 120), own(hour+2, 180), own(hour+3, 240)},
		"a backlog at its own pace":             {own(0, 0), own(hour, 60).over(2), own(hour+60, 120), own(hour+120, 180), own(hour+180, 240), own(hour+240, 300)},
		"a backlog of a device that is new":     {own(0, -hour), own(0.1, 60-hour), own(0.2, 120-hour), own(0.3, 0)},
		"a backlog that is an array":            {own(0, 0), late(hour, -300).arr(), own(hour+1, 60).arr(), own(hour+2, hour)},
		"a backlog after the first new one":     {own(0, 0), own(hour, hour).over(2), late(hour+0.1, 60), late(hour+0.2, 120), own(hour+60, hour+60)},
		"a backlog, newest first":               {own(0, 0), own(hour, hour).over(2), late(hour+1, 180), late(hour+2, 120), late(hour+3, 60), own(hour+60, hour+60)},
		"a backlog beside live readings":        {own(0, 0), own(hour, hour).over(2), late(hour+30, 60), own(hour+60, hour+60), late(hour+90, 120), own(hour+120, hour+120)},
		"a backlog that is cut":                 {own(0, 0), own(hour, hour).over(2), late(hour+1, 180), own(hour+60, hour+60).over(3), late(hour+61, 120), late(hour+62, 60)},
		"a hole of the same connection, filled": {own(0, 0), own(60, 60), own(240, 240), late(240.1, 180), late(240.2, 120), own(300, 300)},
		"overtaken on the way":                  {own(0, 0), own(120.1, 120), late(120.2, 60), own(180, 180)},
		"set back into the gap":                 {own(0, 0), own(hour, hour).over(2), late(hour+60, 60), now(hour+120, 120), now(hour+180, 180)},
		"behind, then a backlog":                {own(0, 0), now(60, 60-hour), now(120, 120-hour), corrected(2*hour, 180-hour).over(2), corrected(2*hour+0.1, 240-hour), now(2*hour+60, hour+60)},
		"behind, and sent late":                 {own(0, 0), now(60, 60-hour), now(120, 120-hour), corrected(200, 180-hour).over(2).again(), now(240, 240-hour)},
		"sent again after a kill": {
			own(0, 0).of(1), own(1, 1).of(2), repeat(5, 0).of(1).over(2).again(), repeat(5.1, 1).of(2).again(), own(5.2, 2).again(), own(5.3, 3),
		},
		"sent again after a kill, without a word": {
			own(0, 0).of(1), own(1, 1).of(2), own(2, 2).of(3), repeat(95, 0).of(1).over(2), repeat(95.1, 1).of(2), repeat(95.2, 2).of(3), own(95.3, 3), own(96, 96),
		},
		"behind at the end, then now and then":        {own(0, 0), now(1, 1-hour), own(600, 600).over(2), now(601, 601-hour), own(602, 602), now(603, 603-hour)},
		"ahead by a little, then never set":           {own(0, 9), corrected(1, -30*8766*hour), corrected(2, -30*8766*hour), now(10, -30*8766*hour)},
		"behind, set right, then a backlog":           {own(0, 0), now(60, 60-hour), own(4*hour, 2*hour).over(2), own(4*hour+0.1, 2*hour+60), own(4*hour+0.2, 4*hour)},
		"behind, set right, seconds cut off":          {own(0, 0), now(60, 60-hour), late(60.5, 60), own(61.5, 61), own(62.5, 62)},
		"an external broker: set back by an hour":     {own(0, 0).over(-1), own(60, 60), late(120, 120-hour), now(180, 180-hour), now(240, 240-hour)},
		"an external broker: set back by 10 s":        {own(0, 0).over(-1), own(1, 1), late(2, -8), now(3, -7), now(4, -6)},
		"an external broker: a backlog":               {own(0, 0).over(-1), own(hour, 60), own(hour+0.1, 120), own(hour+0.2, hour)},
		"an external broker: a backlog at its pace":   {own(0, 0).over(-1), own(hour, 60), own(hour+60, 120), own(hour+120, 180), own(hour+180, 240)},
		"an external broker: a backlog, newest first": {own(0, 0).over(-1), own(hour, hour), late(hour+1, 180), late(hour+2, 120), late(hour+3, 60)},
		"an external broker kept it, behind":          {own(0, 0).over(-1), late(60, 60-hour), now(120, 120-hour), corrected(400, 180-hour), corrected(400.1, 240-hour), now(420, 420-hour)},
	} {
		t.Run(name, func(t *testing.T) { newClockPath(t, 0).follow(t, messages) })
	}
}

func own(at, t float64) said    { return said{at: at, t: t, want: "own"} }
func now(at, t float64) said    { return said{at: at, t: t, want: "now"} }
func late(at, t float64) said   { return said{at: at, t: t, want: "late"} }
func repeat(at, t float64) said { return said{at: at, t: t, want: "repeat"} }

// corrected is evaluated at the time that a right clock would have sent. behind is the known offset.
func corrected(at, t float64) said { return said{at: at, t: t, want: "corrected"} }

func (m said) over(session int) said { m.session = session; return m }
func (m said) of(value float64) said { m.value = value; return m }
func (m said) again() said           { m.dup = true; return m }
func (m said) arr() said             { m.array = true; return m }

// clockPath is the path from a message to the readings for the rules, with a store in memory.
type clockPath struct {
	in    *Ingest
	rows  map[string]float64
	place time.Time
	noted []DeviceClock
}

func clockZero() time.Time { return time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC) }

// moment returns the time this many seconds after clockZero, with microseconds.
func moment(s float64) time.Time {
	return clockZero().Add(time.Duration(math.Round(s*1e6)) * time.Microsecond)
}

func newClockPath(t *testing.T, noted time.Duration) *clockPath {
	t.Helper()
	p := &clockPath{rows: map[string]float64{}}
	p.start(t, noted)
	return p
}

// start returns a server that finds these rows in its database.
func (p *clockPath) start(t *testing.T, noted time.Duration) {
	t.Helper()
	d := device("dev-1", "level")
	d.Streams[0].IntervalS = 60
	if !p.place.IsZero() {
		d.Newest = map[int64]NewestTimes{1: {Place: p.place}}
	}
	if noted != 0 {
		s := noted.Seconds()
		d.ClockOffsetS = &s
	}
	registry := NewRegistry(&memory{devices: []RegisteredDevice{d}}, RegistryOptions{}, nil, nil)
	if err := registry.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.in = NewIngest(IngestOptions{Committers: 1}, registry, p, nil, nil)
}

func rowKey(o Observation) string { return fmt.Sprint(o.DatastreamID, o.Time.UnixMicro()) }

func (p *clockPath) CommitBatch(context.Context, Batch) (BatchResult, error) {
	return BatchResult{}, nil
}

func (p *clockPath) Stored(_ context.Context, readings []Observation) ([]bool, error) {
	out := make([]bool, len(readings))
	for i, o := range readings {
		value, there := p.rows[rowKey(o)]
		out[i] = there && value == o.Value
	}
	return out, nil
}

// take stores a batch like the database, and returns the result for each reading.
func (p *clockPath) take(entries []*entry) (became []string) {
	for _, e := range entries {
		p.noted = append(p.noted, e.clocks...)
		for _, o := range e.observations {
			became = append(became, p.store(o))
		}
	}
	return became
}

func (p *clockPath) store(o Observation) string {
	if value, there := p.rows[rowKey(o)]; there {
		if o.Now.IsZero() || value == o.Value && o.Now.Sub(o.Time) < 2*time.Minute {
			return "repeat"
		}
		o.Time = o.Now
	}
	p.rows[rowKey(o)] = o.Value
	at := o.StateTime()
	if !at.After(p.place) {
		return "late"
	}
	p.place = at
	switch {
	case o.Now.IsZero():
		return "own"
	case o.TimeSource != TimeWrong:
		return "not marked"
	case at.Equal(o.ReceivedAt):
		return "now"
	}
	return "corrected"
}

// follow sends the messages and compares the results.
func (p *clockPath) follow(t *testing.T, messages []said) {
	t.Helper()
	session := uint64(1)
	for i, m := range messages {
		switch {
		case m.session > 0:
			session = uint64(m.session)
		case m.session < 0:
			session = 0
		}
		if m.value == 0 {
			m.value = 10 + float64(i)/100
		}
		e := message("a reading", m.readings()...)
		e.Received, e.Session, e.Redelivered = moment(m.at), session, m.dup
		if got := strings.Join(p.send(t, e), " "); !strings.HasSuffix(got, m.want) {
			t.Errorf("message %d, at %v with %v: %s, want %s", i, m.at, m.t, got, m.want)
		}
	}
}

func (m said) readings() (list []Reading) {
	if m.array {
		list = append(list, reading(moment(m.t-1), "level", m.value))
	}
	return append(list, reading(moment(m.t), "level", m.value))
}

// send passes messages as one batch.
func (p *clockPath) send(t *testing.T, messages ...Message) []string {
	t.Helper()
	for _, e := range messages {
		if err := p.in.Accept(e, nil); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := p.in.gather(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	p.in.queue.release(0, entries)
	return p.take(entries)
}

// TestClockAfterAStart tests that the state of clocks before a restart is used after it.
func TestClockAfterAStart(t *testing.T) {
	for name, c := range map[string]struct {
		noted    time.Duration // in the store
		newest   float64       // of the datastream in the store
		messages []said
		note     string // that is made then
	}{
		"right":                          {0, -60, []said{own(0, 0), own(60, 60)}, "[]"},
		"a backlog":                      {0, -hour, []said{own(0, 60-hour), own(0.1, 120-hour), own(0.2, 0)}, "[]"},
		"set back meanwhile":             {0, -60, []said{now(0, -hour), now(60, 60-hour)}, "[-1h0m0s]"},
		"behind all the time":            {-time.Hour, -60, []said{now(0, -hour-5), now(60, 60-hour-5)}, "[]"},
		"behind by a little":             {-10 * time.Second, -1, []said{now(0, -10), now(1, -9)}, "[]"},
		"right again":                    {-time.Hour, -60, []said{own(0, 0), own(60, 60)}, "[0s]"},
		"behind, and kept for the start": {-time.Hour, -600, []said{corrected(0, -hour-500), corrected(0.1, -hour-440), now(60, 60-hour)}, "[]"},
		"the GPS week rolled over":       {-1024 * 7 * 24 * time.Hour, -60, []said{own(0, 0), own(60, 60)}, "[0s]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newClockPath(t, 0)
			p.place = moment(c.newest)
			p.start(t, c.noted)
			p.follow(t, c.messages)
			offsets := []time.Duration{}
			for _, n := range p.noted {
				offsets = append(offsets, n.Offset)
			}
			if fmt.Sprint(offsets) != c.note {
				t.Errorf("noted %v, want %s", offsets, c.note)
			}
		})
	}
}

// TestClockOffsets tests that an offset is stored for a current reading of a wrong clock, and removed when a time is right
// again. A backlog does not change it.
func TestClockOffsets(t *testing.T) {
	const rollOver = -1024 * 7 * 24 * hour
	for name, c := range map[string]struct {
		messages []said
		want     string
	}{
		"right":                    {[]said{own(0, 0), own(60, 59)}, "[]"},
		"a backlog":                {[]said{own(0, -hour), own(1, 60-hour)}, "[]"},
		"the GPS week rolled over": {[]said{now(0, rollOver), now(60, 60+rollOver), own(120, 120)}, "[-172032h0m0s 0s]"},
		"never set":                {[]said{now(0, -moment(0).Sub(time.Unix(0, 0)).Seconds())}, "[" + time.Unix(0, 0).Sub(moment(0)).String() + "]"},
		"ahead":                    {[]said{now(0, hour), now(60, 60+hour), own(120, 120)}, "[1h0m0s 0s]"},
		"set back":                 {[]said{own(0, 0), now(60, 60-hour), now(120, 121-hour), now(180, 180-2*hour)}, "[-1h0m0s -2h0m0s]"},
		"set back by 10 s":         {[]said{own(0, 0), own(1, 1), now(2, -8), now(3, -7), own(4, 4)}, "[-10s 0s]"},
		"set back, then a backlog": {[]said{own(0, 0), now(60, 60-hour), own(3*hour, hour).over(2)}, "[-1h0m0s]"},
		"behind, and an array":     {[]said{own(0, 0), now(60, 60-hour), own(120, 120).arr()}, "[-1h0m0s 0s]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newClockPath(t, 0)
			p.follow(t, c.messages)
			offsets := []time.Duration{}
			for _, n := range p.noted {
				offsets = append(offsets, n.Offset)
			}
			if fmt.Sprint(offsets) != c.want {
				t.Errorf("noted %v, want %s", offsets, c.want)
			}
		})
	}
}
