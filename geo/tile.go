package geo

import (
	"math"
	"strconv"

	"github.com/paulmach/orb"

	"onemap/internal/fault"
)

// Tile is an address in the Web Mercator pyramid: zoom, column from 180°W, row from the north.
type Tile struct{ Z, X, Y uint32 }

// MaxTileZoom is the deepest zoom that an address may have.
const MaxTileZoom = 30

// MaxTileServed is the deepest zoom of the tiles that are served.
const MaxTileServed = 22

// MaxMercatorLat is where the square of Web Mercator ends, degrees.
const MaxMercatorLat = 85.0511287798066

// MercatorHalf is half the side of the square of EPSG:3857, metres.
const MercatorHalf = math.Pi * 6378137

// ParseTile reads the three numbers of a tile's address. Zoom is at most maxZoom. The error is
// fault.Invalid with the field z, x or y.
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

// Valid reports whether the tile is in the world.
func (t Tile) Valid() bool {
	return t.Z <= MaxTileZoom && t.X < 1<<t.Z && t.Y < 1<<t.Z
}

// Bound is the tile's rectangle in lon/lat.
func (t Tile) Bound() orb.Bound {
	side := float64(uint64(1) << t.Z)
	lon := func(x float64) float64 { return x/side*360 - 180 }
	lat := func(y float64) float64 {
		return math.Atan(math.Sinh(math.Pi*(1-2*y/side))) * 180 / math.Pi
	}
	x, y := float64(t.X), float64(t.Y)
	return orb.Bound{Min: orb.Point{lon(x), lat(y + 1)}, Max: orb.Point{lon(x + 1), lat(y)}}
}

// TileAt is the tile of a zoom that holds the point; beyond the edge of the world the nearest one.
func TileAt(p orb.Point, z uint32) Tile {
	side := float64(uint64(1) << z)
	x := (p[0] + 180) / 360 * side
	sin := math.Sin(min(max(p[1], -MaxMercatorLat), MaxMercatorLat) * math.Pi / 180)
	y := (0.5 - math.Log((1+sin)/(1-sin))/(4*math.Pi)) * side
	index := func(v float64) uint32 { return uint32(min(max(math.Floor(v), 0), side-1)) }
	return Tile{Z: z, X: index(x), Y: index(y)}
}

// ToMercator projects lon/lat to metres of EPSG:3857; the latitude is held inside the square.
func ToMercator(p orb.Point) orb.Point {
	lat := min(max(p[1], -MaxMercatorLat), MaxMercatorLat)
	return orb.Point{
		p[0] / 180 * MercatorHalf,
		math.Asinh(math.Tan(lat*math.Pi/180)) / math.Pi * MercatorHalf,
	}
}

// FromMercator is the inverse of ToMercator.
func FromMercator(m orb.Point) orb.Point {
	return orb.Point{
		m[0] / MercatorHalf * 180,
		math.Atan(math.Sinh(m[1]/MercatorHalf*math.Pi)) * 180 / math.Pi,
	}
}
