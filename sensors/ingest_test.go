package sensors

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/fault"
)

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
	if err := in.Accept(level(1), nil); !fault.Is(err, fault.Unavailable) {
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

// With several committers, all readings of each device are stored, in their order.
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
			m := level(i)
			m.Device = id
			if err := in.Accept(m, func(err error) {
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
