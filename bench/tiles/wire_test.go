package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"onemap/bench/kit"
)

// serveHandler is a real server; its address is host:port.
func serveHandler(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).String()
}

func get(addr, path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, addr)
}

func TestTheLoadAsksForEachEquallyOften(t *testing.T) {
	var counts [7]atomic.Int64
	addr := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counts[r.URL.Path[1]-'0'].Add(1)
		w.Header().Set("Content-Length", "5")
		_, _ = w.Write([]byte("tile" + r.URL.Path[1:]))
	}))
	var requests [][]byte
	for i := range counts {
		requests = append(requests, get(addr, fmt.Sprintf("/%d", i)))
	}
	seen, err := load(t.Context(), addr, requests, 4, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	each := counts[0].Load()
	if each < 2 || int64(len(seen.latencies)) != each*int64(len(counts)) || seen.bytes != 5*int64(len(seen.latencies)) {
		t.Errorf("%d answers of %d bytes, the first was asked for %d times", len(seen.latencies), seen.bytes, each)
	}
	for i := range counts {
		if n := counts[i].Load(); n != each {
			t.Errorf("request %d: %d times, the first %d", i, n, each)
		}
	}
}

func TestTheLoadFailsWhenAnAnswerIsNone(t *testing.T) {
	addr := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			http.Error(w, "not here", http.StatusNotFound)
		}
	}))
	_, err := load(t.Context(), addr, [][]byte{get(addr, "/good"), get(addr, "/bad")}, 2, time.Hour)
	if err == nil || !strings.Contains(err.Error(), "GET /bad") || !strings.Contains(err.Error(), "404: not here") {
		t.Errorf("got %v", err)
	}
}

func TestTheLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr := serveHandler(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done() // never answers
	}))
	if _, err := load(ctx, addr, [][]byte{get(addr, "/")}, 3, time.Hour); err == nil {
		t.Error("no error")
	}
}

func TestTheBareHandlerWritesTheSameBytesAndHeaders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "answers")
	want := kit.Answer{Path: "/tiles/a/1/2/3.mvt", Body: []byte{0, 1, 2}, Header: http.Header{
		"Etag": {`W/"x"`}, "Content-Length": {"3"}, "Content-Encoding": {"gzip"}, "Vary": {"a", "b"}, "Date": {"yesterday"},
	}}
	if err := writeAnswers(file, []kit.Answer{want}); err != nil {
		t.Fatal(err)
	}
	prepared, err := readAnswers(file)
	if err != nil {
		t.Fatal(err)
	}
	addr := serveHandler(t, bareHandler(prepared))
	s := kit.NewServer(kit.Running(addr))
	status, got, err := s.FetchPacked(t.Context(), want.Path, "")
	if err != nil || status != http.StatusOK || string(got.Body) != string(want.Body) {
		t.Fatalf("status %d, %v, %v", status, got, err)
	}
	for name, values := range want.Header {
		if name != "Date" && fmt.Sprint(got.Header[name]) != fmt.Sprint(values) {
			t.Errorf("%s: %q, want %q", name, got.Header[name], values)
		}
	}
	if got.Header.Get("Date") == "yesterday" {
		t.Error("the date was kept")
	}
	if status, _, err := s.Fetch(t.Context(), http.MethodGet, "/other", "", nil); err != nil || status != http.StatusNotFound {
		t.Errorf("another path: %d, %v", status, err)
	}
}

func TestHeadsThatAreNone(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "another protocol": "HTTP/2 200 OK please\r\n\r\n", "no status": "HTTP/1.1 2x0 OK\r\nContent-Length: 1\r\n\r\n",
		"no length": "HTTP/1.1 200 OK\r\n\r\n", "negative": "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"too long": "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", "cut off": "HTTP/1.1 200 OK\r\nContent-Le",
	} {
		if _, _, err := readHead(bufio.NewReader(strings.NewReader(text))); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzReadHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\ncontent-length: 12\r\nX: y\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 304 Not Modified\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		status, length, err := readHead(bufio.NewReader(strings.NewReader(string(text))))
		if err == nil && (status < -99 || status > 999 || length < 0 || length > maxBody) {
			t.Errorf("status %d, length %d", status, length)
		}
	})
}
