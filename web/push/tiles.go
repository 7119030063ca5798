package push

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"onemap/internal/core"
	"onemap/internal/wait"
	"onemap/tiles"
)

const (
	// maxStagedRanges is the largest number of ranges that wait for the next flush. Above it, ranges are merged into
	// coarser ones.
	maxStagedRanges = 1 << 16
	// tileFlushes is the number of flushes kept in memory: 6 s of constant edits. A client that is further behind
	// receives a frame with all = true, which means that every tile may have changed.
	tileFlushes = 32
	// maxHeldRanges is the largest total number of ranges in the kept flushes.
	maxHeldRanges = 1 << 16
)

// tileFeed publishes the list of changed tiles to clients. Like events and state, it keeps no queue per client: the
// hub keeps the number of the last flush that a client has, and the next frame is the union of all later flushes.
//
// It does not depend on the event log and continues when the log is reset: flush numbers only increase, and a client
// that reconnects starts at the newest flush.
type tileFeed struct {
	metrics *metrics
	due     chan struct{} // signals that something is staged

	staging sync.Mutex
	staged  map[noticeKey]*tiles.Notice
	all     bool // every tile may have changed, so nothing else needs to be staged
	ranges  int  // number of staged ranges

	mu      sync.Mutex
	head    uint64 // number of the newest flush; 0: no flush yet
	at      time.Time
	flushes []tileFlush // oldest first
	held    int         // number of ranges in flushes
	// forgotten is, for each scope, the newest evicted flush that was visible to the scope. A client missed nothing
	// when the evicted flushes were visible to other scopes only.
	forgotten map[core.Scope]uint64
	frames    map[tileFrameKey]*message
}

// tileFlush is the result of one flush.
type tileFlush struct {
	seq     uint64
	notices []tiles.Notice
	seen    map[core.Scope]bool // the scopes with connected clients that may see at least one notice
}

// noticeKey groups notices that are visible to the same clients.
type noticeKey struct {
	layer, audience, division string
	whole                     bool
}

// tileFrameKey is a scope and the first flush that the frame contains; 0: the frame covers every tile.
type tileFrameKey struct {
	scope core.Scope
	first uint64
}

// newTileFeed returns a feed without flushes.
func newTileFeed(m *metrics) *tileFeed {
	return &tileFeed{
		metrics: m, due: make(chan struct{}, 1), staged: make(map[noticeKey]*tiles.Notice),
		forgotten: make(map[core.Scope]uint64), frames: make(map[tileFrameKey]*message),
	}
}

// TilesChanged notifies the clients of this node that tiles have changed. The node must already serve the new tiles.
// Notices are collected for Options.CoalesceTiles and merged; each client receives only what its scope may see.
// TilesChanged never blocks on a client and does not keep the slices of the notices. A call before Run or after it
// is safe.
func (h *Hub) TilesChanged(notices []tiles.Notice) {
	if len(notices) == 0 {
		return
	}
	h.metrics.tileNotices.Add(float64(len(notices)))
	h.tiles.stage(notices)
}

// flushTiles publishes the staged notices CoalesceTiles after the first one.
func (h *Hub) flushTiles(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.tiles.due:
		}
		wait.For(ctx, h.o.CoalesceTiles)
		if ctx.Err() != nil {
			return
		}
		h.showTiles()
	}
}

// showTiles does one flush and wakes the clients that may see part of it. A flush that no connected client may see is
// not kept: a client that connects later fetches its tiles after its welcome.
func (h *Hub) showTiles() {
	notices := h.tiles.take()
	h.mu.RLock() // no client can join between reading the scopes and the flush
	defer h.mu.RUnlock()
	seen := make(map[core.Scope]bool)
	for scope := range h.classes {
		if slices.ContainsFunc(notices, func(n tiles.Notice) bool { return n.VisibleTo(scope) }) {
			seen[scope] = true
		}
	}
	if len(seen) == 0 {
		return
	}
	h.tiles.push(notices, seen, h.now())
	for scope := range seen {
		for c := range h.classes[scope].members {
			c.wake()
		}
	}
}

// stage adds notices to the next flush.
func (t *tileFeed) stage(notices []tiles.Notice) {
	t.staging.Lock()
	defer t.staging.Unlock()
	idle := !t.all && len(t.staged) == 0
	for _, n := range notices {
		t.stageOne(n)
	}
	if t.ranges > maxStagedRanges {
		t.compact()
	}
	if idle && (t.all || len(t.staged) > 0) {
		wait.Wake(t.due)
	}
}

// stageOne adds one notice to those of its group. A notice without a layer means every tile. The caller holds staging.
func (t *tileFeed) stageOne(n tiles.Notice) {
	switch {
	case t.all || n.Ranges != nil && len(n.Ranges) == 0:
		return
	case n.Layer == "":
		t.stageAll()
		return
	}
	key := keyOf(n)
	merged := t.staged[key]
	if merged == nil {
		merged = &tiles.Notice{Layer: n.Layer, Audience: n.Audience, Division: key.division}
		merged.Audience.Roles = slices.Clone(n.Audience.Roles)
		t.staged[key] = merged
	}
	merged.Ranges = append(merged.Ranges, n.Ranges...)
	t.ranges += len(n.Ranges)
}

// stageAll replaces the staged notices by "every tile may have changed". The caller holds staging.
func (t *tileFeed) stageAll() {
	t.all, t.ranges = true, 0
	clear(t.staged)
}

// keyOf returns the key of a notice: only the fields that decide who may see it.
func keyOf(n tiles.Notice) noticeKey {
	key := noticeKey{layer: n.Layer, audience: string(n.Audience.Kind), whole: n.Ranges == nil}
	switch {
	case n.Audience.Kind == core.AudienceDivision && !key.whole:
		key.division = n.Division
	case n.Audience.Kind == core.AudienceRoles:
		for _, r := range n.Audience.Roles {
			key.audience += " " + string(r)
		}
	}
	return key
}

// compact merges the staged ranges. If more than half of maxStagedRanges remain, because there are too many groups of
// notices, it replaces them with "everything may have changed".
func (t *tileFeed) compact() {
	t.ranges = 0
	for _, n := range t.staged {
		t.unite(n)
		t.ranges += len(n.Ranges)
	}
	if t.ranges > maxStagedRanges/2 {
		t.metrics.tileCoarsened.Add(float64(t.ranges))
		t.stageAll()
	}
}

// unite merges the ranges of a notice. A notice without ranges (nil) covers the whole layer and does not change.
func (t *tileFeed) unite(n *tiles.Notice) {
	if n.Ranges == nil {
		return
	}
	var coarsened int
	n.Ranges, coarsened = unite(n.Ranges)
	t.metrics.tileCoarsened.Add(float64(coarsened))
}

// take returns the staged notices, merged, and empties the stage.
func (t *tileFeed) take() []tiles.Notice {
	t.staging.Lock()
	staged, all := t.staged, t.all
	t.staged, t.all, t.ranges = make(map[noticeKey]*tiles.Notice), false, 0
	t.staging.Unlock()
	if all {
		return []tiles.Notice{{}}
	}
	notices := make([]tiles.Notice, 0, len(staged))
	for _, n := range staged {
		if t.unite(n); n.Ranges == nil || len(n.Ranges) > 0 {
			notices = append(notices, *n)
		}
	}
	return notices
}

// push keeps a flush and evicts the oldest ones above the limits.
func (t *tileFeed) push(notices []tiles.Notice, seen map[core.Scope]bool, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.head++
	t.at = at
	t.flushes = append(t.flushes, tileFlush{t.head, notices, seen})
	t.held += rangesIn(notices)
	for len(t.flushes) > 1 && (len(t.flushes) > tileFlushes || t.held > maxHeldRanges) {
		oldest := t.flushes[0]
		t.held -= rangesIn(oldest.notices)
		for scope := range oldest.seen {
			t.forgotten[scope] = oldest.seq
		}
		t.flushes = slices.Delete(t.flushes, 0, 1)
	}
	clear(t.frames)
}

// rangesIn returns the number of ranges in the notices.
func rangesIn(notices []tiles.Notice) (n int) {
	for _, notice := range notices {
		n += len(notice.Ranges)
	}
	return n
}

// position returns the number of the newest flush.
func (t *tileFeed) position() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head
}

// since returns one frame with everything visible that was flushed after a client's position, and the client's new
// position. The frame is nil when nothing visible was flushed. Clients of one scope that missed the same flushes share
// the frame.
func (t *tileFeed) since(s core.Scope, from uint64) (msg *message, to uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if from >= t.head {
		return nil, from
	}
	key := tileFrameKey{scope: s}
	if from < t.forgotten[s] {
		t.metrics.tileBehind.Inc()
	} else {
		i := slices.IndexFunc(t.flushes, func(f tileFlush) bool { return f.seq > from && f.seen[s] })
		if i < 0 {
			return nil, t.head
		}
		key.first = t.flushes[i].seq
	}
	msg, ok := t.frames[key]
	if !ok {
		msg = must(marshalMessage(typeTiles, t.build(key)))
		t.frames[key] = msg
	}
	return msg, t.head
}

// build returns the frame of all flushes from key.first on.
func (t *tileFeed) build(key tileFrameKey) tilesFrame {
	everything := tilesFrame{Type: typeTiles, At: t.at.UTC(), All: true, Layers: []layerTiles{}}
	if key.first == 0 {
		return everything
	}
	changed := make(map[string]*tiles.Notice)
	for _, f := range t.flushes {
		if f.seq < key.first || !f.seen[key.scope] {
			continue
		}
		for _, n := range f.notices {
			switch {
			case !n.VisibleTo(key.scope):
				continue
			case n.Layer == "":
				return everything
			}
			gather(changed, n)
		}
	}
	frame := tilesFrame{Type: typeTiles, At: t.at.UTC(), Layers: make([]layerTiles, 0, len(changed))}
	for _, name := range slices.SortedFunc(maps.Keys(changed), strings.Compare) {
		n := changed[name]
		t.unite(n)
		frame.Layers = append(frame.Layers, layerTilesOf(*n))
	}
	return frame
}

// gather merges a notice into the entry of its layer. Nil ranges mean the whole layer, which includes every range.
func gather(changed map[string]*tiles.Notice, n tiles.Notice) {
	known := changed[n.Layer]
	switch {
	case known == nil:
		changed[n.Layer] = &tiles.Notice{Layer: n.Layer, Ranges: slices.Clone(n.Ranges)}
	case known.Ranges == nil || n.Ranges == nil:
		known.Ranges = nil
	default:
		known.Ranges = append(known.Ranges, n.Ranges...)
	}
}
