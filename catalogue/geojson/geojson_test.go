package geojson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"onemap/catalogue/geojson"
	"onemap/geo"
	"onemap/internal/fault"
)

func drawPoint(t *rapid.T) orb.Point {
	return orb.Point{rapid.Float64Range(-180, 180).Draw(t, "lon"), rapid.Float64Range(-90, 90).Draw(t, "lat")}
}

func drawLine(t *rapid.T) orb.LineString {
	return rapid.SliceOfN(rapid.Custom(drawPoint), 2, 6).Draw(t, "line")
}

func drawPolygon(t *rapid.T) orb.Polygon {
	c := orb.Point{rapid.Float64Range(-170, 170).Draw(t, "lon"), rapid.Float64Range(-80, 80).Draw(t, "lat")}
	p := geo.Circle(c, rapid.Float64Range(100, 50_000).Draw(t, "r"), rapid.IntRange(3, 9).Draw(t, "n"))
	if rapid.Bool().Draw(t, "hole") {
		p = append(p, geo.Circle(c, 30, 4)[0])
	}
	return p
}

// drawGeometry makes any geometry that the decoder should take.
func drawGeometry(t *rapid.T) orb.Geometry {
	single := func(t *rapid.T) orb.Geometry {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return drawPoint(t)
		case 1:
			return orb.MultiPoint(rapid.SliceOfN(rapid.Custom(drawPoint), 1, 5).Draw(t, "points"))
		case 2:
			return drawLine(t)
		case 3:
			return orb.MultiLineString(rapid.SliceOfN(rapid.Custom(drawLine), 1, 3).Draw(t, "lines"))
		case 4:
			return drawPolygon(t)
		default:
			return orb.MultiPolygon(rapid.SliceOfN(rapid.Custom(drawPolygon), 1, 3).Draw(t, "polygons"))
		}
	}
	if rapid.IntRange(0, 6).Draw(t, "collection") == 0 {
		return orb.Collection(rapid.SliceOfN(rapid.Custom(single), 1, 3).Draw(t, "parts"))
	}
	return single(t)
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawGeometry(t)
		raw, err := geojson.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := geojson.Decode(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestEncodeOddOnes(t *testing.T) {
	for want, g := range map[string]orb.Geometry{
		`null`:                                 nil,
		`{"type":"Point","coordinates":[0,0]}`: orb.Point{},
		`{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}`:       orb.Ring{{0, 0}, {1, 0}, {1, 1}, {0, 0}},
		`{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1],[0,0]]]}`: orb.Bound{Max: orb.Point{1, 1}},
	} {
		if got, err := geojson.Encode(g); err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
	if got, err := geojson.Encode(orb.Collection{orb.Point{math.NaN(), 0}}); err == nil {
		t.Errorf("NaN is written as %s", got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for raw, want := range map[string]string{
		`null`: "a geometry is an object, not null", `[]`: "not an array", `{`: "a geometry is an object", `{}`: "type: is missing",
		`{"type":7}`: "type: is missing or no string", `{"type":"Pont","coordinates":[1,2]}`: `type: "Pont" is no geometry type`,
		`{"Type":"Point","coordinates":[1,2]}`: "type: is missing",
		`{"type":"Point"}`:                     "coordinates: is missing", `{"type":"Point","coordinates":null}`: "coordinates: is null, not an array",
		`{"type":"Point","coordinates":[]}`:                                                                 "coordinates: a position has at least two numbers, not 0",
		`{"type":"Point","coordinates":[1,"2"]}`:                                                            "coordinates[1]: is a string, not a number",
		`{"type":"Point","coordinates":[1,[2]]}`:                                                            "coordinates[1]: is an array, not a number",
		`{"type":"Point","coordinates":[1e999,2]}`:                                                          "coordinates[0]: 1e999 is not a finite number",
		`{"type":"Point","coordinates":[37.5,121.4]}`:                                                       "coordinates: lat: 121.4 is outside -90 to 90; are lon and lat swapped?",
		`{"type":"MultiPoint","coordinates":[]}`:                                                            "coordinates: has 0 positions; 1 is the least",
		`{"type":"LineString","coordinates":[[1,2]]}`:                                                       "coordinates: has 1 positions; 2 is the least",
		`{"type":"LineString","coordinates":[[1,2],[1,91]]}`:                                                "coordinates[1]: lat: 91 is outside",
		`{"type":"MultiLineString","coordinates":[[[1,2],[1,3]],[]]}`:                                       "coordinates[1]: has 0 positions",
		`{"type":"Polygon","coordinates":[]}`:                                                               "coordinates: has 0 rings",
		`{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}`:                                      "coordinates[0]: the ring is not closed: it begins at 0, 0 and ends at 0, 1",
		`{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]],[[0,0],[1,0],[0,0]]]}`:                  "coordinates[1]: has 3 positions in its ring; 4 is the least",
		`{"type":"Polygon","coordinates":[[[0,0],[1,1],[2,2],[0,0]]]}`:                                      "coordinates[0]: the ring has no area",
		`{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],[[[0,0],[1,0],[1,1],[0.5,0]]]]}`: "coordinates[1][0]: the ring is not closed",
		`{"type":"MultiPolygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}`:                                 "coordinates[0][0][0]: is a number, not an array",
		`{"type":"GeometryCollection"}`:                                                                     "geometries: is missing",
		`{"type":"GeometryCollection","geometries":[]}`:                                                     "geometries: is empty",
		`{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[0,99]}]}`:                "geometries[0].coordinates: lat: 99",
		`{"type":"GeometryCollection","geometries":[{"type":"GeometryCollection","geometries":[]}]}`:        "geometries[0].type: a GeometryCollection inside another is not taken",
	} {
		g, err := geojson.Decode([]byte(raw))
		var e *fault.Error
		if g != nil || !errors.As(err, &e) || e.Kind != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v, %v\nwant %s", raw, g, err, want)
		}
	}
}

func TestDecodeTakes(t *testing.T) {
	for raw, want := range map[string]orb.Geometry{
		`{"type":"Point","coordinates":[121.4, 37.5, 12.25]}`:                            orb.Point{121.4, 37.5},
		`{"type":"Point","coordinates":[1,2,3,4,5]}`:                                     orb.Point{1, 2},
		" { \"coordinates\" : [ 1 ,\n2 ] , \"type\" : \"Point\", \"bbox\": [1,2,1,2] } ": orb.Point{1, 2},
	} {
		if got, err := geojson.Decode([]byte(raw)); err != nil || !orb.Equal(got, want) {
			t.Errorf("%s gives %v, %v", raw, got, err)
		}
	}
	shifted := geo.WGS84ToGCJ02(orb.Point{121.4, 37.5})
	raw, _ := geojson.Encode(shifted)
	if got, err := geojson.DecodeIn(raw, geo.FrameGCJ02); err != nil || geo.Distance(got.(orb.Point), orb.Point{121.4, 37.5}) > 0.01 {
		t.Errorf("GCJ-02 gives %v, %v", got, err)
	}
	metres := `{"type":"Point","coordinates":[40623205.7118,4156419.0976]}`
	if got, err := geojson.DecodeIn([]byte(metres), geo.FrameEPSG4528); err != nil || geo.Distance(got.(orb.Point), orb.Point{121.39388, 37.53157}) > 0.01 {
		t.Errorf("EPSG:4528 gives %v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"type":"Point","coordinates":[121.4,37.5]}`, `{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}`,
		`{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[0,9]}]}`, `{"type":"Point","coordinates":[1e999,[]]}`, `[[[[`,
		`{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]]]}`, `{"type":"LineString","coordinates":[[],[null]]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		g, err := geojson.Decode(raw)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || g != nil {
				t.Fatalf("%v, %v", g, err)
			}
			return
		}
		out, err := geojson.Encode(g)
		if err != nil || !json.Valid(out) {
			t.Fatalf("%v is written as %s, %v", g, out, err)
		}
		again, err := geojson.Decode(bytes.Clone(out))
		if err != nil || !orb.Equal(g, again) {
			t.Fatalf("%s comes back as %v, %v", out, again, err)
		}
	})
}
