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

// headline is unit + 监测告警 + event + colour, with the reading: a sensor past its threshold is an alarm of the
// bureau's monitoring. A 预警 (warning) is published by the competent body or signed by a person (Meteorology Law
// of the PRC, art. 22), so the word is not used. What is over names the worst that was, with its time.
func (i Issuer) headline(a Alert, why occasion, decimals int) core.Text {
	kindZH, kindEN := "监测告警", "monitoring alarm"
	level, value, at := a.Level, a.Value, core.Text{}
	colourZH, colourEN := level.ColourName().ZH, level.String()
	if a.Detection == Cleared {
		kindZH, kindEN = "监测告警解除", "monitoring alarm over"
		if why == withdrawn {
			kindZH, kindEN = "监测告警撤销", "monitoring alarm withdrawn"
		}
		var when time.Time
		level, value, when = a.peak()
		colourZH, colourEN, at = "，最高"+level.ColourName().ZH, "peak "+level.String(), peakTime(when)
	}
	said := measure(value, decimals, a.Symbol)
	return core.Text{
		ZH: fmt.Sprintf("%s%s：%s%s（%s%s %s%s）", chinese.of(i.Unit), kindZH, orElse(chinese.of(a.HazardName), a.Hazard), colourZH,
			orElse(chinese.of(a.DeviceName), a.DeviceID), chinese.of(a.PropertyName), said, at.ZH),
		EN: fmt.Sprintf("%s, %s: %s, %s (%s, %s %s%s)", english.of(i.Unit), kindEN, orElse(english.of(a.HazardName), a.Hazard), colourEN,
			orElse(english.of(a.DeviceName), a.DeviceID), strings.ToLower(english.of(a.PropertyName)), said, at.EN),
	}
}

// peak is the worst of the episode; for one that has none stored, what its alert says.
func (a Alert) peak() (core.Level, float64, time.Time) {
	level := core.Worst(a.PeakLevel, a.Level)
	if a.PeakAt.IsZero() {
		return level, a.Value, a.ValueAt
	}
	return level, a.PeakValue, a.PeakAt
}

// peakTime is the time of a peak at the end of a headline.
func peakTime(at time.Time) core.Text {
	at = at.In(chinaTime())
	return core.Text{ZH: at.Format("，1月2日 15:04"), EN: at.Format(" at 15:04 on 2 Jan")}
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
		parts = append(parts, fmt.Sprintf("%s：%s（北京时间）%s为 %s，%s告警值为 %s。", name, at.Format("2006年1月2日 15:04:05"),
			property, value, a.Level.ColourName().ZH, raise), writeChinese(is, decimals))
	} else {
		parts = append(parts, fmt.Sprintf("%s: %s of %s at %s (Asia/Shanghai); the %s level begins at %s.", name, property,
			value, at.Format("2006-01-02 15:04:05"), a.Level, raise), writeEnglish(is, decimals))
	}
	if a.Detection == Cleared {
		parts = append(parts, peakWords(a, decimals, lang))
	}
	if a.Detection == Stale {
		parts = append(parts, lang.of(core.Text{ZH: "数据已中断，级别按最后读数保持。", EN: "Its data have stopped; the level stays as last measured."}))
	}
	parts = append(parts, lang.of(noWarning()))
	if a.Origin == core.OriginSynthetic {
		parts = append(parts, lang.of(core.Text{ZH: simulated().ZH + "。", EN: simulated().EN + "."}))
	}
	return clean(strings.Join(parts, "\n"))
}

// peakWords says what the worst of an episode was.
func peakWords(a Alert, decimals int, lang language) string {
	level, value, at := a.peak()
	said, when := measure(value, decimals, a.Symbol), at.In(chinaTime())
	if lang == chinese {
		return fmt.Sprintf("本次告警最高为%s，最不利读数 %s，时间 %s（北京时间）。", level.ColourName().ZH, said, when.Format("2006年1月2日 15:04:05"))
	}
	return fmt.Sprintf("At its worst the alarm was %s, with a reading of %s at %s (Asia/Shanghai).", level, said, when.Format("2006-01-02 15:04:05"))
}

// noWarning says of each message what it is not.
func noWarning() core.Text {
	return core.Text{ZH: "本消息为传感器自动监测告警，供值守处置使用，不是预警信号，不向社会发布。",
		EN: "This is an automatic monitoring alarm of a sensor, for the people on duty. It is no public warning."}
}

// sayChinese says in one sentence why the message is issued.
func writeChinese(is issue, decimals int) string {
	now, before := is.alert.Level.ColourName().ZH, is.before.ColourName().ZH
	switch is.why {
	case rose:
		return fmt.Sprintf("告警由%s升级为%s。", before, now)
	case fell:
		return fmt.Sprintf("告警由%s降级为%s。", before, now)
	case renewed:
		return fmt.Sprintf("%s告警仍在，本消息为续发。", now)
	case ended:
		if limit, ok := clearOf(is); ok {
			return fmt.Sprintf("读数已回到解除值 %s 的安全一侧，告警解除。", measure(limit, decimals, is.alert.Symbol))
		}
		return "读数已回到安全范围，告警解除。"
	case withdrawn:
		return "监测规则或设备已停用或更换，本告警随之撤销；这不表示险情已经解除。"
	case begun:
	}
	return fmt.Sprintf("读数达到%s告警值。", now)
}

// sayEnglish says the same as sayChinese.
func writeEnglish(is issue, decimals int) string {
	now, before := is.alert.Level.String(), is.before.String()
	switch is.why {
	case rose:
		return fmt.Sprintf("The alarm rises from %s to %s.", before, now)
	case fell:
		return fmt.Sprintf("The alarm falls from %s to %s.", before, now)
	case renewed:
		return fmt.Sprintf("The %s alarm is still on; this message renews it.", now)
	case ended:
		if limit, ok := clearOf(is); ok {
			return fmt.Sprintf("The reading is back on the safe side of %s; the alarm is over.", measure(limit, decimals, is.alert.Symbol))
		}
		return "The reading is back in the safe range; the alarm is over."
	case withdrawn:
		return "The rule or the device behind it has been taken out of service or replaced, and the alarm with it; that does not say that the danger is over."
	case begun:
	}
	return fmt.Sprintf("The reading has reached the %s level.", now)
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

// flapNote says that the value swings around the level's clear value.
func flapNote(r *Rule, flaps int) string {
	return note(fmt.Sprintf("读数在阈值附近反复波动：%d 次回落都不满 %d 秒，告警不解除", flaps, r.HoldSeconds),
		fmt.Sprintf("flapping: the value was back at the safe side %d times, each for less than the hold of %d s; the alarm stays", flaps, r.HoldSeconds))
}

// join puts two notes into one; either may be empty.
func join(a, b string) string { return strings.Trim(a+"; "+b, "; ") }

// seconds is a duration in full seconds, for people.
func seconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + " s" }
