package api

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// No list of any answer may be null: the description says so, and pages rely on it.
func TestEmptyListsAreLists(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Sources = nil })
	for _, path := range []string{"/api/v1/alerts", "/api/v1/devices", "/api/v1/layers", "/api/v1/sources", "/api/v1/search?q=zzzz", "/api/v1/quarantine", "/api/v1/layers/plans/features?after=999999"} {
		account := commander
		if path == "/api/v1/quarantine" {
			account = steward
		}
		a := w.send(account, http.MethodGet, path, nil)
		var doc map[string]any
		a.decode(t, &doc)
		for _, member := range []string{"items", "features"} {
			if v, ok := doc[member]; ok && v == nil {
				t.Errorf("%s: %s is null", path, member)
			}
		}
	}
}

func TestJSONIsCompressedForWhoTakesIt(t *testing.T) {
	w := newWorld(t, nil)
	for path, packs := range map[string]bool{"/api/v1/layers": true, "/api/v1/divisions?level=town": false, "/api/v1/layers/nothing": false} {
		plain, packed := w.send(commander, http.MethodGet, path, nil, "Accept-Encoding", "identity"), w.send(commander, http.MethodGet, path, nil, "Accept-Encoding", "gzip")
		if plain.status != packed.status || (packed.header.Get("Content-Encoding") == "gzip") != packs {
			t.Errorf("%s: %d %d %v", path, plain.status, packed.status, packed.header)
			continue
		}
		raw := packed.body
		if packs {
			zr, err := gzip.NewReader(bytes.NewReader(packed.body))
			w.must(err)
			if raw, err = io.ReadAll(zr); err != nil {
				t.Error(err)
			}
		}
		if !bytes.Equal(raw, plain.body) {
			t.Errorf("%s: %s\n%s", path, raw, plain.body)
		}
	}
	if a := w.send(admin, http.MethodDelete, "/api/v1/session", nil, "Accept-Encoding", "gzip"); a.status != http.StatusNoContent || len(a.body) != 0 {
		t.Errorf("an empty answer: %d", a.status)
	}
	if a := w.send("", http.MethodGet, "/api/v1/me", nil, "Accept-Encoding", "gzip"); a.status != http.StatusUnauthorized {
		t.Errorf("%d", a.status)
	}
}
