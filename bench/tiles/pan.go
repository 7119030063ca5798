package main

import (
	"context"
	"math/rand/v2"
	"time"

	"onemap/bench/kit"
	"onemap/tiles"
)

// The size of a screen, in tiles.
const (
	screenWide = 4
	screenHigh = 3
)

// pan is a client that shows another screen every second, of zoom 10 to 13, until ctx ends.
func pan(ctx context.Context, s *kit.Session, seed uint64, seen *traffic) error {
	w, err := dial(context.WithoutCancel(ctx), s.Server.Addr) // so that the last response is still read
	if err != nil {
		return err
	}
	defer w.close()
	r := rand.New(rand.NewPCG(seed, 6))
	next := time.Now().Add(time.Duration(r.Float64() * float64(time.Second))) // the clients do not start at the same moment
	for kit.SleepUntil(ctx, next) {
		next = next.Add(time.Second)
		for _, request := range requests(s, screen(r), true) {
			start := time.Now()
			n, err := w.get(request, false)
			if err != nil {
				return err
			}
			seen.latencies = append(seen.latencies, time.Since(start))
			seen.bytes += int64(n)
		}
	}
	return nil
}

// screen returns the tiles of a random screen within the bounds of the data, as far as these are large enough.
func screen(r *rand.Rand) []tiles.Address {
	z := 10 + r.Uint32N(4)
	all := tilesOf(z)
	first, last := all[0], all[len(all)-1]
	x := first.X + r.Uint32N(max(1, last.X+2-first.X-min(screenWide, last.X+1-first.X)))
	y := first.Y + r.Uint32N(max(1, last.Y+2-first.Y-min(screenHigh, last.Y+1-first.Y)))
	var out []tiles.Address
	for dy := range uint32(screenHigh) {
		for dx := range uint32(screenWide) {
			out = append(out, tiles.Address{Z: z, X: x + dx, Y: y + dy})
		}
	}
	return out
}
