package tiles

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/core"
)

func TestMatches(t *testing.T) {
	const tag = `W/"abc"`
	for header, want := range map[string]bool{
		"": false, "*": true, `W/"abc"`: true, `"abc"`: true, `"abd"`: false, `"x","abc"`: true, `abc`: false, `"x" , W/"abc" `: true, `"ab`: false,
	} {
		if Matches(header, tag) != want {
			t.Errorf("Matches(%q) = %v", header, !want)
		}
	}
}

func TestTileJSON(t *testing.T) {
	land := LayerInfo{Name: "land", Title: core.Text{ZH: "陆地"}, MinZoom: 3, MaxZoom: 10, BBox: []float64{119, 36, 122, 38}, Attribution: "A", Fields: map[string]string{"name_zh": "String"}}
	sea := LayerInfo{Name: "sea", Title: core.Text{ZH: "海"}, MinZoom: 0, MaxZoom: 12, BBox: []float64{120, 35, 123, 39}, Attribution: "A"}
	empty := LayerInfo{Name: "new", MinZoom: 5, MaxZoom: 6, Attribution: "B"}
	got := NewTileJSON([]LayerInfo{land, sea, empty}, "https://map.example")
	want := TileJSON{
		TileJSON: "3.0.0", Name: "land,sea,new", Scheme: "xyz", Tiles: []string{"https://map.example/tiles/land,sea,new/{z}/{x}/{y}.mvt"},
		VectorLayers: []VectorLayer{
			{ID: "land", Description: "陆地", MinZoom: 3, MaxZoom: 10, Fields: map[string]string{"name_zh": "String"}},
			{ID: "sea", Description: "海", MinZoom: 0, MaxZoom: 12, Fields: map[string]string{}},
			{ID: "new", MinZoom: 5, MaxZoom: 6, Fields: map[string]string{}},
		},
		MinZoom: 0, MaxZoom: 12, Bounds: []float64{119, 35, 123, 39}, Center: []float64{121, 37, 0}, Attribution: "A · B",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if sea.BBox[0] != 120 || !slices.Equal(land.BBox, []float64{119, 36, 122, 38}) {
		t.Error("the layers' boxes were written to")
	}
	raw, err := json.Marshal(got)
	if err != nil || !strings.Contains(string(raw), `"tilejson":"3.0.0"`) {
		t.Errorf("%s, %v", raw, err)
	}
	if alone := NewTileJSON([]LayerInfo{empty}, ""); alone.Bounds != nil || alone.Center != nil {
		t.Errorf("a layer without features: %+v", alone)
	}
}
