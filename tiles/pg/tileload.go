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

// Load implements tiles.Loader. It holds one connection, and no more than a few rows, until it ends.
func (db *DB) Load(ctx context.Context, s tiles.Spec, each func(*tiles.Feature) error) error {
	return db.load(ctx, s, "", nil, each)
}

// Fetch implements tiles.Loader.
func (db *DB) Fetch(ctx context.Context, s tiles.Spec, ids []int64, each func(*tiles.Feature) error) error {
	if len(ids) == 0 {
		return nil
	}
	return db.load(ctx, s, " and f.id = any($2)", []any{ids}, each)
}

// The columns of a load; those of the fields follow.
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

const loadColumns = "f.id, f.geom, f.division_code, f.name_zh, f.name_en, f.level, f.origin"

// load reads the layer's features that the condition, whose arguments begin at $2, holds for. A field
// comes as JSON, whose first byte says of what type it is; a text as itself.
func (db *DB) load(ctx context.Context, s tiles.Spec, where string, args []any, each func(*tiles.Feature) error) error {
	args = append([]any{s.ID}, args...)
	formats := pgx.QueryResultFormats{1, 1, 1, 1, 1, 1, 1, 0} // binary, but JSON is text
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
	// Planned for this layer alone: the plan for any layer would read a large one by an index.
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
	words   map[string]string // divisions and origins that were seen: a layer has few
}

func newFeatureReader(s tiles.Spec) *featureReader {
	r := &featureReader{spec: s, words: map[string]string{}}
	r.feature.Values = make([][]byte, len(s.Fields))
	return r
}

// read decodes one row, as PostgreSQL sends it.
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

// word is the text as a string that is made once.
func (r *featureReader) word(b []byte) string {
	w, ok := r.words[string(b)]
	if !ok {
		w = string(b)
		r.words[w] = w
	}
	return w
}

// valueOf is what a field of the type takes of a JSON value, nil when nothing. A whole number loses
// its ".0".
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

// isNumber tells a JSON number from the other values.
func isNumber(raw []byte) bool { return raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' }

// wholeNumber is a JSON number without its fraction, when that is of zeros; nil for everything else.
// PostgreSQL writes no exponents.
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

// severityOf is a JSON number from 1 to 4, and none for everything else.
func severityOf(raw []byte) core.Level {
	if w := wholeNumber(raw); len(w) == 1 && w[0] >= '1' && w[0] <= '4' {
		return core.Level(w[0] - '0')
	}
	return core.None
}
