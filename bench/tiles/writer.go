package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/bench/kit"
	"onemap/tiles/testset"
)

// The changes of one transaction of the writer. At 50 features per transaction and 2,000 features per second it commits 40
// times a second.
const (
	movedPoints   = 20
	movedPolygons = 10
	describedAnew = 20 // features whose level and attributes change
	perCommit     = movedPoints + movedPolygons + describedAnew
	commitEvery   = time.Second * perCommit / 2000
)

const (
	movePoints = `update feature f set geom = ST_SetSRID(ST_MakePoint(u.x, u.y), 4326), modified_at = now()
		from unnest($1::bigint[], $2::float8[], $3::float8[]) u(id, x, y) where f.id = u.id`
	movePolygons = `update feature f set geom = ST_Translate(f.geom, u.x, u.y), modified_at = now()
		from unnest($1::bigint[], $2::float8[], $3::float8[]) u(id, x, y) where f.id = u.id`
	describe = `update feature f set level = u.level, modified_at = now(),
		properties = f.properties || jsonb_build_object('stock', u.stock, 'kind', 'kind-' || lpad((u.stock::int % 12)::text, 2, '0'))
		from unnest($1::bigint[], $2::int[], $3::float8[]) u(id, level, stock) where f.id = u.id`
)

// place is a feature with its original position. moved is its current distance from there, in degrees.
type place struct {
	id    int64
	at    [2]float64
	moved [2]float64
}

// writer changes features by SQL, like another program that does not know onemap.
type writer struct {
	conn             *pgx.Conn
	r                *rand.Rand
	points, polygons []place
	features         int
	took             []time.Duration // time of each transaction
	length           time.Duration
}

// newWriter reads the features that the writer may change: all but the last points, which are the probe's.
func newWriter(ctx context.Context, db string, seed uint64) (*writer, error) {
	conn, err := pgx.Connect(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	w := &writer{conn: conn, r: rand.New(rand.NewPCG(seed, 5))}
	for layer, to := range map[string]*[]place{pointsLayer: &w.points, polygonsLayer: &w.polygons} {
		if *to, err = places(ctx, conn, layer); err != nil {
			w.close(ctx)
			return nil, err
		}
	}
	w.points = w.points[:len(w.points)-markedLast]
	return w, nil
}

// places returns the features of a layer in the order of their ids.
func places(ctx context.Context, conn *pgx.Conn, layer string) ([]place, error) {
	rows, err := conn.Query(ctx, `select f.id, ST_X(ST_Centroid(f.geom)), ST_Y(ST_Centroid(f.geom))
		from feature f join layer l on l.id = f.layer_id where l.name = $1 order by f.id`, layer)
	if err != nil {
		return nil, fmt.Errorf("read the features: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (place, error) {
		var p place
		err := row.Scan(&p.id, &p.at[0], &p.at[1])
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the features: %w", err)
	}
	if len(all) <= markedLast {
		return nil, fmt.Errorf("the layer %s has %d features only", layer, len(all))
	}
	return all, nil
}

func (w *writer) close(ctx context.Context) {
	_ = w.conn.Close(context.WithoutCancel(ctx)) // an error is ignored: the work is committed or has failed
}

// run commits at the pace until ctx ends. If it is late, it commits without pauses to catch up, but never catches up more
// than one second.
func (w *writer) run(ctx context.Context) error {
	start := time.Now()
	next := start
	for {
		next = next.Add(commitEvery)
		if late := time.Since(next); late > time.Second {
			next = next.Add(late - time.Second)
		}
		if !kit.SleepUntil(ctx, next) {
			w.length = time.Since(start)
			return nil
		}
		began := time.Now()
		if err := w.commit(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		w.took = append(w.took, time.Since(began))
		w.features += perCommit
	}
}

// commitWithin is the time limit of one transaction.
const commitWithin = 30 * time.Second

func (w *writer) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commitWithin)
	defer cancel()
	return pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) error {
		var b pgx.Batch
		b.Queue(movePoints, w.movesOfPoints()...)
		b.Queue(movePolygons, w.movesOfPolygons()...)
		b.Queue(describe, w.descriptions()...)
		return tx.SendBatch(ctx, &b).Close()
	})
}

// some returns n different random features.
func (w *writer) some(from []place, n int) []*place {
	seen := make(map[int]bool, n)
	out := make([]*place, 0, n)
	for len(out) < n {
		if i := w.r.IntN(len(from)); !seen[i] {
			seen[i] = true
			out = append(out, &from[i])
		}
	}
	return out
}

// movesOfPoints moves points to random positions some kilometres around their original ones, so that they do not drift away.
func (w *writer) movesOfPoints() []any {
	ids, x, y := columns(movedPoints)
	b := testset.Bound()
	for i, p := range w.some(w.points, movedPoints) {
		ids[i] = p.id
		x[i] = min(max(p.at[0]+w.r.NormFloat64()*0.02, b.Min[0]), b.Max[0])
		y[i] = min(max(p.at[1]+w.r.NormFloat64()*0.02, b.Min[1]), b.Max[1])
	}
	return []any{ids, x, y}
}

// movesOfPolygons moves polygons in the same way. The statement translates a geometry, so it needs the difference to the last
// move.
func (w *writer) movesOfPolygons() []any {
	ids, x, y := columns(movedPolygons)
	for i, p := range w.some(w.polygons, movedPolygons) {
		to := [2]float64{w.r.NormFloat64() * 0.01, w.r.NormFloat64() * 0.01}
		ids[i], x[i], y[i] = p.id, to[0]-p.moved[0], to[1]-p.moved[1]
		p.moved = to
	}
	return []any{ids, x, y}
}

// descriptions changes level and attributes of points and polygons in equal numbers.
func (w *writer) descriptions() []any {
	ids, stock, _ := columns(describedAnew)
	levels := make([]int32, describedAnew)
	half := describedAnew / 2
	for i, p := range append(w.some(w.points, half), w.some(w.polygons, describedAnew-half)...) {
		ids[i], levels[i], stock[i] = p.id, int32(w.r.IntN(5)), float64(w.r.IntN(10_000))/10
	}
	return []any{ids, levels, stock}
}

func columns(n int) ([]int64, []float64, []float64) {
	return make([]int64, n), make([]float64, n), make([]float64, n)
}
