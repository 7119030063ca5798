package tiles

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"onemap/geo"
	"onemap/internal/fault"
	"onemap/internal/text"
)

// MaxLayers is how many layers one tile may hold.
const MaxLayers = 20

// LabelSuffix makes of a layer's name that of the layer of its polygons' label points.
const LabelSuffix = ".label"

var layerName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}(\.label)?$`)

// SplitLabel returns the layer of a name, and whether its label points are meant.
func SplitLabel(name string) (layer string, labels bool) { return strings.CutSuffix(name, LabelSuffix) }

// ParseLayers reads the names of 1 to 20 different layers joined by commas. The order is kept: it is
// the order of the layers in the tile.
func ParseLayers(s string) ([]string, error) {
	if strings.Count(s, ",") >= MaxLayers {
		return nil, fault.InvalidField("layers", "at most %d layers in one tile", MaxLayers)
	}
	names := strings.Split(s, ",")
	for i, name := range names {
		if !layerName.MatchString(name) {
			return nil, fault.InvalidField("layers", "%s is no name of a layer: a–z, then a–z, 0–9 and underscore, at most 63, and .label for the points of its names", quote(name))
		}
		if slices.Contains(names[:i], name) {
			return nil, fault.InvalidField("layers", "%q is asked for twice", name)
		}
	}
	return names, nil
}

// ParseAddress reads z, x and y (from the north) as they stand in an address: decimal digits without
// sign or leading zeros, in the world. The error is fault.Invalid with the field z, x or y.
func ParseAddress(z, x, y string) (Address, error) {
	t, err := geo.ParseTile(z, x, y, MaxZoom)
	return Address{Z: t.Z, X: t.X, Y: t.Y}, err
}

// quote shows what was sent without repeating all of it.
func quote(s string) string {
	return strconv.Quote(text.Cut(s, 40))
}
