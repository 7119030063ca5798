package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"onemap/internal/core"
	"onemap/internal/wait"
	"onemap/tiles"
	"onemap/tiles/memory"
	"onemap/tiles/shape"
)

// cycle loads every layer and follows the change feed until ctx ends. It returns an error if the load fails or the feed
// is lost.
func (e *Engine) cycle(ctx context.Context) error {
	// Contract "the change feed is complete": the mark is a snapshot, and the feed returns what is visible now and was
	// not visible then.
	// The mark is read before the layers. The feed then repeats the changes that happen during the load, so no change is
	// missed.
	mark, err := e.parts.Feed.Mark(ctx)
	if err != nil {
		return fmt.Errorf("find the place in the change feed: %w", err)
	}
	e.feedAt.Store(e.now().UnixNano())
	specs, err := e.parts.Loader.Specs(ctx)
	if err != nil {
		return fmt.Errorf("read the catalogue: %w", err)
	}
	fresh := e.adopt(specs)
	for i, l := range fresh {
		if err := e.loadNow(ctx, l, nthOf{i + 1, len(fresh)}); err != nil {
			return err
		}
	}
	e.ready.Store(true)
	e.log.InfoContext(ctx, "the layers are loaded", slog.Int("layers", len(specs)))
	e.notify([]tiles.Notice{{}})
	for ctx.Err() == nil {
		next, err := e.step(ctx, mark)
		switch {
		case err == nil:
			mark = next
			e.feedAt.Store(e.now().UnixNano())
		case errors.Is(err, tiles.ErrFeedLost):
			return err
		case ctx.Err() == nil:
			e.log.WarnContext(ctx, "the change feed cannot be read", slog.Any("error", err))
			wait.For(ctx, 250*time.Millisecond)
		}
		e.await(ctx)
	}
	return nil
}

// await waits until the feed may have new changes: at least Gather, and then at most Poll.
func (e *Engine) await(ctx context.Context) {
	wait.For(ctx, e.o.Gather)
	waitCtx, cancel := context.WithTimeout(ctx, e.o.Poll)
	defer cancel()
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		if err := e.parts.Feed.Notified(waitCtx); err != nil {
			<-waitCtx.Done() // the database is not available; the wait prevents a busy loop
		}
	}()
	select {
	case done := <-e.loaded:
		cancel()
		<-woken
		e.finishLoad(ctx, done)
	case <-woken:
	}
}

// step reads the feed once, applies the changes and returns the next mark. It returns the old mark if the read fails.
func (e *Engine) step(ctx context.Context, mark tiles.Mark) (tiles.Mark, error) {
	b := batch{}
	next, err := e.parts.Feed.Since(ctx, mark, func(c tiles.Chunk) error {
		b.add(c)
		if b.size < applyAtOnce {
			return nil
		}
		full := b
		b = batch{}
		return e.apply(ctx, full)
	})
	if err != nil {
		return mark, err
	}
	return next, e.apply(ctx, b)
}

// applyAtOnce is the number of changed features that are applied under one lock. It bounds the time for which requests
// wait for the lock, and the memory of a batch.
const applyAtOnce = 5000

// batch holds the changes that are applied together.
type batch struct {
	layers  map[int]*changes
	entries bool
	size    int
}

// changes holds the changes of one layer.
type changes struct {
	ids    map[int64]struct{}
	places []memory.Extent // the old and the new places, from the feed
	whole  bool            // the whole layer must be loaded again
	since  time.Time       // when the oldest change was written
}

// add adds one chunk of the feed to the batch. A change has an old and a new place of the feature; the tiles at both
// places are out of date.
func (b *batch) add(c tiles.Chunk) {
	b.entries = b.entries || c.Entry
	if !c.Whole && len(c.Changes) == 0 {
		return
	}
	if b.layers == nil {
		b.layers = map[int]*changes{}
	}
	l := b.layers[c.Layer]
	if l == nil {
		l = &changes{ids: map[int64]struct{}{}, since: c.At}
		b.layers[c.Layer] = l
	}
	l.whole = l.whole || c.Whole
	for _, f := range c.Changes {
		l.ids[f.ID] = struct{}{}
		for _, p := range []struct {
			box      tiles.Box
			division string
		}{{f.Old, f.OldDivision}, {f.New, f.NewDivision}} {
			if box, ok := worldBox(p.box); ok {
				l.places = append(l.places, memory.Extent{Box: box, Division: p.division})
			}
		}
	}
	b.size += len(c.Changes)
}

// apply applies a batch to the layers. It applies changes of features before changes of the catalogue: the features of
// a new layer are read when that layer is loaded.
func (e *Engine) apply(ctx context.Context, b batch) error {
	for _, id := range slices.Sorted(maps.Keys(b.layers)) {
		e.mu.RLock()
		l := e.byID[id]
		e.mu.RUnlock()
		if l == nil {
			continue // the entry of the layer is later in the batch, or was deleted
		}
		if err := e.applyTo(ctx, l, b.layers[id]); err != nil {
			return err
		}
	}
	if !b.entries {
		return nil
	}
	specs, err := e.parts.Loader.Specs(ctx)
	if err != nil {
		return fmt.Errorf("read the catalogue: %w", err)
	}
	for _, l := range e.adopt(specs) {
		e.loadLater(ctx, l)
	}
	return nil
}

// applyTo applies changes to one layer, drops the tiles that are out of date, and sends the notices.
func (e *Engine) applyTo(ctx context.Context, l *layer, c *changes) error {
	if c.whole {
		e.unload(l)
		e.loadLater(ctx, l)
		return nil
	}
	items, err := e.fetch(ctx, l, slices.Sorted(maps.Keys(c.ids)))
	if err != nil {
		return err
	}
	// The tiles at the feed's places and at the layer's own places are dropped. The places can differ: if a feature
	// changed twice, the fetch returns its newest state, and the cached tiles show the state before both changes.
	places := c.places
	l.mu.Lock()
	switch l.place {
	case inMemory:
		moved, err := replace(l.mem, c.ids, items)
		if err != nil {
			e.log.WarnContext(ctx, "the database draws a layer", slog.String("layer", l.spec.Load().Name), slog.Any("error", err))
			l.place, l.mem = inDatabase, nil
			e.dropAll(l)
		}
		places = append(places, moved...)
	case beingLoaded:
		for id := range c.ids {
			l.pending[id] = struct{}{}
		}
	case inDatabase:
	}
	gone := e.drop(l, places)
	l.version.Add(1)
	l.facts.lastChange, l.facts.lag = c.since, max(0, e.now().Sub(c.since))
	l.facts.changes += int64(len(c.ids))
	l.mu.Unlock()
	e.metrics.lag.Observe(max(0, e.now().Sub(c.since).Seconds()))
	e.notify(gone.notices())
	return nil
}

// fetch reads the current state of features, prepared for memory.Layer.Put. The state is never older than the changes
// from the feed. The feed repeats every change that happens after the read. It returns nil if the layer is not in
// memory.
func (e *Engine) fetch(ctx context.Context, l *layer, ids []int64) ([]memory.Item, error) {
	l.mu.RLock()
	mem := l.mem
	l.mu.RUnlock()
	if mem == nil {
		return nil, nil
	}
	items := make([]memory.Item, 0, len(ids))
	var b shape.Builder
	for part := range slices.Chunk(ids, applyAtOnce) {
		err := e.parts.Loader.Fetch(ctx, *l.spec.Load(), part, func(f *tiles.Feature) error {
			items = append(items, mem.Prepare(f, &b))
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read what changed in %s: %w", l.spec.Load().Name, err)
		}
	}
	return items, nil
}

// replace stores the fetched features and deletes the ids that were not fetched. It returns the old and the new places
// of all of them.
func replace(mem *memory.Layer, ids map[int64]struct{}, items []memory.Item) ([]memory.Extent, error) {
	places := make([]memory.Extent, 0, 2*len(ids))
	there := make(map[int64]struct{}, len(items))
	for i := range items {
		was, err := mem.Put(&items[i])
		if err != nil {
			return places, err
		}
		there[items[i].ID()] = struct{}{}
		places = append(places, was...)
	}
	for id := range ids {
		if _, ok := there[id]; ok {
			continue
		}
		if was, ok := mem.Delete(id); ok {
			places = append(places, was)
		}
	}
	return places, nil
}

// worldBox converts a box of degrees to world coordinates and adds 2 units on each side, for rounding. It returns false
// for an empty box.
func worldBox(b tiles.Box) (shape.Box, bool) {
	if !(b[0] <= b[2] && b[1] <= b[3]) { // also true for NaN, which means no box
		return shape.Box{}, false
	}
	x0, y0 := shape.Project(clampLonLat(b[0], b[3]))
	x1, y1 := shape.Project(clampLonLat(b[2], b[1]))
	return shape.Box{X0: x0 - min(x0, 2), Y0: y0 - min(y0, 2), X1: x1 + min(^x1, 2), Y1: y1 + min(^y1, 2)}, true
}

// byDivision reports whether the division of each feature decides who may see it.
func byDivision(s *tiles.Spec) bool { return s.Audience.Kind == core.AudienceDivision }
