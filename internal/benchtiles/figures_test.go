package main

import (
	"math"
	"testing"
	"time"
)

func TestPercentileAndMedian(t *testing.T) {
	var none []float64
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	for _, c := range []struct {
		got, want float64
	}{
		{percentile(none, 99), 0}, {percentile(hundred, 99), 99}, {percentile(hundred, 50), 50}, {percentile(hundred, 100), 100},
		{percentile(hundred, 0), 1}, {percentile([]float64{7}, 99), 7},
		{median([]float64{3, 1, 2}), 2}, {median([]float64{4, 1, 2, 3}), 2.5},
	} {
		if c.got != c.want {
			t.Errorf("got %g, want %g", c.got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestSlopeIsThatOfALineInNoise(t *testing.T) {
	x, y := []float64{0, 1, 2, 3, 4, 5}, []float64{10.5, 11.5, 14.5, 15.5, 18.5, 19.5} // 10 + 2x, ± 0.5
	if s := slope(x, y); math.Abs(s-2) > 0.1 {
		t.Errorf("got %g", s)
	}
	if s := slope([]float64{1}, []float64{5}); s != 0 {
		t.Errorf("one point rises by %g", s)
	}
}

func TestFiguresAreATile(t *testing.T) {
	before := clocks{server: time.Second, postgres: 2 * time.Second, client: 0, machine: 10 * time.Second}
	after := clocks{server: 3 * time.Second, postgres: 6 * time.Second, client: time.Second, machine: 19 * time.Second}
	f := newFigures(traffic{latencies: []time.Duration{3e6, 1e6, 2e6, 4e6}, bytes: 400, took: 2 * time.Second}, before, after)
	want := figures{rate: 2, p50: 2, p95: 4, p99: 4, server: 500, postgres: 1000, client: 250, others: 1, bytes: 100, tiles: 4}
	if f != want {
		t.Errorf("got %+v, want %+v", f, want)
	}
	if f.cpu() != 1500 {
		t.Errorf("a tile costs %g", f.cpu())
	}
	if m := medians([]figures{f, {}, f}); m.rate != 2 || m.tiles != 8 {
		t.Errorf("medians %+v", m)
	}
}

func TestAReportMissesWhatIsBelowItsBar(t *testing.T) {
	r := &report{}
	r.ratio("enough", []float64{14, 15, 16}, 15)
	if r.missed() {
		t.Error("the bar itself does not pass")
	}
	r.ratio("too little", []float64{14, 14.9, 16}, 15)
	r.ratio("nothing", nil, 15)
	if !r.missed() || r.checks[1].ok || r.checks[2].ok {
		t.Errorf("%+v", r.checks)
	}
	var herds report
	herds.stampedes("twice", []stampede{{1, 1}, {1, 2}, {1, 1}})
	herds.stampedes("slow", []stampede{{101, 1}, {1, 1}, {102, 1}})
	if herds.checks[0].ok || !herds.checks[1].ok || !herds.checks[2].ok || herds.checks[3].ok {
		t.Errorf("%+v", herds.checks)
	}
}
