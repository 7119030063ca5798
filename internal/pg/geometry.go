package pg

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/paulmach/orb"
	"github.com/twpayne/go-geom"
	"github.com/twpayne/go-geom/encoding/ewkb"
)

// srid is the SRID of all geometries in the database: EPSG:4326, WGS 84, [lon, lat].
const srid = 4326

// registerTypes registers the types of a new connection: timestamps in UTC, and the geometry type of PostGIS. The OID of the
// geometry type differs between databases. Before the first migration there is no such type.
func registerTypes(ctx context.Context, conn *pgx.Conn) error {
	utc := &pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	}
	conn.TypeMap().RegisterType(utc)
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "_timestamptz", OID: pgtype.TimestamptzArrayOID, Codec: &pgtype.ArrayCodec{ElementType: utc},
	})
	// to_regtype returns NULL, and no error, for a type that does not exist.
	var oid *uint32
	if err := conn.QueryRow(ctx, "select to_regtype('geometry')::oid").Scan(&oid); err != nil {
		return fmt.Errorf("look up the geometry type: %w", err)
	}
	if oid != nil {
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "geometry", OID: *oid, Codec: geometryCodec{}})
	}
	return nil
}

// geometryCodec implements pgtype.Codec. Every orb.Geometry can be a query argument; orb.Geometry and its types can be scan
// targets. The wire format is EWKB, in binary or as hexadecimal text.
type geometryCodec struct{}

var _ pgtype.Codec = geometryCodec{}

// FormatSupported implements pgtype.Codec.
func (geometryCodec) FormatSupported(format int16) bool {
	return format == pgtype.BinaryFormatCode || format == pgtype.TextFormatCode
}

// PreferredFormat implements pgtype.Codec.
func (geometryCodec) PreferredFormat() int16 { return pgtype.BinaryFormatCode }

// PlanEncode implements pgtype.Codec. It returns nil for a value that is not a geometry.
func (geometryCodec) PlanEncode(_ *pgtype.Map, _ uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(orb.Geometry); !ok {
		return nil
	}
	return encodeGeometry{text: format == pgtype.TextFormatCode}
}

// encodeGeometry implements pgtype.EncodePlan.
type encodeGeometry struct{ text bool }

// Encode implements pgtype.EncodePlan.
func (p encodeGeometry) Encode(value any, buf []byte) ([]byte, error) {
	g, ok := value.(orb.Geometry)
	if !ok {
		return nil, fmt.Errorf("encode geometry: %T is no orb.Geometry", value)
	}
	b, err := MarshalEWKB(g)
	if err != nil {
		return nil, err
	}
	if p.text {
		return hex.AppendEncode(buf, b), nil
	}
	return append(buf, b...), nil
}

// PlanScan implements pgtype.Codec. It returns nil for a target that cannot hold a geometry.
func (geometryCodec) PlanScan(_ *pgtype.Map, _ uint32, format int16, target any) pgtype.ScanPlan {
	assign := assignTo(target)
	if assign == nil {
		return nil
	}
	return scanGeometry{text: format == pgtype.TextFormatCode}
}

// scanGeometry implements pgtype.ScanPlan.
type scanGeometry struct{ text bool }

// Scan implements pgtype.ScanPlan. NULL can only be scanned into an orb.Geometry.
func (p scanGeometry) Scan(src []byte, target any) error {
	if src == nil {
		if g, ok := target.(*orb.Geometry); ok {
			*g = nil
			return nil
		}
		return fmt.Errorf("scan geometry: cannot scan NULL into %T", target)
	}
	g, err := DecodeEWKB(src, p.text)
	if err != nil {
		return err
	}
	if !assignTo(target)(g) {
		return fmt.Errorf("scan geometry: a %s does not fit into %T", g.GeoJSONType(), target)
	}
	return nil
}

// DecodeDatabaseSQLValue implements pgtype.Codec.
func (geometryCodec) DecodeDatabaseSQLValue(_ *pgtype.Map, _ uint32, format int16, src []byte) (driver.Value, error) {
	return decodeNullable(src, format)
}

// DecodeValue implements pgtype.Codec.
func (geometryCodec) DecodeValue(_ *pgtype.Map, _ uint32, format int16, src []byte) (any, error) {
	return decodeNullable(src, format)
}

// decodeNullable decodes a geometry for callers without a target type. It returns nil for NULL.
func decodeNullable(src []byte, format int16) (any, error) {
	if src == nil {
		return nil, nil //nolint:nilnil // pgx's contract for NULL
	}
	return DecodeEWKB(src, format == pgtype.TextFormatCode)
}

// DecodeEWKB decodes one EWKB geometry, binary or as hexadecimal text. Z, M and the SRID are dropped.
func DecodeEWKB(src []byte, text bool) (orb.Geometry, error) {
	if text {
		raw := make([]byte, hex.DecodedLen(len(src)))
		if _, err := hex.Decode(raw, src); err != nil {
			return nil, fmt.Errorf("decode geometry: %w", err)
		}
		src = raw
	}
	return unmarshalEWKB(src)
}

// assignTo returns a function that stores a geometry in the target and reports whether the types match. It returns nil if the
// target cannot hold a geometry.
func assignTo(target any) func(orb.Geometry) bool {
	switch t := target.(type) {
	case *orb.Geometry:
		return func(g orb.Geometry) bool { *t = g; return true }
	case *orb.Point:
		return assignKind(t)
	case *orb.MultiPoint:
		return assignKind(t)
	case *orb.LineString:
		return assignKind(t)
	case *orb.MultiLineString:
		return assignKind(t)
	case *orb.Polygon:
		return assignKind(t)
	case *orb.MultiPolygon:
		return assignKind(t)
	case *orb.Collection:
		return assignKind(t)
	}
	return nil
}

// assignKind returns a function that stores a geometry of type T in t, and returns false for any other type.
func assignKind[T orb.Geometry](t *T) func(orb.Geometry) bool {
	return func(g orb.Geometry) bool {
		v, ok := g.(T)
		if ok {
			*t = v
		}
		return ok
	}
}

// MarshalEWKB encodes a geometry as EWKB with SRID 4326. A Ring and a Bound become a Polygon, because WKB has no such types.
func MarshalEWKB(g orb.Geometry) ([]byte, error) {
	t, err := toGeom(g)
	if err != nil {
		return nil, err
	}
	if t, err = geom.SetSRID(t, srid); err != nil {
		return nil, fmt.Errorf("encode geometry: %w", err)
	}
	b, err := ewkb.Marshal(t, ewkb.NDR)
	if err != nil {
		return nil, fmt.Errorf("encode geometry: %w", err)
	}
	return b, nil
}

// unmarshalEWKB decodes a geometry with any SRID. Z and M are dropped. orb has no empty point: it becomes an empty
// multi-point, and within a multi-point it is left out.
func unmarshalEWKB(b []byte) (orb.Geometry, error) {
	rest, err := walkEWKB(b, 0)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes are left over", len(rest))
	}
	if err != nil {
		return nil, fmt.Errorf("decode geometry: %w", err)
	}
	t, err := ewkb.Unmarshal(b)
	if err != nil {
		return nil, fmt.Errorf("decode geometry: %w", err)
	}
	return fromGeom(t)
}

// flatPoints returns the coordinates of points in go-geom's form: lon, lat, lon, lat.
func flatPoints(points []orb.Point) []float64 {
	out := make([]float64, 0, 2*len(points))
	for _, p := range points {
		out = append(out, p[0], p[1])
	}
	return out
}

// flatRings returns the coordinates and end indexes of a polygon in go-geom's form. offset is the number of coordinates
// before the polygon.
func flatRings(rings []orb.Ring, offset int) (coords []float64, ends []int) {
	for _, r := range rings {
		coords = append(coords, flatPoints(r)...)
		ends = append(ends, offset+len(coords))
	}
	return coords, ends
}

// toGeom converts a geometry of orb to go-geom, which encodes EWKB.
func toGeom(g orb.Geometry) (geom.T, error) {
	switch g := g.(type) {
	case orb.Point:
		return geom.NewPointFlat(geom.XY, g[:]), nil
	case orb.MultiPoint:
		return geom.NewMultiPointFlat(geom.XY, flatPoints(g)), nil
	case orb.LineString:
		return geom.NewLineStringFlat(geom.XY, flatPoints(g)), nil
	case orb.MultiLineString:
		var coords []float64
		var ends []int
		for _, l := range g {
			coords = append(coords, flatPoints(l)...)
			ends = append(ends, len(coords))
		}
		return geom.NewMultiLineStringFlat(geom.XY, coords, ends), nil
	case orb.Ring:
		return toGeom(orb.Polygon{g})
	case orb.Bound:
		return toGeom(g.ToPolygon())
	case orb.Polygon:
		coords, ends := flatRings(g, 0)
		return geom.NewPolygonFlat(geom.XY, coords, ends), nil
	case orb.MultiPolygon:
		var coords []float64
		var endss [][]int
		for _, p := range g {
			c, ends := flatRings(p, len(coords))
			coords, endss = append(coords, c...), append(endss, ends)
		}
		return geom.NewMultiPolygonFlat(geom.XY, coords, endss), nil
	case orb.Collection:
		return toCollection(g)
	}
	return nil, fmt.Errorf("encode geometry: unknown kind %T", g)
}

// toCollection converts a collection and its parts, which may be collections too.
func toCollection(c orb.Collection) (geom.T, error) {
	out := geom.NewGeometryCollection()
	if err := out.SetLayout(geom.XY); err != nil {
		return nil, fmt.Errorf("encode geometry: %w", err)
	}
	for _, part := range c {
		t, err := toGeom(part)
		if err != nil {
			return nil, err
		}
		if err := out.Push(t); err != nil {
			return nil, fmt.Errorf("encode geometry: %w", err)
		}
	}
	return out, nil
}

// pointsOf returns the points of flat coordinates, which have stride values per position. It drops Z and M.
func pointsOf(coords []float64, stride int) []orb.Point {
	out := make([]orb.Point, 0, len(coords)/max(stride, 1))
	for i := 0; i+1 < len(coords); i += stride {
		out = append(out, orb.Point{coords[i], coords[i+1]})
	}
	return out
}

// polygonOf returns the polygon of flat coordinates from start on. ends are the indexes behind each of its rings.
func polygonOf(coords []float64, start int, ends []int, stride int) orb.Polygon {
	out := make(orb.Polygon, 0, len(ends))
	for _, end := range ends {
		out = append(out, pointsOf(coords[start:end], stride))
		start = end
	}
	return out
}

// fromGeom converts a geometry of go-geom to orb. stride is the number of values per position: 2, or more with Z and M.
func fromGeom(t geom.T) (orb.Geometry, error) {
	stride := t.Stride()
	switch t := t.(type) {
	case *geom.Point:
		if t.Empty() {
			return orb.MultiPoint{}, nil // orb has no empty point
		}
		return orb.Point{t.X(), t.Y()}, nil
	case *geom.MultiPoint:
		return fromMultiPoint(t), nil
	case *geom.LineString:
		return orb.LineString(pointsOf(t.FlatCoords(), stride)), nil
	case *geom.MultiLineString:
		out, start := orb.MultiLineString{}, 0
		for _, end := range t.Ends() {
			out = append(out, pointsOf(t.FlatCoords()[start:end], stride))
			start = end
		}
		return out, nil
	case *geom.Polygon:
		return polygonOf(t.FlatCoords(), 0, t.Ends(), stride), nil
	case *geom.MultiPolygon:
		out, start := orb.MultiPolygon{}, 0
		for _, ends := range t.Endss() {
			out = append(out, polygonOf(t.FlatCoords(), start, ends, stride))
			if len(ends) > 0 {
				start = ends[len(ends)-1]
			}
		}
		return out, nil
	case *geom.GeometryCollection:
		out := orb.Collection{}
		for _, part := range t.Geoms() {
			g, err := fromGeom(part)
			if err != nil {
				return nil, err
			}
			out = append(out, g)
		}
		return out, nil
	}
	return nil, fmt.Errorf("decode geometry: unknown kind %T", t)
}

// fromMultiPoint converts a multi-point, without its empty points.
func fromMultiPoint(t *geom.MultiPoint) orb.Geometry {
	out := orb.MultiPoint{}
	for i := range t.NumPoints() {
		p := t.Point(i)
		if !p.Empty() {
			out = append(out, orb.Point{p.X(), p.Y()})
		}
	}
	return out
}
