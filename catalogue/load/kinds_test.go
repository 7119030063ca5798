package load_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"onemap/catalogue"
	"onemap/catalogue/load"
	"onemap/geo"
	"onemap/internal/core"
)

// result is the result of reading a file after a survey, as the command does it.
type result struct {
	records  []catalogue.Record
	refusals []catalogue.Refusal
	notes    string
	err      error
}

func surveyed(t *testing.T, text string, o load.Options) result {
	t.Helper()
	f := bytes.NewReader([]byte(text))
	o, err := load.Survey(f, o)
	if err != nil {
		return result{err: err}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	r, err := load.Open(f, o)
	if err != nil {
		return result{err: err}
	}
	var out result
	for {
		record, refusal, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			out.notes = strings.Join(r.Notes(), "\n")
			return out
		case err != nil:
			out.err, out.notes = err, strings.Join(r.Notes(), "\n")
			return out
		case refusal != nil:
			out.refusals = append(out.refusals, *refusal)
		default:
			out.records = append(out.records, record)
		}
	}
}

// String returns each record as key@lon,lat=level, then the refusals with line, offset and key.
func (r result) String() string {
	var b strings.Builder
	for _, record := range r.records {
		f := record.Feature
		key := f.Key
		if strings.HasPrefix(key, "sha256-") {
			key = "#"
		}
		at := f.Geometry.GeoJSONType()
		if p, ok := f.Geometry.(orb.Point); ok {
			at = fmt.Sprintf("%.4g,%.4g", p[0], p[1])
		}
		fmt.Fprintf(&b, "%s@%s", key, at)
		if f.Level != core.None {
			fmt.Fprintf(&b, "=%s", f.Level)
		}
		b.WriteByte(' ')
	}
	for _, refusal := range r.refusals {
		fmt.Fprintf(&b, "refused %d/%d/%s ", refusal.Line, refusal.Offset, refusal.Key)
	}
	if r.err != nil {
		fmt.Fprintf(&b, "error %v", r.err)
	}
	return strings.TrimSpace(b.String())
}

// Tables in the forms that people use: columns, delimiters, encodings and line ends.
func TestTablesOfAllKinds(t *testing.T) {
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String("id,经度,纬度\n1,121.4,37.5\n")
	if err != nil {
		t.Fatal(err)
	}
	one := "1@121.4,37.5"
	for name, c := range map[string]struct {
		text string
		o    load.Options
		want string
	}{
		"units in the names":                   {"编号,经度（°）,纬度（°）\n1,121.4,37.5\n", load.Options{}, one},
		"units in square brackets":             {"id,LON [deg],LAT [deg]\n1,121.4,37.5\n", load.Options{}, one},
		"a space in a Chinese name":            {"编 号,经 度,纬　度\n1,121.4,37.5\n", load.Options{}, one},
		"x and y":                              {"ID,X,Y\n1,121.4,37.5\n", load.Options{}, one},
		"one column":                           {"id,location\n1,\"121.4,37.5\"\n", load.Options{}, one},
		"one column in brackets":               {"id,坐标\n1,\"（121.4，37.5）\"\n", load.Options{}, one},
		"one column, the other way":            {"id,经纬度\n1,\"37.5,121.4\"\n", load.Options{}, one},
		"one column, said to be the other way": {"id,\"纬度,经度\"\n1,\"37.5,80.5\"\n2,\"37.5 121.4\"\n3,E80.5 N37.5\n", load.Options{}, "1@80.5,37.5 2@121.4,37.5 3@80.5,37.5"},
		"one column in words":                  {"id,位置\n1,东经121°24′北纬37°30′\n2,N37.5 E121.4\n", load.Options{}, one + " 2@121.4,37.5"},
		"one column, with the words":           {"id,经纬度\n1,\"经度121.4,纬度37.5\"\n2,纬度：37.5 经度：121.4\n", load.Options{}, one + " 2@121.4,37.5"},
		"names in two rows":                    {"统计表,,,\n编号,名称,位置,\n,,经度,纬度\n1,甲,121.4,37.5\n", load.Options{}, one},
		"a title above a nameless column":      {"统计表,,,\n,编号,经度,纬度\n1,1,121.4,37.5\n", load.Options{}, one},
		"a sum and remarks below":              {"编号,经度,纬度\n1,121.4,37.5\n\n合计,1处,\n注：坐标为CGCS2000\n", load.Options{}, one + " refused 4/35/合计 refused 5/48/注：坐标为CGCS2000"},
		"one column with an address":           {"id,位置,lon,lat\n1,解放路,121.4,37.5\n", load.Options{}, one},
		"named, in one column":                 {"id,wo\n1,121.4 37.5\n", load.Options{LonField: "wo"}, one},
		"named":                                {"id,a,b\n1,121.4,37.5\n", load.Options{LonField: "a", LatField: "b"}, one},
		"one is named":                         {"id,a,lat\n1,121.4,37.5\n", load.Options{LonField: "a"}, one},
		"well-known text":                      {"id,WKT\n1,POINT (121.4 37.5)\n2,\"LINESTRING Z(121 37 1, 122 38 2)\"\n", load.Options{}, one + " 2@LineString"},
		"PostGIS text":                         {"id;the_geom\n1;SRID=4326;POINT(121.4 37.5)\n", load.Options{}, "refused 2/12/1"},
		"PostGIS text in quotes":               {"id;the_geom\n1;\"SRID=4326;POINT(121.4 37.5)\"\n", load.Options{}, one},
		"GeoJSON in a cell":                    {"id;geom\n1;{\"type\":\"Point\",\"coordinates\":[121.4,37.5]}\n", load.Options{}, one},
		"a title":                              {"某市隐患点一览表,,\n编号,经度,纬度\n1,121.4,37.5\n", load.Options{}, one},
		"a title and a date":                   {"某市隐患点\n\n填表日期：2026年5月,填表人\n编号;经度;纬度\n1;121.4;37.5\n", load.Options{}, one},
		"sep=":                                 {"sep=;\r\nid;lon;lat\r\n1;121.4;37.5\r\n", load.Options{}, one},
		"sep= and a mark":                      {"\ufeffsep=|\nid|lon|lat\n1|121.4|37.5\n", load.Options{}, one},
		"pipes":                                {"id|name|lon|lat\n1|a,b|121.4|37.5\n", load.Options{}, one},
		"tabs":                                 {"id\tname\tlon\tlat\n1\ta,b\t121.4\t37.5\n", load.Options{}, one},
		"decimal commas":                       {"id;lon;lat\n1;121,4;37,5\n", load.Options{}, one},
		"decimal commas in quotes":             {"id,lon,lat\n1,\"121,4\",\"37,5\"\n", load.Options{}, one},
		"full-width digits":                    {"id,lon,lat\n1,１２１．４,３７．５\n", load.Options{}, one},
		"carriage returns alone":               {"id,lon,lat\r1,121.4,37.5\r2,121.5,37.5\r", load.Options{}, one + " 2@121.5,37.5"},
		"two marks":                            {"\ufeff\ufefflon,lat,id\n121.4,37.5,1\n", load.Options{}, one},
		"a mark in the middle":                 {"id,lon,lat\n1,121.4,37.5\n\ufeff2,121.5,37.5\n", load.Options{}, one + " 2@121.5,37.5"},
		"UTF-16":                               {utf16, load.Options{}, one},
		"no names":                             {"1,甲,121.4,37.5\n", load.Options{Columns: []string{"id", "name", "lon", "lat"}}, one},
		"names that are there":                 {"id,name,lon,lat\n1,甲,121.4,37.5\n", load.Options{Columns: []string{"id", "name", "lon", "lat"}}, one},
		"quotes of all kinds": {"id,lon,lat\n1,121°24'0\"E,37°30'N\n2,121°24’0”,37°30’0”\n3,\"121°24'0\"\"E\",37°30＇0＂\n4,121度24分,37度30分0秒\n5,\"121°24'0\"E\",37.5\n",
			load.Options{}, one + " 2@121.4,37.5 3@121.4,37.5 4@121.4,37.5 5@121.4,37.5"},
		"a quote that is not closed": {"id,lon,lat\n1,\"121.4,37.5\n2,121.4,37.5\n3,\"121.4\",37.5\n", load.Options{}, "2@121.4,37.5 3@121.4,37.5 refused 2/11/1"},
		"text over lines":            {"id,n,lon,lat\n1,\"a\nb\",121.4,37.5\n", load.Options{}, one},
		"a column twice":             {"id,备注,备注,lon,lat\n1,x,y,121.4,37.5\n", load.Options{}, one},
		"columns without names":      {"id,lon,lat,,\n1,121.4,37.5,,\n,,,,\n", load.Options{}, one},
		"cells too many":             {"id,lon,lat\n1,121.4,37.5,,\n2,121.4,37.5,x\n3,121.4\n", load.Options{}, one + " refused 3/26/2 refused 4/41/3"},
		"places that are not known": {"id,lon,lat\n1,121.4,37.5\n2,/,/\n3,无,无\n4,-,-\n5,N/A,NULL\n6,0,0\n7,0.000,0°\n", load.Options{},
			one + " refused 3/24/2 refused 4/30/3 refused 5/40/4 refused 6/46/5 refused 7/57/6 refused 8/63/7"},
		"0, 0 is meant":                 {"id,lon,lat\n1,0,0\n", load.Options{AllowZero: true}, "1@0,0"},
		"a byte that is none":           {"id,n,lon,lat\n1,芝罘,121.4,37.5\n2,芝\xe7,121.5,37.5\n3,x,121.4,37.5\n", load.Options{}, one + " 3@121.4,37.5 refused 3/33/2"},
		"metres":                        {"id,easting,northing\n1,623751.7,4152905\n2,40623751.7,4152905\n", load.Options{Frame: "epsg:4549"}, "1@121.4,37.5 2@121.4,37.5"},
		"metres, with the zone":         {"id,easting,northing\n1,623751.7,4152905\n2,40623751.7,4152905\n", load.Options{Frame: "4528"}, "1@121.4,37.5 2@121.4,37.5"},
		"metres of surveyors":           {"id,X,Y\n1,4152905,40623751.7\n", load.Options{Frame: "4528"}, one},
		"metres of map makers":          {"id,X坐标,Y坐标\n1,623751.7,4152905\n", load.Options{Frame: "4549"}, one},
		"metres with thousands":         {"id;X;Y\n1;623,751.7;4,152,905\n2;623751,7;4152905\n", load.Options{Frame: "4549"}, "1@121.4,37.5 2@121.4,37.5"},
		"metres, and no frame is named": {"id,X,Y\n1,4152905,623751.7\n", load.Options{}, "refused 2/7/1"},
		"metres of another zone":        {"id,easting,northing\n1,39623751.7,4152905\n", load.Options{Frame: "4549"}, "refused 2/20/1"},
		"metres of the web's maps":      {"id,X,Y\n1,13514186,4508930\n", load.Options{Frame: "3857"}, one},
		"a number of a spreadsheet":     {"编号,行政区划代码,经度,纬度\n3.70602E+11,3.70602E+11,121.4,37.5\n3.70602E+11,3.70602E+11,121.5,37.5\n", load.Options{}, "#@121.4,37.5 #@121.5,37.5"},
		"a category called code":        {"code,lon,lat\n090100,121.4,37.5\n090100,121.5,37.5\n", load.Options{}, "#@121.4,37.5 #@121.5,37.5"},
		"a category beside a key":       {"code,编号,lon,lat\n090100,1,121.4,37.5\n090100,2,121.5,37.5\n", load.Options{}, "1@121.4,37.5 2@121.5,37.5"},
		"a key that is named":           {"code,lon,lat\n090100,121.4,37.5\n090100,121.5,37.5\n", load.Options{KeyField: "CODE"}, "090100@121.4,37.5 090100@121.5,37.5"},
		"keys that say nothing":         {"id,lon,lat\n-,121.4,37.5\n/,121.5,37.5\n", load.Options{}, "#@121.4,37.5 #@121.5,37.5"},
		"only names":                    {"id,lon,lat\n", load.Options{}, ""},
		"metres without a frame":        {"id,easting,northing\n1,2,3\n", load.Options{}, "error line 1: no column holds the longitude: its name should be lon, lng, long, longitude, 经度, 东经, 经度坐标, 中心经度, gps_lon, lon_wgs84, jd, x, point_x, x坐标, or is named by --lon; easting and northing are metres: name the frame, as --frame epsg:4549; there are: id, easting, northing"},
		"a column that is not there":    {"id,a,b\n1,2,3\n", load.Options{LonField: "c", LatField: "b"}, `error line 1: there is no column "c"; there are: id, a, b`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := surveyed(t, c.text, c.o); got.String() != c.want {
				t.Errorf("got  %s\nwant %s\n%+v\n%s", got, c.want, got.refusals, got.notes)
			}
		})
	}
}

// GeoJSON in the forms that people use.
func TestGeoJSONOfAllKinds(t *testing.T) {
	feature := func(id, more string) string {
		return `{"type":"Feature","id":"` + id + `","properties":{` + more + `},"geometry":{"type":"Point","coordinates":[121.4,37.5]}}`
	}
	list := func(features ...string) string {
		return "{\"type\":\"FeatureCollection\",\"features\":[\n" + strings.Join(features, ",\n") + "\n]}"
	}
	oneLine := func(features ...string) string { return strings.ReplaceAll(list(features...), "\n", "") }
	bare := `{"type":"Point","coordinates":[121.4,37.5]}`
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"a bare geometry":         {bare, "#@121.4,37.5"},
		"bare geometries, listed": {"[" + bare + "," + feature("a", "") + "]", "#@121.4,37.5 a@121.4,37.5"},
		"an array":                {"[" + feature("a", "") + "," + feature("b", "") + "]", "a@121.4,37.5 b@121.4,37.5"},
		"an empty array":          {"[]", ""},
		"arrays one by one":       {"[" + feature("a", "") + "]\n[" + feature("b", "") + "]", "a@121.4,37.5 b@121.4,37.5"},
		"a collection of shapes":  {`{"type":"GeometryCollection","geometries":[` + bare + `,` + bare + `]}`, "#@121.4,37.5 #@121.4,37.5"},
		"no features":             {`{"type":"FeatureCollection","features":[]}`, ""},
		"a mark in the middle":    {feature("a", "") + "\n\ufeff" + feature("b", ""), "a@121.4,37.5 b@121.4,37.5"},
		"five numbers":            {`{"type":"Point","coordinates":[121.4,37.5,1,2,3]}`, "#@121.4,37.5"},
		"NaN":                     {list(feature("a", ""), feature("b", `"h":NaN`), feature("c", "")), "a@121.4,37.5 c@121.4,37.5 refused 3/141/b"},
		"NaN in one line":         {oneLine(feature("a", ""), feature("b", `"h":-Infinity`), feature("c", "")), "a@121.4,37.5 c@121.4,37.5 refused 1/139/b"},
		"NaN in lines":            {feature("a", "") + "\n" + feature("b", `"h":NaN`) + "\n" + feature("c", ""), "a@121.4,37.5 c@121.4,37.5 refused 2/99/b"},
		"a wrong byte":            {list(feature("a", `"n":"芝罘"`), feature("b", "\"n\":\"\xe8\x8a\""), feature("c", "")), "a@121.4,37.5 c@121.4,37.5 refused 3/153/b"},
		"a wrong byte in lines":   {feature("a", "") + "\n" + feature("b", "\"n\":\"\xff\"") + "\n" + feature("c", ""), "a@121.4,37.5 c@121.4,37.5 refused 2/99/b"},
		"a lone quote":            {list(feature("a", ""), feature("b", `"n":"x`), feature("c", "")), "a@121.4,37.5 c@121.4,37.5 refused 3/141/b"},
		"a lone quote in one line": {oneLine(feature("a", ""), feature("b", `"n":"x`), feature("c", "")),
			"a@121.4,37.5 c@121.4,37.5 refused 1/139/b"},
		"a lone quote in lines":    {feature("a", "") + "\n" + feature("b", `"n":"x`) + "\n" + feature("c", ""), "a@121.4,37.5 c@121.4,37.5 refused 2/99/b"},
		"lone quotes in one line":  {oneLine(feature("a", `"n":"x`), feature("b", `"n":"y`), feature("c", ""), feature("d", "")), "c@121.4,37.5 d@121.4,37.5 refused 1/40/a refused 1/145/b"},
		"the last in one line":     {oneLine(feature("a", ""), feature("b", `"n":"x`)), "a@121.4,37.5 refused 1/139/b"},
		"cut off in a text":        {strings.TrimSuffix(oneLine(feature("a", ""), feature("b", `"n":"x`)), "]}"), "a@121.4,37.5 error line 1: the file ends in the middle"},
		"a bracket that is open":   {oneLine(feature("a", `"n":[1`), feature("c", "")), "c@121.4,37.5 refused 1/40/a"},
		"the last has a quote":     {list(feature("a", ""), feature("b", `"n":"x`)), "a@121.4,37.5 refused 3/141/b"},
		"cut off":                  {list(feature("a", ""))[:120], "error line 2: the file ends in the middle"},
		"a name that is an object": {feature("a", `"name":{"zh":"x"},"NAME":"y"`), "a@121.4,37.5"},
		"ids that repeat":          {list(feature("0", `"code":"x"`), feature("0", `"code":"y"`)), "x@121.4,37.5 y@121.4,37.5"},
		"a frame": {`{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::4549"}},"features":[
			{"type":"Feature","id":"a","properties":{},"geometry":{"type":"Point","coordinates":[623751.7,4152905]}}]}`, "a@121.4,37.5"},
		"over 180°":                {`{"type":"Polygon","coordinates":[[[179,30],[-179,30],[-179,31],[179,31],[179,30]]]}`, "#@MultiPolygon"},
		"0, 0":                     {`{"type":"Feature","id":"z","properties":{},"geometry":{"type":"Point","coordinates":[0,0.0]}}`, "refused 1/0/z"},
		"the key of a refused one": {`{"type":"Feature","properties":{"code":"k"},"geometry":null}`, "refused 1/0/k"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := surveyed(t, c.text, load.Options{}); got.String() != c.want {
				t.Errorf("got  %s\nwant %s\n%+v\n%s", got, c.want, got.refusals, got.notes)
			}
		})
	}
}

// After a broken feature of several lines, the reader continues at the next feature.
func TestPrettyFeaturesAfterABrokenOne(t *testing.T) {
	text := `{
  "type": "FeatureCollection",
  "features": [
    {
      "type": "Feature",
      "id": "a",
      "properties": {"name": "x},
      "geometry": {
        "type": "Point",
        "coordinates": [121.4, 37.5]
      }
    },
    {
      "type": "Feature",
      "id": "b",
      "properties": {},
      "geometry": {
        "type": "Point",
        "coordinates": [121.4, 37.5]
      }
    }
  ],
  "bbox": [1, 2, 3, 4]
}`
	if got := surveyed(t, text, load.Options{}).String(); got != "b@121.4,37.5 refused 4/53/a" {
		t.Error(got)
	}
	first, rest, _ := strings.Cut(text, `"id": "b"`)
	if got := surveyed(t, first+`"id": "b`+rest, load.Options{}).String(); got != "refused 4/53/a refused 13/232/" {
		t.Error(got)
	}
}

// A cell that was merged over two rows of names has the name of its column. A title is not a name.
func TestNamesInTwoRows(t *testing.T) {
	for text, want := range map[string]string{
		"统计表,,,\n序号,名称,位置,\n,,经度,纬度\n1,甲,121.4,37.5\n": "lines 2 and 3 name the columns together: 序号, 名称, 经度, 纬度",
		"统计表,,,\n,名称,经度,纬度\n1,甲,121.4,37.5\n":          "line 1 stands above the column names and is left out: 统计表",
	} {
		r, err := load.Open(strings.NewReader(text), load.Options{})
		if err != nil {
			t.Fatal(err)
		}
		record, _, err := r.Next()
		if err != nil || record.Feature.Name.ZH != "甲" || !slices.Contains(r.Notes(), want) {
			t.Errorf("%+v %v, notes %q, want %q", record.Feature, err, r.Notes(), want)
		}
	}
}

// GBK is detected wherever its first character is, and offsets are offsets in the file.
func TestGBKDecidedLate(t *testing.T) {
	gbk := func(s string) string {
		out, err := simplifiedchinese.GB18030.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, before := range []int{0, 70_000, 11_000_000} {
		pad := strings.Repeat("0123456789abcdef", before/16)
		text := "id,name,note,lon,lat\n0,x," + pad + ",121.4,37.5\n1,芝罘区危险源,,121.4,37.5\n2,莱山区,,,\n"
		got := surveyed(t, gbk(text), load.Options{})
		if len(got.records) != 2 || got.records[1].Feature.Name.ZH != "芝罘区危险源" {
			t.Fatalf("after %d bytes: %v", before, got)
		}
		if want := int64(len(gbk(text[:strings.Index(text, "2,莱")]))); len(got.refusals) != 1 || got.refusals[0].Offset != want {
			t.Errorf("after %d bytes: %+v; want offset %d", before, got.refusals, want)
		}
		pad = pad[:min(len(pad), 100_000)]
		json := `{"type":"FeatureCollection","features":[{"type":"Feature","id":"0","properties":{"n":"` + pad + `"},"geometry":{"type":"Point","coordinates":[121.4,37.5]}},` +
			`{"type":"Feature","id":"1","properties":{"name":"芝罘区危险源"},"geometry":{"type":"Point","coordinates":[121.4,37.5]}},{"type":"Feature","id":"2","geometry":null}]}`
		got = surveyed(t, gbk(json), load.Options{})
		if len(got.records) != 2 || got.records[1].Feature.Name.ZH != "芝罘区危险源" {
			t.Fatalf("JSON after %d bytes: %v", before, got)
		}
		if want := int64(len(gbk(json[:strings.Index(json, `{"type":"Feature","id":"2"`)]))); len(got.refusals) != 1 || got.refusals[0].Offset != want {
			t.Errorf("JSON after %d bytes: %+v; want offset %d", before, got.refusals, want)
		}
	}
}

// A character across the border of two pieces in which a file is read is counted once.
func TestOffsetsInAFileOfGBK(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"type":"FeatureCollection","features":[`)
	for i := range 3000 {
		fmt.Fprintf(&b, `{"type":"Feature","id":%d,"properties":{"name":"%s"},"geometry":null},`, i, strings.Repeat("危险源", i%17)+"x")
	}
	text, err := simplifiedchinese.GB18030.NewEncoder().String(strings.TrimSuffix(b.String(), ",") + "]}")
	if err != nil {
		t.Fatal(err)
	}
	got := surveyed(t, text, load.Options{})
	if len(got.refusals) != 3000 {
		t.Fatalf("%d refusals", len(got.refusals))
	}
	for i, r := range got.refusals {
		if want := fmt.Sprintf(`{"type":"Feature","id":%d,`, i); !strings.HasPrefix(text[r.Offset:], want) {
			t.Fatalf("refusal %d is not at %d", i, r.Offset)
		}
	}
}

// A word of a level has the meaning of the scale of its file, and a note states how the levels were understood.
func TestScalesOfGrades(t *testing.T) {
	for name, c := range map[string]struct{ words, want string }{
		"risks":              {"重大 较大 一般 低", "1 red, 1 orange, 1 yellow, 1 blue"},
		"risks by colour":    {"重大风险（红色） 较大风险（橙色） 黄色 蓝 四级(蓝)", "1 red, 1 orange, 1 yellow, 2 blue"},
		"incidents":          {"特别重大 重大 较大 一般", "1 red, 1 orange, 1 yellow, 1 blue"},
		"warnings":           {"特别严重 严重 较重 一般", "1 red, 1 orange, 1 yellow, 1 blue"},
		"three grades":       {"高 中 低", "1 red, 1 yellow, 1 blue"},
		"the risk survey":    {"极高 高风险 中风险区 低", "1 red, 1 orange, 1 yellow, 1 blue"},
		"higher and lower":   {"高 较高 较低 低", "1 red, 1 orange, 1 yellow, 1 blue"},
		"five grades":        {"高 较高 中 较低 低", "1 red, 1 orange, 1 yellow, 2 blue"},
		"English":            {"High medium LOW", "1 red, 1 yellow, 1 blue"},
		"numbers":            {"1 2.0 ３ 4级 Ⅰ级 ii 三级 IV", "2 red, 2 orange, 2 yellow, 2 blue"},
		"words that are not": {"红 特大型 特大型 district 0;1 -1 5 重大(蓝)", "1 red; 7 not understood and left empty: 特大型 (2), -1, 0;1, 5, district, 重大(蓝)"},
		"nothing":            {"红 - 无 / 正常", "1 red, 1 none"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			b.WriteString("id,风险等级,lon,lat\n")
			words := strings.Fields(c.words)
			for i, w := range words {
				fmt.Fprintf(&b, "%d,%s,121.4,37.5\n", i, w)
			}
			got := surveyed(t, b.String(), load.Options{})
			if len(got.records) != len(words) || !strings.Contains(got.notes, "level from 风险等级: "+c.want) {
				t.Errorf("%d records, notes:\n%s\nwant %s", len(got.records), got.notes, c.want)
			}
		})
	}
}

func TestNotesSayWhatWasTakenAsWhat(t *testing.T) {
	got := surveyed(t, "某表\n编号,名称,名称,code,行政区划,风险等级,经度,纬度\n1,甲,x,c,芝罘区,红,121.4,37.5\n2,乙,y,c,370602,较大,121.4,37.5\n3.7E+17,丙,,c,,,121.4,37.5\n", load.Options{})
	for _, want := range []string{
		"line 1 stands above the column names and is left out: 某表", "the column 名称 is there twice: column 3 is taken as 名称_2",
		"longitude from 经度, latitude from 纬度", "code repeats and is not taken as the key", "key from 编号, name from 名称, division from 行政区划",
		"level from 风险等级: 1 red, 1 orange", "1 divisions in 行政区划 are no codes of GB/T 2260 and were taken from the place: 芝罘区",
		"1 numbers in 编号 were shortened by a spreadsheet and have lost digits: 3.7E+17",
	} {
		if !strings.Contains(got.notes, want) {
			t.Errorf("no %q in\n%s", want, got.notes)
		}
	}
	if len(got.records) != 3 || got.records[0].Feature.Properties["名称_2"] != "x" {
		t.Errorf("%v", got)
	}
}

// A key that occurs twice by mistake is still a key. The import refuses the second record.
func TestAKeyThatIsThereTwiceIsAKey(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,kind,code,lon,lat\n")
	const n = 150_000 // more than the survey keeps
	for i := range n {
		fmt.Fprintf(&b, "k%d,x,%d,121.4,37.5\n", max(i, 1), i%40_000)
	}
	got := surveyed(t, b.String(), load.Options{})
	if len(got.records) != n || got.records[0].Feature.Key != "k1" || !strings.Contains(got.notes, "code repeats") || strings.Contains(got.notes, "id repeats") {
		t.Errorf("%d records, notes %s", len(got.records), got.notes)
	}
}

func FuzzSurvey(f *testing.F) {
	f.Add([]byte("sep=;\nid;位置;等级\n1;121,4 37,5;高\n"))
	f.Add([]byte("[{\"type\":\"Feature\",\"id\":1,\"properties\":{\"level\":NaN}},{\"type\":\"Feature\",\"x\":\"}]"))
	f.Add([]byte("WKT\n\"GEOMETRYCOLLECTION(POINT(1 2),MULTIPOINT((1 2),(3 4)))\"\n"))
	f.Add([]byte("x|y\n\"1\n2|\"3\"4\"|5\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, frame := range []geo.Frame{"", "4549"} {
			got := surveyed(t, string(text), load.Options{Frame: frame, MaxRecordBytes: 4096})
			last := int64(-1)
			for _, r := range got.refusals {
				if r.Offset < last || r.Offset > int64(len(text)) {
					t.Fatalf("offset %d after %d of %d", r.Offset, last, len(text))
				}
				last = r.Offset
			}
		}
	})
}

// The time for one cell does not grow with the width of the table.
func BenchmarkWideTable(b *testing.B) {
	for _, columns := range []int{2_000, 20_000, 200_000} {
		b.Run(fmt.Sprint(columns), func(b *testing.B) {
			var header, row strings.Builder
			for i := range columns {
				fmt.Fprintf(&header, "c%d,c%d,", i, i/2)
				row.WriteString("x,y,")
			}
			text := header.String() + "lon,lat\n" + row.String() + "121,37\n"
			b.ResetTimer()
			for b.Loop() {
				if _, _, err := readAll(text, load.Options{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(2*columns), "ns/cell")
		})
	}
}

// A large feature is not taken as broken. After a broken feature in a line of megabytes, the other features are read.
func TestFeaturesOfMegabytes(t *testing.T) {
	large := `{"type":"Feature","id":"large","properties":{"list":[` + strings.Repeat(`{"type":"x"},`, 200_000) + `0]},"geometry":{"type":"Point","coordinates":[121.4,37.5]}}`
	broken := strings.Replace(large, `"id":"large"`, `"id":"broken","n":"x`, 1)
	var small strings.Builder
	for i := range 100 {
		fmt.Fprintf(&small, `,{"type":"Feature","id":%d,"properties":{},"geometry":{"type":"Point","coordinates":[121.4,37.5]}}`, i)
	}
	got := surveyed(t, `{"type":"FeatureCollection","features":[`+large+","+broken+small.String()+"]}", load.Options{})
	if len(got.records) != 101 || len(got.refusals) != 1 || got.refusals[0].Key != "broken" || got.err != nil {
		t.Errorf("%d records, refusals %+v, %v", len(got.records), got.refusals, got.err)
	}
}
