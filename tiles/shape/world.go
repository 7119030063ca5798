package shape

import (
	"math"

	"github.com/paulmach/orb"

	"onemap/geo"
	"onemap/internal/core"
)

const (
	worldSide  = 1 << 32
	worldMax   = math.MaxUint32
	extentBits = 12 // of core.TileExtent
	unitZoom   = 32 - extentBits
	maxBuffer  = 1 << 16
)

// Box is a rectangle in world coordinates, its ends included.
type Box struct{ X0, Y0, X1, Y1 uint32 }

// Overlaps reports whether the boxes have a point in common.
func (b Box) Overlaps(o Box) bool {
	return b.X0 <= o.X1 && o.X0 <= b.X1 && b.Y0 <= o.Y1 && o.Y0 <= b.Y1
}

// middle is the box's middle.
func (b Box) middle() pair { return pair{b.X0 + (b.X1-b.X0)/2, b.Y0 + (b.Y1-b.Y0)/2} }

// The sides of a view, as bits.
const (
	left = 1 << iota
	right
	top
	bottom
	everySide = left | right | top | bottom
)

// past returns the sides of the view beyond which the box reaches.
func (b Box) past(view Box) (sides uint8) {
	if b.X0 < view.X0 {
		sides |= left
	}
	if b.X1 > view.X1 {
		sides |= right
	}
	if b.Y0 < view.Y0 {
		sides |= top
	}
	if b.Y1 > view.Y1 {
		sides |= bottom
	}
	return sides
}

// beyond returns the sides of the view beyond which the whole box lies.
func (b Box) beyond(view Box) (sides uint8) {
	if b.X1 < view.X0 {
		sides |= left
	}
	if b.X0 > view.X1 {
		sides |= right
	}
	if b.Y1 < view.Y0 {
		sides |= top
	}
	if b.Y0 > view.Y1 {
		sides |= bottom
	}
	return sides
}

// OnMap reports whether a point (lon, lat in degrees) is in the square of Web Mercator.
func OnMap(p orb.Point) bool {
	return math.Abs(p[0]) <= 180 && math.Abs(p[1]) <= geo.MaxMercatorLat // a NaN is neither
}

// Project returns the world coordinates of a point (lon, lat in degrees). One that is not OnMap is held
// at the edge.
//
// They are rounded to odd: down, with the last bit set when something was lost. Rounding that again
// to tile units, to zoom 18, is then the same as rounding the exact value once, and results in the
// coordinates of PostGIS' ST_AsMVTGeom. See Boldo and Melquiond, "Emulation of a FMA and correctly
// rounded sums: proved algorithms using rounding to odd", 2008.
func Project(p orb.Point) (x, y uint32) {
	lat := min(max(p[1], -geo.MaxMercatorLat), geo.MaxMercatorLat)
	return toOdd((p[0] + 180) / 360), toOdd((1 - math.Asinh(math.Tan(lat*math.Pi/180))/math.Pi) / 2)
}

// toOdd turns a fraction of the world's side into a world coordinate, rounded to odd.
func toOdd(fraction float64) uint32 {
	v := fraction * worldSide
	if !(v > 0) { // nor a NaN
		return 0
	}
	if v >= worldSide {
		return worldMax
	}
	whole := uint32(v)
	if float64(whole) != v {
		whole |= 1
	}
	return whole
}

// View is a tile and how it is drawn.
type View struct {
	Z, X, Y   uint32  // the tile's address, y from the north, Z at most geo.MaxTileZoom
	Buffer    int     // tile units around the tile that are drawn too
	Tolerance float64 // how far a simplified line may lie beside the true one, tile units; 0: all vertices
}

// valid reports whether the view is of a tile that there is.
func (v View) valid() bool { return geo.Tile{Z: v.Z, X: v.X, Y: v.Y}.Valid() }

// buffer is the buffer that is meant.
func (v View) buffer() int64 { return int64(min(max(v.Buffer, 0), maxBuffer)) }

// Box is the tile with its buffer in world coordinates, held inside the world: what has nothing there
// is not in the view. It means nothing for a tile that there is not.
func (v View) Box() Box {
	side := int64(worldSide) >> min(v.Z, 32)
	buffer := v.buffer() * side
	buffer = (buffer + core.TileExtent - 1) >> extentBits // outwards when a unit is less than one of the world's
	span := func(i uint32) (lo, hi uint32) {
		start := int64(i) * side
		return uint32(max(start-buffer, 0)), uint32(min(start+side+buffer, worldMax))
	}
	var b Box
	b.X0, b.X1 = span(v.X)
	b.Y0, b.Y1 = span(v.Y)
	return b
}

// Single returns the position of a shape that is one point. ok is false for any other shape.
func (s *Shape) Single() (x, y uint32, ok bool) {
	return s.Box.X0, s.Box.Y0, s.Kind == Point && s.Box.X0 == s.Box.X1 && s.Box.Y0 == s.Box.Y1
}
