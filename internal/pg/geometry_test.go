package pg_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/pg"
)

// open connects to a new, migrated database.
func open(t *testing.T) *pg.Pool {
	t.Helper()
	pool, err := pg.Open(t.Context(), pg.Options{URL: storetest.NewURL(t), MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func drawPoint(t *rapid.T) orb.Point {
	return orb.Point{rapid.Float64Range(-180, 180).Draw(t, "lon"), rapid.Float64Range(-90, 90).Draw(t, "lat")}
}

func drawPoints(t *rapid.T, least, most int) []orb.Point {
	return rapid.SliceOfN(rapid.Custom(drawPoint), least, most).Draw(t, "points")
}

func drawPolygon(t *rapid.T) orb.Polygon {
	out := orb.Polygon{}
	for range rapid.IntRange(1, 3).Draw(t, "rings") {
		r := drawPoints(t, 3, 6)
		out = append(out, append(r, r[0]))
	}
	return out
}

// drawGeometry draws every kind of geometry, including the empty ones that PostGIS accepts.
func drawGeometry(t *rapid.T, depth int) orb.Geometry {
	switch kind := rapid.IntRange(0, 6).Draw(t, "kind"); {
	case kind == 0:
		return drawPoint(t)
	case kind == 1:
		return orb.MultiPoint(drawPoints(t, 0, 5))
	case kind == 2:
		return orb.LineString(drawPoints(t, 2, 6))
	case kind == 3:
		out := orb.MultiLineString{}
		for range rapid.IntRange(0, 3).Draw(t, "lines") {
			out = append(out, drawPoints(t, 2, 4))
		}
		return out
	case kind == 4:
		return drawPolygon(t)
	case kind == 5 || depth == 0:
		out := orb.MultiPolygon{}
		for range rapid.IntRange(0, 3).Draw(t, "polygons") {
			out = append(out, drawPolygon(t))
		}
		return out
	default:
		out := orb.Collection{}
		for range rapid.IntRange(0, 3).Draw(t, "parts") {
			out = append(out, drawGeometry(t, depth-1))
		}
		return out
	}
}

// A geometry that is written is read back unchanged, in both formats of the protocol, with SRID 4326.
func TestGeometryRoundTrip(t *testing.T) {
	pool := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		g := drawGeometry(rt, 2)
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeDescribeExec} {
			for _, format := range []int16{pgx.BinaryFormatCode, pgx.TextFormatCode} {
				var back orb.Geometry
				var srid int
				err := pool.QueryRow(t.Context(), "select $1::geometry, ST_SRID($1::geometry)",
					mode, pgx.QueryResultFormats{format, pgx.BinaryFormatCode}, g).Scan(&back, &srid)
				if err != nil {
					rt.Fatalf("%T in format %d: %v", g, format, err)
				}
				if !orb.Equal(g, back) || srid != 4326 {
					rt.Fatalf("format %d: %v came back as %v, SRID %d", format, g, back, srid)
				}
			}
		}
	})
}

func TestGeometryScanTargets(t *testing.T) {
	pool := open(t)
	scan := func(sql string, target any) error {
		return pool.QueryRow(t.Context(), "select "+sql+"::geometry").Scan(target)
	}
	var p orb.Point
	if err := scan("'SRID=4326;POINT Z (1 2 3)'", &p); err != nil || p != (orb.Point{1, 2}) {
		t.Errorf("a third dimension is dropped: %v %v", p, err)
	}
	if err := scan("'LINESTRING(1 2,3 4)'", &p); err == nil {
		t.Error("a line is scanned into a point")
	}
	if err := scan("'POINT EMPTY'", &p); err == nil {
		t.Error("an empty point is scanned into a point")
	}
	for _, empty := range []string{"'POINT EMPTY'", "'MULTIPOINT EMPTY'"} {
		var got orb.Geometry
		if err := scan(empty, &got); err != nil || !orb.Equal(got, orb.MultiPoint{}) {
			t.Errorf("%s: %v %v", empty, got, err)
		}
	}
	if err := scan("null", &p); err == nil {
		t.Error("NULL is scanned into a point")
	}
	g := orb.Geometry(orb.Point{1, 1})
	if err := scan("null", &g); err != nil || g != nil {
		t.Errorf("NULL into a geometry: %v %v", g, err)
	}
	var n int
	if err := scan("'POINT(1 2)'", &n); err == nil {
		t.Error("a point is scanned into a number")
	}
	var isNull bool
	if err := pool.QueryRow(t.Context(), "select $1::geometry is null", orb.Geometry(nil)).Scan(&isNull); err != nil || !isNull {
		t.Errorf("a nil geometry is NULL: %v %v", isNull, err)
	}
	var area float64
	box := orb.Bound{Min: orb.Point{0, 0}, Max: orb.Point{2, 3}}
	if err := pool.QueryRow(t.Context(), "select ST_Area($1::geometry)", box).Scan(&area); err != nil || area != 6 {
		t.Errorf("a bound as a polygon: %v %v", area, err)
	}
	values, err := pool.Query(t.Context(), "select 'SRID=4326;POINT(1 2)'::geometry")
	if err != nil {
		t.Fatal(err)
	}
	row, err := pgx.CollectExactlyOneRow(values, pgx.RowToMap)
	if err != nil || row["geometry"] != (orb.Point{1, 2}) {
		t.Errorf("without a target: %v %v", row, err)
	}
}

// Every orb geometry, nil and nested ones included, is encoded or refused.
func TestEveryGeometryIsEncodedOrRefused(t *testing.T) {
	for _, g := range orb.AllGeometries {
		raw, err := pg.MarshalEWKB(g)
		if (g == nil) != (err != nil) {
			t.Errorf("%T %v: %v", g, g, err)
			continue
		}
		if g == nil {
			continue
		}
		if _, err := pg.DecodeEWKB(raw, false); err != nil {
			t.Errorf("%T %v does not come back: %v", g, g, err)
		}
	}
}

func FuzzDecodeEWKB(f *testing.F) {
	for _, g := range orb.AllGeometries {
		if raw, err := pg.MarshalEWKB(g); err == nil {
			f.Add(raw, false)
			f.Add([]byte(hex.EncodeToString(raw)), true)
		}
	}
	f.Add([]byte("zz"), true)
	f.Add([]byte("\x01\x02\x00\x00\x00\xff\xff\xff\xff"), false) // a line of 4,294,967,295 positions
	f.Add(bytes.Repeat([]byte("\x01\x07\x00\x00\x00\x01\x00\x00\x00"), 1000), false)
	f.Fuzz(func(t *testing.T, raw []byte, text bool) {
		g, err := pg.DecodeEWKB(raw, text)
		if err != nil {
			return
		}
		again, err := pg.MarshalEWKB(g)
		if err != nil {
			t.Fatalf("%v was read and cannot be written: %v", g, err)
		}
		if _, err := pg.DecodeEWKB(again, false); err != nil {
			t.Fatalf("%v was written and cannot be read: %v", g, err)
		}
	})
}
