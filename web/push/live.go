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

// readingsPerFrame bounds one state frame; what is more goes into several.
const readingsPerFrame = 2000

// historyTicks is how many ticks are remembered one by one. Who is further behind is given what it
// needs by going through everything.
const historyTicks = 128

// live is the newest reading of every datastream and the newest status of every device, each with
// the batch that brought it. A client is a batch number: what it needs is everything newer, once.
// So a slow client's state is merged by itself, and nothing is queued for it.
type live struct {
	where Directory

	mu      sync.Mutex
	begun   bool
	floor   core.Mark   // the batch at which it began: it knows nothing of older ones
	applied core.Mark   // everything up to it is held, some of it staged
	flushed core.Mark   // everything up to it is shown
	marks   []core.Mark // of the newest batches, oldest first; the floor is among them at the beginning
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

// delta is what the batches since the last tick have brought, the newest of each.
type delta struct {
	readings map[int64]readingFrame
	status   map[string]sensors.Status
	seen     map[string]time.Time
}

func newDelta() delta {
	return delta{make(map[int64]readingFrame), make(map[string]sensors.Status), make(map[string]time.Time)}
}

// tick is what one flush has changed.
type tick struct {
	from, to core.Mark // it took the state from one batch to the other
	readings []*liveReading
	devices  []*liveDevice
}

type frameKey struct {
	scope core.Scope
	from  core.Mark
}

func newLive(where Directory) *live {
	l := &live{where: where}
	l.reset()
	return l
}

// reset forgets everything.
func (l *live) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
}

func (l *live) clear() {
	l.begun, l.marks = false, nil
	l.readings, l.devices = make(map[int64]*liveReading), make(map[string]*liveDevice)
	l.staged, l.history = newDelta(), nil
	l.frames = make(map[frameKey][]*message)
}

// begin starts anew after a batch.
func (l *live) begin(batch core.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	l.begun, l.floor, l.applied, l.flushed, l.marks = true, batch, batch, batch, []core.Mark{batch}
}

// position is the newest batch that was applied.
func (l *live) position() (batch core.Mark, begun bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.applied, l.begun
}

// resume is the batch from which a client's state goes on, and whether that is without a gap: from the
// one that it names, when everything since is known here and its log is the same (recovered). One
// that names none is given all that this node knows. Who takes a snapshot needs only what comes.
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

// apply stages batches that follow after. It does nothing when the state was started anew meanwhile.
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

// marksKept bounds the batches whose ids are remembered: about ten minutes of a busy node.
const marksKept = 4096

func (l *live) remember(m core.Mark) {
	if len(l.marks) == 2*marksKept {
		l.marks = slices.Delete(l.marks, 0, marksKept)
	}
	l.marks = append(l.marks, m)
}

// idAt returns the id of the newest batch at or before seq; ok is false when that is not remembered.
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

// stage takes a reading when it is the newest of its datastream since the last tick.
func (l *live) stage(o sensors.Observation) {
	device := ""
	if l.where != nil {
		device, _ = l.where.DeviceOf(o.DatastreamID)
	}
	if device != "" && encodable(o.ReceivedAt) && o.ReceivedAt.After(l.staged.seen[device]) {
		l.staged.seen[device] = o.ReceivedAt.UTC()
	}
	if math.IsNaN(o.Value) || math.IsInf(o.Value, 0) || !encodable(o.Time) {
		return // has no JSON; the path in refuses it
	}
	if old, ok := l.staged.readings[o.DatastreamID]; ok && o.Time.Before(old.Time) {
		return
	}
	l.staged.readings[o.DatastreamID] = readingFrame{
		Datastream: o.DatastreamID, Device: device, Time: o.Time.UTC(), Value: o.Value, QC: o.QC, Source: o.TimeSource,
	}
}

func (l *live) divisionOf(device string) string {
	if l.where == nil || device == "" {
		return ""
	}
	division, _ := l.where.DivisionOf(device)
	return division
}

// flush shows what was staged, and lists the divisions that it concerns; none: nothing has changed.
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
			continue // late: what is shown is newer
		}
		r := &liveReading{readingFrame: f, division: l.divisionOf(f.Device), batch: t.to.Seq}
		l.readings[id] = r
		t.readings = append(t.readings, r)
		divisions[r.division] = struct{}{}
	}
	t.devices = l.flushDevices(t.to.Seq, divisions)
	l.staged = newDelta()
	l.flushed, l.at = t.to, now
	clear(l.frames)
	if len(l.history) == historyTicks {
		l.history = slices.Delete(l.history, 0, 1)
	}
	l.history = append(l.history, t)
	return divisions
}

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

// since returns the frames with everything visible that came after a batch, and the batch that a
// client has then. Clients of one scope at the same batch share them.
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

// build makes the frames of what came after from. In all but the last, batch is still from: the
// client has everything only then.
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

// changes collects what is visible and newer than from: out of the ticks since, when they are
// remembered, out of everything else.
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

// ticksAfter returns the ticks after a batch that is older than the newest, nil when not all of them
// are remembered.
func (l *live) ticksAfter(from int64) []tick {
	if len(l.history) == 0 || from < l.history[0].from.Seq {
		return nil
	}
	i := slices.IndexFunc(l.history, func(t tick) bool { return t.to.Seq > from })
	return l.history[i:]
}

// flushState shows the live state every Coalesce and wakes those whom it concerns.
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
