package httpx

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

// BenchmarkCompressed sends JSON of several sizes to a client that accepts gzip.
func BenchmarkCompressed(b *testing.B) {
	s, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, items := range []int{5, 500, 5000} {
		list := make([]map[string]any, items)
		for i := range list {
			list[i] = map[string]any{"id": i, "name": "演示-水位站" + strconv.Itoa(i), "lon": 121.4 + float64(i)/1e4, "lat": 37.5, "online": i%7 != 0}
		}
		doc, err := json.Marshal(list)
		if err != nil {
			b.Fatal(err)
		}
		h := s.compress(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(doc)
		}))
		b.Run(strconv.Itoa(len(doc)), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
			r.Header.Set("Accept-Encoding", "gzip")
			for b.Loop() {
				w := httptest.NewRecorder()
				h(w, r)
				if items > 5 && w.Header().Get("Content-Encoding") != "gzip" {
					b.Fatal("it is not compressed")
				}
			}
		})
	}
}
