package mqtt_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors/mqtt"
)

// text encodes a string as in MQTT.
func text(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

// rawConnect returns a CONNECT of dev-0, byte by byte. props are the properties of version 5, with their length; nil: none,
// as in 3.1.1.
type rawConnect struct {
	name      string
	level     byte
	flags     byte // beside those of the login
	props     []byte
	id        string
	willProps []byte
	will      bool
	anonymous bool
}

func (r rawConnect) bytes() []byte {
	flags := r.flags
	if !r.anonymous {
		flags |= 0xc0
	}
	if r.will {
		flags |= 4
	}
	b := append(text(r.name), r.level, flags, 0, 60)
	b = append(append(b, r.props...), text(r.id)...)
	if r.will {
		b = append(append(append(b, r.willProps...), text(statusTopic("dev-0"))...), text("offline")...)
	}
	if !r.anonymous {
		b = append(append(b, text("dev-0")...), text(secret("dev-0"))...)
	}
	return append(append([]byte{0x10}, binary.AppendUvarint(nil, uint64(len(b)))...), b...)
}

// answer sends bytes and returns the response until the connection ends, or until a CONNACK that keeps it open.
func answer(t *testing.T, addr string, sent []byte) []byte {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 4)
	n, err := io.ReadFull(conn, head)
	if err != nil {
		return head[:n]
	}
	if head[3] == 0 {
		return head
	}
	rest, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("the connection stays open: %v", err)
	}
	return append(head, rest...)
}

// TestConnackCodes compares the CONNACK codes of wrong CONNECTs with those of the specifications.
func TestConnackCodes(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	clean, id := byte(2), "mine"
	v5 := func(props ...byte) rawConnect {
		return rawConnect{name: "MQTT", level: 5, flags: clean, props: append([]byte{byte(len(props))}, props...), id: id}
	}
	withWill := func(props ...byte) rawConnect {
		c := v5()
		c.will, c.willProps = true, append([]byte{byte(len(props))}, props...)
		return c
	}
	flagged := func(c rawConnect, flags byte) rawConnect { c.flags |= flags; return c }
	method := append([]byte{0x15}, text("SCRAM-SHA-1")...)
	for _, c := range []struct {
		what string
		sent rawConnect
		code int // of the CONNACK; below 0: the connection ends without one
	}{
		{"3.1.1", rawConnect{name: "MQTT", level: 4, flags: clean, id: id}, 0},
		{"3.1", rawConnect{name: "MQIsdp", level: 3, flags: clean, id: id}, 0},
		{"3.1.1, no client id, clean", rawConnect{name: "MQTT", level: 4, flags: clean}, 0},
		{"3.1.1, no client id, not clean", rawConnect{name: "MQTT", level: 4}, 2},
		{"3.1, no client id, not clean", rawConnect{name: "MQIsdp", level: 3}, 2},
		{"3.1.1, no client id, not clean, no login", rawConnect{name: "MQTT", level: 4, anonymous: true}, 2},
		{"level 9", rawConnect{name: "MQTT", level: 9, flags: clean, id: id}, 1},
		{"level 6, with properties", rawConnect{name: "MQTT", level: 6, flags: clean, props: []byte{0}, id: id}, 1},
		{"level 3 of MQTT", rawConnect{name: "MQTT", level: 3, flags: clean, id: id}, 1},
		{"level 0", rawConnect{name: "MQTT", level: 0, flags: clean, id: id}, 1},
		{"a bridge's level", rawConnect{name: "MQTT", level: 0x84, flags: clean, id: id}, 1},
		{"level 4 of MQIsdp", rawConnect{name: "MQIsdp", level: 4, flags: clean, id: id}, 1},
		{"another protocol", rawConnect{name: "hj", level: 4, flags: clean, id: id}, -1},
		{"another protocol, level 5", rawConnect{name: "hj", level: 5, flags: clean, props: []byte{0}, id: id}, 0x84},
		{"3.1.1, reserved flag", rawConnect{name: "MQTT", level: 4, flags: clean | 1, id: id}, -1},
		{"3.1.1, will QoS 3", rawConnect{name: "MQTT", level: 4, flags: clean | 0x18, will: true, id: id}, -1},
		{"5", v5(), 0},
		{"5, no client id", rawConnect{name: "MQTT", level: 5, props: []byte{0}}, 0},
		{"5, reserved flag", flagged(v5(), 1), 0x81},
		{"5, will QoS 3", flagged(withWill(), 0x18), 0x81},
		{"5, will retain without a will", flagged(v5(), 0x20), 0x81},
		{"5, receive maximum", v5(0x21, 0, 1), 0},
		{"5, receive maximum 0", v5(0x21, 0, 0), 0x82},
		{"5, receive maximum twice", v5(0x21, 0, 1, 0x21, 0, 1), 0x82},
		{"5, maximum packet size 0", v5(0x27, 0, 0, 0, 0), 0x82},
		{"5, session expiry twice", v5(0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1), 0x82},
		{"5, topic alias maximum twice", v5(0x22, 0, 1, 0x22, 0, 1), 0x82},
		{"5, request problem information 2", v5(0x17, 2), 0x82},
		{"5, request response information 2", v5(0x19, 2), 0x82},
		{"5, user properties twice", v5(append(append([]byte{0x26}, append(text("a"), text("b")...)...), append([]byte{0x26}, append(text("a"), text("b")...)...)...)...), 0},
		{"5, authentication method", v5(method...), 0x8c},
		{"5, authentication data alone", v5(0x16, 0, 1, 'x'), 0x82},
		{"5, a property that is none", v5(0x7f, 0), 0x81},
		{"5, a property of a server", v5(0x13, 0, 1), 0x81},
		{"5, a property of a publish", v5(0x23, 0, 1), 0x81},
		{"5, a property that is cut", v5(0x21, 0), 0x81},
		{"5, properties longer than the packet", rawConnect{name: "MQTT", level: 5, flags: clean, props: []byte{0x7f}, id: id}, 0x81},
		{"5, a user property that is no UTF-8", v5(append([]byte{0x26, 0, 1, 0xff}, text("b")...)...), 0x81},
		{"5, a will", withWill(0x18, 0, 0, 0, 1), 0},
		{"5, will delay twice", withWill(0x18, 0, 0, 0, 1, 0x18, 0, 0, 0, 1), 0x82},
		{"5, will payload format 2", withWill(1, 2), 0x82},
		{"5, a will with a session expiry", withWill(0x11, 0, 0, 0, 1), 0x81},
		{"5, no login", rawConnect{name: "MQTT", level: 5, flags: clean, props: []byte{0}, id: id, anonymous: true}, 0x86},
	} {
		got := answer(t, s.broker.Addr(), c.sent.bytes())
		switch {
		case c.code < 0:
			if len(got) != 0 {
				t.Errorf("%s: % x, want nothing", c.what, got)
			}
		case len(got) < 4 || got[0] != 0x20 || int(got[3]) != c.code || (c.code > 0 && got[2] != 0):
			t.Errorf("%s: % x, want a CONNACK %#x", c.what, got, c.code)
		case c.code > 0 && c.code < 6 && !bytes.Equal(got, []byte{0x20, 2, 0, byte(c.code)}):
			t.Errorf("%s: % x, want a CONNACK of 3.1.1", c.what, got)
		case c.code > 0x7f && (len(got) < 5 || int(got[1])+2 != len(got)):
			t.Errorf("%s: % x, want a CONNACK of version 5", c.what, got)
		}
	}
}

// TestDisconnectCodes compares the DISCONNECT codes for invalid packets of version 5 with those of the specification.
func TestDisconnectCodes(t *testing.T) {
	s := newStand(t, newMemory(1), mqtt.Options{})
	publish := func(props ...byte) []byte {
		b := append(append(append(text(obsTopic("dev-0")), 0, 7, byte(len(props))), props...), reading(1)...)
		return append([]byte{0x32, byte(len(b))}, b...)
	}
	for _, c := range []struct {
		what string
		sent []byte
		code byte
	}{
		{"payload format twice", publish(1, 1, 1, 1), 0x82},
		{"payload format 2", publish(1, 2), 0x82},
		{"a subscription identifier in a publish", publish(0x0b, 1), 0x82},
		{"topic alias 0", publish(0x23, 0, 0), 0x94},
		{"topic alias above the maximum", publish(0x23, 0, 1), 0x94},
		{"a property of a CONNECT", publish(0x21, 0, 1), 0x81},
		{"a response topic with a wildcard", publish(append([]byte{8}, text("a/#")...)...), 0x82},
		{"a property that is cut", publish(2, 0), 0x81},
		{"QoS 3", []byte{0x36, 2, 0, 0}, 0x81},
		{"a packet of a server", []byte{0x20, 2, 0, 0}, 0x82},
		{"AUTH without a method", []byte{0xf0, 0}, 0x82},
		{"the reserved packet", []byte{0x00, 0}, 0x82},
		{"a second CONNECT", rawConnect{name: "MQTT", level: 5, flags: 2, props: []byte{0}, id: "mine"}.bytes(), 0x82},
		{"a SUBSCRIBE without its flags", append([]byte{0x80, 9, 0, 1, 0}, append(text("abc"), 0)...), 0x81},
		{"a SUBSCRIBE with an identifier of 0", append([]byte{0x82, 11, 0, 1, 2, 0x0b, 0}, append(text("abc"), 0)...), 0x82},
		{"a SUBSCRIBE without a filter", []byte{0x82, 3, 0, 1, 0}, 0x82},
		{"a session that outlives a CONNECT that said it would not", []byte{0xe0, 7, 0, 5, 0x11, 0, 0, 0, 1}, 0x82},
		{"a length that is none", []byte{0x30, 0xff, 0xff, 0xff, 0xff, 1}, 0x81},
		{"a packet that is too large", []byte{0x30, 0xff, 0xff, 0x7f}, 0x95},
	} {
		w := login(t, s.broker.Addr(), "dev-0", 5)
		if _, err := w.conn.Write(c.sent); err != nil {
			t.Fatal(err)
		}
		if code := w.expectClosed(); code != c.code {
			t.Errorf("%s: DISCONNECT %#x, want %#x", c.what, code, c.code)
		}
	}
	w := login(t, s.broker.Addr(), "dev-0", 5) // and what may be sent is taken
	for _, sent := range [][]byte{publish(1, 1), publish(2, 0, 0, 0, 9), publish(append([]byte{8}, text("a/b")...)...)} {
		if _, err := w.conn.Write(sent); err != nil {
			t.Fatal(err)
		}
		w.expect(packets.Puback, 7)
	}
}

// While nothing can be stored, a device gets a code after which it tries again: 3 in version 3.1.1, 0x88 in version 5.
func TestNobodyIsLetInWhileNothingCanBeStored(t *testing.T) {
	bothVersions(t, func(t *testing.T, version byte) {
		m := newMemory(1)
		s := newStand(t, m, mqtt.Options{})
		m.change(func() { m.away = true })
		want := map[byte]byte{4: 3, 5: packets.ErrServerUnavailable.Code}[version]
		for range 2 { // the second time at once: a publish has found the database away
			w := dial(t, s.broker.Addr())
			if code := w.connect(hello{version: version, user: "dev-0", password: secret("dev-0")}); code != want {
				t.Errorf("CONNACK %#x, want %#x", code, want)
			}
			w.expectClosed()
		}
		m.change(func() { m.away = false })
		login(t, s.broker.Addr(), "dev-0", version)
	})
}

// FuzzConnect sends arbitrary bytes as a CONNECT. Either the connection ends or there is a CONNACK.
func FuzzConnect(f *testing.F) {
	addr := newStand(f, newMemory(1), mqtt.Options{}).broker.Addr()
	for _, c := range []rawConnect{
		{name: "MQTT", level: 4, flags: 2, id: "mine"},
		{name: "MQTT", level: 9, flags: 2, id: "mine"},
		{name: "MQTT", level: 5, flags: 2, props: []byte{3, 0x21, 0, 0}, id: "mine"},
		{name: "MQTT", level: 5, flags: 2, props: []byte{0}, id: "mine", will: true, willProps: []byte{5, 0x18, 0, 0, 0, 1}},
	} {
		f.Add(c.bytes())
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write(sent)
		_ = conn.(*net.TCPConn).CloseWrite()
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(conn); len(got) > 0 && got[0] != 0x20 {
			t.Errorf("% x", got)
		}
	})
}
