package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"onemap/catalogue"
	"onemap/demo/pgcluster"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/tiles"
	"onemap/tiles/engine"
)

// server is a PostgreSQL that a test can stop and start again.
type server struct {
	t       testing.TB
	dir     string
	cluster *pgcluster.Cluster
}

func newServer(t testing.TB) *server {
	t.Helper()
	root, err := os.MkdirTemp("", "engine-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil { // the server's user must pass
		t.Fatal(err)
	}
	s := &server{t: t, dir: filepath.Join(root, "pg")}
	t.Cleanup(func() {
		if err := pgcluster.Remove(context.Background(), s.dir); err != nil {
			t.Errorf("remove: %v", err)
		}
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) start() {
	s.t.Helper()
	var err error
	if s.cluster, err = pgcluster.Start(s.t.Context(), pgcluster.Options{Dir: s.dir, Fast: true}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) stop() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), patience)
	defer cancel()
	if err := s.cluster.Stop(ctx); err != nil {
		s.t.Errorf("stop: %v", err)
	}
}

// While the database is away the layers are said to be bad and their tiles are served; when it is
// back, what had been committed is in them, and what comes then.
func TestTheDatabaseGoesAndComesBack(t *testing.T) {
	host := newServer(t)
	if err := host.cluster.EnsureDatabase(t.Context(), "map"); err != nil {
		t.Fatal(err)
	}
	if err := pg.Migrate(t.Context(), host.cluster.URL("map"), nil); err != nil {
		t.Fatal(err)
	}
	db := connect(t, host.cluster.URL("map"))
	importOK(t, db, catalogue.Layer{Name: markers, Theme: catalogue.ThemePlace, Origin: core.OriginReal, Source: "test", MaxZoom: 22}, feature("first", "", 0, 1))
	importOK(t, db, layerOf("tanks", core.Audience{Kind: core.AudiencePublic}, unthinned()), seeded(t, 1, 200, 20)...)
	n := start(t, db, engine.Options{Grace: 200 * time.Millisecond, Poll: 100 * time.Millisecond}, nil)
	n.until("all is well at first", func() bool { // a look that a busy machine delays is a bad one, too
		h := n.engine.Health()
		return h.OK && h.Part == "layers" && n.engine.State().Feed.OK
	})
	known, other := address(120.7, 37.4, 9), address(120.7, 37.4, 10)
	before := n.get(city, "tanks", known)
	id := idsOf(t, db, "tanks")["p0000001"]
	db.exec(t, `update feature set geom = ST_SetSRID('POINT(120.7 37.4)'::geometry, 4326) where id = $1`, id)
	host.stop()
	n.until("the layers are bad", func() bool { return !n.engine.Health().OK })
	if h, s := n.engine.Health(), n.engine.State().Feed; h.Detail == "" || h.Lag <= 0 || s.OK || s.AgeSeconds <= 0 {
		t.Errorf("while it is away: %+v, %+v", h, s)
	}
	if !n.engine.Ready() {
		t.Error("what was loaded is thrown away")
	}
	if got := n.get(city, "tanks", known); len(drawn(t, got.Bytes, "tanks")) < len(drawn(t, before.Bytes, "tanks")) {
		t.Error("a tile is gone")
	}
	if got := drawn(t, n.get(city, "tanks", other).Bytes, "tanks"); len(got) == 0 {
		t.Error("a tile that nobody has asked for cannot be made")
	}
	n.wants(city, "nothing", known, fault.NotFound)
	host.start()
	n.until("the layers are good", func() bool { return n.engine.Health().OK })
	n.until("what was committed before is in the tile", func() bool {
		return slices.Contains(drawn(t, n.get(city, "tanks", known).Bytes, "tanks"), id)
	})
	n.until("the database takes statements", func() bool { return db.sql.Ping(t.Context()) == nil })
	n.taken()
	db.exec(t, `delete from feature where id = $1`, id)
	n.untilTold("the deletion", func(s tiles.Notice) bool { return s.Layer == "tanks" })
	if slices.Contains(drawn(t, n.get(city, "tanks", known).Bytes, "tanks"), id) {
		t.Error("a ghost")
	}
}
