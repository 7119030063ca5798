package torture_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// A tenth of the devices' messages is garbage. All of it is quarantined or refused, and counted.
func TestGarbage(t *testing.T) {
	sideBySide(t)
	s := newStage(t, garbageSize(), staging{plan: littered})
	s.publish()
	s.finish()
	s.ledger.check("10 % garbage")
	want := map[string]int{}
	sent, mixed := 0, 0
	for _, d := range s.devices {
		sent += d.sent
		for n := range d.messages {
			if g := garbageOf(n); g != nil {
				want[g.reason]++
				if g.mixed {
					mixed++
				}
			}
		}
		if d.lost+d.resent > 0 {
			t.Errorf("%s lost %d connections and sent %d messages again; then nothing can be counted", d.id, d.lost, d.resent)
		}
	}
	strangers, giants := want[foreign], want[giant]
	delete(want, foreign)
	delete(want, giant)
	want[sensors.ReasonTooLarge] += giants
	const large = `onemap_ingest_quarantined_total{reason="` + sensors.ReasonTooLarge + `"}`
	eventually(t, "the giants are in quarantine, where the broker puts them without a device that waits for it", func() bool {
		return int(s.server.metrics()[large]) >= want[sensors.ReasonTooLarge]
	})
	counts := map[string]int{
		"onemap_ingest_stored_total":                          s.ledger.expected(),
		"onemap_ingest_duplicate_total":                       0,
		"onemap_ingest_conflict_total":                        0,
		"onemap_ingest_failed_total":                          0,
		"onemap_ingest_accepted_total":                        sent - strangers,
		`onemap_mqtt_refused_total{reason="publish-topic"}`:   strangers,
		`onemap_mqtt_refused_total{reason="too-large"}`:       giants,
		`onemap_mqtt_published_total{qos="1"}`:                s.ofQoS(1),
		`onemap_mqtt_published_total{qos="2"}`:                s.ofQoS(2),
		`onemap_ingest_refused_total{reason="queue-full"}`:    0,
		`onemap_ingest_refused_total{reason="database-away"}`: 0,
	}
	quarantined := 0
	for reason, n := range want {
		quarantined += n
		counts[`onemap_ingest_quarantined_total{reason="`+reason+`"}`] = n
	}
	s.counted(counts)
	s.quarantine(want)
	// each message that was sent is stored, quarantined, both, or refused
	if left := sent - s.ledger.expected() - quarantined + mixed - strangers; left != 0 {
		t.Errorf("the sums do not agree by %d: %d sent, %d readings, %d quarantined, %d of them beside a reading, %d refused",
			left, sent, s.ledger.expected(), quarantined, mixed, strangers)
	}
}

// quarantine compares the table with what was sent.
func (s *stage) quarantine(want map[string]int) {
	s.t.Helper()
	conn := s.pg.connect(database)
	for reason, n := range want {
		var got int
		if err := conn.QueryRow(s.t.Context(), `select count(*) from quarantine where reason = $1`, reason).Scan(&got); err != nil {
			s.t.Fatal(err)
		}
		if got != n {
			s.t.Errorf("%d rows are in quarantine for %s, want %d", got, reason, n)
		}
	}
	var others int
	var reasons []string
	for reason := range want {
		reasons = append(reasons, reason)
	}
	if err := conn.QueryRow(s.t.Context(), `select count(*) from quarantine where reason <> all($1)`, reasons).Scan(&others); err != nil || others != 0 {
		s.t.Errorf("%d more rows are in quarantine (%v)", others, err)
	}
}

// expected returns the number of readings that must be stored.
func (l *ledger) expected() int {
	n := 0
	for r := range l.rows {
		if !r.never {
			n++
		}
	}
	return n
}

// ofQoS returns the number of publishes of the QoS that reached the devices' own topics and were read.
func (s *stage) ofQoS(qos byte) int {
	count := 0
	for _, d := range s.devices {
		for n := range d.messages {
			if g := garbageOf(n); qosOf(n) == qos && (g == nil || !g.ends) {
				count++
			}
		}
	}
	return count
}

// Messages that are refused before they can be quarantined, or are too large to be read.
const (
	foreign = "foreign" // another device's topic
	giant   = "giant"   // more than is read
)

// litter is one kind of garbage.
type litter struct {
	reason  string
	status  bool // sent to the status topic
	ends    bool // the server ends the connection
	mixed   bool // a reading stands beside it
	payload func(r row) []byte
}

var litters = func() []litter {
	text := func(s string) func(row) []byte { return func(row) []byte { return []byte(s) } }
	return []litter{
		{reason: sensors.ReasonBadJSON, payload: func(r row) []byte { return append([]byte{0xff, 0, 0x80}, r.payload()...) }},
		{reason: sensors.ReasonBadShape, payload: text(`{"level":4}`)},
		{reason: foreign, ends: true, payload: row.payload},
		{reason: sensors.ReasonBadStatus, status: true, payload: row.payload},
		{reason: sensors.ReasonUnknownDatastream, payload: func(r row) []byte { return bytes.Replace(r.payload(), []byte(stream), []byte("nothing"), 1) }},
		{reason: sensors.ReasonTooLarge, payload: func(r row) []byte { return append(bytes.Repeat([]byte(" "), 70_000), r.payload()...) }},
		{reason: sensors.ReasonBadTime, payload: text(`{"t":"yesterday","v":{"` + stream + `":4}}`)},
		{reason: sensors.ReasonBadValue, payload: text(`{"v":{"` + stream + `":"high"}}`)},
		{reason: sensors.ReasonBadValue, mixed: true, payload: func(r row) []byte {
			return fmt.Appendf(nil, `[%s,{"v":{"%s":null}}]`, r.payload(), stream)
		}},
		{reason: sensors.ReasonBadJSON, payload: func(r row) []byte { return r.payload()[:20] }},
		{reason: giant, ends: true, payload: func(row) []byte { return []byte(strings.Repeat("a", 200_000)) }},
	}
}()

// garbageOf returns the garbage of message n, or nil for a reading.
func garbageOf(n int) *litter {
	if n%10 != 4 {
		return nil
	}
	if g := &litters[n/10%len(litters)]; g.reason != giant || n/10 < len(litters) { // a device is told once a minute
		return g
	}
	return &litters[0]
}

// littered is ordered with garbage in place of every tenth reading.
func littered(s *stage, d *device) []row {
	rows := ordered(s, d)
	stolen := s.devices[0].topic
	if d.topic == stolen {
		stolen = s.devices[1].topic
	}
	plain := d.make
	d.make = func(n int) message {
		m, g := plain(n), garbageOf(n)
		if g == nil {
			return m
		}
		m.payload, m.ends = g.payload(rows[n]), g.ends
		switch {
		case g.status:
			m.topic = strings.TrimSuffix(d.topic, mqttjson.KindObs) + mqttjson.KindStatus
		case g.reason == foreign:
			m.topic = stolen
		}
		return m
	}
	isRed := false
	for n := range rows {
		if g := garbageOf(n); g != nil && !g.mixed {
			rows[n].never, rows[n].onset = true, false
			continue
		}
		rows[n].onset = s.size.isRed(n) && !isRed
		isRed = s.size.isRed(n)
	}
	return rows
}
