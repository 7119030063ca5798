package memory_test

import (
	"fmt"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/tiles"
	"onemap/tiles/memory"
	"onemap/tiles/shape"
)

// Put adds features to a layer, and Render draws the layer's part of a tile. The result is a Mapbox Vector Tile with
// one layer, which any reader of the format can read.
func ExampleLayer_Render() {
	spec := tiles.Spec{Name: "hospital", MaxZoom: 14, Fields: []tiles.Field{{Name: "beds", Type: "integer"}}}
	layer := memory.New(spec, 2)
	var builder shape.Builder
	for id, place := range []orb.Point{{121.39, 37.53}, {120.71, 36.98}} {
		item := layer.Prepare(&tiles.Feature{
			ID: int64(id + 1), Geometry: place, Division: "370602", NameZH: []byte("医院"), Origin: core.OriginSynthetic, Values: [][]byte{[]byte("1800")},
		}, &builder)
		if _, err := layer.Put(&item); err != nil {
			fmt.Println(err)
			return
		}
	}
	layer.Ready()

	at := geo.TileAt(orb.Point{121.39, 37.53}, 12)
	var scratch memory.Scratch
	part := layer.Render(memory.Query{Z: at.Z, X: at.X, Y: at.Y, MaxZoom: spec.MaxZoom}, &scratch)
	fmt.Println("tile", at, "shows", part.Shown, "of", part.Of)

	decoded, err := mvt.Unmarshal(part.Bytes)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range decoded[0].Features {
		fmt.Println(decoded[0].Name, f.ID, f.Geometry, f.Properties["name_zh"], f.Properties["beds"])
	}
	// Output:
	// tile {12 3429 1586} shows 1 of 1
	// hospital 1 [608 2905] 医院 1800
}
