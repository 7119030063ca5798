package storetest

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/app/stores"
	"onemap/tiles"
	tilespg "onemap/tiles/pg"
)

// Follower reads the change feed of a database.
type Follower struct {
	t    testing.TB
	Feed *tilespg.ChangeFeed
	Mark tiles.Mark
}

// Follow starts to read the change feed at its end.
func Follow(t testing.TB, db *stores.Stores) *Follower {
	t.Helper()
	f := &Follower{t: t, Feed: db.Tiles.ChangeFeed()}
	t.Cleanup(f.Feed.Close)
	var err error
	if f.Mark, err = f.Feed.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// Next returns all changes since the last call as sorted texts: layer, kind of change, and old and new box with division.
func (f *Follower) Next() []string {
	f.t.Helper()
	var all []string
	m, err := f.Feed.Since(f.t.Context(), f.Mark, func(c tiles.Chunk) error {
		if len(c.Changes) > 1000 || time.Since(c.At) > time.Hour || time.Since(c.At) < -time.Hour {
			f.t.Errorf("a chunk of %d changes, at %s", len(c.Changes), c.At)
		}
		all = append(all, inWords(c)...)
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.Mark = m
	slices.Sort(all)
	return all
}

func inWords(c tiles.Chunk) []string {
	switch {
	case c.Entry:
		return []string{fmt.Sprintf("%d entry", c.Layer)}
	case c.Whole:
		return []string{fmt.Sprintf("%d whole", c.Layer)}
	}
	var out []string
	for _, ch := range c.Changes {
		out = append(out, fmt.Sprintf("%d #%d %s %s → %s %s", c.Layer, ch.ID, BoxWords(ch.Old), ch.OldDivision, BoxWords(ch.New), ch.NewDivision))
	}
	return out
}

// BoxWords returns a box as text in degrees with two decimals. It returns "-" if there is no box.
func BoxWords(b tiles.Box) string {
	if math.IsNaN(b[0]) && math.IsNaN(b[1]) && math.IsNaN(b[2]) && math.IsNaN(b[3]) {
		return "-"
	}
	return fmt.Sprintf("%.2f,%.2f,%.2f,%.2f", b[0], b[1], b[2], b[3])
}

// Want compares all changes since the last call with the expected ones.
func (f *Follower) Want(what string, want ...string) {
	f.t.Helper()
	slices.Sort(want)
	if d := cmp.Diff(want, f.Next()); d != "" {
		f.t.Errorf("%s (-want +got):\n%s", what, d)
	}
}
