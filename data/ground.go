package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/catalogue/load"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// Ground has the schematic polygons of the counties and the named places.
type Ground struct {
	Counties []CountyArea
	Places   []Place
}

// CountyArea is the schematic polygon of a county unit. It is not a legal boundary.
type CountyArea struct {
	Code string
	Area *Area
}

// Place is a named place of GeoNames.
type Place struct {
	Name   core.Text
	At     orb.Point // lon, lat
	County string    // the code of the county unit; empty outside the city
}

// LoadGround reads the schematic counties and the named places from a folder of base data.
func LoadGround(dir string) (*Ground, error) {
	g := &Ground{}
	counties, err := ReadFile(dir, "county_schematic.geojson", load.Options{KeyField: "code"})
	if err != nil {
		return nil, err
	}
	for _, c := range counties {
		g.Counties = append(g.Counties, CountyArea{c.Key, NewArea(c.Geometry)})
	}
	places, err := ReadFile(dir, "places_geonames.geojson", load.Options{KeyField: "id", NameField: "zh", NameENField: "en"})
	if err != nil {
		return nil, err
	}
	for _, p := range places {
		at, ok := p.Geometry.(orb.Point)
		if !ok {
			return nil, fault.New(fault.Invalid, "places_geonames.geojson: %s is no point", p.Key)
		}
		g.Places = append(g.Places, Place{p.Name, at, g.County(at)})
	}
	return g, nil
}

// County returns the code of the county unit whose polygon contains the point. It returns "" if there is none.
func (g *Ground) County(p orb.Point) string {
	for _, c := range g.Counties {
		if c.Area.Contains(p) {
			return c.Code
		}
	}
	return ""
}

// ReadFile reads all features of a file of a folder of base data into memory. A refused record is an error, because base
// data must be complete. It returns fault.NotFound if there is no such file.
func ReadFile(dir, name string, o load.Options) ([]catalogue.Feature, error) {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "read base data")
	}
	r, err := load.Open(bytes.NewReader(raw), o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var all []catalogue.Feature
	for {
		record, refusal, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		case refusal != nil:
			return nil, fault.New(fault.Invalid, "%s: line %d: %s", name, refusal.Line, refusal.Reason)
		}
		all = append(all, record.Feature)
	}
}
