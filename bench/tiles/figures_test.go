package main

import (
	"strings"
	"testing"
	"time"

	"onemap/bench/kit"
)

func TestFiguresAreATile(t *testing.T) {
	before := kit.Clocks{Server: time.Second, Postgres: 2 * time.Second, Client: 0, Machine: 10 * time.Second}
	after := kit.Clocks{Server: 3 * time.Second, Postgres: 6 * time.Second, Client: time.Second, Machine: 19 * time.Second}
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

func TestAHerdMissesWhatIsMadeTwiceOrLate(t *testing.T) {
	var herds report
	herds.stampedes("twice", []stampede{{1, 1}, {1, 2}, {1, 1}})
	herds.stampedes("slow", []stampede{{101, 1}, {1, 1}, {102, 1}})
	if got := strings.Join(herds.MissedBars(), ", "); got != "twice: tiles made, slow: ms until the last of 64 answers" {
		t.Errorf("missed %s", got)
	}
}
