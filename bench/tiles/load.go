package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// rounds hands the requests of a list out, over and over; when the time is up the round is finished,
// so that each is asked for equally often.
type rounds struct {
	mu       sync.Mutex
	n        int
	next     int
	deadline time.Time
}

// take returns the index of the next request, false when there is none left.
func (r *rounds) take() (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == r.n {
		if !time.Now().Before(r.deadline) {
			return 0, false
		}
		r.next = 0
	}
	r.next++
	return r.next - 1, true
}

// traffic is what clients have seen.
type traffic struct {
	latencies []time.Duration // one an answer
	bytes     int64
	took      time.Duration
}

// runWithin bounds one run, whatever the time it was meant to take.
const runWithin = 15 * time.Minute

// load lets n clients, each with a connection of its own, ask for the requests until the time is up
// and the round is finished; each sends when its last answer is here. The first failure ends it.
func load(ctx context.Context, addr string, requests [][]byte, n int, atLeast time.Duration) (traffic, error) {
	ctx, cancel := context.WithTimeout(ctx, runWithin)
	defer cancel()
	wires := make([]*wire, n)
	for i := range wires {
		w, err := dial(ctx, addr)
		if err != nil {
			return traffic{}, err
		}
		defer w.close()
		wires[i] = w
	}
	start := time.Now()
	r := &rounds{n: len(requests), deadline: start.Add(atLeast)}
	parts := make([]traffic, n)
	errs := make(chan error, n)
	var clients sync.WaitGroup
	for i, w := range wires {
		clients.Go(func() {
			if err := parts[i].run(w, r, requests); err != nil {
				errs <- err
				cancel()
			}
		})
	}
	clients.Wait()
	all := traffic{took: time.Since(start)}
	select {
	case err := <-errs:
		return all, fmt.Errorf("load: %w", err)
	default:
	}
	for _, p := range parts {
		all.latencies = append(all.latencies, p.latencies...)
		all.bytes += p.bytes
	}
	return all, nil
}

func (t *traffic) run(w *wire, r *rounds, requests [][]byte) error {
	for {
		i, more := r.take()
		if !more {
			return nil
		}
		start := time.Now()
		n, err := w.get(requests[i], false)
		if err != nil {
			return err
		}
		t.latencies = append(t.latencies, time.Since(start))
		t.bytes += int64(n)
	}
}
