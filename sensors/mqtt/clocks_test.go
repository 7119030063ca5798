package mqtt_test

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/mqtt"
)

// alarmStand is a stand whose readings are evaluated by a rule: 5 and more is red.
type alarmStand struct {
	place
	wires map[string]*wire
	ids   map[string]uint16
}

func newLookout(t *testing.T) *alarmStand {
	t.Helper()
	l := &alarmStand{place: newPlace(t, mqtt.Options{Listen: "127.0.0.1:0"}), wires: map[string]*wire{}, ids: map[string]uint16{}}
	_, err := l.db.Alerts.PutRules(t.Context(), []alerts.Rule{{
		Name: core.Text{ZH: "高水位"}, Type: "water_level", Direction: alerts.Above, Enabled: true, Origin: core.OriginSynthetic,
		Thresholds: []alerts.Threshold{{Level: core.Red, Raise: 5, Clear: 4}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	engine := alerts.NewEngine(alerts.Options{Poll: 20 * time.Millisecond}, l.db.Alerts, l.db.Sensors, slog.New(slog.DiscardHandler), nil, nil)
	go func() { done <- engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

// connect opens a new connection of the device.
func (l *alarmStand) connect(t *testing.T, device string) {
	t.Helper()
	if w := l.wires[device]; w != nil {
		_ = w.conn.Close()
	}
	l.wires[device] = login(t, l.broker.Addr(), device, 4)
}

// publishAgo publishes a reading, or several as an array, with times this long ago, and waits for the acknowledgement.
func (l *alarmStand) publishAgo(t *testing.T, device string, again bool, value float64, ago ...time.Duration) {
	t.Helper()
	readings := make([]sensors.Reading, len(ago))
	for i, d := range ago {
		readings[i] = sensors.Reading{Time: time.Now().Add(-d), Values: []sensors.Value{{Name: "level", Number: value}}}
	}
	l.ids[device]++
	w := l.wires[device]
	w.publish(1, l.ids[device], obsTopic(device), mqttjson.Encode(readings...), again)
	w.expect(packets.Puback, l.ids[device])
}

// evaluated waits until the rules have evaluated everything.
func (l *alarmStand) evaluated(t *testing.T) {
	t.Helper()
	eventually(t, "everything is evaluated", func() bool {
		return count(t, l.sql, `select count(*) from rule_cursor where seq = (select max(seq) from ingest_batch)`) == 1
	})
}

// TestAClockThatIsBehindRaisesItsAlarm tests the path from the device to the alert. The onset of the alert is the receipt.
func TestAClockThatIsBehindRaisesItsAlarm(t *testing.T) {
	for _, c := range []struct {
		name    string
		behind  time.Duration // of the red reading
		publish func(t *testing.T, l *alarmStand)
		source  sensors.TimeSource
	}{
		{"set back by an hour", time.Hour, func(t *testing.T, l *alarmStand) {
			l.publishAgo(t, "dev-0", false, 1, 0)
			l.publishAgo(t, "dev-0", false, 6, time.Hour)
		}, sensors.TimeWrong},
		{"set back by 10 s", 10 * time.Second, func(t *testing.T, l *alarmStand) {
			l.publishAgo(t, "dev-0", false, 1, 0)
			l.publishAgo(t, "dev-0", false, 6, 10*time.Second)
		}, sensors.TimeWrong},
		{"another device in its place", 48 * time.Hour, func(t *testing.T, l *alarmStand) {
			l.publishAgo(t, "dev-0", false, 1, 0)
			l.connect(t, "dev-0")
			l.publishAgo(t, "dev-0", false, 6, 48*time.Hour)
		}, sensors.TimeWrong},
		{"set back again by an hour", 2 * time.Hour, func(t *testing.T, l *alarmStand) {
			l.publishAgo(t, "dev-0", false, 1, 0)
			l.publishAgo(t, "dev-0", false, 1, time.Hour)
			l.publishAgo(t, "dev-0", false, 6, 2*time.Hour)
		}, sensors.TimeWrong},
		{"the GPS week rolled over", 1024 * 7 * 24 * time.Hour, func(t *testing.T, l *alarmStand) {
			l.publishAgo(t, "dev-0", false, 1, 0)
			l.publishAgo(t, "dev-0", false, 6, 1024*7*24*time.Hour)
		}, sensors.TimeWrong},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLookout(t)
			l.connect(t, "dev-0")
			c.publish(t, l)
			eventually(t, "an alert at the receipt", func() bool {
				return count(t, l.sql, `select count(*) from alert a join observation o on o.value = 6 and o.received_at = a.onset where a.detection = 'firing'`) == 1
			})
			var source int16
			var offset float64
			err := l.sql.QueryRow(t.Context(), `select o.time_source, d.clock_offset_s from observation o, device d where o.value = 6`).Scan(&source, &offset)
			if err != nil || sensors.TimeSource(source) != c.source {
				t.Errorf("the time's source is %d, %v", source, err)
			}
			if math.Abs(offset+c.behind.Seconds()) > 5 { // some have passed meanwhile
				t.Errorf("the offset is %v s", offset)
			}
			l.publishAgo(t, "dev-0", false, 1, 0) // and it is right again
			if n := count(t, l.sql, `select count(*) from device where clock_offset_s is null`); n != 1 {
				t.Error("the offset stays noted")
			}
		})
	}
}

// TestAClockThatIsBehindGoesOnAfterAStart tests that the state of a clock survives a restart, and that redelivered readings
// are not evaluated again.
func TestAClockThatIsBehindGoesOnAfterAStart(t *testing.T) {
	l := newLookout(t)
	l.connect(t, "dev-0")
	l.publishAgo(t, "dev-0", false, 1, 0)
	l.publishAgo(t, "dev-0", false, 2, time.Hour+time.Second)
	next := *l
	next.registry = sensors.NewRegistry(l.db.Sensors, sensors.RegistryOptions{}, nil, nil)
	in := sensors.NewIngest(sensors.IngestOptions{}, next.registry, l.db.Sensors, nil, nil)
	in.Start()
	next.broker = mqtt.New(mqtt.Options{Listen: "127.0.0.1:0"}, in, next.registry, nil, nil, nil)
	if err := next.broker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopAll(t, &stand{broker: next.broker, ingest: in}) })
	next.connect(t, "dev-0")
	var said time.Time
	if err := l.sql.QueryRow(t.Context(), `select ts from observation where value = 2`).Scan(&said); err != nil {
		t.Fatal(err)
	}
	w := next.wires["dev-0"]
	w.publish(1, 77, obsTopic("dev-0"), mqttjson.Encode(sensors.Reading{Time: said, Values: []sensors.Value{{Name: "level", Number: 2}}}), false)
	w.expect(packets.Puback, 77)
	if n := count(t, l.sql, `select count(*) from observation where value = 2`); n != 1 {
		t.Errorf("%d rows of what was sent again", n)
	}
	next.publishAgo(t, "dev-0", false, 6, time.Hour)
	eventually(t, "an alert at the receipt", func() bool {
		return count(t, l.sql, `select count(*) from alert a join observation o on o.value = 6 and o.received_at = a.onset`) == 1
	})
}

// TestABacklogStaysABacklog tests that a backlog in any order is stored under its own times, and that readings newer than the
// newest one are evaluated at these.
func TestABacklogStaysABacklog(t *testing.T) {
	minute := time.Minute
	for _, c := range []struct {
		name    string
		publish func(t *testing.T, l *alarmStand)
		alerts  int
	}{
		{"in order", func(t *testing.T, l *alarmStand) {
			for ago := 50; ago > 0; ago -= 10 {
				l.publishAgo(t, "dev-0", false, 6, time.Duration(ago)*minute)
			}
		}, 1},
		{"after a new one", func(t *testing.T, l *alarmStand) {
			l.publishAgo(t, "dev-0", false, 1, 0)
			for ago := 50; ago > 0; ago -= 10 {
				l.publishAgo(t, "dev-0", false, 6, time.Duration(ago)*minute)
			}
		}, 0},
		{"newest first", func(t *testing.T, l *alarmStand) {
			l.publishAgo(t, "dev-0", false, 1, 0)
			for ago := 10; ago < 60; ago += 10 {
				l.publishAgo(t, "dev-0", false, 6, time.Duration(ago)*minute)
			}
		}, 0},
		{"newest first, and cut", func(t *testing.T, l *alarmStand) {
			l.publishAgo(t, "dev-0", false, 1, 0)
			for ago := 10; ago < 60; ago += 10 {
				l.publishAgo(t, "dev-0", false, 6, time.Duration(ago)*minute)
				l.connect(t, "dev-0")
			}
		}, 0},
		{"an array", func(t *testing.T, l *alarmStand) {
			l.publishAgo(t, "dev-0", false, 1, 0)
			l.publishAgo(t, "dev-0", false, 6, 70*minute, 60*minute, 40*minute, 20*minute)
		}, 0},
		{"sent again", func(t *testing.T, l *alarmStand) {
			l.publishAgo(t, "dev-0", false, 1, 0)
			l.publishAgo(t, "dev-0", true, 6, 2*time.Hour)
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLookout(t)
			l.connect(t, "dev-0")
			l.publishAgo(t, "dev-0", false, 1, time.Hour)
			l.connect(t, "dev-0")
			c.publish(t, l)
			l.evaluated(t)
			if n := count(t, l.sql, `select count(*) from alert`); n != c.alerts {
				t.Errorf("%d alerts, want %d", n, c.alerts)
			}
			if n := count(t, l.sql, `select count(*) from alert where onset > now() - interval '45 minutes'`); n != 0 {
				t.Errorf("%d alerts have another onset than the first red reading", n)
			}
			if n := count(t, l.sql, `select count(*) from observation where time_source <> 1`); n != 0 {
				t.Errorf("%d readings are marked", n)
			}
			if n := count(t, l.sql, `select count(*) from device where clock_offset_s is not null`); n != 0 {
				t.Error("a clock is noted as wrong")
			}
		})
	}
}
