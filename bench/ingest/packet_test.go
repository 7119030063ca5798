package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// decoded decodes one packet as a broker does.
func decoded(t *testing.T, raw []byte) packets.Packet {
	t.Helper()
	var pk packets.Packet
	if err := pk.FixedHeader.Decode(raw[0]); err != nil {
		t.Fatal(err)
	}
	n, used, err := packets.DecodeLength(bytes.NewReader(raw[1:]))
	if err != nil || len(raw) != 1+used+n {
		t.Fatalf("%d bytes say that they are %d after %d, %v", len(raw), n, 1+used, err)
	}
	pk.FixedHeader.Remaining, pk.ProtocolVersion = n, 4
	body := raw[1+used:]
	if pk.FixedHeader.Type == packets.Connect {
		err = pk.ConnectDecode(body)
	} else {
		err = pk.PublishDecode(body)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pk
}

func TestABrokerReadsTheConnect(t *testing.T) {
	l := login{id: "bench-00001", secret: "a secret", will: "onemap/v1/370602/bench-00001/status"}
	for _, will := range []bool{false, true} {
		pk := decoded(t, l.connect(will))
		c := pk.Connect
		if pk.ProtocolVersion != 4 || c.ClientIdentifier != l.id || string(c.Username) != l.id || string(c.Password) != l.secret ||
			!c.Clean || c.Keepalive != 0 || c.WillFlag != will || pk.ConnectValidate() != packets.CodeSuccess {
			t.Errorf("got %+v", c)
		}
		if will && (c.WillTopic != l.will || string(c.WillPayload) != "offline" || !c.WillRetain || c.WillQos != 1) {
			t.Errorf("got the will %+v", c)
		}
	}
}

// reading is the JSON of one published reading.
type reading struct {
	T time.Time          `json:"t"`
	V map[string]float64 `json:"v"`
}

func TestABrokerReadsThePublishes(t *testing.T) {
	almost := time.Date(2026, 12, 31, 23, 59, 59, 999_997_000, time.UTC)
	for _, n := range []int{1, 2, 10, 100} {
		m := newMessage("onemap/v1/370602/bench-00001/obs", "s3", n)
		both := m.appendTo(m.appendTo(nil, 7, almost, aboveThreshold), 65535, almost.Add(time.Hour), belowThreshold)
		first, second := both[:len(both)/2], both[len(both)/2:]
		for _, c := range []struct {
			raw   []byte
			id    uint16
			at    time.Time
			value float64
		}{{first, 7, almost, 7.5}, {second, 65535, almost.Add(time.Hour), 1.25}} {
			pk := decoded(t, c.raw)
			if pk.PacketID != c.id || pk.TopicName != "onemap/v1/370602/bench-00001/obs" || pk.FixedHeader.Qos != 1 || pk.FixedHeader.Retain {
				t.Errorf("got %+v", pk)
			}
			text := pk.Payload
			if n == 1 {
				text = []byte("[" + string(text) + "]")
			}
			var got, want []reading
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			for i := range n {
				value := 1.25
				if i == 0 {
					value = c.value
				}
				want = append(want, reading{c.at.Add(time.Duration(i) * time.Microsecond), map[string]float64{"s3": value}})
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	}
}

func TestPacketsAreCutFromWhatCame(t *testing.T) {
	in := []byte{packetConnack, 2, 0, 0, packetPuback, 2, 1, 2, packetPuback}
	kind, body, rest, err := nextPacket(in)
	if err != nil || accepted(kind, body) != nil {
		t.Fatalf("%#x %v %v", kind, body, err)
	}
	if kind, body, rest, err = nextPacket(rest); err != nil {
		t.Fatal(err)
	}
	if id, err := acknowledged(kind, body); id != 0x102 || err != nil {
		t.Errorf("acknowledged %d, %v", id, err)
	}
	if kind, _, rest, err = nextPacket(rest); kind != 0 || err != nil || len(rest) != 1 {
		t.Errorf("half a packet: %#x, %v, %v left", kind, err, rest)
	}
	long := append([]byte{packetPuback, 0x80, 1}, make([]byte, 128)...)
	if kind, body, _, err := nextPacket(long); kind != packetPuback || len(body) != 128 || err != nil {
		t.Errorf("128 bytes: %#x, %d, %v", kind, len(body), err)
	}
	if kind, _, _, err := nextPacket(long[:100]); kind != 0 || err != nil {
		t.Errorf("100 of 128 bytes: %#x, %v", kind, err)
	}
	for _, bad := range []string{"\x40\xff\xff\xff\xff", "\x40\xff\xff\xff\x7f"} {
		if _, _, _, err := nextPacket([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for name, err := range map[string]error{
		"refused": accepted(packetConnack, []byte{0, 5}), "no CONNACK": accepted(packetPuback, []byte{0, 0}), "short": accepted(packetConnack, nil),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := acknowledged(packetConnack, []byte{0, 0}); err == nil {
		t.Error("a CONNACK acknowledges")
	}
}

func FuzzNextPacket(f *testing.F) {
	f.Add([]byte{packetPuback, 2, 1, 2, 0x90, 0x80, 1})
	f.Add([]byte("\x40\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		for rest := in; ; {
			kind, body, more, err := nextPacket(rest)
			if err != nil || kind == 0 {
				return
			}
			if len(more) >= len(rest) || len(body) > len(rest) {
				t.Fatalf("%d bytes left of %d", len(more), len(rest))
			}
			_, _ = acknowledged(kind, body)
			_ = accepted(kind, body)
			rest = more
		}
	})
}

func TestReadingsAreFoundInAFrame(t *testing.T) {
	frame := `{"type":"state","at":"2026-07-01T08:00:01.2Z","batch":9,"readings":[{"ds":12,"device":"a","t":"2026-07-01T08:00:00Z","v":3,"qc":1},` +
		`{"ds":13,"device":"b","t":"2026-07-01T08:00:00.123456Z","v":3,"qc":1}],"status":[{"device":"a","online":true,"at":"2026-07-01T07:59:58Z"}],"seen":{"t":"2026-07-01T08:00:01Z"}}`
	frame = strings.Replace(frame, `"seen":{"t"`, `"seen":{"a"`, 1)
	var got []string
	eachReading([]byte(frame), func(at time.Time) { got = append(got, at.Format(time.RFC3339Nano)) })
	if want := "2026-07-01T08:00:00Z 2026-07-01T08:00:00.123456Z"; strings.Join(got, " ") != want {
		t.Errorf("got %v", got)
	}
	eachReading([]byte(strings.Replace(frame, "state", "event", 1)), func(time.Time) { t.Error("an event has readings") })
}

func FuzzEachReading(f *testing.F) {
	f.Add([]byte(`{"type":"state","readings":[{"t":"2026-07-01T08:00:00Z"},{"t":"`))
	f.Fuzz(func(_ *testing.T, frame []byte) { eachReading(frame, func(time.Time) {}) })
}
