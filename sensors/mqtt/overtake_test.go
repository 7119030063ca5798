package mqtt_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/mqtt"
)

// failingOnce is a database that is unavailable for the first publish and available for all others.
type failingOnce struct{ taken atomic.Int64 }

func (r *failingOnce) Accept(_ sensors.Message, done func(error)) error {
	if r.taken.Add(1) == 1 {
		return fault.New(fault.Unavailable, "away")
	}
	go done(nil)
	return nil
}

func (r *failingOnce) Quarantine(sensors.Quarantined, func(error)) error {
	return fault.New(fault.Unavailable, "away")
}

func (r *failingOnce) Await(context.Context) error { return nil }

// A refused publish is sent again over the next connection. Later publishes of this connection must not be stored before it.
// Otherwise it would be late, and the rules would not evaluate it.
func TestNothingOvertakesWhatIsRefused(t *testing.T) {
	for _, qos := range []byte{0, 1, 2} {
		r := &failingOnce{}
		s := newStandOn(t, newMemory(1), mqtt.Options{}, sensors.IngestOptions{}, r)
		w := login(t, s.broker.Addr(), "dev-0", 4)
		var all bytes.Buffer
		for n := range 200 {
			pk := packets.Packet{
				ProtocolVersion: 4, FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos},
				PacketID: uint16(n + 1), TopicName: obsTopic("dev-0"), Payload: reading(n),
			}
			if err := pk.PublishEncode(&all); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.conn.Write(all.Bytes()); err != nil {
			t.Fatal(err)
		}
		w.expectClosed()
		if n := r.taken.Load(); n != 1 {
			t.Errorf("QoS %d: %d publishes were taken after one that was refused", qos, n-1)
		}
	}
}
