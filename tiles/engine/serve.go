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

// Tile returns one tile in a scope: what the scope does not cover is not in it. The errors are
// fault.Invalid (the address), fault.NotFound and fault.Forbidden (a layer: then there is no tile at
// all), and the database's for a layer that is not in memory.
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

// tile returns an answer from the cache, or makes it. Those who ask for the same tile at the same time wait for
// one making.
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
	// Whoever asks after a change must not join a flight that began before it: the versions are in
	// the flight's name.
	ch := e.flights.DoChan(flightName(key, asked), func() (any, error) {
		if a := e.known(key, asked); a != nil { // a flight has landed between the look and this one
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

// known returns an answer from the cache, nil when there is none that is still true.
func (e *Engine) known(key answerKey, asked *layerSet) *answer {
	if e.answers == nil {
		return nil
	}
	if a, ok := e.answers.GetIfPresent(key); ok && e.good(a, asked) {
		return a
	}
	return nil
}

// good reports whether every part of an answer is still the one in the cache.
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

// flightName names a making: what is asked for and the versions of its layers.
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

// makeWithin bounds how long a tile may take that the database makes.
const makeWithin = 20 * time.Second

// make makes an answer. It goes on when the one who asked first has gone: others wait for it.
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

// assemble joins the parts: a tile is the concatenation of its layers.
func (e *Engine) assemble(a *answer, size int, packed bool, t *renderSlot) {
	// The tag is made of the sums of the parts, in their order. It depends on the content alone, so it is the same on every
	// node, and compressing does not change it: it is a weak one.
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
				_, _ = w.Write(p.blob.Bytes) // into memory: it cannot fail
			}
		}
		_ = w.Close()
		// A tile that compression makes no smaller is sent as it is.
		if len(t.packed.b) < size {
			a.Bytes, a.Gzip = bytes.Clone(t.packed.b), true
			return
		}
	}
	for _, p := range a.parts {
		switch {
		case p.blob == nil || len(p.blob.Bytes) == 0:
		case len(p.blob.Bytes) == size:
			// The only part that is not empty: the answer shares its bytes.
			a.Bytes = p.blob.Bytes
		default:
			a.Bytes = append(a.Bytes, p.blob.Bytes...)
		}
	}
}

// part returns a layer's part of a tile, from the cache or made now.
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

// render makes a part of a layer that is in memory, and keeps it before any change can come between.
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

// fromDatabase makes a part that is not in memory. It is kept when nothing changed meanwhile.
func (e *Engine) fromDatabase(ctx context.Context, s core.Scope, l *layer, k layerTileKey) (*layerTile, error) {
	// The version is read first. A change that comes while the database draws makes it another one, and what was drawn is
	// then sent and not kept.
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

// TileJSON describes the layers to a scope; base is the server's address before /tiles.
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
