package load_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/paulmach/orb"
	"golang.org/x/text/encoding/simplifiedchinese"

	"onemap/catalogue"
	"onemap/catalogue/load"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

func TestCSVKeepsLineNumbers(t *testing.T) {
	text := "\ufeffID,名称,经度,纬度,等级\r\n" +
		"a,\"两行\r\n的名\",121.4,37.5,红\r\n" + // lines 2 and 3
		"b,x,37.5,121.4,\r\n" + // 4
		"c,x,121.4\r\n" + // 5
		"\r\n" + // 6
		"d,\"a \"\"b\"\"\",121°24′E,37°30′N,蓝色\r\n" + // 7
		"e,x,,37,\r\n" + // 8
		"f,x,NaN,37,\r\n" // 9
	records, refusals, err := readAll(text, load.Options{})
	want := "2:a 7:d refused 4:b: lat: 121.4 is outside -90 to 90; are lon and lat swapped? refused 5:c: the row has 3 columns, the header 5 " +
		"refused 8:e: 经度: is empty refused 9:f: 经度: is empty: \"NaN\""
	if got := outcome(records, refusals, err); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	a, d := records[0].Feature, records[1].Feature
	if a.Name.ZH != "两行 的名" || a.Level != core.Red || a.Geometry != (orb.Point{121.4, 37.5}) {
		t.Errorf("%+v", a)
	}
	if d.Name.ZH != `a "b"` || d.Level != core.Blue || d.Geometry != (orb.Point{121.4, 37.5}) {
		t.Errorf("%+v", d)
	}
	if diff := cmp.Diff(catalogue.Properties{"ID": "d", "名称": `a "b"`, "等级": "蓝色"}, d.Properties); diff != "" {
		t.Error(diff)
	}
}

func TestCSVTypes(t *testing.T) {
	o := load.Options{Fields: []catalogue.Field{{Name: "t", Type: "number"}, {Name: "n", Type: "integer"}, {Name: "b", Type: "boolean"}, {Name: "s", Type: "string"}}}
	f := one(t, "lon;lat;t;n;b;s;code\n121;37;1.5;7;是;007;007\n", o)
	if diff := cmp.Diff(catalogue.Properties{"t": 1.5, "n": 7.0, "b": true, "s": "007", "code": "007"}, f.Properties); diff != "" || f.Key != "007" {
		t.Error(f.Key, diff)
	}
	f = one(t, "lon\tlat\tt\tn\tb\ts\n121\t37\t\t \t\t\n", o)
	if diff := cmp.Diff(catalogue.Properties{"t": nil, "n": nil, "b": nil, "s": ""}, f.Properties); diff != "" {
		t.Error(diff)
	}
	for row, want := range map[string]string{
		"121,37,x,1,0,": `t: "x" is no number`, "121,37,Inf,1,0,": "is no number", "121,37,1,1.5,0,": "n: ", "121,37,1,1,maybe,": "b: ", "121,37,1,1,1,\x00": "s: holds a NUL",
	} {
		if got := outcome(readAll("lon,lat,t,n,b,s\n"+row+"\n", o)); !strings.Contains(got, want) {
			t.Errorf("%q: %s", row, got)
		}
	}
}

func TestCSVFrames(t *testing.T) {
	want := orb.Point{121.39388, 37.53157}
	f := one(t, "easting,northing\n40623205.7118,4156419.0976\n", load.Options{Frame: geo.FrameEPSG4528})
	if d := geo.Distance(f.Geometry.(orb.Point), want); d > 0.01 {
		t.Errorf("%v m off", d)
	}
	f = one(t, "Y,X\n623205.7118,4156419.0976\n", load.Options{Frame: geo.FrameEPSG4549, LonField: "Y", LatField: "X"})
	if d := geo.Distance(f.Geometry.(orb.Point), want); d > 0.01 {
		t.Errorf("%v m off", d)
	}
}

func TestCSVInGBK(t *testing.T) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().String("编号,名称,经度,纬度\n1,芝罘区液氯储存单元,121.4,37.5\n")
	if err != nil {
		t.Fatal(err)
	}
	if f := one(t, gbk, load.Options{}); f.Name.ZH != "芝罘区液氯储存单元" || f.Key != "1" {
		t.Errorf("%+v", f)
	}
}

func TestBrokenCSV(t *testing.T) {
	for text, want := range map[string]string{
		"":             "line 1: the file is empty",
		"a,b\n1,2\n":   "line 1: no column holds the longitude: its name should be lon, lng, long",
		"lon,b\n1,2\n": "line 1: no column holds the latitude",
	} {
		_, _, err := readAll(text, load.Options{Format: load.FormatCSV, MaxRecordBytes: 20_000})
		if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60q\n got %v\nwant %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"lon,lat,lon\n3,2,1\n": "2:", "lon,lat\n1,2\n\"1,2\n3,4": "4: refused 3:: malformed CSV", "lon,lat\n1,\"2\"x\n3,4\n": "3: refused 2:: malformed CSV",
		"lon,lat\n1,2\n1,\"2" + strings.Repeat("x\n", 40_000) + "\n":  "refused 3:: malformed CSV",
		"lon,lat\n1,2\n1,\"2" + strings.Repeat("x", 40_000) + "\n3,4": "4: refused 3:: the row is too large",
	} {
		records, refusals, err := readAll(text, load.Options{Format: load.FormatCSV, MaxRecordBytes: 20_000})
		for i := range records {
			records[i].Feature.Key = ""
		}
		if got := outcome(records, refusals[:min(1, len(refusals))], err); !strings.Contains(got, want) {
			t.Errorf("%.60q\n got %s\nwant %s", text, got, want)
		}
	}
	if _, _, err := readAll("lon,lat\n1,2\n", load.Options{KeyField: "nr"}); err == nil || !strings.Contains(err.Error(), `there is no column "nr"; there are: lon, lat`) {
		t.Error(err)
	}
	if got := outcome(readAll("lon,lat,nr\n1,2, \n", load.Options{KeyField: "nr"})); got != "refused 2:: nr: the key is missing" {
		t.Error(got)
	}
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("id,name,lon,lat,level\n1,x,121,37,红\n2,\"a\nb\",121°,37,\n"))
	f.Add([]byte("lon;lat\n1;2;3\n\"\n"))
	f.Add([]byte("\xff\xfel\x00o\x00n\x00"))
	f.Add([]byte("\xbe\xad\xb6\xc8,\xce\xb3\xb6\xc8\n121,37\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		checkAll(t, string(text), load.Options{Format: load.FormatCSV, MaxRecordBytes: 4096})
	})
}
