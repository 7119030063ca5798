package tilespg_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
)

// fillPoints creates a layer with n points of four properties by SQL, and returns its id.
func fillPoints(t testing.TB, db *stores.Stores, name string, n int) int {
	t.Helper()
	l := storetest.Tanks()
	l.Name = name
	if _, err := storetest.Catalogue(db).PutLayer(t.Context(), storetest.Root(), l); err != nil {
		t.Fatal(err)
	}
	var id int
	if err := db.Pool().QueryRow(t.Context(), `select id from layer where name = $1`, name).Scan(&id); err != nil {
		t.Fatal(err)
	}
	storetest.Exec(t, db, insertPoints, id, n)
	return id
}

const insertPoints = `
	insert into feature (layer_id, source_key, division_code, name_zh, name_en, level, origin, properties, geom)
	select $1, n::text, '37060' || n % 9, '演示-' || n, 'Demo ' || n, n % 5, 'synthetic',
		jsonb_build_object('stock', n % 1000 / 8.0, 'kind', 'kind ' || n % 50, 'beds', n % 300, 'open', n % 2 = 0),
		ST_SetSRID(ST_Point(119.5 + (n::bigint * 7919 % 25000) / 10000.0, 36.5 + (n::bigint * 104729 % 19000) / 10000.0), 4326)
	from generate_series(1, $2) n`

// BenchmarkChangeTriggers compares the time of a statement with and without the triggers of the feed, alternately in
// one run. ratio is the ratio of the medians.
func BenchmarkChangeTriggers(b *testing.B) {
	for _, c := range []struct {
		name, setting, sql string
		after              string // undoes it, outside the time
		n                  int
	}{
		{"update of 2000, by hand", "off", `update feature set geom = ST_Translate(geom, 0.001, 0), level = (level + 1) % 5 where layer_id = $1 and id % 100 = $2`, "", 2000},
		{"update of 2000, by onemap", "on", `update feature set geom = ST_Translate(geom, 0.001, 0), level = (level + 1) % 5 where layer_id = $1 and id % 100 = $2`, "", 2000},
		{"insert of 200000, by hand", "off", insertPoints, `delete from feature where layer_id = $1`, 200_000},
		{"insert of 200000, by onemap", "on", insertPoints, `delete from feature where layer_id = $1`, 200_000},
	} {
		b.Run(c.name, func(b *testing.B) { benchTriggers(b, c.setting, c.sql, c.after, c.n) })
	}
}

func benchTriggers(b *testing.B, setting, sql, after string, n int) {
	db := storetest.NewDivisions(b)
	layer := fillPoints(b, db, "points", 200_000)
	second := fillPoints(b, db, "others", 0)
	storetest.Exec(b, db, `vacuum analyze feature`)
	conn, err := db.Pool().Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	run := func(sql string, args ...any) time.Duration {
		start := time.Now()
		if _, err := conn.Exec(b.Context(), sql, args...); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	run(`select set_config('onemap.keeps_layer', $1, false)`, setting)
	var took [2][]time.Duration
	turn := 0
	for b.Loop() {
		for i, do := range []string{"disable", "enable"} {
			for _, t := range []string{"inserted", "updated", "deleted"} {
				run(fmt.Sprintf(`alter table feature %s trigger feature_%s`, do, t))
			}
			if after == "" {
				took[i] = append(took[i], run(sql, layer, turn%100))
			} else {
				took[i] = append(took[i], run(sql, second, n))
				run(after, second)
			}
			turn++
		}
		run(`delete from feature_change`)
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	without, with := took[0][len(took[0])/2], took[1][len(took[1])/2]
	b.ReportMetric(float64(without)/1e6, "ms-without")
	b.ReportMetric(float64(with)/1e6, "ms-with")
	b.ReportMetric(float64(with)/float64(without), "ratio")
}
