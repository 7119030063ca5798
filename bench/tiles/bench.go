package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"onemap/bench/kit"
	"onemap/internal/app"
	"onemap/internal/core"
	"onemap/tiles"
)

// The two layers of every measured tile.
const (
	pointsLayer   = "points"
	polygonsLayer = "polygons"
	bothLayers    = pointsLayer + "," + polygonsLayer
)

// The two accounts. The first is a steward, because the state of the layers is shown only to those who may edit data. The
// second is for the client that checks edits.
const (
	loginMain   = "bench"
	loginSecond = "bench2"
)

// bench holds the common state of the cases: a folder, a PostgreSQL cluster, and the list of tiles.
type bench struct {
	o        options
	r        *report
	place    *kit.Place
	password string
	tiles    []tiles.Address
	loaded   map[string]bool // names of the databases that are filled
}

// newBench draws the list of tiles from the seed, so that two runs with one seed request the same tiles, and starts the
// PostgreSQL cluster.
func newBench(ctx context.Context, o options, r *report) (*bench, error) {
	// before the cluster is started, which takes seconds
	if _, err := os.Stat(o.Onemap); err != nil {
		return nil, fmt.Errorf("-onemap: %w", err)
	}
	list, counts := mixedList(o.seed)
	b := &bench{o: o, r: r, password: rand.Text(), tiles: list, loaded: map[string]bool{}}
	var err error
	if b.place, err = kit.NewPlace(ctx, "benchtiles"); err != nil {
		return nil, err
	}
	r.Note("%s. %d points and %d polygons, seed %d; %d tiles (%s), both layers in a tile.",
		kit.Machine(), o.points, o.polygons, o.seed, len(list), counts)
	r.Note("A median of %d runs of %g s or one round of the list, whichever is longer. CPU of PostgreSQL is that of the postmaster and all its children.", o.Runs, o.Seconds)
	return b, nil
}

// data returns the URL of a database with two layers and two accounts. It creates and fills the database at the first call.
func (b *bench) data(ctx context.Context, name string, points, polygons int) (string, error) {
	url := b.place.Cluster.URL(name)
	if b.loaded[name] {
		return url, nil
	}
	if err := b.place.Cluster.EnsureDatabase(ctx, name); err != nil {
		return "", err
	}
	quiet := slog.New(slog.DiscardHandler)
	if err := app.Migrate(ctx, url, quiet, nil); err != nil {
		return "", err
	}
	if err := b.addAccounts(ctx, url); err != nil {
		return "", err
	}
	start := time.Now()
	if err := loadData(ctx, url, b.o.seed, points, polygons); err != nil {
		return "", fmt.Errorf("load the data: %w", err)
	}
	kit.Say("loaded %d points and %d polygons in %.1f s", points, polygons, time.Since(start).Seconds())
	b.loaded[name] = true
	return url, nil
}

func (b *bench) addAccounts(ctx context.Context, url string) error {
	a, err := app.OpenAccounts(ctx, url, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer a.Close()
	return errors.Join(
		a.Add(ctx, loginMain, loginMain, core.RoleSteward, "3706", b.password),
		a.Add(ctx, loginSecond, loginSecond, core.RoleObserver, "3706", b.password),
	)
}

// standard returns the data set of all cases except large.
func (b *bench) standard(ctx context.Context) (string, error) {
	return b.data(ctx, "standard", b.o.points, b.o.polygons)
}

// requests returns GET requests for tiles in a session, as bytes that can be sent at once.
func requests(s *kit.Session, list []tiles.Address, gzip bool) [][]byte {
	coding := "identity"
	if gzip {
		coding = "gzip"
	}
	out := make([][]byte, len(list))
	for i, a := range list {
		out[i] = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nAccept-Encoding: %s\r\n\r\n",
			tilePath(a), s.Server.Addr, s.Cookie, coding)
	}
	return out
}

func tilePath(a tiles.Address) string {
	return fmt.Sprintf("/tiles/%s/%d/%d/%d.mvt", bothLayers, a.Z, a.X, a.Y)
}
