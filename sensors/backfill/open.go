package backfill

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"onemap/internal/errs"
)

// Open reads the beginning of a file and gives a reader of the records behind a position; the zero Position
// is the beginning. r is at the beginning of the file, decompressed.
func Open(r io.Reader, o Options, at Position) (Reader, error) {
	if o.MaxRecordBytes == 0 {
		o.MaxRecordBytes = defaultMaxRecord
	}
	l := newLines(r, max(o.MaxRecordBytes, 16), Position{})
	if err := l.skipMark(); err != nil {
		return nil, err
	}
	format := o.Format
	if format == FormatAuto || format == "" {
		format = l.sniff()
	}
	switch format {
	case FormatNDJSON:
		return &ndjson{lines: l, o: o}, l.seek(at)
	case FormatCSV:
		t, err := newTable(l, o)
		if err != nil {
			return nil, err
		}
		return t, l.seek(at)
	default:
		return nil, errs.InvalidField("format", "%q is neither auto, csv nor ndjson", string(o.Format))
	}
}

// seek is skipTo, from the beginning no step at all.
func (l *lines) seek(at Position) error {
	if at == (Position{}) {
		return nil
	}
	return l.skipTo(at)
}

// skipMark takes the mark of UTF-8 at the beginning, and refuses that of UTF-16.
func (l *lines) skipMark() error {
	for l.to < 3 && l.fill() {
		continue
	}
	head := l.buf[l.from:l.to]
	switch {
	case l.failed() != nil:
		return l.failed()
	case len(head) == 0:
		return errs.New(errs.Invalid, "the file is empty")
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		l.from, l.pos.Offset = l.from+3, 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return notUTF8("UTF-16")
	}
	return nil
}

// notUTF8 says what to do with a file in another encoding.
func notUTF8(what string) error {
	return errs.New(errs.Invalid, "the text is not UTF-8 (%s?); convert it first: iconv -f %s -t UTF-8 FILE", what, strings.Replace(what, "GBK", "GB18030", 1))
}

// sniff tells the form by the first byte that is not white space.
func (l *lines) sniff() Format {
	if head := bytes.TrimLeft(l.buf[l.from:l.to], " \t\r\n"); len(head) > 0 && head[0] == '{' {
		return FormatNDJSON
	}
	return FormatCSV
}

// refuse notes a refusal of the record.
func (r *Record) refuse(reason, detail string) {
	r.Refusals = append(r.Refusals, Refusal{Line: r.Line, Reason: reason, Detail: detail, Record: r.Raw})
}

// begin makes the record ready for the next one.
func (r *Record) begin(line int64, raw []byte) {
	r.Line, r.Raw, r.Values, r.Refusals = line, raw, r.Values[:0], r.Refusals[:0]
}

// tooLong is the refusal of a record that does not end, told by its beginning.
func (r *Record) tooLong(err error, limit int) bool {
	if !errors.Is(err, errTooLong) {
		return false
	}
	r.refuse(ReasonTooLarge, "the record is longer than "+itoa(limit)+" bytes")
	return true
}
