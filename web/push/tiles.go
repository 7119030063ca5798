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
	// maxStagedRanges bounds what waits for the next flush; past it ranges are made coarser.
	maxStagedRanges = 1 << 16
	// tileFlushes is how many flushes are remembered: 6 s of constant edits. A client that is further
	// behind is told that every tile may have changed.
	tileFlushes = 32
	// maxHeldRanges bounds the ranges of all of them.
	maxHeldRanges = 1 << 16
)

// tileFeed tells clients which tiles have changed. Like events and state it queues nothing for a
// client: a client is the number of the last flush that it knows of, and what it needs is the union
// of those since.
//
// It has nothing to do with the event log, and outlives a restart of it: numbers only grow, and
// whoever comes back begins at the newest.
type tileFeed struct {
	metrics *metrics
	due     chan struct{} // something is staged

	staging sync.Mutex
	staged  map[noticeKey]*tiles.Notice
	all     bool // everything may have changed: nothing else needs to be staged
	ranges  int  // staged

	mu      sync.Mutex
	head    uint64 // the newest flush; 0: none yet
	at      time.Time
	flushes []tileFlush // oldest first
	held    int         // ranges in them
	// forgotten is the newest flush that is not held any more, of those that a scope could see: a
	// client for whom only others' changes were forgotten has missed nothing.
	forgotten map[core.Scope]uint64
	frames    map[tileFrameKey]*message
}

// tileFlush is what one flush has shown.
type tileFlush struct {
	seq     uint64
	notices []tiles.Notice
	seen    map[core.Scope]bool // the scopes with clients that may learn of something in it
}

// noticeKey tells notices apart that not the same people may see.
type noticeKey struct {
	layer, audience, division string
	whole                     bool
}

// tileFrameKey is a scope, and the first flush that the frame tells of; 0: of every tile.
type tileFrameKey struct {
	scope core.Scope
	first uint64
}

func newTileFeed(m *metrics) *tileFeed {
	return &tileFeed{
		metrics: m, due: make(chan struct{}, 1), staged: make(map[noticeKey]*tiles.Notice),
		forgotten: make(map[core.Scope]uint64), frames: make(map[tileFrameKey]*message),
	}
}

// TilesChanged tells the clients of this node that tiles are not what they were. The tiles that the
// node serves must be the new ones already. Notices are gathered for Options.CoalesceTiles and merged;
// each client is told of what its scope may know. It never blocks on a client, and keeps nothing of
// the notices' slices. Before Run and after it, it does no harm.
func (h *Hub) TilesChanged(notices []tiles.Notice) {
	if len(notices) == 0 {
		return
	}
	h.metrics.tileNotices.Add(float64(len(notices)))
	h.tiles.stage(notices)
}

// flushTiles shows what was staged: CoalesceTiles after the first notice.
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

// showTiles flushes once, and wakes those whom it concerns. What no client may see is not kept: one
// that comes later fetches its tiles after its welcome.
func (h *Hub) showTiles() {
	notices := h.tiles.take()
	h.mu.RLock() // nobody is welcomed between the look at the scopes and the flush
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

// stage takes notices for the next flush.
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

func (t *tileFeed) stageAll() {
	t.all, t.ranges = true, 0
	clear(t.staged)
}

// keyOf leaves out of a notice what does not decide who may see it.
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

// compact makes what is staged smaller; when there are so many kinds of notices that it does not help,
// everything may have changed.
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

// unite merges the ranges of a notice that has some.
func (t *tileFeed) unite(n *tiles.Notice) {
	if n.Ranges == nil {
		return
	}
	var coarsened int
	n.Ranges, coarsened = unite(n.Ranges)
	t.metrics.tileCoarsened.Add(float64(coarsened))
}

// take returns what was staged, merged, and begins anew.
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

// push remembers a flush and lets go of the oldest beyond the bounds.
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

func rangesIn(notices []tiles.Notice) (n int) {
	for _, notice := range notices {
		n += len(notice.Ranges)
	}
	return n
}

// position is the newest flush.
func (t *tileFeed) position() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head
}

// since returns one frame with everything visible that was flushed after a client's position, nil when
// there is nothing, and the position that the client has then. Clients of one scope that missed the
// same share the frame.
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

// build makes the frame of all flushes from the key's first one on.
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

// gather adds a notice to what is known of its layer; all of a layer holds every range of it.
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
