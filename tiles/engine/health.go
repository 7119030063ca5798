package engine

import (
	"cmp"
	"slices"
	"time"

	"onemap/internal/core"
	"onemap/tiles"
)

// undrawnListed is how many features of a layer that are not shown are named; all are counted.
const undrawnListed = 100

// Layers tells how each layer that the scope may know of is doing, by name. Features, and those that are
// not shown, are counted as far as the scope covers them.
func (e *Engine) Layers(s core.Scope) []tiles.LayerState {
	kept := map[int32]int{}
	e.countKept(kept)
	e.mu.RLock()
	all := make([]*layer, 0, len(e.byID))
	for _, l := range e.byID {
		all = append(all, l)
	}
	e.mu.RUnlock()
	out := make([]tiles.LayerState, 0, len(all))
	for _, l := range all {
		if l.spec.Load().Audience.Admits(s) {
			state := l.state(s)
			state.TilesCached = kept[int32(l.id)]
			out = append(out, state)
		}
	}
	slices.SortFunc(out, func(a, b tiles.LayerState) int { return cmp.Compare(a.Layer, b.Layer) })
	return out
}

// countKept counts the parts in the cache by layer.
func (e *Engine) countKept(kept map[int32]int) {
	if e.blobs == nil {
		return
	}
	for k := range e.blobs.Keys() {
		kept[k.layer]++
	}
}

// state describes one layer to a reader. Of a layer by division only what the reader may see is counted.
func (l *layer) state(s core.Scope) tiles.LayerState {
	l.mu.RLock()
	defer l.mu.RUnlock()
	spec := l.spec.Load()
	state := tiles.LayerState{
		Layer: spec.Name, Title: spec.Title, Source: l.place.String(), Features: spec.Count,
		LoadedAt: whenSet(l.facts.loadedAt), LoadSeconds: l.facts.loadTook.Seconds(), LastChange: whenSet(l.facts.lastChange),
		Changes: l.facts.changes, LagSeconds: l.facts.lag.Seconds(), Thinned: l.thinned.Load(), Rules: spec.Rules,
		Undrawn: []tiles.Undrawn{},
	}
	if l.mem == nil {
		return state
	}
	stats := l.mem.Stats()
	covers := func(division string) bool { return !byDivision(spec) || s.Covers(division) }
	state.Features, state.Vertices, state.Bytes = l.mem.Count(covers), stats.Vertices, stats.Bytes
	list, count := l.mem.Undrawn(covers, undrawnListed)
	state.UndrawnCount = count
	state.Undrawn = append(state.Undrawn, list...)
	return state
}

// whenSet returns nil for the zero time, which JSON then leaves out.
func whenSet(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// State tells how the engine is doing.
func (e *Engine) State() tiles.EngineState {
	h := e.Health()
	return tiles.EngineState{
		Feed:  tiles.FeedState{OK: h.OK, AgeSeconds: e.feedAge().Seconds(), Detail: h.Detail, Code: h.Code, Params: h.Params},
		Cache: tiles.CacheState{Bytes: e.cacheBytes(), MaxBytes: max(e.o.CacheBytes, 0), Hits: e.hits.Load(), Misses: e.misses.Load()},
	}
}

// cacheBytes returns what both caches hold.
func (e *Engine) cacheBytes() int64 {
	if e.blobs == nil {
		return 0
	}
	return int64(e.blobs.WeightedSize() + e.answers.WeightedSize())
}
