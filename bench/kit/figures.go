package kit

import (
	"context"
	"math"
	"slices"
	"time"
)

// Clocks are the processor times that are compared before and after.
type Clocks struct{ Server, Postgres, Client, Machine time.Duration }

// ReadClocks reads them; postgres 0 is that it has no part in what is measured.
func ReadClocks(server, postgres int) (c Clocks, err error) {
	if c.Server, err = TreeCPU(server); err != nil {
		return c, err
	}
	if postgres != 0 {
		if c.Postgres, err = TreeCPU(postgres); err != nil {
			return c, err
		}
	}
	if c.Client, err = OwnCPU(); err != nil {
		return c, err
	}
	c.Machine, err = MachineCPU()
	return c, err
}

// Since is what was spent from before until c.
func (c Clocks) Since(before Clocks) Clocks {
	return Clocks{c.Server - before.Server, c.Postgres - before.Postgres, c.Client - before.Client, c.Machine - before.Machine}
}

// Others is how many processors others kept busy in a time of which c was spent.
func (c Clocks) Others(took time.Duration) float64 {
	return max(0, (c.Machine-c.Server-c.Postgres-c.Client).Seconds()/took.Seconds())
}

// MS is a time in milliseconds.
func MS(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Percentile is the least value that p per cent of the sorted ones do not exceed; 0 of none.
func Percentile[T any](sorted []T, p float64) T {
	if len(sorted) == 0 {
		var none T
		return none
	}
	i := int(math.Ceil(p/100*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// Median is the middle value, of an even number the mean of both.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// MedianOf is the median of one figure of several runs.
func MedianOf[F any](runs []F, get func(F) float64) float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = get(r)
	}
	return Median(values)
}

// Ratios divides the runs of two sides pair by pair.
func Ratios[F any](above, below []F, get func(F) float64) []float64 {
	out := make([]float64, min(len(above), len(below)))
	for i := range out {
		out[i] = get(above[i]) / get(below[i])
	}
	return out
}

// Slope is the rise a second of the line that fits the points best: seconds, values.
func Slope(x, y []float64) float64 {
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

// SleepUntil reports false when ctx has ended before.
func SleepUntil(ctx context.Context, t time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(t)):
		return ctx.Err() == nil
	}
}
