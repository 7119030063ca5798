package sensors

import (
	"sync"

	"onemap/internal/errs"
)

// item is one envelope on its way to a commit, or a ready-made quarantine row.
type item struct {
	env   Envelope
	ready *Quarantined // nil: env is to be decoded
	done  func(error)
}

// itemOverhead is what an item costs in memory beside its payload, bytes, roughly.
const itemOverhead = 256

func (it item) size() int { return len(it.env.Payload) + len(it.env.Topic) + itemOverhead }

// The reasons for which an envelope is refused before it is queued.
const (
	refusedFull     = "queue-full"
	refusedAway     = "database-away"
	refusedStopping = "stopping"
)

// queue is bounded by count and by bytes and never blocks who puts.
type queue struct {
	mu       sync.Mutex
	items    []item
	head     int
	bytes    int
	maxItems int
	maxBytes int
	refusing string // one of the reasons; empty: taking
	wake     chan struct{}
}

func newQueue(maxItems, maxBytes int) *queue {
	return &queue{maxItems: maxItems, maxBytes: maxBytes, wake: make(chan struct{}, 1)}
}

// put appends, or gives the reason why not.
func (q *queue) put(it item) (refused string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.refusing != "":
		return q.refusing
	case len(q.items)-q.head >= q.maxItems, q.bytes+it.size() > q.maxBytes:
		return refusedFull
	}
	q.items = append(q.items, it)
	q.bytes += it.size()
	q.signal()
	return ""
}

// signal wakes the taker; the caller holds mu or does not care.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take gives the oldest item.
func (q *queue) take() (item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.items) {
		return item{}, false
	}
	it := q.items[q.head]
	q.items[q.head] = item{}
	q.head++
	q.bytes -= it.size()
	switch {
	case q.head == len(q.items):
		if cap(q.items) > 4096 {
			q.items = nil // let go of what a flood has grown
		}
		q.items, q.head = q.items[:0], 0
	case q.head > 1024 && q.head*2 > len(q.items):
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	return it, true
}

// refuse stops taking for the reason.
func (q *queue) refuse(reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refusing != refusedStopping { // which is for good
		q.refusing = reason
	}
	q.signal()
}

// admit takes again, unless the end has come.
func (q *queue) admit() { q.refuse("") }

// depth is how many items and bytes wait.
func (q *queue) depth() (items, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) - q.head, q.bytes
}

// stopping reports whether refuse(refusedStopping) was called.
func (q *queue) stopping() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.refusing == refusedStopping
}

// refusal is the error that a reason is for who publishes.
func refusal(reason string) error {
	switch reason {
	case refusedFull:
		return errs.New(errs.Unavailable, "more is arriving than can be stored")
	case refusedAway:
		return errs.New(errs.Unavailable, "the database is away")
	default:
		return errs.New(errs.Unavailable, "the server is stopping")
	}
}
