package sensors

import (
	"hash/maphash"
	"sync"
	"time"

	"onemap/internal/fault"
	"onemap/internal/wait"
)

// item is one message on its way to a commit, or a ready-made quarantine row.
type item struct {
	message Message
	ready   *Quarantined // nil: the message is to be decoded
	done    func(error)
	rows    int   // estimated number of rows that it adds to a batch
	place   int64 // position in the order of arrival
	flow    *flow // the flow of the item's device; the queue sets it
}

// itemOverhead is the approximate memory of an item in addition to its payload and subject, in bytes.
const itemOverhead = 256

func (it item) size() int { return len(it.message.Raw) + len(it.message.Subject) + itemOverhead }

// The reasons for which a message is refused before it is queued.
const (
	refusedFull     = "queue-full"
	refusedAway     = "database-away"
	refusedStopping = "stopping"
)

// bulkRows is the largest number of waiting rows with which a device is still in the light class.
const bulkRows = 256

// class is the service class of a device. It depends on the number of its waiting rows.
type class int

// The classes. At its turn, a light device is served completely; a bulk device is served only its share of the rows.
const (
	light class = iota
	bulk
	classes
)

// flow holds the items of one device that are accepted and not released, in the order of arrival. While one committer
// processes a flow, no other committer takes items from it. So two committers never write the same datastream at the same time.
type flow struct {
	device  string
	home    int // its lane
	waiting []item
	head    int
	rows    int       // number of waiting rows
	busy    bool      // a committer processes items of this flow
	taken   time.Time // time of receipt of the oldest item that the committer processes
}

func (f *flow) class() class {
	if f.rows > bulkRows {
		return bulk
	}
	return light
}

func (f *flow) empty() bool { return f.head == len(f.waiting) }

// pop returns the oldest item.
func (f *flow) pop() item {
	it := f.waiting[f.head]
	f.waiting[f.head] = item{}
	f.head++
	f.rows -= it.rows
	switch {
	case f.empty():
		if cap(f.waiting) > 4096 {
			f.waiting = nil // release the memory that a burst has allocated
		}
		f.waiting, f.head = f.waiting[:0], 0
	case f.head > 1024 && f.head*2 > len(f.waiting):
		n := copy(f.waiting, f.waiting[f.head:])
		clear(f.waiting[n:])
		f.waiting, f.head = f.waiting[:n], 0
	}
	return it
}

// queue holds the accepted items. It serves the devices of a lane in turn, so that a device with much data does not delay the
// devices behind it. Each committer has its own lane. One additional committer, the express, takes the items of the light
// devices of a lane while the committer of that lane stores the items of bulk devices. The queue is bounded by the number of
// items and by bytes, over all lanes and until the commit. put never blocks.
type queue struct {
	maxItems, maxBytes int
	seed               maphash.Seed

	mu       sync.Mutex
	flows    map[string]*flow // by device
	spare    []*flow          // empty flows, for reuse
	lanes    []lane
	express  chan struct{} // wakes the express committer, which takes from all lanes
	arrived  int64         // number of items accepted since the start
	items    int           // number of items accepted and not released
	bytes    int           // size of those items
	refusing string        // one of the refusal reasons; empty: the queue accepts items
	roomy    chan struct{}
}

// lane is the part of the queue that one committer empties.
type lane struct {
	turns   [classes]laneTurns
	waiting int           // number of items that no committer has taken
	last    class         // the class that its committer took last
	busy    bool          // its committer has not released those items yet
	wake    chan struct{} // signals a new item or the stop
}

// inBulk reports whether the lane's committer is storing items of bulk devices.
func (l *lane) inBulk() bool { return l.busy && l.last == bulk }

// laneTurns holds the waiting flows of one class, in the order in which they are served.
type laneTurns struct {
	list []*flow
	head int
}

func (t *laneTurns) len() int { return len(t.list) - t.head }

func (t *laneTurns) push(f *flow) { t.list = append(t.list, f) }

func (t *laneTurns) pop() *flow {
	f := t.list[t.head]
	t.list[t.head] = nil
	if t.head++; t.head == len(t.list) {
		t.list, t.head = t.list[:0], 0
	} else if t.head > 1024 && t.head*2 > len(t.list) {
		n := copy(t.list, t.list[t.head:])
		clear(t.list[n:])
		t.list, t.head = t.list[:n], 0
	}
	return f
}

func newQueue(lanes, maxItems, maxBytes int) *queue {
	q := &queue{
		maxItems: maxItems, maxBytes: maxBytes, seed: maphash.MakeSeed(), flows: map[string]*flow{},
		lanes: make([]lane, lanes), express: make(chan struct{}, 1),
	}
	for i := range q.lanes {
		q.lanes[i].wake = make(chan struct{}, 1)
	}
	return q
}

// put appends the item to the flow of its device; it returns the reason if the queue refuses the item, and "" otherwise.
func (q *queue) put(it item) (refused string) {
	device, size := it.device(), it.size()
	it.rows = max(1, it.rows)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.refusing != "":
		return q.refusing
	case q.full(size):
		return refusedFull
	}
	f := q.flows[device]
	if f == nil {
		f = q.newFlow(device)
	}
	q.arrived++
	it.flow, it.place = f, q.arrived
	l, first := &q.lanes[f.home], f.empty()
	f.waiting = append(f.waiting, it)
	f.rows += it.rows
	l.waiting++
	q.items++
	q.bytes += size
	if !f.busy { // if it is busy, release adds it to the turns
		if first {
			l.turns[f.class()].push(f)
		}
		q.rouse(l)
	}
	return ""
}

// maxSpare is the largest number of empty flows that are kept for reuse.
const maxSpare = 4096

func (q *queue) newFlow(device string) *flow {
	f := &flow{}
	if n := len(q.spare); n > 0 {
		f = q.spare[n-1]
		q.spare = q.spare[:n-1]
	}
	f.device, f.home = device, int(maphash.String(q.seed, device)%uint64(len(q.lanes)))
	q.flows[device] = f
	return f
}

func (q *queue) full(more int) bool { return q.items >= q.maxItems || q.bytes+more > q.maxBytes }

// rouse wakes the committers that may take from a lane.
func (q *queue) rouse(l *lane) {
	wait.Wake(l.wake)
	if l.inBulk() && l.turns[light].len() > 0 {
		wait.Wake(q.express)
	}
}

// wake returns the channel on which a committer waits. The last index, after those of the lanes, is the express committer.
func (q *queue) wake(at int) <-chan struct{} {
	if at == len(q.lanes) {
		return q.express
	}
	return q.lanes[at].wake
}

// take returns the next items for a committer, about rows rows in all. The items count against the bounds of the queue until
// they are released. The committer of a lane serves the two classes in turn. The express serves the light devices of the lanes
// whose committers store items of bulk devices.
func (q *queue) take(at, rows int) []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []item
	if at == len(q.lanes) {
		for i := range q.lanes {
			if l := &q.lanes[i]; l.inBulk() {
				out = l.takeLight(out, rows)
			}
		}
		return out
	}
	l := &q.lanes[at]
	next := light
	if l.last == light && l.turns[bulk].len() > 0 {
		next = bulk
	}
	for range classes {
		if next == light {
			out = l.takeLight(out, rows)
		} else {
			out = l.takeBulk(out, rows)
		}
		if len(out) > 0 {
			l.last, l.busy = next, true
			if next == bulk && l.turns[light].len() > 0 {
				wait.Wake(q.express)
			}
			break
		}
		next = (next + 1) % classes
	}
	return out
}

// takeLight takes the items of light devices. A device that has become bulk while it waited moves to the bulk turns.
func (l *lane) takeLight(out []item, rows int) []item {
	for t := &l.turns[light]; t.len() > 0 && rows > 0; {
		f := t.pop()
		if f.class() == bulk {
			l.turns[bulk].push(f)
			continue
		}
		had := len(out)
		out = l.serve(f, out, rows)
		rows -= rowsOf(out[had:])
	}
	return out
}

// takeBulk takes from each bulk device its share of the rows: an equal part, but at least bulkRows.
func (l *lane) takeBulk(out []item, rows int) []item {
	t := &l.turns[bulk]
	for n := t.len(); n > 0 && rows > 0; n-- {
		share := max(bulkRows, rows/n)
		had := len(out)
		out = l.serve(t.pop(), out, share)
		rows -= rowsOf(out[had:])
	}
	return out
}

func rowsOf(items []item) (n int) {
	for i := range items {
		n += items[i].rows
	}
	return n
}

// serve takes items of a flow, at least one, while their sum does not exceed rows.
func (l *lane) serve(f *flow, out []item, rows int) []item {
	f.busy, f.taken = true, f.waiting[f.head].received()
	for first := true; !f.empty() && (first || f.waiting[f.head].rows <= rows); first = false {
		it := f.pop()
		rows -= it.rows
		l.waiting--
		out = append(out, it)
	}
	return out
}

// drain removes and returns all items of a lane that no committer has taken. The items of each device are in order of arrival.
func (q *queue) drain(at int) []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	if at == len(q.lanes) {
		return nil
	}
	var out []item
	l := &q.lanes[at]
	for _, f := range q.flows {
		if f.home != at {
			continue
		}
		for !f.empty() {
			out = append(out, f.pop())
		}
		if !f.busy {
			q.forget(f)
		}
	}
	l.waiting, l.turns = 0, [classes]laneTurns{}
	return out
}

// forget removes a flow that has no items.
func (q *queue) forget(f *flow) {
	delete(q.flows, f.device)
	if len(q.spare) < maxSpare && cap(f.waiting) <= bulkRows {
		q.spare = append(q.spare, f)
	}
}

func (it item) device() string {
	if it.ready != nil {
		return it.ready.DeviceID
	}
	return it.message.Device
}

func (it item) received() time.Time {
	if it.ready != nil {
		return it.ready.At
	}
	return it.message.Received
}

// release frees the queue space of entries that a committer took and that are all answered. If their devices have sent more
// in the meantime, their flows get the next turns.
func (q *queue) release(at int, entries []*entry) {
	bytes := 0
	for _, e := range entries {
		bytes += e.size()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if at < len(q.lanes) {
		q.lanes[at].busy = false
	}
	for _, e := range entries {
		f := e.flow
		if f == nil || !f.busy { // not busy: an earlier entry of the same flow released it
			continue
		}
		f.busy = false
		if f.empty() {
			q.forget(f)
			continue
		}
		l := &q.lanes[f.home]
		l.turns[f.class()].push(f)
		q.rouse(l)
	}
	q.items -= len(entries)
	q.bytes -= bytes
	if q.roomy != nil && q.items <= q.maxItems/4*3 && q.bytes <= q.maxBytes/4*3 {
		close(q.roomy)
		q.roomy = nil
	}
}

// room returns the reason for which put would refuse now, or "" if put would accept. If the queue is full, it also returns a
// channel that is closed when this may have changed. A queue that was full has room again when a quarter of it is free.
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

// refuse makes put refuse for the given reason; "" makes it accept again.
func (q *queue) refuse(reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refusing != refusedStopping { // stopping is permanent
		q.refusing = reason
	}
	if q.roomy != nil {
		close(q.roomy)
		q.roomy = nil
	}
	for i := range q.lanes {
		wait.Wake(q.lanes[i].wake)
	}
	wait.Wake(q.express)
}

// admit makes put accept again, unless the queue is stopping.
func (q *queue) admit() { q.refuse("") }

// depth returns the number of items, and of their bytes, that are accepted and not released.
func (q *queue) depth() (items, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.items, q.bytes
}

// oldest returns the time of receipt of the oldest item that is accepted and not released; it returns zero if there is none.
func (q *queue) oldest() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	var oldest time.Time
	for _, f := range q.flows {
		at := f.taken
		if !f.busy {
			at = f.waiting[f.head].received() // a flow that is not busy has at least one item
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

// waits returns the number of items of a lane that no committer has taken. It returns 0 for the express, which has no lane.
func (q *queue) waits(at int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if at == len(q.lanes) {
		return 0
	}
	return q.lanes[at].waiting
}

// stopping reports whether refuse(refusedStopping) was called.
func (q *queue) stopping() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.refusing == refusedStopping
}

// refusal returns the error that the publisher gets for a refusal reason.
func refusal(reason string) error {
	switch reason {
	case refusedFull:
		return fault.Wrap(fault.Unavailable, errFull, "more is arriving than can be stored")
	case refusedAway:
		return fault.New(fault.Unavailable, "the database is away")
	default:
		return fault.New(fault.Unavailable, "the server is stopping")
	}
}
