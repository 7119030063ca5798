package memory

import (
	"strconv"
	"testing"

	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/shape"
	"onemap/tiles/testset"
)

func spec(name string) tiles.Spec {
	return tiles.Spec{
		ID: 1, Name: name, MaxZoom: 14, Audience: core.Audience{Kind: core.AudiencePublic},
		Fields: []tiles.Field{{Name: "kind", Type: "string"}, {Name: "stock", Type: "number"}},
	}
}

// stored returns a feature of a test set in the form of a loader.
func stored(id int64, f *testset.Feature) *tiles.Feature {
	return &tiles.Feature{
		ID: id, Geometry: f.Geometry, Division: f.Division, NameZH: []byte(f.Name), Level: f.Level, Severity: f.Level,
		Origin: core.OriginSynthetic, Values: [][]byte{[]byte(f.Kind), []byte(strconv.FormatFloat(f.Stock, 'g', -1, 64))},
	}
}

// sample returns a layer of a test set with points, polygons or both.
func sample(t testing.TB, points, polygons int) *Layer {
	t.Helper()
	l := New(spec("sample"), points+polygons)
	var b shape.Builder
	id := int64(0)
	put := func(f *testset.Feature) error {
		id++
		it := l.Prepare(stored(id, f), &b)
		_, err := l.Put(&it)
		return err
	}
	if err := testset.Points(1, points, put); err != nil {
		t.Fatal(err)
	}
	if err := testset.Polygons(1, polygons, put); err != nil {
		t.Fatal(err)
	}
	l.Ready()
	return l
}
