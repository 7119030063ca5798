package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"onemap/internal/app"
	"onemap/internal/core"
	"onemap/store/pgcluster"
	"onemap/tiles"
)

// The two layers that every measured tile holds.
const (
	pointsLayer   = "points"
	polygonsLayer = "polygons"
	bothLayers    = pointsLayer + "," + polygonsLayer
)

// The two accounts: a steward's, because the health of the layers is for those who keep data, and
// one more client's.
const (
	loginMain   = "bench"
	loginSecond = "bench2"
)

const stopWithin = 30 * time.Second

// bench is what the cases share: a folder and a PostgreSQL cluster of their own, the list of tiles.
type bench struct {
	o        options
	r        *report
	dir      string
	cluster  *pgcluster.Cluster
	password string
	tiles    []tiles.Address
	loaded   map[string]bool // databases
}

func newBench(ctx context.Context, o options, r *report) (*bench, error) {
	if _, err := os.Stat(o.onemap); err != nil {
		return nil, fmt.Errorf("-onemap: %w", err)
	}
	list, counts := mixedList(o.seed)
	b := &bench{o: o, r: r, password: rand.Text(), tiles: list, loaded: map[string]bool{}}
	var err error
	if b.dir, err = os.MkdirTemp("", "benchtiles-"); err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(err, b.close(ctx))
	}
	r.note("%s. %d points and %d polygons, seed %d; %d tiles (%s), both layers in a tile.",
		machine(), o.points, o.polygons, o.seed, len(list), counts)
	r.note("A median of %d runs of %g s or one round of the list, whichever is longer. CPU of PostgreSQL is that of the postmaster and all its children.", o.runs, o.seconds)
	return b, nil
}

func (b *bench) start(ctx context.Context) error {
	if err := os.Chmod(b.dir, 0o755); err != nil { // PostgreSQL may run as another user
		return fmt.Errorf("open the folder: %w", err)
	}
	b.say("starting PostgreSQL")
	c, err := pgcluster.Start(ctx, pgcluster.Options{Dir: filepath.Join(b.dir, "pg")})
	if err != nil {
		return err
	}
	b.cluster = c
	return nil
}

// close stops PostgreSQL and removes everything; also after ctx has ended.
func (b *bench) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	var err error
	if b.cluster != nil {
		err = errors.Join(b.cluster.Stop(ctx), pgcluster.Remove(ctx, filepath.Join(b.dir, "pg")))
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// say tells whoever waits how far it is.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}

// data makes a database with two layers and two accounts, once, and gives its URL.
func (b *bench) data(ctx context.Context, name string, points, polygons int) (string, error) {
	url := b.cluster.URL(name)
	if b.loaded[name] {
		return url, nil
	}
	if err := b.cluster.EnsureDatabase(ctx, name); err != nil {
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
	b.say("loaded %d points and %d polygons in %.1f s", points, polygons, time.Since(start).Seconds())
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

// standard is the data set that all cases but large measure.
func (b *bench) standard(ctx context.Context) (string, error) {
	return b.data(ctx, "standard", b.o.points, b.o.polygons)
}

// requests are GET requests of tiles in a session, ready to be written.
func requests(s *session, list []tiles.Address, gzip bool) [][]byte {
	coding := "identity"
	if gzip {
		coding = "gzip"
	}
	out := make([][]byte, len(list))
	for i, a := range list {
		out[i] = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nAccept-Encoding: %s\r\n\r\n",
			tilePath(a), s.server.addr, s.cookie, coding)
	}
	return out
}

func tilePath(a tiles.Address) string {
	return fmt.Sprintf("/tiles/%s/%d/%d/%d.mvt", bothLayers, a.Z, a.X, a.Y)
}

// machine names the processor and how busy it is.
func machine() string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	load := "unknown"
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(text), " ")
	}
	return fmt.Sprintf("%d cores (%s), load average %s before the start, %s", cores(), model, load, time.Now().UTC().Format(time.DateOnly))
}
