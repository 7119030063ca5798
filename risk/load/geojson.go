package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"onemap/geo"
	"onemap/internal/errs"
	"onemap/risk"
	"onemap/risk/geojson"
)

// geoJSON reads a FeatureCollection member by member, and features one after another.
type geoJSON struct {
	s      *scanner
	o      Options
	asm    assembler
	inside bool      // in a "features" array
	fresh  bool      // no feature of the array has been read
	begun  bool      // something has been read
	top    topObject // the object around the array
	failed error
}

// topObject is what is known of the outermost object.
type topObject struct {
	line     int
	members  map[string]json.RawMessage // type, id, geometry, properties, where they came
	features bool                       // it has a features array
	first    bool                       // no member has been read
}

func newGeoJSON(text *bufio.Reader, o Options) *geoJSON {
	return &geoJSON{s: &scanner{r: text, line: 1, max: o.MaxRecordBytes}, o: o, asm: assembler{o: o}}
}

// Next gives the next feature, a refusal of it, io.EOF, or an error that ends the reading.
func (g *geoJSON) Next() (risk.Record, *risk.Refusal, error) {
	if g.failed != nil {
		return risk.Record{}, nil, g.failed
	}
	record, refusal, err := g.next()
	g.failed = err
	return record, refusal, err
}

func (g *geoJSON) next() (risk.Record, *risk.Refusal, error) {
	for {
		if g.inside {
			more, err := g.element()
			if err != nil {
				return risk.Record{}, nil, err
			}
			if more {
				return g.feature()
			}
			g.inside = false
		} else if err := g.openTop(); err != nil {
			return risk.Record{}, nil, err
		}
		done, err := g.restOfTop()
		if err != nil {
			return risk.Record{}, nil, err
		}
		if done && !g.top.features {
			return g.single()
		}
	}
}

// openTop begins the next outermost object; io.EOF when there is none.
func (g *geoJSON) openTop() error {
	c, err := g.s.peek()
	if errors.Is(err, io.EOF) && !g.begun {
		return fatal(g.s.line, "the file is empty")
	}
	if err != nil {
		return err
	}
	if c != '{' {
		return fatal(g.s.line, "GeoJSON begins with an object, not with %q", rune(c))
	}
	g.begun = true
	g.top = topObject{line: g.s.line, members: map[string]json.RawMessage{}, first: true}
	_, err = g.s.next()
	return err
}

// element steps to the next element of the features array; false at its end.
func (g *geoJSON) element() (bool, error) {
	c, err := g.s.must()
	if err != nil {
		return false, err
	}
	if c == ']' {
		_, err = g.s.next()
		return false, err
	}
	if !g.fresh {
		if err := g.s.take(','); err != nil {
			return false, err
		}
	}
	g.fresh = false
	return true, nil
}

// restOfTop reads members until the features array begins (false) or the object ends (true).
func (g *geoJSON) restOfTop() (ended bool, err error) {
	for {
		c, err := g.s.must()
		if err != nil {
			return false, err
		}
		if c == '}' {
			if _, err = g.s.next(); err != nil {
				return false, err
			}
			return true, g.checkTop()
		}
		if !g.top.first {
			if err := g.s.take(','); err != nil {
				return false, err
			}
		}
		g.top.first = false
		begins, err := g.member()
		if err != nil || begins {
			return false, err
		}
	}
}

// member reads one member of the outermost object; true when it is the features array, of which the
// bracket has been taken.
func (g *geoJSON) member() (bool, error) {
	name, err := g.s.key()
	if err != nil {
		return false, err
	}
	if name == "features" {
		if g.top.features {
			return false, fatal(g.s.line, "there is a second features member")
		}
		g.top.features, g.inside, g.fresh = true, true, true
		return true, g.s.take('[')
	}
	v, err := g.s.value()
	if err != nil {
		return false, err
	}
	if v.large {
		return false, fatal(v.line, "the member %q is larger than %d bytes", clip(name), g.o.MaxRecordBytes)
	}
	switch name {
	case "type", "id", "geometry", "properties":
		g.top.members[name] = bytes.Clone(v.raw)
	case "crs":
		return false, g.checkCRS(v)
	}
	return false, nil
}

// checkTop judges the outermost object once it is whole.
func (g *geoJSON) checkTop() error {
	kind := text(g.top.members["type"])
	switch {
	case g.top.features && kind != "FeatureCollection":
		return fatal(g.top.line, "what has features is a FeatureCollection, but its type is %q", clip(kind))
	case !g.top.features && kind != "Feature":
		return fatal(g.top.line, "a FeatureCollection with features, or a Feature, should be here; the type is %q", clip(kind))
	}
	return nil
}

// checkCRS takes the names of lon/lat frames, and the one that the options say.
func (g *geoJSON) checkCRS(v cut) error {
	if string(v.raw) == "null" {
		return nil
	}
	var crs struct {
		Properties struct {
			Name string `json:"name"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(v.raw, &crs); err != nil || crs.Properties.Name == "" {
		return fatal(v.line, "crs: is not understood; GeoJSON is in WGS 84 lon/lat (RFC 7946)")
	}
	name := strings.ToLower(crs.Properties.Name)
	name = strings.TrimPrefix(strings.TrimPrefix(name, "urn:ogc:def:crs:"), "http://www.opengis.net/def/crs/")
	short := strings.NewReplacer("epsg::", "epsg:", "epsg/0/", "epsg:", "ogc:1.3:", "", "ogc/1.3/", "", "ogc::", "").Replace(name)
	if f, err := geo.ParseFrame(short); err == nil && (f == geo.FrameWGS84 || f == g.o.Frame) {
		return nil
	}
	return fatal(v.line, "crs: %q is not WGS 84 lon/lat; convert the file to EPSG:4326, or name its frame (%s, %s, %s, %s) if it is one of those",
		clip(crs.Properties.Name), geo.FrameGCJ02, geo.FrameBD09, geo.FrameEPSG4549, geo.FrameEPSG4528)
}

// single makes the outermost object a feature.
func (g *geoJSON) single() (risk.Record, *risk.Refusal, error) {
	record, refusal := g.read(g.top.members, g.top.line)
	return record, refusal, nil
}

// feature reads one element of the array.
func (g *geoJSON) feature() (risk.Record, *risk.Refusal, error) {
	v, err := g.s.cut()
	if err != nil {
		return risk.Record{}, nil, err
	}
	if v.large {
		return risk.Record{}, &risk.Refusal{Line: v.line, Reason: errs.New(errs.TooLarge, "the feature is larger than %d bytes", g.o.MaxRecordBytes).Error()}, nil
	}
	var members map[string]json.RawMessage
	err = json.Unmarshal(v.raw, &members)
	var wrongType *json.UnmarshalTypeError
	if err != nil && !errors.As(err, &wrongType) {
		return risk.Record{}, nil, v.explain(err)
	}
	if members == nil {
		return risk.Record{}, &risk.Refusal{Line: v.line, Reason: "a feature is an object"}, nil
	}
	record, refusal := g.read(members, v.line)
	return record, refusal, nil
}

func (g *geoJSON) read(members map[string]json.RawMessage, line int) (risk.Record, *risk.Refusal) {
	id, idErr := featureID(members["id"])
	refuse := func(reason string) (risk.Record, *risk.Refusal) {
		return risk.Record{}, &risk.Refusal{Line: line, Key: id, Reason: reason}
	}
	if kind := text(members["type"]); kind != "Feature" {
		return refuse("type: a Feature should be here, not " + clip(string(members["type"])))
	}
	if idErr != nil {
		return refuse(idErr.Error())
	}
	raw := members["geometry"]
	if len(raw) == 0 || string(raw) == "null" {
		return refuse("geometry: is missing or null")
	}
	geometry, err := geojson.DecodeIn(raw, g.o.Frame)
	if err != nil {
		return refuse("geometry." + err.Error())
	}
	properties, err := decodeProperties(members["properties"])
	if err != nil {
		return refuse(err.Error())
	}
	feature, err := g.asm.feature(geometry, properties, id)
	if err != nil {
		return refuse(err.Error())
	}
	return risk.Record{Line: line, Feature: feature}, nil
}

// text is a JSON string's value, empty for anything else.
func text(raw json.RawMessage) string {
	if len(raw) > 1 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// featureID reads a feature's own id: a string, a number, or none.
func featureID(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	switch raw[0] {
	case '"':
		return text(raw), nil
	case '{', '[', 't', 'f':
		return "", errs.InvalidField("id", "is neither a string nor a number")
	}
	return string(raw), nil
}

// clip shortens what a message quotes.
func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
