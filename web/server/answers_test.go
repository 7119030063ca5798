package server_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/klauspost/compress/gzip"

	"onemap/web/server"
	"onemap/web/server/servertest"
)

// No list in any answer may be null: the description promises that, and pages rely on it.
func TestEmptyListsAreLists(t *testing.T) {
	w := newWorld(t, func(o *server.Options) { o.Catalogue.Sources = nil })
	for _, path := range []string{"/api/v1/alerts", "/api/v1/devices", "/api/v1/layers", "/api/v1/sources", "/api/v1/search?q=zzzz", "/api/v1/quarantine", "/api/v1/layers/plans/features?after=999999"} {
		account := servertest.Commander
		if path == "/api/v1/quarantine" {
			account = servertest.Steward
		}
		a := w.Send(account, http.MethodGet, path, nil)
		var doc map[string]any
		a.Decode(t, &doc)
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
		plain, packed := w.Send(servertest.Commander, http.MethodGet, path, nil, "Accept-Encoding", "identity"), w.Send(servertest.Commander, http.MethodGet, path, nil, "Accept-Encoding", "gzip")
		if plain.Status != packed.Status || (packed.Header.Get("Content-Encoding") == "gzip") != packs {
			t.Errorf("%s: %d %d %v", path, plain.Status, packed.Status, packed.Header)
			continue
		}
		raw := packed.Body
		if packs {
			zr, err := gzip.NewReader(bytes.NewReader(packed.Body))
			w.Must(err)
			if raw, err = io.ReadAll(zr); err != nil {
				t.Error(err)
			}
		}
		if !bytes.Equal(raw, plain.Body) {
			t.Errorf("%s: %s\n%s", path, raw, plain.Body)
		}
	}
	if a := w.Send(servertest.Admin, http.MethodDelete, "/api/v1/session", nil, "Accept-Encoding", "gzip"); a.Status != http.StatusNoContent || len(a.Body) != 0 {
		t.Errorf("an empty answer: %d", a.Status)
	}
	if a := w.Send("", http.MethodGet, "/api/v1/me", nil, "Accept-Encoding", "gzip"); a.Status != http.StatusUnauthorized {
		t.Errorf("%d", a.Status)
	}
}
