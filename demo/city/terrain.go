package city

import (
	"math"
	"path/filepath"
	"slices"

	"github.com/paulmach/orb"

	"onemap/catalogue/load"
	"onemap/data"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// terrain is the ground of the base data with the land, the elevations and the county units, from which places are
// drawn.
type terrain struct {
	*data.Ground
	land   *data.Area
	height *grid
	units  []unit
}

// unit is a county unit with the places at which the generator can put things.
type unit struct {
	code   string
	name   core.Text
	area   *data.Area   // its polygon, or the polygon that its circle lies in
	centre orb.Point    // of the county seat
	radius float64      // metres around centre that a unit without a polygon has; 0: the polygon is all
	towns  []data.Place // named places inside, and the seat
	coast  []shore      // may be empty
	rivers []shore      // may be empty
	weight unitWeights
}

// unitWeights state how much of a kind of thing a county unit has, relative to the others. They are rough estimates, not
// statistics.
type unitWeights struct{ people, industry, mines, hills float64 }

// shore is a point of a coast or a river. The bearing is the direction of the line there, in degrees clockwise from
// north.
type shore struct {
	at      orb.Point
	bearing float64
	name    core.Text // of the river
}

// weightsOf returns the weights of a county unit of Yantai, and average weights for any other code.
func weightsOf(code string) unitWeights {
	switch code {
	case "370602":
		return unitWeights{9, 4, 0.2, 1}
	case "370611":
		return unitWeights{5, 4, 1, 3}
	case "370612":
		return unitWeights{4, 3, 4, 5}
	case "370613":
		return unitWeights{5, 2, 0.3, 2}
	case "370614":
		return unitWeights{5, 5, 2, 4}
	case "370671":
		return unitWeights{1.5, 1, 0.1, 0.5}
	case "370676":
		return unitWeights{4, 8, 0.2, 1}
	case "370681":
		return unitWeights{6, 7, 3, 3}
	case "370682":
		return unitWeights{6, 3, 1, 3}
	case "370683":
		return unitWeights{6, 4, 6, 4}
	case "370685":
		return unitWeights{5, 3, 8, 4}
	case "370686":
		return unitWeights{4, 1, 4, 8}
	default:
		return unitWeights{4, 2, 1.5, 4}
	}
}

// loadTerrain reads the terrain from a folder of base data.
func loadTerrain(dir string) (*terrain, error) {
	g, err := data.LoadGround(dir)
	if err != nil {
		return nil, err
	}
	t := &terrain{Ground: g}
	if t.height, err = readGrid(filepath.Join(dir, "etopo5_yt.asc")); err != nil {
		return nil, err
	}
	land, err := data.ReadFile(dir, "land_dcw.geojson", load.Options{})
	if err != nil {
		return nil, err
	}
	t.land = data.NewArea(land[0].Geometry)
	if err := t.addUnits(dir); err != nil {
		return nil, err
	}
	t.addCoast(land[0].Geometry)
	return t, t.addRivers(dir)
}

// addUnits adds the county units that are valid today. A unit without a polygon of its own is a circle around its seat,
// and its area is the polygon of the unit in which the seat lies. Each unit has at least its seat as a named place.
func (t *terrain) addUnits(dir string) error {
	units, err := data.CountyUnits(dir)
	if err != nil {
		return err
	}
	for _, e := range units {
		u := unit{code: e.Code, name: e.Name, centre: e.Seat, radius: e.RadiusM, weight: weightsOf(e.Code)}
		host := u.code
		if u.radius > 0 {
			host = t.County(u.centre)
		}
		i := slices.IndexFunc(t.Counties, func(c data.CountyArea) bool { return c.Code == host })
		if i < 0 {
			return fault.New(fault.Invalid, "divisions.yaml: %s has neither a polygon nor a circle inside one", u.code)
		}
		u.area = t.Counties[i].Area
		u.towns = []data.Place{{Name: e.Name, At: u.centre, County: e.Code}}
		for _, p := range t.Places {
			if p.County == u.code {
				u.towns = append(u.towns, p)
			}
		}
		t.units = append(t.units, u)
	}
	return nil
}

// addCoast adds the points of the shoreline to the units beside it, each point to the first unit that fits. The land
// polygons also end at the western, eastern and southern edge of the area of their file. Points on these edges are not
// a coast.
func (t *terrain) addCoast(land orb.Geometry) {
	const every, reach = 4, 300.0 // every fourth vertex; metres
	frame := land.Bound()
	onFrame := func(p orb.Point) bool {
		return min(p[0]-frame.Min[0], frame.Max[0]-p[0], p[1]-frame.Min[1]) < 0.002
	}
	polygons, ok := land.(orb.MultiPolygon)
	if !ok {
		return
	}
	for _, polygon := range polygons {
		ring := polygon[0]
		for i := every; i+every < len(ring); i += every {
			if onFrame(ring[i]) {
				continue
			}
			s := shore{at: ring[i], bearing: geo.Bearing(ring[i-every], ring[i+every])}
			for k := range t.units {
				if t.units[k].beside(s.at, reach) {
					t.units[k].coast = append(t.units[k].coast, s)
					break
				}
			}
		}
	}
}

// beside reports whether one of eight points at a distance of reach metres from p is in the unit. A shoreline is often
// just outside the schematic polygon of its unit, so p itself would not do.
func (u *unit) beside(p orb.Point, reach float64) bool {
	if !u.area.Bound().Pad(0.01).Contains(p) {
		return false
	}
	for k := range 8 {
		if u.holds(geo.Toward(p, float64(k)*45, reach)) {
			return true
		}
	}
	return false
}

// holds reports whether the point is in the unit: inside its area, and inside its circle if it has one.
func (u *unit) holds(p orb.Point) bool {
	return u.area.Contains(p) && (u.radius == 0 || geo.Distance(u.centre, p) <= u.radius)
}

// addRivers adds points of the schematic rivers to the units in which they lie, one every 300 m. Units that are a
// circle get none, because their points would also belong to the unit around them.
func (t *terrain) addRivers(dir string) error {
	rivers, err := data.ReadFile(dir, "rivers.geojson", load.Options{KeyField: "key", NameField: "zh", NameENField: "en"})
	if err != nil {
		return err
	}
	const step = 300.0
	for _, river := range rivers {
		line, ok := river.Geometry.(orb.LineString)
		if !ok {
			return fault.New(fault.Invalid, "rivers.geojson: %s is no line", river.Key)
		}
		for i := 1; i < len(line); i++ {
			bearing, length := geo.Bearing(line[i-1], line[i]), geo.Distance(line[i-1], line[i])
			for d := 0.0; d < length; d += step {
				p := geo.Toward(line[i-1], bearing, d)
				for k := range t.units {
					if t.units[k].radius == 0 && t.units[k].holds(p) && t.land.Contains(p) {
						t.units[k].rivers = append(t.units[k].rivers, shore{p, bearing, river.Name})
					}
				}
			}
		}
	}
	return nil
}

// round5 rounds a point to five decimals of a degree, which is about one metre.
func round5(p orb.Point) orb.Point {
	return orb.Point{math.Round(p[0]*1e5) / 1e5, math.Round(p[1]*1e5) / 1e5}
}

// dry reports whether a point is on land and in the unit.
func (t *terrain) dry(u *unit, p orb.Point) bool { return u.holds(p) && t.land.Contains(p) }
