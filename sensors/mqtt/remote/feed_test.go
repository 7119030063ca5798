package remote_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/feedtest"
	"onemap/sensors/mqtt/remote"
	"onemap/sensors/mqtt/remote/mosquittotest"
)

// The client of an external broker passes the conformance test of feeds. The sender is Mosquitto, which sends again what is
// not acknowledged. The acknowledgements are counted on the connection.
func TestFeed(t *testing.T) {
	feedtest.Run(t, feedtest.Harness{
		Store: func(t *testing.T) feedtest.Store { return newTown(t, 1).db.Sensors },
		Start: func(t *testing.T, r sensors.Receiver, _ *sensors.Registry) feedtest.Feed {
			b := mosquittotest.Start(t, mosquittotest.Durable)
			m := meter(t, b.Addr())
			(&testDatabase{t: t}).client(quick("mqtt://"+m.addr), r)
			return &feed{broker: b, meter: m}
		},
		Encode: func(at time.Time, level float64) []byte {
			return mqttjson.Encode(sensors.Reading{Time: at, Values: []sensors.Value{{Name: feedtest.Stream, Number: level}}})
		},
		Garbage: []byte("{\"v\":{\"level\":\x00\xff"),
	})
}

type feed struct {
	broker *mosquittotest.Broker
	meter  *ackMeter
}

// Connect implements feedtest.Feed. Mosquitto accepts every client.
func (f *feed) Connect(t *testing.T, name string) (feedtest.Sender, error) {
	target, err := remote.Endpoint{URL: "mqtt://" + f.broker.Addr()}.Resolve()
	if err != nil {
		return nil, err
	}
	return &sender{client: connectTo(t, target, name), topic: obsTopic(name), meter: f.meter, before: f.meter.acks.Load()}, nil
}

type sender struct {
	client paho.Client
	topic  string
	meter  *ackMeter
	before int64 // acknowledgements before this device
}

// Send implements feedtest.Sender.
func (s *sender) Send(t *testing.T, message []byte) { publish(t, s.client, s.topic, 1, false, message) }

// Acknowledged implements feedtest.Sender.
func (s *sender) Acknowledged() int { return int(s.meter.acks.Load() - s.before) }

// ackMeter passes bytes to a broker and counts the PUBACKs among them.
type ackMeter struct {
	addr string
	acks atomic.Int64
}

func meter(t *testing.T, to string) *ackMeter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	m := &ackMeter{addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			broker, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			go m.pass(broker, client)
			go func() {
				_, _ = io.Copy(client, broker) // ends with either connection
				_, _ = client.Close(), broker.Close()
			}()
		}
	}()
	return m
}

// pass passes the client's bytes, packet by packet.
func (m *ackMeter) pass(broker, client net.Conn) {
	defer func() { _, _ = client.Close(), broker.Close() }()
	for {
		packet, err := packets.ReadPacket(client)
		if err != nil {
			return // the connection has ended
		}
		if _, ok := packet.(*packets.PubackPacket); ok {
			m.acks.Add(1)
		}
		if err := packet.Write(broker); err != nil {
			return
		}
	}
}
