package mqttjson

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"onemap/internal/fault"
	"onemap/sensors"
)

// maxDepth is the largest depth of a skipped value. It bounds the recursion. A valid reading needs three levels.
const maxDepth = 16

// scanner reads JSON (RFC 8259) byte by byte. encoding/json is not used, because it cannot continue after a NaN, does not
// report a key that occurs twice, and does not report the byte at which the JSON ends being valid. All readings pass through
// here, so the scanner also avoids the allocations of reflection. ADR 18 has the measurements.
type scanner struct {
	// b is the payload, and i is the index of the next byte that is not read.
	b []byte
	i int
}

// fail returns the error of invalid JSON, with the position in bytes and the reason. The whole payload is then rejected.
func (s *scanner) fail(c fault.Code, values ...any) error {
	// Each code of invalid JSON has the position as its first value.
	return fault.InvalidCode("", c, append([]any{s.i}, values...)...)
}

// peek skips white space and returns the next byte without reading it. It returns 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return s.b[s.i]
		}
	}
	return 0
}

// expect reads the byte c, after white space.
func (s *scanner) expect(c byte) error {
	// peek returns 0 at the end, and a payload can contain the byte 0, so the index is checked too.
	if s.peek() != c || s.i >= len(s.b) {
		return s.fail(sensors.CodeJSONExpected, strconv.QuoteRune(rune(c)), s.found())
	}
	s.i++
	return nil
}

// found returns the next byte for a message: in quotes, or the token for the end.
func (s *scanner) found() any {
	if s.i >= len(s.b) {
		return fault.TheEnd
	}
	return strconv.QuoteToASCII(string(s.b[s.i : s.i+1]))
}

// more reads the comma or the closing byte after an element. It returns true if another element follows.
func (s *scanner) more(closing byte) (bool, error) {
	switch s.peek() {
	case ',':
		s.i++
		return true, nil
	case closing:
		if s.i < len(s.b) {
			s.i++
			return false, nil
		}
	}
	return false, s.fail(sensors.CodeJSONMore, strconv.QuoteRune(rune(closing)), s.found())
}

// word reads the longest run of bytes without structure: a number, a literal, or an invalid word.
func (s *scanner) word() []byte {
	s.peek()
	from := s.i
	for ; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r', ',', ':', ']', '}', '[', '{', '"':
			return s.b[from:s.i]
		}
	}
	return s.b[from:]
}

// str reads a string and returns its bytes, unescaped. If it contains no escapes, the bytes alias the payload.
func (s *scanner) str() ([]byte, error) {
	if err := s.expect('"'); err != nil {
		return nil, err
	}
	from := s.i
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			text := s.b[from:s.i]
			if !utf8.Valid(text) {
				s.i = from
				return nil, s.fail(sensors.CodeJSONNotUTF8)
			}
			s.i++
			return text, nil
		case c == '\\':
			return s.escaped(from)
		case c < 0x20:
			return nil, s.fail(sensors.CodeJSONControl)
		}
	}
	return nil, s.fail(sensors.CodeJSONUnended)
}

// escaped reads the rest of a string from its first backslash on.
func (s *scanner) escaped(from int) ([]byte, error) {
	// The bytes before the backslash are copied, because the payload must not be changed.
	out := append([]byte(nil), s.b[from:s.i]...)
	for s.i < len(s.b) {
		c := s.b[s.i]
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				s.i = from
				return nil, s.fail(sensors.CodeJSONNotUTF8)
			}
			s.i++
			return out, nil
		case c < 0x20:
			return nil, s.fail(sensors.CodeJSONControl)
		case c != '\\':
			out = append(out, c)
			s.i++
		default:
			r, err := s.escape()
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
		}
	}
	return nil, s.fail(sensors.CodeJSONUnended)
}

// escape reads one escape sequence. A surrogate pair is one sequence.
func (s *scanner) escape() (rune, error) {
	// The two texts are parallel: the letter after the backslash in plain stands for the byte at the same index in
	// means.
	const plain, means = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if s.i+1 >= len(s.b) {
		return 0, s.fail(sensors.CodeJSONUnended)
	}
	if at := bytes.IndexByte([]byte(plain), s.b[s.i+1]); at >= 0 {
		s.i += 2
		return rune(means[at]), nil
	}
	high, err := s.hex()
	if err != nil {
		return 0, err
	}
	// A character above U+FFFF is two escapes in JSON, a high and a low surrogate (RFC 8259, section 7).
	if !utf16.IsSurrogate(high) {
		return high, nil
	}
	low, err := s.hex()
	if err != nil {
		return 0, s.fail(sensors.CodeJSONSurrogate)
	}
	r := utf16.DecodeRune(high, low)
	if r == utf8.RuneError {
		return 0, s.fail(sensors.CodeJSONSurrogate)
	}
	return r, nil
}

// hex reads \uXXXX.
func (s *scanner) hex() (rune, error) {
	// The sequence has six bytes: the backslash, u and four hexadecimal digits.
	if s.i+6 > len(s.b) || s.b[s.i] != '\\' || s.b[s.i+1] != 'u' {
		return 0, s.fail(sensors.CodeJSONEscape)
	}
	n := rune(0)
	for _, c := range s.b[s.i+2 : s.i+6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, s.fail(sensors.CodeJSONEscape)
		}
		n = n<<4 | rune(c)
	}
	s.i += 6
	return n, nil
}

// skip reads any value and ignores it.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return s.fail(sensors.CodeJSONDeep, maxDepth)
	}
	switch s.peek() {
	case '"':
		_, err := s.str()
		return err
	case '{':
		return s.object(func([]byte) error { return s.skip(depth + 1) })
	case '[':
		return s.array(func(int) error { return s.skip(depth + 1) })
	default:
		// The position is that of the first byte of the wrong word, for the message.
		at := s.i
		if w := s.word(); !isNumber(w) && string(w) != "true" && string(w) != "false" && string(w) != "null" {
			s.i = at
			return s.fail(sensors.CodeJSONValue, s.found())
		}
		return nil
	}
}

// object reads an object. It calls each with every key; each must read the value.
func (s *scanner) object(each func(key []byte) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for again := true; again; {
		key, err := s.str()
		if err != nil {
			return err
		}
		if err = s.expect(':'); err != nil {
			return err
		}
		if err = each(key); err != nil {
			return err
		}
		if again, err = s.more('}'); err != nil {
			return err
		}
	}
	return nil
}

// array reads an array. It calls each with the index of every element; each must read the element.
func (s *scanner) array(each func(i int) error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.i++
		return nil
	}
	again := true
	for i := 0; again; i++ {
		err := each(i)
		if err != nil {
			return err
		}
		if again, err = s.more(']'); err != nil {
			return err
		}
	}
	return nil
}

// end returns an error if anything but white space is left.
func (s *scanner) end() error {
	if s.peek(); s.i < len(s.b) {
		return s.fail(sensors.CodeJSONTrailing, s.found())
	}
	return nil
}

// isNumber reports whether w is a JSON number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func isNumber(w []byte) bool {
	i := 0
	if i < len(w) && w[i] == '-' {
		i++
	}
	n := digits(w[i:])
	// JSON does not allow a leading zero such as 007.
	if n == 0 || (n > 1 && w[i] == '0') {
		return false
	}
	i += n
	if i < len(w) && w[i] == '.' {
		n = digits(w[i+1:])
		if n == 0 {
			return false
		}
		i += 1 + n
	}
	if i < len(w) && (w[i] == 'e' || w[i] == 'E') {
		i++
		if i < len(w) && (w[i] == '+' || w[i] == '-') {
			i++
		}
		n = digits(w[i:])
		if n == 0 {
			return false
		}
		i += n
	}
	return i == len(w)
}

// digits returns the number of digits at the beginning of w.
func digits(w []byte) int {
	n := 0
	for n < len(w) && w[n] >= '0' && w[n] <= '9' {
		n++
	}
	return n
}
