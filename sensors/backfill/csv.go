package backfill

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"onemap/internal/errs"
)

// table reads CSV, RFC 4180, one row a reading.
type table struct {
	*lines
	o       Options
	comma   byte
	width   int // columns
	col     struct{ device, datastream, id, time, value, qc int }
	cells   [][]byte
	scratch []byte
	rec     Record
}

// usual names a column may have, in lower case, when none is given.
func usual(column string) []string {
	switch column {
	case "device":
		return []string{"device", "device_id", "station", "设备", "设备编号", "测站"}
	case "datastream":
		return []string{"datastream", "datastream_name", "name", "指标", "要素"}
	case "datastream_id":
		return []string{"datastream_id"}
	case "t":
		return []string{"t", "time", "ts", "timestamp", "时间", "监测时间"}
	case "v":
		return []string{"v", "value", "result", "值", "监测值"}
	default:
		return []string{"qc", "quality", "质控"}
	}
}

// newTable reads the header.
func newTable(l *lines, o Options) (*table, error) {
	t := &table{lines: l, o: o, comma: ','}
	head, whole, err := l.record()
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "the first row, which names the columns, cannot be read")
	}
	switch {
	case !utf8.Valid(head):
		return nil, notUTF8("GBK")
	case !whole:
		return nil, errs.InvalidField("line 1", "a quote is not closed")
	}
	for _, c := range []byte("\t;") {
		if bytes.Count(head, []byte{c}) > bytes.Count(head, []byte{t.comma}) {
			t.comma = c
		}
	}
	if msg := t.split(head); msg != "" {
		return nil, errs.InvalidField("line 1", "%s", msg)
	}
	names := make([]string, len(t.cells))
	for i, c := range t.cells {
		names[i] = strings.ToLower(string(bytes.TrimSpace(c)))
	}
	t.width = len(names)
	return t, t.place(names)
}

// place finds the columns that are needed: of time and value, and either the datastream's id or the device
// and the datastream's name.
func (t *table) place(names []string) error {
	for _, c := range []struct {
		at          *int
		name, given string
	}{
		{&t.col.device, "device", t.o.Columns.Device},
		{&t.col.datastream, "datastream", t.o.Columns.Datastream},
		{&t.col.id, "datastream_id", t.o.Columns.DatastreamID},
		{&t.col.time, "t", t.o.Columns.Time},
		{&t.col.value, "v", t.o.Columns.Value},
		{&t.col.qc, "qc", t.o.Columns.QC},
	} {
		want := usual(c.name)
		if c.given != "" {
			want = []string{strings.ToLower(c.given)}
		}
		*c.at = -1
		for _, name := range want {
			i := slices.Index(names, name)
			if i < 0 {
				continue
			}
			if slices.Contains(names[i+1:], name) {
				return errs.InvalidField("line 1", "the column %q is there twice", name)
			}
			*c.at = i
			break
		}
		if *c.at < 0 && (c.given != "" || c.name == "t" || c.name == "v") {
			return errs.InvalidField("line 1", "there is no column %s; there are: %s", strings.Join(want, ", "), clip(strings.Join(names, ", ")))
		}
	}
	if t.col.id < 0 && (t.col.device < 0 || t.col.datastream < 0) {
		return errs.InvalidField("line 1", "columns device and datastream, or datastream_id, are needed; there are: %s", clip(strings.Join(names, ", ")))
	}
	return nil
}

// split cuts a row into its cells; msg is what is wrong with it.
func (t *table) split(row []byte) (msg string) {
	t.cells, t.scratch = t.cells[:0], t.scratch[:0]
	for {
		if len(row) > 0 && row[0] == '"' {
			cell, rest, ok := t.quoted(row[1:])
			if !ok || len(rest) > 0 && rest[0] != t.comma {
				return "a quote is not closed, or something follows it"
			}
			t.cells = append(t.cells, cell)
			if len(rest) == 0 {
				return ""
			}
			row = rest[1:]
			continue
		}
		i := bytes.IndexByte(row, t.comma)
		cell := row
		if i >= 0 {
			cell = row[:i]
		}
		if bytes.IndexByte(cell, '"') >= 0 {
			return "a quote in the middle of a cell"
		}
		t.cells = append(t.cells, cell)
		if i < 0 {
			return ""
		}
		row = row[i+1:]
	}
}

// quoted takes a cell behind its opening quote and gives what follows the closing one.
func (t *table) quoted(b []byte) (cell, rest []byte, ok bool) {
	from := len(t.scratch)
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			return nil, nil, false
		}
		t.scratch = append(t.scratch, b[:i]...)
		b = b[i+1:]
		if len(b) == 0 || b[0] != '"' {
			return t.scratch[from:len(t.scratch):len(t.scratch)], b, true
		}
		t.scratch = append(t.scratch, '"')
		b = b[1:]
	}
}

// Next gives the next row that is not empty.
func (t *table) Next() (*Record, error) {
	for {
		line := t.pos.Line + 1
		row, whole, err := t.record()
		t.rec.begin(line, row)
		if t.rec.tooLong(err, t.limit) {
			return &t.rec, nil
		}
		if err != nil {
			return nil, err
		}
		if whole && len(bytes.TrimSpace(row)) == 0 {
			continue
		}
		if !t.row(row, whole) && bytes.IndexByte(row, '\n') >= 0 {
			// two quotes that have nothing to do with each other must not cost the rows between them
			if row, err = t.firstLine(); err != nil {
				return nil, err
			}
			t.rec.begin(line, row)
			t.row(row, false)
		}
		return &t.rec, nil
	}
}

// Position is the place behind the last row.
func (t *table) Position() Position { return t.pos }

// row takes a row; it reports whether the row has the shape of one.
func (t *table) row(row []byte, whole bool) bool {
	if !utf8.Valid(row) {
		t.rec.refuse(ReasonBadText, "not UTF-8 (GBK? convert the file first)")
		return false
	}
	if !whole {
		t.rec.refuse(ReasonBadShape, "a quote is not closed")
		return false
	}
	if msg := t.split(row); msg != "" {
		t.rec.refuse(ReasonBadShape, msg)
		return false
	}
	if len(t.cells) != t.width {
		t.rec.refuse(ReasonBadShape, itoa(len(t.cells))+" columns, the header has "+itoa(t.width))
		return false
	}
	for i, c := range t.cells {
		t.cells[i] = bytes.TrimSpace(c)
	}
	t.value()
	return true
}

// value makes a reading of the cells.
func (t *table) value() {
	var v Value
	if !t.whose(&v) {
		return
	}
	at, msg, noZone := parseTime(t.cells[t.col.time], t.o.Zone)
	if msg != "" {
		t.rec.refuse(ReasonBadTime, "t: "+msg)
		t.rec.Refusals[len(t.rec.Refusals)-1].NoZone = noZone
		return
	}
	v.Time = at
	if v.Value, msg = parseNumber(t.cells[t.col.value]); msg != "" {
		t.rec.refuse(ReasonBadValue, "v: "+msg)
		return
	}
	if t.col.qc >= 0 {
		if v.QC, msg = parseQC(t.cells[t.col.qc]); msg != "" {
			t.rec.refuse(ReasonBadQC, "qc: "+msg)
			return
		}
	}
	t.rec.Values = append(t.rec.Values, v)
}

// whose names the datastream: by its id, when the row has one.
func (t *table) whose(v *Value) bool {
	if t.col.id >= 0 && (len(t.cells[t.col.id]) > 0 || t.col.device < 0 || t.col.datastream < 0) {
		var msg string
		if v.DatastreamID, msg = parseID(t.cells[t.col.id]); msg != "" {
			t.rec.refuse(ReasonNoStream, "datastream_id: "+msg)
			return false
		}
		return true
	}
	v.Device, v.Datastream = t.cells[t.col.device], t.cells[t.col.datastream]
	switch {
	case len(v.Device) == 0:
		t.rec.refuse(ReasonNoDevice, "device: empty")
	case len(v.Datastream) == 0:
		t.rec.refuse(ReasonNoStream, "datastream: empty")
	default:
		return true
	}
	return false
}
