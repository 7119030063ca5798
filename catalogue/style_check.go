package catalogue

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/text"
)

// checkStyle checks a decoded fragment whose numbers are json.Number. It returns fault.Invalid with the path.
func checkStyle(v any) error {
	const at = "style"
	if err := checkStyleValue(at, v, 1); err != nil {
		return err
	}
	m, err := styleMembers(at, v, "from", "legend", "layers")
	if err != nil {
		return err
	}
	if from, ok := m["from"]; ok {
		if err := checkStyleNumber(at+".from", from, MaxStyleZoom); err != nil {
			return err
		}
	}
	if legend, ok := m["legend"]; ok {
		if err := checkLegend(at+".legend", legend); err != nil {
			return err
		}
	}
	return checkStyleLayers(at+".layers", m["layers"])
}

// checkStyleValue checks what holds everywhere in a fragment: depth, texts, numbers and placeholders.
func checkStyleValue(at string, v any, depth int) error {
	switch v := v.(type) {
	case string:
		return checkStyleString(at, v)
	case json.Number:
		if _, err := v.Float64(); err != nil {
			return fault.InvalidCode(at, fault.CodeNotFinite)
		}
		return nil
	case []any:
		if depth > MaxStyleDepth {
			return fault.InvalidCode(at, CodeStyleDepth, MaxStyleDepth)
		}
		for i, item := range v {
			if err := checkStyleValue(fmt.Sprintf("%s[%d]", at, i), item, depth+1); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		if depth > MaxStyleDepth {
			return fault.InvalidCode(at, CodeStyleDepth, MaxStyleDepth)
		}
		return checkStyleObject(at, v, depth)
	default:
		return nil // true, false, null
	}
}

// checkStyleObject checks the members in the order of their names, so that the same fragment always has the same first
// fault.
func checkStyleObject(at string, m map[string]any, depth int) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !text.Storable(name) {
			return notText(at)
		}
		if strings.HasPrefix(name, "$") {
			return checkPlaceholder(at, m)
		}
		if err := checkStyleValue(at+"."+name, m[name], depth+1); err != nil {
			return err
		}
	}
	return nil
}

// checkStyleString refuses addresses: a style must not make the reader's browser load anything.
func checkStyleString(at, s string) error {
	if !text.Storable(s) {
		return notText(at)
	}
	// The schemes are compared in lower case and without spaces around them, as a browser does.
	lower := strings.ToLower(strings.TrimSpace(s))
	begins := func(prefix string) bool { return strings.HasPrefix(lower, prefix) }
	if strings.Contains(lower, "://") || slices.ContainsFunc([]string{"//", "http:", "https:", "data:", "blob:", "javascript:"}, begins) {
		return fault.InvalidCode(at, CodeStyleAddress)
	}
	return nil
}

// checkPlaceholder checks an object that has a member with a dollar sign.
func checkPlaceholder(at string, m map[string]any) error {
	if len(m) != 1 {
		return fault.InvalidCode(at, CodeStylePlaceholder)
	}
	for name, v := range m {
		word, isString := v.(string)
		switch name {
		case "$token":
			if !isString || !oneOf(word, StyleTokens()) {
				return fault.InvalidCode(at, CodeStyleToken, wordOf(v))
			}
		case "$icon":
			if !isString || !oneOf(word, slices.Concat(StyleIcons(), StyleIconPrefixes())) {
				return fault.InvalidCode(at, CodeStyleIcon, wordOf(v))
			}
		case "$opacity":
			return checkStyleNumber(at, v, 1)
		case "$scale":
			return checkStyleNumber(at, v, maxStyleScale)
		case "$name":
			if v != true {
				return fault.InvalidCode(at, CodeStyleTrue)
			}
		default:
			return fault.InvalidCode(at, CodeStylePlaceholder)
		}
	}
	return nil
}

// maxStyleScale is the largest number of $scale: pixels of a line or of a text, or a factor.
const maxStyleScale = 1000

// maxFilterItems is more than the size of a fragment has room for: a filter has no limit of its own.
const maxFilterItems = MaxStyleBytes

// checkStyleLayers checks the style layers: 1 to MaxStyleLayers of them, with different ids.
func checkStyleLayers(at string, v any) error {
	layers, err := styleList(at, v, 1, MaxStyleLayers)
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for i, layer := range layers {
		here := fmt.Sprintf("%s[%d]", at, i)
		m, err := styleMembers(here, layer, "id", "slot", "type", "clustered", "labels", "minzoom", "filter", "layout", "paint")
		if err != nil {
			return err
		}
		id, err := checkStyleID(here+".id", m["id"])
		if err != nil {
			return err
		}
		if ids[id] {
			return fault.InvalidCode(here+".id", CodeNamedTwice, id)
		}
		ids[id] = true
		if err := checkStyleLayer(here, m); err != nil {
			return err
		}
	}
	return nil
}

// checkStyleID checks the id of a style layer: a hyphen, then 1 to MaxStyleSuffix of a-z 0-9 and the hyphen. The page
// puts the name of the catalogue's layer before it, so the ids of two layers cannot collide.
func checkStyleID(at string, v any) (string, error) {
	id, err := styleString(at, v)
	if err != nil {
		return "", err
	}
	suffix, ok := strings.CutPrefix(id, "-")
	if !ok || suffix == "" || len(suffix) > MaxStyleSuffix || strings.Trim(suffix, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", fault.InvalidCode(at, CodeStyleID, MaxStyleSuffix)
	}
	return id, nil
}

// checkStyleLayer checks all members of a style layer except its id.
func checkStyleLayer(at string, m map[string]any) error {
	if _, err := styleWord(at+".slot", m["slot"], StyleSlots()); err != nil {
		return err
	}
	kind, err := styleWord(at+".type", m["type"], StyleTypes())
	if err != nil {
		return err
	}
	for _, flag := range []string{"clustered", "labels"} {
		if v, ok := m[flag]; ok && v != true {
			return fault.InvalidCode(at+"."+flag, CodeStyleTrue)
		}
	}
	if v, ok := m["minzoom"]; ok {
		if err := checkStyleNumber(at+".minzoom", v, MaxStyleZoom); err != nil {
			return err
		}
	}
	if v, ok := m["filter"]; ok {
		if _, err := styleList(at+".filter", v, 1, maxFilterItems); err != nil {
			return err
		}
	}
	for _, part := range []string{"layout", "paint"} {
		if v, ok := m[part]; ok {
			if err := checkStyleProperties(at+"."+part, v, part, kind); err != nil {
				return err
			}
		}
	}
	return nil
}

// stylePrefixes returns how the names of a type's properties begin, in MapLibre's style specification.
func stylePrefixes(kind StyleType, part string) []string {
	switch {
	case kind != "symbol":
		return []string{string(kind) + "-"}
	case part == "layout":
		return []string{"symbol-", "icon-", "text-"}
	default:
		return []string{"icon-", "text-"}
	}
}

// checkStyleProperties checks a layout or paint object. Whether a layer is visible is the reader's choice, so it has no visibility.
func checkStyleProperties(at string, v any, part string, kind StyleType) error {
	m, ok := v.(map[string]any)
	if !ok {
		return fault.InvalidCode(at, CodeStyleObject, foundIn(v))
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		here, value := at+"."+name, m[name]
		if !slices.ContainsFunc(stylePrefixes(kind, part), func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return fault.InvalidCode(here, CodeStyleProperty, part, string(kind))
		}
		switch name {
		// An image is named by $icon or an expression, and not by a plain text: the page must know the icons that it
		// has to draw.
		case "icon-image", "fill-pattern", "line-pattern":
			if _, plain := value.(string); plain {
				return fault.InvalidCode(here, CodeStyleImage)
			}
		case "text-font":
			if fonts, _ := value.([]any); len(fonts) != 1 || fonts[0] != StyleFont {
				return fault.InvalidCode(here, CodeStyleFont, StyleFont)
			}
		}
	}
	return nil
}

// checkLegend checks the rows of the legend, of which there may be none.
func checkLegend(at string, v any) error {
	rows, err := styleList(at, v, 0, MaxLegendRows)
	if err != nil {
		return err
	}
	for i, row := range rows {
		if err := checkLegendRow(fmt.Sprintf("%s[%d]", at, i), row); err != nil {
			return err
		}
	}
	return nil
}

// checkLegendRow checks a row: {levels, icon} for the four levels, {icon, text}, {swatch, color, outline, text} or {note}.
func checkLegendRow(at string, v any) error {
	m, err := styleMembers(at, v, "levels", "icon", "swatch", "color", "outline", "text", "note")
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if name == "text" || name == "note" {
			err = checkStyleText(at+"."+name, m[name])
		} else {
			_, err = styleString(at+"."+name, m[name])
		}
		if err != nil {
			return err
		}
	}
	switch {
	case m["levels"] != nil:
		return checkLevelsRow(at, m)
	case m["icon"] != nil:
		return cmp.Or(onlyMembers(at, m, "icon", "text"), checkStyleWord(at+".icon", m["icon"], StyleIcons(), CodeStyleIcon), given(at+".text", m["text"]))
	case m["swatch"] != nil:
		return checkSwatchRow(at, m)
	case m["note"] != nil:
		return onlyMembers(at, m, "note")
	}
	return fault.InvalidCode(at, CodeStyleLegend)
}

// checkSwatchRow checks a row with a sample of a colour.
func checkSwatchRow(at string, m map[string]any) error {
	if err := onlyMembers(at, m, "swatch", "color", "outline", "text"); err != nil {
		return err
	}
	if _, err := styleWord(at+".swatch", m["swatch"], LegendSwatches()); err != nil {
		return err
	}
	if outline, ok := m["outline"]; ok {
		if err := checkStyleWord(at+".outline", outline, StyleTokens(), CodeStyleToken); err != nil {
			return err
		}
	}
	return cmp.Or(checkStyleWord(at+".color", m["color"], StyleTokens(), CodeStyleToken), given(at+".text", m["text"]))
}

// checkLevelsRow checks a row that stands for the four levels: the icons of risks, or swatches.
func checkLevelsRow(at string, m map[string]any) error {
	form, err := styleWord(at+".levels", m["levels"], LegendLevels())
	switch {
	case err != nil:
		return err
	case form == "swatch":
		return onlyMembers(at, m, "levels")
	default:
		return cmp.Or(onlyMembers(at, m, "levels", "icon"), checkStyleWord(at+".icon", m["icon"], LegendLevelIcons(), CodeStyleIcon))
	}
}

// checkStyleText checks a text of the legend: {zh, en}, of which one may be empty.
func checkStyleText(at string, v any) error {
	m, err := styleMembers(at, v, "zh", "en")
	if err != nil {
		return err
	}
	for _, language := range slices.Sorted(maps.Keys(m)) {
		if _, err := styleString(at+"."+language, m[language]); err != nil {
			return err
		}
	}
	// The members are checked in a fixed order, first their types, then their lengths. One of the two languages is
	// enough.
	words := false
	for _, language := range []string{"zh", "en"} {
		s, err := styleString(at+"."+language, m[language])
		if err != nil {
			return err
		}
		if err := fault.CheckLine(at+"."+language, s, core.MaxName); err != nil {
			return err
		}
		words = words || strings.TrimSpace(s) != ""
	}
	if !words {
		return fault.InvalidCode(at, CodeStyleText)
	}
	return nil
}
