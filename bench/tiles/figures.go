package main

import (
	"context"
	"slices"
	"time"

	"onemap/bench/kit"
)

// figures holds the results of one run, or the medians of several runs. CPU times are in ms per tile.
type figures struct {
	rate             float64 // responses per second
	p50, p95, p99    float64 // latency, ms
	server, postgres float64
	client           float64 // CPU time of the load
	others           float64 // CPUs that other processes kept busy
	bytes            float64 // per tile, as sent
	tiles            int
}

// cpu returns the CPU time of server and database per tile, in ms.
func (f figures) cpu() float64 { return f.server + f.postgres }

// subject is the target of a load, with the processes whose CPU time is measured.
type subject struct {
	addr             string
	server, postgres int // process ids
}

// measure runs a load and returns its figures.
func measure(ctx context.Context, s subject, requests [][]byte, clients int, atLeast time.Duration) (figures, error) {
	before, err := kit.ReadClocks(s.server, s.postgres)
	if err != nil {
		return figures{}, err
	}
	seen, err := load(ctx, s.addr, requests, clients, atLeast)
	if err != nil {
		return figures{}, err
	}
	after, err := kit.ReadClocks(s.server, s.postgres)
	if err != nil {
		return figures{}, err
	}
	return newFigures(seen, before, after), nil
}

func newFigures(seen traffic, before, after kit.Clocks) figures {
	n := len(seen.latencies)
	spent := after.Since(before)
	a := func(d time.Duration) float64 { return kit.MS(d) / float64(max(n, 1)) }
	slices.Sort(seen.latencies)
	f := figures{
		rate: float64(n) / seen.took.Seconds(), tiles: n, bytes: float64(seen.bytes) / float64(max(n, 1)),
		p50: kit.MS(kit.Percentile(seen.latencies, 50)), p95: kit.MS(kit.Percentile(seen.latencies, 95)), p99: kit.MS(kit.Percentile(seen.latencies, 99)),
		server: a(spent.Server), postgres: a(spent.Postgres), client: a(spent.Client),
	}
	f.others = spent.Others(seen.took)
	return f
}

// medians returns the median of each figure.
func medians(runs []figures) figures {
	of := func(get func(figures) float64) float64 { return kit.MedianOf(runs, get) }
	tiles := 0
	for _, r := range runs {
		tiles += r.tiles
	}
	return figures{
		rate: of(func(f figures) float64 { return f.rate }), tiles: tiles,
		p50: of(func(f figures) float64 { return f.p50 }), p95: of(func(f figures) float64 { return f.p95 }), p99: of(func(f figures) float64 { return f.p99 }),
		server: of(func(f figures) float64 { return f.server }), postgres: of(func(f figures) float64 { return f.postgres }),
		client: of(func(f figures) float64 { return f.client }), others: of(func(f figures) float64 { return f.others }),
		bytes: of(func(f figures) float64 { return f.bytes }),
	}
}
