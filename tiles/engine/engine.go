// Package engine serves the risk map's tiles from memory: it loads the catalogue's layers at the
// start, follows the change feed afterwards, and caches the tiles until a change touches them.
//
// Each layer has one lock that keeps the cache correct. The engine makes a part of a tile and caches it under the
// read lock. It applies a change, and drops the parts that the change touches, under the write lock. So a part that
// was made from old content cannot enter the cache after the change. An answer that consists of several parts has its
// own cache. An answer is valid while each of its parts is still in the cache.
//
// Where to read: serve.go handles a request, follow.go handles a change, load.go loads a layer into memory,
// dirty.go finds the tiles that a change touches, cache.go defines the keys of the cache.
//
// Lock order: Engine.mu, then layer.mu, then layer.scopesMu. Changed is called without any of these locks. A layer
// is never loaded under a lock; the database makes its tiles during the load.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/wait"
	"onemap/tiles"
)

// Options are the engine's settings; the zero value of each is the default beside it.
type Options struct {
	CacheBytes  int64         // 256 MiB: for parts of tiles and for answers, half each; below 0: no cache
	PartBytes   int           // 1 MiB: a layer's part of a tile that is larger is thinned, and the tile reports it
	MaxFeatures int64         // 5,000,000: the database makes the tiles of a layer with more features
	AtOnce      int           // number of tiles that are made at the same time; the number of processors
	GzipMin     int           // 512: the smallest tile, in bytes, that is compressed
	Gather      time.Duration // 40 ms: shortest time between two reads of the change feed
	Poll        time.Duration // 1 s: longest time between two reads
	Grace       time.Duration // 3 s: Health reports the layers as bad when the feed was not read for longer
}

// withDefaults replaces zero values. It keeps a CacheBytes below 0, which means that there is no cache.
func (o Options) withDefaults() Options {
	o.CacheBytes = cmp.Or(o.CacheBytes, 256<<20)
	o.PartBytes = cmp.Or(o.PartBytes, 1<<20)
	o.MaxFeatures = cmp.Or(o.MaxFeatures, 5_000_000)
	o.AtOnce = cmp.Or(o.AtOnce, runtime.GOMAXPROCS(0))
	o.GzipMin = cmp.Or(o.GzipMin, 512)
	o.Gather = cmp.Or(o.Gather, 40*time.Millisecond)
	o.Poll = cmp.Or(o.Poll, time.Second)
	o.Grace = cmp.Or(o.Grace, 3*time.Second)
	return o
}

// Parts are the services that the engine uses.
type Parts struct {
	Loader tiles.Loader
	Feed   tiles.Feed
	// Database makes tiles of layers that are not in memory, and describes layers for TileJSON.
	Database tiles.Source
	// Changed receives the tiles that have changed. The engine calls it when its own tiles are already up to date.
	// It must not block. It may be nil.
	Changed func([]tiles.Notice)
}

// Engine serves tiles. It is safe for concurrent use.
type Engine struct {
	o       Options
	parts   Parts
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics

	mu        sync.RWMutex
	byName    map[string]*layer
	byID      map[int]*layer
	layerSets map[string]*layerSet // the layers of each list of names

	blobs   *otter.Cache[layerTileKey, *layerTile]
	answers *otter.Cache[answerKey, *answer]
	flights singleflight.Group
	turns   chan *renderSlot
	hits    atomic.Int64
	misses  atomic.Int64

	loaded   chan loaded // results of loadLater
	loads    sync.WaitGroup
	ready    atomic.Bool
	progress atomic.Pointer[core.Health] // what Health returns until the engine is ready
	feedAt   atomic.Int64                // when the feed was last read, Unix ns; 0: never
}

// New returns an engine. Run loads the layers. logger, reg and clock may be nil. New returns an error if p lacks the
// loader, the feed or the database.
func New(o Options, p Parts, logger *slog.Logger, reg prometheus.Registerer, clock func() time.Time) (*Engine, error) {
	if p.Loader == nil || p.Feed == nil || p.Database == nil {
		return nil, errors.New("tiles: the engine needs a loader, a feed and a database")
	}
	o = o.withDefaults()
	e := &Engine{
		o: o, parts: p, log: logger, now: clock,
		byName: map[string]*layer{}, byID: map[int]*layer{}, layerSets: map[string]*layerSet{},
		turns: make(chan *renderSlot, o.AtOnce), loaded: make(chan loaded, 16),
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.now == nil {
		e.now = time.Now
	}
	for range o.AtOnce {
		e.turns <- newRenderSlot()
	}
	var err error
	if e.blobs, e.answers, err = newCaches(o.CacheBytes); err != nil {
		return nil, fmt.Errorf("make the tile cache: %w", err)
	}
	e.metrics = newMetrics(reg, e)
	e.setProgress(fault.CodePartStarting)
	return e, nil
}

// Run loads the layers and follows the changes until ctx ends, and then returns nil. It never fails. While the
// database is not available, the engine serves the content in memory, and Health reports its age.
func (e *Engine) Run(ctx context.Context) error {
	defer e.loads.Wait()
	for ctx.Err() == nil {
		err := e.cycle(ctx)
		if ctx.Err() != nil {
			return nil
		}
		e.ready.Store(false)
		e.forgetContent()
		e.log.WarnContext(ctx, "loading the layers anew", slog.Any("error", err))
		wait.For(ctx, time.Second)
	}
	return nil
}

// Ready reports whether every layer has been loaded.
func (e *Engine) Ready() bool { return e.ready.Load() }

// Health returns the state of the layers. It is not OK while the layers are loaded. It is also not OK when the change
// feed was not read for longer than Options.Grace, because the layers may then be out of date.
func (e *Engine) Health() core.Health {
	h := core.Health{Part: "layers", OK: true}
	if !e.ready.Load() {
		return *e.progress.Load()
	}
	if age := e.feedAge(); age > e.o.Grace {
		return core.Unwell(h.Part, age.Round(100*time.Millisecond).Seconds(), CodeLayersUnread)
	}
	return h
}

// feedAge returns the time since the change feed was last read.
func (e *Engine) feedAge() time.Duration {
	return max(0, time.Duration(e.now().UnixNano()-e.feedAt.Load()))
}

// setProgress sets what Health reports until the layers are loaded.
func (e *Engine) setProgress(c fault.Code, values ...any) {
	h := core.Unwell("layers", 0, c, values...)
	e.progress.Store(&h)
}

// notify passes the notices to Parts.Changed. The caller holds no lock and has already dropped the tiles from the cache,
// so a client that requests them at once receives the new tiles.
func (e *Engine) notify(notices []tiles.Notice) {
	if e.parts.Changed != nil && len(notices) > 0 {
		e.parts.Changed(notices)
	}
}

// layerSet holds the layers that the path of a request names.
type layerSet struct {
	text  string
	names []string
	parts []layerRef
}

// layerRef is one layer of a layerSet, or the labels of its polygons.
type layerRef struct {
	l      *layer
	labels bool
}

// maxLayerSets is the number of lists of names that are cached. It bounds the memory, because clients choose the lists.
const maxLayerSets = 4096

// resolve returns the layers of a list of names. It returns fault.Invalid for a bad list, fault.NotFound for an unknown
// layer.
func (e *Engine) resolve(text string) (*layerSet, error) {
	e.mu.RLock()
	a := e.layerSets[text]
	e.mu.RUnlock()
	if a != nil {
		return a, nil
	}
	names, err := tiles.ParseLayers(text)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// Another request may have stored the same list since the read lock. There must be one layerSet for a list, because
	// a cached answer is valid only for the same pointer.
	if a = e.layerSets[text]; a != nil {
		return a, nil
	}
	a = &layerSet{text: text, names: names}
	for _, name := range names {
		base, labels := tiles.SplitLabel(name)
		l := e.byName[base]
		if l == nil {
			return nil, fault.New(fault.NotFound, "there is no layer %q", base)
		}
		a.parts = append(a.parts, layerRef{l, labels})
	}
	if len(e.layerSets) >= maxLayerSets {
		clear(e.layerSets)
	}
	e.layerSets[text] = a
	return a, nil
}

// admit checks that the reader may see every layer of the list; it returns fault.Forbidden if not. It returns the
// reader's division if at least one layer has different features for each division, and "" if all readers see the same.
func (a *layerSet) admit(s core.Scope) (division string, err error) {
	for _, p := range a.parts {
		spec := p.l.spec.Load()
		if !spec.Audience.Admits(s) {
			return "", fault.New(fault.Forbidden, "the layer %s is not for you", spec.Name)
		}
		if spec.Audience.Kind == core.AudienceDivision {
			division = s.Division
		}
	}
	return division, nil
}
