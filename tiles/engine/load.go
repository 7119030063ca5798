package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/paulmach/orb"

	"onemap/geo"
	"onemap/internal/wait"
	"onemap/tiles"
	"onemap/tiles/memory"
	"onemap/tiles/shape"
)

// adopt updates the layers to match the catalogue and returns the layers that must be loaded. A changed entry
// leads to a notice for the whole layer, because its rules, zooms or readers may have changed.
func (e *Engine) adopt(specs []tiles.Spec) (load []*layer) {
	var notices []tiles.Notice
	e.mu.Lock()
	clear(e.layerSets)
	byName, byID := make(map[string]*layer, len(specs)), make(map[int]*layer, len(specs))
	for i := range specs {
		s := &specs[i]
		l := e.byID[s.ID]
		switch {
		case l == nil:
			l = newLayer(*s)
			load = append(load, l)
		case e.change(l, s):
			load = append(load, l)
		}
		byName[s.Name], byID[s.ID] = l, l
	}
	for id, l := range e.byID {
		if n := byID[id]; n == nil || n.told.Swap(false) {
			notices = append(notices, tiles.Notice{Layer: l.spec.Load().Name, Audience: l.spec.Load().Audience})
		}
		if l.readers.Swap(false) {
			notices = []tiles.Notice{{}} // for all readers, including those that have lost access to the layer
		}
	}
	e.byName, e.byID = byName, byID
	e.mu.Unlock()
	for _, l := range load {
		e.unload(l)
	}
	e.notify(notices)
	return load
}

// change stores a new entry and reports whether the layer must be loaded again.
func (e *Engine) change(l *layer, s *tiles.Spec) (reload bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.spec.Load()
	reload = old.Name != s.Name || !tiles.SameFields(*old, *s) || e.o.placeOf(old) != e.o.placeOf(s) ||
		(l.place == beingLoaded && !e.ready.Load())
	if sameDrawing(old, s) {
		l.spec.Store(s)
		return reload
	}
	l.spec.Store(s)
	l.version.Add(1)
	l.told.Store(true)
	l.readers.Store(!reflect.DeepEqual(old.Audience, s.Audience) || old.Name != s.Name)
	e.dropAll(l)
	return reload
}

// sameDrawing reports whether both entries produce the same tiles for the same readers.
func sameDrawing(a, b *tiles.Spec) bool {
	x, y := *a, *b
	x.Version, x.Count, x.ModifiedAt, x.Title = y.Version, y.Count, y.ModifiedAt, y.Title
	return reflect.DeepEqual(x, y)
}

// unload removes a layer from memory. The database makes its tiles until it is loaded again.
func (e *Engine) unload(l *layer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.place, l.mem, l.pending = beingLoaded, nil, map[int64]struct{}{}
	// The result of a load that runs now is not used: its number is no longer the newest.
	l.loads++
	l.version.Add(1)
	e.dropAll(l)
}

// forgetContent unloads every layer. It is used when the changes since the last load are unknown.
func (e *Engine) forgetContent() {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, l := range e.byID {
		e.unload(l)
	}
}

// errTooMany means that a layer is too large for memory. The database then makes its tiles.
var errTooMany = errors.New("too large for memory")

// loaded is a layer's content, ready to be used.
type loaded struct {
	l    *layer
	spec tiles.Spec
	nth  int // which of the layer's loads it is
	mem  *memory.Layer
	took time.Duration
	err  error
}

// logEvery is the number of features that are loaded between two progress lines in the log.
const logEvery = 200_000

// nthOf is the position of a layer in a sequence of loads, for progress reports. An of of 0 means that no progress is
// reported.
type nthOf struct{ nth, of int }

// loadNow loads a layer and installs it before it returns.
func (e *Engine) loadNow(ctx context.Context, l *layer, told nthOf) error {
	done := e.load(ctx, l, told)
	if done.err != nil {
		return done.err
	}
	e.install(ctx, done)
	return nil
}

// loadLater loads a layer in a goroutine while the engine follows the change feed. finishLoad installs the result.
func (e *Engine) loadLater(ctx context.Context, l *layer) {
	e.loads.Go(func() {
		done := e.load(ctx, l, nthOf{})
		select {
		case e.loaded <- done:
		case <-ctx.Done():
		}
	})
}

// load reads a layer into a new memory.Layer. It holds no lock while it reads; the database makes the tiles until
// install. A result without mem and without an error means that the database makes the layer's tiles: the layer is
// too large for memory, or its rules say so.
func (e *Engine) load(ctx context.Context, l *layer, told nthOf) loaded {
	l.mu.RLock()
	spec, nth := *l.spec.Load(), l.loads
	l.mu.RUnlock()
	done := loaded{l: l, spec: spec, nth: nth}
	if e.o.placeOf(&spec) == inDatabase {
		return done
	}
	start := time.Now()
	mem := memory.New(spec, int(spec.Count))
	var b shape.Builder
	// The limit applies to the features read, because spec.Count may be out of date. A layer whose rules name a source
	// has no limit.
	read := int64(0)
	err := e.parts.Loader.Load(ctx, spec, func(f *tiles.Feature) error {
		if read++; read > e.o.MaxFeatures && spec.Rules.Source == "" {
			return errTooMany
		}
		if told.of > 0 && read%4096 == 1 {
			e.setProgress(CodeLayerLoading, told.nth, told.of, spec.Name, read, spec.Count)
		}
		if read%logEvery == 0 {
			e.log.InfoContext(ctx, "loading a layer", slog.String("layer", spec.Name), slog.Int64("features", read), slog.Int64("of", spec.Count))
		}
		it := mem.Prepare(f, &b)
		if _, err := mem.Put(&it); err != nil {
			return errTooMany
		}
		return nil
	})
	switch {
	case errors.Is(err, errTooMany):
		return done
	case err != nil:
		done.err = fmt.Errorf("load the layer %s: %w", spec.Name, err)
		return done
	}
	mem.Ready()
	done.mem, done.took = mem, time.Since(start)
	e.log.InfoContext(ctx, "layer loaded", slog.String("layer", spec.Name), slog.Int64("features", read), slog.Duration("took", done.took))
	return done
}

// finishLoad installs a layer that loadLater has loaded. After a failure it starts the load again.
func (e *Engine) finishLoad(ctx context.Context, done loaded) {
	l := done.l
	if done.err != nil {
		if ctx.Err() == nil {
			e.log.WarnContext(ctx, "loading a layer failed; trying again", slog.Any("error", done.err))
			wait.For(ctx, time.Second)
			e.loadLater(ctx, l)
		}
		return
	}
	l.mu.RLock()
	// A newer load has begun, because the entry or the whole content changed. The result of this load is obsolete.
	stale := l.loads != done.nth
	pending := make(map[int64]struct{}, len(l.pending))
	for id := range l.pending {
		pending[id] = struct{}{}
	}
	l.mu.RUnlock()
	if stale {
		return // another load is under way
	}
	if done.mem != nil && len(pending) > 0 {
		if err := e.catchUp(ctx, done, pending); err != nil {
			e.finishLoad(ctx, loaded{l: l, err: err})
			return
		}
	}
	e.install(ctx, done)
	e.notify([]tiles.Notice{{Layer: done.spec.Name, Audience: done.spec.Audience}})
}

// catchUp applies the changes that arrived while the layer was loaded.
func (e *Engine) catchUp(ctx context.Context, done loaded, pending map[int64]struct{}) error {
	ids := make([]int64, 0, len(pending))
	for id := range pending {
		ids = append(ids, id)
	}
	var b shape.Builder
	var items []memory.Item
	err := e.parts.Loader.Fetch(ctx, done.spec, ids, func(f *tiles.Feature) error {
		items = append(items, done.mem.Prepare(f, &b))
		return nil
	})
	if err == nil {
		_, err = replace(done.mem, pending, items)
	}
	return err
}

// install replaces the content of the layer with the loaded content. It drops every cached part, because the parts
// were made from the old content. It does nothing if a newer load has begun.
func (e *Engine) install(ctx context.Context, done loaded) {
	l := done.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loads != done.nth {
		return
	}
	l.mem, l.pending = done.mem, nil
	l.place = inMemory
	if done.mem == nil {
		l.place = inDatabase
		e.log.InfoContext(ctx, "the database draws a layer", slog.String("layer", done.spec.Name), slog.Int64("features", done.spec.Count))
	}
	l.facts.loadedAt, l.facts.loadTook = e.now(), done.took
	l.version.Add(1)
	e.dropAll(l)
}

// clampLonLat limits a position to the square of Web Mercator. Units: degrees.
func clampLonLat(lon, lat float64) orb.Point {
	return orb.Point{min(max(lon, -180), 180), min(max(lat, -geo.MaxMercatorLat), geo.MaxMercatorLat)}
}
