package load

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/errs"
	"onemap/risk"
)

// table reads CSV, RFC 4180, one row a point.
type table struct {
	r        *csv.Reader
	bound    *boundedReader
	o        Options
	asm      assembler
	header   []string
	lon, lat int
	types    map[string]string
	line     int // the last one of the row before
	failed   error
}

// errRowTooLarge stops a row that does not end.
var errRowTooLarge = errors.New("the row is too large; is a quote not closed?")

// boundedReader fails once more than left bytes have been read.
type boundedReader struct {
	r    io.Reader
	left int
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errRowTooLarge
	}
	n, err := b.r.Read(p)
	b.left -= n
	return n, err
}

// newCSV reads the header.
func newCSV(text *bufio.Reader, o Options) (*table, error) {
	head, _ := text.Peek(sniffBytes)
	t := &table{bound: &boundedReader{r: text}, o: o, asm: assembler{o: o}, types: map[string]string{}}
	t.r = csv.NewReader(t.bound)
	t.r.Comma = delimiter(head)
	t.r.FieldsPerRecord = -1
	t.r.ReuseRecord = true
	row, _, err := t.row()
	if errors.Is(err, io.EOF) {
		return nil, fatal(1, "the file is empty; a row of column names is the first")
	}
	if err != nil {
		return nil, err
	}
	if err := t.useHeader(row); err != nil {
		return nil, err
	}
	for _, f := range o.Fields {
		t.types[f.Name] = f.Type
	}
	return t, nil
}

// delimiter is the comma, unless the first line has none and has tabs or semicolons.
func delimiter(head []byte) rune {
	line, _, _ := strings.Cut(string(head), "\n")
	best := ','
	for _, c := range "\t;" {
		if strings.Count(line, string(c)) > strings.Count(line, string(best)) {
			best = c
		}
	}
	return best
}

func (t *table) useHeader(row []string) error {
	t.header = make([]string, len(row))
	for i, name := range row {
		name = strings.TrimSpace(name)
		if slices.Contains(t.header[:i], name) && name != "" {
			return fatal(1, "the column %q is there twice", clip(name))
		}
		t.header[i] = name
	}
	var err error
	if t.lon, err = t.column(roleLon, "longitude"); err != nil {
		return err
	}
	if t.lat, err = t.column(roleLat, "latitude"); err != nil {
		return err
	}
	for _, r := range []role{roleKey, roleName, roleNameEN, roleLevel, roleDivision} {
		if name := t.asm.named(r); name != "" && name != NoField && !slices.Contains(t.header, name) {
			return fatal(1, "there is no column %q; there are: %s", name, clip(strings.Join(t.header, ", ")))
		}
	}
	return nil
}

// column finds the column of a coordinate.
func (t *table) column(r role, what string) (int, error) {
	names := usualNames(r, t.o.Frame)
	if given := t.asm.named(r); given != "" {
		names = []string{given}
	}
	for _, name := range names {
		if i := slices.IndexFunc(t.header, func(h string) bool { return strings.EqualFold(h, name) }); i >= 0 {
			return i, nil
		}
	}
	return 0, fatal(1, "no column holds the %s: its name should be %s", what, strings.Join(names, ", "))
}

// row takes the next row and the line at which it begins. An unbalanced quote is an error of the
// whole file: where it belongs to cannot be told.
func (t *table) row() ([]string, int, error) {
	t.bound.left = t.o.MaxRecordBytes
	row, err := t.r.Read()
	var syntax *csv.ParseError
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		return nil, 0, io.EOF
	case errors.As(err, &syntax):
		return nil, 0, fatal(syntax.StartLine, "malformed CSV: %v", syntax.Err)
	default:
		return nil, 0, fatal(t.line+1, "cannot be read from here on: %v", err)
	}
	line, _ := t.r.FieldPos(0)
	t.line, _ = t.r.FieldPos(len(row) - 1)
	for _, cell := range row {
		if !utf8.ValidString(cell) {
			return nil, 0, fatal(line, "the text is not UTF-8 from here on; if it is GBK, say so by the encoding")
		}
	}
	return row, line, nil
}

// Next gives the next row as a point, a refusal of it, io.EOF, or an error that ends the reading.
func (t *table) Next() (risk.Record, *risk.Refusal, error) {
	if t.failed != nil {
		return risk.Record{}, nil, t.failed
	}
	row, line, err := t.row()
	if err != nil {
		t.failed = err
		return risk.Record{}, nil, err
	}
	feature, err := t.feature(row)
	if err != nil {
		return risk.Record{}, &risk.Refusal{Line: line, Key: feature.Key, Reason: err.Error()}, nil
	}
	return risk.Record{Line: line, Feature: feature}, nil, nil
}

func (t *table) feature(row []string) (risk.Feature, error) {
	if len(row) != len(t.header) {
		return risk.Feature{}, errs.New(errs.Invalid, "the row has %d columns, the header %d", len(row), len(t.header))
	}
	p, err := t.point(row)
	if err != nil {
		return risk.Feature{}, err
	}
	properties := make(map[string]any, len(row))
	lower := make(map[string]any, len(row)) // the names by which roles are looked for
	for i, cell := range row {
		name := t.header[i]
		if i == t.lon || i == t.lat || name == "" {
			continue
		}
		v, err := t.typed(name, cell)
		if err != nil {
			return risk.Feature{}, err
		}
		properties[name], lower[name], lower[strings.ToLower(name)] = v, cell, cell
	}
	f, err := t.asm.feature(p, lower, "")
	f.Properties = properties
	return f, err
}

// typed is a cell as the catalogue's field types want it; an empty cell of a number is nothing.
func (t *table) typed(name, cell string) (any, error) {
	if err := checkText(name, cell); err != nil {
		return nil, err
	}
	trimmed := strings.TrimSpace(cell)
	if kind := t.types[name]; trimmed == "" && kind != "" && kind != "string" {
		return nil, nil // an empty cell is JSON's null
	}
	switch t.types[name] {
	case "number":
		v, _, ok := decimal(trimmed)
		if !ok {
			return nil, errs.InvalidField(name, "%q is no number of at most %d digits", clip(cell), core.MaxDigits)
		}
		return v, nil
	case "integer":
		v, whole, ok := decimal(trimmed)
		if !ok || !whole {
			return nil, errs.InvalidField(name, "%q is no whole number of at most %d digits", clip(cell), core.MaxDigits)
		}
		return v, nil
	case "boolean":
		switch strings.ToLower(trimmed) {
		case "true", "1", "yes", "是":
			return true, nil
		case "false", "0", "no", "否":
			return false, nil
		}
		return nil, errs.InvalidField(name, "%q is neither true nor false", clip(cell))
	}
	return cell, nil
}

func (t *table) point(row []string) (orb.Point, error) {
	var p orb.Point
	for i, column := range []int{t.lon, t.lat} {
		cell := strings.TrimSpace(row[column])
		if cell == "" {
			return p, errs.InvalidField(t.header[column], "is empty")
		}
		var err error
		if t.o.Frame.Degrees() {
			p[i], err = geo.ParseDegrees(cell)
		} else {
			p[i], err = strconv.ParseFloat(cell, 64)
		}
		if err != nil {
			return p, errs.InvalidField(t.header[column], "%q is no coordinate", clip(cell))
		}
	}
	p = t.o.Frame.ToWGS84(p)
	return p, geo.CheckPoint(p)
}
