package load

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/paulmach/orb"
	"golang.org/x/text/width"

	"onemap/catalogue"
	"onemap/catalogue/geojson"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
)

// assembler makes features from properties and geometries, according to the options. It counts how it uses the fields.
type assembler struct {
	o     Options
	roles roleFinder
	tally tally
	watch func(properties map[string]any, id string) // set during Survey; nil otherwise
}

// newAssembler returns an assembler with the options.
func newAssembler(o Options) *assembler { return &assembler{o: o, roles: newRoleFinder(o)} }

// identity holds the key and the fields of a record, before its geometry is decoded.
type identity struct {
	key    string // empty: the key is made from the content
	fields [nRoles]roleField
}

// identify finds the key and the fields that have roles. Its errors name the wrong field.
func (a *assembler) identify(properties map[string]any, id string) (identity, error) {
	if a.watch != nil {
		a.watch(properties, id)
	}
	who := identity{fields: a.roles.fields(properties, a.o.found.noKeys)}
	p, named := who.fields[roleKey], a.roles.given[roleKey]
	given := named != "" && named != NoField
	key := strings.TrimSpace(asText(p.value))
	// A spreadsheet writes 370602000017 as 3.70602E+11. Two features could then have the same key. Such a key is an error
	// if the options name its field, and is ignored if not.
	if lostDigits(key) && given {
		return who, fault.InvalidField(p.field, "a spreadsheet has shortened the key to %s: format the column as text and export it again", clip(key))
	}
	// Without it the feature's own id is tried, and then a key is made from the content.
	if lostDigits(key) {
		key = ""
	}
	field := p.field
	// The id of a feature takes precedence over a property that was only found by its name.
	if own := strings.TrimSpace(id); own != "" && (key == "" || !given) && !a.o.found.noKeys[ownID] {
		key, field = own, ownID
	}
	if key == "" && given {
		return who, fault.InvalidField(named, "the key is missing")
	}
	if len(key) > catalogue.MaxKey {
		return who, fault.InvalidField(field, "the key is longer than %d bytes", catalogue.MaxKey)
	}
	if err := checkText(field, key); err != nil {
		return who, err
	}
	who.key = key
	if key != "" {
		a.tally.took(roleKey, field)
	}
	return who, nil
}

// ownID is the name of the "id" member of a GeoJSON feature in notes.
const ownID = "the feature's id"

// feature returns a feature. If it has no key, the key is made from its geometry and hashed.
func (a *assembler) feature(g orb.Geometry, who identity, hashed map[string]any) (catalogue.Feature, error) {
	f := catalogue.Feature{Origin: a.o.Origin, Source: a.o.Source, Key: who.key}
	// The map ends at 180°. Without the cut, a line across it would be drawn around the whole world.
	whole, cut, err := geo.CutAntimeridian(g)
	if err != nil {
		return f, fault.InvalidField("geometry", "%v", err)
	}
	if f.Geometry = whole; cut {
		a.tally.cut++
	}
	if err := a.checkZero(f.Geometry); err != nil {
		return f, err
	}
	if f.Name, err = a.name(who); err != nil {
		return f, err
	}
	f.Level = a.level(who.fields[roleLevel])
	if f.Division, err = a.division(f.Geometry, who.fields[roleDivision]); err != nil {
		return f, err
	}
	// A feature without a key gets a key from its content, so that a second import of the same file makes the same features.
	if f.Key == "" {
		f.Key, err = contentKey(f.Geometry, hashed)
	}
	return f, err
}

// checkZero returns an error for points at 0, 0, unless the options allow them. In the files of departments such a point
// means that the place is unknown.
func (a *assembler) checkZero(g orb.Geometry) error {
	if a.o.AllowZero {
		return nil
	}
	zero := false
	switch g := g.(type) {
	case orb.Point:
		zero = g == orb.Point{}
	case orb.MultiPoint:
		zero = slices.Contains(g, orb.Point{})
	}
	if zero {
		return fault.InvalidField("geometry", "a point at 0, 0 stands for a place that is not known; --allow-zero takes it")
	}
	return nil
}

// contentKey returns a key that is made from the content of a feature: the first 16 bytes of the SHA-256 of its
// geometry and properties. Numbers are compared by value, so that 1 and 1.0 result in the same key.
func contentKey(g orb.Geometry, properties map[string]any) (string, error) {
	shape, err := geojson.Encode(g)
	if err != nil {
		return "", err
	}
	rest, err := json.Marshal(valued(properties)) // sorted by name
	if err != nil {
		return "", fault.InvalidField("properties", "%v", err)
	}
	// 128 bits of the hash are enough: at a million features the chance of two equal keys is about 1e-27.
	sum := sha256.Sum256(append(append(shape, '\n'), rest...))
	return "sha256-" + hex.EncodeToString(sum[:16]), nil
}

// name returns the name of a feature. If it has only an English name, this name is used in both languages, so that the
// feature is not without a name on the map.
func (a *assembler) name(who identity) (core.Text, error) {
	var t core.Text
	for _, part := range []struct {
		r  role
		to *string
	}{{roleName, &t.ZH}, {roleNameEN, &t.EN}} {
		p := who.fields[part.r]
		*part.to = strings.TrimSpace(oneLine(asText(p.value)))
		if err := checkText(p.field, *part.to); err != nil {
			return t, err
		}
		if *part.to != "" {
			a.tally.took(part.r, p.field)
		}
	}
	if t.ZH == "" {
		t.ZH = t.EN
	}
	return t, nil
}

// oneLine replaces control characters, such as line ends and tabs, by spaces, because a name has one line. It does not
// change a text with a NUL character, which checkText refuses.
func oneLine(s string) string {
	if strings.IndexFunc(s, unicode.IsControl) < 0 || strings.IndexByte(s, 0) >= 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ReplaceAll(s, "\r\n", "\n"))
}

// level returns the level of a grade. It returns core.None and counts the word if the word is not a grade. The word is
// still in the properties.
func (a *assembler) level(p roleField) core.Level {
	if p.field == "" {
		return core.None
	}
	level, ok := a.o.found.scale.parseLevel(asText(p.value))
	a.tally.level(p.field, level, asText(p.value), ok)
	return level
}

// division returns the division code of the record, or the code of its place if the record has none. A wrong code
// refuses the record if an option names the field. In a field that was found by its usual name, a wrong code is counted
// and ignored.
func (a *assembler) division(g orb.Geometry, p roleField) (string, error) {
	// Full-width digits (３７０６) are read as half-width digits.
	if text := width.Fold.String(asText(p.value)); text != "" {
		code, err := geo.ParseDivision(text)
		switch {
		case err == nil:
			a.tally.took(roleDivision, p.field)
			return code, nil
		case a.roles.given[roleDivision] != "":
			return "", fault.Wrap(fault.Invalid, err, "%s", p.field)
		}
		a.tally.noDivision(p.field, text)
	}
	if a.o.Division == nil {
		return "", nil
	}
	// The place of a line or an area is one point on it, so the feature has exactly one division.
	on, ok := geo.PointOn(g)
	if !ok {
		return "", nil
	}
	return a.o.Division(on[0], on[1]), nil
}

// asText returns a property as text. It returns "" for null, objects and arrays.
func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		if plain, ok := core.Plain(v.String()); ok {
			return plain
		}
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

// valued returns a copy of v in which equal numbers have the same form: a float64 if it holds the number exactly, and
// the plain decimal number otherwise.
func valued(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, ok := core.ExactFloat([]byte(v)); ok {
			return f
		}
		return json.Number(asText(v))
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = valued(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name := range v {
			out[name] = valued(v[name])
		}
		return out
	}
	return v
}

// checkText returns fault.Invalid if the text has a NUL character, which PostgreSQL cannot store, or U+FFFD, which
// means that a wrong encoding has destroyed characters.
func checkText(field, s string) error {
	switch {
	case strings.ContainsRune(s, 0):
		return fault.InvalidField(field, "holds a NUL character")
	case strings.ContainsRune(s, utf8.RuneError):
		return fault.InvalidField(field, "holds U+FFFD: characters were lost by a wrong encoding")
	}
	return nil
}

// decodeProperties decodes the properties of a feature. null and a missing object are empty. Numbers have the types of
// catalogue.Properties.
func decodeProperties(raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return map[string]any{}, nil
	}
	if raw[0] != '{' {
		return nil, fault.InvalidField("properties", "is no object")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		return nil, fault.InvalidField("properties", "%v", err)
	}
	clean, err := cleanValue(all, "properties")
	if err != nil {
		return nil, err
	}
	return clean.(map[string]any), nil
}

// cleanValue turns numbers into float64 where that loses no digit, and refuses texts that PostgreSQL
// cannot store.
func cleanValue(v any, path string) (any, error) {
	switch v := v.(type) {
	case string:
		if err := checkText(path, v); err != nil {
			return nil, err
		}
	case json.Number:
		return catalogue.ExactNumber(v), nil
	case []any:
		for i := range v {
			clean, err := cleanValue(v[i], path+"["+strconv.Itoa(i)+"]")
			if err != nil {
				return nil, err
			}
			v[i] = clean
		}
	case map[string]any:
		for name, member := range v {
			if err := checkText(path, name); err != nil {
				return nil, err
			}
			clean, err := cleanValue(member, path+"."+name)
			if err != nil {
				return nil, err
			}
			v[name] = clean
		}
	}
	return v, nil
}

// decimal parses a number in a cell and keeps all its digits, as catalogue.Properties does. whole is true if it is a
// whole number, and ok is false if the cell is not a number.
func decimal(cell string) (v any, whole, ok bool) {
	plain, ok := core.Plain(cell)
	if !ok {
		return nil, false, false
	}
	// A number that JSON accepts keeps its own text, so that it is written as it was read. Contract "numbers keep their
	// digits".
	number := json.Number(cell)
	if !json.Valid([]byte(cell)) { // +5, .5, 007
		number = json.Number(plain)
	}
	return catalogue.ExactNumber(number), !strings.Contains(plain, "."), true
}
