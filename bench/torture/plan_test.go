package torture_test

import (
	"time"

	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// row is one reading. It must be stored once if its message is acknowledged.
type row struct {
	device *device
	n      int       // of its message
	at     time.Time // its event time
	value  float64
	wrong  bool // the clock is wrong: the reading is placed at its receipt time
	late   bool // older than the newest of its datastream: the rules do not evaluate it
	onset  bool // it begins an episode
	never  bool // its message has no reading that can be stored
}

// ordered is the plan of most cases: one reading per second of event time, every tenth at QoS 2, with the device's episodes
// at equal distances.
func ordered(s *stage, d *device) []row {
	begin := time.Now().UTC().Truncate(time.Second).Add(-time.Hour - time.Duration(s.size.messages)*time.Second)
	rows := make([]row, s.size.messages)
	for n := range rows {
		rows[n] = row{device: d, n: n, at: begin.Add(time.Duration(n) * time.Second), value: s.size.value(n), onset: s.size.onset(n)}
	}
	d.make = func(n int) message {
		return message{topic: d.topic, qos: qosOf(n), payload: rows[n].payload()}
	}
	return rows
}

func qosOf(n int) byte {
	if n%10 == 9 {
		return 2
	}
	return 1
}

func (r row) payload() []byte { return mqttjson.Encode(r.reading()) }

func (r row) reading() sensors.Reading {
	return sensors.Reading{Time: r.at, Values: []sensors.Value{{Name: stream, Number: r.value}}}
}

// isRed reports whether a device's reading n is in an episode: the middle fifth of each of the equal parts
// into which the episodes divide the readings.
func (s size) isRed(n int) bool {
	part := s.messages / s.episodes
	in := n % part
	return n/part < s.episodes && in >= part*2/5 && in < part*3/5
}

// onset reports whether reading n begins an episode.
func (s size) onset(n int) bool { return s.isRed(n) && !s.isRed(n-1) }

// value returns the value of reading n. It contains the number n, so that every value of a datastream is different.
func (s size) value(n int) float64 {
	if s.isRed(n) {
		return red + float64(n)
	}
	return float64(n)
}
