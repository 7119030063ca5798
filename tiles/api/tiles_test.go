package tilesapi_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/klauspost/compress/gzip"

	"onemap/tiles"
	"onemap/tiles/engine"
	"onemap/web/server/servertest"
)

func TestTilesOverHTTP(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/tiles/land,shelters/9/428/198.mvt" // holds 121.4, 37.5 but not 120.8, 37.8
	a := w.Send(servertest.Commander, http.MethodGet, path, nil)
	if a.Status != http.StatusOK || len(a.Body) == 0 || a.Header.Get("Content-Type") != "application/vnd.mapbox-vector-tile" ||
		a.Header.Get("Cache-Control") != "private, no-cache" || a.Header.Get("Vary") != "Accept-Encoding" || a.Header.Get("ETag") == "" {
		t.Fatalf("%d %v", a.Status, a.Header)
	}
	if !bytes.Contains(a.Body, []byte("shelters")) || !bytes.Contains(a.Body, []byte("land")) || !bytes.Contains(a.Body, []byte("演示-s-02")) || !bytes.Contains(a.Body, []byte("beds")) {
		t.Error("the tile lacks a layer, a name or a field")
	}
	if bytes.Contains(a.Body, []byte("phone")) {
		t.Error("the tile holds a field that is not for tiles")
	}
	foreign := w.Send(servertest.R14, http.MethodGet, path, nil)
	if bytes.Contains(foreign.Body, []byte("s-02")) || !bytes.Contains(foreign.Body, []byte("land-1")) {
		t.Error("370614 must get the public layer and nothing of 370602's shelters")
	}
	if a.Header.Get("ETag") == foreign.Header.Get("ETag") {
		t.Error("two contents share a tag")
	}
	if again := w.Send(servertest.Commander, http.MethodGet, path, nil, "If-None-Match", a.Header.Get("ETag")); again.Status != http.StatusNotModified || len(again.Body) != 0 {
		t.Errorf("known: %d, %d bytes", again.Status, len(again.Body))
	}
	empty := w.Send(servertest.Commander, http.MethodGet, "/tiles/land/9/0/0.mvt", nil)
	if empty.Status != http.StatusOK || len(empty.Body) != 0 {
		t.Errorf("an empty tile: %d, %d bytes", empty.Status, len(empty.Body))
	}
	var doc tiles.TileJSON
	w.Send(servertest.R02, http.MethodGet, "/tiles/land,shelters.json", nil).Decode(t, &doc)
	if doc.Tiles[0] != w.HTTP.URL+"/tiles/land,shelters/{z}/{x}/{y}.mvt" || len(doc.VectorLayers) != 2 || doc.VectorLayers[1].Fields["beds"] != "Number" || doc.Attribution != "© test" {
		t.Errorf("%+v", doc)
	}
}

func TestTilesAreCompressedForWhoTakesIt(t *testing.T) {
	w := newWorld(t, nil)
	o := w.Options
	o.Tiles.Tiles, o.HTTP.Registerer = w.Tiles(engine.Options{GzipMin: 1}), nil
	w.Serve(o)
	const path = "/tiles/land,shelters/9/428/198.mvt"
	plain, packed := w.Send(servertest.Commander, http.MethodGet, path, nil, "Accept-Encoding", "identity"), w.Send(servertest.Commander, http.MethodGet, path, nil, "Accept-Encoding", "gzip")
	if plain.Header.Get("Content-Encoding") != "" || packed.Header.Get("Content-Encoding") != "gzip" || plain.Header.Get("ETag") != packed.Header.Get("ETag") {
		t.Fatalf("%v %v", plain.Header, packed.Header)
	}
	zr, err := gzip.NewReader(bytes.NewReader(packed.Body))
	w.Must(err)
	if raw, err := io.ReadAll(zr); err != nil || !bytes.Equal(raw, plain.Body) {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}
