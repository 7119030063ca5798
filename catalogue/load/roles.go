package load

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"

	"onemap/geo"
)

// role is the meaning of a field for a feature.
type role int

const (
	roleKey role = iota
	roleName
	roleNameEN
	roleLevel
	roleDivision
	roleLon
	roleLat
	rolePlace // a position or a geometry in one column
	nRoles
)

// String implements fmt.Stringer. It returns the name of the role in notes.
func (r role) String() string {
	return [...]string{"key", "name", "English name", "level", "division", "longitude", "latitude", "position"}[r]
}

// usualNames returns the usual names of a field with the role, the preferred name first, in the form of foldName. They
// are used if no option names the field. In a projected frame of China, 坐标X may be the northing, so the names contain
// both.
func usualNames(r role, f geo.Frame) []string {
	switch r {
	case roleKey:
		return []string{"id", "key", "code", "编号", "编码"}
	case roleName:
		return []string{
			"name_zh", "name:zh", "zh", "名称", "name", "隐患点名称", "风险点名称", "危险源名称", "灾害点名称", "点位名称", "场所名称", "设施名称", "站点名称", "单位名称", "企业名称",
			"项目名称",
		}
	case roleNameEN:
		return []string{"name_en", "name:en", "en", "英文名称"}
	case roleLevel:
		return []string{
			"level", "grade", "risk_level", "等级", "级别", "风险等级", "风险级别", "隐患等级", "隐患级别", "危险等级", "危险级别", "预警等级", "预警级别",
		}
	case roleDivision:
		return []string{"division", "division_code", "adcode", "行政区划代码", "区划代码", "行政区划"}
	case roleLon:
		if !f.Degrees() {
			return []string{"easting", "东坐标", "横坐标", "east", "e", "x", "x坐标", "point_x", "y坐标"}
		}
		return []string{"lon", "lng", "long", "longitude", "经度", "东经", "经度坐标", "中心经度", "gps_lon", "lon_wgs84", "jd", "x", "point_x", "x坐标"}
	case roleLat:
		if !f.Degrees() {
			return []string{"northing", "北坐标", "纵坐标", "north", "n", "y", "y坐标", "point_y", "x坐标"}
		}
		return []string{"lat", "latitude", "纬度", "北纬", "纬度坐标", "中心纬度", "gps_lat", "lat_wgs84", "wd", "y", "point_y", "y坐标"}
	case rolePlace:
		return []string{
			"wkt", "geom", "geometry", "the_geom", "geojson", "shape", "lonlat", "lnglat", "lon,lat", "lng,lat", "coordinates", "coordinate", "coord",
			"coords", "location", "position", "point", "longitude,latitude", "lon lat", "经纬度", "经度,纬度", "经度纬度", "坐标", "经纬度坐标", "gps坐标", "gps",
			"坐标位置", "空间坐标", "地理坐标", "latlng", "latlon", "lat,lng", "lat,lon", "latitude,longitude", "纬经度", "纬度,经度", "位置",
		}
	case nRoles:
	}
	return nil
}

// foldName returns the name of a field in the form in which names are compared: lower case, half width, without a unit
// at the end ("经度（°）"), and without spaces inside Chinese words.
func foldName(name string) string {
	name = strings.ToLower(strings.Trim(name, " \t\r\n"+byteOrderMark))
	if strings.IndexFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		name = strings.TrimSpace(width.Fold.String(name))
	}
	if i := strings.IndexAny(name, "([【{"); i > 0 {
		name = name[:i]
	}
	for _, unit := range []string{"/°", "/度", "/deg", "/m", "/米", "°"} {
		name = strings.TrimSuffix(name, unit)
	}
	if strings.IndexFunc(name, func(r rune) bool { return r >= 0x2e80 }) >= 0 {
		name = strings.Join(strings.Fields(name), "")
	}
	return strings.TrimSpace(name)
}

// latitudeFirst reports whether the name of a position column begins with the latitude, as in "lat,lon".
func latitudeFirst(name string) bool {
	name = foldName(name)
	return strings.HasPrefix(name, "lat") || strings.HasPrefix(name, "纬")
}

// isNothing reports whether a text means that there is no value.
func isNothing(s string) bool {
	switch strings.ToLower(strings.TrimSpace(width.Fold.String(s))) {
	case "", "-", "--", "---", "—", "——", "–", "/", "\\", "\\n", "无", "空", "暂无", "不详", "未知", "null", "none", "nil", "nan", "n/a", "na", "#n/a", "<null>", "(null)", "?", "*":
		return true
	}
	return false
}

// lostDigits reports whether a text is a long number that a spreadsheet program has shortened, such as 1.2E+17. The
// programs do this from 12 digits on.
func lostDigits(s string) bool {
	if !strings.ContainsAny(s, "eE\uff25\uff45") { // E and e, half and full width
		return false
	}
	mantissa, exponent, ok := strings.Cut(strings.ToUpper(strings.TrimSpace(width.Fold.String(s))), "E+")
	if !ok || mantissa == "" || strings.Trim(mantissa, ".0123456789") != "" {
		return false
	}
	n, err := strconv.Atoi(exponent)
	return err == nil && n > 9
}

// roleFinder finds the roles of fields by their names. It caches the result for each name, because a file has few names.
type roleFinder struct {
	given [nRoles]string         // names in the options
	rank  map[string][]candidate // by usual name
	known map[string][]candidate // cache, by name
	room  int                    // largest number of names in the cache
}

// candidate is a role that a field may have. If several fields may have it, the field with the lowest rank has it.
type candidate struct {
	r    role
	rank int
}

// knownNames is the largest number of cached names. It bounds the memory for a file with a different name in each
// feature.
const knownNames = 4096

// newRoleFinder returns a finder with the names in the options, and the usual names of the roles that the options do
// not name.
func newRoleFinder(o Options) roleFinder {
	c := roleFinder{
		given: [nRoles]string{o.KeyField, o.NameField, o.NameENField, o.LevelField, o.DivisionField, o.LonField, o.LatField, ""},
		rank:  map[string][]candidate{}, known: map[string][]candidate{}, room: knownNames,
	}
	for r := roleKey; r <= roleDivision; r++ {
		if c.given[r] != "" {
			continue
		}
		for i, name := range usualNames(r, o.Frame) {
			c.rank[name] = append(c.rank[name], candidate{r, i})
		}
	}
	return c
}

// candidates returns the roles that a field with this name may have.
func (c *roleFinder) candidates(name string) []candidate {
	found, ok := c.known[name]
	if ok {
		return found
	}
	for r, given := range c.given {
		switch {
		case given == "" || given == NoField:
		case given == name:
			found = append(found, candidate{role(r), 0})
		case foldName(given) == foldName(name): // --key CODE
			found = append(found, candidate{role(r), 1})
		}
	}
	found = append(found, c.rank[foldName(name)]...)
	if len(c.known) < c.room {
		c.known[name] = found
	}
	return found
}

// roleField is the field with a role in one record, and its value.
type roleField struct {
	field string
	value any
}

// fields returns the field of each role in the properties of a record. A field without a value has no role. barred are
// the fields that must not be the key because their values repeat, unless an option names the key.
func (c *roleFinder) fields(properties map[string]any, barred map[string]bool) [nRoles]roleField {
	var all [nRoles]roleField
	var ranks [nRoles]int
	for name, v := range properties {
		for _, p := range c.candidates(name) {
			if isBlank(v) || (p.r == roleKey && barred[name] && c.given[roleKey] == "") {
				continue
			}
			if was := all[p.r]; was.field == "" || p.rank < ranks[p.r] || (p.rank == ranks[p.r] && name < was.field) {
				all[p.r], ranks[p.r] = roleField{name, v}, p.rank
			}
		}
	}
	return all
}

// isBlank reports whether a value is missing, or is an object or array, which cannot have a role.
func isBlank(v any) bool {
	switch v := v.(type) {
	case nil, map[string]any, []any:
		return true
	case string:
		return isNothing(v)
	}
	return false
}
