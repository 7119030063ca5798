package city

import (
	"fmt"
	"math"

	"onemap/catalogue"
	"onemap/internal/core"
)

// riskKind is a kind of risk source in the synthetic register.
type riskKind struct {
	name      core.Text
	where     site
	share     int    // relative frequency in its sector
	low, high int    // range of the scale in unit; the scale is drawn uniformly in its logarithm
	unit      string // of the scale
	substance int    // number of the entry of substances(), from 1; 0: no dangerous substance
	coastal   bool   // only in units with a coast
}

// riskSector is a sector of the risk register with its kinds. weight returns the relative number of its risk sources in
// a county unit.
type riskSector struct {
	code       catalogue.Sector
	short      string // in keys
	count      int
	department string
	weight     func(unitWeights) float64
	kinds      []riskKind
}

// riskSectors returns the sectors. Their counts add up to cityRiskSources.
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

// riskLayer returns the entry of the layer risk_source. It is shown by division: a county sees only its own risk
// sources. Up to zoom 10 the tiles have clusters instead of single points. S and R are the indexes of GB 18218-2018.
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

// addRiskSources adds the layer of risk sources. Each sector is distributed over the county units by its weight.
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

// riskSource returns the n-th risk source of a sector in a unit. For a store of a dangerous substance, the quantity and
// the indexes of GB 18218-2018 match its level. For any other kind, the scale is a random number with two digits.
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
	digits := math.Pow(10, math.Floor(math.Log10(size))-1) // the unit of the second significant digit
	f.Properties["scale"] = math.Round(size/digits) * digits
	return f, nil
}

// kind draws a kind of the sector by share. It draws again if a coastal kind comes up in a unit without a coast.
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

// residents draws the number of people within 500 m. It is 0 in one of six draws, and otherwise has a log-normal
// distribution that grows with the weight of people in the unit.
func (m *maker) residents(u *unit) int {
	if m.r.IntN(6) == 0 {
		return 0
	}
	return int(math.Exp(m.r.NormFloat64()*1.1+3.4) * math.Sqrt(u.weight.people/4))
}

// substance is a dangerous substance of GB 18218-2018. Its factor β is from tables 3 and 4: chlorine 4, ammonia 2,
// flammable gases of class W2 1.5, others 1.
type substance struct {
	name string
	q    float64 // threshold quantity Q, tonnes (table 1)
	beta float64 // factor β, without a unit
}

// substances returns the substances of the demo. riskKind.substance refers to this order.
func substances() []substance {
	return []substance{{"液氯", 5, 4}, {"氨", 10, 2}, {"液化石油气", 50, 1.5}, {"苯", 50, 1}, {"1,3-丁二烯", 5, 1.5}, {"汽油", 200, 1}}
}

// alpha returns the factor α of GB 18218-2018, table 5, for the number of people within 500 m of the boundary of the
// site.
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

// installation is a store of one substance with its assessment by GB 18218-2018.
type installation struct {
	substance substance
	tonnes    float64 // design maximum q
	s, r      float64 // indexes S and R, rounded to two decimals
	grade     string  // Ⅰ (worst) to Ⅳ; empty if it is not a major hazard installation
}

// judge applies GB 18218-2018 to one substance. S = q/Q; the store is a major hazard installation if S is at least 1. R
// = α·β·q/Q decides its grade: Ⅰ from 100, Ⅱ from 50, Ⅲ from 10, otherwise Ⅳ.
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

// level returns the level of the grade: red for Ⅰ to blue for Ⅳ. It is also blue if the store is not a major hazard.
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

// installation draws a quantity of the substance that results in the level. It draws R between the limits of the grade,
// computes the quantity from it, and draws again if the rounded quantity has another level.
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
