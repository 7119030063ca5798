package push

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sort"
	"sync"
	"time"

	"onemap/internal/core"
	"onemap/sensors"
)

// readingsPerFrame is the largest number of readings in one state frame. More readings are split into several frames.
const readingsPerFrame = 2000

// historyTicks is the number of ticks kept separately. For a client that is further behind, the changes are found by a
// scan of the whole state.
const historyTicks = 128

// live is the newest reading of every datastream and the newest status of every device, each with the batch that
// brought it. The hub keeps one batch mark per client and sends everything newer once. So the state for a slow client
// is merged automatically, and nothing is queued for it.
type live struct {
	where Directory

	mu      sync.Mutex
	begun   bool
	floor   core.Mark   // the batch at which the state began; older batches are unknown
	applied core.Mark   // all batches up to it are applied; the newest may still be staged
	flushed core.Mark   // all batches up to it are published
	marks   []core.Mark // marks of the newest batches, oldest first; at the beginning it contains the floor
	at      time.Time

	readings map[int64]*liveReading
	devices  map[string]*liveDevice
	staged   delta
	history  []tick // oldest first
	frames   map[frameKey][]*message
}

// liveReading is a datastream's newest reading.
type liveReading struct {
	readingFrame
	division string
	batch    int64
}

// liveDevice is a device's newest status and when it last published.
type liveDevice struct {
	id, division string
	status       *sensors.Status
	statusBatch  int64
	seen         time.Time
	seenBatch    int64
}

// delta is the newest reading, status and time of each datastream and device in the batches since the last tick.
type delta struct {
	readings map[int64]readingFrame
	status   map[string]sensors.Status
	seen     map[string]time.Time
}

// newDelta returns an empty delta.
func newDelta() delta {
	return delta{make(map[int64]readingFrame), make(map[string]sensors.Status), make(map[string]time.Time)}
}

// tick is the set of changes of one flush.
type tick struct {
	from, to core.Mark // the flush moved the state from batch from to batch to
	readings []*liveReading
	devices  []*liveDevice
}

// frameKey identifies the frames that clients of one scope at the same batch share.
type frameKey struct {
	scope core.Scope
	from  core.Mark
}

// newLive returns an empty state. where may be nil; every device is then unknown.
func newLive(where Directory) *live {
	l := &live{where: where}
	l.reset()
	return l
}

// reset drops the whole state.
func (l *live) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
}

// clear drops the whole state. The caller holds the lock.
func (l *live) clear() {
	l.begun, l.marks = false, nil
	l.readings, l.devices = make(map[int64]*liveReading), make(map[string]*liveDevice)
	l.staged, l.history = newDelta(), nil
	l.frames = make(map[frameKey][]*message)
}

// begin resets the state and starts after a batch.
func (l *live) begin(batch core.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	l.begun, l.floor, l.applied, l.flushed, l.marks = true, batch, batch, batch, []core.Mark{batch}
}

// position returns the newest applied batch; begun is false before begin.
func (l *live) position() (batch core.Mark, begun bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.applied, l.begun
}

// resume returns the batch after which a client's state continues, and whether it continues without a gap.
//
// A client that takes a snapshot (recovered is false) needs only what is newer than the flushed batch. A client of the
// same log that names a batch continues from it if this node knows everything since. In all other cases the client
// receives everything that this node knows, with a gap.
func (l *live) resume(batch *core.Mark, recovered bool) (from core.Mark, continued bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.begun || !recovered:
		return l.flushed, false
	case batch != nil && batch.Seq >= l.floor.Seq:
		return *batch, true
	default:
		return l.floor, false
	}
}

// apply stages the batches that follow after. It does nothing if the state was reset in the meantime.
func (l *live) apply(after core.Mark, batches []sensors.Committed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.begun || l.applied != after {
		return
	}
	for _, b := range batches {
		l.applied = b.Mark()
		l.remember(l.applied)
		for _, o := range b.Observations {
			l.stage(o)
		}
		for _, s := range b.Statuses {
			if old, ok := l.staged.status[s.DeviceID]; encodable(s.At) && (!ok || !s.At.Before(old.At)) {
				l.staged.status[s.DeviceID] = s
			}
		}
	}
}

// marksKept is the number of batches whose ids are kept: about ten minutes of a busy node. remember deletes old marks in
// blocks of this size, so that between marksKept and twice as many are held.
const marksKept = 4096

// remember keeps the mark of an applied batch for idAt.
func (l *live) remember(m core.Mark) {
	if len(l.marks) == 2*marksKept {
		l.marks = slices.Delete(l.marks, 0, marksKept)
	}
	l.marks = append(l.marks, m)
}

// idAt returns the id of the newest batch at or before seq; ok is false if this mark is not kept.
func (l *live) idAt(seq int64) (id string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.begun || seq > l.applied.Seq {
		return "", false
	}
	i := sort.Search(len(l.marks), func(i int) bool { return l.marks[i].Seq > seq })
	if i == 0 {
		return "", false
	}
	return l.marks[i-1].ID, true
}

// stage stages a reading if it is the newest of its datastream since the last tick.
func (l *live) stage(o sensors.Observation) {
	device := ""
	if l.where != nil {
		device, _ = l.where.DeviceOf(o.DatastreamID)
	}
	if device != "" && encodable(o.ReceivedAt) && o.ReceivedAt.After(l.staged.seen[device]) {
		l.staged.seen[device] = o.ReceivedAt.UTC()
	}
	if math.IsNaN(o.Value) || math.IsInf(o.Value, 0) || !encodable(o.Time) {
		return // the value cannot be encoded as JSON; ingest refuses it
	}
	if old, ok := l.staged.readings[o.DatastreamID]; ok && o.Time.Before(old.Time) {
		return
	}
	l.staged.readings[o.DatastreamID] = readingFrame{
		Datastream: o.DatastreamID, Device: device, Time: o.Time.UTC(), Value: o.Value, QC: o.QC, Source: o.TimeSource,
	}
}

// divisionOf returns the division of a device; "" means unknown, which only city-wide scopes cover.
func (l *live) divisionOf(device string) string {
	if l.where == nil || device == "" {
		return ""
	}
	division, _ := l.where.DivisionOf(device)
	return division
}

// flush publishes the staged changes and returns the divisions that they belong to. It returns an empty set if nothing
// has changed.
func (l *live) flush(now time.Time) (divisions map[string]struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.applied == l.flushed {
		return nil
	}
	t := tick{from: l.flushed, to: l.applied}
	divisions = make(map[string]struct{})
	for id, f := range l.staged.readings {
		old := l.readings[id]
		if old != nil && f.Time.Before(old.Time) {
			continue // the reading is late: the published one is newer
		}
		r := &liveReading{readingFrame: f, division: l.divisionOf(f.Device), batch: t.to.Seq}
		l.readings[id] = r
		t.readings = append(t.readings, r)
		divisions[r.division] = struct{}{}
	}
	t.devices = l.flushDevices(t.to.Seq, divisions)
	l.staged = newDelta()
	l.flushed, l.at = t.to, now
	// The frames end at the batch flushed before, so they are out of date.
	clear(l.frames)
	if len(l.history) == historyTicks {
		l.history = slices.Delete(l.history, 0, 1)
	}
	l.history = append(l.history, t)
	return divisions
}

// flushDevices publishes the staged statuses and times, and returns the changed devices. It adds their divisions to
// divisions. The caller holds the lock.
func (l *live) flushDevices(batch int64, divisions map[string]struct{}) []*liveDevice {
	touched := make(map[string]*liveDevice)
	touch := func(id string) *liveDevice {
		d := l.devices[id]
		if d == nil {
			d = &liveDevice{id: id}
			l.devices[id] = d
		}
		d.division = l.divisionOf(id)
		touched[id] = d
		divisions[d.division] = struct{}{}
		return d
	}
	for id, s := range l.staged.status {
		if d := l.devices[id]; d != nil && d.status != nil && s.At.Before(d.status.At) {
			continue
		}
		s.At = s.At.UTC()
		d := touch(id)
		d.status, d.statusBatch = &s, batch
	}
	for id, at := range l.staged.seen {
		if d := l.devices[id]; d == nil || at.After(d.seen) {
			d = touch(id)
			d.seen, d.seenBatch = at, batch
		}
	}
	list := make([]*liveDevice, 0, len(touched))
	for _, d := range touched {
		list = append(list, d)
	}
	return list
}

// since returns the frames with everything visible after a batch, and the batch that the client has after them. Clients
// of one scope at the same batch share the frames.
func (l *live) since(s core.Scope, from core.Mark) (frames []*message, to core.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from.Seq >= l.flushed.Seq {
		return nil, from
	}
	key := frameKey{s, from}
	frames, ok := l.frames[key]
	if !ok {
		for _, f := range l.build(s, from) {
			frames = append(frames, must(marshalMessage(typeState, f)))
		}
		l.frames[key] = frames
	}
	return frames, l.flushed
}

// build returns the frames of the changes after from. In all frames but the last, batch is still from, because the
// client has the whole state only after the last frame.
func (l *live) build(s core.Scope, from core.Mark) []stateFrame {
	readings, status, seen := l.changes(s, from.Seq)
	if len(readings) == 0 && len(status) == 0 && len(seen) == 0 {
		return nil
	}
	slices.SortFunc(readings, func(a, b readingFrame) int { return cmp.Compare(a.Datastream, b.Datastream) })
	var frames []stateFrame
	for len(readings) > readingsPerFrame {
		frames = append(frames, stateFrame{
			Type: typeState, At: l.at.UTC(), Batch: from.Seq, BatchID: from.ID, Readings: readings[:readingsPerFrame], Status: []sensors.Status{},
		})
		readings = readings[readingsPerFrame:]
	}
	return append(frames, stateFrame{
		Type: typeState, At: l.at.UTC(), Batch: l.flushed.Seq, BatchID: l.flushed.ID, Readings: readings, Status: status, Seen: seen,
	})
}

// changes returns the visible changes that are newer than from. It reads the ticks since from if all of them are kept,
// otherwise the whole state.
func (l *live) changes(s core.Scope, from int64) (readings []readingFrame, status []sensors.Status, seen map[string]time.Time) {
	readings, status, seen = []readingFrame{}, []sensors.Status{}, make(map[string]time.Time)
	add := func(d *liveDevice) {
		if !s.Covers(d.division) {
			return
		}
		if d.status != nil && d.statusBatch > from {
			status = append(status, *d.status)
		}
		if d.seenBatch > from {
			seen[d.id] = d.seen
		}
	}
	recent := l.ticksAfter(from)
	if recent == nil {
		for _, r := range l.readings {
			if r.batch > from && s.Covers(r.division) {
				readings = append(readings, r.readingFrame)
			}
		}
		for _, d := range l.devices {
			add(d)
		}
		return readings, status, seen
	}
	once := make(map[string]bool)
	for _, t := range recent {
		for _, r := range t.readings {
			if l.readings[r.Datastream] == r && s.Covers(r.division) {
				readings = append(readings, r.readingFrame)
			}
		}
		for _, d := range t.devices {
			if !once[d.id] {
				once[d.id] = true
				add(d)
			}
		}
	}
	return readings, status, seen
}

// ticksAfter returns the ticks after a batch, which must be older than the newest one. It returns nil if not all of
// these ticks are kept.
func (l *live) ticksAfter(from int64) []tick {
	if len(l.history) == 0 || from < l.history[0].from.Seq {
		return nil
	}
	i := slices.IndexFunc(l.history, func(t tick) bool { return t.to.Seq > from })
	return l.history[i:]
}

// flushState publishes the live state every Coalesce and wakes the clients that may see a change.
func (h *Hub) flushState(ctx context.Context) {
	tick := time.NewTicker(h.o.Coalesce)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		divisions := h.live.flush(h.now())
		if len(divisions) == 0 {
			continue
		}
		h.mu.RLock()
		for scope, cl := range h.classes {
			for d := range divisions {
				if scope.Covers(d) {
					for c := range cl.members {
						c.wake()
					}
					break
				}
			}
		}
		h.mu.RUnlock()
	}
}
