package load

import (
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"onemap/internal/core"
)

// scale is the grading scale of a file. The same word can be a different level in another scale: 重大 is the worst of
// four grades of risk, but the second of four grades of incidents, where 特别重大 is the worst.
type scale struct {
	fromExtreme bool // 极高 高 中 低: the high is orange
	fromGreat   bool // 特别重大 重大 较大 一般: the great is orange; likewise 特别严重 严重 较重 一般
	noMiddle    bool // 高 较高 较低 低: the lower one is yellow
}

// scaleOf returns the scale of a file, from the set of its level words.
func scaleOf(words map[string]bool) scale {
	has := func(list ...string) bool {
		for _, w := range list {
			if words[w] {
				return true
			}
		}
		return false
	}
	return scale{
		fromExtreme: has("极高", "很高", "极重", "very high", "veryhigh", "extreme"),
		fromGreat:   has("特别重大", "特大", "特别严重", "严重", "较重"),
		noMiddle:    has("较低", "中低") && has("较高", "中高") && !has("中", "中等"),
	}
}

// gradeWord returns a grade in lower case and half width, without suffixes that do not change it: 高风险区 → 高.
func gradeWord(s string) string {
	s = strings.ToLower(strings.TrimFunc(width.Fold.String(s), unicode.IsSpace))
	for {
		was := s
		// A word that is only a suffix stays as it is.
		for _, tail := range []string{"风险区", "风险", "隐患", "危险", "预警", "等级", "级别", "级", "色", "risk", "level", "区"} {
			if rest := strings.TrimSpace(strings.TrimSuffix(s, tail)); rest != "" {
				s = rest
			}
		}
		if s == was {
			return s
		}
	}
}

// parseLevel parses a grade as departments write it. ok is false if the text is not a grade. If a second word is in
// brackets, as in 一级(红色), both words must mean the same level.
func (s scale) parseLevel(text string) (core.Level, bool) {
	// An empty cell is the level none, and not a word that was not understood.
	if isNothing(text) {
		return core.None, true
	}
	word := gradeWord(text)
	if l, ok := s.word(word); ok {
		return l, true
	}
	outer, inner, ok := strings.Cut(strings.TrimRight(word, ") ]"), "(")
	if !ok {
		return core.None, false
	}
	a, okA := s.word(gradeWord(outer))
	b, okB := s.word(gradeWord(inner))
	switch {
	case okA && okB && a != b:
		return core.None, false
	case okA:
		return a, true
	}
	return b, okB
}

// word returns the level of one word. Sources: the scales of risks (GB/T 33859 and the four colours of 双重预防机制), of
// warnings and incidents (突发事件应对法, article 42; 特别重大 to 一般), and of the risk survey (极高 to 低).
func (s scale) word(w string) (core.Level, bool) {
	second := func(yes bool, first core.Level) core.Level {
		if yes {
			return first + 1
		}
		return first
	}
	switch w {
	case "0", "none", "正常":
		return core.None, true
	case "1", "red", "红", "i", "ⅰ", "一", "特别重大", "特大", "特别严重", "极高", "很高", "极重", "very high", "veryhigh", "extreme":
		return core.Red, true
	case "2", "orange", "橙", "ii", "ⅱ", "二", "较高", "中高":
		return core.Orange, true
	case "3", "yellow", "黄", "iii", "ⅲ", "三", "中", "中等", "medium", "moderate", "middle":
		return core.Yellow, true
	case "4", "blue", "蓝", "iv", "ⅳ", "四", "低", "low", "较小", "很低", "极低":
		return core.Blue, true
	case "重大", "严重":
		return second(s.fromGreat, core.Red), true
	case "较大", "较重":
		return second(s.fromGreat, core.Orange), true
	case "一般":
		return second(s.fromGreat, core.Yellow), true
	case "高", "high":
		return second(s.fromExtreme, core.Red), true
	case "较低", "中低":
		return second(!s.noMiddle, core.Yellow), true
	}
	// f equals a whole number of 0 to 4, so it is one of the five levels.
	if f, err := strconv.ParseFloat(w, 64); err == nil && f == float64(int(f)) && f >= 0 && f <= 4 && strings.Contains(w, ".") {
		return core.Level(f), true // a spreadsheet writes 2 as 2.0
	}
	return core.None, false
}
