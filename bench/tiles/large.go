package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/paulmach/orb/encoding/mvt"

	"onemap/bench/kit"
	"onemap/tiles"
)

const (
	// The size and the bars of the case large.
	largeTimes    = 5
	readyBar      = 15.0 // s
	featureBar    = 1.25
	largeListSize = 255
)

// large measures the start of a server with five times the features. It also compares the cost of a feature in a tile with
// that of the standard data set, alternating between the two servers.
func (b *bench) large(ctx context.Context) (err error) {
	small, err := b.standard(ctx)
	if err != nil {
		return err
	}
	points, polygons := largeTimes*b.o.points, largeTimes*b.o.polygons
	big, err := b.data(ctx, "large", points, polygons)
	if err != nil {
		return err
	}
	ready := make([]float64, 0, b.o.Runs)
	for range b.o.Runs {
		s, err := b.startServer(ctx, big)
		if err != nil {
			return err
		}
		ready = append(ready, s.Ready.Seconds())
		if err := s.Stop(); err != nil {
			return err
		}
	}
	b.r.Check(fmt.Sprintf("%d points and %d polygons: seconds from the process's start to ready", points, polygons),
		fmt.Sprintf("median ≤ %g", readyBar), fmt.Sprintf("%s; median %s", kit.Numbers(ready), kit.Number(kit.Median(ready))), kit.Median(ready) <= readyBar)

	one, err := b.startServer(ctx, small, "--tile-cache=-1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, one.Stop()) }()
	two, err := b.startServer(ctx, big, "--tile-cache=-1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, two.Stop()) }()
	if err := b.costOfFeature(ctx, one, two); err != nil {
		return err
	}
	return b.noteMemory(ctx, two) // after the load, when the garbage of the start has been collected
}

// noteMemory reports the memory of the server.
func (b *bench) noteMemory(ctx context.Context, s *server) error {
	all, err := s.layers(ctx)
	if err != nil {
		return err
	}
	heap, err := s.LiveHeap(ctx)
	if err != nil {
		return err
	}
	now, err := kit.StatOf(s.PID)
	if err != nil {
		return err
	}
	p, a := all[pointsLayer], all[polygonsLayer]
	b.r.Note("Large: live heap %.0f MiB, resident %.0f MiB. The engine's own account: %.1f bytes a point, %.1f a vertex of %d (`BenchmarkHeap` of tiles/memory measures them).",
		heap/(1<<20), float64(now.RSS)/(1<<20), float64(p.Bytes)/float64(p.Features), float64(a.Bytes)/float64(a.Vertices), a.Vertices)
	return nil
}

// contents is one list of tiles on one server.
type contents struct {
	s        *server
	list     []tiles.Address
	features float64 // mean number per tile
	runs     []figures
}

// costOfFeature compares the cost of one feature in both servers: the CPU time of a tile beyond that of an empty tile,
// divided by the number of features in it.
func (b *bench) costOfFeature(ctx context.Context, small, big *server) error {
	zooms := []uint32{12, 14}
	var all []*contents // an empty tile and the zooms of the small one, then the same of the big one
	for _, s := range []*server{small, big} {
		all = append(all, &contents{s: s, list: []tiles.Address{{Z: 14}}})
		for _, z := range zooms {
			list := drawn(b.o.seed, z, largeListSize)
			n, err := featuresIn(ctx, s, list)
			if err != nil {
				return err
			}
			all = append(all, &contents{s: s, list: list, features: float64(n) / float64(len(list))})
		}
	}
	for range b.o.Runs {
		for i := range len(all) / 2 {
			for _, c := range []*contents{all[i], all[i+len(all)/2]} {
				if err := b.measureContents(ctx, c); err != nil {
					return err
				}
			}
		}
	}
	first, second := all[:len(all)/2], all[len(all)/2:]
	b.r.row("cold, an empty tile alone", 8, first[0].runs)
	for i, z := range zooms {
		b.checkContents(z, first[0], first[i+1], second[0], second[i+1])
	}
	return nil
}

// measureContents measures a list once, after a round of load that is not counted.
func (b *bench) measureContents(ctx context.Context, c *contents) error {
	all := requests(c.s.main, c.list, true)
	if _, err := load(ctx, c.s.Addr, all, 8, 0); err != nil {
		return err
	}
	f, err := measure(ctx, b.subject(c.s), all, 8, b.runTime())
	c.runs = append(c.runs, f)
	return err
}

// checkContents adds the rows and the bar of one zoom.
func (b *bench) checkContents(z uint32, noneSmall, small, noneBig, big *contents) {
	b.r.row(fmt.Sprintf("cold, z%d alone, %.1f features a tile", z, small.features), 8, small.runs)
	b.r.row(fmt.Sprintf("cold, z%d alone, five times the data, %.1f features a tile", z, big.features), 8, big.runs)
	all := make([]float64, len(small.runs))
	for i := range all {
		more := func(c, none *contents) float64 { return (c.runs[i].cpu() - none.runs[i].cpu()) / c.features }
		all[i] = more(big, noneBig) / more(small, noneSmall)
	}
	m := kit.Median(all)
	b.r.Check(fmt.Sprintf("z%d: CPU that a feature adds to an empty tile, of five times the data / of the standard", z),
		fmt.Sprintf("median ≤ %g", featureBar), fmt.Sprintf("%s; median %s", kit.Numbers(all), kit.Number(m)), m > 0 && m <= featureBar)
}

// featuresIn returns the number of features in the tiles. It returns an error if there are none, because the cost of a
// feature could not be computed.
func featuresIn(ctx context.Context, s *server, list []tiles.Address) (int, error) {
	w, err := dial(ctx, s.Addr)
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

// writers reports which Go benchmark measures the cost of the change feed's triggers.
func (b *bench) writers(_ context.Context) error {
	b.r.Note("What the change feed costs those who write: `go test ./tiles/pg -run '^$' -bench BenchmarkChangeTriggers`.")
	return nil
}
