package city

import (
	"fmt"

	"onemap/catalogue"
	"onemap/internal/core"
)

// resource describes a layer of emergency resources, which are points in towns. The audience is public, because
// counties help each other and must see all of them.
type resource struct {
	layer catalogue.Layer
	short string      // prefix of the keys
	count int         // in the whole city
	kinds []core.Text // one of them is drawn for each feature
	// fill returns the properties of one feature, without its kind.
	fill func(m *maker) map[string]any
}

// addResource adds the layer of a kind of resource. The features are distributed over the county units by the number of
// people. All such layers have the fields kind and kind_en before their own.
func (c *City) addResource(m *maker, r resource) error {
	weights := make([]float64, len(m.units))
	for i := range m.units {
		weights[i] = m.units[i].weight.people
	}
	var features []catalogue.Feature
	for i, n := range apportion(r.count, weights) {
		u := &m.units[i]
		for k := range n {
			at, err := inTown(m, u)
			if err != nil {
				return err
			}
			kind := pick(m, r.kinds)
			properties := r.fill(m)
			properties["kind"], properties["kind_en"] = kind.ZH, kind.EN
			features = append(features, catalogue.Feature{
				Key: fmt.Sprintf("%s-%s-%04d", r.short, u.code, k+1), Division: u.code, Geometry: at, Properties: properties,
				Name: demo(u.nearest(at).Name, kind, k+1),
			})
		}
	}
	kind := []catalogue.Field{
		{Name: "kind", Type: "string", Title: core.Text{ZH: "类别", EN: "Kind"}, InTile: true},
		{Name: "kind_en", Type: "string", Title: core.Text{ZH: "类别（英文）", EN: "Kind in English"}, InTile: true},
	}
	l := r.layer
	l.Theme, l.GeometryType, l.MinZoom, l.Audience = catalogue.ThemeResource, "Point", 7, core.Audience{Kind: core.AudiencePublic}
	l.Fields = append(kind, l.Fields...)
	c.addLayer(m, l, features)
	return nil
}

// number returns an integer field that is shown on the card of a feature and is not part of tiles.
func number(name, zh, en, unit string) catalogue.Field {
	return catalogue.Field{Name: name, Type: "integer", Title: core.Text{ZH: zh, EN: en}, Unit: unit}
}

func (c *City) addShelters(m *maker) error {
	return c.addResource(m, resource{
		layer: catalogue.Layer{
			Name: "shelter", Title: core.Text{ZH: "应急避难场所（演示）", EN: "Shelters (demo)"}, Owner: core.Text{ZH: "应急管理局", EN: "Emergency Management"},
			Fields: []catalogue.Field{number("capacity", "容纳人数", "Capacity", "人"), number("area_m2", "面积", "Area", "m²")},
		},
		short: "sh", count: cityShelters,
		kinds: []core.Text{{ZH: "避难广场", EN: "open shelter"}, {ZH: "室内避难所", EN: "indoor shelter"}, {ZH: "学校避难所", EN: "school shelter"}},
		fill: func(m *maker) map[string]any {
			capacity := m.between(4, 100) * 50
			return map[string]any{"capacity": capacity, "area_m2": capacity * m.between(2, 4)}
		},
	})
}

func (c *City) addHospitals(m *maker) error {
	return c.addResource(m, resource{
		layer: catalogue.Layer{
			Name: "hospital", Title: core.Text{ZH: "医院（演示）", EN: "Hospitals (demo)"}, Owner: core.Text{ZH: "卫生健康委员会", EN: "Health Commission"},
			Fields: []catalogue.Field{number("beds", "床位", "Beds", "张"), number("icu_beds", "重症床位", "Intensive-care beds", "张"), number("ambulances", "救护车", "Ambulances", "辆")},
		},
		short: "ho", count: cityHospitals,
		kinds: []core.Text{{ZH: "综合医院", EN: "general hospital"}, {ZH: "中医医院", EN: "hospital of Chinese medicine"}, {ZH: "卫生院", EN: "health centre"}},
		fill: func(m *maker) map[string]any {
			beds := m.between(2, 120) * 10
			return map[string]any{"beds": beds, "icu_beds": beds / 25, "ambulances": 1 + beds/200}
		},
	})
}

func (c *City) addTeams(m *maker) error {
	return c.addResource(m, resource{
		layer: catalogue.Layer{
			Name: "rescue_team", Title: core.Text{ZH: "救援队伍（演示）", EN: "Rescue teams (demo)"}, Owner: core.Text{ZH: "应急管理局", EN: "Emergency Management"},
			Fields: []catalogue.Field{number("members", "人数", "Members", "人"), number("vehicles", "车辆", "Vehicles", "辆"), number("minutes", "出动时间", "Turn-out time", "min")},
		},
		short: "rt", count: cityTeams,
		kinds: []core.Text{
			{ZH: "消防救援站", EN: "fire station"}, {ZH: "危化品救援队", EN: "chemical response team"}, {ZH: "矿山救护队", EN: "mine rescue team"},
			{ZH: "森林消防队", EN: "forest fire brigade"}, {ZH: "水上救援队", EN: "water rescue team"},
		},
		fill: func(m *maker) map[string]any {
			members := m.between(8, 60)
			return map[string]any{"members": members, "vehicles": 1 + members/8, "minutes": m.between(2, 15)}
		},
	})
}
