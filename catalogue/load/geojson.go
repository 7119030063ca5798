package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"onemap/catalogue"
	"onemap/catalogue/geojson"
	"onemap/geo"
	"onemap/internal/fault"
	"onemap/internal/text"
)

// geoJSON reads a FeatureCollection member by member, features one after another, bare geometries, and arrays of both.
type geoJSON struct {
	s      *scanner
	o      Options
	asm    *assembler
	inside bool      // in an array of features or geometries
	bare   bool      // the array is the top level of the file, not a member of an object
	fresh  bool      // no element of the array was read, or the last one was broken: a comma is not required
	begun  bool      // at least one value was read
	read   bool      // a record was read with the current frame; a later crs member cannot change it
	ended  bool      // the last record was not closed and contains the end of the file
	top    topObject // the object around the array
	failed error
}

// topObject holds what was read of the outermost object.
type topObject struct {
	line    int
	at      int64
	members map[string]json.RawMessage // the members of a feature or a geometry that were read
	list    string                     // the member that is an array of features or geometries, once it has begun
	first   bool                       // no member has been read
	wrong   error                      // the error of a member that is not valid JSON
}

// newGeoJSON returns a reader. It does not read; the first Next returns errors.
func newGeoJSON(text content, asm *assembler) *geoJSON {
	return &geoJSON{s: newScanner(text, asm.o.MaxRecordBytes), o: asm.o, asm: asm}
}

// Next returns the next feature, a refusal of it, io.EOF, or an error that ends the reading.
func (g *geoJSON) Next() (catalogue.Record, *catalogue.Refusal, error) {
	if g.ended {
		g.failed = io.EOF
	}
	if g.failed != nil {
		return catalogue.Record{}, nil, g.failed
	}
	record, refusal, err := g.next()
	g.failed = err
	return record, refusal, err
}

// next reads the outermost objects one by one. From an object with a list of features or geometries it returns each
// element as it reads it, so that the list is never in memory as a whole. It reads any other object completely; such an
// object is a feature or a geometry.
func (g *geoJSON) next() (catalogue.Record, *catalogue.Refusal, error) {
	for {
		if g.inside {
			more, err := g.element()
			if err != nil {
				return catalogue.Record{}, nil, err
			}
			if more {
				return g.feature()
			}
			if g.inside = false; g.bare {
				g.bare = false
				continue
			}
		} else if err := g.openTop(); err != nil {
			return catalogue.Record{}, nil, err
		}
		if g.inside {
			continue
		}
		done, err := g.restOfTop()
		if g.top.list == "" && isBroken(err) {
			refusal := &catalogue.Refusal{Line: g.top.line, Offset: g.top.at, Key: g.keyOf(g.top.members), Reason: err.Error()}
			return catalogue.Record{}, refusal, g.s.skipObject()
		}
		if err != nil {
			return catalogue.Record{}, nil, err
		}
		if done && g.top.list == "" {
			return g.single()
		}
	}
}

// openTop begins the next outermost object. It returns io.EOF if there is none.
func (g *geoJSON) openTop() error {
	c, err := g.s.peek()
	if errors.Is(err, io.EOF) && !g.begun {
		return fatal(g.s.line, "the file is empty")
	}
	if err != nil {
		return err
	}
	if c != '{' && c != '[' {
		return fatal(g.s.line, "GeoJSON begins with an object, not with %q", rune(c))
	}
	g.begun = true
	g.top = topObject{line: g.s.line, at: g.s.at, members: map[string]json.RawMessage{}, first: true}
	// A bare array of features is not GeoJSON (RFC 7946, 2), but some programs write it.
	if c == '[' {
		g.inside, g.bare, g.fresh = true, true, true
	}
	_, err = g.s.next()
	return err
}

// element moves to the next element of the array. It returns false at the end of the array.
func (g *geoJSON) element() (bool, error) {
	c, err := g.s.must()
	if err != nil {
		return false, err
	}
	if c == ']' {
		_, err = g.s.next()
		return false, err
	}
	// After a broken element the comma may already be consumed, so an element without a comma is accepted too.
	if !g.fresh || c == ',' {
		if err := g.s.take(','); err != nil {
			return false, err
		}
	}
	g.fresh = false
	return true, nil
}

// restOfTop reads members until an array of features or geometries begins (false) or the object ends (true).
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

// member reads one member of the outermost object. It returns true if the member is an array of features or geometries;
// the opening bracket is then consumed.
func (g *geoJSON) member() (bool, error) {
	name, err := g.s.key()
	if err != nil {
		return false, err
	}
	if name == "features" || name == "geometries" {
		// The features of the first list were already returned, so a second list cannot replace it.
		if g.top.list != "" {
			return false, fatal(g.s.line, "there is a second %s member", name)
		}
		c, err := g.s.must()
		if err != nil {
			return false, err
		}
		if c != '[' {
			return false, fatal(g.s.line, "malformed JSON: %q where '[' should be", rune(c))
		}
		g.top.list, g.inside, g.fresh = name, true, true
		return true, g.s.take('[')
	}
	v, err := g.s.cut()
	if err != nil {
		return false, err
	}
	if v.large {
		return false, fatal(v.line, "the member %q is larger than %d bytes", clip(name), g.o.MaxRecordBytes)
	}
	// The type may be the last member, so all members that a feature or a geometry can need are kept until the end.
	switch name {
	case "type", "id", "geometry", "properties", "coordinates":
		if g.top.wrong == nil {
			g.top.wrong = v.check()
		}
		g.top.members[name] = bytes.Clone(v.raw)
	case "crs":
		return false, g.checkCRS(v)
	}
	return false, nil
}

// checkTop checks the type of the complete outermost object. single checks the syntax of a feature or geometry.
func (g *geoJSON) checkTop() error {
	kind := stringOf(g.top.members["type"])
	switch list := g.top.list; {
	case list == "features" && kind != "FeatureCollection":
		return fatal(g.top.line, "what has features is a FeatureCollection, but its type is %q", clip(kind))
	case list == "geometries" && kind != "GeometryCollection":
		return fatal(g.top.line, "what has geometries is a GeometryCollection, but its type is %q", clip(kind))
	case list == "" && kind != "Feature" && !isGeometry(kind):
		return fatal(g.top.line, "a FeatureCollection with features, a Feature or a geometry should be here; the type is %q", clip(kind))
	}
	return nil
}

// isGeometry reports whether a type is a geometry type other than GeometryCollection.
func isGeometry(kind string) bool {
	switch kind {
	case "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon":
		return true
	}
	return false
}

// checkCRS accepts the names of lon/lat frames and the frame of the options. If the options name no frame, it sets the
// frame from the member.
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
	// The member is of GeoJSON 2008; RFC 7946 took it out. Programs write it as a URN, as a URL, or short.
	name := strings.ToLower(crs.Properties.Name)
	name = strings.TrimPrefix(strings.TrimPrefix(name, "urn:ogc:def:crs:"), "http://www.opengis.net/def/crs/")
	short := strings.NewReplacer("epsg::", "epsg:", "epsg/0/", "epsg:", "ogc:1.3:", "", "ogc/1.3/", "", "ogc::", "").Replace(name)
	f, err := geo.ParseFrame(short)
	switch {
	case err != nil:
		return fatal(v.line, "crs: %q is not WGS 84 lon/lat and none of the frames that --frame knows; convert the file to EPSG:4326", clip(crs.Properties.Name))
	case f == g.o.Frame, f == geo.FrameWGS84 && (g.o.Frame == "" || g.o.Frame.Degrees()): // files in GCJ-02 call themselves WGS 84
		return nil
	case g.o.Frame != "":
		return fatal(v.line, "crs: %q is not the frame %s", clip(crs.Properties.Name), g.o.Frame)
	case g.read:
		return fatal(v.line, "crs: %q stands behind the features; name it by --frame %s", clip(crs.Properties.Name), f)
	}
	g.o.Frame = f
	g.asm.tally.said = append(g.asm.tally.said, "coordinates are "+string(f)+", as the crs member says")
	return nil
}

// single returns the outermost object as a feature.
func (g *geoJSON) single() (catalogue.Record, *catalogue.Refusal, error) {
	at := cut{line: g.top.line, at: g.top.at}
	if g.top.wrong != nil {
		return catalogue.Record{}, g.refuse(at, g.keyOf(salvageMembers(g.top.members)), g.top.wrong.Error()), nil
	}
	record, refusal := g.take(g.top.members, at)
	return record, refusal, nil
}

// salvageMembers returns the members whose syntax can be repaired.
func salvageMembers(members map[string]json.RawMessage) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for name, raw := range members {
		if clean := withoutNaN(bytes.ToValidUTF8(raw, []byte("\ufffd"))); json.Valid(clean) {
			out[name] = clean
		}
	}
	return out
}

// feature reads one element of the array. It returns a refusal for an element that is not valid JSON, and continues after
// it.
func (g *geoJSON) feature() (catalogue.Record, *catalogue.Refusal, error) {
	v, err := g.s.cut()
	whole := err == nil
	if err != nil && !isBroken(err) && nextStart(g.s.buf, 1) < 0 {
		if g.s.quoting && endsWhole(g.s.buf) {
			g.ended = true
			return catalogue.Record{}, g.refuse(v, g.keyOf(salvage(g.s.buf)), brokenReason(err)), nil
		}
		return catalogue.Record{}, nil, err // the file ends, and no other feature begins in the bytes that were read
	}
	if whole && v.large {
		return catalogue.Record{}, g.refuse(v, "", fault.New(fault.TooLarge, "the feature is larger than %d bytes", g.o.MaxRecordBytes).Error()), nil
	}
	if whole {
		err = v.check()
	}
	if err != nil && len(g.s.buf) == 0 {
		return catalogue.Record{}, nil, err
	}
	if err != nil {
		refusal := g.refuse(v, g.keyOf(salvage(g.s.buf)), brokenReason(err))
		g.fresh = true
		return catalogue.Record{}, refusal, g.s.resume(v, whole)
	}
	// RawMessage keeps the text of a number, so no digit of a property changes.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(v.raw, &members); err != nil || members == nil {
		return catalogue.Record{}, g.refuse(v, "", "a feature is an object"), nil
	}
	record, refusal := g.take(members, v)
	return record, refusal, nil
}

// brokenReason returns the text of a syntax error, or of a feature whose end was not found.
func brokenReason(err error) string {
	if isBroken(err) {
		return err.Error()
	}
	return "malformed JSON: a quote or a bracket is not closed"
}

// refuse returns the refusal of the value v.
func (g *geoJSON) refuse(v cut, key, reason string) *catalogue.Refusal {
	return &catalogue.Refusal{Line: v.line, Offset: v.at, Key: key, Reason: reason}
}

// keyOf returns the key of a refused feature, or "" if its members do not contain one. With the key, the import keeps the
// existing feature of the layer.
func (g *geoJSON) keyOf(members map[string]json.RawMessage) string {
	id, err := featureID(members["id"])
	if err != nil {
		return ""
	}
	properties, err := decodeProperties(members["properties"])
	if err != nil {
		properties = nil
	}
	who, err := g.asm.identify(properties, id)
	if err != nil || checkText("key", who.key) != nil {
		return ""
	}
	return who.key
}

// take returns a feature from its members, or from the members of a bare geometry.
func (g *geoJSON) take(members map[string]json.RawMessage, v cut) (catalogue.Record, *catalogue.Refusal) {
	g.read = true
	raw := members["geometry"]
	switch kind := stringOf(members["type"]); {
	case isGeometry(kind) || kind == "GeometryCollection" && len(members["geometries"]) > 0:
		var err error
		if raw, err = json.Marshal(members); err != nil {
			return catalogue.Record{}, g.refuse(v, "", err.Error())
		}
		members = map[string]json.RawMessage{}
	case kind != "Feature":
		return catalogue.Record{}, g.refuse(v, g.keyOf(members), "type: a Feature should be here, not "+clip(string(members["type"])))
	}
	feature, err := g.assemble(members, raw)
	if err != nil {
		return catalogue.Record{}, g.refuse(v, feature.Key, err.Error())
	}
	return catalogue.Record{Line: v.line, Offset: v.at, Feature: feature}, nil
}

// assemble returns a feature from its members. It finds the key before it decodes the geometry, so that a refusal can
// contain the key.
func (g *geoJSON) assemble(members map[string]json.RawMessage, raw json.RawMessage) (catalogue.Feature, error) {
	id, err := featureID(members["id"])
	if err != nil {
		return catalogue.Feature{}, err
	}
	properties, err := decodeProperties(members["properties"])
	none := catalogue.Feature{Key: id}
	if err != nil {
		return none, err
	}
	who, err := g.asm.identify(properties, id)
	if err != nil {
		return none, err
	}
	none.Key = who.key
	if len(raw) == 0 || string(raw) == "null" {
		return none, fault.InvalidField("geometry", "is missing or null")
	}
	geometry, err := geojson.DecodeIn(raw, g.o.Frame)
	if err != nil {
		return none, fault.New(fault.Invalid, "geometry.%v", err)
	}
	feature, err := g.asm.feature(geometry, who, properties)
	feature.Properties = properties
	return feature, err
}

// stringOf returns the value of a JSON string, or "" for any other value.
func stringOf(raw json.RawMessage) string {
	if len(raw) > 1 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// featureID returns the id member of a feature: the string, the text of the number, or "" if there is none.
func featureID(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	switch raw[0] {
	case '"':
		return stringOf(raw), nil
	case '{', '[', 't', 'f':
		return "", fault.InvalidField("id", "is neither a string nor a number")
	}
	return string(raw), nil
}

// clip shortens a quoted text to one line of a message.
func clip(s string) string {
	return text.Cut(oneLine(s), 60)
}
