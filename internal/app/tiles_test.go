package app_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"

	"onemap/geo"
	"onemap/internal/core"
)

// token is the session's token, for a program that keeps no cookies.
func (u *user) token() string {
	u.t.Helper()
	at, err := url.Parse(u.base)
	if err != nil {
		u.t.Fatal(err)
	}
	for _, c := range u.http.Jar.Cookies(at) {
		if c.Name == "onemap_session" {
			return c.Value
		}
	}
	u.t.Fatal("there is no session")
	return ""
}

// ready waits until the node has loaded its layers.
func (u *user) ready() {
	u.t.Helper()
	eventually(u.t, "the layers are loaded", func() bool { return u.call(http.MethodGet, "/readyz", nil, nil) == http.StatusOK })
}

// tileAt returns the address of the tile that contains a place.
func tileAt(layer string, p orb.Point, z uint32) string {
	at := geo.TileAt(p, z)
	return fmt.Sprintf("/tiles/%s/%d/%d/%d.mvt", layer, at.Z, at.X, at.Y)
}

// tile returns the features of one layer of a tile.
func (u *user) tile(layer string, p orb.Point, z uint32) []*geojson.Feature {
	u.t.Helper()
	status, raw, head := u.raw(http.MethodGet, tileAt(layer, p, z), nil)
	switch {
	case status == http.StatusNoContent || status == http.StatusOK && len(raw) == 0:
		return nil
	case status != http.StatusOK || head.Get("ETag") == "":
		u.t.Fatalf("tile of %s: status %d, ETag %q", layer, status, head.Get("ETag"))
	}
	layers, err := mvt.Unmarshal(raw) // the client unpacks
	if err != nil {
		u.t.Fatal(err)
	}
	if len(layers) != 1 || layers[0].Name != layer {
		u.t.Fatalf("the tile of %s has %d layers", layer, len(layers))
	}
	return layers[0].Features
}

func (u *user) draws(layer string, p orb.Point, z uint32, id int64) bool {
	u.t.Helper()
	return slices.ContainsFunc(u.tile(layer, p, z), func(f *geojson.Feature) bool { return f.ID == float64(id) })
}

// byHand is a connection to the database as a person has it in psql.
func byHand(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// insertPoint creates a layer for everybody, if it does not exist, and a point in it.
func insertPoint(t testing.TB, conn *pgx.Conn, layer, name string, p orb.Point) (id int64) {
	t.Helper()
	_, err := conn.Exec(t.Context(), `
		insert into layer (name, theme, title_zh, title_en, owner_zh, owner_en, origin, audience, source, licence, attribution, updated_on, cycle_days, geometry_type, min_zoom, max_zoom, fields)
		values ($1, 'risk_point', '点', 'Points', '', '', 'real', 'public', 'test', '', '', '2026-01-01', 0, 'Point', 0, 16, '[{"name":"stock","type":"number","title":{"zh":"","en":""},"in_tile":true}]')
		on conflict (name) do nothing`, layer)
	if err != nil {
		t.Fatal(err)
	}
	err = conn.QueryRow(t.Context(), `
		insert into feature (layer_id, source_key, division_code, name_zh, level, origin, properties, geom)
		select id, $2, '370602', $2, 2, 'real', '{"stock": 12.5}', ST_SetSRID(ST_Point($3, $4), 4326) from layer where name = $1 returning id`,
		layer, name, p[0], p[1]).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// GDAL reads a tile of a running server with a bearer token, and is refused without one.
func TestGDALReadsATile(t *testing.T) {
	d := startDemo(t, demoDir(t))
	u := login(t, d.Info(), "commander")
	u.ready()
	conn, at := byHand(t, d.Info().Database), orb.Point{121.4, 37.5}
	const points = 7
	for i := range points {
		insertPoint(t, conn, "wells", fmt.Sprintf("井 %d", i), orb.Point{at[0] + 0.01*float64(i), at[1]})
	}
	eventually(t, "the wells are in the tile", func() bool {
		status, _, _ := u.raw(http.MethodGet, tileAt("wells", at, 9), nil)
		return status == http.StatusOK && len(u.tile("wells", at, 9)) == points
	})
	ask := func(header string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "ogrinfo", "-ro", "-al", "MVT:"+u.base+tileAt("wells", at, 9))
		cmd.Env = append(os.Environ(), "GDAL_HTTP_HEADERS="+header, "CPL_VSIL_CURL_USE_HEAD=NO")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := ask("Authorization: Bearer " + u.token())
	if err != nil {
		t.Fatalf("ogrinfo (Debian package gdal-bin): %v: %s", err, out)
	}
	if m := regexp.MustCompile(`Feature Count: (\d+)`).FindStringSubmatch(out); m == nil || m[1] != strconv.Itoa(points) {
		t.Errorf("GDAL counts %v features, want %d", m, points)
	}
	for _, want := range []string{
		"Layer name: wells", "Geometry: Point", "name_zh (String) = 井 3", "stock (Real) = 12.5", "level (Integer) = 2", "division (String) = 370602", "origin (String) = real", "3857",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("GDAL does not read %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%.3000s", out)
	}
	if out, err := ask("Authorization: Bearer nobody"); err == nil && strings.Contains(out, "Feature Count") {
		t.Errorf("without a session GDAL reads %.500s", out)
	}
}

// Two servers use one database. A change that a person makes in psql is in the tiles of both, each informs its own clients,
// and a deleted feature stays on neither.
func TestTwoNodesServeFreshTiles(t *testing.T) {
	first := startDemo(t, demoDir(t))
	there := secondNode(t, first.Info())
	nodes := []*user{login(t, first.Info(), "r370602"), login(t, there, "r370602")}
	conn := byHand(t, first.Info().Database)
	here, beyond := orb.Point{121.4, 37.5}, orb.Point{121.7, 37.2}
	id := insertPoint(t, conn, "wells", "井", here)
	var sockets []*live
	for i, u := range nodes {
		u.ready()
		eventually(t, "the new layer is drawn", func() bool {
			status, _, _ := u.raw(http.MethodGet, tileAt("wells", here, 14), nil)
			return status == http.StatusOK && u.draws("wells", here, 14, id)
		})
		sockets = append(sockets, u.connect(fmt.Sprint("client-tiles-", i), "", core.Mark{}))
	}
	for _, l := range sockets {
		l.pastLoading(conn, "wells", id)
	}
	for i := range 6 {
		from, to := here, beyond
		if i%2 == 1 {
			from, to = beyond, here
		}
		if _, err := conn.Exec(t.Context(), `update feature set geom = ST_SetSRID(ST_Point($2, $3), 4326) where id = $1`, id, to[0], to[1]); err != nil {
			t.Fatal(err)
		}
		for k, u := range nodes {
			sockets[k].untilTiles("wells", geo.TileAt(from, 14), geo.TileAt(to, 14))
			if !u.draws("wells", to, 14, id) || !u.draws("wells", to, 9, id) {
				t.Errorf("move %d: node %d has told of it and does not draw it", i, k)
			}
			if u.draws("wells", from, 14, id) {
				t.Errorf("move %d: node %d has a ghost", i, k)
			}
		}
		tags := map[string]bool{}
		for _, u := range nodes {
			_, _, head := u.raw(http.MethodGet, tileAt("wells", to, 9), nil)
			tags[head.Get("ETag")] = true
		}
		if len(tags) != 1 {
			t.Errorf("the nodes' tags are %v", tags)
		}
	}
}

// pastLoading reads frames until one names single tiles of the layer; while the layer is being loaded, frames name all of its
// tiles. Each round adds a feature to the layer at another place, so that there is a frame to read.
func (l *live) pastLoading(conn *pgx.Conn, layer string, id int64) {
	l.t.Helper()
	for loaded := false; !loaded; {
		if _, err := conn.Exec(l.t.Context(), `insert into feature (layer_id, source_key, origin, geom)
			select layer_id, gen_random_uuid()::text, 'real', ST_SetSRID(ST_Point(100, 10), 4326) from feature where id = $1`, id); err != nil {
			l.t.Fatal(err)
		}
		l.until("a tiles frame of "+layer, func(f frame) bool {
			at := slices.IndexFunc(f.Layers, func(c changedTiles) bool { return c.Layer == layer })
			loaded = at >= 0 && !f.Layers[at].All
			return at >= 0
		})
	}
}

// untilTiles reads up to a frame that contains the given tiles of the layer.
func (l *live) untilTiles(layer string, tiles ...geo.Tile) {
	l.t.Helper()
	l.until("a tiles frame of "+layer, func(f frame) bool {
		if f.Type != "tiles" {
			return false
		}
		for _, changed := range f.Layers {
			if changed.Layer != layer {
				continue
			}
			missing := slices.ContainsFunc(tiles, func(at geo.Tile) bool {
				return !slices.ContainsFunc(changed.Ranges, func(r [5]uint32) bool {
					return r[0] == at.Z && r[1] <= at.X && at.X <= r[3] && r[2] <= at.Y && at.Y <= r[4]
				})
			})
			return !missing
		}
		return false
	})
}
