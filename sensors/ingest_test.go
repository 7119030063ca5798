package sensors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"onemap/internal/errs"
)

// memory is a store in memory: what Committer and RegistryStore promise, without a database.
type memory struct {
	mu      sync.Mutex
	devices []RegisteredDevice
	loads   int
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
		return BatchResult{}, errs.New(errs.Unavailable, "no connection")
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

func (m *memory) LoadRegistry(context.Context) ([]RegisteredDevice, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads++
	if m.away {
		return nil, errs.New(errs.Unavailable, "no connection")
	}
	return slices.Clone(m.devices), nil
}

func (m *memory) DatastreamTypes(context.Context) ([]DatastreamType, error) {
	return []DatastreamType{{Code: "water_level", Min: -5, Max: 30}}, nil
}

func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// asked is how often the registry was read.
func (m *memory) asked() (n int) {
	m.set(func() { n = m.loads })
	return n
}

// values are all stored readings' values in order.
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

// path is an ingest path over a memory, started.
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

func env(payload string) Envelope {
	return Envelope{Topic: "onemap/v1/370602/dev-1/obs", Division: "370602", Device: "dev-1", Kind: KindObs, Payload: []byte(payload), QoS: 1}
}

// level is an envelope of one reading, n microseconds before now, of value n.
func level(n int) Envelope {
	return env(fmt.Sprintf(`{"t":%q,"v":{"level":%d}}`, time.Now().Add(-time.Duration(n)*time.Microsecond).UTC().Format(time.RFC3339Nano), n))
}

// metric is the sum of a counter or gauge over its labels.
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

func TestAcceptedIsStoredThenDoneInOrder(t *testing.T) {
	m := newMemory()
	var woken []int64
	in, reg := path(t, m, IngestOptions{OnCommit: func(seq int64) { woken = append(woken, seq) }})
	const n = 500
	var mu sync.Mutex
	var order []int
	for i := range n {
		err := in.Accept(level(i%30), func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
			if len(m.values()) < i+1 {
				t.Errorf("%d is done before it is stored", i)
			}
			order = append(order, i)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stop(t, in)
	if len(order) != n || !slices.IsSorted(order) {
		t.Errorf("%d done, sorted %v", len(order), slices.IsSorted(order))
	}
	if len(m.values()) != n || len(woken) != len(m.batches) {
		t.Errorf("%d stored, woken %d times for %d commits", len(m.values()), len(woken), len(m.batches))
	}
	if v := metric(t, reg, "onemap_ingest_stored_total"); v != n {
		t.Errorf("the metric says %v", v)
	}
	if err := in.Accept(level(1), nil); !errs.Is(err, errs.Unavailable) {
		t.Errorf("after Stop: %v", err)
	}
}

func TestTheNextBatchGathersWhileACommitRuns(t *testing.T) {
	m := newMemory()
	m.gate, m.entered = make(chan struct{}), make(chan int)
	in, _ := path(t, m, IngestOptions{MaxBatch: 40})
	accept := func(n int) {
		for i := range n {
			if err := in.Accept(level(i), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	accept(1)
	sizes := []int{<-m.entered} // a lone reading goes at once
	accept(100)
	for range 3 {
		m.gate <- struct{}{}
		sizes = append(sizes, <-m.entered)
	}
	m.gate <- struct{}{}
	stop(t, in)
	if diff := cmp.Diff([]int{1, 40, 40, 20}, sizes); diff != "" {
		t.Error(diff)
	}
}

func TestFaultsAreQuarantinedAndTheRestStored(t *testing.T) {
	m := newMemory()
	in, _ := path(t, m, IngestOptions{QuarantineBytes: 20})
	payload := `{"v":{"level":3,"nosuch":4}}`
	errsSeen := 0
	for _, e := range []Envelope{
		env(payload),
		env("garbage\x00\xff"),
		{Topic: "onemap/v1/370602/ghost/obs", Division: "370602", Device: "ghost", Kind: KindObs, Payload: []byte(`{"v":{"level":1}}`)},
		{Topic: "onemap/v1/370611/dev-1/obs", Division: "370611", Device: "dev-1", Kind: KindObs, Payload: []byte(`{"v":{"level":1}}`)},
		{Topic: "x\x00", Division: "370602", Device: "dev-1", Kind: KindCmd, Payload: nil},
		{Topic: "onemap/v1/370602/dev-1/status", Division: "370602", Device: "dev-1", Kind: KindStatus, Payload: []byte("online")},
		env(strings.Repeat(" ", 64<<10) + "1"),
	} {
		if err := in.Accept(e, func(err error) {
			if err != nil {
				errsSeen++
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.Quarantine(Quarantined{DeviceID: "dev-1", Reason: ReasonTooLarge, Size: 10 << 20}, nil); err != nil {
		t.Fatal(err)
	}
	stop(t, in)
	if diff := cmp.Diff([]float64{3}, m.values()); diff != "" || errsSeen > 0 {
		t.Error(diff, errsSeen)
	}
	var got []string
	for _, q := range m.quarantine() {
		got = append(got, fmt.Sprintf("%s|%s|%d|%d|%s", q.Reason, q.Detail, q.Size, len(q.Payload), q.Topic))
		if q.At.IsZero() {
			t.Error("a row without a time")
		}
	}
	want := []string{
		"unknown-datastream|v.nosuch: the device has no such datastream|28|20|onemap/v1/370602/dev-1/obs",
		`bad-json|offset 0: a value expected, "g" found|9|9|onemap/v1/370602/dev-1/obs`,
		"unknown-device|device: ghost is not registered, or disabled|17|17|onemap/v1/370602/ghost/obs",
		"bad-topic|division: the device is in 370602|17|17|onemap/v1/370611/dev-1/obs",
		"bad-topic|neither obs nor status|0|0|x ",
		"too-large|the payload is larger than is taken|65537|20|onemap/v1/370602/dev-1/obs",
		"too-large||10485760|0|",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s := m.batches[len(m.batches)-1].Statuses; len(s) > 1 {
		t.Errorf("statuses %v", s)
	}
}

func TestAPoisonedEnvelopeHoldsUpNobody(t *testing.T) {
	m := newMemory()
	m.gate = make(chan struct{})
	in, _ := path(t, m, IngestOptions{})
	m.refuses = func(b Batch) error {
		for _, o := range b.Observations {
			if o.Value == 13 || o.Value == 17 {
				return errors.New("numeric field overflow\x00")
			}
		}
		return nil
	}
	failed := 0
	for i := range 30 {
		if err := in.Accept(level(i), func(err error) {
			if err != nil {
				failed++
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	close(m.gate)
	stop(t, in)
	if got := m.values(); len(got) != 28 || slices.Contains(got, 13) || failed != 0 {
		t.Errorf("stored %v, %d failed", got, failed)
	}
	q := m.quarantine()
	if len(q) != 2 || q[0].Reason != ReasonRefused || !strings.Contains(q[0].Detail, "numeric field overflow ") || !strings.Contains(string(q[0].Payload), `"level":13`) {
		t.Errorf("%+v", q)
	}
}

func TestWhatCannotEvenBeQuarantinedIsNotAcknowledged(t *testing.T) {
	m := newMemory()
	m.refuses = func(Batch) error { return errors.New("no") }
	in, _ := path(t, m, IngestOptions{})
	var got error
	if err := in.Accept(level(1), func(err error) { got = err }); err != nil {
		t.Fatal(err)
	}
	stop(t, in)
	if got == nil {
		t.Error("acknowledged")
	}
}

func TestTheDatabaseAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		in, _ := path(t, m, IngestOptions{})
		m.set(func() { m.away = true })
		m.gate = make(chan struct{})
		var failed, stored int
		done := func(err error) {
			switch {
			case err == nil:
				stored++
			case errs.Is(err, errs.Unavailable):
				failed++
			default:
				t.Errorf("kind %v", errs.KindOf(err))
			}
		}
		for i := range 3 {
			if err := in.Accept(level(i), done); err != nil {
				t.Fatal(err)
			}
		}
		close(m.gate)
		synctest.Wait()
		if failed != 3 || stored != 0 {
			t.Fatalf("%d failed, %d stored", failed, stored)
		}
		if err := in.Accept(level(9), done); !errs.Is(err, errs.Unavailable) {
			t.Fatalf("while away: %v", err)
		}
		if h := in.Health(); h.OK || h.Part != "database" {
			t.Errorf("%+v", h)
		}
		synctest.Wait()
		loads := m.asked()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := m.asked() - loads; n < 5 || n > 30 {
			t.Errorf("asked %d times in a minute", n)
		}
		m.set(func() { m.away = false })
		time.Sleep(6 * time.Second) // the longest pause and a bit: it comes back by itself
		synctest.Wait()
		if err := in.Accept(level(4), done); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if h := in.Health(); !h.OK || stored != 1 {
			t.Errorf("%+v, %d stored", h, stored)
		}
		stop(t, in)
	})
}

func TestADatabaseThatReadsAndDoesNotWriteIsAskedEverLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		in, _ := path(t, m, IngestOptions{})
		var commits atomic.Int64
		m.refuses = func(Batch) error { commits.Add(1); return errs.New(errs.Unavailable, "read-only") }
		begin := time.Now()
		for time.Since(begin) < time.Minute {
			_ = in.Accept(level(1), nil)
			time.Sleep(100 * time.Millisecond)
		}
		if n := commits.Load(); n < 5 || n > 25 {
			t.Errorf("%d commits tried in a minute", n)
		}
		stop(t, in)
	})
}

func TestACommitThatHangsCountsAsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.gate = make(chan struct{})
		in, _ := path(t, m, IngestOptions{})
		var got error
		if err := in.Accept(level(1), func(err error) { got = err }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if h := in.Health(); h.OK {
			t.Errorf("after 6 s: %+v", h)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !errs.Is(got, errs.Unavailable) {
			t.Errorf("after 16 s: %v", got)
		}
		stop(t, in)
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	one := level(1)
	for name, opts := range map[string]IngestOptions{
		"by count": {MaxQueue: 10},
		"by bytes": {MaxQueueBytes: 10 * one.size()},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			m.gate, m.entered = make(chan struct{}), make(chan int, 100)
			in, _ := path(t, m, opts)
			if err := in.Accept(one, nil); err != nil { // another's time may take a digit more
				t.Fatal(err)
			}
			<-m.entered // the first is with the committer
			for i := range 9 {
				if err := in.Accept(one, nil); err != nil {
					t.Fatalf("%d: %v", i, err)
				}
			}
			if err := in.Accept(one, nil); !errs.Is(err, errs.Unavailable) || !IsFull(err) {
				t.Errorf("the eleventh, with one being committed: %v", err)
			}
			room := make(chan error, 1)
			go func() { room <- in.Await(t.Context()) }()
			close(m.gate)
			if err := <-room; err != nil {
				t.Errorf("waiting for room: %v", err)
			}
			if err := in.Accept(one, nil); err != nil {
				t.Errorf("after the wait: %v", err)
			}
			stop(t, in)
			if err := in.Await(t.Context()); !errs.Is(err, errs.Unavailable) || IsFull(err) {
				t.Errorf("waiting for a stopped path: %v", err)
			}
			if n := len(m.values()); n != 11 {
				t.Errorf("%d stored", n)
			}
		})
	}
}

// With several committers each device's readings are stored in their order, and all of them.
func TestSeveralCommittersKeepEachDevicesOrder(t *testing.T) {
	const devices, each = 20, 200
	m := &memory{}
	for d := range devices {
		m.devices = append(m.devices, device(fmt.Sprintf("dev-%d", d), "level"))
	}
	in, _ := path(t, m, IngestOptions{Committers: 4, MaxBatch: 7})
	var mu sync.Mutex
	answered := map[string][]int{}
	for i := range each {
		for d := range devices {
			id := fmt.Sprintf("dev-%d", d)
			env := level(i)
			env.Device, env.Topic = id, Topic("370602", id, KindObs)
			if err := in.Accept(env, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				answered[id] = append(answered[id], i)
				if err != nil {
					t.Error(err)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop(t, in)
	for id, order := range answered {
		if len(order) != each || !slices.IsSorted(order) {
			t.Errorf("%s was answered in the order %v", id, order)
		}
	}
	if len(answered) != devices || len(m.values()) != devices*each {
		t.Errorf("%d devices answered, %d readings stored", len(answered), len(m.values()))
	}
}

func (e Envelope) size() int { return item{env: e}.size() }

func TestStopInAHurryTellsEverybody(t *testing.T) {
	m := newMemory()
	m.gate = make(chan struct{}) // the commit never ends by itself
	in, _ := path(t, m, IngestOptions{})
	failed := 0
	for i := range 20 {
		if err := in.Accept(level(i), func(err error) {
			if err != nil {
				failed++
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := in.Stop(ctx); err == nil {
		t.Error("no error")
	}
	if failed != 20 {
		t.Errorf("%d of 20 told", failed)
	}
}

func TestANewDatastreamIsFoundWithoutARestart(t *testing.T) {
	m := newMemory()
	in, _ := path(t, m, IngestOptions{})
	m.set(func() { m.devices = []RegisteredDevice{device("dev-1", "level", "extra")} })
	if err := in.Accept(env(`{"v":{"extra":7}}`), nil); err != nil {
		t.Fatal(err)
	}
	stop(t, in)
	if diff := cmp.Diff([]float64{7}, m.values()); diff != "" || len(m.quarantine()) > 0 {
		t.Error(diff, m.quarantine())
	}
}

func TestNothingIsCalledUnknownWhileTheDatabaseIsAway(t *testing.T) {
	m := newMemory()
	in, _ := path(t, m, IngestOptions{})
	m.set(func() { m.away = true })
	var got error
	if err := in.Accept(env(`{"v":{"extra":7}}`), func(err error) { got = err }); err != nil {
		t.Fatal(err)
	}
	stop(t, in)
	if !errs.Is(got, errs.Unavailable) || len(m.quarantine()) > 0 {
		t.Errorf("%v, %v", got, m.quarantine())
	}
}
