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

// ring holds the newest events of one epoch in seq order: every event of the log with a seq in (floor, head]. The ids at
// floor and head are known. It is not safe for concurrent use; the hub's lock guards it.
type ring struct {
	epoch   string // empty: the log has not been read yet
	gen     uint64 // increases with each reset; a position is valid only in its own generation
	floor   core.Mark
	head    core.Mark
	entries []*entry
	bytes   int

	maxEvents, maxBytes int
}

// reset empties the ring and starts at a mark of an epoch.
func (r *ring) reset(epoch string, at core.Mark) {
	r.gen++
	r.epoch, r.floor, r.head = epoch, at, at
	r.entries, r.bytes = nil, 0
}

// push appends the next event and evicts the oldest ones above the limits.
func (r *ring) push(e *entry) {
	r.entries = append(r.entries, e)
	r.bytes += e.msg.size
	r.head = e.Mark()
	drop := 0
	for len(r.entries)-drop > 1 && (len(r.entries)-drop > r.maxEvents || r.bytes > r.maxBytes) {
		r.bytes -= r.entries[drop].msg.size
		r.floor = r.entries[drop].Mark()
		r.entries[drop] = nil
		drop++
	}
	r.entries = r.entries[drop:]
}

// idAt returns the id of the newest event at or before seq; ok is false if it is not in memory.
func (r *ring) idAt(seq int64) (id string, ok bool) {
	switch i := r.after(seq); {
	case seq < r.floor.Seq || seq > r.head.Seq:
		return "", false
	case i == len(r.entries): // no later entry; return head.ID, because the ring may have no entry for the head
		return r.head.ID, true
	case i == 0:
		return r.floor.ID, true
	default:
		return r.entries[i-1].ID, true
	}
}

// after returns the index of the first entry with a greater seq.
func (r *ring) after(seq int64) int {
	return sort.Search(len(r.entries), func(i int) bool { return r.entries[i].Seq > seq })
}
