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
	deepest atomic.Uint32 // zoom of any part that was ever kept
	thinned atomic.Int64
	readers atomic.Bool // its readers are others now
	told    atomic.Bool // its entry changed: it is told of as a whole

	mu      sync.RWMutex
	place   place
	mem     *memory.Layer      // nil unless inMemory
	pending map[int64]struct{} // what changed while it is loaded
	loads   int                // counts the loads: one that another has overtaken is not used
	facts   facts

	scopesMu sync.Mutex
	scopes   map[string]struct{} // for which parts may be kept
}

// place is where a layer's tiles are made.
type place uint8

const (
	beingLoaded place = iota // by the database until it is here; nothing is kept
	inMemory
	inDatabase
)

// String returns the word of the API for the place.
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

// facts are what the health page tells.
type facts struct {
	loadedAt   time.Time
	loadTook   time.Duration
	lastChange time.Time
	lag        time.Duration
	changes    int64
}

// newLayer makes a layer of an entry of the catalogue. It is not loaded: its place is the zero value.
func newLayer(s tiles.Spec) *layer {
	l := &layer{id: s.ID, scopes: map[string]struct{}{}}
	l.spec.Store(&s)
	return l
}

// placeOf decides where a layer's tiles are made.
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

// noteScope remembers for which readers and to which zoom parts were kept. A change must drop parts of all of
// them, and looks for no others.
func (l *layer) noteScope(division string, zoom uint32) {
	for old := l.deepest.Load(); zoom > old && !l.deepest.CompareAndSwap(old, zoom); old = l.deepest.Load() {
		continue
	}
	l.scopesMu.Lock()
	defer l.scopesMu.Unlock()
	l.scopes[division] = struct{}{}
}

// knownScopes returns a copy, so that the caller can go through it without the lock.
func (l *layer) knownScopes() []string {
	l.scopesMu.Lock()
	defer l.scopesMu.Unlock()
	all := make([]string, 0, len(l.scopes))
	for s := range l.scopes {
		all = append(all, s)
	}
	return all
}
