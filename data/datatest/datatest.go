// Package datatest reads and checks layers. It is for the tests of packages that make layers.
package datatest

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"testing"

	"onemap/catalogue"
	"onemap/data"
	"onemap/geo"
)

// ReadLayer returns all features of a layer. A feature that cannot be read fails the test.
func ReadLayer(t *testing.T, spec data.LayerSpec) []catalogue.Feature {
	t.Helper()
	r, err := spec.Open()
	if err != nil {
		t.Fatalf("%s: %v", spec.Name, err)
	}
	var all []catalogue.Feature
	for {
		record, refusal, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil || refusal != nil {
			t.Fatalf("%s: %v, %v", spec.Name, refusal, err)
		}
		all = append(all, record.Feature)
	}
}

// CheckLayer checks the entry of a layer and its features: required members, unique keys, origin and source, valid
// places, and the geometry type and fields that the entry states.
func CheckLayer(t *testing.T, l catalogue.Layer, features []catalogue.Feature) {
	t.Helper()
	if !regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`).MatchString(l.Name) || !slices.Contains(catalogue.Themes(), l.Theme) || !l.Origin.Valid() ||
		l.Title.ZH == "" || l.Title.EN == "" || l.Owner.ZH == "" || l.Source == "" || l.Licence == "" || l.UpdatedOn.IsZero() || l.MaxZoom <= l.MinZoom {
		t.Errorf("the layer is not whole: %+v", l)
	}
	keys := map[string]bool{}
	for _, f := range features {
		if f.Key == "" || keys[f.Key] {
			t.Errorf("%s: the key %q is empty or there twice", l.Name, f.Key)
		}
		keys[f.Key] = true
		if f.Origin != l.Origin || f.Source == "" {
			t.Errorf("%s: %s has origin %q, source %q", l.Name, f.Key, f.Origin, f.Source)
		}
		if p, ok := geo.PointOn(f.Geometry); !ok || geo.CheckPoint(p) != nil {
			t.Errorf("%s: %s stands nowhere", l.Name, f.Key)
		}
		if l.GeometryType != "Geometry" && f.Geometry.GeoJSONType() != l.GeometryType {
			t.Errorf("%s: %s is a %s, not a %s", l.Name, f.Key, f.Geometry.GeoJSONType(), l.GeometryType)
		}
		for _, field := range l.Fields {
			if _, ok := f.Properties[field.Name]; !ok {
				t.Errorf("%s: %s has no %s", l.Name, f.Key, field.Name)
			}
		}
	}
}
