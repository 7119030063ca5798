package sim_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"onemap/demo/sim"
	"onemap/sensors"
	"onemap/sensors/mqtt"
)

// memory is a store in memory for the real ingest.
type memory struct {
	mu       sync.Mutex
	devices  []sensors.RegisteredDevice
	values   map[int64][]float64
	times    map[string]int
	statuses map[string][]bool
}

func (m *memory) CommitBatch(_ context.Context, b sensors.Batch) (sensors.BatchResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range b.Observations {
		m.values[o.DatastreamID] = append(m.values[o.DatastreamID], o.Value)
		m.times[fmt.Sprint(o.DatastreamID, o.Time.UnixNano())]++
	}
	for _, s := range b.Statuses {
		m.statuses[s.DeviceID] = append(m.statuses[s.DeviceID], s.Online)
	}
	if len(b.Quarantine) > 0 {
		return sensors.BatchResult{}, fmt.Errorf("in quarantine: %s", b.Quarantine[0].Detail)
	}
	return sensors.BatchResult{Seq: 1}, nil
}

func (m *memory) Stored(_ context.Context, readings []sensors.Observation) ([]bool, error) {
	return make([]bool, len(readings)), nil
}

func (m *memory) LoadRegistry(context.Context) ([]sensors.RegisteredDevice, error) {
	return m.devices, nil
}

func (m *memory) RegistrySeq(context.Context) (int64, error) { return 0, nil }

func (m *memory) DatastreamTypes(context.Context) ([]sensors.DatastreamType, error) { return nil, nil }

func (m *memory) ask(f func() bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f()
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// stage starts a real broker with n devices and returns the devices for the simulator. Datastream i+1 belongs to device
// i.
func stage(t *testing.T, n int) (*memory, *mqtt.Broker, []sim.Device, func(addr string) *mqtt.Broker) {
	t.Helper()
	m := &memory{values: map[int64][]float64{}, times: map[string]int{}, statuses: map[string][]bool{}}
	var devices []sim.Device
	types := sim.Types()
	for i := range n {
		d := sim.Device{
			ID: fmt.Sprintf("d%02d", i), Secret: fmt.Sprintf("s%02d", i), Division: "370602", Lon: 121 + float64(i)*.01, Lat: 37.5,
			Streams: []sim.Stream{{Name: "x", Type: types[i%len(types)]}},
		}
		devices = append(devices, d)
		m.devices = append(m.devices, sensors.RegisteredDevice{
			Device: sensors.Device{
				ID: d.ID, Division: d.Division, Enabled: true,
				Streams: []sensors.Datastream{{ID: int64(i + 1), DeviceID: d.ID, Name: "x", Type: d.Streams[0].Type}},
			},
			SecretSHA256: sensors.HashSecret(d.Secret),
		})
	}
	registry := sensors.NewRegistry(m, sensors.RegistryOptions{}, nil, nil)
	in := sensors.NewIngest(sensors.IngestOptions{}, registry, m, nil, nil)
	in.Start()
	t.Cleanup(func() {
		if err := in.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	open := func(addr string) *mqtt.Broker {
		b := mqtt.New(mqtt.Options{Listen: addr, PresenceRetry: 10 * time.Millisecond}, in, registry, nil, nil, nil)
		if err := b.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Stop(context.Background()) })
		return b
	}
	return m, open("127.0.0.1:0"), devices, open
}

// play runs the simulator until the returned function is called. That function waits until the simulator has ended.
func play(t *testing.T, o sim.Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx, o) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestTwentyDevicesPlayHeavyRainOnARealBroker(t *testing.T) {
	m, broker, devices, _ := stage(t, 20)
	stop := play(t, sim.Options{
		Broker: broker.Addr(), Devices: devices, Seed: 1, Speed: 400, Scene: "heavy_rain", SceneAfter: 500 * time.Millisecond,
		Interval: 40 * time.Millisecond, ConnectRate: 1000,
	})
	scene := sim.Scenes()[0]
	plan, err := sim.NewPlan(scene, devices, 1)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "everybody is connected", func() bool { return broker.Connections() == len(devices) })
	for _, target := range plan.Targets {
		var stream int64
		if _, err := fmt.Sscanf(target.Device, "d%d", &stream); err != nil {
			t.Fatal(err)
		}
		stream++
		peak := func() bool {
			for _, v := range m.values[stream] {
				if v > .99*target.Effect.Peak {
					return true
				}
			}
			return false
		}
		eventually(t, target.Device+" peaks", func() bool { return m.ask(peak) })
		eventually(t, target.Device+" recovers", func() bool {
			return m.ask(func() bool { return m.values[stream][len(m.values[stream])-1] < .8*target.Effect.Peak })
		})
	}
	stop()
	eventually(t, "everybody has said good-bye", func() bool { return broker.Connections() == 0 })
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, d := range devices {
		if len(m.values[int64(i+1)]) < 3 {
			t.Errorf("%s: %d readings", d.ID, len(m.values[int64(i+1)]))
		}
		if s := m.statuses[d.ID]; len(s) != 2 || !s[0] || s[1] {
			t.Errorf("%s: statuses %v", d.ID, s)
		}
	}
}

func TestTheSilentDevicesWillIsSpokenAndItComesBack(t *testing.T) {
	m, broker, devices, _ := stage(t, 20)
	plan, err := sim.NewPlan(sim.Scenes()[3], devices, 1)
	if err != nil {
		t.Fatal(err)
	}
	stop := play(t, sim.Options{
		Broker: broker.Addr(), Devices: devices, Seed: 1, Speed: 600, Scene: "silent_device", SceneAfter: 300 * time.Millisecond,
		Interval: 20 * time.Millisecond, ConnectRate: 1000,
	})
	eventually(t, "on line, off line, on line", func() bool {
		return m.ask(func() bool {
			s := m.statuses[plan.Silent]
			return len(s) == 3 && s[0] && !s[1] && s[2]
		})
	})
	stop()
}

func TestDevicesKeepTheirReadingsWhileTheBrokerIsAway(t *testing.T) {
	m, broker, devices, open := stage(t, 5)
	addr := broker.Addr()
	stop := play(t, sim.Options{Broker: addr, Devices: devices, Interval: 20 * time.Millisecond, ConnectRate: 1000})
	eventually(t, "connected", func() bool { return broker.Connections() == len(devices) })
	if err := broker.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(addr)
	eventually(t, "back", func() bool { return again.Connections() == len(devices) })
	counts := func() (n int) {
		m.ask(func() bool { n = len(m.values[1]); return true })
		return n
	}
	n := counts()
	eventually(t, "it goes on", func() bool { return counts() > n+3 })
	stop()
}

func TestAThousandGoroutinesAreEnoughForAHundredDevices(t *testing.T) {
	_, broker, devices, _ := stage(t, 100)
	before := runtime.NumGoroutine()
	stop := play(t, sim.Options{Broker: broker.Addr(), Devices: devices, ConnectRate: 1000, Interval: time.Second})
	eventually(t, "connected", func() bool { return broker.Connections() == len(devices) })
	if n := runtime.NumGoroutine() - before; n > 2000 { // the broker's two and the client library's among them
		t.Errorf("%d goroutines", n)
	} else {
		t.Logf("%d goroutines for %d devices, the broker's included", n, len(devices))
	}
	stop()
	eventually(t, "no goroutine stays", func() bool { return runtime.NumGoroutine() <= before+5 })
}
