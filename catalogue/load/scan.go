package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// recordSeparator may precede each text of a GeoJSON text sequence (RFC 8142).
const recordSeparator = 0x1e

// scanner reads JSON values from a stream as raw bytes, with their line and offset. It does not parse the values.
type scanner struct {
	position
	r    *bufio.Reader
	feed *feed
	line int
	col  int // bytes of the line before the next one
	max  int
	buf  []byte
	// looked is the number of bytes of buf that were searched for the next feature.
	looked int
	// quoting is true if the last value ended inside a string.
	quoting bool
}

// newScanner returns a scanner that counts lines from 1. limit is the largest size of a value in bytes.
func newScanner(text content, limit int) *scanner {
	f := &feed{rest: text}
	return &scanner{r: bufio.NewReaderSize(f, sniffBytes), feed: f, position: position{width: text.width, at: text.start}, line: 1, max: limit}
}

// feed is a reader to which unread can return bytes that were read too far.
type feed struct {
	back []byte
	rest io.Reader
}

// Read implements io.Reader. It returns the bytes in back first.
func (f *feed) Read(p []byte) (int, error) {
	if len(f.back) > 0 {
		n := copy(p, f.back)
		f.back = f.back[n:]
		return n, nil
	}
	return f.rest.Read(p)
}

// columnBehind returns the column after a text that begins at column col.
func columnBehind(col int, text []byte) int {
	if last := bytes.LastIndexByte(text, '\n'); last >= 0 {
		return len(text) - last - 1
	}
	return col + len(text)
}

// unread puts back the last bytes that were read, and resets the offset and the line to their beginning. The caller sets
// the column.
func (s *scanner) unread(tail []byte) {
	buffered, _ := s.r.Peek(s.r.Buffered()) // no error, because the bytes are in the buffer
	back := make([]byte, 0, len(tail)+len(buffered)+len(s.feed.back))
	s.feed.back = append(append(append(back, tail...), buffered...), s.feed.back...)
	s.r.Reset(s.feed)
	s.back(tail)
	s.line -= bytes.Count(tail, []byte("\n"))
}

// broken is a syntax error in one value. Later values may be correct.
type broken struct{ error }

// Unwrap returns the error without the mark.
func (b broken) Unwrap() error { return b.error }

// isBroken reports whether an error is of one value, so that reading may go on after it.
func isBroken(err error) bool {
	_, ok := errors.AsType[broken](err)
	return ok
}

// malformed returns a syntax error at a line. It is broken, so the caller may read on after the value.
func malformed(line int, format string, args ...any) error {
	return broken{fatal(line, "malformed JSON: "+format, args...)}
}

// next consumes one byte. The end of the file is an error, because the value is not complete.
func (s *scanner) next() (byte, error) {
	c, err := s.r.ReadByte()
	if errors.Is(err, io.EOF) {
		return 0, fatal(s.line, "the file ends in the middle")
	}
	if err != nil {
		return 0, fatal(s.line, "cannot be read: %v", err)
	}
	s.count([]byte{c})
	return c, nil
}

// count advances line, offset and column past the bytes that were read.
func (s *scanner) count(read []byte) {
	s.line += bytes.Count(read, []byte("\n"))
	s.pass(read)
	s.col = columnBehind(s.col, read)
}

// peek returns the next byte that is not white space and does not consume it. It returns io.EOF at the end of the file.
func (s *scanner) peek() (byte, error) {
	for {
		head, err := s.r.Peek(1)
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, fatal(s.line, "cannot be read: %v", err)
		}
		switch head[0] {
		case ' ', '\t', '\r', '\n', recordSeparator:
			if _, err := s.next(); err != nil {
				return 0, err
			}
		case byteOrderMark[0]: // inside a file that was concatenated from others
			if mark, _ := s.r.Peek(len(byteOrderMark)); string(mark) != byteOrderMark {
				return head[0], nil
			}
			s.count([]byte(byteOrderMark))
			_, _ = s.r.Discard(len(byteOrderMark)) // no error, because the bytes are in the buffer
		default:
			return head[0], nil
		}
	}
}

// must is peek, with an error at the end of the file.
func (s *scanner) must() (byte, error) {
	c, err := s.peek()
	if errors.Is(err, io.EOF) {
		return 0, fatal(s.line, "the file ends in the middle")
	}
	return c, err
}

// take consumes the next byte, which must be want.
func (s *scanner) take(want byte) error {
	c, err := s.must()
	if err != nil {
		return err
	}
	if c != want {
		return malformed(s.line, "%q where %q should be", rune(c), rune(want))
	}
	_, err = s.next()
	return err
}

// cut is one value as raw bytes of the file. raw is valid until the next call of scanner.cut.
type cut struct {
	raw   []byte
	line  int   // where it begins
	at    int64 // the offset in the file
	col   int   // number of bytes before it in its line
	large bool
}

// value reads one JSON value and checks its syntax.
func (s *scanner) value() (cut, error) {
	v, err := s.cut()
	if err != nil || v.large {
		return v, err
	}
	return v, v.check()
}

// check returns an error if a complete value has wrong syntax or is not UTF-8.
func (v cut) check() error {
	if !utf8.Valid(v.raw) {
		return broken{fatal(v.line, "the text is not UTF-8 here; if the file is GBK, say so by --encoding")}
	}
	if json.Valid(v.raw) {
		return nil
	}
	var whole json.RawMessage
	return v.explain(json.Unmarshal(v.raw, &whole))
}

// cut reads one value of at most max bytes. If the value is larger, cut sets large, leaves raw empty and skips the rest.
// Brackets and quotes of the value are balanced; the caller checks the rest of the syntax.
func (s *scanner) cut() (cut, error) {
	c, err := s.must()
	if err != nil {
		return cut{}, err
	}
	v := cut{line: s.line, at: s.at, col: s.col}
	s.buf, s.looked = s.buf[:0], 0
	switch c {
	case '{', '[':
		v.large, err = s.nested()
	case '"':
		v.large, err = s.quoted()
	default:
		err = s.scalar()
	}
	if err != nil || v.large {
		return v, err
	}
	v.raw = s.buf
	if len(v.raw) == 0 {
		return v, malformed(v.line, "a value is missing")
	}
	return v, nil
}

// explain adds the line to an error of encoding/json.
func (v cut) explain(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := min(int(syntax.Offset), len(v.raw))
		return malformed(v.line+bytes.Count(v.raw[:at], []byte("\n")), "%v", err)
	}
	return malformed(v.line, "%v", err)
}

// nested reads an object or array up to its closing bracket. It ignores brackets inside strings.
func (s *scanner) nested() (large bool, err error) {
	depth, inString, escaped := 0, false, false
	defer func() { s.quoting = inString }()
	return s.span(func(c byte) (bool, error) {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped = c == '\\'
			inString = c != '"'
			if c == '\n' {
				return false, s.openString()
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		return depth == 0 && !inString, nil
	})
}

// quoted reads a string up to its closing quote.
func (s *scanner) quoted() (large bool, err error) {
	first, escaped := true, false
	return s.span(func(c byte) (bool, error) {
		switch {
		case first:
			first = false
		case escaped:
			escaped = false
		case c == '\n':
			return false, s.openString()
		case c == '\\':
			escaped = true
		default:
			return c == '"', nil
		}
		return false, nil
	})
}

// openString returns the error for a string that contains a line end. JSON does not allow it. If the scanner continued to
// the next quote, the string would contain the features after it.
func (s *scanner) openString() error {
	return malformed(s.line, "a string is not closed before the line ends")
}

// span reads bytes until step reports the last one. It copies at most max bytes to s.buf and drops the rest; large is
// then true.
func (s *scanner) span(step func(byte) (last bool, err error)) (large bool, err error) {
	for {
		if _, err := s.r.Peek(1); errors.Is(err, io.EOF) {
			return large, fatal(s.line, "the file ends in the middle")
		} else if err != nil {
			return large, fatal(s.line, "cannot be read: %v", err)
		}
		// The bytes are checked in the buffer of the reader and copied once. This is faster than one read for each byte.
		chunk, _ := s.r.Peek(s.r.Buffered()) // no error, because the bytes are in the buffer
		n, last := 0, false
		for n < len(chunk) && !last && err == nil {
			if last, err = step(chunk[n]); err == nil {
				n++
			}
		}
		// s.buf never has more than max bytes, so room is not negative.
		room := min(n, s.max-len(s.buf))
		s.buf = append(s.buf, chunk[:room]...)
		large = large || room < n
		s.count(chunk[:n])
		_, _ = s.r.Discard(n)
		if last || err != nil {
			return large, err
		}
		if s.overrun() {
			return large, malformed(s.line, "another feature begins before the end of this one")
		}
	}
}

// scalar reads a number or a literal, up to the next character that cannot be part of one. It stops after 4096 bytes.
func (s *scanner) scalar() error {
	for {
		head, err := s.r.Peek(1)
		if errors.Is(err, io.EOF) || (err == nil && bytes.IndexByte([]byte(" \t\r\n,]}:\"{["), head[0]) >= 0) {
			return nil
		}
		if err != nil {
			return fatal(s.line, "cannot be read: %v", err)
		}
		c, err := s.next()
		if err != nil {
			return err
		}
		// No number or literal is nearly as long; the text is not JSON then.
		if s.buf = append(s.buf, c); len(s.buf) > 4096 {
			return malformed(s.line, "neither a value nor its end")
		}
	}
}

// key reads a member's name and the colon after it.
func (s *scanner) key() (string, error) {
	c, err := s.must()
	if err != nil {
		return "", err
	}
	if c != '"' {
		return "", malformed(s.line, "%q where a member's name should be", rune(c))
	}
	v, err := s.value()
	if err != nil {
		return "", err
	}
	if v.large {
		return "", fatal(v.line, "a member's name is too long")
	}
	var name string
	if err := json.Unmarshal(v.raw, &name); err != nil {
		return "", malformed(v.line, "%v", err)
	}
	return name, s.take(':')
}
