package load

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/errs"
	"onemap/risk"
	"onemap/risk/geojson"
)

// role is what a field is to a feature.
type role int

const (
	roleKey role = iota
	roleName
	roleNameEN
	roleLevel
	roleDivision
	roleLon
	roleLat
)

// usualNames are the names under which a role is looked for when no option names its field, in
// lower case, best first.
func usualNames(r role, f geo.Frame) []string {
	switch r {
	case roleKey:
		return []string{"id", "key", "code", "编号", "编码"}
	case roleName:
		return []string{"name_zh", "name:zh", "zh", "名称", "name"}
	case roleNameEN:
		return []string{"name_en", "name:en", "en", "英文名称"}
	case roleLevel:
		return []string{"level", "grade", "risk_level", "等级", "级别", "风险等级", "风险级别"}
	case roleDivision:
		return []string{"division", "division_code", "adcode", "行政区划代码", "区划代码", "行政区划"}
	case roleLon:
		if !f.Degrees() {
			return []string{"easting", "东坐标", "横坐标"}
		}
		return []string{"lon", "lng", "long", "longitude", "经度", "东经"}
	case roleLat:
		if !f.Degrees() {
			return []string{"northing", "北坐标", "纵坐标"}
		}
		return []string{"lat", "latitude", "纬度", "北纬"}
	}
	return nil
}

// assembler makes features of properties and geometries, by the options.
type assembler struct{ o Options }

func (a assembler) named(r role) string {
	return [...]string{a.o.KeyField, a.o.NameField, a.o.NameENField, a.o.LevelField, a.o.DivisionField, a.o.LonField, a.o.LatField}[r]
}

// look finds the property that plays a role. given says that an option names it.
func (a assembler) look(r role, properties map[string]any) (value any, field string, given bool) {
	switch name := a.named(r); name {
	case NoField:
		return nil, "", false
	case "":
	default:
		return properties[name], name, true
	}
	for _, name := range usualNames(r, a.o.Frame) {
		if v, ok := properties[name]; ok && v != nil && v != "" {
			return v, name, false
		}
	}
	return nil, "", false
}

// feature puts a feature together. The error names the property at fault.
func (a assembler) feature(g orb.Geometry, properties map[string]any, id string) (risk.Feature, error) {
	f := risk.Feature{Origin: a.o.Origin, Source: a.o.Source, Geometry: g, Properties: properties}
	var err error
	if f.Key, err = a.key(g, properties, id); err != nil {
		return f, err
	}
	if f.Name, err = a.name(properties); err != nil {
		return f, err
	}
	if v, field, _ := a.look(roleLevel, properties); v != nil {
		level, ok := parseLevel(asText(v))
		if !ok {
			return f, errs.InvalidField(field, "%q is no level: red, orange, yellow, blue, 1 to 4, or none", clip(asText(v)))
		}
		f.Level = level
	}
	f.Division, err = a.division(g, properties)
	return f, err
}

const maxKeyBytes = 256

func (a assembler) key(g orb.Geometry, properties map[string]any, id string) (string, error) {
	v, field, given := a.look(roleKey, properties)
	key := strings.TrimSpace(asText(v))
	// A feature's own id goes before a property that only has the name of a key.
	if own := strings.TrimSpace(id); own != "" && (key == "" || !given) {
		key, field = own, "id"
	}
	if key == "" && given {
		return "", errs.InvalidField(field, "the key is missing")
	}
	if len(key) > maxKeyBytes {
		return "", errs.InvalidField(field, "the key is longer than %d bytes", maxKeyBytes)
	}
	if err := checkText(field, key); err != nil {
		return "", err
	}
	if key != "" {
		return key, nil
	}
	return contentKey(g, properties)
}

// contentKey is made from what the feature is. 1 and 1.0 are the same: another writing of a file makes no other feature.
func contentKey(g orb.Geometry, properties map[string]any) (string, error) {
	shape, err := geojson.Encode(g)
	if err != nil {
		return "", err
	}
	rest, err := json.Marshal(valued(properties)) // sorted by name
	if err != nil {
		return "", errs.InvalidField("properties", "%v", err)
	}
	sum := sha256.Sum256(append(append(shape, '\n'), rest...))
	return "sha256-" + hex.EncodeToString(sum[:16]), nil
}

func (a assembler) name(properties map[string]any) (core.Text, error) {
	var t core.Text
	for _, part := range []struct {
		r  role
		to *string
	}{{roleName, &t.ZH}, {roleNameEN, &t.EN}} {
		v, field, _ := a.look(part.r, properties)
		switch v.(type) {
		case map[string]any, []any:
			return t, errs.InvalidField(field, "a name is a string")
		}
		*part.to = strings.TrimSpace(asText(v))
	}
	if t.ZH == "" {
		t.ZH = t.EN
	}
	return t, nil
}

func (a assembler) division(g orb.Geometry, properties map[string]any) (string, error) {
	if v, field, _ := a.look(roleDivision, properties); v != nil && asText(v) != "" {
		code, err := geo.ParseDivision(asText(v))
		if err != nil {
			return "", errs.Wrap(errs.Invalid, err, "%s", field)
		}
		return code, nil
	}
	if a.o.Division == nil {
		return "", nil
	}
	p, ok := geo.PointOn(g)
	if !ok {
		return "", nil
	}
	return a.o.Division(p[0], p[1]), nil
}

// parseLevel reads a grade as departments write it; ok is false for what is none.
func parseLevel(s string) (core.Level, bool) {
	s = strings.ToLower(strings.TrimFunc(s, unicode.IsSpace))
	s = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(s, "风险"), "色"), "级")
	switch s {
	case "", "0", "none", "无", "正常":
		return core.None, true
	case "1", "red", "红", "i", "ⅰ", "一", "重大":
		return core.Red, true
	case "2", "orange", "橙", "ii", "ⅱ", "二", "较大":
		return core.Orange, true
	case "3", "yellow", "黄", "iii", "ⅲ", "三", "一般":
		return core.Yellow, true
	case "4", "blue", "蓝", "iv", "ⅳ", "四", "低", "较低":
		return core.Blue, true
	}
	return core.None, false
}

// asText is a property as text; empty for nothing and for what is no scalar.
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

// valued is a copy of v whose numbers are written by their value alone: as a float64 where that holds it.
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

// checkText refuses what PostgreSQL cannot store, and what a wrong encoding has destroyed.
func checkText(field, s string) error {
	switch {
	case strings.ContainsRune(s, 0):
		return errs.InvalidField(field, "holds a NUL character")
	case strings.ContainsRune(s, utf8.RuneError):
		return errs.InvalidField(field, "holds U+FFFD: characters were lost by a wrong encoding")
	}
	return nil
}

// decodeProperties reads the properties object; null and none are empty. Numbers are as risk.Properties has them.
func decodeProperties(raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return map[string]any{}, nil
	}
	if raw[0] != '{' {
		return nil, errs.InvalidField("properties", "is no object")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		return nil, errs.InvalidField("properties", "%v", err)
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
		return risk.ExactNumber(v), nil
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

// decimal reads a number of a table with all its digits, as risk.Properties has it, and tells whether it is a whole one.
func decimal(cell string) (v any, whole, ok bool) {
	plain, ok := core.Plain(cell)
	if !ok {
		return nil, false, false
	}
	number := json.Number(cell)
	if !json.Valid([]byte(cell)) { // +5, .5, 007
		number = json.Number(plain)
	}
	return risk.ExactNumber(number), !strings.Contains(plain, "."), true
}
