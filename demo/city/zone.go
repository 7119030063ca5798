package city

import (
	"fmt"
	"math"

	"github.com/paulmach/orb"
	orbgeo "github.com/paulmach/orb/geo"

	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// zoneKind is a kind of hazard zone. weight returns the relative number of such zones in a county unit; 0 means none.
type zoneKind struct {
	code      string
	short     string
	count     int
	name      core.Text
	low, high float64 // radius, metres
	weight    func(u *unit) float64
}

// zoneKinds returns the kinds of hazard zones. Their counts add up to cityZones.
func zoneKinds() []zoneKind {
	hills := func(u *unit) float64 { return u.weight.hills }
	return []zoneKind{
		{"geological", "ge", 140, core.Text{ZH: "地质灾害风险区", EN: "landslide zone"}, 250, 900, hills},
		{"flood", "fl", 110, core.Text{ZH: "洪涝风险区", EN: "flood zone"}, 300, 1100, func(u *unit) float64 { return 1 + float64(len(u.rivers))/40 }},
		{"forest_fire", "ff", 90, core.Text{ZH: "森林火灾风险区", EN: "forest fire zone"}, 400, 1400, hills},
		{"storm_surge", "ss", 60, core.Text{ZH: "风暴潮风险区", EN: "storm surge zone"}, 350, 900, func(u *unit) float64 {
			if len(u.coast) == 0 {
				return 0
			}
			return 1 + math.Sqrt(float64(len(u.coast)))/10
		}},
	}
}

// zoneLayer returns the entry of the layer hazard_zone. It is shown by division: a county sees only its own zones.
func zoneLayer() catalogue.Layer {
	return catalogue.Layer{
		Name: "hazard_zone", Theme: catalogue.ThemeRiskPoint, GeometryType: "Polygon", MinZoom: 6,
		Title: core.Text{ZH: "灾害风险区（演示）", EN: "Hazard zones (demo)"}, Owner: core.Text{ZH: "自然资源和规划局", EN: "Natural Resources and Planning"},
		Audience: core.Audience{Kind: core.AudienceDivision},
		Fields: []catalogue.Field{
			{Name: "hazard", Type: "string", Title: core.Text{ZH: "灾种", EN: "Hazard"}, InTile: true},
			{Name: "area_km2", Type: "number", Title: core.Text{ZH: "面积", EN: "Area"}, Unit: "km²"},
			{Name: "people", Type: "integer", Title: core.Text{ZH: "受威胁人数", EN: "People at risk"}},
			{Name: "households", Type: "integer", Title: core.Text{ZH: "受威胁户数", EN: "Households at risk"}},
			{Name: "return_period_a", Type: "integer", Title: core.Text{ZH: "重现期", EN: "Return period"}, Unit: "a"},
			{Name: "surveyed_on", Type: "string", Title: core.Text{ZH: "调查日期", EN: "Surveyed on"}},
		},
	}
}

// addZones adds the layer of hazard zones.
func (c *City) addZones(m *maker) error {
	features := make([]catalogue.Feature, 0, cityZones)
	for _, kind := range zoneKinds() {
		weights := make([]float64, len(m.units))
		for i := range m.units {
			weights[i] = kind.weight(&m.units[i])
		}
		for i, n := range apportion(kind.count, weights) {
			u := &m.units[i]
			for k := range n {
				shape, err := m.zone(kind, u)
				if err != nil {
					return err
				}
				features = append(features, m.zoneFeature(kind, u, shape, k+1))
			}
		}
	}
	c.addLayer(m, zoneLayer(), features)
	return nil
}

// zoneFeature returns the feature of a zone. A worse level has more households and a shorter return period, in years.
func (m *maker) zoneFeature(kind zoneKind, u *unit, shape orb.Polygon, n int) catalogue.Feature {
	level := m.grade()
	households := m.between(1, 30) * (5 - int(level))
	periods := map[core.Level]int{core.Red: 10, core.Orange: 20, core.Yellow: 50, core.Blue: 100}
	return catalogue.Feature{
		Key: fmt.Sprintf("hz-%s-%s-%04d", u.code, kind.short, n), Division: u.code, Level: level, Geometry: shape,
		Name: demo(u.nearest(shape.Bound().Center()).Name, kind.name, n),
		Properties: map[string]any{
			"hazard": kind.code, "area_km2": math.Round(math.Abs(orbgeo.Area(shape))/1e4) / 100, "people": households*3 + m.r.IntN(households),
			"households": households, "return_period_a": periods[level], "surveyed_on": m.day(),
		},
	}
}

// zone draws the polygon of a zone. Its corners and the centre of its bound are on the land of the unit, except for a
// zone of a storm surge, whose centre is on land and which extends into the sea. After each failed draw the polygon
// gets a little smaller, down to a third of the least radius, so that a narrow unit gets its zones too. It returns
// fault.Internal after 400 draws.
func (m *maker) zone(kind zoneKind, u *unit) (orb.Polygon, error) {
	radius := kind.low + m.r.Float64()*(kind.high-kind.low)
	for range 400 {
		centre, bearing, stretch, err := m.zoneSeed(kind, u)
		if err != nil {
			return nil, err
		}
		shape := m.blob(centre, radius, stretch, bearing)
		if kind.code == "storm_surge" || m.allDry(u, shape) {
			return shape, nil
		}
		radius = max(radius*0.985, kind.low/3)
	}
	return nil, fault.New(fault.Internal, "no %s zone fits into %s", kind.code, u.code)
}

// zoneSeed draws the centre, direction and stretch of a zone. Zones of storm surges and floods follow the coast or the
// river; the others have a random direction.
func (m *maker) zoneSeed(kind zoneKind, u *unit) (centre orb.Point, bearing, stretch float64, err error) {
	bearing, stretch = m.r.Float64()*360, 1+m.r.Float64()*0.6
	switch {
	case kind.code == "storm_surge":
		s := pick(m, u.coast)
		centre, err = m.onLand(u, func() orb.Point { return m.around(s.at, 350) })
		return centre, s.bearing, 1.7 + m.r.Float64(), err
	case kind.code == "flood" && len(u.rivers) > 0:
		s := pick(m, u.rivers)
		return round5(m.around(s.at, 150)), s.bearing, 1.6 + m.r.Float64(), nil
	case kind.code == "flood":
		centre, err = inLowland(m, u)
	default:
		centre, err = inHills(m, u)
	}
	return centre, bearing, stretch, err
}

// allDry reports whether the corners of the polygon and the centre of its bound are on the land of the unit.
func (m *maker) allDry(u *unit, shape orb.Polygon) bool {
	for _, p := range shape[0] {
		if !m.dry(u, p) {
			return false
		}
	}
	return m.dry(u, shape.Bound().Center())
}
