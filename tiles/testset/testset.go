// Package testset makes the data of the tile benchmarks and tests: points, two thirds of them in 60
// clusters, and overlapping polygons of 25 to 121 vertices, in lon 119.5–122, lat 36.5–38.4, each with
// four attributes. The same seed makes the same data.
package testset

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/paulmach/orb"

	"onemap/internal/core"
)

// Bound is where everything lies, lon/lat.
func Bound() orb.Bound { return orb.Bound{Min: orb.Point{119.5, 36.5}, Max: orb.Point{122, 38.4}} }

// Feature is one feature with its four attributes: name, level, kind and stock.
type Feature struct {
	Key      string
	Name     string
	Level    core.Level
	Kind     string
	Stock    float64
	Division string
	Geometry orb.Geometry
}

const (
	clusters = 60
	kinds    = 12
	counties = 13
)

// Points returns n points, one after the other.
func Points(seed uint64, n int, each func(*Feature) error) error {
	r := rand.New(rand.NewPCG(seed, 1))
	centres := make([]orb.Point, clusters)
	for i := range centres {
		centres[i] = anywhere(r, 0.1)
	}
	for i := range n {
		p := anywhere(r, 0)
		if r.IntN(3) > 0 {
			c := centres[r.IntN(clusters)]
			p = inside(orb.Point{c[0] + r.NormFloat64()*0.03, c[1] + r.NormFloat64()*0.025})
		}
		if err := each(describe(r, "p", i, p)); err != nil {
			return err
		}
	}
	return nil
}

// Polygons calls each with n polygons that have a radius of 0.2 to 3 km.
func Polygons(seed uint64, n int, each func(*Feature) error) error {
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range n {
		if err := each(describe(r, "a", i, Polygon(r, anywhere(r, 0.04)))); err != nil {
			return err
		}
	}
	return nil
}

// Polygon is one of them around a place.
func Polygon(r *rand.Rand, c orb.Point) orb.Polygon {
	vertices := 24 + r.IntN(97)
	radius := 0.2 + 2.8*r.Float64()*r.Float64() // km
	phase, lobes := r.Float64()*2*math.Pi, float64(2+r.IntN(5))
	ring := make(orb.Ring, 0, vertices+1)
	for v := range vertices {
		a := 2 * math.Pi * float64(v) / float64(vertices)
		d := radius * (1 + 0.25*math.Sin(lobes*a+phase) + 0.05*(r.Float64()-0.5))
		ring = append(ring, orb.Point{c[0] + d*math.Cos(a)/88.8, c[1] + d*math.Sin(a)/111.2})
	}
	return orb.Polygon{append(ring, ring[0])}
}

func anywhere(r *rand.Rand, margin float64) orb.Point {
	b := Bound()
	return orb.Point{
		b.Min[0] + margin + r.Float64()*(b.Max[0]-b.Min[0]-2*margin),
		b.Min[1] + margin + r.Float64()*(b.Max[1]-b.Min[1]-2*margin),
	}
}

func inside(p orb.Point) orb.Point {
	b := Bound()
	return orb.Point{min(max(p[0], b.Min[0]), b.Max[0]), min(max(p[1], b.Min[1]), b.Max[1])}
}

func describe(r *rand.Rand, prefix string, i int, g orb.Geometry) *Feature {
	return &Feature{
		Key: fmt.Sprintf("%s%07d", prefix, i), Name: fmt.Sprintf("%s 演示 %d", prefix, i), Level: core.Level(r.IntN(5)),
		Kind: fmt.Sprintf("kind-%02d", r.IntN(kinds)), Stock: math.Round(r.Float64()*10_000) / 10,
		Division: fmt.Sprintf("3706%02d", 2+r.IntN(counties)), Geometry: g,
	}
}
