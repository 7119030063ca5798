package storetest

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/internal/app/stores"
	"onemap/internal/core"
)

// Zhifu returns the scope of a responder of 370602.
func Zhifu() core.Scope { return core.Scope{Division: "370602", Role: core.RoleResponder} }

// Penglai returns the scope of a responder of 370614.
func Penglai() core.Scope { return core.Scope{Division: "370614", Role: core.RoleResponder} }

// Records is a reader that calls Read for each record; io.EOF ends it. N counts the calls.
type Records struct {
	Read func(i int) (catalogue.Record, *catalogue.Refusal, error)
	N    int
}

// Next implements catalogue.Reader.
func (r *Records) Next() (catalogue.Record, *catalogue.Refusal, error) {
	r.N++
	return r.Read(r.N - 1)
}

// Listed returns a reader of the features, one per line from line 2 on.
func Listed(features ...catalogue.Feature) *Records {
	return &Records{Read: func(i int) (catalogue.Record, *catalogue.Refusal, error) {
		if i >= len(features) {
			return catalogue.Record{}, nil, io.EOF
		}
		return catalogue.Record{Line: i + 2, Feature: features[i]}, nil, nil
	}}
}

// Feature returns a point near Yantai with a key, in a division.
func Feature(key, division string, lon, lat float64) catalogue.Feature {
	return catalogue.Feature{
		Key: key, Division: division, Name: core.Text{ZH: "演示-" + key, EN: "Demo " + key},
		Properties: map[string]any{"stock": 12.0, "kind": "tank"}, Geometry: orb.Point{lon, lat},
	}
}

// Square returns a square with its lower left corner at a position, in degrees.
func Square(lon, lat, side float64) orb.Polygon {
	return orb.Polygon{{{lon, lat}, {lon + side, lat}, {lon + side, lat + side}, {lon, lat + side}, {lon, lat}}}
}

// Tanks returns a layer of which each county sees its own features.
func Tanks() catalogue.Layer {
	return catalogue.Layer{
		Name: "tanks", Theme: catalogue.ThemeHazardSource, Title: core.Text{ZH: "储罐", EN: "Tanks"}, Origin: core.OriginSynthetic,
		Audience: core.Audience{Kind: core.AudienceDivision}, Source: "test",
	}
}

// ImportOK imports features into a layer.
func ImportOK(t testing.TB, db *stores.Stores, l catalogue.Layer, features ...catalogue.Feature) catalogue.ImportReport {
	t.Helper()
	rep, err := Catalogue(db).ImportLayer(t.Context(), Root(), l, Listed(features...), catalogue.ImportOptions{AllowDelete: true})
	if err != nil {
		t.Fatalf("import %s: %v", l.Name, err)
	}
	return rep
}

// FeaturesOf returns the features of a layer that the scope may see, by key.
func FeaturesOf(t testing.TB, db *stores.Stores, s core.Scope, layer string) map[string]catalogue.Feature {
	t.Helper()
	all, err := db.Catalogue.Features(t.Context(), s, layer, nil, 0, 10_000)
	if err != nil {
		t.Fatalf("features of %s: %v", layer, err)
	}
	out := make(map[string]catalogue.Feature, len(all))
	for _, f := range all {
		out[f.Key] = f
	}
	return out
}

// LayerOf returns a layer as the scope may see it.
func LayerOf(t testing.TB, db *stores.Stores, s core.Scope, name string) catalogue.Layer {
	t.Helper()
	l, err := db.Catalogue.Layer(t.Context(), s, name)
	if err != nil {
		t.Fatalf("layer %s: %v", name, err)
	}
	return l
}

// NewDivisions returns a database with the divisions of Yantai that the tests use.
func NewDivisions(t testing.TB) *stores.Stores {
	t.Helper()
	db := NewDB(t)
	err := Catalogue(db).PutDivisions(t.Context(), Root(), []catalogue.Division{
		{Code: "3706", Name: core.Text{ZH: "烟台市", EN: "Yantai"}},
		{Code: "370602", Name: core.Text{ZH: "芝罘区", EN: "Zhifu"}, Lon: 121.4, Lat: 37.54},
		{Code: "370614", Name: core.Text{ZH: "蓬莱区", EN: "Penglai"}, Lon: 120.76, Lat: 37.81},
		{Code: "370684", Name: core.Text{ZH: "蓬莱市"}, Successor: "370614"},
		{Code: "370634", Name: core.Text{ZH: "长岛县", EN: "Changdao"}, Successor: "370684"},
		{Code: "370602001", Name: core.Text{ZH: "向阳街道"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// EventsOfKind returns the events of a kind, oldest first.
func EventsOfKind(t testing.TB, db *stores.Stores, kind string) []core.Event {
	t.Helper()
	all, err := EventsAfter(t.Context(), db, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var out []core.Event
	for _, e := range all {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// KeyOf returns the key of the feature with a number.
func KeyOf(i int) string { return fmt.Sprintf("k%05d", i) }

// Hostile returns texts that are not valid layer names.
func Hostile() []string {
	return []string{"", "'", `"`, `tanks'; drop table feature; --`, "tanks where true", "tanks,coast", "../etc", "tanks\x00", "\xff\xfe", strings.Repeat("a", 100_000), "层"}
}
