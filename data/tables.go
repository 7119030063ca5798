package data

import (
	"onemap/alerts"
	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/sensors"
)

// HazardTypes returns the table of the hazards that devices monitor. CAPCategory is a category of CAP 1.2, section
// 3.2.2. RadiusM is the radius of the area of an alert around the device, in metres. LeadMinutes is the time for which
// a message is valid, in minutes. Instruction is the text for the public. Radii, times and instructions are example
// values, not the text of an authority; the bureau must set its own.
func HazardTypes() []sensors.HazardType {
	disaster, chemicals := string(catalogue.SectorDisaster), string(catalogue.SectorChemicals)
	return []sensors.HazardType{
		{
			Code: "flood", Title: core.Text{ZH: "洪水", EN: "Flood"}, Sector: disaster, CAPCategory: "Met", RadiusM: 1500, LeadMinutes: 120,
			Instruction: core.Text{ZH: "远离河道和低洼地带，停止涉水作业，沿河人员按预案转移。", EN: "Keep away from rivers and low ground, stop work in the water, and move people along the river as planned."},
		},
		{
			Code: "landslide", Title: core.Text{ZH: "滑坡", EN: "Landslide"}, Sector: disaster, CAPCategory: "Geo", RadiusM: 800, LeadMinutes: 120,
			Instruction: core.Text{ZH: "坡脚和沟口人员立即撤离，封闭危险路段，加密巡查。", EN: "Leave the foot of the slope and the mouths of gullies at once, close roads at risk, patrol more often."},
		},
		{
			Code: "rainstorm", Title: core.Text{ZH: "暴雨", EN: "Rainstorm"}, Sector: disaster, CAPCategory: "Met", RadiusM: 5000, LeadMinutes: 180,
			Instruction: core.Text{ZH: "减少外出，避开低洼积水路段，检查排水和地下空间。", EN: "Stay indoors, avoid flooded roads, check drains and underground spaces."},
		},
		{
			Code: "gale", Title: core.Text{ZH: "大风", EN: "Gale"}, Sector: disaster, CAPCategory: "Met", RadiusM: 8000, LeadMinutes: 180,
			Instruction: core.Text{ZH: "停止高空和水上作业，加固易被吹落的物品，船舶回港避风。", EN: "Stop work at heights and on the water, fasten what may fall, bring ships to harbour."},
		},
		{
			Code: "storm_surge", Title: core.Text{ZH: "风暴潮", EN: "Storm surge"}, Sector: disaster, CAPCategory: "Met", RadiusM: 5000, LeadMinutes: 180,
			Instruction: core.Text{ZH: "远离海岸和堤坝，养殖和施工人员上岸，沿海低洼区人员转移。", EN: "Keep away from shore and dykes, bring workers ashore, move people from low coastal ground."},
		},
		{
			Code: "drought_heat", Title: core.Text{ZH: "高温", EN: "Heat"}, Sector: disaster, CAPCategory: "Met", RadiusM: 8000, LeadMinutes: 360,
			Instruction: core.Text{ZH: "避免午后户外作业，注意补水，关注老人和儿童，严防火灾。", EN: "Avoid outdoor work in the afternoon, drink water, look after the old and the young, beware of fire."},
		},
		{
			Code: "forest_fire", Title: core.Text{ZH: "森林火灾", EN: "Forest fire"}, Sector: disaster, CAPCategory: "Fire", RadiusM: 2000, LeadMinutes: 120,
			Instruction: core.Text{ZH: "封山禁火，向上风侧或已烧过的地带撤离，扑救力量集结待命。", EN: "Close the woods, leave upwind or over burnt ground, assemble the fire teams."},
		},
		{
			Code: "gas_leak", Title: core.Text{ZH: "有毒气体泄漏", EN: "Toxic gas leak"}, Sector: chemicals, CAPCategory: "CBRNE", RadiusM: 1000, LeadMinutes: 60,
			Instruction: core.Text{ZH: "向上风向、高处撤离，湿毛巾掩住口鼻，关闭门窗，切勿靠近。", EN: "Move upwind and uphill, cover nose and mouth with a wet cloth, shut doors and windows, do not approach."},
		},
		{
			Code: "tank", Title: core.Text{ZH: "储罐异常", EN: "Tank out of limits"}, Sector: chemicals, CAPCategory: "Safety", RadiusM: 500, LeadMinutes: 60,
			Instruction: core.Text{ZH: "停止进料，检查安全阀和液位计，撤离无关人员，消防力量待命。", EN: "Stop filling, check relief valves and gauges, withdraw all who are not needed, keep the fire brigade ready."},
		},
	}
}

// The codes of the observed properties. Thresholds and values are in the unit that DatastreamTypes states.
const (
	WaterLevel   = "water_level"
	Rain         = "rain"
	WindSpeed    = "wind_speed"
	CrackWidth   = "crack_width"
	GasCl2       = "gas_cl2"
	TankPressure = "tank_pressure"
	TankLevel    = "tank_level"
	WaveHeight   = "wave_height"
	SoilMoisture = "soil_moisture"
	Temperature  = "temperature"
)

// DatastreamTypes returns the table of observed properties. Unit is a UCUM code and Symbol is the displayed unit. Min
// and Max are the limits of the gross range test: a value outside them is an error of the device. IntervalS is the
// interval of the devices of the synthetic city, in seconds. Retention is the class that decides for how long
// observations are kept.
func DatastreamTypes() []sensors.DatastreamType {
	return []sensors.DatastreamType{
		{Code: WaterLevel, Title: core.Text{ZH: "水位", EN: "Water level"}, Unit: "m", Symbol: "m", HazardType: "flood", Min: -2, Max: 15, Decimals: 2, IntervalS: 60, Retention: "long"},
		{Code: Rain, Title: core.Text{ZH: "雨强", EN: "Rain intensity"}, Unit: "mm/h", Symbol: "mm/h", HazardType: "rainstorm", Min: 0, Max: 300, Decimals: 1, IntervalS: 60, Retention: "long"},
		{Code: WindSpeed, Title: core.Text{ZH: "风速", EN: "Wind speed"}, Unit: "m/s", Symbol: "m/s", HazardType: "gale", Min: 0, Max: 75, Decimals: 1, IntervalS: 60, Retention: "standard"},
		{Code: CrackWidth, Title: core.Text{ZH: "裂缝宽度", EN: "Crack width"}, Unit: "mm", Symbol: "mm", HazardType: "landslide", Min: 0, Max: 500, Decimals: 2, IntervalS: 300, Retention: "long"},
		{Code: GasCl2, Title: core.Text{ZH: "氯气浓度", EN: "Chlorine"}, Unit: "[ppm]", Symbol: "ppm", HazardType: "gas_leak", Min: 0, Max: 100, Decimals: 2, IntervalS: 10, Retention: "short"},
		{Code: TankPressure, Title: core.Text{ZH: "储罐压力", EN: "Tank pressure"}, Unit: "MPa", Symbol: "MPa", HazardType: "tank", Min: 0, Max: 5, Decimals: 3, IntervalS: 10, Retention: "short"},
		{Code: TankLevel, Title: core.Text{ZH: "储罐液位", EN: "Tank level"}, Unit: "%", Symbol: "%", HazardType: "tank", Min: 0, Max: 100, Decimals: 1, IntervalS: 30, Retention: "short"},
		{Code: WaveHeight, Title: core.Text{ZH: "浪高", EN: "Wave height"}, Unit: "m", Symbol: "m", HazardType: "storm_surge", Min: 0, Max: 20, Decimals: 2, IntervalS: 60, Retention: "long"},
		{Code: SoilMoisture, Title: core.Text{ZH: "土壤含水率", EN: "Soil moisture"}, Unit: "%", Symbol: "%", HazardType: "landslide", Min: 0, Max: 70, Decimals: 1, IntervalS: 300, Retention: "standard"},
		{Code: Temperature, Title: core.Text{ZH: "气温", EN: "Air temperature"}, Unit: "Cel", Symbol: "°C", HazardType: "drought_heat", Min: -30, Max: 60, Decimals: 1, IntervalS: 300, Retention: "standard"},
	}
}

// DefaultRules returns one rule for each observed property. Each rule watches for values that are too high, raises the
// alert without a delay, and holds a level for the default time before it falls.
//
// The table pairs has eight numbers for each property, in its unit: raise and clear value of red, orange, yellow and
// blue. A clear value is below its raise value, so that a value near the limit does not switch the alert on and off.
// The raise values of the wind are the lower limits of Beaufort 12, 10, 8 and 7. The other values are examples. An
// authority must set its own, so the rules have the origin schematic.
func DefaultRules() []alerts.Rule {
	pairs := map[string][8]float64{
		WaterLevel:   {4.5, 4.3, 4.0, 3.8, 3.5, 3.3, 3.0, 2.8},
		Rain:         {100, 80, 50, 40, 30, 24, 16, 12},
		WindSpeed:    {32.7, 30, 24.5, 22, 17.2, 15.5, 13.9, 12.5},
		CrackWidth:   {20, 18, 10, 9, 5, 4.5, 2, 1.8},
		GasCl2:       {10, 8, 3, 2.4, 1, 0.8, 0.5, 0.4},
		TankPressure: {2.0, 1.9, 1.8, 1.7, 1.7, 1.62, 1.6, 1.55},
		TankLevel:    {98, 96, 95, 93, 92, 90, 90, 88},
		WaveHeight:   {9, 8.5, 6, 5.5, 4, 3.7, 2.5, 2.3},
		SoilMoisture: {48, 46, 45, 43, 42, 40, 40, 38},
		Temperature:  {45, 43, 42, 40, 40, 38, 37, 35},
	}
	var rules []alerts.Rule
	for _, t := range DatastreamTypes() {
		p := pairs[t.Code]
		r := alerts.Rule{
			Name: core.Text{ZH: t.Title.ZH + "超限", EN: t.Title.EN + " too high"}, Type: t.Code,
			Direction: alerts.Above, HoldSeconds: alerts.DefaultHoldSeconds, Enabled: true, Origin: core.OriginSchematic, UpdatedBy: "system",
		}
		for i, level := range []core.Level{core.Red, core.Orange, core.Yellow, core.Blue} {
			r.Thresholds = append(r.Thresholds, alerts.Threshold{Level: level, Raise: p[2*i], Clear: p[2*i+1]})
		}
		rules = append(rules, r)
	}
	return rules
}
