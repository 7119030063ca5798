package sensors

import (
	"hash/maphash"
	"sync"
	"time"

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

// queue holds what was accepted, in one lane a committer: what one device sends stays in one lane and
// so in its order. It is bounded by count and by bytes, over all lanes and until the commit, and never
// blocks who puts.
type queue struct {
	maxItems, maxBytes int
	seed               maphash.Seed

	mu       sync.Mutex
	lanes    []lane
	items    int    // accepted and not released
	bytes    int    // of those
	refusing string // one of the reasons; empty: taking
	roomy    chan struct{}
}

// lane is the part of the queue that one committer empties.
type lane struct {
	waiting []item
	head    int
	oldest  time.Time     // when the oldest item that was taken and not released was received; zero: none
	wake    chan struct{} // something came, or the end did
}

func newQueue(lanes, maxItems, maxBytes int) *queue {
	q := &queue{maxItems: maxItems, maxBytes: maxBytes, seed: maphash.MakeSeed(), lanes: make([]lane, lanes)}
	for i := range q.lanes {
		q.lanes[i].wake = make(chan struct{}, 1)
	}
	return q
}

// put appends, or gives the reason why not.
func (q *queue) put(it item) (refused string) {
	at := 0
	if len(q.lanes) > 1 {
		at = int(maphash.String(q.seed, it.device()) % uint64(len(q.lanes)))
	}
	size := it.size()
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.refusing != "":
		return q.refusing
	case q.full(size):
		return refusedFull
	}
	l := &q.lanes[at]
	l.waiting = append(l.waiting, it)
	q.items++
	q.bytes += size
	l.signal()
	return ""
}

func (q *queue) full(more int) bool { return q.items >= q.maxItems || q.bytes+more > q.maxBytes }

// signal wakes the taker.
func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take gives the oldest item of a lane. It counts as waiting until it is released.
func (q *queue) take(at int) (item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := &q.lanes[at]
	if l.head == len(l.waiting) {
		return item{}, false
	}
	it := l.waiting[l.head]
	l.waiting[l.head] = item{}
	l.head++
	if l.oldest.IsZero() {
		l.oldest = it.received()
	}
	switch {
	case l.head == len(l.waiting):
		if cap(l.waiting) > 4096 {
			l.waiting = nil // let go of what a flood has grown
		}
		l.waiting, l.head = l.waiting[:0], 0
	case l.head > 1024 && l.head*2 > len(l.waiting):
		n := copy(l.waiting, l.waiting[l.head:])
		clear(l.waiting[n:])
		l.waiting, l.head = l.waiting[:n], 0
	}
	return it, true
}

func (it item) device() string {
	if it.ready != nil {
		return it.ready.DeviceID
	}
	return it.env.Device
}

func (it item) received() time.Time {
	if it.ready != nil {
		return it.ready.At
	}
	return it.env.Received
}

// release gives back the room of entries that were taken from a lane: all of its entries are answered.
func (q *queue) release(at int, entries []*entry) {
	bytes := 0
	for _, e := range entries {
		bytes += e.size()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lanes[at].oldest = time.Time{}
	q.items -= len(entries)
	q.bytes -= bytes
	if q.roomy != nil && q.items <= q.maxItems/4*3 && q.bytes <= q.maxBytes/4*3 {
		close(q.roomy)
		q.roomy = nil
	}
}

// room gives the reason why put would refuse now, empty when it would not, and a channel that is
// closed when that may have changed. A queue that was full has room again when a quarter is free.
func (q *queue) room() (changed <-chan struct{}, reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.refusing != "":
		return nil, q.refusing
	case q.roomy == nil && !q.full(q.maxBytes/64):
		return nil, ""
	case q.roomy == nil:
		q.roomy = make(chan struct{})
	}
	return q.roomy, refusedFull
}

// refuse stops taking for the reason.
func (q *queue) refuse(reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refusing != refusedStopping { // which is for good
		q.refusing = reason
	}
	if q.roomy != nil {
		close(q.roomy)
		q.roomy = nil
	}
	for i := range q.lanes {
		q.lanes[i].signal()
	}
}

// admit takes again, unless the end has come.
func (q *queue) admit() { q.refuse("") }

// depth is how many items and bytes are accepted and not answered.
func (q *queue) depth() (items, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.items, q.bytes
}

// oldest is when the oldest of them was received; zero when there is none.
func (q *queue) oldest() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	var oldest time.Time
	for i := range q.lanes {
		l := &q.lanes[i]
		at := l.oldest
		if at.IsZero() && l.head < len(l.waiting) {
			at = l.waiting[l.head].received()
		}
		if !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest
}

// waits is how many items wait in a lane.
func (q *queue) waits(at int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lanes[at].waiting) - q.lanes[at].head
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
		return errs.Wrap(errs.Unavailable, errFull, "more is arriving than can be stored")
	case refusedAway:
		return errs.New(errs.Unavailable, "the database is away")
	default:
		return errs.New(errs.Unavailable, "the server is stopping")
	}
}
