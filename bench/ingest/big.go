package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"onemap/bench/kit"
)

const (
	// The sizes and the bar of the case big.
	smallRows   = 1e6
	lossBar     = 0.8 // part of the small database's rate that must be reached
	chartPoints = 2000
	chartsDrawn = 216 // number of different charts
)

// archive is a server on a database with stored history.
type archive struct {
	*server
	history history
	charts  []float64 // charts per second, by run
	median  []float64 // median time of a chart in ms, by run
	side    *side
}

// big measures how much slower ingest and charts are with a hundred times as many stored observations.
func (b *bench) big(ctx context.Context) (err error) {
	if err := checkDisk(b.place.Dir, b.o.rows); err != nil {
		return err
	}
	var both []*archive
	for _, of := range []struct {
		name   string
		rows   float64
		months int
	}{{"small", smallRows, 1}, {"big", b.o.rows, historyMonths}} {
		url, h, err := b.storeHistory(ctx, of.name, of.rows, of.months)
		if err != nil {
			return err
		}
		since := time.Now()
		s, err := b.startServer(ctx, url, "--mqtt=127.0.0.1:0")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		a := &archive{server: s, history: h, side: &side{
			name: "onemap, " + of.name, subject: subject{s.mqtt, s.PID, b.postgres()}, db: url, after: s.awaitRules, since: since,
		}}
		both = append(both, a)
	}
	for _, a := range both {
		if err := a.checkCharts(ctx); err != nil { // this also reads the data into the cache
			return err
		}
	}
	for run := range b.o.Runs {
		for _, a := range both {
			if err := a.drawCharts(ctx, run, seconds(b.o.Seconds)); err != nil {
				return err
			}
			kit.Say("%s, run %d: %s charts/s, median %s ms", a.side.name, run+1, kit.Number(a.charts[run]), kit.Number(a.median[run]))
		}
	}
	if err := b.alternate(ctx, []*side{both[0].side, both[1].side}, rateCases()[0].traffic(b)); err != nil {
		return err
	}
	b.reportBig(both[0], both[1])
	return nil
}

func (b *bench) reportBig(small, big *archive) {
	c := rateCases()[0]
	on := fmt.Sprintf("%d × %d", c.devices, c.window)
	row(b.r, fmt.Sprintf("%s, %g observations stored", c.title, smallRows), on, small.side.runs)
	row(b.r, fmt.Sprintf("%s, %g observations stored", c.title, b.o.rows), on, big.side.runs)
	b.r.Ratio(fmt.Sprintf("%s: with %g observations stored / with %g", c.title, b.o.rows, smallRows),
		kit.Ratios(big.side.runs, small.side.runs, func(f figures) float64 { return f.rate }), lossBar)
	own := func(v float64) float64 { return v }
	b.r.Ratio(fmt.Sprintf("charts a second of a series over a month: with %g observations stored / with %g", b.o.rows, smallRows),
		kit.Ratios(big.charts, small.charts, own), lossBar)
	b.r.Note("A chart over a month: median %s ms with %g observations, %s ms with %g.",
		kit.Number(kit.Median(small.median)), smallRows, kit.Number(kit.Median(big.median)), b.o.rows)
}

// full returns the months that are over.
func (h history) full() []time.Time {
	now := time.Now().UTC()
	n := len(h.months)
	if h.months[n-1].AddDate(0, 1, 0).After(now) {
		n--
	}
	return h.months[:n]
}

// path returns the nth chart: the complete months in turn, then the same of the next datastream. rows is the number of
// readings in it.
func (h history) path(n int) (path string, rows int64) {
	months := h.full()
	month := months[n%len(months)]
	to := month.AddDate(0, 1, 0)
	return fmt.Sprintf("/api/v1/datastreams/%d/chart?from=%s&to=%s&points=%d", h.streams[n/len(months)%len(h.streams)],
		month.Format(time.RFC3339), to.Format(time.RFC3339), chartPoints), int64(to.Sub(month) / historyPace)
}

// checkCharts requests every chart once and checks that it contains all readings of its month.
func (a *archive) checkCharts(ctx context.Context) error {
	for n := range chartsDrawn {
		path, want := a.history.path(n)
		status, got, err := a.Fetch(ctx, http.MethodGet, path, a.main.Cookie, nil)
		if err != nil {
			return err
		}
		var chart struct {
			Rows   int64
			Points []json.RawMessage
		}
		if status != http.StatusOK {
			return fmt.Errorf("%s: status %d: %.200s", path, status, got.Body)
		}
		if err := json.Unmarshal(got.Body, &chart); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if n := len(chart.Points); chart.Rows != want || n == 0 || n > chartPoints {
			return fmt.Errorf("%s: %d points of %d readings, not of %d", path, n, chart.Rows, want)
		}
	}
	return nil
}

// drawCharts requests one chart after the other for a time.
func (a *archive) drawCharts(ctx context.Context, run int, length time.Duration) error {
	var took []time.Duration
	start := time.Now()
	for n := run; time.Since(start) < length; n++ {
		path, _ := a.history.path(n * 7 % chartsDrawn)
		before := time.Now()
		status, got, err := a.Fetch(ctx, http.MethodGet, path, a.main.Cookie, nil)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return fmt.Errorf("%s: status %d: %.200s", path, status, got.Body)
		}
		took = append(took, time.Since(before))
	}
	a.charts = append(a.charts, float64(len(took))/time.Since(start).Seconds())
	slices.Sort(took)
	a.median = append(a.median, kit.MS(kit.Percentile(took, 50)))
	return nil
}
