package sensors

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"onemap/internal/fault"
)

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
			case fault.Is(err, fault.Unavailable):
				failed++
			default:
				t.Errorf("kind %v", fault.KindOf(err))
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
		if err := in.Accept(level(9), done); !fault.Is(err, fault.Unavailable) {
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

// slowLog needs a minute for each record, like a log on a busy disk.
type slowLog struct{ slog.Handler }

func (slowLog) Enabled(context.Context, slog.Level) bool { return true }

func (slowLog) Handle(context.Context, slog.Record) error {
	time.Sleep(time.Minute)
	return nil
}

// TestCommittersThatFailTogether tests two committers: while one is about to report that the database is unavailable, the
// other has found that it is available again. Readings must be accepted then.
func TestCommittersThatFailTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		registry := NewRegistry(m, RegistryOptions{}, nil, nil)
		in := NewIngest(IngestOptions{Committers: 2}, registry, m, slog.New(slowLog{}), nil)
		var of [2]string // a device of each lane
		for i := 0; of[0] == "" || of[1] == ""; i++ {
			id := fmt.Sprintf("dev-%d", i)
			of[in.queue.newFlow(id).home] = id
			delete(in.queue.flows, id)
		}
		for i, id := range of {
			m.devices = append(m.devices, device(id))
			m.devices[i].Streams = []Datastream{{ID: int64(i + 1), DeviceID: id, Name: "level", Type: "water_level"}}
		}
		if err := registry.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		in.Start()
		m.gate, m.away = make(chan struct{}), true
		var failed, stored atomic.Int64
		send := func(n int, id string) error {
			e := level(n)
			e.Device = id
			return in.Accept(e, func(err error) {
				if err != nil {
					failed.Add(1)
					return
				}
				stored.Add(1)
			})
		}
		for n, id := range of {
			if err := send(n, id); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait() // both commits run
		close(m.gate)
		time.Sleep(time.Second)
		m.set(func() { m.away = false })
		time.Sleep(5 * time.Minute)
		for n, id := range of {
			if err := send(10+n, id); err != nil {
				t.Errorf("five minutes after the database is back: %v", err)
			}
		}
		synctest.Wait()
		if failed.Load() != 2 || stored.Load() != 2 || !in.Health().OK {
			t.Errorf("%d failed, %d stored, %+v", failed.Load(), stored.Load(), in.Health())
		}
		stop(t, in)
	})
}

func TestADatabaseThatReadsAndDoesNotWriteIsAskedEverLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		in, _ := path(t, m, IngestOptions{})
		var commits atomic.Int64
		m.refuses = func(Batch) error { commits.Add(1); return fault.New(fault.Unavailable, "read-only") }
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
		if !fault.Is(got, fault.Unavailable) {
			t.Errorf("after 16 s: %v", got)
		}
		stop(t, in)
	})
}

func TestNothingIsCalledUnknownWhileTheDatabaseIsAway(t *testing.T) {
	m := newMemory()
	in, _ := path(t, m, IngestOptions{})
	m.set(func() { m.away = true })
	var got error
	if err := in.Accept(message("extra=7", reading(time.Time{}, "extra", 7)), func(err error) { got = err }); err != nil {
		t.Fatal(err)
	}
	stop(t, in)
	if !fault.Is(got, fault.Unavailable) || len(m.quarantine()) > 0 {
		t.Errorf("%v, %v", got, m.quarantine())
	}
}
