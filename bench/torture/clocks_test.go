package torture_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"onemap/sensors"
)

// The devices' clocks run ahead, are set back, and send times that cannot be read.
func TestClocksJump(t *testing.T) {
	sideBySide(t)
	s := newStage(t, clockSize(), staging{plan: jumping})
	s.publish()
	for i := range s.size.faults {
		s.reach(float64(i+1) / float64(s.size.faults+1))
		s.server.end(syscall.SIGKILL)
		s.server.start()
	}
	s.finish()
	s.ledger.check("clocks jump (and the server is killed)")
	conn := s.pg.connect(database)
	var unread, others int // a message that was sent again is put to quarantine again
	if err := conn.QueryRow(t.Context(), `
		select count(distinct (device_id, payload)) filter (where reason = $1), count(*) filter (where reason <> $1)
		from quarantine`, sensors.ReasonBadTime).Scan(&unread, &others); err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, d := range s.devices {
		for n := range d.messages {
			if clockOf(n) == clockBroken {
				want++
			}
		}
	}
	if unread != want || others != 0 {
		t.Errorf("%d readings of broken clocks are in quarantine, want %d, and %d others", unread, want, others)
	}
}

// The state of a device's clock at reading n.
const (
	clockRight = iota
	clockFar   // 30 days and more ahead
	clockAhead // some hours ahead
	clockBack  // some hours behind
	clockBroken
)

func clockOf(n int) int {
	switch n % 10 {
	case 1:
		return clockBack
	case 3:
		if n%20 == 3 {
			return clockFar
		}
		return clockAhead
	case 7:
		return clockBroken
	}
	return clockRight
}

// jumping creates each reading when it is first sent, with a clock that is right, ahead, behind or broken. A reading with a
// wrong time is placed at its receipt; one that is sent again is the same reading.
func jumping(s *stage, d *device) []row {
	rows := make([]row, s.size.messages)
	isRed := false
	d.make = func(n int) message {
		r, now := &rows[n], time.Now().UTC().Truncate(time.Microsecond)
		*r = row{device: d, n: n, at: now, value: s.size.value(n)}
		switch clockOf(n) {
		case clockFar:
			r.wrong, r.at = true, now.Add(31*24*time.Hour-time.Minute)
		case clockAhead:
			r.wrong, r.at = true, now.Add(5*time.Hour)
		case clockBack:
			r.wrong, r.at = true, now.Add(-5*time.Hour)
		case clockBroken:
			bad := broken(n/10, now)
			r.never = true
			return message{topic: d.topic, qos: qosOf(n), payload: fmt.Appendf(nil, `{"t":%q,"v":{%q:%d}}`, bad, stream, n)}
		}
		r.onset = s.size.isRed(n) && !isRed
		isRed = s.size.isRed(n)
		if n%20 == 5 { // the same moment, as a clock in Shandong says it
			at := r.at.In(time.FixedZone("", 8*3600)).Format(time.RFC3339Nano)
			return message{topic: d.topic, qos: qosOf(n), payload: fmt.Appendf(nil, `{"t":%q,"v":{%q:%v}}`, at, stream, r.value)}
		}
		return message{topic: d.topic, qos: qosOf(n), payload: r.payload()}
	}
	return rows
}

// broken returns a time that cannot be read. A reading whose time is readable but impossible is placed at its receipt.
func broken(n int, now time.Time) string {
	all := []string{
		now.Format(time.DateOnly) + "T12:04:60Z",                  // a 60th second that is no leap second
		"2023-02-29T12:00:00Z",                                    // no leap year
		now.Format("2006-01-02 15:04:05"),                         // not RFC 3339
		now.AddDate(-now.Year(), 0, 0).Format("2006-01-02T15:04"), // of the year 0
	}
	return all[n%len(all)]
}
