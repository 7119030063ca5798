package memory

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/paulmach/orb"

	"onemap/geo"
	"onemap/tiles/shape"
	"onemap/tiles/testset"
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

// BenchmarkHeap reports the live heap of a layer, in bytes for each point and each vertex, including four attributes.
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

// BenchmarkIndex measures a move of one point or polygon, which removes it from the index and adds it at another place,
// and the search for the points of one tile.
func BenchmarkIndex(b *testing.B) {
	var builder shape.Builder
	move := func(b *testing.B, l *Layer, ids int64, at func(r *rand.Rand) orb.Geometry) {
		r := rand.New(rand.NewPCG(1, 1))
		items := make([]Item, 0, 4096)
		for range cap(items) {
			f := testset.Feature{Geometry: at(r), Name: "moved", Kind: "kind-01", Division: "370602"}
			items = append(items, l.Prepare(stored(1+r.Int64N(ids), &f), &builder))
		}
		i := 0
		for b.Loop() {
			if _, err := l.Put(&items[i%len(items)]); err != nil {
				b.Fatal(err)
			}
			i++
		}
	}
	points, polygons := sample(b, 200_000, 0), sample(b, 0, 20_000)
	b.Run("move-point", func(b *testing.B) {
		move(b, points, 200_000, func(r *rand.Rand) orb.Geometry { return orb.Point{119.5 + 2.5*r.Float64(), 36.5 + 1.9*r.Float64()} })
	})
	b.Run("move-polygon", func(b *testing.B) {
		move(b, polygons, 20_000, func(r *rand.Rand) orb.Geometry {
			return testset.Polygon(r, orb.Point{119.6 + 2.3*r.Float64(), 36.6 + 1.7*r.Float64()})
		})
	})
	b.Run("find-z14", func(b *testing.B) {
		t := geo.TileAt(orb.Point{120.7, 37.4}, 14)
		view := shape.View{Z: 14, X: t.X, Y: t.Y, Buffer: 64}.Box()
		var s Scratch
		for b.Loop() {
			s.dots = s.dots[:0]
			s.scanPoints(points, &Query{Z: 14}, view, view, raster{})
		}
		b.ReportMetric(float64(len(s.dots)), "points")
	})
}
