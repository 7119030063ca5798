package load_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"onemap/catalogue"
	"onemap/catalogue/geojson"
	"onemap/catalogue/load"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

const collection = `{
  "type": "FeatureCollection", "name": "x", "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
  "features": [
    {"type":"Feature","id":"a","properties":{"name":"甲"},"geometry":{"type":"Point","coordinates":[121.4,37.5]}},
    {"type":"Feature","id":"b","properties":null,"geometry":{"type":"Polygon","coordinates":[[[121,37],[122,37],[122,38],[121,38]]]}},
    {"type":"Feature","id":"c","properties":{},"geometry":
       {"type":"Point","coordinates":[37.5,
          121.4]}}
    ,
    {"type":"Feature","id":"d","geometry":null}, {"type":"Feature","id":"e","geometry":{"type":"Point","coordinates":[1,2,3]}},
    7, {"type":"feature","id":"f"}, {"type":"Feature","id":{},"geometry":null},
    {"type":"Feature","id":"g","properties":[],"geometry":{"type":"Point","coordinates":[1,2]}},
    {"type":"Feature","id":"h","properties":{"a":{"b":[1,"x\u0000"]}},"geometry":{"type":"Point","coordinates":[1,2]}}
  ],
  "bbox": [0,0,1,1]
}
`

func TestCollectionGoesOnAfterABadFeature(t *testing.T) {
	records, refusals, err := readAll(collection, load.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome(records, nil, nil); got != "4:a 10:e" {
		t.Errorf("records %s", got)
	}
	want := []string{
		"refused 5:b: geometry.coordinates[0]: the ring is not closed: it begins at 121, 37 and ends at 121, 38",
		"refused 6:c: geometry.coordinates: lat: 121.4 is outside -90 to 90; are lon and lat swapped?",
		"refused 10:d: geometry: is missing or null",
		"refused 11:: a feature is an object",
		`refused 11:: type: a Feature should be here, not "feature"`,
		"refused 11:: id: is neither a string nor a number",
		"refused 12:g: properties: is no object",
		"refused 13:h: properties.a.b[1]: holds a NUL character",
	}
	for i, r := range refusals {
		r.Key = strings.TrimPrefix(r.Key, "f")
		if got := outcome(nil, refusals[i:i+1], nil); i >= len(want) || strings.Replace(got, "11:f:", "11::", 1) != want[i] {
			t.Errorf("refusal %d: %s", i, got)
		}
	}
	if len(refusals) != len(want) {
		t.Errorf("%d refusals, not %d", len(refusals), len(want))
	}
}

func TestForms(t *testing.T) {
	feature := func(id string) string {
		return `{"type":"Feature","id":"` + id + `","properties":{},"geometry":{"type":"Point","coordinates":[121,37]}}`
	}
	for text, want := range map[string]string{
		feature("a"):                                    "1:a",
		"\ufeff" + feature("a"):                         "1:a",
		feature("a") + "\n" + feature("b"):              "1:a 2:b",
		feature("a") + "\r\n\r\n" + feature("b") + "\n": "1:a 3:b",
		"\x1e" + feature("a") + "\n\x1e" + feature("b"): "1:a 2:b",
		`{"features":[],"type":"FeatureCollection"}`:    "",
		`{"features":[` + feature("a") + `],"type":"FeatureCollection"}` + "\n" + feature("b"):                   "1:a 2:b",
		`{"type":"FeatureCollection","crs":null,"features":[` + feature("a") + "\n,\n" + feature("b") + "\n]}\n": "1:a 3:b",
	} {
		if got := outcome(readAll(text, load.Options{})); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestBrokenFilesNameTheLine(t *testing.T) {
	point := `{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[121,37]}}`
	for text, want := range map[string]string{
		"":   "line 1: the file is empty",
		"\n": "line 2: the file is empty", "7": "line 1: GeoJSON begins with an object", "[1": "line 1: the file ends in the middle",
		"{\n": "line 2: the file ends in the middle", "{}": `line 1: a FeatureCollection with features, a Feature or a geometry should be here; the type is ""`,
		"{\n\"type\":\"Pint\",\"coordinates\":[1,2]}":       `line 1: a FeatureCollection with features, a Feature or a geometry should be here; the type is "Pint"`,
		"{\"type\":\"FeatureCollection\"}":                  "line 1: a FeatureCollection with features",
		"{\"type\":\"Topology\",\"features\":[]}":           "line 1: what has features is a FeatureCollection",
		"{\"features\":[\n" + point + "\n" + point + "]}":   "line 3: malformed JSON: '{' where ',' should be",
		"{\"features\":[\n" + point + ",\n]}":               "line 3: malformed JSON: a value is missing",
		"{\"features\":[\n" + point + ",\n{\"a\":]":         "line 3: ",
		"{\"features\":[" + point + "],\n\"features\":[]}":  "line 2: there is a second features member",
		"{\"features\":[" + point + "\n],\"type\":\"F\"} x": "line 1: what has features is a FeatureCollection",
		point + "\nx":       "line 2: GeoJSON begins with an object, not with 'x'",
		"{\"features\":{}}": "line 1: malformed JSON: '{' where '[' should be",
		"{\"type\":\"FeatureCollection\",\"features\":[\n\n":                                                                "line 3: the file ends in the middle",
		"{\"crs\":{\"type\":\"name\",\"properties\":{\"name\":\"urn:ogc:def:crs:EPSG::2433\"}}}":                            "line 1: crs: \"urn:ogc:def:crs:EPSG::2433\" is not WGS 84",
		"{\"crs\":{\"type\":\"link\"}}":                                                                                     "line 1: crs: is not understood",
		"{\"type\":\"FeatureCollection\",\"features\":[" + point + "],\n\"crs\":{\"properties\":{\"name\":\"EPSG:4549\"}}}": "line 2: crs: \"EPSG:4549\" stands behind the features",
	} {
		_, _, err := readAll(text, load.Options{Format: load.FormatGeoJSON})
		if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestTooLargeAFeatureIsRefused(t *testing.T) {
	point := `{"type":"Feature","id":"a","properties":{"x":"` + strings.Repeat("y", 300) + `"},"geometry":{"type":"Point","coordinates":[121,37]}}`
	small := `{"type":"Feature","id":"b","properties":{},"geometry":{"type":"Point","coordinates":[121,37]}}`
	text := `{"type":"FeatureCollection","features":[` + point + ",\n" + small + "]}"
	if got := outcome(readAll(text, load.Options{MaxRecordBytes: 200})); got != "2:b refused 1:: the feature is larger than 200 bytes" {
		t.Error(got)
	}
	if got := outcome(readAll(point, load.Options{MaxRecordBytes: 200})); !strings.HasPrefix(got, `error line 1: the member "properties" is larger`) {
		t.Error(got)
	}
}

func TestFrames(t *testing.T) {
	for _, f := range geo.Frames() {
		want := orb.Point{121.39388, 37.53157}
		if g, ok := geo.GaussKrugerOf(f); ok {
			want[0] = g.CentralMeridian + 1.39388
		}
		raw, err := geojson.Encode(f.FromWGS84(want))
		if err != nil {
			t.Fatal(err)
		}
		crs := ""
		if !f.Degrees() {
			crs = `"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:` + strings.Replace(strings.ToUpper(string(f)), ":", "::", 1) + `"}},`
		}
		got := one(t, `{`+crs+`"type":"Feature","properties":{},"geometry":`+string(raw)+`}`, load.Options{Frame: f})
		if d := geo.Distance(got.Geometry.(orb.Point), want); d > 0.01 {
			t.Errorf("%s is %v m off", f, d)
		}
	}
}

func TestEncodings(t *testing.T) {
	text := "{\"type\":\"Feature\",\"id\":\"a\",\n\"properties\":{\"name\":\"芝罘区危险源\"},\"geometry\":{\"type\":\"Point\",\"coordinates\":[121,37]}}"
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{text, "\ufeff" + text, gbk, utf16} {
		if f := one(t, s, load.Options{}); f.Name.ZH != "芝罘区危险源" {
			t.Errorf("the name is %q", f.Name.ZH)
		}
	}
	if got := outcome(readAll(gbk, load.Options{Encoding: load.EncodingUTF8})); !strings.HasPrefix(got, "refused 1:a: line 2: the text is not UTF-8 here; if the file is GBK") {
		t.Errorf("GBK as UTF-8: %s", got)
	}
	late := "lon,lat,name\n" + strings.Repeat("121,37,x\n", 10_000) + "121,37,\xd6\xa5\xee\xb7\n"
	if _, refusals, err := readAll(late, load.Options{}); err != nil || len(refusals) != 1 || refusals[0].Line != 10_002 {
		t.Errorf("GBK far into a file that is not surveyed: %v %v", refusals, err)
	}
	if _, err := load.Open(strings.NewReader("PK\x03\x04\x14"), load.Options{}); err == nil || !strings.Contains(err.Error(), "save the sheet as CSV") {
		t.Errorf("nonsense: %v", err)
	}
	cut := strings.Repeat("x", 64<<10-1) + "芝" // a character across what is peeked
	if got := outcome(readAll("lon,lat\n1,2\n"+cut+"\n", load.Options{})); !strings.Contains(got, "refused 3") {
		t.Error(got)
	}
}

// TestGeoJSONIsReadBackEqual writes random collections and reads them.
func TestGeoJSONIsReadBackEqual(t *testing.T) {
	type feature struct {
		Type       string          `json:"type"`
		ID         string          `json:"id"`
		Properties map[string]any  `json:"properties"`
		Geometry   json.RawMessage `json:"geometry"`
	}
	scalar := rapid.OneOf(rapid.Map(rapid.StringMatching(`[a-z芝罘"\\\n{}\[\]]*`), func(s string) any { return s }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) any { return f }), rapid.Map(rapid.Bool(), func(b bool) any { return b }))
	rapid.Check(t, func(t *rapid.T) {
		all := []feature{}
		var shapes []orb.Geometry
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			centre := orb.Point{rapid.Float64Range(119, 122).Draw(t, "lon"), rapid.Float64Range(36, 38).Draw(t, "lat")}
			g := rapid.SampledFrom([]orb.Geometry{centre, geo.Circle(centre, 500, 7), orb.LineString{centre, {0, 0}}}).Draw(t, "g")
			raw, err := geojson.Encode(g)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, feature{"Feature", rapid.StringMatching(`[a-z0-9]{1,9}`).Draw(t, "id"), rapid.MapOf(rapid.StringMatching(`p[a-z"]{0,5}`), scalar).Draw(t, "p"), raw})
			shapes = append(shapes, g)
		}
		text, err := json.Marshal(map[string]any{"type": "FeatureCollection", "features": all})
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "pretty") {
			var b bytes.Buffer
			_ = json.Indent(&b, text, "", " ")
			text = b.Bytes()
		}
		records, refusals, err := readAll(string(text), load.Options{})
		if err != nil || len(refusals) > 0 || len(records) != len(all) {
			t.Fatalf("%s\n%s", text, outcome(records, refusals, err))
		}
		for i, r := range records {
			if r.Feature.Key != all[i].ID || !orb.Equal(r.Feature.Geometry, shapes[i]) {
				t.Fatalf("%d: %+v", i, r)
			}
			if diff := cmp.Diff(catalogue.Properties(all[i].Properties), r.Feature.Properties); diff != "" {
				t.Fatal(diff)
			}
			if at := strings.Count(string(text[:nthFeature(text, i)]), "\n") + 1; r.Line != at {
				t.Fatalf("feature %d is at line %d, not %d", i, at, r.Line)
			}
		}
	})
}

// nthFeature returns the offset of the i-th feature of a collection. It uses the decoder of the standard library.
func nthFeature(text []byte, i int) int {
	d := json.NewDecoder(bytes.NewReader(text))
	token, err := d.Token()
	for err == nil && token != json.Delim('[') {
		token, err = d.Token()
	}
	for n := 0; d.More(); n++ {
		before := int(d.InputOffset())
		if n == i {
			return before + bytes.IndexByte(text[before:], '{')
		}
		var skip json.RawMessage
		_ = d.Decode(&skip)
	}
	return len(text)
}

func FuzzGeoJSON(f *testing.F) {
	f.Add([]byte(collection))
	f.Add([]byte(`{"type":"Feature","properties":{"level":"红","name":"x"},"geometry":{"type":"Point","coordinates":[1,2]}}`))
	f.Add([]byte("{\"features\":[{\"a\":[}],"))
	f.Add([]byte("\xef\xbb\xbf{\"type\":\"Feature\"}{"))
	f.Add([]byte("{\"features\":[1,2,\"\\"))
	f.Fuzz(func(t *testing.T, text []byte) {
		checkAll(t, string(text), load.Options{Format: load.FormatGeoJSON, MaxRecordBytes: 4096})
	})
}

// checkAll reads a file and checks the properties that every record must have.
func checkAll(t *testing.T, text string, o load.Options) {
	t.Helper()
	records, refusals, err := readAll(text, o)
	if err != nil && !fault.Is(err, fault.Invalid) {
		t.Fatalf("%v is not of kind invalid", err)
	}
	for _, r := range records {
		p, ok := geo.PointOn(r.Feature.Geometry)
		if !ok || geo.CheckPoint(p) != nil || r.Feature.Key == "" || r.Line < 1 || !r.Feature.Level.Valid() || r.Feature.Origin != core.OriginReal {
			t.Fatalf("%+v", r)
		}
		if _, err := json.Marshal(r.Feature.Properties); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range refusals {
		if r.Line < 1 || r.Reason == "" {
			t.Fatalf("%+v", r)
		}
	}
}
