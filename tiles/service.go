package tiles

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onemap/internal/core"
	"onemap/internal/errs"
)

// Options are the service's settings; the zero value of each is the default beside it.
type Options struct {
	AtOnce  int // 8: tiles that the source makes at the same time; the others wait
	GzipMin int // 512: the smallest tile, in bytes, that is compressed
}

// Request asks for one tile.
type Request struct {
	Layers  []string // as ParseLayers gives them
	Address Address
	Gzip    bool   // the client takes gzip
	IfNone  string // the client's If-None-Match, as it was sent
}

// Tile is one tile, ready to be sent.
type Tile struct {
	Bytes       []byte // empty when nothing is there, or NotModified
	Gzip        bool   // Bytes are compressed
	ETag        string // of the content, whatever its compression; the same on every node
	NotModified bool   // the client has it already
}

// Service gives tiles to the web floor. It is safe for concurrent use.
type Service struct {
	o       Options
	source  Source
	turns   chan struct{}
	writers sync.Pool
	seconds *prometheus.HistogramVec
	bytes   prometheus.Histogram
}

// NewService makes the service over a source. reg may be nil.
func NewService(o Options, src Source, reg prometheus.Registerer) *Service {
	if o.AtOnce <= 0 {
		o.AtOnce = 8
	}
	if o.GzipMin <= 0 {
		o.GzipMin = 512
	}
	v := &Service{o: o, source: src, turns: make(chan struct{}, o.AtOnce)}
	v.writers.New = func() any {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid: no error
		return w
	}
	v.seconds = promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
		Name: "onemap_tile_seconds", Help: "Time to make a tile, by outcome: ok, empty, refused, failed.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 10),
	}, []string{"outcome"})
	v.bytes = promauto.With(reg).NewHistogram(prometheus.HistogramOpts{
		Name: "onemap_tile_bytes", Help: "Size of the tiles that were made, uncompressed.",
		Buckets: prometheus.ExponentialBuckets(256, 4, 8),
	})
	return v
}

// Tile makes one tile in a scope. The errors are the source's.
func (v *Service) Tile(ctx context.Context, s core.Scope, r Request) (Tile, error) {
	start := time.Now()
	raw, err := v.make(ctx, s, r)
	v.seconds.WithLabelValues(outcome(raw, err)).Observe(time.Since(start).Seconds())
	if err != nil {
		return Tile{}, err
	}
	v.bytes.Observe(float64(len(raw)))
	t := Tile{ETag: etag(raw)}
	if matches(r.IfNone, t.ETag) {
		t.NotModified = true
		return t, nil
	}
	t.Bytes = raw
	if r.Gzip && len(raw) >= v.o.GzipMin {
		if packed := v.compress(raw); len(packed) < len(raw) {
			t.Bytes, t.Gzip = packed, true
		}
	}
	return t, nil
}

// make asks the source when it is this request's turn.
func (v *Service) make(ctx context.Context, s core.Scope, r Request) ([]byte, error) {
	select {
	case v.turns <- struct{}{}:
		defer func() { <-v.turns }()
	case <-ctx.Done():
		return nil, fmt.Errorf("tiles: wait for a turn: %w", ctx.Err())
	}
	return v.source.Tile(ctx, s, r.Layers, r.Address)
}

func outcome(raw []byte, err error) string {
	switch k := errs.KindOf(err); {
	case err == nil && len(raw) > 0:
		return "ok"
	case err == nil:
		return "empty"
	case k == errs.Internal || k == errs.Unavailable:
		return "failed"
	default:
		return "refused"
	}
}

// compress packs the bytes; a bytes.Buffer never fails to take them.
func (v *Service) compress(raw []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(raw) / 2)
	w := v.writers.Get().(*gzip.Writer)
	defer v.writers.Put(w)
	w.Reset(&out)
	_, _ = w.Write(raw)
	_ = w.Close()
	return out.Bytes()
}

// etag is a weak one: the compressed and the plain bytes of a tile share it.
func etag(raw []byte) string {
	sum := sha256.Sum256(raw)
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`
}

// matches is If-None-Match: a list of tags compared weakly (RFC 9110, 13.1.2), or *.
func matches(header, tag string) bool {
	if header == "" {
		return false
	}
	tag = strings.TrimPrefix(tag, "W/")
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}
