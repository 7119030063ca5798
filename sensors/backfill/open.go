package backfill

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"onemap/internal/charset"
	"onemap/internal/fault"
)

// Open reads the beginning of a file and returns a Reader of the records after a position. The zero Position is the beginning of
// the file. r must be at the beginning of the file, and decompressed.
func Open(r io.Reader, o Options, at Position) (Reader, error) {
	if o.MaxRecordBytes == 0 {
		o.MaxRecordBytes = defaultMaxRecord
	}
	// The limit is at least 16 bytes, so that begin can detect the encoding and the kind of the file.
	l := newLines(r, max(o.MaxRecordBytes, 16), Position{})
	if err := l.begin(o.Encoding); err != nil {
		return nil, err
	}
	format := o.Format
	if format == FormatAuto || format == "" {
		format = l.sniff()
	}
	text := decoding{gb: o.Encoding == charset.GB18030}
	times := timeReader{zone: o.Zone, epoch: o.Epoch, order: o.DateOrder, dayAt: o.DayAt}
	switch format {
	case FormatNDJSON:
		if option := o.ofTables(); option != "" {
			return nil, fault.InvalidField(option, "is for tables, and the file is NDJSON")
		}
		n := &ndjson{lines: l, text: text, times: times, numbers: numberReader{missing: o.Missing}}
		n.rec.Columns = Columns{Device: "device", DatastreamID: "datastream_id", Time: "t"}
		return n, l.seek(at)
	case FormatCSV:
		t := &table{lines: l, o: o, text: text, times: times, numbers: numberReader{decimal: o.Decimal, missing: o.Missing}}
		if err := t.header(); err != nil {
			return nil, err
		}
		return t, l.seek(at)
	default:
		return nil, fault.InvalidField("format", "%q is neither auto, csv nor ndjson", string(o.Format))
	}
}

// ofTables returns the name of a set option that has no meaning for NDJSON; it returns "" if there is none.
func (o Options) ofTables() string {
	for _, c := range []struct{ option, given string }{
		{"--device", o.Columns.Device}, {"--datastream", o.Columns.Datastream}, {"--datastream-id", o.Columns.DatastreamID}, {"--time", o.Columns.Time},
		{"--value", o.Columns.Value}, {"--qc", o.Columns.QC}, {"--values-of", o.ValuesOf}, {"--decimal", string(o.Decimal)},
	} {
		if c.given != "" {
			return c.option
		}
	}
	return ""
}

// seek skips to the position; it does nothing for the zero Position.
func (l *lines) seek(at Position) error {
	if at == (Position{}) {
		return nil
	}
	return l.skipTo(at)
}

// begin decodes UTF-16, skips the byte order marks at the beginning and detects the line ends.
func (l *lines) begin(e charset.Encoding) error {
	for l.to < 4 && l.fill() {
		continue
	}
	if mark := charset.Mark(l.buf[:l.to]); mark == charset.UTF16LE || mark == charset.UTF16BE {
		e = mark
	}
	if e == charset.UTF16LE || e == charset.UTF16BE {
		// The bytes that are read already are decoded again, together with the rest of the file. If the file has ended,
		// its error or end follows the bytes.
		var rest io.Reader = failing{l.ended}
		if l.ended == nil {
			rest = l.r
		}
		*l = *newLines(charset.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(l.buf[:l.to])), rest), e), l.limit, Position{})
		for l.to < 4 && l.fill() {
			continue
		}
	}
	switch head := l.buf[:l.to]; {
	case l.failed() != nil:
		return l.failed()
	// The signatures are those of a ZIP archive, as in .xlsx, and of the OLE compound file format, as in .xls.
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return fault.New(fault.Invalid, "the file is a spreadsheet or a zip archive, no text; save the sheet as CSV")
	}
	l.skipMarks()
	l.findLineEnd()
	if l.to == l.from {
		return fault.New(fault.Invalid, "the file is empty")
	}
	return nil
}

// failing is a reader that always returns err.
type failing struct{ err error }

// Read implements io.Reader. It returns the error.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// skipMarks skips the UTF-8 byte order marks at the beginning. There can be more than one, from programs that join files or save
// twice.
func (l *lines) skipMarks() {
	const mark = "\xef\xbb\xbf"
	for {
		for l.to-l.from < len(mark) && l.fill() {
			continue
		}
		if !bytes.HasPrefix(l.buf[l.from:l.to], []byte(mark)) {
			return
		}
		l.from += len(mark)
		l.pos.Offset += int64(len(mark))
	}
}

// findLineEnd examines the end of the first line. If it is a carriage return without a newline, a carriage return ends every line.
func (l *lines) findLineEnd() {
	for seen := 0; ; {
		have := l.buf[l.from:l.to]
		// A carriage return at the end of the data decides nothing yet: the byte after it is needed.
		if i := bytes.IndexAny(have[seen:], "\r\n"); i >= 0 && (seen+i+1 < len(have) || have[seen+i] == '\n') {
			l.cr = have[seen+i] == '\r' && have[seen+i+1] != '\n'
			break
		} else if i >= 0 {
			seen += i
		} else {
			seen = len(have)
		}
		if !l.fill() {
			have = l.buf[l.from:l.to]
			l.cr = len(have) > 0 && have[len(have)-1] == '\r' && seen == len(have)-1
			break
		}
	}
	l.newlines(l.buf[l.from:l.to])
}

// sniff detects the format by the first byte that is not white space.
func (l *lines) sniff() Format {
	if head := bytes.TrimLeft(l.buf[l.from:l.to], " \t\r\n"); len(head) > 0 && head[0] == '{' {
		return FormatNDJSON
	}
	return FormatCSV
}

// decoding converts records to UTF-8.
type decoding struct {
	gb      bool
	decoder charset.Decoder
}

// utf8 returns a record as UTF-8, and the index of the first invalid byte, or -1.
func (d *decoding) utf8(record []byte) (text []byte, bad int) {
	if d.gb {
		return d.decoder.Decode(record)
	}
	return record, charset.FirstInvalid(record)
}

// refuse adds a refusal of the record for a fault in one of its columns; "" means the whole record.
func (r *Record) refuse(reason, column, detail string) {
	r.Refusals = append(r.Refusals, *r.refusal(reason, column, detail))
}

// refusal returns a refusal of the record. The column is clipped, because it comes from the file.
func (r *Record) refusal(reason, column, detail string) *Refusal {
	if column = clipName(column); column != "" {
		detail = column + ": " + detail
	}
	return &Refusal{Line: r.Line, Offset: r.Offset, Column: column, Reason: reason, Detail: detail, Record: r.Raw}
}

// refuseFor refuses a value that could not be parsed as a time or a number.
func (r *Record) refuseFor(reason, column string, bad mistake) {
	if bad.option != "" {
		bad.msg += "; " + hint(bad.option)
	}
	r.refuse(reason, column, bad.msg)
	r.Refusals[len(r.Refusals)-1].Option, _, _ = strings.Cut(bad.option, " ")
}

// hint returns how to use an option of the command.
func hint(option string) string {
	switch option {
	case "--zone":
		return "say which, as --zone Asia/Shanghai"
	case "--date-order":
		return "say which, by --date-order mdy or --date-order dmy"
	case "--date-order mdy":
		return "if the month is first, give " + option
	case "--date-order dmy":
		return "if the day is first, give " + option
	case "--day-at":
		return "say which one is meant, as --day-at 08:00"
	case "--decimal":
		return "say which, by --decimal comma or --decimal point"
	default:
		return "if it is, give " + option
	}
}

// refuseText refuses a record that has an invalid byte at index bad, in the given column.
func (r *Record) refuseText(column string, bad int, gb bool) {
	encoding := "UTF-8"
	if gb {
		encoding = "GB18030"
	}
	r.refuse(ReasonBadText, column, "byte "+itoa(bad+1)+" of the record is not "+encoding)
	r.Refusals[len(r.Refusals)-1].Offset += int64(bad)
}

// begin resets the record for the next line or row.
func (r *Record) begin(at Position, raw []byte) {
	*r = Record{Line: at.Line + 1, Offset: at.Offset, Raw: raw, Values: r.Values[:0], Refusals: r.Refusals[:0], Columns: r.Columns}
}

// tooLong refuses a record that is longer than the limit. The refusal contains the beginning of the record.
func (r *Record) tooLong(err error, limit int) bool {
	if !errors.Is(err, errTooLong) {
		return false
	}
	r.refuse(ReasonTooLarge, "", "the record is longer than "+itoa(limit)+" bytes")
	return true
}
