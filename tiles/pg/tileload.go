package tilespg

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"onemap/catalogue"
	cataloguepg "onemap/catalogue/pg"
	"onemap/internal/core"
	"onemap/internal/pg"
	"onemap/tiles"
)

var _ tiles.Loader = (*DB)(nil)

// Specs implements tiles.Loader. It returns every layer, without a check of the audience.
func (db *DB) Specs(ctx context.Context) ([]tiles.Spec, error) {
	all, err := cataloguepg.AllEntries(ctx, db.pool)
	if err != nil {
		return nil, err
	}
	out := make([]tiles.Spec, len(all))
	for i, l := range all {
		out[i] = specOf(l)
	}
	return out, nil
}

// specOf returns the part of a catalogue entry that the tile engine needs.
func specOf(l catalogue.Layer) tiles.Spec {
	s := tiles.Spec{
		ID: l.ID, Name: l.Name, Title: l.Title, Audience: l.Audience, MinZoom: l.MinZoom, MaxZoom: l.MaxZoom,
		Rules: l.Tile, Version: l.Version, Count: l.Count, ModifiedAt: l.ModifiedAt,
	}
	for _, f := range tileFields(l) {
		s.Fields = append(s.Fields, tiles.Field{Name: f.Name, Type: f.Type})
	}
	return s
}

// Load implements tiles.Loader. It streams the rows: until it ends it uses one connection, and it holds only a few rows.
func (db *DB) Load(ctx context.Context, s tiles.Spec, each func(*tiles.Feature) error) error {
	return db.load(ctx, s, "", nil, each)
}

// Fetch implements tiles.Loader. It loads only the features with the ids.
func (db *DB) Fetch(ctx context.Context, s tiles.Spec, ids []int64, each func(*tiles.Feature) error) error {
	if len(ids) == 0 {
		return nil
	}
	return db.load(ctx, s, " and f.id = any($2)", []any{ids}, each)
}

// The columns of a load. The columns of the fields of the layer follow, from colFields on.
const (
	colID = iota
	colGeometry
	colDivision
	colNameZH
	colNameEN
	colLevel
	colOrigin
	colSeverity
	colFields
)

// loadColumns are the columns before colSeverity, in the same order.
const loadColumns = "f.id, f.geom, f.division_code, f.name_zh, f.name_en, f.level, f.origin"

// load reads the features of a layer that match the condition where, whose arguments args begin at $2. PostgreSQL sends
// a field as JSON (operator ->), whose first byte shows its type, and a field of type string as plain text (operator
// ->>).
func (db *DB) load(ctx context.Context, s tiles.Spec, where string, args []any, each func(*tiles.Feature) error) error {
	args = append([]any{s.ID}, args...)
	formats := pgx.QueryResultFormats{1, 1, 1, 1, 1, 1, 1, 0} // 1 is binary, 0 is text, which JSON is
	property := func(operator, name string) string {
		args = append(args, name)
		return fmt.Sprintf(", f.properties %s $%d::text", operator, len(args))
	}
	var sql strings.Builder
	sql.WriteString("select " + loadColumns)
	if s.Rules.Severity == "" {
		sql.WriteString(", null::jsonb")
	} else {
		sql.WriteString(property("->", s.Rules.Severity))
	}
	for _, f := range s.Fields {
		operator := "->"
		if f.Type == "string" {
			operator = "->>"
		}
		sql.WriteString(property(operator, f.Name))
		formats = append(formats, pgx.TextFormatCode)
	}
	sql.WriteString(" from feature f where f.layer_id = $1" + where)
	// DescribeExec plans the statement for this layer. A cached plan for any layer would read a large layer by an index,
	// which is slower than a sequential scan.
	rows, err := db.pool.Query(ctx, sql.String(), append([]any{pgx.QueryExecModeDescribeExec, formats}, args...)...)
	if err != nil {
		return pg.MapErr(err, "load layer "+s.Name)
	}
	defer rows.Close()
	r := newFeatureReader(s)
	for rows.Next() {
		f, err := r.read(rows.RawValues())
		if err != nil {
			return fmt.Errorf("load layer %s: %w", s.Name, err)
		}
		if err := each(f); err != nil {
			return err
		}
	}
	return pg.MapErr(rows.Err(), "load layer "+s.Name)
}

// featureReader converts the rows of a load to features. A feature is valid until the next call.
type featureReader struct {
	spec    tiles.Spec
	feature tiles.Feature
	shapes  pg.Shapes
	words   map[string]string // the divisions and origins so far; a layer has few different ones
}

// newFeatureReader returns a reader of the rows of a layer.
func newFeatureReader(s tiles.Spec) *featureReader {
	r := &featureReader{spec: s, words: map[string]string{}}
	r.feature.Values = make([][]byte, len(s.Fields))
	return r
}

// read decodes one row in the wire format of PostgreSQL. A geometry that cannot be decoded is not an error; the feature
// then has a Problem.
func (r *featureReader) read(row [][]byte) (*tiles.Feature, error) {
	f := &r.feature
	if len(row) != colFields+len(r.spec.Fields) || len(row[colID]) != 8 || len(row[colLevel]) != 2 {
		return nil, fmt.Errorf("a row of %d columns is not of the expected form", len(row))
	}
	f.ID = int64(binary.BigEndian.Uint64(row[colID]))
	f.Geometry, f.Problem = nil, ""
	if g, err := r.shapes.Decode(row[colGeometry]); err != nil {
		f.Problem = err.Error()
	} else {
		f.Geometry = g
	}
	f.Division, f.Origin = r.word(row[colDivision]), core.Origin(r.word(row[colOrigin]))
	f.NameZH, f.NameEN = row[colNameZH], row[colNameEN]
	f.Level = core.Level(binary.BigEndian.Uint16(row[colLevel]))
	f.Severity = f.Level
	if r.spec.Rules.Severity != "" {
		f.Severity = severityOf(row[colSeverity])
	}
	for i, field := range r.spec.Fields {
		f.Values[i] = valueOf(field.Type, row[colFields+i])
	}
	return f, nil
}

// word returns the text as a string. Equal texts share one string, which saves an allocation for each feature.
func (r *featureReader) word(b []byte) string {
	w, ok := r.words[string(b)]
	if !ok {
		w = string(b)
		r.words[w] = w
	}
	return w
}

// valueOf returns a JSON value if it has the type of the field, and nil if not. It removes the ".0" of a whole number
// in a field of type integer.
func valueOf(fieldType string, raw []byte) []byte {
	if len(raw) == 0 && fieldType != "string" {
		return nil
	}
	switch fieldType {
	case "boolean":
		if raw[0] != 't' && raw[0] != 'f' {
			return nil
		}
	case "number":
		if !isNumber(raw) {
			return nil
		}
	case "integer":
		return wholeNumber(raw)
	}
	return raw
}

// isNumber reports whether a JSON value is a number, by its first byte.
func isNumber(raw []byte) bool { return raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' }

// wholeNumber returns a JSON number without its fraction if the fraction has only zeros, and nil for any other value. It
// expects no exponent, because PostgreSQL does not write exponents in jsonb.
func wholeNumber(raw []byte) []byte {
	if len(raw) == 0 || !isNumber(raw) {
		return nil
	}
	whole, fraction, _ := bytes.Cut(raw, []byte("."))
	if len(bytes.TrimLeft(fraction, "0")) > 0 {
		return nil
	}
	return whole
}

// severityOf returns the level of a JSON number from 1 to 4, and core.None for any other value.
func severityOf(raw []byte) core.Level {
	if w := wholeNumber(raw); len(w) == 1 && w[0] >= '1' && w[0] <= '4' {
		return core.Level(w[0] - '0')
	}
	return core.None
}
