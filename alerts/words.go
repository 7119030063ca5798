package alerts

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"onemap/internal/core"
)

// language is one of the two that every message speaks.
type language uint8

const (
	chinese language = iota
	english
)

// tag is the language's RFC 3066 name.
func (l language) tag() string {
	if l == chinese {
		return "zh-CN"
	}
	return "en-US"
}

// of picks the language's text. Where there is no English there is Chinese, and the other way round.
func (l language) of(t core.Text) string {
	if (l == chinese && t.ZH != "") || t.EN == "" {
		return t.ZH
	}
	return t.EN
}

// headline is unit + 发布/解除 + event + colour + 预警, with the reading.
func (i Issuer) headline(a Alert, decimals int) core.Text {
	verbZH, verbEN := "发布", "issues"
	if a.Detection == Cleared {
		verbZH, verbEN = "解除", "lifts"
	}
	colour, value := a.Level.ColourName(), measure(a.Value, decimals, a.Symbol)
	return core.Text{
		ZH: fmt.Sprintf("%s%s%s%s预警（%s%s %s）", chinese.of(i.Unit), verbZH, orElse(chinese.of(a.HazardName), a.Hazard), colour.ZH,
			orElse(chinese.of(a.DeviceName), a.DeviceID), chinese.of(a.PropertyName), value),
		EN: fmt.Sprintf("%s %s %s warning: %s (%s, %s %s)", english.of(i.Unit), verbEN, strings.ToLower(colour.EN),
			orElse(english.of(a.HazardName), a.Hazard), orElse(english.of(a.DeviceName), a.DeviceID),
			strings.ToLower(english.of(a.PropertyName)), value),
	}
}

// measure writes a value as its type is read, as "4.62 m".
func measure(v float64, decimals int, symbol string) string {
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', min(max(decimals, 0), 9), 64) + " " + symbol)
}

// description says what was measured, where and when, what it means against the rule, and what the
// message is for.
func (i Issuer) description(is issue, lang language) string {
	a, decimals := is.alert, 2
	if is.target != nil {
		decimals = is.target.Type.Decimals
	}
	value, raise := measure(a.Value, decimals, a.Symbol), measure(a.Threshold, decimals, a.Symbol)
	name, property := orElse(lang.of(a.DeviceName), a.DeviceID), orElse(lang.of(a.PropertyName), a.Property)
	at := a.ValueAt.In(chinaTime())
	var parts []string
	if lang == chinese {
		parts = append(parts, fmt.Sprintf("%s：%s（北京时间）%s为 %s，%s预警值为 %s。", name, at.Format("2006年1月2日 15:04:05"),
			property, value, a.Level.ColourName().ZH, raise), sayChinese(is, decimals))
	} else {
		parts = append(parts, fmt.Sprintf("%s: %s of %s at %s (Asia/Shanghai); the %s level begins at %s.", name, property,
			value, at.Format("2006-01-02 15:04:05"), a.Level, raise), sayEnglish(is, decimals))
	}
	if a.Detection == Stale {
		parts = append(parts, lang.of(core.Text{ZH: "数据已中断，级别按最后读数保持。", EN: "Its data have stopped; the level stays as last measured."}))
	}
	if a.Origin == core.OriginSynthetic {
		parts = append(parts, lang.of(core.Text{ZH: simulated().ZH + "。", EN: simulated().EN + "."}))
	}
	return clean(strings.Join(parts, "\n"))
}

func sayChinese(is issue, decimals int) string {
	now, before := is.alert.Level.ColourName().ZH, is.before.ColourName().ZH
	switch is.why {
	case rose:
		return fmt.Sprintf("预警由%s升级为%s。", before, now)
	case fell:
		return fmt.Sprintf("预警由%s降级为%s。", before, now)
	case renewed:
		return fmt.Sprintf("%s预警仍然有效，本消息为续发。", now)
	case ended:
		if limit, ok := clearOf(is); ok {
			return fmt.Sprintf("读数已回到解除值 %s 的安全一侧，预警解除。", measure(limit, decimals, is.alert.Symbol))
		}
		return "读数已回到安全范围，预警解除。"
	case withdrawn:
		return "监测规则或设备已停用或更换，本预警随之撤销；这不表示险情已经解除。"
	case begun:
	}
	return fmt.Sprintf("发布%s预警。", now)
}

func sayEnglish(is issue, decimals int) string {
	now, before := is.alert.Level.String(), is.before.String()
	switch is.why {
	case rose:
		return fmt.Sprintf("The warning is raised from %s to %s.", before, now)
	case fell:
		return fmt.Sprintf("The warning is lowered from %s to %s.", before, now)
	case renewed:
		return fmt.Sprintf("The %s warning remains in force; this message renews it.", now)
	case ended:
		if limit, ok := clearOf(is); ok {
			return fmt.Sprintf("The reading is back on the safe side of %s; the warning is lifted.", measure(limit, decimals, is.alert.Symbol))
		}
		return "The reading is back in the safe range; the warning is lifted."
	case withdrawn:
		return "The rule or the device behind it has been taken out of service or replaced, and the warning with it; that does not say that the danger is over."
	case begun:
	}
	return fmt.Sprintf("A %s warning begins.", now)
}

// clearOf is the value that the mildest level of the rule is left at.
func clearOf(is issue) (float64, bool) {
	if is.rule == nil || len(is.rule.Thresholds) == 0 {
		return 0, false
	}
	return is.rule.Thresholds[len(is.rule.Thresholds)-1].Clear, true
}

// note is what the event log says of a change, in both languages.
func note(zh, en string) string { return zh + " / " + en }

// seconds is a duration in full seconds, for people.
func seconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + " s" }
