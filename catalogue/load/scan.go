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
	position
	r    *bufio.Reader
	feed *feed
	line int
	col  int // bytes of the line before the next one
	max  int
	buf  []byte
	// looked is how much of buf has been searched for the next feature.
	looked int
	// quoting says that the value that was taken last ended in a string.
	quoting bool
}

// newScanner counts lines from 1. limit is how many bytes one value may have.
func newScanner(text content, limit int) *scanner {
	f := &feed{rest: text}
	return &scanner{r: bufio.NewReaderSize(f, sniffBytes), feed: f, position: position{width: text.width, at: text.start}, line: 1, max: limit}
}

// feed is a reader that takes back what was read too far.
type feed struct {
	back []byte
	rest io.Reader
}

// Read gives what was taken back first.
func (f *feed) Read(p []byte) (int, error) {
	if len(f.back) > 0 {
		n := copy(p, f.back)
		f.back = f.back[n:]
		return n, nil
	}
	return f.rest.Read(p)
}

// columnBehind is the column behind a text that begins at one.
func columnBehind(col int, text []byte) int {
	if last := bytes.LastIndexByte(text, '\n'); last >= 0 {
		return len(text) - last - 1
	}
	return col + len(text)
}

// unread gives the end of the text that was read back, and goes back to where it began; the column is the caller's to set.
func (s *scanner) unread(tail []byte) {
	buffered, _ := s.r.Peek(s.r.Buffered()) // buffered, so it is there
	back := make([]byte, 0, len(tail)+len(buffered)+len(s.feed.back))
	s.feed.back = append(append(append(back, tail...), buffered...), s.feed.back...)
	s.r.Reset(s.feed)
	s.back(tail)
	s.line -= bytes.Count(tail, []byte("\n"))
}

// broken is an error of the syntax: what comes later may be whole.
type broken struct{ error }

// Unwrap is the error for the reader of the file.
func (b broken) Unwrap() error { return b.error }

func isBroken(err error) bool {
	_, ok := errors.AsType[broken](err)
	return ok
}

// malformed is an error of the syntax at a line. It is broken: what follows may be read.
func malformed(line int, format string, args ...any) error {
	return broken{fatal(line, "malformed JSON: "+format, args...)}
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
	s.count([]byte{c})
	return c, nil
}

// count goes on behind bytes that were read.
func (s *scanner) count(read []byte) {
	s.line += bytes.Count(read, []byte("\n"))
	s.pass(read)
	s.col = columnBehind(s.col, read)
}

// peek returns the next byte that is no space, and leaves it there; io.EOF at the end of the file.
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
		case byteOrderMark[0]: // of files that were put together
			if mark, _ := s.r.Peek(len(byteOrderMark)); string(mark) != byteOrderMark {
				return head[0], nil
			}
			s.count([]byte(byteOrderMark))
			_, _ = s.r.Discard(len(byteOrderMark)) // peeked, so it is there
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
		return malformed(s.line, "%q where %q should be", rune(c), rune(want))
	}
	_, err = s.next()
	return err
}

// cut is one value as it stood in the file. raw is valid until the next cut.
type cut struct {
	raw   []byte
	line  int   // where it begins
	at    int64 // the offset in the file
	col   int   // the bytes of the line before it
	large bool
}

// value takes one JSON value and checks its syntax.
func (s *scanner) value() (cut, error) {
	v, err := s.cut()
	if err != nil || v.large {
		return v, err
	}
	return v, v.check()
}

// check says what is wrong with the syntax of a value that is whole.
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

// cut takes one value, of at most max bytes: of a larger one large is set, raw is empty and the rest is
// skipped. Brackets and quotes are balanced; the rest of its syntax is for the caller to check.
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

// explain gives an error of encoding/json the line at which it is.
func (v cut) explain(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := min(int(syntax.Offset), len(v.raw))
		return malformed(v.line+bytes.Count(v.raw[:at], []byte("\n")), "%v", err)
	}
	return malformed(v.line, "%v", err)
}

// nested takes an object or array up to its closing bracket; quoted takes a string.
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

// quoted takes a string up to its closing quote.
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

// openString is the error of a string with a line end in it, which JSON does not allow. Reading on to the next
// quote would swallow the features after it.
func (s *scanner) openString() error {
	return malformed(s.line, "a string is not closed before the line ends")
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
		// Bytes are looked at in the buffer of the reader and copied once, instead of one call of the reader for each.
		chunk, _ := s.r.Peek(s.r.Buffered()) // buffered, so it is there
		n, last := 0, false
		for n < len(chunk) && !last && err == nil {
			if last, err = step(chunk[n]); err == nil {
				n++
			}
		}
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

// scalar takes a number or a word: everything up to the next character that cannot be part of one.
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
			return malformed(s.line, "neither a value nor its end")
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
