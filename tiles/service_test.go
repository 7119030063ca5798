package tiles

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"onemap/internal/core"
	"onemap/internal/errs"
)

// fixed is a source with one answer for each layer.
type fixed struct {
	blobs map[string][]byte
	infos map[string]LayerInfo
	enter chan struct{} // told of each tile that is begun, when not nil
	leave chan struct{}
}

func (f fixed) Describe(_ context.Context, _ core.Scope, layers []string) ([]LayerInfo, error) {
	var all []LayerInfo
	for _, l := range layers {
		i, ok := f.infos[l]
		if !ok {
			return nil, errs.New(errs.NotFound, "there is no layer %q", l)
		}
		all = append(all, i)
	}
	return all, nil
}

func (f fixed) Tile(ctx context.Context, _ core.Scope, layers []string, _ Address) ([]byte, error) {
	if f.enter != nil {
		f.enter <- struct{}{}
		<-f.leave
	}
	var out []byte
	for _, l := range layers {
		b, ok := f.blobs[l]
		if !ok {
			return nil, errs.New(errs.NotFound, "there is no layer %q", l)
		}
		out = append(out, b...)
	}
	return out, ctx.Err()
}

var city = core.Scope{Division: "3706", Role: core.RoleObserver}

func TestTile(t *testing.T) {
	noise := make([]byte, 4096)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(noise)
	src := fixed{blobs: map[string][]byte{
		"big": bytes.Repeat([]byte("onemap "), 1000), "small": []byte("tiny"), "empty": nil, "noise": noise,
	}}
	v := NewService(Options{}, src, nil)
	other := NewService(Options{GzipMin: 1}, src, nil)
	for layer, packs := range map[string]bool{"big": true, "small": false, "empty": false, "noise": false} {
		plain, err := v.Tile(t.Context(), city, Request{Layers: []string{layer}})
		if err != nil || plain.Gzip || !bytes.Equal(plain.Bytes, src.blobs[layer]) {
			t.Fatalf("%s: %v, gzip %v, %d bytes", layer, err, plain.Gzip, len(plain.Bytes))
		}
		packed, err := v.Tile(t.Context(), city, Request{Layers: []string{layer}, Gzip: true})
		if err != nil || packed.Gzip != packs {
			t.Fatalf("%s: %v, gzip %v, want %v", layer, err, packed.Gzip, packs)
		}
		if packed.Gzip {
			zr, err := gzip.NewReader(bytes.NewReader(packed.Bytes))
			if err != nil {
				t.Fatal(err)
			}
			if raw, err := io.ReadAll(zr); err != nil || !bytes.Equal(raw, plain.Bytes) {
				t.Errorf("%s: unpacks to something else: %v", layer, err)
			}
		}
		elsewhere, err := other.Tile(t.Context(), city, Request{Layers: []string{layer}, Gzip: true})
		if err != nil || plain.ETag != packed.ETag || plain.ETag != elsewhere.ETag {
			t.Errorf("%s: ETags %s %s %s, %v", layer, plain.ETag, packed.ETag, elsewhere.ETag, err)
		}
		again, err := v.Tile(t.Context(), city, Request{Layers: []string{layer}, IfNone: `"x", ` + plain.ETag})
		if err != nil || !again.NotModified || again.Bytes != nil {
			t.Errorf("%s: not 304: %+v, %v", layer, again, err)
		}
	}
	if _, err := v.Tile(t.Context(), city, Request{Layers: []string{"nothing"}}); !errs.Is(err, errs.NotFound) {
		t.Errorf("an unknown layer: %v", err)
	}
}

func TestMatches(t *testing.T) {
	const tag = `W/"abc"`
	for header, want := range map[string]bool{
		"": false, "*": true, `W/"abc"`: true, `"abc"`: true, `"abd"`: false, `"x","abc"`: true, `abc`: false, `"x" , W/"abc" `: true, `"ab`: false,
	} {
		if matches(header, tag) != want {
			t.Errorf("matches(%q) = %v", header, !want)
		}
	}
}

func TestTilesTakeTurns(t *testing.T) {
	src := fixed{blobs: map[string][]byte{"a": nil}, enter: make(chan struct{}), leave: make(chan struct{})}
	v := NewService(Options{AtOnce: 2}, src, nil)
	done := make(chan error)
	for range 2 {
		go func() {
			_, err := v.Tile(t.Context(), city, Request{Layers: []string{"a"}})
			done <- err
		}()
		<-src.enter
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Tile(ctx, city, Request{Layers: []string{"a"}}); err == nil {
		t.Error("a third tile was made at the same time")
	}
	close(src.leave)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestTileJSON(t *testing.T) {
	src := fixed{infos: map[string]LayerInfo{
		"land": {Name: "land", Title: core.Text{ZH: "陆地"}, MinZoom: 3, MaxZoom: 10, BBox: []float64{119, 36, 122, 38}, Attribution: "A", Fields: map[string]string{"name_zh": "String"}},
		"sea":  {Name: "sea", Title: core.Text{ZH: "海"}, MinZoom: 0, MaxZoom: 12, BBox: []float64{120, 35, 123, 39}, Attribution: "A"},
		"new":  {Name: "new", MinZoom: 5, MaxZoom: 6, Attribution: "B"},
	}}
	v := NewService(Options{}, src, nil)
	got, err := v.TileJSON(t.Context(), city, []string{"land", "sea", "new"}, "https://map.example")
	if err != nil {
		t.Fatal(err)
	}
	want := TileJSON{
		TileJSON: "3.0.0", Name: "land,sea,new", Scheme: "xyz", Tiles: []string{"https://map.example/tiles/land,sea,new/{z}/{x}/{y}.mvt"},
		VectorLayers: []VectorLayer{
			{ID: "land", Description: "陆地", MinZoom: 3, MaxZoom: 10, Fields: map[string]string{"name_zh": "String"}},
			{ID: "sea", Description: "海", MinZoom: 0, MaxZoom: 12, Fields: map[string]string{}},
			{ID: "new", MinZoom: 5, MaxZoom: 6, Fields: map[string]string{}},
		},
		MinZoom: 0, MaxZoom: 12, Bounds: []float64{119, 35, 123, 39}, Center: []float64{121, 37, 0}, Attribution: "A · B",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if src.infos["sea"].BBox[0] != 120 || !slices.Equal(src.infos["land"].BBox, []float64{119, 36, 122, 38}) {
		t.Error("the source's boxes were written to")
	}
	raw, err := json.Marshal(got)
	if err != nil || !strings.Contains(string(raw), `"tilejson":"3.0.0"`) {
		t.Errorf("%s, %v", raw, err)
	}
	if empty, err := v.TileJSON(t.Context(), city, []string{"new"}, ""); err != nil || empty.Bounds != nil || empty.Center != nil {
		t.Errorf("a layer without features: %+v, %v", empty, err)
	}
	if _, err := v.TileJSON(t.Context(), city, []string{"x"}, ""); !errs.Is(err, errs.NotFound) {
		t.Errorf("an unknown layer: %v", err)
	}
}
