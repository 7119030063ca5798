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

// cycle loads every layer and follows the feed until that is lost or ctx ends.
func (e *Engine) cycle(ctx context.Context) error {
	// The mark comes before the loading: what changes while the layers are read is told again afterwards, and nothing falls
	// between the two.
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

// await waits until there may be something new: at least Gather, at most Poll.
func (e *Engine) await(ctx context.Context) {
	wait.For(ctx, e.o.Gather)
	waitCtx, cancel := context.WithTimeout(ctx, e.o.Poll)
	defer cancel()
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		if err := e.parts.Feed.Notified(waitCtx); err != nil {
			<-waitCtx.Done() // the database is away: no busy loop
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

// step reads the feed once and applies what it gives.
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

// applyAtOnce is how many changed features are applied under one lock.
const applyAtOnce = 5000

// batch is what is applied together.
type batch struct {
	layers  map[int]*changes
	entries bool
	size    int
}

// changes are those of one layer.
type changes struct {
	ids    map[int64]struct{}
	places []memory.Extent // as the feed tells them
	whole  bool
	since  time.Time // when the oldest was written
}

// add takes one chunk of the feed into the batch. A change has two places, where the feature was and where it is:
// tiles at both are no longer true.
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

// apply brings the layers of a batch up to date. Changes of features come before changes of the catalogue: a
// feature of a new layer is read when that layer is loaded.
func (e *Engine) apply(ctx context.Context, b batch) error {
	for _, id := range slices.Sorted(maps.Keys(b.layers)) {
		e.mu.RLock()
		l := e.byID[id]
		e.mu.RUnlock()
		if l == nil {
			continue // its entry comes, or has gone
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

// applyTo brings one layer up to date, drops the tiles that are no longer true, and tells.
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
	// What the feed says and what the layer held are both dropped. They can differ: a feature that changed twice is read as
	// it is now, and was drawn as it was before both.
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

// fetch reads features as they are now, ready to be put. They are never older than the feed's word:
// what changes after they were read comes again.
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

// replace puts what was fetched and deletes what was not, and gives all places that had or have something.
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

// worldBox is a box of degrees in world coordinates, a little larger than it is.
func worldBox(b tiles.Box) (shape.Box, bool) {
	if !(b[0] <= b[2] && b[1] <= b[3]) { // a NaN is not
		return shape.Box{}, false
	}
	x0, y0 := shape.Project(clampLonLat(b[0], b[3]))
	x1, y1 := shape.Project(clampLonLat(b[2], b[1]))
	return shape.Box{X0: x0 - min(x0, 2), Y0: y0 - min(y0, 2), X1: x1 + min(^x1, 2), Y1: y1 + min(^y1, 2)}, true
}

// byDivision reports whether who may see what of a layer depends on the feature.
func byDivision(s *tiles.Spec) bool { return s.Audience.Kind == core.AudienceDivision }
