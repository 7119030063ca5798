package engine

import (
	"cmp"
	"slices"
	"time"

	"onemap/internal/core"
	"onemap/tiles"
)

// undrawnListed is the largest number of undrawn features that are listed for a layer. All of them are counted.
const undrawnListed = 100

// Layers returns the state of each layer that the scope may see, sorted by name. It counts the features and the undrawn
// features that the scope covers.
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

// state returns the state of one layer for a scope. In a layer by division it counts only the features that the scope
// covers.
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

// whenSet returns nil for the zero time, so that JSON omits it.
func whenSet(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// State returns the state of the engine: the change feed and the cache.
func (e *Engine) State() tiles.EngineState {
	h := e.Health()
	return tiles.EngineState{
		Feed:  tiles.FeedState{OK: h.OK, AgeSeconds: e.feedAge().Seconds(), Detail: h.Detail, Code: h.Code, Params: h.Params},
		Cache: tiles.CacheState{Bytes: e.cacheBytes(), MaxBytes: max(e.o.CacheBytes, 0), Hits: e.hits.Load(), Misses: e.misses.Load()},
	}
}

// cacheBytes returns the weight of both caches in bytes.
func (e *Engine) cacheBytes() int64 {
	if e.blobs == nil {
		return 0
	}
	return int64(e.blobs.WeightedSize() + e.answers.WeightedSize())
}
