package httpx

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// gzipMin is the smallest JSON answer, in bytes, that is compressed.
const gzipMin = 1400

// packer compresses a JSON answer whose first write is large enough. huma writes a document in one
// piece, so the first write is the whole of it.
type packer struct {
	http.ResponseWriter
	writers *sync.Pool
	status  int
	gz      *gzip.Writer
	begun   bool
}

// newWriters is a pool of gzip writers for packers.
func newWriters() *sync.Pool {
	return &sync.Pool{New: func() any {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid: no error
		return w
	}}
}

// WriteHeader waits for the first write, which decides about the headers.
func (p *packer) WriteHeader(code int) {
	if p.status == 0 {
		p.status = code
	}
}

// Write sends the headers with the first piece.
func (p *packer) Write(b []byte) (int, error) {
	if !p.begun {
		p.begin(len(b))
	}
	if p.gz == nil {
		n, err := p.ResponseWriter.Write(b)
		return n, err
	}
	n, err := p.gz.Write(b)
	if err != nil {
		return n, fmt.Errorf("httpx: compress an answer: %w", err)
	}
	return n, nil
}

func (p *packer) begin(size int) {
	p.begun = true
	h := p.Header()
	h.Add("Vary", "Accept-Encoding")
	if size >= gzipMin && h.Get("Content-Encoding") == "" && strings.HasPrefix(h.Get("Content-Type"), "application/json") {
		h.Set("Content-Encoding", "gzip")
		h.Del("Content-Length")
		p.gz, _ = p.writers.Get().(*gzip.Writer)
		p.gz.Reset(p.ResponseWriter)
	}
	if p.status != 0 {
		p.ResponseWriter.WriteHeader(p.status)
	}
}

// Unwrap is for http.ResponseController.
func (p *packer) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// finish sends what is left: the end of the compressed bytes, or the headers of an empty answer.
func (p *packer) finish() {
	if !p.begun && p.status != 0 {
		p.ResponseWriter.WriteHeader(p.status)
	}
	if p.gz != nil {
		_ = p.gz.Close() // the client has gone: nobody is left to tell
		p.gz.Reset(nil)
		p.writers.Put(p.gz)
	}
}

// compressing lets the JSON operation h compress its answer for a client that takes it. After a panic
// nothing is finished: the recovery answers instead.
func (s *Server) compressing(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !TakesGzip(r) {
			h(w, r)
			return
		}
		p := &packer{ResponseWriter: w, writers: s.writers}
		h(p, r)
		p.finish()
	}
}

// TakesGzip reports whether the client accepts gzip: named without a weight of zero.
func TakesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(part, ";")
		if coding = strings.TrimSpace(coding); coding != "gzip" && coding != "*" {
			continue
		}
		weight, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		if !ok {
			return true
		}
		q, err := strconv.ParseFloat(weight, 64)
		return err == nil && q > 0
	}
	return false
}
