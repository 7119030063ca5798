package httpx

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// gzipMin is the size in bytes from which a JSON response is compressed. A smaller one fits into one network packet.
const gzipMin = 1400

// newCompressor returns a wrapper that compresses JSON responses for clients that accept gzip.
func newCompressor() (func(http.Handler) http.HandlerFunc, error) {
	c, err := gzhttp.NewWrapper(
		gzhttp.MinSize(gzipMin), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.ContentTypes([]string{"application/json"}), gzhttp.EnableZstd(false),
	)
	if err != nil {
		return nil, fmt.Errorf("httpx: make the compressor: %w", err)
	}
	return c, nil
}

// TakesGzip reports whether the client accepts gzip. A weight of zero (q=0) means that it does not. Source: RFC 9110, 12.5.3.
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
