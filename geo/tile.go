package geo

import (
	"math"
	"strconv"

	"github.com/paulmach/orb"

	"onemap/internal/fault"
)

// Tile is the address of a tile in the Web Mercator pyramid (XYZ scheme): zoom, column from 180°W, row from the north.
type Tile struct{ Z, X, Y uint32 }

// MaxTileZoom is the deepest zoom that an address may have.
const MaxTileZoom = 30

// MaxTileServed is the deepest zoom of the tiles that are served.
const MaxTileServed = 22

// MaxMercatorLat is the latitude at which the square of Web Mercator ends. Units: degrees.
const MaxMercatorLat = 85.0511287798066

// MercatorHalf is half the side of the square of EPSG:3857. Units: metres.
const MercatorHalf = math.Pi * 6378137

// ParseTile parses the three numbers of a tile's address. It returns fault.Invalid with the field z, x or y if a number
// has leading zeros or another character than digits, if the zoom is above maxZoom, or if the tile is outside the
// world. An address has only one valid form, so that caches keep each tile once.
func ParseTile(z, x, y string, maxZoom uint32) (Tile, error) {
	var t Tile
	for _, part := range []struct {
		field, text string
		to          *uint32
	}{{"z", z, &t.Z}, {"x", x, &t.X}, {"y", y, &t.Y}} {
		n, err := strconv.ParseUint(part.text, 10, 32)
		if err != nil || (len(part.text) > 1 && part.text[0] == '0') {
			return Tile{}, fault.InvalidField(part.field, "%q is not a whole number", clip(part.text, 20))
		}
		*part.to = uint32(n)
	}
	maxZoom = min(maxZoom, MaxTileZoom)
	if t.Z > maxZoom {
		return Tile{}, fault.InvalidField("z", "%d is beyond %d", t.Z, maxZoom)
	}
	side := uint32(1) << t.Z
	if t.X >= side {
		return Tile{}, fault.InvalidField("x", "%d is outside the world: zoom %d has %d columns", t.X, t.Z, side)
	}
	if t.Y >= side {
		return Tile{}, fault.InvalidField("y", "%d is outside the world: zoom %d has %d rows", t.Y, t.Z, side)
	}
	return t, nil
}

// Valid reports whether the zoom is at most MaxTileZoom and the tile is inside the world.
func (t Tile) Valid() bool {
	return t.Z <= MaxTileZoom && t.X < 1<<t.Z && t.Y < 1<<t.Z
}

// Bound returns the rectangle of the tile in degrees, {lon, lat}.
func (t Tile) Bound() orb.Bound {
	side := float64(uint64(1) << t.Z)
	lon := func(x float64) float64 { return x/side*360 - 180 }
	lat := func(y float64) float64 {
		return math.Atan(math.Sinh(math.Pi*(1-2*y/side))) * 180 / math.Pi
	}
	x, y := float64(t.X), float64(t.Y)
	return orb.Bound{Min: orb.Point{lon(x), lat(y + 1)}, Max: orb.Point{lon(x + 1), lat(y)}}
}

// TileAt returns the tile of a zoom that contains the point {lon, lat}. For a point outside the square it returns the
// nearest tile.
func TileAt(p orb.Point, z uint32) Tile {
	side := float64(uint64(1) << z)
	x := (p[0] + 180) / 360 * side
	sin := math.Sin(min(max(p[1], -MaxMercatorLat), MaxMercatorLat) * math.Pi / 180)
	y := (0.5 - math.Log((1+sin)/(1-sin))/(4*math.Pi)) * side
	index := func(v float64) uint32 { return uint32(min(max(math.Floor(v), 0), side-1)) }
	return Tile{Z: z, X: index(x), Y: index(y)}
}

// ToMercator projects {lon, lat} in degrees to {x, y} in metres of EPSG:3857. It limits the latitude to the square.
func ToMercator(p orb.Point) orb.Point {
	lat := min(max(p[1], -MaxMercatorLat), MaxMercatorLat)
	return orb.Point{
		p[0] / 180 * MercatorHalf,
		math.Asinh(math.Tan(lat*math.Pi/180)) / math.Pi * MercatorHalf,
	}
}

// FromMercator is the inverse of ToMercator: it returns {lon, lat} in degrees.
func FromMercator(m orb.Point) orb.Point {
	return orb.Point{
		m[0] / MercatorHalf * 180,
		math.Atan(math.Sinh(m[1]/MercatorHalf*math.Pi)) * 180 / math.Pi,
	}
}
