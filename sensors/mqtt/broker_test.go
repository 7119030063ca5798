package mqtt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/mqtt"
)

// bothVersions runs a test with a 3.1.1 client and with a 5 client.
func bothVersions(t *testing.T, f func(t *testing.T, version byte)) {
	for _, v := range []byte{4, 5} {
		t.Run(fmt.Sprintf("version %d", v), func(t *testing.T) { f(t, v) })
	}
}

func TestPubackComesAfterTheCommit(t *testing.T) {
	bothVersions(t, func(t *testing.T, version byte) {
		m := newMemory(1)
		m.gate, m.entered = make(chan struct{}), make(chan struct{}, 10)
		s := newStand(t, m, mqtt.Options{})
		w := login(t, s.broker.Addr(), "dev-0", version)
		w.publish(1, 7, obsTopic("dev-0"), reading(1), false)
		<-m.entered
		// the commit runs: the broker keeps reading, and has not acknowledged
		w.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
		w.expect(packets.Pingresp, 0)
		if m.stored() != 0 {
			t.Fatal("stored already")
		}
		close(m.gate)
		if ack := w.expect(packets.Puback, 7); ack.ReasonCode != 0 {
			t.Errorf("PUBACK %#x", ack.ReasonCode)
		}
		if m.stored() != 1 {
			t.Error("acknowledged and not stored")
		}
	})
}

func TestManyInFlightAreAcknowledgedInOrder(t *testing.T) {
	m := newMemory(1)
	s := newStand(t, m, mqtt.Options{Window: 16})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	const n = 2000
	go func() {
		for i := range n {
			if w.trySend(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: uint16(i + 1), TopicName: obsTopic("dev-0"), Payload: reading(i)}) != nil {
				return
			}
		}
	}()
	for i := range n {
		w.expect(packets.Puback, uint16(i+1))
		if got := m.stored(); got < i+1 {
			t.Fatalf("%d acknowledged, %d stored", i+1, got)
		}
	}
}

func TestQoS0IsStored(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(0, 0, obsTopic("dev-0"), reading(1), false)
	eventually(t, "stored", func() bool { return s.stored() == 1 })
}

func TestQoS2IsReceivedAfterTheCommitAndOnce(t *testing.T) {
	bothVersions(t, func(t *testing.T, version byte) {
		m := newMemory(1)
		m.gate = make(chan struct{})
		s := newStand(t, m, mqtt.Options{})
		w := login(t, s.broker.Addr(), "dev-0", version)
		w.publish(2, 9, obsTopic("dev-0"), reading(1), false)
		if m.stored() != 0 {
			t.Fatal("stored already")
		}
		close(m.gate)
		w.expect(packets.Pubrec, 9)
		if m.stored() != 1 {
			t.Fatal("received and not stored")
		}
		w.publish(2, 9, obsTopic("dev-0"), reading(1), true)
		w.expect(packets.Pubrec, 9)
		w.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel}, PacketID: 9})
		w.expect(packets.Pubcomp, 9)
		if n := m.stored(); n != 1 {
			t.Errorf("%d stored", n)
		}
	})
}

func TestTheDatabaseAwayMeansNoPubackAndAnEndAndItResumes(t *testing.T) {
	for _, qos := range []byte{1, 2} {
		bothVersions(t, func(t *testing.T, version byte) {
			m := newMemory(1)
			s := newStand(t, m, mqtt.Options{})
			w := login(t, s.broker.Addr(), "dev-0", version)
			m.change(func() { m.away = true })
			w.publish(qos, 3, obsTopic("dev-0"), reading(1), false)
			if code := w.expectClosed(); version == 5 && code != packets.ErrServerBusy.Code {
				t.Errorf("DISCONNECT %#x", code)
			}
			if m.stored() != 0 || s.ingest.Health().OK {
				t.Error("stored, or health says well")
			}
			m.change(func() { m.away = false })
			eventually(t, "the database is back", func() bool { return s.ingest.Health().OK })
			w = login(t, s.broker.Addr(), "dev-0", version)
			w.publish(qos, 3, obsTopic("dev-0"), reading(1), true)
			w.expect(map[byte]byte{1: packets.Puback, 2: packets.Pubrec}[qos], 3)
			if m.stored() != 1 {
				t.Error("not stored")
			}
		})
	}
}

func TestNothingIsAcknowledgedBehindWhatFailed(t *testing.T) {
	m := newMemory(1)
	m.gate, m.entered = make(chan struct{}), make(chan struct{}, 100)
	s := newStand(t, m, mqtt.Options{})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(1, 1, obsTopic("dev-0"), reading(1), false)
	<-m.entered
	for i := uint16(2); i < 20; i++ {
		w.publish(1, i, obsTopic("dev-0"), reading(int(i)), false)
	}
	m.change(func() { m.away = true })
	close(m.gate)
	w.expectClosed() // fails on a PUBACK
}

func TestAConnectionKilledBetweenCommitAndPuback(t *testing.T) {
	m := newMemory(1)
	s := newStand(t, m, mqtt.Options{})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	m.change(func() { m.after = func() { _ = w.conn.Close() } })
	w.publish(1, 1, obsTopic("dev-0"), reading(1), false)
	eventually(t, "stored", func() bool { return s.stored() == 1 })
	m.change(func() { m.after = nil })
	w = login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(1, 1, obsTopic("dev-0"), reading(1), true)
	w.expect(packets.Puback, 1)
	if s.stored() != 1 {
		t.Errorf("%d rows", s.stored())
	}
}

func TestWhoMayConnect(t *testing.T) {
	m := newMemory(2)
	s := newStand(t, m, mqtt.Options{})
	own := statusTopic("dev-0")
	for _, c := range []struct {
		name  string
		hello hello
		v4    byte // CONNACK codes
		v5    byte
	}{
		{"right", hello{user: "dev-0", password: secret("dev-0")}, 0, 0},
		{"right, with a will", hello{user: "dev-0", password: secret("dev-0"), willTopic: own, will: `{"online":false}`}, 0, 0},
		{"right, persistent", hello{user: "dev-0", password: secret("dev-0"), id: "mine", persist: true}, 0, 0},
		{"wrong password", hello{user: "dev-0", password: secret("dev-1")}, 5, 0x86},
		{"no password", hello{user: "dev-0"}, 5, 0x86},
		{"unknown", hello{user: "ghost", password: "x"}, 5, 0x86},
		{"anonymous", hello{id: "dev-0"}, 5, 0x86},
		{"will on a foreign topic", hello{user: "dev-0", password: secret("dev-0"), willTopic: statusTopic("dev-1"), will: "offline"}, 0, 0},
		{"will on obs", hello{user: "dev-0", password: secret("dev-0"), willTopic: obsTopic("dev-0"), will: "offline"}, 0, 0},
		{"will of nonsense", hello{user: "dev-0", password: secret("dev-0"), willTopic: own, will: "bye"}, 0, 0},
	} {
		bothVersions(t, func(t *testing.T, version byte) {
			t.Run(c.name, func(t *testing.T) {
				c.hello.version = version
				want := map[byte]byte{4: c.v4, 5: c.v5}[version]
				w := dial(t, s.broker.Addr())
				if code := w.connect(c.hello); code != want {
					t.Errorf("CONNACK %#x, want %#x", code, want)
				}
				if want != 0 {
					w.expectClosed()
				}
			})
		})
	}
	for reason, n := range map[string]float64{"credentials": 6, "anonymous": 2, "will": 6} {
		if got := s.refused(t, reason); got != n {
			t.Errorf("refused for %s: %v, want %v", reason, got, n)
		}
	}
}

func TestForeignTopicsAreRefusedAndCounted(t *testing.T) {
	foreign := []string{obsTopic("dev-1"), statusTopic("dev-1"), mqttjson.Topic("370611", "dev-0", mqttjson.KindObs), mqttjson.Topic("370602", "dev-0", mqttjson.KindCmd), "somewhere", "onemap/v1/370602/dev-0/obs/"}
	s := newStand(t, newMemory(2), mqtt.Options{})
	for i, topic := range foreign {
		w := login(t, s.broker.Addr(), "dev-0", 4)
		w.publish(1, 1, topic, reading(1), false)
		w.expectClosed()
		w = login(t, s.broker.Addr(), "dev-0", 5)
		w.publish(1, 1, topic, reading(1), false)
		if ack := w.expect(packets.Puback, 1); ack.ReasonCode != packets.ErrNotAuthorized.Code {
			t.Errorf("%s: PUBACK %#x", topic, ack.ReasonCode)
		}
		w.publish(0, 0, topic, reading(1), false)
		w.publish(1, 2, obsTopic("dev-0"), reading(i), false) // and the connection lives on
		w.expect(packets.Puback, 2)
	}
	if n := s.refused(t, "publish-topic"); n != float64(3*len(foreign)) {
		t.Errorf("%v refused, want %d", n, 3*len(foreign))
	}
	if s.stored() != len(foreign) || len(s.quarantine()) > 0 {
		t.Errorf("%d stored, quarantine %v", s.stored(), s.quarantine())
	}
	w := login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(1, 1, "$SYS/broker/version", []byte("x"), false)
	w.expectClosed()
	if err := s.broker.Stop(t.Context()); err != nil { // each connection's end has been counted then
		t.Fatal(err)
	}
	if topic, protocol := s.refused(t, "publish-topic"), s.refused(t, "protocol"); topic != float64(3*len(foreign)+1) || protocol != 0 {
		t.Errorf("in the end %v refused for the topic and %v for the protocol, want %d and 0", topic, protocol, 3*len(foreign)+1)
	}
}

func TestWhoMaySubscribe(t *testing.T) {
	s := newStand(t, newMemory(2), mqtt.Options{})
	own := mqttjson.Topic("370602", "dev-0", mqttjson.KindCmd)
	filters := []string{own, "#", "$SYS/#", "$SYS/broker/version", "onemap/v1/370602/+/obs", obsTopic("dev-1"), obsTopic("dev-0"), statusTopic("dev-0"), "$share/x/" + own, mqttjson.Topic("370602", "dev-1", mqttjson.KindCmd)}
	bothVersions(t, func(t *testing.T, version byte) {
		w := login(t, s.broker.Addr(), "dev-0", version)
		pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: 5}
		for _, f := range filters {
			pk.Filters = append(pk.Filters, packets.Subscription{Filter: f, Qos: 1})
		}
		w.send(pk)
		ack := w.expect(packets.Suback, 5)
		for i, code := range ack.ReasonCodes {
			if (code < 0x80) != (i == 0) {
				t.Errorf("%s: %#x", filters[i], code)
			}
		}
		other := login(t, s.broker.Addr(), "dev-1", version)
		other.publish(1, 1, obsTopic("dev-1"), reading(1), false)
		other.expect(packets.Puback, 1)
		w.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
		w.expect(packets.Pingresp, 0) // and no PUBLISH before it
	})
}

func TestPayloadsThatAreTooLarge(t *testing.T) {
	s := newStand(t, newMemory(2), mqtt.Options{})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(1, 1, obsTopic("dev-0"), bytes.Repeat([]byte("x"), 100<<10), false)
	w.expect(packets.Puback, 1) // in quarantine: the device need not send it for ever
	for range 2 {
		w = login(t, s.broker.Addr(), "dev-0", 4)
		_ = w.trySend(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: 2, TopicName: obsTopic("dev-0"), Payload: make([]byte, 10<<20)})
		w.expectClosed()
	}
	eventually(t, "counted", func() bool { return s.refused(t, "too-large") == 2 })
	eventually(t, "both in quarantine, the second kind once", func() bool { return len(s.quarantine()) == 2 })
	q := s.quarantine()
	if q[0].Reason != sensors.ReasonTooLarge || q[0].Size != 100<<10 || len(q[0].Payload) != 4096 {
		t.Errorf("%s, %d bytes of %d", q[0].Reason, len(q[0].Payload), q[0].Size)
	}
	if q[1].Reason != sensors.ReasonTooLarge || q[1].DeviceID != "dev-0" || !strings.Contains(q[1].Detail, "132096 bytes") ||
		len(q[1].Faults) != 1 || q[1].Faults[0].Code != "packet-unread" || q[1].Faults[0].Params["limit"] != "132096" {
		t.Errorf("%+v", q[1])
	}
	w = login(t, s.broker.Addr(), "dev-1", 5)
	w.publish(1, 1, obsTopic("dev-1"), reading(1), false)
	w.expect(packets.Puback, 1)
}

func TestTheLimitIsToldToVersion5(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	w := dial(t, s.broker.Addr())
	w.version = 5
	w.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, Connect: packets.ConnectParams{
		ProtocolName: []byte("MQTT"), Clean: true, UsernameFlag: true, Username: []byte("dev-0"), PasswordFlag: true, Password: []byte(secret("dev-0")),
	}})
	ack := w.expect(packets.Connack, 0)
	if ack.Properties.MaximumPacketSize != 132096 || ack.Properties.AssignedClientID != "dev-0" {
		t.Errorf("%+v", ack.Properties)
	}
}

func TestGarbageOnThePort(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	for _, garbage := range [][]byte{
		[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), bytes.Repeat([]byte{0xff}, 1000), {0}, {0x10, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x10, 0x04, 0x00, 0x04, 'M', 'Q'}, bytes.Repeat([]byte{0x10, 0}, 100), {0x30, 0x05, 0, 3, 'a', 'b', 'c'},
		append([]byte{0x10, 0xff, 0x07}, bytes.Repeat([]byte{1}, 1023)...),
	} {
		w := dial(t, s.broker.Addr())
		if _, err := w.conn.Write(garbage); err != nil {
			t.Fatal(err)
		}
		_ = w.conn.(*net.TCPConn).CloseWrite()
		w.version = 0
		for {
			if _, err := w.r.ReadByte(); err != nil {
				break
			}
		}
	}
	// and by a device that has logged in
	w := login(t, s.broker.Addr(), "dev-0", 5)
	if _, err := w.conn.Write(bytes.Repeat([]byte{0x82, 0x01}, 10)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := w.r.ReadByte(); err != nil {
			break
		}
	}
	if s.refused(t, "panic") != 0 {
		t.Error("a panic")
	}
	w = login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(1, 1, obsTopic("dev-0"), reading(1), false)
	w.expect(packets.Puback, 1)
}

func TestASlowHandshakeIsEnded(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{HandshakeTimeout: 20 * time.Millisecond})
	w := dial(t, s.broker.Addr())
	if _, err := w.conn.Write([]byte{0x10}); err != nil {
		t.Fatal(err)
	}
	w.expectClosed()
	eventually(t, "counted", func() bool { return s.refused(t, "handshake") == 1 })
}

func TestConnectionsAreBounded(t *testing.T) {
	s := newStand(t, newMemory(2), mqtt.Options{MaxClients: 1})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	dial(t, s.broker.Addr()).expectClosed()
	w.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
	w.expect(packets.Pingresp, 0)
}

func TestADeviceThatIsRevokedIsPutOut(t *testing.T) {
	m := newMemory(2)
	s := newStand(t, m, mqtt.Options{})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	m.change(func() { m.devices[0].SecretSHA256 = sensors.HashSecret("another") })
	other := dial(t, s.broker.Addr()) // its failed attempt makes the registry look again
	other.connect(hello{user: "dev-0", password: "wrong"})
	w.publish(1, 1, obsTopic("dev-0"), reading(1), false)
	w.expectClosed()
	if s.stored() != 0 || s.refused(t, "revoked") != 1 {
		t.Errorf("%d stored, %v refused", s.stored(), s.refused(t, "revoked"))
	}
}

func TestABusyPortIsAnOpError(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	b := mqtt.New(mqtt.Options{Listen: s.broker.Addr()}, s.ingest, nil, nil, nil, nil)
	var op *net.OpError
	if err := b.Start(t.Context()); !errors.As(err, &op) || op.Op != "listen" {
		t.Errorf("%v", err)
	}
	if h := b.Health(); h.OK || h.Part != "broker" {
		t.Errorf("%+v", h)
	}
	if h := s.broker.Health(); !h.OK {
		t.Errorf("%+v", h)
	}
}

func TestStopAnswersWhatWasTaken(t *testing.T) {
	m := newMemory(1)
	m.gate, m.entered = make(chan struct{}), make(chan struct{}, 10)
	s := newStand(t, m, mqtt.Options{})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(1, 1, obsTopic("dev-0"), reading(1), false)
	<-m.entered
	stopped := make(chan error)
	go func() { stopped <- s.broker.Stop(context.Background()) }()
	eventually(t, "stopping", func() bool { return !s.broker.Health().OK })
	close(m.gate)
	w.expect(packets.Puback, 1)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.broker.Addr()); err == nil {
		t.Error("still accepts")
	}
}

func TestStopIsBounded(t *testing.T) {
	m := newMemory(1)
	m.gate, m.entered = make(chan struct{}), make(chan struct{}, 10)
	s := newStand(t, m, mqtt.Options{})
	w := login(t, s.broker.Addr(), "dev-0", 4)
	w.publish(1, 1, obsTopic("dev-0"), reading(1), false)
	<-m.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.broker.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	w.expectClosed()
	close(m.gate)
}

func FuzzConnection(f *testing.F) {
	f.Add([]byte{0x10, 0x10, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 4, 't', 'e', 's', 't'})
	f.Add([]byte{0x10, 0x11, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 0, 0, 4, 't', 'e', 's', 't'})
	f.Add([]byte{0xff, 0xff})
	f.Add(append(append([]byte{0x32, 0x20, 0, 24}, obsTopic("dev-0")...), 0, 1, 0, '{', '}'))
	f.Add(bytes.Repeat([]byte{0x62, 2, 0, 1, 0xc0, 0}, 3))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := newStand(t, newMemory(1), mqtt.Options{})
		for _, first := range []bool{true, false} { // as a stranger, and as a device that has logged in
			w := dial(t, s.broker.Addr())
			if !first {
				w = login(t, s.broker.Addr(), "dev-0", 5)
			}
			_, _ = w.conn.Write(raw)
			_ = w.conn.(*net.TCPConn).CloseWrite()
			for {
				if _, err := w.r.ReadByte(); err != nil {
					break
				}
			}
		}
		if s.refused(t, "panic") != 0 {
			t.Error("a panic")
		}
	})
}

func TestStopWhileDevicesLeave(t *testing.T) {
	const devices = 30
	for range 10 {
		s := newStand(t, newMemory(devices), mqtt.Options{})
		wires := make([]*wire, devices)
		for i := range wires {
			wires[i] = login(t, s.broker.Addr(), fmt.Sprintf("dev-%d", i), byte(4+i%2))
		}
		go func() {
			for _, w := range wires {
				_ = w.conn.Close()
			}
		}()
		stopAll(t, s)
	}
}
