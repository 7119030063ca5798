package catalogue

import (
	"fmt"
	"slices"
)

// The limits of a style fragment.
const (
	MaxStyleBytes  = 32 << 10 // as JSON without spaces
	MaxStyleDepth  = 16       // lists and objects inside each other, the fragment itself counted
	MaxStyleLayers = 16
	MaxLegendRows  = 16
	MaxStyleZoom   = 24
	MaxStyleSuffix = 40 // characters of a style layer's id after the hyphen
)

// StyleFont is the one font of the map.
const StyleFont = "Noto Sans SC"

// StyleSlot is a place in the order of drawing.
type StyleSlot string

// StyleSlots lists the slots, the lowest first. Alert areas lie above the lines, devices above all.
func StyleSlots() []StyleSlot {
	return []StyleSlot{"ground", "areas", "lines", "labels", "names", "points", "markers", "risks", "titles"}
}

// StyleType is a type of MapLibre's style layers.
type StyleType string

// StyleTypes lists the types that a fragment may use.
func StyleTypes() []StyleType { return []StyleType{"fill", "line", "circle", "symbol"} }

// StyleToken is the name of a colour that each theme of the page has.
type StyleToken string

// StyleTokens lists the tokens. The page's themes have exactly these; a test of the page compares them.
func StyleTokens() []StyleToken {
	all := []StyleToken{
		"background", "panel", "panelSolid", "raised", "line", "text", "muted", "accent", "accentFill", "accentInk", "sea", "surroundings",
		"land", "urban", "coast", "water", "waterLabel", "county", "label", "halo", "grey", "ok",
	}
	for _, list := range []string{"levels", "levelFill", "levelInk"} {
		for level := range 5 {
			all = append(all, StyleToken(fmt.Sprintf("%s.%d", list, level)))
		}
	}
	return all
}

// StyleIcon is the name of an icon that the page draws.
type StyleIcon string

// StyleIcons lists the icons. The page draws each of them; a test of the page compares them.
func StyleIcons() []StyleIcon {
	return []StyleIcon{
		"res:shelter", "res:hospital", "res:rescue_team", "res:airport", "res:port", "hatch",
		"risk:0", "risk:1", "risk:2", "risk:3", "risk:4", "riskcluster:1", "riskcluster:2", "riskcluster:3", "riskcluster:4", "riskcluster:9",
	}
}

// StyleIconPrefixes lists the beginnings of icon names that an expression completes with a level, by concat.
func StyleIconPrefixes() []StyleIcon { return []StyleIcon{"risk:", "riskcluster:"} }

// LegendSwatch is the form of a legend row's colour sample.
type LegendSwatch string

// LegendSwatches lists the forms.
func LegendSwatches() []LegendSwatch { return []LegendSwatch{"fill", "line", "dashed", "circle"} }

// LegendLevel is the form of a legend row that stands for the four levels.
type LegendLevel string

// LegendLevels lists the forms.
func LegendLevels() []LegendLevel { return []LegendLevel{"icon", "swatch"} }

// LegendLevelIcons lists the icons that a row of levels may have; the page completes the name with the level.
func LegendLevelIcons() []StyleIcon { return []StyleIcon{"risk"} }

// oneOf reports whether a word is in a list.
func oneOf[T ~string](word string, list []T) bool { return slices.Contains(list, T(word)) }
