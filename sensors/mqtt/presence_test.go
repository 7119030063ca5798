package mqtt_test

import (
	"context"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors"
	"onemap/sensors/mqtt"
)

// withWill returns a wire that is connected as dev-0 with a will and has published that it is online.
func withWill(t *testing.T, s *stand, version byte) *wire {
	t.Helper()
	w := dial(t, s.broker.Addr())
	if code := w.connect(hello{version: version, user: "dev-0", password: secret("dev-0"), willTopic: statusTopic("dev-0"), will: "offline"}); code != 0 {
		t.Fatalf("CONNACK %#x", code)
	}
	w.publish(1, 1, statusTopic("dev-0"), []byte("online"), false)
	w.expect(packets.Puback, 1)
	if online, _ := s.online("dev-0"); !online {
		t.Fatal("acknowledged, but not on line")
	}
	return w
}

func TestAWillIsStoredWhenTheDeviceVanishes(t *testing.T) {
	bothVersions(t, func(t *testing.T, version byte) {
		s := newStand(t, newMemory(1), mqtt.Options{})
		w := withWill(t, s, version)
		_ = w.conn.Close()
		eventually(t, "off line", func() bool { online, times := s.online("dev-0"); return !online && times == 2 })
	})
}

func TestGoodbyeSpeaksNoWill(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	w := withWill(t, s, 4)
	w.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
	w.expectClosed()
	eventually(t, "gone", func() bool { return s.broker.Connections() == 0 })
	stopAll(t, s) // what was to be said would be by now
	if online, times := s.online("dev-0"); !online || times != 1 {
		t.Errorf("online %v, %d statuses", online, times)
	}
}

func TestVersion5MayAskForTheWillInItsGoodbye(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	w := withWill(t, s, 5)
	w.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}, ReasonCode: packets.CodeDisconnectWillMessage.Code})
	eventually(t, "off line", func() bool { online, _ := s.online("dev-0"); return !online })
}

func TestATakeoverSpeaksNoWill(t *testing.T) {
	bothVersions(t, func(t *testing.T, version byte) {
		s := newStand(t, newMemory(1), mqtt.Options{})
		old := withWill(t, s, version)
		withWill(t, s, version)
		if code := old.expectClosed(); version == 5 && code != packets.ErrSessionTakenOver.Code {
			t.Errorf("DISCONNECT %#x", code)
		}
		if n := s.broker.Connections(); n != 1 {
			t.Errorf("%d connections", n)
		}
		stopAll(t, s)
		if online, times := s.online("dev-0"); !online || times != 2 {
			t.Errorf("online %v, %d statuses", online, times)
		}
	})
}

func TestStoppingTheServerSpeaksNoWill(t *testing.T) {
	bothVersions(t, func(t *testing.T, version byte) {
		s := newStand(t, newMemory(1), mqtt.Options{})
		w := withWill(t, s, version)
		stopAll(t, s)
		if code := w.expectClosed(); version == 5 && code != packets.ErrServerShuttingDown.Code {
			t.Errorf("DISCONNECT %#x", code)
		}
		if online, times := s.online("dev-0"); !online || times != 1 {
			t.Errorf("online %v, %d statuses", online, times)
		}
	})
}

func TestAWillWhileTheDatabaseIsAwayIsStoredLater(t *testing.T) {
	m := newMemory(2)
	s := newStand(t, m, mqtt.Options{})
	w := withWill(t, s, 4)
	m.change(func() { m.away = true })
	w.publish(1, 2, obsTopic("dev-0"), reading(1), false)
	w.expectClosed()
	m.change(func() { m.away = false })
	eventually(t, "off line", func() bool { online, times := s.online("dev-0"); return !online && times == 2 })
}

func TestAWillIsForgottenWhenTheDeviceIsBackFirst(t *testing.T) {
	m := newMemory(1)
	s := newStand(t, m, mqtt.Options{PresenceRetry: time.Hour})
	w := withWill(t, s, 4)
	m.change(func() { m.away = true })
	w.publish(1, 2, obsTopic("dev-0"), reading(1), false)
	w.expectClosed()
	eventually(t, "the will is refused", func() bool { return s.counter(t, "onemap_ingest_refused_total", "database-away") > 0 })
	m.change(func() { m.away = false })
	eventually(t, "back", func() bool { return s.ingest.Health().OK })
	withWill(t, s, 4)
	stopAll(t, s)
	if online, times := s.online("dev-0"); !online || times != 2 {
		t.Errorf("online %v, %d statuses", online, times)
	}
}

func TestDevicesThatDoNotComeBackAfterTheStartAreMarked(t *testing.T) {
	m := newMemory(5)
	m.hold = make(chan struct{})
	long, soon := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for i := range m.devices {
		m.devices[i].Online, m.devices[i].StatusAt, m.devices[i].LastSeen = i != 3, &long, &long
	}
	m.devices[4].LastSeen = &soon // another node hears it
	s := newStand(t, m, mqtt.Options{PresenceGrace: time.Nanosecond})
	login(t, s.broker.Addr(), "dev-1", 4)
	close(m.hold)
	eventually(t, "dev-0 and dev-2 marked", func() bool {
		_, a := s.online("dev-0")
		_, b := s.online("dev-2")
		return a == 1 && b == 1
	})
	for _, d := range []string{"dev-1", "dev-3", "dev-4"} {
		if _, times := s.online(d); times != 0 {
			t.Errorf("%s marked", d)
		}
	}
}

func TestABadStatusIsQuarantined(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(1, 1, statusTopic("dev-0"), []byte("dunno"), false)
	w.expect(packets.Puback, 1)
	if q := s.quarantine(); len(q) != 1 || q[0].Reason != sensors.ReasonBadStatus || q[0].Topic != statusTopic("dev-0") {
		t.Errorf("%+v", q)
	}
}

func stopAll(t *testing.T, s *stand) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.broker.Stop(ctx); err != nil {
		t.Error(err)
	}
	if err := s.ingest.Stop(ctx); err != nil {
		t.Error(err)
	}
}
