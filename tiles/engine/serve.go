package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/tiles"
	"onemap/tiles/memory"
)

// Tile returns one tile. It contains only the features that the scope covers. It returns fault.Invalid if the address
// is not valid, fault.NotFound if a layer is unknown, fault.Forbidden if the scope may not see a layer, and the
// database's error for a layer that is not in memory. After an error there is no tile, not even of the other layers.
func (e *Engine) Tile(ctx context.Context, s core.Scope, r tiles.Request) (tiles.Tile, error) {
	t, err := e.tile(ctx, s, &r)
	switch {
	case err != nil:
		e.metrics.refused(err)
		return tiles.Tile{}, err
	case tiles.Matches(r.IfNone, t.ETag):
		e.metrics.unchanged.Inc()
		return tiles.Tile{ETag: t.ETag, Thinned: t.Thinned, NotModified: true}, nil
	}
	e.metrics.sent.Inc()
	return *t, nil
}

// tile returns an answer from the cache, or makes it. Concurrent requests for the same tile share one render.
func (e *Engine) tile(ctx context.Context, s core.Scope, r *tiles.Request) (*tiles.Tile, error) {
	if a := r.Address; a.Z > tiles.MaxZoom || !geo.Tile(a).Valid() {
		return nil, fault.InvalidField("tile", "%d/%d/%d is outside the world", a.Z, a.X, a.Y)
	}
	asked, err := e.resolve(r.Layers)
	if err != nil {
		return nil, err
	}
	division, err := asked.admit(s)
	if err != nil {
		return nil, err
	}
	key := answerKey{asked.text, division, tileOf(r.Address.Z, r.Address.X, r.Address.Y), r.Gzip}
	if a := e.known(key, asked); a != nil {
		e.hits.Add(1)
		return &a.Tile, nil
	}
	e.misses.Add(1)
	// A request that arrives after a change must not share a flight that began before the change. The name of the
	// flight contains the versions of the layers for this reason.
	ch := e.flights.DoChan(flightName(key, asked), func() (any, error) {
		if a := e.known(key, asked); a != nil { // another flight ended after the first lookup
			return a, nil
		}
		return e.make(ctx, s, asked, key)
	})
	select {
	case res := <-ch:
		if res.Err != nil {
			return nil, res.Err
		}
		return &res.Val.(*answer).Tile, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("make a tile: %w", ctx.Err())
	}
}

// known returns a valid answer from the cache, or nil if there is none.
func (e *Engine) known(key answerKey, asked *layerSet) *answer {
	if e.answers == nil {
		return nil
	}
	if a, ok := e.answers.GetIfPresent(key); ok && e.good(a, asked) {
		return a
	}
	return nil
}

// good reports whether a cached answer is valid: every part of it must still be in the cache. A part that was not made,
// because the zoom is below the layer's, is valid while the layer has the same entry.
func (e *Engine) good(a *answer, asked *layerSet) bool {
	if a.ask != asked {
		return false
	}
	for i := range a.parts {
		p := &a.parts[i]
		if p.blob == nil {
			if asked.parts[i].l.spec.Load() != p.spec {
				return false
			}
			continue
		}
		if b, ok := e.blobs.GetIfPresent(p.key); !ok || b != p.blob {
			return false
		}
	}
	return true
}

// flightName returns the name of a flight: the key of the answer and the versions of its layers.
func flightName(k answerKey, asked *layerSet) string {
	b := make([]byte, 0, len(k.layers)+len(k.division)+16+8*len(asked.parts))
	b = append(append(append(b, k.layers...), 0), k.division...)
	b = append(b, 0)
	if k.gzip {
		b = append(b, 1)
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(k.tile))
	for _, p := range asked.parts {
		b = binary.LittleEndian.AppendUint64(b, p.l.version.Load())
	}
	return string(b)
}

// makeWithin is the longest time to make an answer, with the wait for a slot and the database.
const makeWithin = 20 * time.Second

// make makes an answer. It continues when the first request is cancelled, because other requests may wait for the same
// answer. It returns fault.Unavailable if no slot is free within makeWithin.
func (e *Engine) make(ctx context.Context, s core.Scope, asked *layerSet, key answerKey) (*answer, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeWithin)
	defer cancel()
	var t *renderSlot
	select {
	case t = <-e.turns:
		defer func() { e.turns <- t }()
	case <-ctx.Done():
		return nil, fault.New(fault.Unavailable, "the server has too many tiles to make; try again")
	}
	start := time.Now()
	a := &answer{ask: asked, parts: make([]usedPart, len(asked.parts))}
	var thinned []string
	size := 0
	for i, p := range asked.parts {
		used, err := e.part(ctx, s, p, key, t)
		if err != nil {
			return nil, err
		}
		a.parts[i] = used
		if b := used.blob; b != nil {
			size += len(b.Bytes)
			if b.Over {
				thinned = append(thinned, fmt.Sprintf("%s %d of %d", asked.names[i], b.Shown, b.Of))
			}
		}
	}
	a.Thinned = strings.Join(thinned, ", ")
	e.assemble(a, size, key.gzip, t)
	e.metrics.made(time.Since(start), size)
	if e.answers != nil {
		e.answers.Set(key, a)
	}
	return a, nil
}

// assemble joins the parts into the answer. An MVT tile is the concatenation of its layers.
func (e *Engine) assemble(a *answer, size int, packed bool, t *renderSlot) {
	// The ETag is a hash of the sums of the parts, in their order. It depends only on the content, so it is the same on
	// every node. It is a weak tag, because the compressed and the uncompressed tile share it.
	sums := make([]byte, 0, 8*len(a.parts))
	for _, p := range a.parts {
		if p.blob != nil && len(p.blob.Bytes) > 0 {
			sums = binary.BigEndian.AppendUint64(sums, p.blob.sum)
		}
	}
	a.ETag = `W/"` + strconv.FormatUint(xxhash.Sum64(sums), 36) + "-" + strconv.FormatInt(int64(size), 36) + `"`
	if packed && size >= e.o.GzipMin {
		w := t.gzip
		if size > largeTile {
			w = t.gzipLarge
		}
		t.packed.b = t.packed.b[:0]
		w.Reset(&t.packed)
		for _, p := range a.parts {
			if p.blob != nil {
				_, _ = w.Write(p.blob.Bytes) // the writer is a buffer in memory and returns no error
			}
		}
		_ = w.Close()
		// The tile is sent uncompressed if compression does not make it smaller.
		if len(t.packed.b) < size {
			a.Bytes, a.Gzip = bytes.Clone(t.packed.b), true
			return
		}
	}
	for _, p := range a.parts {
		switch {
		case p.blob == nil || len(p.blob.Bytes) == 0:
		case len(p.blob.Bytes) == size:
			// This is the only part that is not empty. The answer shares its bytes, which nothing changes.
			a.Bytes = p.blob.Bytes
		default:
			a.Bytes = append(a.Bytes, p.blob.Bytes...)
		}
	}
}

// part returns a layer's part of a tile, from the cache, from memory or from the database.
func (e *Engine) part(ctx context.Context, s core.Scope, p layerRef, key answerKey, t *renderSlot) (usedPart, error) {
	l := p.l
	z, _, _ := key.tile.zxy()
	spec := l.spec.Load()
	if int(z) < spec.MinZoom {
		return usedPart{spec: spec}, nil
	}
	division := ""
	if spec.Audience.Kind == core.AudienceDivision {
		division = key.division
	}
	k := layerTileKey{int32(l.id), p.labels, key.tile, division}
	if b, ok := e.cachedTile(k); ok {
		return usedPart{spec, k, b}, nil
	}
	b, here := e.render(l, k, t)
	if !here {
		var err error
		if b, err = e.fromDatabase(ctx, s, l, k); err != nil {
			return usedPart{}, err
		}
	}
	return usedPart{spec, k, b}, nil
}

// render makes a part of a layer in memory and caches it. It holds the read lock for both, so no change can happen
// between them. It returns false if the layer is not in memory.
func (e *Engine) render(l *layer, k layerTileKey, t *renderSlot) (*layerTile, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.place != inMemory {
		return nil, false
	}
	spec := l.spec.Load()
	z, x, y := k.tile.zxy()
	b := &layerTile{Part: l.mem.Render(memory.Query{
		Z: z, X: x, Y: y, Labels: k.labels, Scope: k.division, Judged: spec.Audience.Kind == core.AudienceDivision,
		Rules: spec.Rules, MaxZoom: spec.MaxZoom, Budget: e.o.PartBytes,
	}, &t.scratch)}
	if b.Over {
		e.metrics.thinned.WithLabelValues(spec.Name).Inc()
		l.thinned.Add(1)
	}
	b.sum = xxhash.Sum64(b.Bytes)
	l.noteScope(k.division, z)
	e.cacheTile(k, b)
	return b, true
}

// fromDatabase makes a part of a layer that is not in memory. It caches the part if the layer has not changed since.
func (e *Engine) fromDatabase(ctx context.Context, s core.Scope, l *layer, k layerTileKey) (*layerTile, error) {
	// The version is read before the query. A change during the query increments it. The part is then sent and not cached.
	version, spec := l.version.Load(), l.spec.Load()
	z, x, y := k.tile.zxy()
	name := spec.Name
	if k.labels {
		name += tiles.LabelSuffix
	}
	raw, err := e.parts.Database.Tile(ctx, s, []string{name}, tiles.Address{Z: z, X: x, Y: y})
	if err != nil {
		return nil, err
	}
	b := &layerTile{Part: memory.Part{Bytes: raw}, sum: xxhash.Sum64(raw)}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.place == inDatabase && l.version.Load() == version {
		l.noteScope(k.division, z)
		e.cacheTile(k, b)
	}
	return b, nil
}

// TileJSON returns the description of the layers for a scope. base is the URL of the server without /tiles.
func (e *Engine) TileJSON(ctx context.Context, s core.Scope, layers []string, base string) (tiles.TileJSON, error) {
	names := make([]string, len(layers))
	for i, name := range layers {
		names[i], _ = tiles.SplitLabel(name)
	}
	infos, err := e.parts.Database.Describe(ctx, s, names)
	if err != nil {
		return tiles.TileJSON{}, err
	}
	for i := range infos {
		infos[i].Name = layers[i]
	}
	return tiles.NewTileJSON(infos, base), nil
}
