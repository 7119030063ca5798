package mqtt_test

import (
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors/mqtt"
)

// untimed is a reading without a time. Two deliveries of it are stored twice.
func untimed(n string) []byte { return []byte(`{"v":{"level":` + n + `}}`) }

// persistent returns a wire with a persistent session. present reports whether the broker still had the session.
func persistent(t *testing.T, s *stand, version byte, present bool) *wire {
	t.Helper()
	w := dial(t, s.broker.Addr())
	ack, err := w.connectAnswer(hello{version: version, user: "dev-0", password: secret("dev-0"), id: "mine", persist: true})
	if err != nil || ack.ReasonCode != 0 || ack.SessionPresent != present {
		t.Fatalf("CONNACK %#x, session present %v, %v", ack.ReasonCode, ack.SessionPresent, err)
	}
	return w
}

func (w *wire) release(id uint16) packets.Packet {
	w.t.Helper()
	w.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel}, PacketID: id})
	return w.expect(packets.Pubcomp, id)
}

func TestQoS2DoesNotHoldUpWhatFollows(t *testing.T) {
	bothVersions(t, func(t *testing.T, version byte) {
		m := newMemory(1)
		m.gate, m.entered = make(chan struct{}), make(chan struct{}, 100)
		s := newStand(t, m, mqtt.Options{})
		w := login(t, s.broker.Addr(), "dev-0", version)
		w.publish(2, 1, obsTopic("dev-0"), reading(1), false)
		<-m.entered
		for i := uint16(2); i <= 20; i++ {
			w.publish(2, i, obsTopic("dev-0"), reading(int(i)), false)
		}
		w.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
		w.expect(packets.Pingresp, 0) // all of them were read, and none is received
		close(m.gate)
		for i := uint16(1); i <= 20; i++ {
			w.expect(packets.Pubrec, i)
		}
		if m.stored() != 20 {
			t.Errorf("%d stored", m.stored())
		}
	})
}

// A publish that is redelivered before its release is recognized by the time of its reading, also over another connection.
// Without a time it is another reading, as with QoS 1.
func TestQoS2ThatIsDeliveredAgain(t *testing.T) {
	for name, c := range map[string]struct {
		payload []byte
		want    int
	}{"with a time": {reading(1), 1}, "without a time": {untimed("1"), 3}} {
		t.Run(name, func(t *testing.T) {
			bothVersions(t, func(t *testing.T, version byte) {
				s := newStand(t, newMemory(1), mqtt.Options{})
				w := persistent(t, s, version, false)
				for i := range 2 {
					w.publish(2, 9, obsTopic("dev-0"), c.payload, i > 0)
					w.expect(packets.Pubrec, 9)
				}
				_ = w.conn.Close()
				eventually(t, "gone", func() bool { return s.broker.Connections() == 0 })
				w = persistent(t, s, version, true)
				w.publish(2, 9, obsTopic("dev-0"), c.payload, true)
				w.expect(packets.Pubrec, 9)
				for range 2 { // the PUBCOMP may be lost, too
					if code := w.release(9).ReasonCode; code != 0 {
						t.Errorf("PUBCOMP %#x", code)
					}
				}
				if n := s.stored(); n != c.want {
					t.Errorf("%d stored, want %d", n, c.want)
				}
			})
		})
	}
}

func TestQoS2ThatFailedIsStoredWhenItComesAgain(t *testing.T) {
	m := newMemory(1)
	s := newStand(t, m, mqtt.Options{})
	w := persistent(t, s, 4, false)
	m.change(func() { m.away = true })
	w.publish(2, 9, obsTopic("dev-0"), untimed("1"), false)
	w.expectClosed()
	m.change(func() { m.away = false })
	eventually(t, "the database is back", func() bool { return s.ingest.Health().OK })
	w = persistent(t, s, 4, true)
	w.publish(2, 9, obsTopic("dev-0"), untimed("1"), true)
	w.expect(packets.Pubrec, 9)
	if n := s.stored(); n != 1 {
		t.Errorf("%d stored", n)
	}
}

func TestPublishesAreCountedByQoS(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	n := 0
	for qos, times := range []int{1, 2, 3} {
		for range times {
			n++
			w.publish(byte(qos), uint16(n), obsTopic("dev-0"), reading(n), false)
		}
	}
	eventually(t, "stored", func() bool { return s.stored() == n })
	if b := s.broker.Stats(); b.QoS0 != 1 || b.QoS1 != 2 || b.QoS2 != 3 || !b.Connected || b.Connections != 1 || b.Address != "mqtt://"+s.broker.Addr() {
		t.Errorf("%+v", b)
	}
	for qos, want := range map[string]float64{"0": 1, "1": 2, "2": 3} {
		if got := s.counter(t, "onemap_mqtt_published_total", qos); got != want {
			t.Errorf("QoS %s: %v, want %v", qos, got, want)
		}
	}
}
