package shape

import (
	"math"

	"github.com/paulmach/orb"

	"onemap/geo"
	"onemap/internal/core"
)

// Sizes of the world coordinates and of tiles. At unitZoom a tile unit is a world unit.
const (
	worldSide  = 1 << 32
	worldMax   = math.MaxUint32
	extentBits = 12 // core.TileExtent is 2^12
	unitZoom   = 32 - extentBits
	maxBuffer  = 1 << 16 // largest buffer of a view, tile units
)

// Box is a rectangle in world coordinates, including its edges. X0, Y0 is the north-west corner.
type Box struct{ X0, Y0, X1, Y1 uint32 }

// Overlaps reports whether the boxes have a point in common.
func (b Box) Overlaps(o Box) bool {
	return b.X0 <= o.X1 && o.X0 <= b.X1 && b.Y0 <= o.Y1 && o.Y0 <= b.Y1
}

// middle returns the centre of the box.
func (b Box) middle() pair { return pair{b.X0 + (b.X1-b.X0)/2, b.Y0 + (b.Y1-b.Y0)/2} }

// The sides of a view, as bits.
const (
	left = 1 << iota
	right
	top
	bottom
	everySide = left | right | top | bottom
)

// past returns the sides of the view that the box crosses or that it is beyond.
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

// beyond returns the sides of the view for which the whole box is outside. The result is 0 if the boxes overlap.
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

// OnMap reports whether a point [lon, lat] in degrees is in the square of Web Mercator.
func OnMap(p orb.Point) bool {
	return math.Abs(p[0]) <= 180 && math.Abs(p[1]) <= geo.MaxMercatorLat // comparisons with NaN are false
}

// Project returns the world coordinates of a point [lon, lat] in degrees. A point outside the map is moved to its edge.
//
// The coordinates are rounded to odd: down, and the last bit is set if the value was not exact. To round them again to
// tile units, up to zoom 18, then has the same result as to round the exact value once, which is the result of
// ST_AsMVTGeom of PostGIS. Source: Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved
// algorithms using rounding to odd" (2008).
func Project(p orb.Point) (x, y uint32) {
	lat := min(max(p[1], -geo.MaxMercatorLat), geo.MaxMercatorLat)
	return toOdd((p[0] + 180) / 360), toOdd((1 - math.Asinh(math.Tan(lat*math.Pi/180))/math.Pi) / 2)
}

// toOdd converts a fraction of the side of the world to a world coordinate, rounded to odd.
func toOdd(fraction float64) uint32 {
	v := fraction * worldSide
	if !(v > 0) { // also true for NaN
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

// View is a tile with the settings by which it is drawn.
type View struct {
	Z, X, Y   uint32  // address of the tile, Y from the north, Z at most geo.MaxTileZoom
	Buffer    int     // width of the area around the tile that is drawn too, tile units
	Tolerance float64 // largest distance of a simplified line from the exact line, tile units; 0 keeps all vertices
}

// valid reports whether the tile exists.
func (v View) valid() bool { return geo.Tile{Z: v.Z, X: v.X, Y: v.Y}.Valid() }

// buffer returns the buffer, limited to the range from 0 to maxBuffer.
func (v View) buffer() int64 { return int64(min(max(v.Buffer, 0), maxBuffer)) }

// Box returns the tile with its buffer in world coordinates, limited to the world. A shape whose box does not overlap
// it is not in the view. The result has no meaning for a tile that does not exist.
func (v View) Box() Box {
	side := int64(worldSide) >> min(v.Z, 32)
	buffer := v.buffer() * side
	buffer = (buffer + core.TileExtent - 1) >> extentBits // rounded up, because a tile unit can be smaller than a world unit
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
