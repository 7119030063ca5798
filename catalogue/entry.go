package catalogue

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// defaultMaxZoom is the deepest zoom of a layer that does not set one. Clients overzoom its tiles at deeper zooms.
const defaultMaxZoom = 14

// Merge returns the old entry with the fields of l that are not empty. old is the zero Layer if there is no entry. An
// empty field of l keeps its old value, or gets its default. Merge returns fault.Invalid if the result is not valid.
func Merge(old, l Layer, now time.Time) (Layer, error) {
	out := old
	out.Name = l.Name
	keep(&out.Theme, l.Theme)
	keep(&out.Title.ZH, l.Title.ZH)
	keep(&out.Title.EN, l.Title.EN)
	keep(&out.Owner.ZH, l.Owner.ZH)
	keep(&out.Owner.EN, l.Owner.EN)
	keep(&out.Origin, l.Origin)
	keep(&out.Source, l.Source)
	keep(&out.Licence, l.Licence)
	keep(&out.Attribution, l.Attribution)
	keep(&out.CycleDays, l.CycleDays)
	keep(&out.GeometryType, l.GeometryType)
	keep(&out.UpdatedOn, l.UpdatedOn)
	keep(&out.Tile, l.Tile)
	if l.Style != nil {
		style, err := ParseStyle(l.Style)
		if err != nil {
			return old, err
		}
		out.Style = style
	}
	if l.Audience.Kind != "" {
		out.Audience = l.Audience
	}
	// The two zooms are set together: MinZoom 0 is a valid zoom, so it cannot stand for "not given".
	if l.MinZoom != 0 || l.MaxZoom != 0 {
		out.MinZoom, out.MaxZoom = l.MinZoom, l.MaxZoom
	}
	if l.Fields != nil {
		out.Fields = l.Fields
	}
	fillDefaults(&out, now)
	return out, out.Check()
}

// keep sets the new value unless it is the zero value.
func keep[T comparable](to *T, value T) {
	var zero T
	if value != zero {
		*to = value
	}
}

// fillDefaults sets what neither the old entry nor the new one names: the title, a public audience, zoom 0 to 14, any
// geometry, and the date of today in UTC.
func fillDefaults(l *Layer, now time.Time) {
	fill(&l.Title.ZH, l.Name)
	fill(&l.Audience.Kind, core.AudiencePublic)
	fill(&l.MaxZoom, defaultMaxZoom)
	fill(&l.GeometryType, "Geometry")
	fill(&l.UpdatedOn, now.UTC().Truncate(24*time.Hour))
	if l.Audience.Roles == nil {
		l.Audience.Roles = []core.Role{}
	}
	if l.Fields == nil {
		l.Fields = []Field{}
	}
}

// fill sets the value if the old one is the zero value.
func fill[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// Check returns fault.Invalid if the entry is not valid. The fields of its errors are the JSON names.
func (l Layer) Check() error {
	switch {
	case !IsLayerName(l.Name):
		return fault.InvalidField("name", "a layer's name is 1 to 63 of a-z 0-9 _ and begins with a letter")
	case !slices.Contains(Themes(), l.Theme):
		return fault.InvalidField("theme", "%q is none of %s", string(l.Theme), join(Themes()))
	case !l.Origin.Valid():
		return fault.InvalidField("origin", "%q is none of real, schematic, synthetic, fact-table", string(l.Origin))
	case l.CycleDays < 0:
		return fault.InvalidField("cycle_days", "is less than 0")
	case !slices.Contains([]string{"Point", "LineString", "Polygon", "Geometry"}, l.GeometryType):
		return fault.InvalidField("geometry_type", "%q is none of Point, LineString, Polygon, Geometry", l.GeometryType)
	case l.MaxZoom < 0 || l.MaxZoom > geo.MaxTileServed:
		return fault.InvalidCode("max_zoom", fault.CodeOutOfRange, l.MaxZoom, 0, geo.MaxTileServed)
	case l.MinZoom < 0 || l.MinZoom > l.MaxZoom:
		return fault.InvalidCode("min_zoom", CodeZoomRange, l.MinZoom, l.MaxZoom, geo.MaxTileServed)
	}
	if err := checkLayerNames(l); err != nil {
		return err
	}
	if err := checkAudience(l.Audience); err != nil {
		return err
	}
	if err := checkFields(l.Fields); err != nil {
		return err
	}
	return checkRules(l)
}

// checkLayerNames limits the length of titles and owners, because every TileJSON and every list contains them.
func checkLayerNames(l Layer) error {
	err := cmp.Or(
		fault.CheckLine("title.zh", l.Title.ZH, core.MaxName), fault.CheckLine("title.en", l.Title.EN, core.MaxName),
		fault.CheckLine("owner.zh", l.Owner.ZH, core.MaxName), fault.CheckLine("owner.en", l.Owner.EN, core.MaxName),
	)
	for i, f := range l.Fields {
		at := fmt.Sprintf("fields[%d].title.", i)
		err = cmp.Or(err, fault.CheckLine(at+"zh", f.Title.ZH, core.MaxName), fault.CheckLine(at+"en", f.Title.EN, core.MaxName))
	}
	return err
}

// checkRules checks how the layer is drawn into tiles. The field of the severity must be a number of the layer.
func checkRules(l Layer) error {
	if err := l.Tile.Check(); err != nil {
		return fault.Under("tile", err)
	}
	name := l.Tile.Severity
	numeric := func(f Field) bool { return f.Name == name && (f.Type == "number" || f.Type == "integer") }
	if name != "" && !slices.ContainsFunc(l.Fields, numeric) {
		return fault.InvalidCode("tile.severity", CodeNoNumberField, name)
	}
	return nil
}

// checkAudience checks who may see the layer: everyone, the named roles, or each division its own features.
func checkAudience(a core.Audience) error {
	switch a.Kind {
	case core.AudiencePublic, core.AudienceDivision:
		return nil
	case core.AudienceRoles:
		for i, r := range a.Roles {
			if !r.Valid() {
				return fault.InvalidField(fmt.Sprintf("audience.roles[%d]", i), "%q is no role", string(r))
			}
		}
		if len(a.Roles) == 0 {
			return fault.InvalidField("audience.roles", "name the roles that may see the layer")
		}
		return nil
	}
	return fault.InvalidField("audience.kind", "%q is none of public, roles, division", string(a.Kind))
}

// checkFields checks the fields: a name of 1 to 64 bytes that no other field has, and a known type.
func checkFields(fields []Field) error {
	seen := map[string]bool{}
	for i, f := range fields {
		at := fmt.Sprintf("fields[%d]", i)
		switch {
		case f.Name == "" || len(f.Name) > 64:
			return fault.InvalidField(at+".name", "has 1 to 64 bytes")
		case seen[f.Name]:
			return fault.InvalidField(at+".name", "%q is there twice", f.Name)
		case !slices.Contains([]string{"string", "number", "integer", "boolean"}, f.Type):
			return fault.InvalidField(at+".type", "%q is none of string, number, integer, boolean", f.Type)
		}
		seen[f.Name] = true
	}
	return nil
}

// join returns words as a list for a message, "a, b, c".
func join[T ~string](words []T) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return strings.Join(all, ", ")
}

// SameEntry reports whether two entries are equal. It compares UpdatedOn as a time, so the time zone does not matter.
func SameEntry(a, b Layer) bool {
	if !a.UpdatedOn.Equal(b.UpdatedOn) {
		return false
	}
	// The same instant in another time zone is not equal for DeepEqual, so one value replaces the other first.
	b.UpdatedOn = a.UpdatedOn
	return reflect.DeepEqual(a, b)
}

// IsLayerName reports whether s is [a-z][a-z0-9_]{0,62}.
func IsLayerName(s string) bool {
	return s != "" && len(s) <= 63 && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// NoLayer returns the fault.NotFound for a layer that does not exist.
func NoLayer(name string) error {
	if r := []rune(name); len(r) > 70 {
		name = string(r[:70]) + "…"
	}
	return fault.New(fault.NotFound, "there is no layer %q", name)
}

// NotFor returns the fault.Forbidden for a layer whose audience does not admit the caller.
func NotFor(l Layer) error { return fault.New(fault.Forbidden, "the layer %s is not for you", l.Name) }

// with returns the entry with the change applied. It returns fault.Invalid if the result is not valid.
func (l Layer) with(c LayerChange) (Layer, error) {
	if c.MinZoom != nil {
		l.MinZoom = *c.MinZoom
	}
	if c.MaxZoom != nil {
		l.MaxZoom = *c.MaxZoom
	}
	if c.Tile != nil {
		l.Tile = *c.Tile
	}
	// The slice is cloned before it is changed, because the stored entry shares it.
	if c.InTile != nil {
		l.Fields = slices.Clone(l.Fields)
		for i := range l.Fields {
			l.Fields[i].InTile = false
		}
		for i, name := range c.InTile {
			at := fmt.Sprintf("in_tile[%d]", i)
			k := slices.IndexFunc(l.Fields, func(f Field) bool { return f.Name == name })
			switch {
			case k < 0:
				return l, fault.InvalidCode(at, CodeNoField, name[:min(len(name), 70)])
			case l.Fields[k].InTile:
				return l, fault.InvalidCode(at, CodeNamedTwice, name)
			}
			l.Fields[k].InTile = true
		}
	}
	return l, l.Check()
}
