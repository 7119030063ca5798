// Package feedtest is the conformance test of feeds. It tests the requirements of sensors.Receiver from the side of the sending
// device and from the side of the database. The tests of a feed call Run with a Harness.
package feedtest

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// patience is how long a test waits for an expected event. It is long, because the tests do not measure time.
const patience = 2 * time.Minute

// The device that sends the messages, and its datastream. Every Harness.Store must contain both.
const (
	Device = "dev-0"
	Stream = "level"
)

// Harness connects a feed to the test.
type Harness struct {
	// Store returns a real store without observations. It contains Device with Stream. The range of Stream must include 0 to 10,000.
	Store func(t *testing.T) Store
	// Start starts the feed and returns it when it accepts connections. The feed must stop before the receiver r. The suite has
	// registered a t.Cleanup that stops r, and cleanups run in reverse order, so Start should stop the feed in a t.Cleanup.
	Start func(t *testing.T, r sensors.Receiver, registry *sensors.Registry) Feed
	// Encode returns a message of Device with one reading of Stream.
	Encode func(at time.Time, level float64) []byte
	// Garbage is a message that the feed cannot decode, although it knows the device that sent it.
	Garbage []byte
}

// Store is the part of a database that the suite needs. *store.DB implements it.
type Store interface {
	sensors.Committer
	sensors.RegistryStore
	Observations(ctx context.Context, s core.Scope, datastream int64, from, to time.Time, limit int) ([]sensors.Observation, bool, error)
	Quarantine(ctx context.Context, p core.Page) ([]sensors.Quarantined, error)
}

// Feed is a running feed.
type Feed interface {
	// Connect connects a device; it returns an error if the feed refuses the device.
	Connect(t *testing.T, device string) (Sender, error)
}

// Sender is a device's side of the protocol. It sends a message again until it is acknowledged. If the connection has ended, it
// connects again.
type Sender interface {
	// Send starts to send a message and does not wait for its acknowledgement.
	Send(t *testing.T, message []byte)
	// Acknowledged returns the number of acknowledged messages; each message counts once.
	Acknowledged() int
}

// Run runs all tests on the feed.
func Run(t *testing.T, h Harness) {
	t.Run("acknowledged after the commit", func(t *testing.T) { acknowledged(t, h) })
	t.Run("a redelivery is stored once", func(t *testing.T) { redelivered(t, h) })
	t.Run("an outage of the database", func(t *testing.T) { outage(t, h) })
	t.Run("what cannot be decoded", func(t *testing.T) { undecodable(t, h) })
	t.Run("a device that is not registered", func(t *testing.T) { refused(t, h) })
}

// acknowledged tests that no acknowledgement reaches the device while the commit runs.
func acknowledged(t *testing.T, h Harness) {
	s := begin(t, h)
	sender := s.connect(t, Device)
	s.store.hold.Lock()
	sender.Send(t, h.Encode(s.at(0), 1))
	s.eventually(t, "a commit begins", func() bool { return s.store.begun.Load() > 0 })
	s.store.stored = func() { // the commit still runs: the data is durable, but must not be acknowledged yet
		if n := sender.Acknowledged(); n != 0 {
			t.Errorf("%d acknowledged before the commit has ended", n)
		}
	}
	s.store.hold.Unlock()
	s.eventually(t, "it is acknowledged", func() bool { return sender.Acknowledged() == 1 })
	s.wantLevels(t, 1)
}

// redelivered tests that a repeated message is acknowledged again and is stored as one observation.
func redelivered(t *testing.T, h Harness) {
	s := begin(t, h)
	sender := s.connect(t, Device)
	for n := range 3 {
		sender.Send(t, h.Encode(s.at(0), 1))
		s.eventually(t, "each delivery is acknowledged", func() bool { return sender.Acknowledged() == n+1 })
		s.wantLevels(t, 1)
	}
}

// outage tests that nothing is acknowledged while the database is unavailable, and that the messages sent again after the
// outage are stored once.
func outage(t *testing.T, h Harness) {
	const each = 50
	s := begin(t, h)
	sender := s.connect(t, Device)
	var want []float64
	for round := range 3 {
		before, refused := sender.Acknowledged(), s.store.refused.Load()
		s.store.away.Store(true)
		for n := range each {
			level := float64(round*each + n)
			want = append(want, level)
			sender.Send(t, h.Encode(s.at(len(want)), level))
		}
		s.eventually(t, "a commit is refused", func() bool { return s.store.refused.Load() > refused })
		if n := sender.Acknowledged() - before; n != 0 {
			t.Errorf("%d acknowledged while the database was away", n)
		}
		s.wantLevels(t, want[:before]...)
		s.store.away.Store(false)
		s.eventually(t, "everything is acknowledged", func() bool { return sender.Acknowledged() == len(want) })
		s.wantLevels(t, want...)
	}
}

// undecodable tests that a message that cannot be decoded is kept unchanged in quarantine, is acknowledged, and does not delay
// later messages.
func undecodable(t *testing.T, h Harness) {
	s := begin(t, h)
	sender := s.connect(t, Device)
	sender.Send(t, h.Garbage)
	sender.Send(t, h.Encode(s.at(0), 1))
	s.eventually(t, "both are acknowledged", func() bool { return sender.Acknowledged() == 2 })
	s.wantLevels(t, 1)
	row := s.onlyRow(t)
	if !bytes.Equal(row.Payload, h.Garbage) || row.Size != len(h.Garbage) {
		t.Errorf("%q of %d bytes in quarantine, want %q", row.Payload, row.Size, h.Garbage)
	}
	if row.DeviceID != Device || row.Topic == "" || row.Reason == "" || len(row.Faults) == 0 {
		t.Errorf("the row does not say whose, whence and why: %+v", row)
	}
}

// refused tests a device that is not registered. Either the feed refuses its connection, or its messages go to quarantine and
// are acknowledged. They are never stored as observations and do not delay other devices.
func refused(t *testing.T, h Harness) {
	const stranger = "stranger"
	s := begin(t, h)
	message := h.Encode(s.at(0), 2)
	if sender, err := s.feed.Connect(t, stranger); err == nil {
		sender.Send(t, message)
		s.eventually(t, "the stranger's message is acknowledged", func() bool { return sender.Acknowledged() == 1 })
		if row := s.onlyRow(t); row.Reason != sensors.ReasonUnknownDevice || row.DeviceID != stranger || !bytes.Equal(row.Payload, message) {
			t.Errorf("in quarantine: %+v", row)
		}
	} else if rows := s.rows(t); len(rows) != 0 {
		t.Errorf("a device that was not let in has %d rows in quarantine", len(rows))
	}
	sender := s.connect(t, Device)
	sender.Send(t, h.Encode(s.at(0), 1))
	s.eventually(t, "a device behind it is acknowledged", func() bool { return sender.Acknowledged() == 1 })
	s.wantLevels(t, 1)
}

// stand is a feed with the real ingest path and a real store.
type stand struct {
	store *faulty
	feed  Feed
	from  time.Time
}

func begin(t *testing.T, h Harness) *stand {
	t.Helper()
	s := &stand{store: &faulty{Store: h.Store(t)}, from: time.Now().UTC().Add(-6 * time.Hour).Truncate(time.Hour)} // within the retention
	registry := sensors.NewRegistry(s.store, sensors.RegistryOptions{MissInterval: time.Nanosecond}, nil, nil)
	if err := registry.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	in := sensors.NewIngest(sensors.IngestOptions{ProbeMin: time.Millisecond, ProbeMax: 20 * time.Millisecond}, registry, s.store, nil, nil)
	in.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := in.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	s.feed = h.Start(t, in, registry)
	return s
}

func (s *stand) connect(t *testing.T, device string) Sender {
	t.Helper()
	sender, err := s.feed.Connect(t, device)
	if err != nil {
		t.Fatalf("%s is not let in: %v", device, err)
	}
	return sender
}

// at returns the time of the nth reading.
func (s *stand) at(n int) time.Time { return s.from.Add(time.Duration(n) * time.Second) }

// wantLevels compares the stored observations of Stream, in the order of time, with the list.
func (s *stand) wantLevels(t *testing.T, want ...float64) {
	t.Helper()
	got, _, err := s.store.Observations(t.Context(), everything(), s.datastream(t), s.from, s.from.Add(24*time.Hour), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	levels := make([]float64, len(got))
	for i := range got {
		levels[i] = got[i].Value
	}
	if !slices.Equal(levels, want) {
		t.Fatalf("stored: %v, want %v", levels, want)
	}
}

func (s *stand) datastream(t *testing.T) int64 {
	t.Helper()
	devices, err := s.store.Store.LoadRegistry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		for _, stream := range d.Streams {
			if d.ID == Device && stream.Name == Stream {
				return stream.ID
			}
		}
	}
	t.Fatalf("the store has no datastream %s of %s", Stream, Device)
	return 0
}

func (s *stand) rows(t *testing.T) []sensors.Quarantined {
	t.Helper()
	rows, err := s.store.Quarantine(t.Context(), core.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func (s *stand) onlyRow(t *testing.T) sensors.Quarantined {
	t.Helper()
	rows := s.rows(t)
	if len(rows) != 1 {
		t.Fatalf("%d rows in quarantine, want 1: %+v", len(rows), rows)
	}
	return rows[0]
}

// everything returns a scope that covers all devices.
func everything() core.Scope { return core.Scope{Division: "37", Role: core.RoleAdministrator} }

func (s *stand) eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// faulty is a real store that a test can make unavailable or slow.
type faulty struct {
	Store
	hold    sync.Mutex // commits wait while a test holds it
	begun   atomic.Int64
	away    atomic.Bool
	refused atomic.Int64
	stored  func() // called when the next batch is stored, before CommitBatch returns; guarded by hold
}

func (f *faulty) err() error {
	if f.away.Load() {
		return fault.New(fault.Unavailable, "no connection")
	}
	return nil
}

// CommitBatch implements sensors.Committer.
func (f *faulty) CommitBatch(ctx context.Context, b sensors.Batch) (sensors.BatchResult, error) {
	f.begun.Add(1)
	f.hold.Lock()
	defer f.hold.Unlock()
	if err := f.err(); err != nil {
		f.refused.Add(1)
		return sensors.BatchResult{}, err
	}
	res, err := f.Store.CommitBatch(ctx, b)
	if f.stored != nil && err == nil {
		f.stored()
		f.stored = nil // only for the first commit: a later one, such as a last will, may follow an acknowledgement
	}
	return res, err
}

// LoadRegistry implements sensors.RegistryStore.
func (f *faulty) LoadRegistry(ctx context.Context) ([]sensors.RegisteredDevice, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.Store.LoadRegistry(ctx)
}

// RegistrySeq implements sensors.RegistryStore.
func (f *faulty) RegistrySeq(ctx context.Context) (int64, error) {
	if err := f.err(); err != nil {
		return 0, err
	}
	return f.Store.RegistrySeq(ctx)
}
