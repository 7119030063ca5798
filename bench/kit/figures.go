package kit

import (
	"context"
	"math"
	"slices"
	"time"
)

// Clocks holds the CPU times that are compared before and after a measurement.
type Clocks struct{ Server, Postgres, Client, Machine time.Duration }

// ReadClocks reads the CPU times. postgres is 0 if PostgreSQL is not part of the measurement.
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

// Since returns the CPU times spent from before to c.
func (c Clocks) Since(before Clocks) Clocks {
	return Clocks{c.Server - before.Server, c.Postgres - before.Postgres, c.Client - before.Client, c.Machine - before.Machine}
}

// Others returns the number of CPUs that other processes kept busy during took, if c was spent in that time.
func (c Clocks) Others(took time.Duration) float64 {
	return max(0, (c.Machine-c.Server-c.Postgres-c.Client).Seconds()/took.Seconds())
}

// MS returns a duration in milliseconds.
func MS(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Percentile returns the smallest value that at least p per cent of the sorted values do not exceed. It returns the zero
// value if there are none.
func Percentile[T any](sorted []T, p float64) T {
	if len(sorted) == 0 {
		var none T
		return none
	}
	i := int(math.Ceil(p/100*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// Median returns the middle value, or the mean of the two middle values. It returns NaN if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// MedianOf returns the median of one figure over several runs.
func MedianOf[F any](runs []F, get func(F) float64) float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = get(r)
	}
	return Median(values)
}

// Ratios divides a figure of one side by that of the other, run by run. The runs alternate, so a disturbance of the machine
// affects both runs of a pair.
func Ratios[F any](above, below []F, get func(F) float64) []float64 {
	out := make([]float64, min(len(above), len(below)))
	for i := range out {
		out[i] = get(above[i]) / get(below[i])
	}
	return out
}

// Slope returns the slope of the least-squares line through the points: units of y per unit of x.
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

// SleepUntil waits until t. It returns false if ctx ends first.
func SleepUntil(ctx context.Context, t time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(t)):
		return ctx.Err() == nil
	}
}
