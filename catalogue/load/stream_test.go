package load_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/paulmach/orb"

	"onemap/catalogue/geojson"
	"onemap/catalogue/load"
	"onemap/geo"
)

// TestALargeFileIsStreamed reads 200,000 points and 20,000 polygons of one collection and watches
// the heap.
func TestALargeFileIsStreamed(t *testing.T) {
	const points, polygons, bound = 200_000, 20_000, 64 << 20
	read, write := io.Pipe()
	go func() { _ = write.CloseWithError(writeLarge(write, points, polygons)) }()
	r, err := load.Open(read, load.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before, worst, n := stats.HeapAlloc, uint64(0), 0
	for ; ; n++ {
		record, refusal, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || refusal != nil {
			t.Fatalf("feature %d: %v, %v", n, refusal, err)
		}
		if record.Line != n+2 {
			t.Fatalf("feature %d is at line %d", n, record.Line)
		}
		if n%10_000 == 0 {
			runtime.ReadMemStats(&stats)
			worst = max(worst, stats.HeapAlloc)
		}
	}
	if n != points+polygons {
		t.Errorf("%d features, not %d", n, points+polygons)
	}
	if worst > before+bound {
		t.Errorf("the heap grew by %d MiB", (worst-before)>>20)
	}
}

func writeLarge(to io.Writer, points, polygons int) error {
	w := bufio.NewWriterSize(to, 1<<16)
	area, err := geojson.Encode(geo.Circle(orb.Point{121, 37}, 2000, 24))
	if err != nil {
		return err
	}
	_, _ = w.WriteString("{\"type\":\"FeatureCollection\",\"features\":[")
	for i := range points + polygons {
		shape := area
		if i < points {
			shape = fmt.Appendf(nil, `{"type":"Point","coordinates":[%g,%g]}`, 119+float64(i%3000)/1000, 36+float64(i%2000)/1000)
		}
		if i > 0 {
			_ = w.WriteByte(',')
		}
		fmt.Fprintf(w, "\n{\"type\":\"Feature\",\"id\":%d,\"properties\":{\"name\":\"演示-%d\",\"level\":%d,\"note\":\"some words\"},\"geometry\":%s}", i, i, i%5, shape)
	}
	_, _ = w.WriteString("]}\n")
	return w.Flush()
}
