package load

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// line is one line of a file without its end.
type line struct {
	text   []byte
	nr     int   // from 1
	offset int64 // of its first byte in the file
	large  bool  // the line was longer than a record may be; text is empty then
}

// lines splits a text into lines. unread returns lines to it that were read ahead.
type lines struct {
	text  content // if its reader is nil, only the lines in taken are left
	max   int
	cr    bool // the only line ends are carriage returns
	nr    int
	taken []line // lines from unread, in reverse order
	position
}

// newLines detects the line end from the beginning of the text. Files of old spreadsheets end a line with a single
// carriage return.
func newLines(text content, limit int) *lines {
	head, _ := text.Peek(sniffBytes)
	return &lines{
		text: text, max: limit, position: position{width: text.width, at: text.start},
		cr: bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0,
	}
}

// next returns the next line. It returns io.EOF at the end. It drops the text of a line that is longer than max, to bound
// the memory.
func (l *lines) next() (line, error) {
	if n := len(l.taken); n > 0 {
		next := l.taken[n-1]
		l.taken = l.taken[:n-1]
		return next, nil
	}
	// headOf splits lines that were read before, without a file behind them.
	if l.text.Reader == nil {
		return line{}, io.EOF
	}
	end := byte('\n')
	if l.cr {
		end = '\r'
	}
	l.nr++
	next := line{nr: l.nr, offset: l.at}
	for {
		piece, err := l.text.ReadSlice(end)
		l.pass(piece)
		if next.large = next.large || len(next.text)+len(piece) > l.max; next.large {
			// The rest of the line is read and dropped, so that the line after it has the right number and offset.
			next.text = nil
		} else {
			next.text = append(next.text, piece...)
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && (len(next.text) > 0 || next.large):
			next.text = bytes.TrimSuffix(bytes.TrimSuffix(next.text, []byte{end}), []byte("\r"))
			return next, nil
		case errors.Is(err, io.EOF):
			return line{}, io.EOF
		case len(piece) == 0:
			return line{}, fatal(l.nr, "cannot be read from here on: %v", err)
		}
	}
}

// unread puts lines back. next returns them again in the same order.
func (l *lines) unread(read []line) {
	for _, r := range slices.Backward(read) {
		l.taken = append(l.taken, r)
	}
}

// peek returns the next n lines without consuming them. It stops early after size bytes, so a long first line is the only
// one.
func (l *lines) peek(n, size int) []line {
	var head []line
	for len(head) < n && size > 0 {
		next, err := l.next()
		if err != nil {
			break // the caller meets the error again when it calls next
		}
		head = append(head, next)
		size -= len(next.text)
	}
	l.unread(head)
	return head
}

// row is one row of a table.
type row struct {
	cells []string
	nr    int
	at    int64
	wrong string // the reason if the row is refused; cells then holds the cells that could be read
}

// splitter splits rows into cells (RFC 4180), line by line.
type splitter struct {
	comma  string
	cells  []string
	cell   strings.Builder
	quoted bool // inside a quoted cell whose closing quote is not read yet
	lines  int
}

// reset begins a new row.
func (s *splitter) reset() {
	s.cells, s.quoted, s.lines = nil, false, 0
	s.cell.Reset()
}

// feed adds the next line of the row. It returns false if text follows a quote in a cell of several lines: the opening
// quote did not begin a cell. In a cell of one line such a quote is a normal character, as in 121°23'42"E.
func (s *splitter) feed(text string) bool {
	s.lines++
	if s.quoted {
		s.cell.WriteByte('\n')
	}
	for {
		if !s.quoted {
			if strings.HasPrefix(text, `"`) {
				s.quoted, text = true, text[1:]
				continue
			}
			cell, rest, more := strings.Cut(text, s.comma)
			s.cells = append(s.cells, cell)
			if !more {
				return true
			}
			text = rest
			continue
		}
		before, after, found := strings.Cut(text, `"`)
		s.cell.WriteString(before)
		switch {
		case !found:
			return true // the cell continues in the next line
		case strings.HasPrefix(after, `"`):
			s.cell.WriteByte('"')
			text = after[1:]
		case after == "":
			s.endCell()
			return true
		case strings.HasPrefix(after, s.comma):
			s.endCell()
			text = after[len(s.comma):]
		case s.lines > 1:
			return false
		default:
			s.cell.WriteByte('"')
			text = after
		}
	}
}

// endCell ends a quoted cell.
func (s *splitter) endCell() {
	s.cells = append(s.cells, s.cell.String())
	s.cell.Reset()
	s.quoted = false
}

// rows reads rows. width is the expected number of cells; 0 means any.
type rows struct {
	lines *lines
	split splitter
	width int
}

// next returns the next row that is not blank. It returns io.EOF at the end. A quote that is not closed only affects the
// row of its line.
func (r *rows) next() (row, error) {
	for {
		first, err := r.lines.next()
		if err != nil {
			return row{}, err
		}
		first.text = bytes.TrimPrefix(first.text, []byte(byteOrderMark)) // inside a file that was concatenated from others
		if len(bytes.TrimSpace(first.text)) == 0 && !first.large {
			continue
		}
		return r.row(first)
	}
}

// row reads the row that begins with the line first. A quoted cell may have several lines. These lines are read ahead,
// and put back if the quote is not closed, so that one bad row does not affect the rows after it.
func (r *rows) row(first line) (row, error) {
	out := row{nr: first.nr, at: first.offset}
	if first.large {
		out.wrong = "the row is too large; is a quote not closed?"
		return out, nil
	}
	r.split.reset()
	r.split.feed(string(first.text))
	// alone has the cells of the first line. A refusal names the key of the row by them if a quote is not closed.
	alone := r.split.cells
	var ahead []line
	size := len(first.text)
	for r.split.quoted {
		next, err := r.lines.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return out, err
		}
		if err == nil {
			ahead = append(ahead, next)
			size += len(next.text) + 1
		}
		if err != nil || next.large || size > r.lines.max || !r.split.feed(string(next.text)) {
			return r.unclosed(out, alone, ahead), nil
		}
	}
	out.cells = r.split.cells
	// If a row with a cell of several lines does not have as many cells as the header, its quote was not closed, and the
	// cell contains the rows after it.
	if len(ahead) > 0 && r.width > 0 && len(out.cells) != r.width {
		return r.unclosed(out, alone, ahead), nil
	}
	for _, cell := range out.cells {
		if !utf8.ValidString(cell) {
			out.wrong = "the text is not UTF-8 here; if the file is GBK, say so by --encoding"
			break
		}
	}
	return out, nil
}

// unclosed returns a refused row and puts back the lines that were read ahead.
func (r *rows) unclosed(out row, cells []string, ahead []line) row {
	r.lines.unread(ahead)
	out.cells, out.wrong = cells, `malformed CSV: a quote (") is not closed`
	return out
}
