package shape_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/geo"
	"onemap/internal/app/stores/storetest"
	"onemap/tiles/shape"
)

// TestPointsAreThoseOfPostGIS checks that points have exactly the coordinates of ST_AsMVTGeom up to zoom 18.
func TestPointsAreThoseOfPostGIS(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), storetest.NewURL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	var lons, lats []float64
	var zs, xs, ys []int32
	rng := rand.New(rand.NewPCG(7, 7))
	for range 400 {
		p := orb.Point{rng.Float64()*360 - 180, rng.Float64()*170 - 85}
		for z := range uint32(19) {
			at := geo.TileAt(p, z)
			lons, lats = append(lons, p[0]), append(lats, p[1])
			zs, xs, ys = append(zs, int32(z)), append(xs, int32(at.X)), append(ys, int32(at.Y))
		}
	}
	rows, err := conn.Query(t.Context(), `
		select ST_X(g)::bigint, ST_Y(g)::bigint from unnest($1::float8[], $2::float8[], $3::int[], $4::int[], $5::int[]) with ordinality as p(lon, lat, z, x, y, n)
		cross join lateral ST_AsMVTGeom(ST_Transform(ST_SetSRID(ST_MakePoint(lon, lat), 4326), 3857), ST_TileEnvelope(z, x, y)::box2d, 4096, 64, true) as g
		order by n`, lons, lats, zs, xs, ys)
	if err != nil {
		t.Fatal(err)
	}
	type xy struct{ X, Y int64 }
	want, err := pgx.CollectRows(rows, pgx.RowToStructByPos[xy])
	if err != nil {
		t.Fatal(err)
	}
	var c shape.Cutter
	for i, w := range want {
		s, _ := shape.New(orb.Point{lons[i], lats[i]}, nil)
		commands := c.Commands(nil, &s[0], &shape.View{Z: uint32(zs[i]), X: uint32(xs[i]), Y: uint32(ys[i]), Buffer: 64})
		var got [3]int64 // the header, then zigzag-encoded coordinates
		for j := range got {
			v, n := binary.Uvarint(commands)
			if n <= 0 {
				t.Fatalf("%v, %v in %d/%d/%d is %v", lons[i], lats[i], zs[i], xs[i], ys[i], commands)
			}
			commands = commands[n:]
			got[j] = int64(v>>1) ^ -int64(v&1)
		}
		if got[1] != w.X || got[2] != w.Y {
			t.Errorf("%v, %v in %d/%d/%d is at %v, PostGIS has it at %v", lons[i], lats[i], zs[i], xs[i], ys[i], got[1:], w)
		}
	}
	if len(want) != len(lons) {
		t.Fatalf("%d points of %d came back", len(want), len(lons))
	}
}
