package main

import (
	"context"
	"math"
	"slices"
	"time"
)

// figures are those of one run, or the medians of several. Times of processors are ms a tile.
type figures struct {
	rate             float64 // answers a second
	p50, p95, p99    float64 // ms
	server, postgres float64
	client           float64 // of the load itself
	others           float64 // processors that others kept busy meanwhile
	bytes            float64 // a tile, as sent
	tiles            int
}

// cpu is what a tile costs altogether, ms.
func (f figures) cpu() float64 { return f.server + f.postgres }

// clocks are the processor times that are compared before and after.
type clocks struct{ server, postgres, client, machine time.Duration }

// readClocks reads them; postgres 0 is that it has no part in what is measured.
func readClocks(server, postgres int) (c clocks, err error) {
	if c.server, err = treeCPU(server); err != nil {
		return c, err
	}
	if postgres != 0 {
		if c.postgres, err = treeCPU(postgres); err != nil {
			return c, err
		}
	}
	if c.client, err = ownCPU(); err != nil {
		return c, err
	}
	c.machine, err = machineCPU()
	return c, err
}

// subject is whom a load is sent to, and whose processor time it costs.
type subject struct {
	addr             string
	server, postgres int // process ids
}

// measure sends a load and gives its figures.
func measure(ctx context.Context, s subject, requests [][]byte, clients int, atLeast time.Duration) (figures, error) {
	before, err := readClocks(s.server, s.postgres)
	if err != nil {
		return figures{}, err
	}
	seen, err := load(ctx, s.addr, requests, clients, atLeast)
	if err != nil {
		return figures{}, err
	}
	after, err := readClocks(s.server, s.postgres)
	if err != nil {
		return figures{}, err
	}
	return newFigures(seen, before, after), nil
}

func newFigures(seen traffic, before, after clocks) figures {
	n := len(seen.latencies)
	a := func(from, to time.Duration) float64 { return ms(to-from) / float64(max(n, 1)) }
	slices.Sort(seen.latencies)
	f := figures{
		rate: float64(n) / seen.took.Seconds(), tiles: n, bytes: float64(seen.bytes) / float64(max(n, 1)),
		p50: ms(percentile(seen.latencies, 50)), p95: ms(percentile(seen.latencies, 95)), p99: ms(percentile(seen.latencies, 99)),
		server: a(before.server, after.server), postgres: a(before.postgres, after.postgres), client: a(before.client, after.client),
	}
	ours := after.server - before.server + after.postgres - before.postgres + after.client - before.client
	f.others = max(0, (after.machine-before.machine-ours).Seconds()/seen.took.Seconds())
	return f
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// percentile is the least value that p per cent of the sorted ones do not exceed; 0 of none.
func percentile[T any](sorted []T, p float64) T {
	if len(sorted) == 0 {
		var none T
		return none
	}
	i := int(math.Ceil(p/100*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// median is the middle value, of an even number the mean of both.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// medians gives the median of each figure.
func medians(runs []figures) figures {
	of := func(get func(figures) float64) float64 {
		values := make([]float64, len(runs))
		for i, r := range runs {
			values[i] = get(r)
		}
		return median(values)
	}
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

// ratios divides the runs of two sides pair by pair.
func ratios(above, below []figures, get func(figures) float64) []float64 {
	out := make([]float64, min(len(above), len(below)))
	for i := range out {
		out[i] = get(above[i]) / get(below[i])
	}
	return out
}

// slope is the rise a second of the line that fits the points best: seconds, values.
func slope(x, y []float64) float64 {
	n := float64(len(x))
	var sx, sy, sxx, sxy float64
	for i := range x {
		sx, sy, sxx, sxy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	d := n*sxx - sx*sx
	if d == 0 {
		return 0
	}
	return (n*sxy - sx*sy) / d
}
