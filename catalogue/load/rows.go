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
	large  bool  // it was longer than a record may be, and is empty here
}

// lines cuts a text into lines and takes back lines that were read too far.
type lines struct {
	text  content // without a reader, only what was taken back is left
	max   int
	cr    bool // the only line ends are carriage returns
	nr    int
	taken []line // given back, the next one last
	position
}

// newLines looks at the beginning of the text for how its lines end. A carriage return alone ends the lines of old
// spreadsheets.
func newLines(text content, limit int) *lines {
	head, _ := text.Peek(sniffBytes)
	return &lines{
		text: text, max: limit, position: position{width: text.width, at: text.start},
		cr: bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0,
	}
}

// next is the next line; io.EOF when there is none.
func (l *lines) next() (line, error) {
	if n := len(l.taken); n > 0 {
		next := l.taken[n-1]
		l.taken = l.taken[:n-1]
		return next, nil
	}
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

// unread gives lines back, which come next in their order.
func (l *lines) unread(read []line) {
	for _, r := range slices.Backward(read) {
		l.taken = append(l.taken, r)
	}
}

// peek is what stands at the beginning: so many lines, or the first alone when it is long.
func (l *lines) peek(n, size int) []line {
	var head []line
	for len(head) < n && size > 0 {
		next, err := l.next()
		if err != nil {
			break // met again when it is read
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
	wrong string // why it cannot be taken; the cells are what could be read
}

// splitter cuts rows into cells, RFC 4180, a line at a time.
type splitter struct {
	comma  string
	cells  []string
	cell   strings.Builder
	quoted bool // in a cell whose quote is open
	lines  int
}

func (s *splitter) reset() {
	s.cells, s.quoted, s.lines = nil, false, 0
	s.cell.Reset()
}

// feed takes the next line of the row. It reports false when a quote in a cell of several lines is followed by text: the
// quote before was no beginning of a cell. In a cell of one line such a quote is a character like any other: 121°23'42"E.
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
			return true // the cell goes on in the next line
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

// rows reads rows of a width; 0 is any.
type rows struct {
	lines *lines
	split splitter
	width int
}

// next is the next row that is not blank; io.EOF when there is none. A quote that is not closed spoils the row in whose line it
// is, and no other.
func (r *rows) next() (row, error) {
	for {
		first, err := r.lines.next()
		if err != nil {
			return row{}, err
		}
		first.text = bytes.TrimPrefix(first.text, []byte(byteOrderMark)) // of files that were put together
		if len(bytes.TrimSpace(first.text)) == 0 && !first.large {
			continue
		}
		return r.row(first)
	}
}

// row reads a row that begins with a line. A quoted cell may have several lines. They are read ahead and given
// back when the quote turns out not to be closed, so that one bad row does not cost the rows after it.
func (r *rows) row(first line) (row, error) {
	out := row{nr: first.nr, at: first.offset}
	if first.large {
		out.wrong = "the row is too large; is a quote not closed?"
		return out, nil
	}
	r.split.reset()
	r.split.feed(string(first.text))
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
	// A cell of several lines that leaves the row with another number of cells than the header has began with a quote that
	// was never closed, and has swallowed the rows after it.
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

// unclosed refuses a row and gives the lines that were read ahead back.
func (r *rows) unclosed(out row, cells []string, ahead []line) row {
	r.lines.unread(ahead)
	out.cells, out.wrong = cells, `malformed CSV: a quote (") is not closed`
	return out
}
