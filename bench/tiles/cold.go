package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"onemap/bench/kit"
	"onemap/internal/core"
)

// exact returns tile rules without simplification and thinning, as in ST_AsMVT.
func exact() core.TileRules {
	return core.TileRules{Simplify: new(float64), Thin: &core.TileGrid{}}
}

// idleBar is the CPU time in ms per tile that PostgreSQL may use while tiles come from memory. It is for the polling of the
// change feed, once a second.
const idleBar = 0.01

// coldSide is one way to make tiles, with the figures of its runs.
type coldSide struct {
	name  string
	rules core.TileRules
	runs  []figures
}

// cold measures tiles that are made for each request (the cache is off), alternating with ST_AsMVT behind the same server.
func (b *bench) cold(ctx context.Context) (err error) {
	db, err := b.standard(ctx)
	if err != nil {
		return err
	}
	s, err := b.startServer(ctx, db, "--tile-cache=-1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.draw(context.WithoutCancel(ctx), core.TileRules{}), s.Stop()) }()
	sides := []*coldSide{
		{name: "cold"},
		{name: "cold, simplification and thinning off", rules: exact()},
		{name: "cold, ST_AsMVT", rules: core.TileRules{Source: core.TileSourceDatabase}},
	}
	for range b.o.Runs {
		for _, side := range sides {
			if err := b.coldRun(ctx, s, side); err != nil {
				return err
			}
		}
	}
	for _, side := range sides {
		b.r.row(side.name, 8, side.runs)
	}
	ours, plain, theirs := sides[0].runs, sides[1].runs, sides[2].runs
	b.r.Ratio("cold: CPU of ST_AsMVT / ours", kit.Ratios(theirs, ours, figures.cpu), 15)
	idle := medians(ours).postgres
	b.r.Check("cold: PostgreSQL's CPU ms a tile of ours", fmt.Sprintf("median < %g", idleBar), kit.Number(idle), idle < idleBar)
	b.r.Note("Cold with simplification and thinning off, CPU of ST_AsMVT / ours: %s.", kit.Numbers(kit.Ratios(theirs, plain, figures.cpu)))
	return nil
}

// coldRun measures a side once, after a round of load that is not counted. For ST_AsMVT such a round takes long, so it has
// one only before its first run.
func (b *bench) coldRun(ctx context.Context, s *server, side *coldSide) error {
	if err := s.draw(ctx, side.rules); err != nil {
		return err
	}
	requests := requests(s.main, b.tiles, true)
	if side.rules.Source == "" || len(side.runs) == 0 {
		if _, err := load(ctx, s.Addr, requests, 8, 0); err != nil {
			return err
		}
	}
	f, err := measure(ctx, b.subject(s), requests, 8, b.runTime())
	if err != nil {
		return err
	}
	side.runs = append(side.runs, f)
	kit.Say("%s, run %d: %s req/s, %s ms a tile", side.name, len(side.runs), kit.Number(f.rate), kit.Number(f.cpu()))
	return nil
}

// subject returns the target of the load with the process ids whose CPU time counts.
func (b *bench) subject(s *server) subject { return subject{s.Addr, s.PID, b.place.Cluster.PID()} }

// runTime returns the shortest length of one run.
func (b *bench) runTime() time.Duration { return time.Duration(b.o.Seconds * float64(time.Second)) }
