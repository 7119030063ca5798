package catalogueapi

import (
	"math"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/internal/fault"
	"onemap/internal/httpx"
)

// parseBBox parses "west,south,east,north" in degrees, EPSG:4326, which is the order of OGC API - Features. It returns
// nil for an empty text. It returns fault.Invalid if the text does not have four numbers or the box is not inside the
// world. A box across the antimeridian (west > east) is refused too, because no city of this system lies there.
func parseBBox(s string) (*orb.Bound, error) {
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s, ",")
	if len(parts) != 4 || len(s) > 200 {
		return nil, fault.InvalidField("bbox", "must be four numbers: west,south,east,north")
	}
	var v [4]float64
	for i, part := range parts {
		n, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, fault.InvalidField("bbox", "%q is no number of degrees", httpx.Cut(part))
		}
		v[i] = n
	}
	west, south, east, north := v[0], v[1], v[2], v[3]
	switch {
	case west < -180 || east > 180 || south < -90 || north > 90:
		return nil, fault.InvalidField("bbox", "lies outside the world: longitude -180 to 180, then latitude -90 to 90")
	case west > east:
		return nil, fault.InvalidField("bbox", "west is greater than east")
	case south > north:
		return nil, fault.InvalidField("bbox", "south is greater than north")
	}
	return &orb.Bound{Min: orb.Point{west, south}, Max: orb.Point{east, north}}, nil
}
