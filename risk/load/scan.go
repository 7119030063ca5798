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

// value takes one JSON value, of at most max bytes: of a larger one large is set, raw is empty and
// the rest is skipped. Its syntax is checked.
func (s *scanner) value() (cut, error) {
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
	return v, s.check(v)
}

// keep takes one byte into the buffer while there is room.
func (s *scanner) keep(large *bool) (byte, error) {
	c, err := s.next()
	if len(s.buf) < s.max {
		s.buf = append(s.buf, c)
	} else {
		*large = true
	}
	return c, err
}

func (s *scanner) nested() (large bool, err error) {
	for depth := 0; ; {
		c, err := s.keep(&large)
		if err != nil {
			return large, err
		}
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return large, nil
			}
		case '"':
			if err := s.restOfString(&large); err != nil {
				return large, err
			}
		}
	}
}

func (s *scanner) quoted() (large bool, err error) {
	if _, err := s.keep(&large); err != nil {
		return large, err
	}
	return large, s.restOfString(&large)
}

func (s *scanner) restOfString(large *bool) error {
	begun := s.line
	for {
		c, err := s.keep(large)
		if err != nil {
			return err
		}
		switch c {
		case '"':
			return nil
		case '\\':
			if _, err := s.keep(large); err != nil {
				return err
			}
		case '\n':
			return fatal(begun, "malformed JSON: a string is not closed before the line ends")
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

func (s *scanner) check(v cut) error {
	if len(v.raw) == 0 {
		return fatal(v.line, "malformed JSON: a value is missing")
	}
	if !utf8.Valid(v.raw) {
		return fatal(v.line, "the text is not UTF-8 from here on; if it is GBK, say so by the encoding")
	}
	if json.Valid(v.raw) {
		return nil
	}
	var any json.RawMessage
	err := json.Unmarshal(v.raw, &any)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at := min(int(syntax.Offset), len(v.raw))
		return fatal(v.line+bytes.Count(v.raw[:at], []byte("\n")), "malformed JSON: %v", err)
	}
	return fatal(v.line, "malformed JSON")
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
