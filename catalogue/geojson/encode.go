package geojson

import (
	"encoding/json"
	"fmt"

	"github.com/paulmach/orb"
)

// object is a geometry object as it is written. A GeometryCollection has geometries, every other type has coordinates.
type object struct {
	Type        string            `json:"type"`
	Coordinates any               `json:"coordinates,omitempty"`
	Geometries  []json.RawMessage `json:"geometries,omitempty"`
}

// Encode writes a geometry as a GeoJSON geometry object, lon/lat in full precision; a nil geometry
// is null. A ring or a bound is written as a polygon. The error is about a coordinate that is not
// finite.
func Encode(g orb.Geometry) ([]byte, error) {
	if g == nil {
		return []byte("null"), nil
	}
	// orb's types are encoded by encoding/json as nested arrays of [lon, lat], which is the form of GeoJSON.
	o := object{Type: g.GeoJSONType(), Coordinates: g}
	switch g := g.(type) {
	case orb.Ring:
		o.Coordinates = orb.Polygon{g}
	case orb.Bound:
		o.Coordinates = g.ToPolygon()
	case orb.Collection:
		o.Coordinates = nil
		for _, part := range g {
			raw, err := Encode(part)
			if err != nil {
				return nil, err
			}
			o.Geometries = append(o.Geometries, raw)
		}
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("write a geometry as GeoJSON: %w", err)
	}
	return raw, nil
}
