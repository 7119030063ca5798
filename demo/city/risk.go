package city

import (
	"fmt"
	"math"

	"onemap/catalogue"
	"onemap/internal/core"
)

// riskKind is a kind of risk source of the synthetic register.
type riskKind struct {
	name      core.Text
	where     site
	share     int // of its sector, relative
	low, high int // scale, from and to, on a logarithmic measure
	unit      string
	substance int // index into substances(), from 1; 0 is none
	coastal   bool
}

// riskSector is a sector with its kinds.
type riskSector struct {
	code       catalogue.Sector
	short      string // in keys
	count      int
	department string
	weight     func(unitWeights) float64
	kinds      []riskKind
}

func riskSectors() []riskSector {
	return []riskSector{
		{catalogue.SectorChemicals, "hc", 700, "应急管理局", func(w unitWeights) float64 { return w.industry }, []riskKind{
			{name: core.Text{ZH: "液氯储存单元", EN: "chlorine store"}, where: atEdge, share: 2, unit: "t", substance: 1},
			{name: core.Text{ZH: "液氨制冷单元", EN: "ammonia refrigeration unit"}, where: atEdge, share: 4, unit: "t", substance: 2},
			{name: core.Text{ZH: "液化石油气储配站", EN: "LPG depot"}, where: atEdge, share: 5, unit: "t", substance: 3},
			{name: core.Text{ZH: "苯储罐区", EN: "benzene tank farm"}, where: atEdge, share: 2, unit: "t", substance: 4},
			{name: core.Text{ZH: "丁二烯装置", EN: "butadiene unit"}, where: atEdge, share: 1, unit: "t", substance: 5},
			{name: core.Text{ZH: "成品油库", EN: "petrol depot"}, where: atEdge, share: 4, unit: "t", substance: 6},
		}},
		{catalogue.SectorMines, "mn", 300, "应急管理局", func(w unitWeights) float64 { return w.mines }, []riskKind{
			{name: core.Text{ZH: "金矿采区", EN: "gold mine"}, where: inHills, share: 4, low: 100, high: 1200, unit: "m"},
			{name: core.Text{ZH: "尾矿库", EN: "tailings pond"}, where: inHills, share: 3, low: 50_000, high: 9_000_000, unit: "m³"},
			{name: core.Text{ZH: "采石场", EN: "quarry"}, where: inHills, share: 4, low: 20_000, high: 2_000_000, unit: "t/a"},
			{name: core.Text{ZH: "排土场", EN: "waste dump"}, where: inHills, share: 2, low: 20_000, high: 3_000_000, unit: "m³"},
		}},
		{catalogue.SectorFire, "fr", 950, "消防救援支队", func(w unitWeights) float64 { return w.people }, []riskKind{
			{name: core.Text{ZH: "高层建筑", EN: "high-rise"}, where: inTown, share: 6, low: 12, high: 54, unit: "层"},
			{name: core.Text{ZH: "商业综合体", EN: "shopping centre"}, where: inTown, share: 3, low: 5000, high: 180_000, unit: "m²"},
			{name: core.Text{ZH: "仓储物流园", EN: "warehouse"}, where: atEdge, share: 3, low: 3000, high: 120_000, unit: "m²"},
			{name: core.Text{ZH: "养老院", EN: "nursing home"}, where: inTown, share: 2, low: 30, high: 600, unit: "人"},
			{name: core.Text{ZH: "学校", EN: "school"}, where: inTown, share: 3, low: 200, high: 4000, unit: "人"},
			{name: core.Text{ZH: "木材加工厂", EN: "timber works"}, where: atEdge, share: 2, low: 1000, high: 40_000, unit: "m²"},
		}},
		{catalogue.SectorDisaster, "nd", 550, "自然资源和规划局", func(w unitWeights) float64 { return w.hills }, []riskKind{
			{name: core.Text{ZH: "地质灾害隐患点", EN: "unstable slope"}, where: inHills, share: 5, low: 500, high: 400_000, unit: "m³"},
			{name: core.Text{ZH: "山洪沟", EN: "flash-flood gully"}, where: inHills, share: 3, low: 1, high: 60, unit: "km²"},
			{name: core.Text{ZH: "小型水库", EN: "small reservoir"}, where: inHills, share: 3, low: 100_000, high: 9_000_000, unit: "m³"},
			{name: core.Text{ZH: "森林火险区", EN: "forest fire risk area"}, where: inHills, share: 3, low: 5, high: 2000, unit: "hm²"},
			{name: core.Text{ZH: "低洼岸段", EN: "low shore"}, where: onCoast, share: 2, low: 200, high: 6000, unit: "m", coastal: true},
		}},
		{catalogue.SectorInfrastructure, "in", 500, "住房和城乡建设局", func(w unitWeights) float64 { return w.people }, []riskKind{
			{name: core.Text{ZH: "燃气调压站", EN: "gas regulator station"}, where: inTown, share: 4, low: 500, high: 50_000, unit: "m³/h"},
			{name: core.Text{ZH: "桥梁", EN: "bridge"}, where: inTown, share: 3, low: 20, high: 1800, unit: "m"},
			{name: core.Text{ZH: "变电站", EN: "substation"}, where: atEdge, share: 3, low: 35, high: 500, unit: "kV"},
			{name: core.Text{ZH: "自来水厂", EN: "waterworks"}, where: atEdge, share: 2, low: 5000, high: 300_000, unit: "m³/d"},
			{name: core.Text{ZH: "供热站", EN: "heating plant"}, where: inTown, share: 2, low: 10, high: 600, unit: "MW"},
			{name: core.Text{ZH: "下穿通道", EN: "underpass"}, where: inTown, share: 2, low: 30, high: 900, unit: "m"},
		}},
	}
}

func riskLayer() catalogue.Layer {
	text := func(name, zh, en string, tile bool) catalogue.Field {
		return catalogue.Field{Name: name, Type: "string", Title: core.Text{ZH: zh, EN: en}, InTile: tile}
	}
	measure := func(name, zh, en, unit string) catalogue.Field {
		return catalogue.Field{Name: name, Type: "number", Title: core.Text{ZH: zh, EN: en}, Unit: unit}
	}
	return catalogue.Layer{
		Name: "risk_source", Theme: catalogue.ThemeHazardSource, GeometryType: "Point", MinZoom: 5,
		Title: core.Text{ZH: "风险源（演示）", EN: "Risk sources (demo)"}, Owner: core.Text{ZH: "应急管理局", EN: "Emergency Management"},
		Audience: core.Audience{Kind: core.AudienceDivision},
		Tile:     core.TileRules{Cluster: &core.TileGrid{Cell: 1024, ToZoom: 10}},
		Fields: []catalogue.Field{
			text("sector", "行业领域", "Sector", true), text("kind", "类别", "Kind", true), text("kind_en", "类别（英文）", "Kind in English", true),
			text("operator", "责任单位", "Operator", false), text("department", "监管部门", "Supervised by", false),
			measure("scale", "规模", "Scale", ""), text("scale_unit", "规模单位", "Unit of the scale", false),
			text("substance", "危险物质", "Substance", false), measure("storage_t", "设计最大量", "Design maximum", "t"),
			measure("s_value", "辨识指标 S", "S of GB 18218", ""), measure("r_value", "分级指标 R", "R of GB 18218", ""),
			text("hazard_grade", "重大危险源级别", "Major hazard grade", false),
			{Name: "people_500m", Type: "integer", Title: core.Text{ZH: "500 米内人数", EN: "People within 500 m"}},
			text("inspected_on", "最近检查日期", "Last inspected", false),
		},
	}
}

func (c *City) addRiskSources(m *maker) error {
	features := make([]catalogue.Feature, 0, cityRiskSources)
	for _, s := range riskSectors() {
		weights := make([]float64, len(m.units))
		for i := range m.units {
			weights[i] = s.weight(m.units[i].weight)
		}
		for i, n := range apportion(s.count, weights) {
			u := &m.units[i]
			for k := range n {
				f, err := m.riskSource(s, u, k+1)
				if err != nil {
					return err
				}
				features = append(features, f)
			}
		}
	}
	c.addLayer(m, riskLayer(), features)
	return nil
}

func (m *maker) riskSource(s riskSector, u *unit, n int) (catalogue.Feature, error) {
	kind := m.kind(s, u)
	at, err := kind.where(m, u)
	if err != nil {
		return catalogue.Feature{}, err
	}
	near := u.nearest(at)
	f := catalogue.Feature{
		Key: fmt.Sprintf("rs-%s-%s-%04d", u.code, s.short, n), Division: u.code, Level: m.grade(), Geometry: at,
		Name: demo(near.Name, kind.name, n),
	}
	people := m.residents(u)
	f.Properties = map[string]any{
		"sector": string(s.code), "kind": kind.name.ZH, "kind_en": kind.name.EN,
		"operator": fmt.Sprintf("演示-%s责任单位%02d", near.Name.ZH, m.between(1, 40)), "department": u.name.ZH + s.department,
		"scale": nil, "scale_unit": kind.unit, "substance": nil, "storage_t": nil, "s_value": nil, "r_value": nil, "hazard_grade": nil,
		"people_500m": people, "inspected_on": m.day(),
	}
	if kind.substance > 0 {
		h := m.installation(substances()[kind.substance-1], people, f.Level)
		f.Properties["substance"], f.Properties["storage_t"], f.Properties["scale"] = h.substance.name, h.tonnes, h.tonnes
		f.Properties["s_value"], f.Properties["r_value"], f.Properties["hazard_grade"] = h.s, h.r, h.grade
		return f, nil
	}
	size := float64(kind.low) * math.Pow(float64(kind.high)/float64(kind.low), m.r.Float64())
	digits := math.Pow(10, math.Floor(math.Log10(size))-1) // two digits are enough
	f.Properties["scale"] = math.Round(size/digits) * digits
	return f, nil
}

// kind draws one by its share; what needs a coast is not drawn where there is none.
func (m *maker) kind(s riskSector, u *unit) riskKind {
	for {
		sum := 0
		for _, k := range s.kinds {
			sum += k.share
		}
		p := m.r.IntN(sum)
		for _, k := range s.kinds {
			if p -= k.share; p < 0 {
				if k.coastal && len(u.coast) == 0 {
					break
				}
				return k
			}
		}
	}
}

// residents draws how many people live within 500 m: many in the busy units.
func (m *maker) residents(u *unit) int {
	if m.r.IntN(6) == 0 {
		return 0
	}
	return int(math.Exp(m.r.NormFloat64()*1.1+3.4) * math.Sqrt(u.weight.people/4))
}

// substance is one of GB 18218-2018's, with its threshold quantity in tonnes (table 1) and its factor
// β (tables 3 and 4: chlorine 4, ammonia 2, flammable gases of W2 1.5, others 1).
type substance struct {
	name string
	q    float64
	beta float64
}

func substances() []substance {
	return []substance{{"液氯", 5, 4}, {"氨", 10, 2}, {"液化石油气", 50, 1.5}, {"苯", 50, 1}, {"1,3-丁二烯", 5, 1.5}, {"汽油", 200, 1}}
}

// alpha is GB 18218-2018's factor for the residents within 500 m of the boundary, table 5.
func alpha(residents int) float64 {
	switch {
	case residents >= 100:
		return 2
	case residents >= 50:
		return 1.5
	case residents >= 30:
		return 1.2
	case residents >= 1:
		return 1
	default:
		return 0.5
	}
}

// installation is a store of one substance as GB 18218-2018 judges it.
type installation struct {
	substance substance
	tonnes    float64 // the design maximum
	s, r      float64
	grade     string // Ⅰ to Ⅳ; empty when it is no major hazard installation
}

// judge applies the standard: S = q/Q, at least 1 makes it a major hazard installation; R = α·β·q/Q.
func judge(s substance, tonnes float64, residents int) installation {
	h := installation{substance: s, tonnes: tonnes, s: math.Round(tonnes/s.q*100) / 100}
	r := alpha(residents) * s.beta * tonnes / s.q
	h.r = math.Round(r*100) / 100
	switch {
	case tonnes/s.q < 1:
	case r >= 100:
		h.grade = "Ⅰ"
	case r >= 50:
		h.grade = "Ⅱ"
	case r >= 10:
		h.grade = "Ⅲ"
	default:
		h.grade = "Ⅳ"
	}
	return h
}

// level is the colour of an installation: its grade's, and blue for what is no major hazard.
func (h installation) level() core.Level {
	switch h.grade {
	case "Ⅰ":
		return core.Red
	case "Ⅱ":
		return core.Orange
	case "Ⅲ":
		return core.Yellow
	default:
		return core.Blue
	}
}

// installation draws a random quantity that results in the level.
func (m *maker) installation(s substance, residents int, level core.Level) installation {
	low, high := 0.4, 9.5
	switch level {
	case core.Red:
		low, high = 101, 160
	case core.Orange:
		low, high = 51, 98
	case core.Yellow:
		low, high = 10.5, 49
	default:
	}
	for {
		r := low * math.Pow(high/low, m.r.Float64())
		tonnes := math.Round(r*s.q/(alpha(residents)*s.beta)*10) / 10
		if h := judge(s, tonnes, residents); tonnes > 0 && h.level() == level {
			return h
		}
	}
}
