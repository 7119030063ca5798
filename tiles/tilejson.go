package tiles

import (
	"slices"
	"strings"
)

// TileJSON describes a set of tiles, version 3.0.0 of the specification.
type TileJSON struct {
	TileJSON     string        `json:"tilejson"`
	Name         string        `json:"name"`
	Scheme       string        `json:"scheme"`
	Tiles        []string      `json:"tiles"`
	VectorLayers []VectorLayer `json:"vector_layers"`
	MinZoom      int           `json:"minzoom"`
	MaxZoom      int           `json:"maxzoom"`
	Bounds       []float64     `json:"bounds,omitempty"` // west, south, east, north
	Center       []float64     `json:"center,omitempty"` // lon, lat, zoom
	Attribution  string        `json:"attribution,omitempty"`
}

// VectorLayer is one layer of a TileJSON.
type VectorLayer struct {
	ID          string            `json:"id"`
	Description string            `json:"description,omitempty"`
	MinZoom     int               `json:"minzoom"`
	MaxZoom     int               `json:"maxzoom"`
	Fields      map[string]string `json:"fields"`
}

// NewTileJSON describes the tiles of the layers. base is what stands before /tiles in the tiles'
// address, as "https://map.example".
func NewTileJSON(infos []LayerInfo, base string) TileJSON {
	names := make([]string, len(infos))
	for i, l := range infos {
		names[i] = l.Name
	}
	all := strings.Join(names, ",")
	t := TileJSON{
		TileJSON: "3.0.0", Name: all, Scheme: "xyz", Tiles: []string{base + "/tiles/" + all + "/{z}/{x}/{y}.mvt"},
		VectorLayers: make([]VectorLayer, 0, len(infos)), MinZoom: MaxZoom,
	}
	var credits []string
	for _, l := range infos {
		fields := l.Fields
		if fields == nil {
			fields = map[string]string{}
		}
		t.VectorLayers = append(t.VectorLayers, VectorLayer{
			ID: l.Name, Description: l.Title.ZH, MinZoom: l.MinZoom, MaxZoom: l.MaxZoom, Fields: fields,
		})
		t.MinZoom, t.MaxZoom = min(t.MinZoom, l.MinZoom), max(t.MaxZoom, l.MaxZoom)
		t.Bounds = join(t.Bounds, l.BBox)
		if l.Attribution != "" && !slices.Contains(credits, l.Attribution) {
			credits = append(credits, l.Attribution)
		}
	}
	t.MinZoom = min(t.MinZoom, t.MaxZoom)
	t.Attribution = strings.Join(credits, " · ")
	if b := t.Bounds; b != nil {
		t.Center = []float64{(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, float64(t.MinZoom)}
	}
	return t
}

// join is the box around both; a nil one is empty.
func join(a, b []float64) []float64 {
	switch {
	case len(b) != 4:
		return a
	case a == nil:
		return slices.Clone(b)
	}
	return []float64{min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])}
}
