package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// recordSeparator may stand before each text of RFC 8142.
const recordSeparator = 0x1e

// scanner cuts JSON values out of a stream, knowing the line, without parsing what it cuts.
type scanner struct {
	r    *bufio.Reader
	line int
	max  int
	buf  []byte
}

// next takes one byte. The end of the file is an error here: something was to come.
func (s *scanner) next() (byte, error) {
	c, err := s.r.ReadByte()
	if errors.Is(err, io.EOF) {
		return 0, fatal(s.line, "the file ends in the middle")
	}
	if err != nil {
		return 0, fatal(s.line, "cannot be read: %v", err)
	}
	if c == '\n' {
		s.line++
	}
	return c, nil
}

// peek gives the next byte that is no space, and leaves it there; io.EOF at the end of the file.
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
		default:
			return head[0], nil
		}
	}
}

// must is peek where something has to come.
func (s *scanner) must() (byte, error) {
	c, err := s.peek()
	if errors.Is(err, io.EOF) {
		return 0, fatal(s.line, "the file ends in the middle")
	}
	return c, err
}

// take takes the byte that must come next.
func (s *scanner) take(want byte) error {
	c, err := s.must()
	if err != nil {
		return err
	}
	if c != want {
		return fatal(s.line, "malformed JSON: %q where %q should be", rune(c), rune(want))
	}
	_, err = s.next()
	return err
}

// cut is one value as it stood in the file. raw is valid until the next cut.
type cut struct {
	raw   []byte
	line  int // where it begins
	large bool
}

// value takes one JSON value and checks its syntax.
func (s *scanner) value() (cut, error) {
	v, err := s.cut()
	if err != nil || v.large {
		return v, err
	}
	if json.Valid(v.raw) {
		return v, nil
	}
	var whole json.RawMessage
	return v, v.explain(json.Unmarshal(v.raw, &whole))
}

// cut takes one value, of at most max bytes: of a larger one large is set, raw is empty and the rest is
// skipped. Brackets and quotes are balanced; the rest of its syntax is for the caller to check.
func (s *scanner) cut() (cut, error) {
	c, err := s.must()
	if err != nil {
		return cut{}, err
	}
	v := cut{line: s.line}
	s.buf = s.buf[:0]
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
		return v, fatal(v.line, "malformed JSON: a value is missing")
	}
	if !utf8.Valid(v.raw) {
		return v, fatal(v.line, "the text is not UTF-8 from here on; if it is GBK, say so by the encoding")
	}
	return v, nil
}

// explain gives an error of encoding/json the line at which it is.
func (v cut) explain(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := min(int(syntax.Offset), len(v.raw))
		return fatal(v.line+bytes.Count(v.raw[:at], []byte("\n")), "malformed JSON: %v", err)
	}
	return fatal(v.line, "malformed JSON: %v", err)
}

// nested takes an object or array up to its closing bracket; quoted takes a string.
func (s *scanner) nested() (large bool, err error) {
	depth, inString, escaped := 0, false, false
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

func (s *scanner) openString() error {
	return fatal(s.line, "malformed JSON: a string is not closed before the line ends")
}

// span takes bytes up to the one that step calls the last, as many at a time as the buffer has. What
// does not fit into max bytes is dropped.
func (s *scanner) span(step func(byte) (last bool, err error)) (large bool, err error) {
	for {
		if _, err := s.r.Peek(1); errors.Is(err, io.EOF) {
			return large, fatal(s.line, "the file ends in the middle")
		} else if err != nil {
			return large, fatal(s.line, "cannot be read: %v", err)
		}
		chunk, _ := s.r.Peek(s.r.Buffered()) // buffered, so it is there
		n, last := 0, false
		for n < len(chunk) && !last {
			c := chunk[n]
			if last, err = step(c); err != nil {
				return large, err
			}
			if c == '\n' {
				s.line++
			}
			n++
		}
		room := min(n, s.max-len(s.buf))
		s.buf = append(s.buf, chunk[:room]...)
		large = large || room < n
		_, _ = s.r.Discard(n)
		if last {
			return large, nil
		}
	}
}

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
		if s.buf = append(s.buf, c); len(s.buf) > 4096 {
			return fatal(s.line, "malformed JSON: neither a value nor its end")
		}
	}
}

// key takes a member's name and the colon after it.
func (s *scanner) key() (string, error) {
	c, err := s.must()
	if err != nil {
		return "", err
	}
	if c != '"' {
		return "", fatal(s.line, "malformed JSON: %q where a member's name should be", rune(c))
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
		return "", fatal(v.line, "malformed JSON: %v", err)
	}
	return name, s.take(':')
}
