package mqtt_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors/mqtt"
)

// padded returns a reading with spaces around it.
func padded(n, size int) []byte {
	b := reading(n)
	return append(b, strings.Repeat(" ", max(0, size-len(b)))...)
}

func encoded(t *testing.T, pk packets.Packet) []byte {
	t.Helper()
	var buf bytes.Buffer
	var err error
	switch pk.FixedHeader.Type {
	case packets.Pingreq:
		err = pk.PingreqEncode(&buf)
	default:
		err = pk.PublishEncode(&buf)
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestPacketsInAnyPieces sends plain publishes of many sizes between other packets, split in every way. Each is stored once
// and answered in order.
func TestPacketsInAnyPieces(t *testing.T) {
	bothVersions(t, func(t *testing.T, version byte) {
		for _, piece := range []int{1, 3, 127, 2047, 2048, 2049, 1 << 20} {
			t.Run(fmt.Sprint(piece), func(t *testing.T) {
				s := newStand(t, newMemory(1), mqtt.Options{})
				w := login(t, s.broker.Addr(), "dev-0", version)
				var raw []byte
				var want []func()
				n := 0
				add := func(pk packets.Packet) {
					n++
					pk.FixedHeader.Type, pk.ProtocolVersion, pk.PacketID = packets.Publish, version, uint16(n)
					raw = append(raw, encoded(t, pk)...)
					id, kind := pk.PacketID, map[byte]byte{1: packets.Puback, 2: packets.Pubrec}[pk.FixedHeader.Qos]
					if kind != 0 {
						want = append(want, func() { w.expect(kind, id) })
					}
				}
				sizes := []int{0, 100, 1900, 1950, 1960, 1970, 1980, 1990, 2000, 2048, 4096, 20000, 120}
				for _, qos := range []byte{1, 2, 0} {
					for _, size := range sizes {
						add(packets.Packet{FixedHeader: packets.FixedHeader{Qos: qos}, TopicName: obsTopic("dev-0"), Payload: padded(n+1, size)})
					}
					if qos == 0 {
						continue
					}
					add(packets.Packet{FixedHeader: packets.FixedHeader{Qos: qos, Retain: true}, TopicName: obsTopic("dev-0"), Payload: padded(n+1, 3000)})
					add(packets.Packet{FixedHeader: packets.FixedHeader{Qos: qos}, TopicName: obsTopic("dev-0"), Payload: padded(n+1, 90), Properties: packets.Properties{ContentType: "application/json"}})
				}
				raw = append(raw, encoded(t, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})...)
				for rest := raw; len(rest) > 0; {
					k := min(piece, len(rest))
					if _, err := w.conn.Write(rest[:k]); err != nil {
						t.Fatal(err)
					}
					rest = rest[k:]
				}
				// the PINGRESP of the engine may overtake acknowledgements that wait for a commit
				ping := false
				for range len(want) + 1 {
					if next, err := w.r.Peek(1); err == nil && next[0]>>4 == packets.Pingresp {
						w.expect(packets.Pingresp, 0)
						ping = true
						continue
					}
					want[0]()
					want = want[1:]
				}
				eventually(t, "stored", func() bool { return s.stored() == n })
				if !ping || len(s.quarantine()) > 0 {
					t.Errorf("ping %v, quarantine %v", ping, s.quarantine())
				}
			})
		}
	})
}

// A packet that looks like a plain publish but is not valid is refused by the engine, or like any other.
func TestBadPublishesEndTheConnection(t *testing.T) {
	topic := obsTopic("dev-0")
	head := append([]byte{byte(len(topic) >> 8), byte(len(topic))}, topic...)
	packet := func(first byte, body ...byte) []byte {
		return append([]byte{first, byte(len(head) + len(body))}, append(bytes.Clone(head), body...)...)
	}
	for what, raw := range map[string][]byte{
		"a packet id of zero":          packet(0x32, 0, 0, '{', '}'),
		"no packet id":                 packet(0x32),
		"half a packet id":             packet(0x32, 1),
		"QoS 3":                        packet(0x36, 0, 1, '{', '}'),
		"DUP with QoS 0":               packet(0x38, '{', '}'),
		"a topic beyond the packet":    {0x32, 4, 0, 200, 'a', 'b'},
		"a length without an end":      {0x32, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a length beyond what is read": {0x32, 0xff, 0xff, 0xff, 0x7f},
	} {
		bothVersions(t, func(t *testing.T, version byte) {
			t.Run(what, func(t *testing.T) {
				s := newStand(t, newMemory(1), mqtt.Options{})
				w := login(t, s.broker.Addr(), "dev-0", version)
				if _, err := w.conn.Write(raw); err != nil {
					t.Fatal(err)
				}
				w.expectClosed()
				if s.stored() != 0 || s.refused(t, "panic") != 0 {
					t.Errorf("%d stored, %v panics", s.stored(), s.refused(t, "panic"))
				}
			})
		})
	}
}
