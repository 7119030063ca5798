package catalogue

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/paulmach/orb"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/searchtext"
	"onemap/internal/text"
)

// CheckGeometry returns an error if the form of a geometry is wrong: coordinates outside the globe, too few
// coordinates, or a ring that is not closed. PostGIS checks whether a ring crosses itself.
func CheckGeometry(g orb.Geometry) error {
	switch g := g.(type) {
	case nil:
		return errors.New("there is no geometry")
	case orb.Point:
		return geo.CheckPoint(g)
	case orb.MultiPoint:
		return checkPositions("the MultiPoint", g, 1)
	case orb.LineString:
		return checkPositions("the line", g, 2)
	case orb.MultiLineString:
		return checkParts("line", g, func(l orb.LineString) error { return checkPositions("it", l, 2) })
	case orb.Ring:
		return checkRing(g)
	case orb.Polygon:
		return checkParts("ring", g, checkRing)
	case orb.MultiPolygon:
		return checkParts("polygon", g, func(p orb.Polygon) error { return CheckGeometry(p) })
	case orb.Bound:
		return CheckGeometry(g.ToPolygon())
	case orb.Collection:
		return checkParts("geometry", g, CheckGeometry)
	}
	return fmt.Errorf("%T is no geometry that can be stored", g)
}

// checkParts checks every part of a geometry, of which there must be one at least. Its errors name the part by its
// index, from 0.
func checkParts[S ~[]T, T any](what string, parts S, check func(T) error) error {
	if len(parts) == 0 {
		return fmt.Errorf("there is no %s in it", what)
	}
	for i, p := range parts {
		if err := check(p); err != nil {
			return fmt.Errorf("%s %d: %w", what, i, err)
		}
	}
	return nil
}

// checkPositions checks the positions, [lon, lat] in degrees, of which there must be least at least.
func checkPositions(what string, points []orb.Point, least int) error {
	if len(points) < least {
		return fmt.Errorf("%s has %d positions, %d are the least", what, len(points), least)
	}
	for i, p := range points {
		if err := geo.CheckPoint(p); err != nil {
			return fmt.Errorf("position %d: %w", i, err)
		}
	}
	return nil
}

// checkRing checks a ring: four positions or more, the last equal to the first. Source: RFC 7946, 3.1.6.
func checkRing(r orb.Ring) error {
	if err := checkPositions("it", r, 4); err != nil {
		return err
	}
	if r[0] != r[len(r)-1] {
		return fmt.Errorf("it is not closed: the last position %v is not the first %v", r[len(r)-1], r[0])
	}
	return nil
}

// kindOf returns the geometry type of the catalogue for a geometry. A multi-geometry has the type of its parts.
func kindOf(g orb.Geometry) string {
	switch g.(type) {
	case orb.Point, orb.MultiPoint:
		return "Point"
	case orb.LineString, orb.MultiLineString:
		return "LineString"
	case orb.Polygon, orb.MultiPolygon, orb.Ring, orb.Bound:
		return "Polygon"
	}
	return "Geometry"
}

// CheckedFeature is a feature that passed the checks, with the derived values that are stored with it.
type CheckedFeature struct {
	Feature

	JSON   json.RawMessage // the properties
	Search string          // the text for the full-text search
}

// CheckFeature checks a feature and completes it from its layer. It returns fault.Invalid with the name of the wrong
// field. PostGIS checks whether an area crosses itself.
func CheckFeature(l Layer, f Feature) (CheckedFeature, error) {
	c := CheckedFeature{Feature: f}
	if err := CheckGeometry(f.Geometry); err != nil {
		return c, &fault.Error{Kind: fault.Invalid, Field: "geometry", Msg: err.Error()}
	}
	if kind := kindOf(f.Geometry); l.GeometryType != "" && l.GeometryType != "Geometry" && kind != l.GeometryType {
		return c, fault.InvalidField("geometry", "is a %s, the layer %s holds %ss", f.Geometry.GeoJSONType(), l.Name, l.GeometryType)
	}
	if err := CheckKey(f.Key); err != nil {
		return c, err
	}
	if f.Division != "" {
		code, err := geo.ParseDivision(f.Division)
		if err != nil {
			return c, err
		}
		// The code is stored without padding, as ParseDivision returns it.
		c.Division = code
	}
	fill(&c.Origin, l.Origin)
	return c, c.checkWords()
}

// CheckKey returns fault.Invalid if a key is empty, too long for an index entry, or not one line of text that a message
// can show.
func CheckKey(key string) error {
	switch {
	case key == "" || len(key) > MaxKey:
		return fault.InvalidField("key", "has 1 to %d bytes", MaxKey)
	case !text.Storable(key):
		return notText("key")
	case key != strings.TrimSpace(key) || strings.ContainsFunc(key, unicode.IsControl):
		return fault.InvalidField("key", "is a line without spaces around it")
	}
	return nil
}

// checkWords checks all fields of a feature except its key, geometry and division. It sets JSON and Search.
func (c *CheckedFeature) checkWords() error {
	if !c.Level.Valid() {
		return fault.InvalidField("level", "%d is not 0 to 4", c.Level)
	}
	if !c.Origin.Valid() {
		return fault.InvalidField("origin", "%q is none of real, schematic, synthetic, fact-table", string(c.Origin))
	}
	err := cmp.Or(fault.CheckLine("name.zh", c.Name.ZH, core.MaxName), fault.CheckLine("name.en", c.Name.EN, core.MaxName))
	if err == nil && !text.Storable(c.Source) {
		err = notText("source")
	}
	if err != nil {
		return err
	}
	if c.JSON, err = encodeProperties(c.Properties); err != nil {
		return err
	}
	c.Search = searchtext.Lines(c.Name, c.Key)
	return nil
}

// CheckShape checks whether the layer can hold the geometry of an existing feature. It ignores the other fields.
func CheckShape(l Layer, f Feature) error {
	// The other fields get values that always pass, so that only the geometry can fail.
	f.Key = cmp.Or(f.Key, "-")
	f.Division, f.Origin, f.Level, f.Name, f.Properties = "", l.Origin, core.None, core.Text{}, nil
	_, err := CheckFeature(l, f)
	return err
}

// CheckUpdate checks and completes an update that does not change the key, geometry and division of a feature.
func CheckUpdate(l Layer, f Feature) (CheckedFeature, error) {
	c := CheckedFeature{Feature: f}
	fill(&c.Origin, l.Origin)
	err := c.checkWords()
	if f.Properties == nil {
		c.JSON = nil // the stored properties do not change
	}
	return c, err
}
