package mqtt_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors"
	"onemap/sensors/mqtt"
)

// instant is a receiver that commits at once.
type instant struct{ taken atomic.Uint64 }

func (r *instant) Accept(_ sensors.Message, done func(error)) error {
	r.taken.Add(1)
	done(nil)
	return nil
}

func (r *instant) Quarantine(_ sensors.Quarantined, done func(error)) error {
	if done != nil {
		done(nil)
	}
	return nil
}

func (r *instant) Await(context.Context) error { return nil }

// benchBroker returns a broker with n devices that commits at once.
func benchBroker(tb testing.TB, n int, opts mqtt.Options) *mqtt.Broker {
	tb.Helper()
	registry := sensors.NewRegistry(newMemory(n), sensors.RegistryOptions{}, nil, nil)
	if err := registry.Reload(context.Background()); err != nil {
		tb.Fatal(err)
	}
	opts.Listen = "127.0.0.1:0"
	b := mqtt.New(opts, &instant{}, registry, nil, nil, nil)
	if err := b.Start(context.Background()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = b.Stop(context.Background()) })
	return b
}

// rawLogin connects without a testing.T.
func rawLogin(tb testing.TB, addr, device string) net.Conn {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	w := &wire{conn: conn, r: bufio.NewReaderSize(conn, 64), version: 4}
	err = w.trySend(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Connect},
		Connect: packets.ConnectParams{
			ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 60, ClientIdentifier: device,
			UsernameFlag: true, Username: []byte(device), PasswordFlag: true, Password: []byte(secret(device)),
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	if pk, err := w.read(); err != nil || pk.ReasonCode != 0 {
		tb.Fatalf("CONNACK %#x, %v", pk.ReasonCode, err)
	}
	return conn
}

// frame returns a QoS 1 PUBLISH as bytes, and the offset of the packet id.
func frame(device string, qos byte) (raw []byte, id int) {
	topic, payload := obsTopic(device), reading(1)
	raw = []byte{0x30 | qos<<1}
	for n := 2 + len(topic) + 2 + len(payload); ; n >>= 7 {
		if n < 128 {
			raw = append(raw, byte(n))
			break
		}
		raw = append(raw, byte(n&127|128))
	}
	raw = append(raw, byte(len(topic)>>8), byte(len(topic)))
	raw = append(raw, topic...)
	id = len(raw)
	return append(append(raw, 0, 1), payload...), id
}

// pump publishes n times with at most window unacknowledged publishes. It is the client of a benchmark.
func pump(conn net.Conn, device string, n, window int) error {
	raw, at := frame(device, 1)
	var many []byte
	ack := make([]byte, 4*window)
	for sent := 0; sent < n; sent += window {
		k := min(window, n-sent)
		many = many[:0]
		for i := range k {
			raw[at], raw[at+1] = byte((i+1)>>8), byte(i+1)
			many = append(many, raw...)
		}
		if _, err := conn.Write(many); err != nil {
			return err
		}
		if _, err := io.ReadFull(conn, ack[:4*k]); err != nil {
			return err
		}
		if ack[0] != 0x40 {
			return fmt.Errorf("packet type %#x instead of a PUBACK", ack[0])
		}
	}
	return nil
}

func BenchmarkOneConnection(b *testing.B) {
	broker := benchBroker(b, 1, mqtt.Options{})
	conn := rawLogin(b, broker.Addr(), "dev-0")
	b.ReportAllocs()
	b.ResetTimer()
	if err := pump(conn, "dev-0", b.N, 256); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func BenchmarkManyConnections(b *testing.B) {
	const devices = 500
	broker := benchBroker(b, devices, mqtt.Options{})
	conns := make([]net.Conn, devices)
	for i := range conns {
		conns[i] = rawLogin(b, broker.Addr(), fmt.Sprintf("dev-%d", i))
	}
	b.ReportAllocs()
	b.ResetTimer()
	ended := make(chan error)
	for i, conn := range conns {
		go func() { ended <- pump(conn, fmt.Sprintf("dev-%d", i), b.N/devices+1, 4) }()
	}
	for range conns {
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkConnections measures the memory of a connected device. Server and client are in this process, so the client's part
// is included.
func BenchmarkConnections(b *testing.B) {
	const devices = 2000
	broker := benchBroker(b, devices, mqtt.Options{})
	for b.Loop() {
		before := resident(b)
		conns := make([]net.Conn, devices)
		began := time.Now()
		var all sync.WaitGroup
		next := atomic.Int64{}
		for range 16 {
			all.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= devices {
						return
					}
					conns[i] = rawLogin(b, broker.Addr(), fmt.Sprintf("dev-%d", i))
				}
			})
		}
		all.Wait()
		b.ReportMetric(devices/time.Since(began).Seconds(), "logins/s")
		for i, c := range conns {
			if err := pump(c, fmt.Sprintf("dev-%d", i), 1, 1); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric((resident(b)-before)/devices/1024, "KiB/connection")
		for _, c := range conns {
			_ = c.Close()
		}
		for broker.Connections() > 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// resident returns the resident memory of this process, in bytes.
func resident(tb testing.TB) float64 {
	tb.Helper()
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Fatal(err)
	}
	var size, pages float64
	if _, err := fmt.Sscan(string(status), &size, &pages); err != nil {
		tb.Fatal(err)
	}
	return pages * float64(os.Getpagesize())
}
