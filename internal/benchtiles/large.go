package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/paulmach/orb/encoding/mvt"

	"onemap/tiles"
)

const (
	largeTimes    = 5
	readyBar      = 15.0 // s
	featureBar    = 1.25
	largeListSize = 255
)

// large measures the start with five times the features, and what a feature in a tile costs then,
// beside the standard data set, by turns.
func large(ctx context.Context, b *bench) (err error) {
	small, err := b.standard(ctx)
	if err != nil {
		return err
	}
	points, polygons := largeTimes*b.o.points, largeTimes*b.o.polygons
	big, err := b.data(ctx, "large", points, polygons)
	if err != nil {
		return err
	}
	ready := make([]float64, 0, b.o.runs)
	for range b.o.runs {
		s, err := b.startServer(ctx, big)
		if err != nil {
			return err
		}
		ready = append(ready, s.ready.Seconds())
		if err := s.stop(); err != nil {
			return err
		}
	}
	b.r.check(fmt.Sprintf("%d points and %d polygons: seconds from the process's start to ready", points, polygons),
		fmt.Sprintf("median ≤ %g", readyBar), fmt.Sprintf("%s; median %s", numbers(ready), number(median(ready))), median(ready) <= readyBar)

	one, err := b.startServer(ctx, small, "--tile-cache=-1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, one.stop()) }()
	two, err := b.startServer(ctx, big, "--tile-cache=-1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, two.stop()) }()
	for _, z := range []uint32{12, 14} {
		if err := b.costOfFeature(ctx, one, two, z); err != nil {
			return err
		}
	}
	return b.noteMemory(ctx, two) // after the load, when what the start needed has been collected
}

func (b *bench) noteMemory(ctx context.Context, s *server) error {
	all, err := s.layers(ctx)
	if err != nil {
		return err
	}
	heap, err := s.liveHeap(ctx)
	if err != nil {
		return err
	}
	now, err := statOf(s.pid)
	if err != nil {
		return err
	}
	p, a := all[pointsLayer], all[polygonsLayer]
	b.r.note("Large: live heap %.0f MiB, resident %.0f MiB. The engine's own account: %.1f bytes a point, %.1f a vertex of %d (`BenchmarkHeap` of tiles/memory measures them).",
		heap/(1<<20), float64(now.rss)/(1<<20), float64(p.Bytes)/float64(p.Features), float64(a.Bytes)/float64(a.Vertices), a.Vertices)
	return nil
}

// costOfFeature compares what the tiles of a zoom cost in both servers, by the features in them.
func (b *bench) costOfFeature(ctx context.Context, small, big *server, z uint32) error {
	list := drawn(b.o.seed, z, largeListSize)
	var runs [2][]figures
	var each [2]float64 // features a tile
	for i, s := range []*server{small, big} {
		n, err := featuresIn(ctx, s, list)
		if err != nil {
			return err
		}
		each[i] = float64(n) / float64(len(list))
	}
	for range b.o.runs {
		for i, s := range []*server{small, big} {
			all := requests(s.main, list, true)
			if _, err := load(ctx, s.addr, all, 8, 0); err != nil {
				return err
			}
			f, err := measure(ctx, b.subject(s), all, 8, b.runTime())
			if err != nil {
				return err
			}
			runs[i] = append(runs[i], f)
		}
	}
	b.r.row(fmt.Sprintf("cold, z%d alone, %.1f features a tile", z, each[0]), 8, runs[0])
	b.r.row(fmt.Sprintf("cold, z%d alone, five times the data, %.1f features a tile", z, each[1]), 8, runs[1])
	all := ratios(runs[1], runs[0], figures.cpu)
	for i := range all {
		all[i] *= each[0] / each[1]
	}
	m := median(all)
	b.r.check(fmt.Sprintf("z%d: CPU a feature of five times the data / of the standard", z), fmt.Sprintf("median ≤ %g", featureBar),
		fmt.Sprintf("%s; median %s", numbers(all), number(m)), m <= featureBar)
	return nil
}

// featuresIn counts the features in the tiles.
func featuresIn(ctx context.Context, s *server, list []tiles.Address) (int, error) {
	w, err := dial(ctx, s.addr)
	if err != nil {
		return 0, err
	}
	defer w.close()
	n := 0
	for _, request := range requests(s.main, list, false) {
		if _, err := w.get(request, true); err != nil {
			return 0, err
		}
		layers, err := mvt.Unmarshal(w.body)
		if err != nil {
			return 0, fmt.Errorf("decode a tile: %w", err)
		}
		for _, l := range layers {
			n += len(l.Features)
		}
	}
	if n == 0 {
		return 0, errors.New("the tiles are empty")
	}
	return n, nil
}

// writers names where the cost of the change feed's triggers is measured.
func writers(_ context.Context, b *bench) error {
	b.r.note("What the change feed costs those who write: `go test ./store -run '^$' -bench BenchmarkChangeTriggers`.")
	return nil
}
