package export

import (
	"cmp"
	"strings"

	"onemap/alerts"
	"onemap/internal/core"
)

// column is one column of the table: its title and the function that returns the cell of a row. A cell is a string, a
// number, or nil for an empty cell.
type column struct {
	title core.Text
	cell  func(Row, Language) any
}

// columns returns the columns of a file, from left to right. Values and thresholds are in the unit of the column Unit.
// Longitude and latitude are degrees in EPSG:4326.
func columns() []column {
	return []column{
		{core.Text{ZH: "编号", EN: "No."}, func(r Row, _ Language) any { return r.Alert.ID }},
		{core.Text{ZH: "标题", EN: "Headline"}, func(r Row, l Language) any { return l.of(r.Alert.Headline) }},
		{core.Text{ZH: "灾种", EN: "Hazard"}, func(r Row, l Language) any { return cmp.Or(l.of(r.Alert.HazardName), r.Alert.Hazard) }},
		{core.Text{ZH: "监测项", EN: "Property"}, func(r Row, l Language) any { return cmp.Or(l.of(r.Alert.PropertyName), r.Alert.Property) }},
		{core.Text{ZH: "设备", EN: "Device"}, func(r Row, l Language) any { return l.of(r.Alert.DeviceName) }},
		{core.Text{ZH: "设备编号", EN: "Device id"}, func(r Row, _ Language) any { return r.Alert.DeviceID }},
		{core.Text{ZH: "区划", EN: "Division"}, func(r Row, l Language) any { return l.of(r.Division) }},
		{core.Text{ZH: "区划代码", EN: "Division code"}, func(r Row, _ Language) any { return r.Alert.Division }},
		{core.Text{ZH: "数据来源", EN: "Origin"}, func(r Row, l Language) any { return originWords(r.Alert.Origin, l) }},
		{core.Text{ZH: "监测状态", EN: "Detection"}, func(r Row, l Language) any { return word(string(r.Alert.Detection), l) }},
		{core.Text{ZH: "处置状态", EN: "Handling"}, func(r Row, l Language) any { return word(string(r.Alert.Handling), l) }},
		{core.Text{ZH: "级别", EN: "Level"}, func(r Row, l Language) any { return l.of(r.Alert.Level.ColourName()) }},
		{core.Text{ZH: "最高级别", EN: "Peak level"}, func(r Row, l Language) any { return l.of(r.Alert.PeakLevel.ColourName()) }},
		{core.Text{ZH: "最高值", EN: "Peak value"}, func(r Row, _ Language) any { return r.Alert.PeakValue }},
		{core.Text{ZH: "最高值时间（北京时间 UTC+08:00）", EN: "Peak at (Asia/Shanghai, UTC+08:00)"}, func(r Row, _ Language) any { return moment(r.Alert.PeakAt) }},
		{core.Text{ZH: "末次值", EN: "Last value"}, func(r Row, _ Language) any { return r.Alert.Value }},
		{core.Text{ZH: "触发值", EN: "Threshold"}, func(r Row, _ Language) any { return r.Alert.Threshold }},
		{core.Text{ZH: "单位", EN: "Unit"}, func(r Row, _ Language) any { return r.Alert.Symbol }},
		{core.Text{ZH: "开始（北京时间 UTC+08:00）", EN: "Onset (Asia/Shanghai, UTC+08:00)"}, func(r Row, _ Language) any { return moment(r.Alert.Onset) }},
		{core.Text{ZH: "发出（北京时间 UTC+08:00）", EN: "Opened (Asia/Shanghai, UTC+08:00)"}, func(r Row, _ Language) any { return moment(r.Alert.OpenedAt) }},
		{core.Text{ZH: "解除（北京时间 UTC+08:00）", EN: "Cleared (Asia/Shanghai, UTC+08:00)"}, clearedCell},
		{core.Text{ZH: "确认", EN: "Confirmations"}, func(r Row, l Language) any { return confirmations(r.Alert, l) }},
		{core.Text{ZH: "负责人", EN: "Assigned to"}, func(r Row, _ Language) any { return r.Alert.Assignee }},
		{core.Text{ZH: "处置记录", EN: "Steps and notes"}, func(r Row, l Language) any { return steps(r.Steps, l) }},
		{core.Text{ZH: "经度", EN: "Longitude"}, func(r Row, _ Language) any { return r.Alert.Lon }},
		{core.Text{ZH: "纬度", EN: "Latitude"}, func(r Row, _ Language) any { return r.Alert.Lat }},
	}
}

// clearedCell returns the time when the alert cleared, and nil while the alert is open.
func clearedCell(r Row, _ Language) any {
	if r.Alert.ClearedAt == nil {
		return nil
	}
	return moment(*r.Alert.ClearedAt)
}

// confirmations returns one line for each unit that has confirmed the alert, with the level at which it confirmed. A
// confirmation that is no longer current has a remark: the alert has risen or its data have come back since.
func confirmations(a alerts.Alert, l Language) string {
	var lines []string
	for _, c := range a.Confirmations {
		at, _ := moment(c.At).(string)
		line := strings.Join([]string{at, c.Division, c.Name, l.of(c.Level.ColourName())}, " ")
		if !c.Current {
			line += l.of(core.Text{ZH: "（此后又升级或恢复，需重新确认）", EN: " (no longer holds: it rose or came back since)"})
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// steps returns one line for each handling step of a person: time, division, login, action and note.
func steps(all []alerts.Audit, l Language) string {
	var lines []string
	for _, s := range all {
		at, _ := moment(s.At).(string)
		line := strings.Join([]string{at, s.Division, s.Actor, word(s.Step, l)}, " ")
		if s.Note != "" {
			line += l.of(core.Text{ZH: "：", EN: ": "}) + s.Note
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// word returns the displayed text of a state or an action. It returns an unknown word unchanged.
func word(w string, l Language) string {
	words := map[string]core.Text{
		"firing": {ZH: "触发中", EN: "firing"}, "recovering": {ZH: "恢复中", EN: "recovering"}, "stale": {ZH: "数据中断", EN: "stale"},
		"cleared": {ZH: "已解除", EN: "cleared"}, "new": {ZH: "未处置", EN: "new"}, "acknowledged": {ZH: "已确认", EN: "acknowledged"},
		"assigned": {ZH: "已交办", EN: "assigned"}, "resolved": {ZH: "已办结", EN: "resolved"}, "closed": {ZH: "已关闭", EN: "closed"},
		"acknowledge": {ZH: "确认", EN: "acknowledged it"}, "assign": {ZH: "交办", EN: "assigned it"},
		"resolve": {ZH: "办结", EN: "resolved it"}, "close": {ZH: "关闭", EN: "closed it"},
	}
	if t, ok := words[w]; ok {
		return l.of(t)
	}
	return w
}

// originWords returns the displayed text of the origin of the data. It returns an unknown origin unchanged. A reader of
// the file can thereby tell simulated alerts from real ones.
func originWords(o core.Origin, l Language) string {
	switch o {
	case core.OriginReal:
		return l.of(core.Text{ZH: "实测", EN: "real"})
	case core.OriginSynthetic:
		return l.of(core.Text{ZH: "模拟", EN: "simulated"})
	case core.OriginSchematic:
		return l.of(core.Text{ZH: "示意", EN: "schematic"})
	case core.OriginFactTable:
		return l.of(core.Text{ZH: "事实表", EN: "fact table"})
	default:
		return string(o)
	}
}
