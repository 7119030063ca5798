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
	rows    int   // that it adds to a batch, about
	place   int64 // in the order of arrival
	flow    *flow // the queue's
}

// itemOverhead is what an item costs in memory beside its bytes, roughly.
const itemOverhead = 256

func (it item) size() int { return len(it.message.Raw) + len(it.message.Subject) + itemOverhead }

// The reasons for which a message is refused before it is queued.
const (
	refusedFull     = "queue-full"
	refusedAway     = "database-away"
	refusedStopping = "stopping"
)

// bulkRows is how many rows a device may have waiting and still be served as one that sends little.
const bulkRows = 256

// class is how a device is served, by how much it has waiting.
type class int

// The classes: all of a light device is taken at its turn, and no more than its share of a bulk one.
const (
	light class = iota
	bulk
	classes
)

// flow is what one device has accepted and not released, in its order. While it is with a committer nobody else takes
// of it, so no two committers ever write the same datastream.
type flow struct {
	device  string
	home    int // its lane
	waiting []item
	head    int
	rows    int       // that wait
	busy    bool      // it is with a committer
	taken   time.Time // when the oldest item that the committer has was received
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
			f.waiting = nil // let go of what a flood has grown
		}
		f.waiting, f.head = f.waiting[:0], 0
	case f.head > 1024 && f.head*2 > len(f.waiting):
		n := copy(f.waiting, f.waiting[f.head:])
		clear(f.waiting[n:])
		f.waiting, f.head = f.waiting[:n], 0
	}
	return it
}

// queue holds what was accepted, and gives it out by turns: the devices of a lane one after the other, so that one with
// much to store does not hold up those behind it. Each committer has a lane of its own; one more, the express, takes the
// light devices of a lane while its committer stores what bulk ones have sent. The queue is bounded by count and by bytes,
// over all lanes and until the commit, and never blocks who puts.
type queue struct {
	maxItems, maxBytes int
	seed               maphash.Seed

	mu       sync.Mutex
	flows    map[string]*flow // by device
	spare    []*flow          // to be used again
	lanes    []lane
	express  chan struct{} // wakes the one that takes from all lanes
	arrived  int64         // items so far
	items    int           // accepted and not released
	bytes    int           // of those
	refusing string        // one of the reasons; empty: taking
	roomy    chan struct{}
}

// lane is the part of the queue that one committer empties.
type lane struct {
	turns   [classes]laneTurns
	waiting int           // items that nobody has taken
	last    class         // what its committer took last
	busy    bool          // it has not released that
	wake    chan struct{} // something came, or the end did
}

// inBulk reports whether the lane's committer is busy with what bulk devices have sent.
func (l *lane) inBulk() bool { return l.busy && l.last == bulk }

// turns are the flows of a class that wait, in the order in which they are served.
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

// put appends, or gives the reason why not.
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
	if !f.busy { // else its turn comes when it is released
		if first {
			l.turns[f.class()].push(f)
		}
		q.rouse(l)
	}
	return ""
}

// maxSpare is how many flows are kept to be used again.
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

// rouse wakes who may take from a lane.
func (q *queue) rouse(l *lane) {
	wait.Wake(l.wake)
	if l.inBulk() && l.turns[light].len() > 0 {
		wait.Wake(q.express)
	}
}

// wake returns what a committer waits for; the one after the lanes' is the express.
func (q *queue) wake(at int) <-chan struct{} {
	if at == len(q.lanes) {
		return q.express
	}
	return q.lanes[at].wake
}

// take returns a committer's next items, of about so many rows. They count as waiting until they are released. A lane's
// committer serves the two classes by turns, the express the light devices of lanes that are in bulk.
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

// takeLight takes what light devices have; one that has become bulk while it waited goes to the others.
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

// takeBulk takes of each bulk device its share of the rows.
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

// serve takes items of a flow, one at least, until they have so many rows.
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

// drain returns everything of a lane that nobody has taken, in the order of each device.
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

// forget drops a flow that has nothing.
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

// release gives back the room of entries that a committer took: all of them are answered. What their devices have sent
// meanwhile is next.
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
		if f == nil || !f.busy { // it had several
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

// room returns the reason why put would refuse now, empty when it would not, and a channel that is
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
		wait.Wake(q.lanes[i].wake)
	}
	wait.Wake(q.express)
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
	for _, f := range q.flows {
		at := f.taken
		if !f.busy {
			at = f.waiting[f.head].received() // one that is with nobody has something
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

// waits is how many items of a lane nobody has taken. The express has none of its own.
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

// refusal is the error that a reason is for who publishes.
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
