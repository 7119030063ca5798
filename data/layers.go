package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/catalogue/load"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// LayerSpec is a layer that an import can store: its entry in the catalogue and a function that opens its features.
type LayerSpec struct {
	catalogue.Layer
	// Open returns a reader that begins at the first feature. The caller need not close it.
	Open func() (catalogue.Reader, error)
}

// layerEntry is an entry of layers.yaml. The first group of members is the entry of the catalogue. The second group
// states how the features are read: File is the file in the folder, Key, NameZH, NameEN and Division name the fields of
// a feature. Locate finds the division of a feature by its place. Explode makes one feature of each part of a multi
// geometry.
type layerEntry struct {
	Name         string          `yaml:"name"`
	Theme        catalogue.Theme `yaml:"theme"`
	Title        core.Text       `yaml:"title"`
	Owner        core.Text       `yaml:"owner"`
	Origin       core.Origin     `yaml:"origin"`
	UpdatedOn    string          `yaml:"updated_on"`
	CycleDays    int             `yaml:"cycle_days"`
	GeometryType string          `yaml:"geometry_type"`
	MinZoom      int             `yaml:"min_zoom"`
	MaxZoom      int             `yaml:"max_zoom"`
	Fields       []fieldEntry    `yaml:"fields"`

	File      string `yaml:"file"`
	Key       string `yaml:"key"`
	NameZH    string `yaml:"name_zh"`
	NameEN    string `yaml:"name_en"`
	Division  string `yaml:"division"`
	Locate    bool   `yaml:"locate"`
	Explode   bool   `yaml:"explode"`
	Names     string `yaml:"names"`     // "divisions": the key is a division code, and the name is that of the division
	Divisions string `yaml:"divisions"` // "county" or "town": the features are the divisions of this level that have a point
}

// fieldEntry is a field of a layer in layers.yaml. It has the members of catalogue.Field in the same order, so that
// layer can convert it.
type fieldEntry struct {
	Name   string    `yaml:"name"`
	Type   string    `yaml:"type"`
	Title  core.Text `yaml:"title"`
	Unit   string    `yaml:"unit"`
	InTile bool      `yaml:"in_tile"`
}

// BaseLayers returns the layers of the base data in a folder, in drawing order. It reads the entries from layers.yaml
// and the source and licence of each file from SOURCES.yaml. It does not read the features. The audience of the layers
// is public. It returns fault.Invalid if the file of an entry has no source.
func BaseLayers(dir string) ([]LayerSpec, error) {
	var entries []layerEntry
	if err := readYAML(filepath.Join(dir, "layers.yaml"), &entries); err != nil {
		return nil, err
	}
	sources, err := Sources(dir)
	if err != nil {
		return nil, err
	}
	specs := make([]LayerSpec, 0, len(entries))
	for _, e := range entries {
		i := slices.IndexFunc(sources, func(s Source) bool { return s.File == e.File })
		if i < 0 {
			return nil, fault.New(fault.Invalid, "layers.yaml: %s: the file %q is not in %s", e.Name, e.File, sourcesFile)
		}
		layer, err := e.layer(sources[i])
		if err != nil {
			return nil, err
		}
		specs = append(specs, LayerSpec{Layer: layer, Open: func() (catalogue.Reader, error) { return e.open(dir, layer) }})
	}
	return specs, nil
}

// layer returns the entry of the catalogue. It returns fault.Invalid if the theme or the origin is not valid.
func (e layerEntry) layer(s Source) (catalogue.Layer, error) {
	day, err := time.Parse(time.DateOnly, e.UpdatedOn)
	if err != nil {
		return catalogue.Layer{}, fmt.Errorf("layers.yaml: %s: updated_on: %w", e.Name, err)
	}
	if !slices.Contains(catalogue.Themes(), e.Theme) || !e.Origin.Valid() {
		return catalogue.Layer{}, fault.New(fault.Invalid, "layers.yaml: %s: no valid theme or origin", e.Name)
	}
	fields := make([]catalogue.Field, len(e.Fields))
	for i, f := range e.Fields {
		fields[i] = catalogue.Field(f)
	}
	return catalogue.Layer{
		Name: e.Name, Theme: e.Theme, Title: e.Title, Owner: e.Owner, Origin: e.Origin,
		Audience: core.Audience{Kind: core.AudiencePublic},
		Source:   s.Source + " " + s.Version, Licence: s.Licence, Attribution: s.Attribution,
		UpdatedOn: day, CycleDays: e.CycleDays, GeometryType: e.GeometryType,
		MinZoom: e.MinZoom, MaxZoom: e.MaxZoom, Fields: fields,
	}, nil
}

// open returns a reader of the layer's features. A field that the entry does not name is not searched in the file,
// because base data are described completely.
func (e layerEntry) open(dir string, layer catalogue.Layer) (catalogue.Reader, error) {
	if e.Divisions != "" {
		return e.openDivisions(dir, layer)
	}
	raw, err := os.ReadFile(filepath.Join(dir, e.File)) // the files are small, and the reader then needs no Close
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "read base data")
	}
	or := func(field string) string {
		if field == "" {
			return load.NoField
		}
		return field
	}
	o := load.Options{
		KeyField: or(e.Key), NameField: or(e.NameZH), NameENField: or(e.NameEN), DivisionField: or(e.Division),
		LevelField: load.NoField, Origin: layer.Origin, Source: layer.Source,
	}
	if e.Locate {
		if o.Division, err = Locate(dir); err != nil {
			return nil, err
		}
	}
	inner, err := load.Open(bytes.NewReader(raw), o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.File, err)
	}
	r := &baseReader{inner: inner, entry: e, names: map[string]core.Text{}}
	if e.Names == "divisions" {
		file, err := readDivisionFile(dir)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Counties {
			r.names[d.Code] = d.Name
		}
	}
	return r, nil
}

// baseReader changes the records of the reader of a file as the entry states: it splits multi geometries, sets names of
// divisions, and makes keys from the number of the feature if the file has none.
type baseReader struct {
	inner catalogue.Reader
	entry layerEntry
	names map[string]core.Text // by division code
	parts []catalogue.Record   // parts of the last record that Next has not returned yet
	n     int                  // number of returned features
}

// Next implements catalogue.Reader. It returns the next feature, or the next part of one.
func (r *baseReader) Next() (catalogue.Record, *catalogue.Refusal, error) {
	if len(r.parts) == 0 {
		record, refusal, err := r.inner.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			err = fmt.Errorf("%s: %w", r.entry.File, err)
		}
		if err != nil || refusal != nil {
			return catalogue.Record{}, refusal, err
		}
		if name, ok := r.names[record.Feature.Key]; ok {
			record.Feature.Name = name
		}
		for _, g := range r.split(record.Feature.Geometry) {
			part := record
			part.Feature.Geometry = g
			r.parts = append(r.parts, part)
		}
	}
	next := r.parts[0]
	r.parts = r.parts[1:]
	if r.n++; r.entry.Key == "" {
		next.Feature.Key = fmt.Sprintf("%s-%04d", r.entry.Name, r.n)
	}
	return next, nil, nil
}

// split returns the parts of a multi polygon or multi line if the entry says explode, and the geometry itself otherwise.
func (r *baseReader) split(g orb.Geometry) []orb.Geometry {
	if !r.entry.Explode {
		return []orb.Geometry{g}
	}
	var parts []orb.Geometry
	switch g := g.(type) {
	case orb.MultiPolygon:
		for _, p := range g {
			parts = append(parts, p)
		}
	case orb.MultiLineString:
		for _, l := range g {
			parts = append(parts, l)
		}
	default:
		parts = append(parts, g)
	}
	return parts
}

// openDivisions returns a reader of point features, one for each division of the level that is in use and has a place.
func (e layerEntry) openDivisions(dir string, layer catalogue.Layer) (catalogue.Reader, error) {
	level := geo.LevelCounty
	if e.Divisions == "town" {
		level = geo.LevelTown
	}
	divisions, err := Divisions(dir)
	if err != nil {
		return nil, err
	}
	var all []catalogue.Feature
	for _, d := range divisions {
		if geo.LevelOfDivision(d.Code) != level || d.ValidTo != nil || (d.Lon == 0 && d.Lat == 0) {
			continue
		}
		all = append(all, catalogue.Feature{
			Key: d.Code, Division: d.Code, Name: d.Name, Origin: layer.Origin, Source: layer.Source,
			Properties: map[string]any{"code": d.Code}, Geometry: orb.Point{d.Lon, d.Lat},
		})
	}
	return Features(all), nil
}

// Features returns a reader of features in memory. The line of a record is the number of the feature, from 1.
func Features(all []catalogue.Feature) catalogue.Reader { return &featureReader{all: all} }

// featureReader implements catalogue.Reader over a list.
type featureReader struct {
	all []catalogue.Feature
	n   int
}

// Next implements catalogue.Reader.
func (r *featureReader) Next() (catalogue.Record, *catalogue.Refusal, error) {
	if r.n == len(r.all) {
		return catalogue.Record{}, nil, io.EOF
	}
	r.n++
	return catalogue.Record{Line: r.n, Feature: r.all[r.n-1]}, nil, nil
}
