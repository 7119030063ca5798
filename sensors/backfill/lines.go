package backfill

import (
	"bytes"
	"errors"
	"io"

	"onemap/internal/fault"
)

// maxQuoted is the largest length of a quoted cell that contains line ends, in bytes.
const maxQuoted = 64 << 10

// errTooLong means that a record does not end within the limit.
var errTooLong = errors.New("the record is too long")

// lines splits a stream into lines, or into records of several lines if quotes join them. The returned bytes are valid until the
// next call.
type lines struct {
	r     io.Reader
	limit int
	buf   []byte
	from  int // start of the bytes that are not consumed yet
	to    int
	ended error // the error with which the reader ended
	cr    bool  // lines end by a carriage return alone
	pos   Position

	took   int      // start of the last record in buf
	before Position // start of the last record in the file
}

// newLines returns the lines of r. limit is the largest length of a line, in bytes; at is the position of r in the file.
func newLines(r io.Reader, limit int, at Position) *lines {
	return &lines{r: r, limit: limit, buf: make([]byte, min(limit, 1<<16)), pos: at}
}

// fill reads more data; it returns false at the end or if the limit is reached.
func (l *lines) fill() bool {
	// The limit bounds the memory: the buffer never grows above it.
	if l.ended != nil || l.to-l.from >= l.limit {
		return false
	}
	// The bytes that are not consumed move to the beginning. This invalidates the record that was returned last.
	if l.from > 0 {
		copy(l.buf, l.buf[l.from:l.to])
		l.to -= l.from
		l.from = 0
	}
	if l.to == len(l.buf) {
		bigger := make([]byte, min(2*len(l.buf), l.limit))
		copy(bigger, l.buf[:l.to])
		l.buf = bigger
	}
	// A reader may return no bytes and no error, but not for ever: as in bufio, 100 such reads are an error.
	for range 100 {
		n, err := l.r.Read(l.buf[l.to:])
		l.newlines(l.buf[l.to : l.to+n])
		l.to += n
		if err != nil {
			l.ended = err
			return n > 0
		}
		if n > 0 {
			return true
		}
	}
	l.ended = io.ErrNoProgress
	return false
}

// newlines replaces carriage returns by newlines, if carriage returns end the lines.
func (l *lines) newlines(b []byte) {
	if !l.cr {
		return
	}
	for i, c := range b {
		if c == '\r' {
			b[i] = '\n'
		}
	}
}

// failed returns the error of the reader; it returns nil if the reader has not ended or has reached the end of the file.
func (l *lines) failed() error {
	if l.ended == nil || errors.Is(l.ended, io.EOF) {
		return nil
	}
	return fault.Wrap(fault.Invalid, l.ended, "cannot be read beyond line %d", l.pos.Line)
}

// next returns the next line, without its end. It skips a line that is longer than the limit, and returns its beginning with
// errTooLong. If the reader fails, data without a newline is not returned, because it may be a part of a line.
func (l *lines) next() ([]byte, error) {
	// seen is the number of bytes that contain no newline, so that they are not searched again.
	seen := 0
	for {
		if i := bytes.IndexByte(l.buf[l.from+seen:l.to], '\n'); i >= 0 {
			return l.take(seen + i + 1), nil
		}
		if seen = l.to - l.from; l.fill() {
			continue
		}
		switch {
		case l.failed() != nil:
			return nil, l.failed()
		case l.ended != nil && l.to == l.from:
			return nil, io.EOF
		case l.ended != nil:
			return l.take(l.to - l.from), nil
		}
		return l.passOver()
	}
}

// take returns the next n bytes as a record, without the newline at its end.
func (l *lines) take(n int) []byte {
	l.took, l.before = l.from, l.pos
	rec := l.buf[l.from : l.from+n]
	l.from += n
	l.pos.Offset += int64(n)
	l.pos.Line += int64(bytes.Count(rec, []byte{'\n'}))
	if rec[n-1] != '\n' {
		l.pos.Line++ // the last line has no end
		return rec
	}
	return trimCR(rec[:n-1])
}

// trimCR removes the carriage return of a line end CR LF.
func trimCR(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		return b[:n-1]
	}
	return b
}

// passOver skips a line whose end is not in the full buffer.
func (l *lines) passOver() ([]byte, error) {
	l.before = l.pos
	// 256 bytes are enough to recognize the record in the file of refused records.
	head := bytes.Clone(l.buf[l.from:min(l.to, l.from+256)])
	for {
		rest := l.buf[l.from:l.to]
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			l.from += i + 1
			l.pos.Offset += int64(i + 1)
			break
		}
		l.pos.Offset += int64(len(rest))
		// The bytes in the buffer belong to the long line, so the buffer is emptied and filled again.
		l.from, l.to = 0, 0
		if !l.fill() {
			if err := l.failed(); err != nil {
				return nil, err
			}
			break
		}
	}
	l.pos.Line++
	return head, errTooLong
}

// record returns the next record of CSV: one line, or several if a quote is open at the end of a line. If the quote is not
// closed within maxQuoted bytes or before the end, it returns only the first line and false; the next record begins on the
// next line.
func (l *lines) record() (rec []byte, ok bool, err error) {
	// scanned is the number of bytes whose quotes are counted; open is true while a quoted cell is open.
	scanned, open := 0, false
	for {
		for scanned < l.to-l.from {
			rest := l.buf[l.from+scanned : l.to]
			i := bytes.IndexByte(rest, '\n')
			part := rest
			if i >= 0 {
				part = rest[:i+1]
			}
			// An escaped quote is two quotes, so an odd number opens or closes a cell.
			if bytes.Count(part, []byte{'"'})%2 == 1 {
				open = !open
			}
			scanned += len(part)
			if i >= 0 && !open {
				return l.take(scanned), true, nil
			}
		}
		if (!open || scanned <= maxQuoted) && l.fill() {
			continue
		}
		switch {
		case l.failed() != nil:
			return nil, false, l.failed()
		case l.ended != nil && scanned == 0:
			return nil, false, io.EOF
		case l.ended != nil && !open:
			return l.take(scanned), true, nil
		}
		rec, err = l.next()
		return rec, false, err
	}
}

// firstLine goes back to the start of the last record, which has several lines, and returns only its first line.
func (l *lines) firstLine() ([]byte, error) {
	// The bytes are still in the buffer, because nothing was read after the record.
	l.from, l.pos = l.took, l.before
	return l.next()
}

// skipTo skips everything before a position.
func (l *lines) skipTo(at Position) error {
	// The header has been read already, so l is no longer at the beginning of the file.
	n := at.Offset - l.pos.Offset
	if n < 0 {
		return fault.New(fault.Invalid, "the beginning of the file is longer than it was")
	}
	// A part of the skipped bytes may be in the buffer; the rest is read and dropped.
	have := min(n, int64(l.to-l.from))
	l.from += int(have)
	l.pos = at
	if l.ended != nil && have < n {
		return fault.New(fault.Invalid, "the file is shorter than it was")
	}
	_, err := io.CopyN(io.Discard, l.r, n-have)
	return fault.Wrap(fault.Invalid, err, "the file is shorter than it was")
}
