package memory

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/paulmach/orb"

	"onemap/geo"
)

func BenchmarkRender(b *testing.B) {
	for name, l := range map[string]*Layer{"points": sample(b, 200_000, 0), "polygons": sample(b, 0, 20_000)} {
		for _, z := range []uint32{6, 8, 9, 10, 11, 12, 14} {
			b.Run(fmt.Sprintf("%s/z%d", name, z), func(b *testing.B) {
				t := geo.TileAt(orb.Point{120.7, 37.4}, z)
				var s Scratch
				var p Part
				b.ReportAllocs()
				for b.Loop() {
					p = l.Render(Query{Z: z, X: t.X, Y: t.Y, MaxZoom: 14}, &s)
				}
				b.ReportMetric(float64(len(p.Bytes)), "bytes")
				b.ReportMetric(float64(p.Shown), "features")
			})
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkHeap tells the live heap of a layer a point and a vertex, four attributes included.
func BenchmarkHeap(b *testing.B) {
	for b.Loop() {
		before := heap()
		points := sample(b, 1_000_000, 0)
		after := heap()
		b.ReportMetric(float64(after-before)/1e6, "B/point")
		b.ReportMetric(float64(points.Stats().Bytes)/1e6, "B/point-told")
		runtime.KeepAlive(points)
		before = heap()
		polygons := sample(b, 0, 100_000)
		after = heap()
		n := float64(polygons.Stats().Vertices)
		b.ReportMetric(float64(after-before)/n, "B/vertex")
		b.ReportMetric(float64(polygons.Stats().Bytes)/n, "B/vertex-told")
		runtime.KeepAlive(polygons)
	}
}
