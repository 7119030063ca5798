package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"onemap/internal/httpx"
	"onemap/web/server/servertest"
)

// nowhere is a ResponseWriter that discards the answer.
type nowhere struct{ h http.Header }

func (n nowhere) Header() http.Header { return n.h }

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

func (nowhere) WriteHeader(int) {}

// BenchmarkCachedTile measures what the server adds to a tile that is ready to be sent: sessions, routes, headers and
// metrics, without the connection. The baseline is a handler that writes the same bytes.
func BenchmarkCachedTile(b *testing.B) {
	w := newWorld(b, nil)
	request := func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/tiles/land,shelters/9/428/198.mvt", nil)
		r.Header.Set("Cookie", httpx.SessionCookie+"="+w.Tokens[servertest.Commander])
		r.Header.Set("Accept-Encoding", "gzip")
		return r
	}
	b.Run("server", func(b *testing.B) {
		r := request()
		b.ReportAllocs()
		for b.Loop() {
			w.API.ServeHTTP(nowhere{http.Header{}}, r)
		}
	})
	b.Run("bare", func(b *testing.B) {
		body := make([]byte, 700)
		bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.mapbox-vector-tile")
			_, _ = w.Write(body)
		})
		r := request()
		b.ReportAllocs()
		for b.Loop() {
			bare.ServeHTTP(nowhere{http.Header{}}, r)
		}
	})
}
