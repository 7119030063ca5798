package sensors

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// backlog returns a message of n readings of a device.
func backlog(device string, n int) Message {
	at := time.Now().Add(-time.Hour).UTC()
	readings := make([]Reading, n)
	for i := range readings {
		readings[i] = reading(at.Add(time.Duration(i)*time.Second), "level", float64(i))
	}
	m := message("a backlog", readings...)
	m.Device = device
	return m
}

// A device that sends little is committed during the commit of a device that sends much.
func TestALightDeviceDoesNotWaitForABulkOne(t *testing.T) {
	m := &memory{devices: []RegisteredDevice{device("bulk", "level"), device("light", "level")}}
	m.gate, m.entered = make(chan struct{}), make(chan int)
	in, _ := path(t, m, IngestOptions{})
	if err := in.Accept(backlog("bulk", 300), nil); err != nil {
		t.Fatal(err)
	}
	if n := <-m.entered; n != 300 {
		t.Fatalf("the first commit has %d readings", n)
	}
	answered := make(chan error, 1)
	if err := in.Accept(backlog("light", 1), func(err error) { answered <- err }); err != nil {
		t.Fatal(err)
	}
	if n := <-m.entered; n != 1 {
		t.Fatalf("the commit beside it has %d readings", n)
	}
	m.gate <- struct{}{}
	m.gate <- struct{}{}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	stop(t, in)
}

// Each waiting device has its share of the next batch, however much the first one has.
func TestBulkDevicesShareABatch(t *testing.T) {
	m := &memory{devices: []RegisteredDevice{device("first", "level"), device("much", "level"), device("late", "level")}}
	m.gate, m.entered = make(chan struct{}), make(chan int)
	in, _ := path(t, m, IngestOptions{MaxBatch: 800})
	accept := func(e Message) {
		t.Helper()
		if err := in.Accept(e, nil); err != nil {
			t.Fatal(err)
		}
	}
	accept(backlog("first", 300))
	<-m.entered
	for range 20 {
		accept(backlog("much", 300))
	}
	accept(backlog("late", 300))
	m.gate <- struct{}{}
	if n := <-m.entered; n != 600 { // 300 of each: a second of the first would be more than its half
		t.Errorf("the next batch has %d readings, want 300 of each", n)
	}
	close(m.gate)
	go func() {
		for range m.entered { // let the rest through
		}
	}()
	stop(t, in)
	close(m.entered)
}

// For any sequence of put and take, all items of each device come in their order, from one committer at a time.
func TestQueueKeepsOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const lanes = 2
		q := newQueue(lanes, 1<<20, 1<<30)
		sent, got, held := map[string]int{}, map[string]int{}, map[string]int{}
		taken := make([][]*entry, lanes+1)
		release := func(at int) {
			for _, e := range taken[at] {
				delete(held, e.message.Device)
			}
			q.release(at, taken[at])
			taken[at] = nil
		}
		take := func(at int) int {
			for _, it := range q.take(at, 600) {
				device, n := it.message.Device, int(it.message.Session)
				if by, ok := held[device]; ok && by != at {
					rt.Fatalf("%s is with %d and %d", device, by, at)
				}
				if got[device]++; n != got[device] {
					rt.Fatalf("%s: %d comes as the %dth", device, n, got[device])
				}
				held[device] = at
				taken[at] = append(taken[at], &entry{item: it})
			}
			return len(taken[at])
		}
		for range rapid.IntRange(1, 200).Draw(rt, "steps") {
			switch at := rapid.IntRange(0, lanes).Draw(rt, "committer"); {
			case rapid.Bool().Draw(rt, "put"):
				device := fmt.Sprint("d", rapid.IntRange(0, 5).Draw(rt, "device"))
				sent[device]++
				m := Message{Device: device, Session: uint64(sent[device]), Received: time.Now()}
				if refused := q.put(item{message: m, rows: rapid.SampledFrom([]int{0, 1, 200, 1200}).Draw(rt, "rows")}); refused != "" {
					rt.Fatal(refused)
				}
			case taken[at] != nil:
				release(at)
			default:
				take(at)
			}
		}
		for at := range taken {
			release(at)
		}
		for at := range lanes {
			for take(at) > 0 {
				release(at)
			}
		}
		for device, n := range sent {
			if got[device] != n {
				rt.Errorf("%s: %d of %d", device, got[device], n)
			}
		}
		if items, bytes := q.depth(); items != 0 || bytes != 0 || len(q.flows) != 0 {
			rt.Errorf("%d items, %d bytes and %d flows are left", items, bytes, len(q.flows))
		}
	})
}
