package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/catalogue"
	"onemap/catalogue/load"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// ground answers what stands where: counties, and the places that names are taken from.
type ground struct {
	counties []countyArea
	places   []place
}

type countyArea struct {
	code string
	area *area
}

// place is a named point of GeoNames; county is empty outside the city.
type place struct {
	name   core.Text
	at     orb.Point
	county string
}

func loadGround(dir string) (*ground, error) {
	g := &ground{}
	counties, err := readFile(dir, "county_schematic.geojson", load.Options{KeyField: "code"})
	if err != nil {
		return nil, err
	}
	for _, c := range counties {
		g.counties = append(g.counties, countyArea{c.Key, newArea(c.Geometry)})
	}
	places, err := readFile(dir, "places_geonames.geojson", load.Options{KeyField: "id", NameField: "zh", NameENField: "en"})
	if err != nil {
		return nil, err
	}
	for _, p := range places {
		at, ok := p.Geometry.(orb.Point)
		if !ok {
			return nil, fault.New(fault.Invalid, "places_geonames.geojson: %s is no point", p.Key)
		}
		g.places = append(g.places, place{p.Name, at, g.county(at)})
	}
	return g, nil
}

// county is the code of the polygon that holds the point, empty when none does.
func (g *ground) county(p orb.Point) string {
	for _, c := range g.counties {
		if c.area.contains(p) {
			return c.code
		}
	}
	return ""
}

// readFile reads every feature of a small file. A refused one is an error: base data are whole.
func readFile(dir, name string, o load.Options) ([]catalogue.Feature, error) {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "read base data")
	}
	r, err := load.Open(bytes.NewReader(raw), o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var all []catalogue.Feature
	for {
		record, refusal, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		case refusal != nil:
			return nil, fault.New(fault.Invalid, "%s: line %d: %s", name, refusal.Line, refusal.Reason)
		}
		all = append(all, record.Feature)
	}
}

// area tells whether a point is inside polygons, by the even-odd rule, with edges sorted into bands
// of latitude so that one question looks at few of them.
type area struct {
	bound orb.Bound
	bands [][][2]orb.Point
}

const areaBands = 512

func newArea(g orb.Geometry) *area {
	a := &area{bound: g.Bound(), bands: make([][][2]orb.Point, areaBands)}
	var polygons []orb.Polygon
	switch g := g.(type) {
	case orb.Polygon:
		polygons = []orb.Polygon{g}
	case orb.MultiPolygon:
		polygons = g
	}
	for _, p := range polygons {
		for _, ring := range p {
			for i := 1; i < len(ring); i++ {
				a.add(ring[i-1], ring[i])
			}
		}
	}
	return a
}

func (a *area) add(p, q orb.Point) {
	for b := a.band(min(p[1], q[1])); b <= a.band(max(p[1], q[1])); b++ {
		a.bands[b] = append(a.bands[b], [2]orb.Point{p, q})
	}
}

func (a *area) band(lat float64) int {
	height := a.bound.Max[1] - a.bound.Min[1]
	return min(max(int((lat-a.bound.Min[1])/height*areaBands), 0), areaBands-1)
}

func (a *area) contains(p orb.Point) bool {
	if !a.bound.Contains(p) {
		return false
	}
	inside := false
	for _, e := range a.bands[a.band(p[1])] {
		if (e[0][1] > p[1]) != (e[1][1] > p[1]) &&
			p[0] < (e[1][0]-e[0][0])*(p[1]-e[0][1])/(e[1][1]-e[0][1])+e[0][0] {
			inside = !inside
		}
	}
	return inside
}

// grid is an ESRI ASCII grid of elevations in metres.
type grid struct {
	west, south, dx, dy float64
	rows                [][]float64 // from the north
}

func readGrid(path string) (*grid, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "read base data")
	}
	g := &grid{}
	head := map[string]*float64{"xllcorner": &g.west, "yllcorner": &g.south, "dx": &g.dx, "dy": &g.dy}
	for n, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		cells := strings.Fields(line)
		if len(cells) == 2 && strings.Trim(cells[0], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" {
			if to := head[strings.ToLower(cells[0])]; to != nil {
				if *to, err = strconv.ParseFloat(cells[1], 64); err != nil {
					return nil, fmt.Errorf("%s: line %d: %w", path, n+1, err)
				}
			}
			continue
		}
		row := make([]float64, len(cells))
		for i, c := range cells {
			if row[i], err = strconv.ParseFloat(c, 64); err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", path, n+1, err)
			}
		}
		if len(g.rows) > 0 && len(row) != len(g.rows[0]) {
			return nil, fault.New(fault.Invalid, "%s: line %d has %d cells, not %d", path, n+1, len(row), len(g.rows[0]))
		}
		g.rows = append(g.rows, row)
	}
	if len(g.rows) == 0 || g.dx <= 0 || g.dy <= 0 {
		return nil, fault.New(fault.Invalid, "%s: no grid", path)
	}
	return g, nil
}

// at is the elevation of the cell that holds the point, or of the nearest one.
func (g *grid) at(p orb.Point) float64 {
	column := int(math.Floor((p[0] - g.west) / g.dx))
	row := len(g.rows) - 1 - int(math.Floor((p[1]-g.south)/g.dy))
	row = min(max(row, 0), len(g.rows)-1)
	return g.rows[row][min(max(column, 0), len(g.rows[row])-1)]
}
