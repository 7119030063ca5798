package tilespg_test

import (
	"testing"
	"time"

	"onemap/catalogue"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/tiles"
)

// fourFields returns the fields of the features that insertPoints creates.
func fourFields() []catalogue.Field {
	return []catalogue.Field{
		{Name: "stock", Type: "number", InTile: true}, {Name: "kind", Type: "string", InTile: true},
		{Name: "beds", Type: "integer", InTile: true}, {Name: "open", Type: "boolean", InTile: true},
	}
}

// specNamed returns the entry of a layer in the form of the engine.
func specNamed(t testing.TB, db *stores.Stores, name string) tiles.Spec {
	t.Helper()
	all, err := db.Tiles.Specs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no layer %s among %d", name, len(all))
	return tiles.Spec{}
}

// insertPolygons creates polygons of 25 to 121 vertices with the properties of insertPoints.
const insertPolygons = `
	insert into feature (layer_id, source_key, division_code, name_zh, level, origin, properties, geom)
	select $1, n::text, '37060' || n % 9, '演示-' || n, n % 5, 'synthetic',
		jsonb_build_object('stock', n % 1000 / 8.0, 'kind', 'kind ' || n % 50, 'beds', n % 300, 'open', n % 2 = 0),
		ST_Buffer(ST_SetSRID(ST_Point(119.5 + (n::bigint * 7919 % 25000) / 10000.0, 36.5 + (n::bigint * 104729 % 19000) / 10000.0), 4326), 0.002 + n % 7 * 0.003, 6 + n % 5 * 6)
	from generate_series(1, $2) n`

// BenchmarkLoad loads a layer of 200,000 points and a layer of 20,000 polygons. The time includes the work of
// PostgreSQL.
func BenchmarkLoad(b *testing.B) {
	db := storetest.NewDivisions(b)
	fillPoints(b, db, "points", 200_000)
	polygons := fillPoints(b, db, "polygons", 0)
	storetest.Exec(b, db, insertPolygons, polygons, 20_000)
	storetest.Exec(b, db, `vacuum analyze feature`)
	for _, name := range []string{"points", "polygons"} {
		if _, err := storetest.Catalogue(db).PutLayer(b.Context(), storetest.Root(), catalogue.Layer{Name: name, Fields: fourFields()}); err != nil {
			b.Fatal(err)
		}
	}
	for _, name := range []string{"points", "polygons"} {
		b.Run(name, func(b *testing.B) {
			s := specNamed(b, db, name)
			b.ReportAllocs()
			features := 0
			for b.Loop() {
				err := db.Tiles.Load(b.Context(), s, func(f *tiles.Feature) error {
					if f.Problem != "" || f.Values[3] == nil {
						b.Errorf("%+v", f)
					}
					features++
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(features)/b.Elapsed().Seconds(), "features/s")
		})
	}
	b.Run("fetch 1000", func(b *testing.B) {
		s := specNamed(b, db, "points")
		ids := make([]int64, 1000)
		for i := range ids {
			ids[i] = int64(i)*199 + 1
		}
		start := time.Now()
		for b.Loop() {
			n := 0
			if err := db.Tiles.Fetch(b.Context(), s, ids, func(*tiles.Feature) error { n++; return nil }); err != nil || n != len(ids) {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(1000*b.N)/time.Since(start).Seconds(), "features/s")
	})
}
