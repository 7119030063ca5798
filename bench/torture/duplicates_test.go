package torture_test

import (
	"strings"
	"testing"
	"time"

	"onemap/sensors/feed/mqttjson"
)

// Every reading is sent several times, sometimes with another value.
func TestDuplicates(t *testing.T) {
	sideBySide(t)
	sz := duplicateSize()
	storm := sz
	storm.messages *= copies
	s := newStage(t, storm, staging{plan: func(s *stage, d *device) []row { return repeated(sz, s, d) }})
	s.publish()
	s.finish()
	s.ledger.check("a storm of duplicates")
	s.conflicts(sz)
}

// copies is the number of messages for each reading.
const copies = 6

// other is the difference between a reading's value and a conflicting one.
const other = 0.25

// repeated sends six messages for each reading: the reading; the reading again; an earlier reading; the reading with another
// value; that again; and one message with both the reading and a conflicting value over the threshold.
func repeated(sz size, s *stage, d *device) []row {
	begin := time.Now().UTC().Truncate(time.Second).Add(-time.Hour - time.Duration(s.size.messages)*time.Second)
	rows := make([]row, sz.messages)
	for i := range rows {
		rows[i] = row{device: d, n: i * copies, at: begin.Add(time.Duration(i) * time.Second), value: sz.value(i), onset: sz.onset(i)}
	}
	d.make = func(n int) message {
		r := rows[n/copies]
		again := r
		switch n % copies {
		case 2:
			r = rows[max(0, n/copies-3)]
		case 3, 4:
			r.value += other
		case 5:
			again.value += other + red
			return message{topic: d.topic, qos: qosOf(n), payload: mqttjson.Encode(r.reading(), again.reading())}
		}
		return message{topic: d.topic, qos: qosOf(n), payload: r.payload()}
	}
	return rows
}

// conflicts compares the stored conflicts and the counters with what was sent.
func (s *stage) conflicts(sz size) {
	s.t.Helper()
	conn := s.pg.connect(database)
	var rows, wrong int
	err := conn.QueryRow(s.t.Context(), `
		select count(*), count(*) filter (where o.value is null or c.value not in (o.value + $1, o.value + $1 + $2))
		from observation_conflict c left join observation o on o.datastream_id = c.datastream_id and o.ts = c.ts`,
		other, float64(red)).Scan(&rows, &wrong)
	if err != nil {
		s.t.Fatal(err)
	}
	if want := 2 * sz.total(); rows != want || wrong != 0 {
		s.t.Errorf("%d conflicts are kept, %d of them wrong; %d were sent", rows, wrong, want)
	}
	values := sz.total() * (copies + 1) // the last copy has two
	s.counted(map[string]int{
		"onemap_ingest_stored_total":    sz.total(),
		"onemap_ingest_conflict_total":  2 * sz.total(),
		"onemap_ingest_duplicate_total": values - 3*sz.total(),
		"onemap_ingest_late_total":      0,
		"onemap_ingest_failed_total":    0,
	})
}

// counted compares /metrics with what was sent. Only a counter with a label that has never been incremented may be missing.
func (s *stage) counted(want map[string]int) {
	s.t.Helper()
	got := s.server.metrics()
	for name, n := range want {
		if _, there := got[name]; !there && !strings.Contains(name, "{") {
			s.t.Errorf("/metrics has no %s", name)
		}
		if int(got[name]) != n {
			s.t.Errorf("%s is %v, want %d", name, got[name], n)
		}
	}
}
