package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/bench/kit"
	"onemap/geo"
	"onemap/tiles"
)

// madeMetric is the number of tiles that were not in the cache and had to be made.
const madeMetric = "onemap_tile_seconds_count"

const (
	herdSize  = 64
	herdBarMS = 100
)

// herd measures 64 clients that request the same tile at the same moment while it is not in the cache: after a restart, and
// after an edit in it. The tile must be made once (single flight).
func (b *bench) herd(ctx context.Context) error {
	db, err := b.standard(ctx)
	if err != nil {
		return err
	}
	var heaviest tiles.Address
	var bytes int
	var restarted, edited []stampede
	for run := range b.o.Runs {
		s, err := b.startServer(ctx, db)
		if err != nil {
			return err
		}
		if run == 0 {
			if heaviest, bytes, err = heaviestTile(ctx, s, 9); err != nil {
				return errors.Join(err, s.Stop())
			}
			err = s.Stop() // the tile is now in its cache, so a new server is needed
			if err != nil {
				return err
			}
			if s, err = b.startServer(ctx, db); err != nil {
				return err
			}
		}
		one, two, err := herdTwice(ctx, s, heaviest)
		if err = errors.Join(err, s.Stop()); err != nil {
			return err
		}
		restarted, edited = append(restarted, one), append(edited, two)
		kit.Say("herd, run %d: after a restart %s, after an edit %s", run+1, one, two)
	}
	b.r.Note("Herd: tile %d/%d/%d, the heaviest of zoom 9, %d bytes uncompressed.", heaviest.Z, heaviest.X, heaviest.Y, bytes)
	b.r.stampedes("herd after a restart", restarted)
	b.r.stampedes("herd after an edit", edited)
	return nil
}

// stampede is the result of one such moment.
type stampede struct {
	last float64 // ms until the last answer
	made float64 // tiles that were made for it
}

// String returns both values as text.
func (s stampede) String() string {
	return fmt.Sprintf("%s ms, %g made", kit.Number(s.last), s.made)
}

func (r *report) stampedes(name string, all []stampede) {
	last, once := make([]float64, len(all)), true
	made := make([]float64, len(all))
	for i, s := range all {
		last[i], made[i] = s.last, s.made
		once = once && s.made == 1
	}
	r.Check(name+": tiles made", "1 each", kit.Numbers(made), once)
	m := kit.Median(last)
	r.Check(name+": ms until the last of 64 answers", fmt.Sprintf("median < %d", herdBarMS),
		fmt.Sprintf("%s; median %s", kit.Numbers(last), kit.Number(m)), m < herdBarMS)
}

// heaviestTile returns the tile of a zoom with the most bytes.
func heaviestTile(ctx context.Context, s *server, z uint32) (tiles.Address, int, error) {
	list := tilesOf(z)
	w, err := dial(ctx, s.Addr)
	if err != nil {
		return tiles.Address{}, 0, err
	}
	defer w.close()
	best, most := tiles.Address{}, -1
	for i, request := range requests(s.main, list, false) {
		n, err := w.get(request, false)
		if err != nil {
			return best, 0, err
		}
		if n > most {
			best, most = list[i], n
		}
	}
	return best, most, nil
}

// herdTwice measures on a server that has just started, edits the tile, and measures again.
func herdTwice(ctx context.Context, s *server, a tiles.Address) (fresh, edited stampede, err error) {
	if fresh, err = sendAtOnce(ctx, s, a); err != nil {
		return fresh, edited, err
	}
	if err = editTile(ctx, s, a); err != nil {
		return fresh, edited, err
	}
	edited, err = sendAtOnce(ctx, s, a)
	return fresh, edited, err
}

// sendAtOnce opens all connections first, so that only the requests are measured, and then sends all requests at once.
func sendAtOnce(ctx context.Context, s *server, a tiles.Address) (stampede, error) {
	before, err := s.Metric(ctx, madeMetric)
	if err != nil {
		return stampede{}, err
	}
	request := requests(s.main, []tiles.Address{a}, true)[0]
	wires := make([]*wire, herdSize)
	for i := range wires {
		if wires[i], err = dial(ctx, s.Addr); err != nil {
			return stampede{}, err
		}
		defer wires[i].close()
	}
	failed := make([]error, herdSize)
	gate := make(chan struct{})
	var clients sync.WaitGroup
	for i, w := range wires {
		clients.Go(func() {
			<-gate
			_, failed[i] = w.get(request, false)
		})
	}
	start := time.Now()
	close(gate)
	clients.Wait()
	took := time.Since(start)
	if err := errors.Join(failed...); err != nil {
		return stampede{}, err
	}
	after, err := s.Metric(ctx, madeMetric)
	return stampede{kit.MS(took), after - before}, err
}

// editTile changes one feature of each layer inside the tile and waits until the server has applied the changes.
func editTile(ctx context.Context, s *server, a tiles.Address) error {
	before, err := s.layers(ctx)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.db)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	bound := geo.Tile(a).Bound()
	tag, err := conn.Exec(ctx, `update feature set level = (level + 1) % 5 where id in (
		select distinct on (layer_id) id from feature where geom @ ST_MakeEnvelope($1, $2, $3, $4, 4326) order by layer_id, id)`,
		bound.Min[0], bound.Min[1], bound.Max[0], bound.Max[1])
	if err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))); err != nil {
		return fmt.Errorf("edit a tile: %w", err)
	}
	if tag.RowsAffected() != 2 {
		return fmt.Errorf("edit a tile: %d features lie in it, not one of each layer", tag.RowsAffected())
	}
	return s.Eventually(ctx, "the edit is in the tiles", func() (bool, error) {
		now, err := s.layers(ctx)
		if err != nil {
			return false, err
		}
		for name, l := range now {
			if l.Changes <= before[name].Changes {
				return false, nil
			}
		}
		return true, nil
	})
}
