package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"onemap/bench/kit"
)

// cached measures tiles that are in the cache, alternating with a bare handler that sends the same bytes.
func (b *bench) cached(ctx context.Context) (err error) {
	db, err := b.standard(ctx)
	if err != nil {
		return err
	}
	s, err := b.startServer(ctx, db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	file := filepath.Join(b.place.Dir, "answers")
	if err := b.record(ctx, s, file); err != nil { // this also fills the cache
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	bare, err := kit.StartChild(ctx, nil, self, "-bare", file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.Stop()) }()
	for _, clients := range []int{8, 64} {
		if err := b.cachedPairs(ctx, s, bare, clients); err != nil {
			return err
		}
	}
	return nil
}

// cachedPairs measures both sides with a number of clients. A round of load that is not counted comes before each run, so
// that both sides are warm.
func (b *bench) cachedPairs(ctx context.Context, s *server, bare *kit.Child, clients int) error {
	requests := requests(s.main, b.tiles, true)
	before, err := s.Metric(ctx, madeMetric)
	if err != nil {
		return err
	}
	var ours, theirs []figures
	for run := range b.o.Runs {
		for _, side := range []struct {
			who  subject
			runs *[]figures
		}{{b.subject(s), &ours}, {subject{addr: bare.Addr, server: bare.PID}, &theirs}} {
			if _, err := load(ctx, side.who.addr, requests, clients, 0); err != nil {
				return err
			}
			f, err := measure(ctx, side.who, requests, clients, b.runTime())
			if err != nil {
				return err
			}
			*side.runs = append(*side.runs, f)
		}
		kit.Say("cached, %d clients, run %d: %s req/s, bare %s", clients, run+1, kit.Number(ours[run].rate), kit.Number(theirs[run].rate))
	}
	after, err := s.Metric(ctx, madeMetric)
	if err != nil {
		return err
	}
	// the server must not have made a tile, or the case measures something else
	if after != before {
		return fmt.Errorf("%g tiles were made anew while all should have come from the cache", after-before)
	}
	b.r.row("cached", clients, ours)
	b.r.row("a bare handler, the same bytes", clients, theirs)
	b.r.Ratio(fmt.Sprintf("cached, %d clients: req/s of ours / bare", clients),
		kit.Ratios(ours, theirs, func(f figures) float64 { return f.rate }), 0.6)
	return nil
}

// record requests every tile of the list once and writes the responses to a file.
func (b *bench) record(ctx context.Context, s *server, file string) error {
	all := make([]kit.Answer, 0, len(b.tiles))
	for _, a := range b.tiles {
		status, got, err := s.FetchPacked(ctx, tilePath(a), s.main.Cookie)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return fmt.Errorf("%s: status %d", got.Path, status)
		}
		all = append(all, *got)
	}
	return writeAnswers(file, all)
}
