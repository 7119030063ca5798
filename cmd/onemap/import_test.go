package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/app/stores/storetest"
)

// Commands of import as people type them, with their output and exit code.
func TestImportCommand(t *testing.T) {
	t.Setenv("ONEMAP_DATABASE", storetest.NewURL(t))
	t.Setenv("ONEMAP_BASE_DATA", filepath.Join("..", "..", "data", "base"))
	five := "id,name,grade,lon,lat\n1,a,1,121.1,37.1\n2,b,2,121.2,37.2\n3,c,9,121.3,37.3\n4,d,,121.4,37.4\n5,e,,121.5,37.5\n"
	bow := `{"type":"Feature","id":"bow","properties":{},"geometry":{"type":"Polygon","coordinates":[[[121,37],[121.1,37.1],[121.1,37],[121,37.1],[121,37]]]}}`
	for _, step := range []struct {
		name, file, text, args string
		code                   int
		want                   []string
	}{
		{"grades of risks", "a.csv", five, "--layer dangers --theme risk_point", exitOK,
			[]string{"layer dangers, version 1: read 5, created 5, updated 0, deleted 0, refused 0, mended 0", "longitude from lon, latitude from lat",
				"key from id, name from name", "level from grade: 1 red, 1 orange; 1 not understood and left empty: 9"}},
		{"no grades of places", "b.csv", five, "--layer places --theme place", exitOK, []string{"version 1: read 5, created 5"}},
		{"grades that are named", "c.csv", five, "--layer places --theme place --level grade", exitOK, []string{"updated 2", "level from grade: 1 red"}},
		{"an empty file", "d.csv", "id,lon,lat\n", "--layer dangers --theme risk_point", exitUsage,
			[]string{"layer dangers is as it was: read 0, created 0", "5 of the layer's 5 features are not in the file", "--allow-delete"}},
		{"a file of nothing", "d0.csv", "", "--layer dangers --theme risk_point", exitUsage, []string{"the file is empty"}},
		{"an empty list that is meant", "e.json", "[]", "--layer dangers --theme risk_point --allow-delete", exitOK, []string{"version 2: read 0, created 0, updated 0, deleted 5"}},
		{"an empty list for a new layer", "e.json", `{"type":"FeatureCollection","features":[]}`, "--layer empty --theme place", exitOK, []string{"read 0, created 0"}},
		{"some are refused", "f.csv", "id,lon,lat\n1,121,37\n2,/,/\n3,0,0\n", "--layer some --theme place", exitRefused,
			[]string{"read 3, created 1", "line 3, record 2, byte 20, key 2: lon: is empty: \"/\"", "line 4, record 3, byte 26, key 3: geometry: a point at 0, 0", "2 rows were refused; all others"}},
		{"all are refused", "g.csv", "id,lon,lat\n1,-,-\n2,N/A,\n", "--layer all --theme place", exitUsage,
			[]string{"layer all is as it was: read 2, created 0, updated 0, deleted 0, refused 2", "line 2, record 1, byte 11, key 1: lon: is empty", "none of the 2 records"}},
		{"0, 0 is meant", "h.csv", "id,lon,lat\n1,0,0\n", "--layer zero --theme place --allow-zero", exitOK, []string{"created 1"}},
		{"a bow-tie", "i.json", bow, "--layer bow --theme place", exitUsage, []string{"key bow: geometry: Self-intersection", "--repair mends it"}},
		{"a bow-tie to be mended", "i.json", bow, "--layer bow --theme place --repair", exitOK, []string{"created 1", "mended 1", "key bow: the area crossed or touched itself"}},
		{"a column for GeoJSON", "i.json", bow, "--layer bow --theme place --lon x", exitUsage, []string{"--lon: is for tables, and the file is GeoJSON"}},
		{"another for GeoJSON", "i.json", bow, "--layer bow --theme place --lat y", exitUsage, []string{"--lat: is for tables"}},
		{"names of columns for GeoJSON", "i.json", bow, "--layer bow --theme place --columns id,lon,lat", exitUsage, []string{"--columns: is for tables"}},
		{"over 180°", "j.json", `{"type":"Polygon","coordinates":[[[179,30],[-179,30],[-179,31],[179,31],[179,30]]]}`, "--layer typhoon --theme weather", exitOK,
			[]string{"created 1", "1 records cross the meridian of 180° and were cut there"}},
		{"columns and a frame", "k.txt", "1;甲;623751.7;4152905\n2;乙;40623751.7;4152905\n", "--layer wells --theme resource --columns nr,bez,Y,X --frame 4549 --lon Y --lat X --key nr --name bez", exitOK,
			[]string{"created 2", "longitude from Y, latitude from X", "key from nr, name from bez"}},
		{"an unknown frame", "l.csv", five, "--layer wells --theme resource --frame 2433", exitUsage, []string{"frame", "epsg:4491 to epsg:4554"}},
		{"a category is no key", "m.csv", "code,lon,lat\nA,121,37\nA,121.1,37\n", "--layer kinds --theme place", exitOK, []string{"created 2", "code repeats and is not taken as the key"}},
		{"a category that is named", "m.csv", "code,lon,lat\nA,121,37\nA,121.1,37\n", "--layer kinds2 --theme place --key code", exitRefused, []string{"created 1", "the key A is that of line 2 already"}},
	} {
		t.Run(step.name, func(t *testing.T) {
			args := append([]string{"import"}, strings.Fields(step.args)...)
			args = append(args, file(t, step.file, step.text))
			code, out, errOut := command(t, args...)
			for _, want := range step.want {
				if code != step.code || !strings.Contains(out+errOut, want) {
					t.Errorf("exit %d, want %d and %q in\n%s%s", code, step.code, want, out, errOut)
				}
			}
		})
	}
}

// The report counts drawn and edited features separately from the features of the file.
func TestImportSaysWhatWasByHand(t *testing.T) {
	url := storetest.NewURL(t)
	t.Setenv("ONEMAP_DATABASE", url)
	t.Setenv("ONEMAP_BASE_DATA", filepath.Join("..", "..", "data", "base"))
	path := file(t, "a.csv", "id,name,lon,lat\n1,a,121.1,37.1\n2,b,121.2,37.2\n")
	args := []string{"import", "--layer", "places", "--theme", "place", path}
	if code, out, errOut := command(t, args...); code != exitOK || strings.Contains(out, "by hand") {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	for _, sql := range []string{
		`update feature set name_zh = 'x', by_hand = '{"edited": {"by": "li"}}' where source_key = '1'`,
		`insert into feature (layer_id, source_key, origin, source, by_hand, geom)
			select id, 'onemap-X', 'real', '', '{"drawn": {"by": "li"}}', ST_Point(121, 37, 4326) from layer where name = 'places'`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errOut := command(t, args...)
	for _, want := range []string{"updated 1, deleted 0, refused 0, mended 0, kept 1 drawn by hand\n", "  1 features edited by hand were replaced; their history keeps what was\n"} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %q in\n%s%s", code, want, out, errOut)
		}
	}
}
