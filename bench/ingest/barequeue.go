package main

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// bareBatch is the largest number of rows in a bare commit.
const bareBatch = 5000

// waiting is a publish that waits for its commit.
type waiting struct {
	stream int64
	done   func() // must not block
}

// bareQueue holds the received publishes. One goroutine commits all that wait.
type bareQueue struct {
	values int // rows per publish
	mu     sync.Mutex
	in     []waiting
	wake   chan struct{}
}

func newBareQueue(values int) *bareQueue {
	return &bareQueue{values: values, wake: make(chan struct{}, 1)}
}

func (q *bareQueue) put(o waiting) {
	q.mu.Lock()
	q.in = append(q.in, o)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take removes and returns the waiting publishes, at most as many as fit into a batch.
func (q *bareQueue) take(into []waiting) []waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.in), max(1, bareBatch/q.values))
	into = append(into[:0], q.in[:n]...)
	rest := copy(q.in, q.in[n:])
	clear(q.in[rest:])
	q.in = q.in[:rest]
	return into
}

// run commits until ctx ends.
func (q *bareQueue) run(ctx context.Context, rows *bareRows) error {
	var batch, sorted []waiting
	for {
		if batch = q.take(batch); len(batch) == 0 {
			select {
			case <-q.wake:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		// in the order of the key, as the store inserts too
		sorted = append(sorted[:0], batch...)
		slices.SortStableFunc(sorted, func(a, b waiting) int { return cmp.Compare(a.stream, b.stream) })
		for _, o := range sorted {
			for range q.values {
				rows.add(o.stream)
			}
		}
		if err := rows.commit(ctx); err != nil {
			return err
		}
		for _, o := range batch {
			o.done()
		}
	}
}
