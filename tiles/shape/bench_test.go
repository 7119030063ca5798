package shape

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/paulmach/orb"

	"onemap/geo"
)

// blobs returns 20,000 polygons of 25 to 121 vertices with a radius of 0.2 to 3 km around Yantai.
func blobs() []orb.Geometry {
	rng := rand.New(rand.NewPCG(1, 2))
	all := make([]orb.Geometry, 20_000)
	for i := range all {
		centre := orb.Point{119.5 + 2.5*rng.Float64(), 36.5 + 1.9*rng.Float64()}
		radius := (0.2 + 2.8*rng.Float64()) / 111.2
		n := 25 + rng.IntN(97)
		r := make(orb.Ring, 0, n+1)
		for j := range n {
			angle := 2 * math.Pi * float64(j) / float64(n)
			far := radius * (0.7 + 0.3*rng.Float64())
			r = append(r, orb.Point{centre[0] + far*math.Cos(angle)/math.Cos(centre[1]*math.Pi/180), centre[1] + far*math.Sin(angle)})
		}
		all[i] = orb.Polygon{append(r, r[0])}
	}
	return all
}

func shapesOf(all []orb.Geometry) (shapes []Shape, vertices int) {
	var b Builder
	for _, g := range all {
		made, _ := New(g, &b)
		shapes = append(shapes, made...)
		vertices += made[0].Vertices()
	}
	return shapes, vertices
}

// BenchmarkTile cuts the shapes of one tile. They are found before the measurement, as an index finds them.
func BenchmarkTile(b *testing.B) {
	shapes, _ := shapesOf(blobs())
	for _, tile := range []struct {
		name      string
		z         uint32
		tolerance float64
	}{{"z8", 8, 4}, {"z10", 10, 4}, {"z12", 12, 4}, {"z14", 14, 4}, {"z8/whole", 8, 0}, {"z10/whole", 10, 0}} {
		b.Run(tile.name, func(b *testing.B) {
			at := geo.TileAt(orb.Point{120.75, 37.4}, tile.z)
			v := View{Z: tile.z, X: at.X, Y: at.Y, Buffer: 64, Tolerance: tile.tolerance}
			var in []*Shape
			for i := range shapes {
				if shapes[i].Box.Overlaps(v.Box()) {
					in = append(in, &shapes[i])
				}
			}
			var c Cutter
			dst := make([]byte, 0, 8<<20)
			b.ReportAllocs()
			for b.Loop() {
				dst = dst[:0]
				for _, s := range in {
					dst = c.Commands(dst, s, &v)
				}
			}
			b.ReportMetric(float64(len(in)), "features")
			b.ReportMetric(float64(len(dst)), "bytes")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(max(len(in), 1)), "ns/feature")
		})
	}
}

// BenchmarkIslands cuts one island out of a feature of 10,000 islands.
func BenchmarkIslands(b *testing.B) {
	var islands orb.MultiPolygon
	for i := range 10_000 {
		islands = append(islands, coast(uint64(i), 20, orb.Point{120 + float64(i%100)*0.01, 37 + float64(i/100)*0.01}, 0.002))
	}
	shapes, _ := New(islands, nil)
	at := geo.TileAt(orb.Point{120.5, 37.5}, 14)
	v := View{Z: 14, X: at.X, Y: at.Y, Buffer: 64, Tolerance: 4}
	var c Cutter
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = c.Commands(dst[:0], &shapes[0], &v)
	}
	b.ReportMetric(float64(len(dst)), "bytes")
}

func BenchmarkNew(b *testing.B) {
	all := blobs()
	var builder Builder
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		New(all[i%len(all)], &builder)
		i++
	}
}

// BenchmarkCoast cuts a coast of 40,000 vertices at a zoom where a tile sees little of it.
func BenchmarkCoast(b *testing.B) {
	shapes, _ := New(coast(9, 40_000, orb.Point{120.7, 37.4}, 1), nil)
	s := &shapes[0]
	for _, view := range []struct {
		name string
		at   pair
	}{{"shore", s.vertices()[777]}, {"inland", pair{s.Box.X0/2 + s.Box.X1/2, s.Box.Y0/2 + s.Box.Y1/2}}} {
		b.Run(view.name, func(b *testing.B) {
			v := View{Z: 14, X: view.at.x >> 18, Y: view.at.y >> 18, Buffer: 64, Tolerance: 4}
			var c Cutter
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst = c.Commands(dst[:0], s, &v)
			}
			b.ReportMetric(float64(len(dst)), "bytes")
		})
	}
}

// BenchmarkNewQuadratic makes shapes whose ranking is quadratic for a naive splitter.
func BenchmarkNewQuadratic(b *testing.B) {
	for name, l := range map[string]orb.LineString{"spiral": spiral(40_000), "saw": saw(40_000)} {
		b.Run(name, func(b *testing.B) {
			var builder Builder
			for b.Loop() {
				New(l, &builder)
			}
		})
	}
}

// BenchmarkHeap reports the live heap of 20,000 shapes.
func BenchmarkHeap(b *testing.B) {
	all := blobs()
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		shapes, vertices := shapesOf(all)
		shapes = append([]Shape(nil), shapes...)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(vertices), "heap-bytes/vertex")
		runtime.KeepAlive(shapes)
	}
}
