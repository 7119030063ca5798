package push

import (
	"sort"
	"time"

	"onemap/internal/core"
)

// entry is one event of the log with its frame.
type entry struct {
	core.Event
	msg *message
	got time.Time // when this node read it
}

// ring holds the newest events of one epoch in seq order: every event of the log with a seq in
// (floor, head]. It is not safe for concurrent use; the hub's lock guards it.
type ring struct {
	epoch   string // empty: the log has not been read yet
	gen     uint64 // grows with each reset: entries of different generations do not mix
	floor   int64
	head    int64
	entries []*entry
	bytes   int

	maxEvents, maxBytes int
}

// reset begins anew at an epoch with nothing held.
func (r *ring) reset(epoch string, at int64) {
	r.gen++
	r.epoch, r.floor, r.head = epoch, at, at
	r.entries, r.bytes = nil, 0
}

// push appends the next event and lets go of the oldest beyond the bounds.
func (r *ring) push(e *entry) {
	r.entries = append(r.entries, e)
	r.bytes += e.msg.size
	r.head = e.Seq
	drop := 0
	for len(r.entries)-drop > 1 && (len(r.entries)-drop > r.maxEvents || r.bytes > r.maxBytes) {
		r.bytes -= r.entries[drop].msg.size
		r.floor = r.entries[drop].Seq
		r.entries[drop] = nil
		drop++
	}
	r.entries = r.entries[drop:]
}

// after is the index of the first entry with a greater seq.
func (r *ring) after(seq int64) int {
	return sort.Search(len(r.entries), func(i int) bool { return r.entries[i].Seq > seq })
}
