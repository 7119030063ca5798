// Package engine serves the risk map's tiles from memory: it loads the catalogue's layers at the
// start, follows the change feed afterwards, and keeps what it made until it is no longer true.
//
// Freshness rests on one lock a layer. A part of a tile is made and put into the cache under the read
// lock; a change is applied, and exactly the parts that it touches are dropped, under the write lock.
// So nothing can be made from what was and stored after it. An answer made of several parts is kept
// beside them and is good as long as each of its parts is still in the cache.
//
// Where to read: serve.go has the way of a request, follow.go that of a change, load.go how a layer comes into memory,
// dirty.go which tiles a change touches, cache.go the keys of what is kept.
//
// The order of locks is Engine.mu, then layer.mu, then layer.scopesMu. Changed is called with none of them held. A
// layer is never loaded under a lock: while it is read the database makes its tiles.
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
	PartBytes   int           // 1 MiB: a layer's part of a tile beyond it is thinned, and says so
	MaxFeatures int64         // 5,000,000: layers with more are drawn by the database
	AtOnce      int           // tiles that are made at the same time; as many as there are processors
	GzipMin     int           // 512: the smallest tile, in bytes, that is compressed
	Gather      time.Duration // 40 ms: least time between two looks at the change feed
	Poll        time.Duration // 1 s: longest time between two looks
	Grace       time.Duration // 3 s: how long the feed may be unread before the layers are said to be bad
}

// withDefaults replaces zero values. A CacheBytes below 0 stays: it means that nothing is kept.
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

// Parts is what the engine is made over.
type Parts struct {
	Loader tiles.Loader
	Feed   tiles.Feed
	// Database makes tiles of layers that are not in memory, and describes layers for TileJSON.
	Database tiles.Source
	// Changed is told which tiles are no longer what they were, after the engine's own are the new
	// ones. It must not block. May be nil.
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
	layerSets map[string]*layerSet // what a list of layers' names stands for

	blobs   *otter.Cache[layerTileKey, *layerTile]
	answers *otter.Cache[answerKey, *answer]
	flights singleflight.Group
	turns   chan *renderSlot
	hits    atomic.Int64
	misses  atomic.Int64

	loaded   chan loaded // layers that were loaded beside the following
	loads    sync.WaitGroup
	ready    atomic.Bool
	progress atomic.Pointer[core.Health] // what Health tells until it is ready
	feedAt   atomic.Int64                // when the feed was last read, Unix ns; 0: never
}

// New makes an engine; nothing is loaded before Run. reg may be nil.
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

// Run loads the layers and follows the changes until ctx ends. It returns nil then, and never fails:
// while the database is away it serves what it has, and Health says how old that is.
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

// Health is the state of the layers: not OK while they are loaded, and while the change feed cannot
// be read, because then nobody knows whether they are still true.
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

// feedAge is how long ago the change feed was last read.
func (e *Engine) feedAge() time.Duration {
	return max(0, time.Duration(e.now().UnixNano()-e.feedAt.Load()))
}

// setProgress sets what Health reports until the layers are loaded.
func (e *Engine) setProgress(c fault.Code, values ...any) {
	h := core.Unwell("layers", 0, c, values...)
	e.progress.Store(&h)
}

// notify passes on which tiles changed. It is called without a lock held, after the cache has dropped them: who asks
// at once gets the new ones.
func (e *Engine) notify(notices []tiles.Notice) {
	if e.parts.Changed != nil && len(notices) > 0 {
		e.parts.Changed(notices)
	}
}

// layerSet is the layers that an address names.
type layerSet struct {
	text  string
	names []string
	parts []layerRef
}

// layerRef is a layer of an address, or the labels of its polygons.
type layerRef struct {
	l      *layer
	labels bool
}

const maxLayerSets = 4096 // different lists of names that are remembered

// resolve finds the layers of a list of names. The error is fault.Invalid or fault.NotFound.
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
	if a = e.layerSets[text]; a != nil { // somebody else has just asked: an answer is known by its layerSet
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

// admit checks every layer of the list against the reader, and gives the division by which what the
// reader may see differs from what others may; empty when it does not.
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
