package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"onemap/internal/core"
)

// exact are the rules of tiles without simplification and thinning, as ST_AsMVT makes them.
func exact() core.TileRules {
	return core.TileRules{Simplify: new(float64), Thin: &core.TileGrid{}}
}

// idleBar is what PostgreSQL may use for each tile, ms, while none comes from it: the looks at the
// change feed, once a second.
const idleBar = 0.01

// cold measures tiles that are made anew for each request, by turns with ST_AsMVT behind the same
// server.
func cold(ctx context.Context, b *bench) (err error) {
	db, err := b.standard(ctx)
	if err != nil {
		return err
	}
	s, err := b.startServer(ctx, db, "--tile-cache=-1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.draw(context.WithoutCancel(ctx), core.TileRules{}), s.stop()) }()
	sides := []struct {
		name  string
		rules core.TileRules
		runs  []figures
	}{
		{"cold", core.TileRules{}, nil},
		{"cold, simplification and thinning off", exact(), nil},
		{"cold, ST_AsMVT", core.TileRules{Source: core.TileSourceDatabase}, nil},
	}
	requests := requests(s.main, b.tiles, true)
	who := b.subject(s)
	for run := range b.o.runs {
		for i := range sides {
			side := &sides[i]
			if err := s.draw(ctx, side.rules); err != nil {
				return err
			}
			if side.rules.Source == "" || run == 0 { // one round that does not count; of ST_AsMVT it takes long
				if _, err := load(ctx, s.addr, requests, 8, 0); err != nil {
					return err
				}
			}
			f, err := measure(ctx, who, requests, 8, b.runTime())
			if err != nil {
				return err
			}
			side.runs = append(side.runs, f)
			b.say("%s, run %d: %s req/s, %s ms a tile", side.name, run+1, number(f.rate), number(f.cpu()))
		}
	}
	for _, side := range sides {
		b.r.row(side.name, 8, side.runs)
	}
	ours, plain, theirs := sides[0].runs, sides[1].runs, sides[2].runs
	b.r.ratio("cold: CPU of ST_AsMVT / ours", ratios(theirs, ours, figures.cpu), 15)
	b.r.check("cold: PostgreSQL's CPU ms a tile of ours", fmt.Sprintf("median < %g", idleBar),
		number(medians(ours).postgres), medians(ours).postgres < idleBar)
	b.r.note("Cold with simplification and thinning off, CPU of ST_AsMVT / ours: %s.", numbers(ratios(theirs, plain, figures.cpu)))
	return nil
}

func (b *bench) subject(s *server) subject { return subject{s.addr, s.pid, b.cluster.PID()} }

func (b *bench) runTime() time.Duration { return time.Duration(b.o.seconds * float64(time.Second)) }
