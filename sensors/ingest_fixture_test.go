package sensors

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/fault"
)

// memory is a store in memory, with the contract of Committer and RegistryStore.
type memory struct {
	mu      sync.Mutex
	devices []RegisteredDevice
	loads   int
	changed int64 // how often the devices were changed
	away    bool
	refuses func(Batch) error // a permanent refusal
	gate    chan struct{}     // when set, each commit waits for it
	entered chan int          // when set, told the rows of each commit as it begins
	batches []Batch
	seq     int64
}

func (m *memory) CommitBatch(ctx context.Context, b Batch) (BatchResult, error) {
	m.mu.Lock()
	gate, entered := m.gate, m.entered
	m.mu.Unlock()
	if entered != nil {
		entered <- len(b.Observations)
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return BatchResult{}, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return BatchResult{}, fault.New(fault.Unavailable, "no connection")
	}
	if m.refuses != nil {
		if err := m.refuses(b); err != nil {
			return BatchResult{}, err
		}
	}
	m.batches = append(m.batches, b)
	m.seq++
	return BatchResult{Seq: m.seq, Stored: len(b.Observations)}, nil
}

func (m *memory) Stored(_ context.Context, readings []Observation) ([]bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := past{}
	for i := range m.batches {
		stored.add(m.batches[i].Observations)
	}
	out := make([]bool, len(readings))
	for i := range readings {
		out[i] = stored.has(readings[i : i+1])
	}
	return out, nil
}

func (m *memory) LoadRegistry(context.Context) ([]RegisteredDevice, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads++
	if m.away {
		return nil, fault.New(fault.Unavailable, "no connection")
	}
	return slices.Clone(m.devices), nil
}

func (m *memory) RegistrySeq(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		m.loads++
		return 0, fault.New(fault.Unavailable, "no connection")
	}
	return m.changed, nil
}

func (m *memory) DatastreamTypes(context.Context) ([]DatastreamType, error) {
	return []DatastreamType{{Code: "water_level", Min: -5, Max: 30}}, nil
}

func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// asked returns how often the registry was read.
func (m *memory) asked() (n int) {
	m.set(func() { n = m.loads })
	return n
}

// values returns the values of all stored readings in order.
func (m *memory) values() []float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []float64
	for _, b := range m.batches {
		for _, o := range b.Observations {
			list = append(list, o.Value)
		}
	}
	return list
}

func (m *memory) quarantine() []Quarantined {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Quarantined
	for _, b := range m.batches {
		list = append(list, b.Quarantine...)
	}
	return list
}

func device(id string, streams ...string) RegisteredDevice {
	d := RegisteredDevice{Device: Device{ID: id, Division: "370602", Enabled: true}, SecretSHA256: HashSecret("secret-of-" + id)}
	for i, n := range streams {
		d.Streams = append(d.Streams, Datastream{ID: int64(i + 1), DeviceID: id, Name: n, Type: "water_level"})
	}
	return d
}

func newMemory() *memory { return &memory{devices: []RegisteredDevice{device("dev-1", "level")}} }

// path returns a started ingest path with a store in memory.
func path(t *testing.T, m *memory, opts IngestOptions) (*Ingest, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	opts.Committers = max(opts.Committers, 1) // one, so that the order of batches is known
	registry := NewRegistry(m, RegistryOptions{}, nil, opts.Clock)
	if err := registry.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	in := NewIngest(opts, registry, m, nil, reg)
	in.Start()
	return in, reg
}

// message returns a message of dev-1 with decoded readings.
func message(raw string, readings ...Reading) Message {
	return Message{Device: "dev-1", Division: "370602", Subject: "line 1", Raw: []byte(raw), Decoder: Decoded{Readings: readings}}
}

// reading returns a reading with one value.
func reading(at time.Time, name string, value float64) Reading {
	return Reading{Time: at, Values: []Value{{name, value}}}
}

// level returns a message with one reading of value n, n microseconds before now.
func level(n int) Message {
	at := time.Now().Add(-time.Duration(n) * time.Microsecond)
	return message(fmt.Sprintf("%s level=%d", at.UTC().Format(time.RFC3339Nano), n), reading(at, "level", float64(n)))
}

// garbage returns a message that its feed could not decode.
func garbage(raw string) Message {
	m := message(raw)
	m.Decoder = Decoded{Faults: OneFault(ReasonBadShape, "", CodeNotReading, Printable(m.Raw))}
	return m
}

// metric returns the sum of a counter or gauge over its labels.
func metric(t *testing.T, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

func stop(t *testing.T, in *Ingest) {
	t.Helper()
	if err := in.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
