package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// overrunBytes is how large a value may grow before it is asked whether another feature has begun in it: that of a value of
// which a quote or a bracket is not closed.
const overrunBytes = 1 << 20

// overrun reports whether the value that is being taken has grown over the next feature.
func (s *scanner) overrun() bool {
	if len(s.buf) <= overrunBytes {
		return false
	}
	from := max(1, s.looked-memberBytes)
	s.looked = len(s.buf)
	return nextStart(s.buf, from) > 0
}

// memberBytes is within how many bytes the first member of a feature stands.
const memberBytes = 200

// nextStart is where in the text of a feature the next one begins, at from or later: behind a comma, with the same first
// member as this one. It is -1 when there is none.
func nextStart(text []byte, from int) int {
	key, _, ok := firstMember(text)
	if !ok {
		return -1
	}
	for at := from; at < len(text); {
		i := bytes.IndexByte(text[at:], '{')
		if i < 0 {
			return -1
		}
		at += i
		before := bytes.TrimRight(text[:at], " \t\r\n\x1e")
		other, value, ok := firstMember(text[at:])
		if ok && other == key && (key != "type" || value == "Feature") && len(before) > 0 && bytes.IndexByte([]byte(",}"), before[len(before)-1]) >= 0 {
			return at
		}
		at++
	}
	return -1
}

// firstMember reads the name of an object's first member, and its value when that is a string.
func firstMember(text []byte) (key, value string, ok bool) {
	rest := bytes.TrimLeft(text[min(1, len(text)):min(len(text), memberBytes)], " \t\r\n")
	key, rest, ok = shortString(rest)
	if !ok {
		return "", "", false
	}
	rest = bytes.TrimLeft(rest, " \t\r\n")
	if len(rest) == 0 || rest[0] != ':' {
		return "", "", false
	}
	value, _, _ = shortString(bytes.TrimLeft(rest[1:], " \t\r\n"))
	return key, value, true
}

// shortString reads a JSON string without escapes, and returns what follows it.
func shortString(text []byte) (string, []byte, bool) {
	if len(text) == 0 || text[0] != '"' {
		return "", nil, false
	}
	end := bytes.IndexByte(text[1:], '"')
	if end < 0 {
		return "", nil, false
	}
	return string(text[1 : 1+end]), text[end+2:], true
}

// resume goes on behind a feature whose syntax is broken, of which the scanner has read s.buf: to the next feature within that,
// or, when the value had no end, to the next line that begins with one or ends the list.
func (s *scanner) resume(v cut, whole bool) error {
	if at := nextStart(s.buf, 1); at > 0 {
		s.unread(s.buf[at:])
		s.col = columnBehind(v.col, s.buf[:at])
		return nil
	}
	if whole {
		return nil
	}
	key, _, _ := firstMember(s.buf)
	for {
		if err := s.skipLine(); err != nil {
			return err
		}
		c, err := s.peek()
		if errors.Is(err, io.EOF) {
			return nil // said by who reads on
		}
		if err != nil {
			return err
		}
		head, _ := s.r.Peek(memberBytes)
		switch c {
		case ']':
			if s.col < v.col || s.col == 0 && closesList(head) {
				return nil
			}
		case '{':
			if other, value, ok := firstMember(head); ok && other == key && (key != "type" || value == "Feature") {
				return nil
			}
		}
	}
}

// closesList reports whether a line holds nothing but the end of a list of features and of what is around it.
func closesList(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	rest := strings.Trim(string(line), "]} \t\r")
	return rest == "" || rest == "," || strings.HasPrefix(rest, ",\"") || strings.HasPrefix(rest, ", \"")
}

// endsWhole reports whether a text ends as a list of features does: a file whose last feature has a quote that is not closed
// ends so, one that is cut off does not.
func endsWhole(text []byte) bool {
	end := strings.Join(strings.Fields(string(text[max(0, len(text)-memberBytes):])), "")
	return strings.HasSuffix(end, "}]}") || strings.HasSuffix(end, "}]")
}

// skipLine takes the rest of the line.
func (s *scanner) skipLine() error {
	for {
		piece, err := s.r.ReadSlice('\n')
		s.count(piece)
		switch {
		case err == nil, errors.Is(err, io.EOF):
			return nil
		case len(piece) == 0:
			return fatal(s.line, "cannot be read: %v", err)
		}
	}
}

// skipObject goes on behind an object on a line of its own that is broken: to the next line that begins with one.
func (s *scanner) skipObject() error {
	for {
		if err := s.skipLine(); err != nil {
			return err
		}
		head, err := s.r.Peek(1)
		if err != nil || head[0] == '{' || head[0] == recordSeparator || head[0] == byteOrderMark[0] {
			return nil // an end is met again by who reads on
		}
	}
}

// salvage reads what it can of a feature that is no JSON: its members, with null for NaN and Infinity and U+FFFD for bytes
// that are no characters, or its id alone.
func salvage(raw []byte) map[string]json.RawMessage {
	text := bytes.ToValidUTF8(raw, []byte("\ufffd"))
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) == nil || json.Unmarshal(withoutNaN(text), &members) == nil {
		return members
	}
	members = map[string]json.RawMessage{}
	if id := idBefore(text); id != nil {
		members["id"] = id
	}
	return members
}

// withoutNaN writes null for NaN and Infinity outside of strings.
func withoutNaN(text []byte) []byte {
	out := make([]byte, 0, len(text))
	inString := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inString && c == '\\' && i+1 < len(text):
			out = append(out, c)
			i++
			c = text[i]
		case c == '"':
			inString = !inString
		case !inString:
			if n := nanLength(text[i:]); n > 0 {
				out = append(out, "null"...)
				i += n - 1
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// nanLength is the length of a number that JSON does not have and some programs write; 0 when there is none.
func nanLength(text []byte) int {
	for _, word := range []string{"-Infinity", "+Infinity", "Infinity", "-NaN", "NaN", "nan", "-inf", "inf", "Inf", "-Inf"} {
		if bytes.HasPrefix(text, []byte(word)) {
			return len(word)
		}
	}
	return 0
}

// idBefore is the id member of an object, when it comes before the place at which the object is broken.
func idBefore(text []byte) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil
		}
		if name == "id" {
			return value
		}
	}
	return nil
}
