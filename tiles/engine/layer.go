package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/memory"
)

// layer is one layer of the catalogue as the engine holds it.
type layer struct {
	id   int
	spec atomic.Pointer[tiles.Spec] // written under mu
	// version grows with every change of the entry or of the content.
	version atomic.Uint64
	deepest atomic.Uint32 // deepest zoom of all parts that were ever cached
	thinned atomic.Int64
	readers atomic.Bool // the readers changed; adopt must send a notice to all readers
	told    atomic.Bool // the entry changed; adopt must send a notice for the whole layer

	mu      sync.RWMutex
	place   place
	mem     *memory.Layer      // nil unless inMemory
	pending map[int64]struct{} // ids of the features that changed during the load
	loads   int                // number of the newest load; the results of older loads are not used
	facts   facts

	scopesMu sync.Mutex
	scopes   map[string]struct{} // the divisions for which parts may be in the cache
}

// place is where a layer's tiles are made.
type place uint8

// The places. A layer begins with beingLoaded, which is the zero value.
const (
	beingLoaded place = iota // by the database until the layer is loaded; no part is cached
	inMemory
	inDatabase
)

// String implements fmt.Stringer. It returns the place as the API writes it.
func (p place) String() string {
	switch p {
	case inMemory:
		return core.TileSourceMemory
	case inDatabase:
		return core.TileSourceDatabase
	default:
		return "loading"
	}
}

// facts are the numbers for the health page.
type facts struct {
	loadedAt   time.Time
	loadTook   time.Duration
	lastChange time.Time
	lag        time.Duration
	changes    int64
}

// newLayer returns a layer for an entry of the catalogue. The layer is not loaded; its place is beingLoaded.
func newLayer(s tiles.Spec) *layer {
	l := &layer{id: s.ID, scopes: map[string]struct{}{}}
	l.spec.Store(&s)
	return l
}

// placeOf returns where a layer's tiles are made. The rules of the layer come first, then the number of features.
func (o Options) placeOf(s *tiles.Spec) place {
	switch {
	case s.Rules.Source == core.TileSourceDatabase:
		return inDatabase
	case s.Rules.Source == "" && s.Count > o.MaxFeatures:
		return inDatabase
	default:
		return inMemory
	}
}

// noteScope records the division and the zoom of a cached part. A change drops the parts of the recorded divisions and
// zooms only.
func (l *layer) noteScope(division string, zoom uint32) {
	for old := l.deepest.Load(); zoom > old && !l.deepest.CompareAndSwap(old, zoom); old = l.deepest.Load() {
		continue
	}
	l.scopesMu.Lock()
	defer l.scopesMu.Unlock()
	l.scopes[division] = struct{}{}
}

// knownScopes returns a copy of the recorded divisions, so that the caller can iterate without the lock.
func (l *layer) knownScopes() []string {
	l.scopesMu.Lock()
	defer l.scopesMu.Unlock()
	all := make([]string, 0, len(l.scopes))
	for s := range l.scopes {
		all = append(all, s)
	}
	return all
}
