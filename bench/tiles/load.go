package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// rounds distributes the requests of a list again and again. When the time is over, the current round is completed, so that
// every request is sent equally often.
type rounds struct {
	mu       sync.Mutex
	n        int
	next     int
	deadline time.Time
}

// take returns the index of the next request. It returns false if there is none left.
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

// traffic holds the latencies and bytes that clients have measured.
type traffic struct {
	latencies []time.Duration // one per response
	bytes     int64
	took      time.Duration
}

// runWithin is the time limit of one run.
const runWithin = 15 * time.Minute

// load runs n clients, each with its own connection, until the time is over and the round is complete. The loop is closed: a
// client sends its next request after the response to the last one. The first error ends the load.
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

// run is one client.
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
