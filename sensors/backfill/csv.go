package backfill

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"onemap/internal/charset"
)

// table reads CSV (RFC 4180). Either each row is one reading, or each row is one time of a device with one column per datastream
// (a wide table).
type table struct {
	*lines
	o       Options
	text    decoding
	times   timeReader
	numbers numberReader
	comma   []byte   // the delimiter
	head    []string // the names of the columns
	width   int      // number of columns
	col     columns
	wide    []wideColumn // nil: one reading per row
	all     []byte       // the datastream of every value; nil: a column contains it
	unread  []string     // columns of a wide table that match neither a datastream nor a device
	// cells holds the cells of the current row. They alias the row or scratch, so they are valid until the next row.
	cells [][]byte
	// scratch holds the content of quoted cells, in which two quotes are replaced by one.
	scratch []byte
	joined  []byte // date and time of day
	rec     Record
}

// split splits a row into its cells; msg is the fault of the row, or "".
func (t *table) split(row []byte) (msg string) {
	t.cells, t.scratch = t.cells[:0], t.scratch[:0]
	for {
		// RFC 4180 allows no space before a quote, but many programs write one.
		if quote := bytes.TrimLeft(row, " "); len(quote) > 0 && quote[0] == '"' {
			cell, rest, ok := t.quoted(quote[1:])
			rest = bytes.TrimLeft(rest, " ")
			if !ok || len(rest) > 0 && !bytes.HasPrefix(rest, t.comma) {
				return "a quote is not closed, or something follows it"
			}
			t.cells = append(t.cells, cell)
			if len(rest) == 0 {
				return ""
			}
			row = rest[len(t.comma):]
			continue
		}
		i := t.delimiter(row)
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
		row = row[i+len(t.comma):]
	}
}

// delimiter returns the index of the next delimiter, or -1.
func (t *table) delimiter(row []byte) int {
	// The usual delimiters have one byte; IndexByte is faster than Index.
	if len(t.comma) == 1 {
		return bytes.IndexByte(row, t.comma[0])
	}
	return bytes.Index(row, t.comma)
}

// quoted reads a cell after its opening quote. It returns the cell and the rest of the row after the closing quote.
func (t *table) quoted(b []byte) (cell, rest []byte, ok bool) {
	// The scratch is shared by all quoted cells of a row. If it grows, cells that were cut before keep the old array.
	from := len(t.scratch)
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			return nil, nil, false
		}
		t.scratch = append(t.scratch, b[:i]...)
		b = b[i+1:]
		// A quote closes the cell, unless another quote follows it. The full slice expression limits the capacity, so
		// that an append to this cell cannot overwrite the next one.
		if len(b) == 0 || b[0] != '"' {
			return t.scratch[from:len(t.scratch):len(t.scratch)], b, true
		}
		t.scratch = append(t.scratch, '"')
		b = b[1:]
	}
}

// Next returns the next row that is not empty.
func (t *table) Next() (*Record, error) {
	for {
		row, whole, err := t.record()
		t.rec.begin(t.before, row)
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
			// two unrelated quotes must not make the rows between them one record
			if row, err = t.firstLine(); err != nil {
				return nil, err
			}
			t.rec.begin(t.before, row)
			t.row(row, false)
		}
		return &t.rec, nil
	}
}

// Position returns the position after the last row.
func (t *table) Position() Position { return t.pos }

// Note returns the names of the columns of a wide table that are not read.
func (t *table) Note() string {
	if len(t.wide) == 0 || len(t.unread) == 0 {
		return ""
	}
	what := "no datastream"
	if t.col.device < 0 {
		what = "no device"
	}
	return "columns that name " + what + " are not read: " + clip(strings.Join(t.unread, ", "))
}

// row parses a row; it reports whether the row is well-formed.
func (t *table) row(row []byte, whole bool) bool {
	text, bad := t.text.utf8(row)
	t.rec.Raw = text
	if bad >= 0 {
		t.rec.refuseText(t.columnOf(text, bad), bad, t.text.gb)
		return false
	}
	if !whole {
		t.rec.refuse(ReasonBadShape, "", "a quote is not closed")
		return false
	}
	if msg := t.split(text); msg != "" {
		t.rec.refuse(ReasonBadShape, t.column(len(t.cells)), msg)
		return false
	}
	for len(t.cells) > t.width && len(bytes.TrimSpace(t.cells[len(t.cells)-1])) == 0 {
		t.cells = t.cells[:len(t.cells)-1] // delimiters at the end of a row
	}
	if len(t.cells) != t.width {
		t.rec.refuse(ReasonBadShape, "", itoa(len(t.cells))+" columns, the header has "+itoa(t.width))
		return false
	}
	// Data loggers and spreadsheets pad values with spaces.
	for i, c := range t.cells {
		t.cells[i] = bytes.TrimSpace(c)
	}
	t.value()
	return true
}

// columnOf returns the name of the column that contains the invalid byte of a row.
func (t *table) columnOf(text []byte, bad int) string {
	if t.text.gb {
		bad = bytes.IndexRune(text, utf8.RuneError) // bad is an index into the row before decoding
	}
	if t.split(text[:max(bad, 0)]) != "" {
		return t.column(len(t.cells)) // inside a quoted cell
	}
	return t.column(len(t.cells) - 1)
}

// column returns the name of a column; it returns "" if the header does not have the column.
func (t *table) column(i int) string {
	if i < 0 || i >= len(t.head) {
		return ""
	}
	return t.head[i]
}

// value converts the cells to readings.
func (t *table) value() {
	var v Value
	// whose and when refuse the row themselves.
	if !t.whose(&v) || !t.when(&v) {
		return
	}
	if t.col.qc >= 0 {
		var msg string
		if v.QC, msg = parseQC(t.cells[t.col.qc]); msg != "" {
			t.rec.refuse(ReasonBadQC, t.head[t.col.qc], msg)
			return
		}
	}
	// A long table has one value per row.
	if t.wide == nil {
		t.reading(&v, t.col.value)
		return
	}
	for _, c := range t.wide {
		// With a device column, the row has the device; otherwise the heading of the column has it.
		if v.Datastream = c.name; c.device != nil {
			v.Device = c.device
		}
		t.reading(&v, c.index)
	}
}

// reading reads the value of a cell.
func (t *table) reading(v *Value, cell int) {
	value, missing, bad := t.numbers.read(t.cells[cell])
	switch {
	case bad.msg != "":
		t.rec.refuseFor(ReasonBadValue, t.head[cell], bad)
	case missing:
		t.rec.Missing++
	default:
		v.Value, v.Column = value, t.head[cell]
		t.rec.Values = append(t.rec.Values, *v)
	}
}

// when reads the time. If the table has a separate column for the date, it joins date and time of day.
func (t *table) when(v *Value) bool {
	cell := t.cells[t.col.time]
	// The time column is tried alone first, because it may contain the date too. An error with an option is final: the
	// text is a time, and only the option is missing.
	at, bad := t.times.read(cell)
	if bad.msg != "" && bad.option == "" && t.col.date >= 0 {
		t.joined = append(append(t.joined[:0], t.cells[t.col.date]...), ' ')
		// A missing time of day leaves the date alone; --day-at then gives the time of day.
		if !isMissing(strings.TrimSpace(halfWidth(cell))) {
			t.joined = append(t.joined, cell...)
		}
		at, bad = t.times.read(bytes.TrimSpace(t.joined))
	}
	if bad.msg != "" {
		t.rec.refuseFor(ReasonBadTime, t.head[t.col.time], bad)
		return false
	}
	v.Time = at
	return true
}

// whose sets the datastream of v, by its id if the row has one. In a wide table it sets only the device.
func (t *table) whose(v *Value) bool {
	// The id wins, if it is set or if the other columns are missing.
	if t.wide == nil && t.col.id >= 0 && (len(t.cells[t.col.id]) > 0 || t.col.device < 0 || t.col.datastream < 0) {
		var msg string
		if v.DatastreamID, msg = parseID(t.cells[t.col.id]); msg != "" {
			t.rec.refuse(ReasonNoStream, t.head[t.col.id], msg)
			return false
		}
		return true
	}
	if t.col.device < 0 { // the column headings contain the devices
		return true
	}
	v.Device = t.cells[t.col.device]
	if charset.FirstHigh(v.Device) < len(v.Device) {
		v.Device = []byte(halfWidth(v.Device)) // ids are ASCII
	}
	if len(v.Device) == 0 {
		t.rec.refuse(ReasonNoDevice, t.head[t.col.device], "empty")
		return false
	}
	if t.wide != nil {
		return true
	}
	if t.all != nil {
		v.Datastream = t.all
		return true
	}
	if v.Datastream = t.cells[t.col.datastream]; len(v.Datastream) == 0 {
		t.rec.refuse(ReasonNoStream, t.head[t.col.datastream], "empty")
		return false
	}
	return true
}
