package api

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/klauspost/compress/gzip"

	"onemap/tiles"
	"onemap/tiles/engine"
)

func TestTilesOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/tiles/land,shelters/9/428/198.mvt" // holds 121.4, 37.5 but not 120.8, 37.8
	a := w.send(commander, http.MethodGet, path, nil)
	if a.status != http.StatusOK || len(a.body) == 0 || a.header.Get("Content-Type") != "application/vnd.mapbox-vector-tile" ||
		a.header.Get("Cache-Control") != "private, no-cache" || a.header.Get("Vary") != "Accept-Encoding" || a.header.Get("ETag") == "" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	if !bytes.Contains(a.body, []byte("shelters")) || !bytes.Contains(a.body, []byte("land")) || !bytes.Contains(a.body, []byte("演示-s-02")) || !bytes.Contains(a.body, []byte("beds")) {
		t.Error("the tile lacks a layer, a name or a field")
	}
	if bytes.Contains(a.body, []byte("phone")) {
		t.Error("the tile holds a field that is not for tiles")
	}
	foreign := w.send(r14, http.MethodGet, path, nil)
	if bytes.Contains(foreign.body, []byte("s-02")) || !bytes.Contains(foreign.body, []byte("land-1")) {
		t.Error("370614 must get the public layer and nothing of 370602's shelters")
	}
	if a.header.Get("ETag") == foreign.header.Get("ETag") {
		t.Error("two contents share a tag")
	}
	if again := w.send(commander, http.MethodGet, path, nil, "If-None-Match", a.header.Get("ETag")); again.status != http.StatusNotModified || len(again.body) != 0 {
		t.Errorf("known: %d, %d bytes", again.status, len(again.body))
	}
	empty := w.send(commander, http.MethodGet, "/tiles/land/9/0/0.mvt", nil)
	if empty.status != http.StatusOK || len(empty.body) != 0 {
		t.Errorf("an empty tile: %d, %d bytes", empty.status, len(empty.body))
	}
	var doc tiles.TileJSON
	w.send(r02, http.MethodGet, "/tiles/land,shelters.json", nil).decode(t, &doc)
	if doc.Tiles[0] != w.http.URL+"/tiles/land,shelters/{z}/{x}/{y}.mvt" || len(doc.VectorLayers) != 2 || doc.VectorLayers[1].Fields["beds"] != "Number" || doc.Attribution != "© test" {
		t.Errorf("%+v", doc)
	}
}

func TestTilesAreCompressedForWhoTakesIt(t *testing.T) {
	w := newWorld(t, nil)
	w.api.o.Tiles = w.tiles(engine.Options{GzipMin: 1})
	const path = "/tiles/land,shelters/9/428/198.mvt"
	plain, packed := w.send(commander, http.MethodGet, path, nil, "Accept-Encoding", "identity"), w.send(commander, http.MethodGet, path, nil, "Accept-Encoding", "gzip")
	if plain.header.Get("Content-Encoding") != "" || packed.header.Get("Content-Encoding") != "gzip" || plain.header.Get("ETag") != packed.header.Get("ETag") {
		t.Fatalf("%v %v", plain.header, packed.header)
	}
	zr, err := gzip.NewReader(bytes.NewReader(packed.body))
	w.must(err)
	if raw, err := io.ReadAll(zr); err != nil || !bytes.Equal(raw, plain.body) {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}
