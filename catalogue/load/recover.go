package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// overrunBytes is the size of a value above which the scanner checks whether another feature begins inside it. A value
// grows so large if a quote or a bracket is not closed.
const overrunBytes = 1 << 20

// overrun reports whether the value that is being read contains the beginning of the next feature.
func (s *scanner) overrun() bool {
	if len(s.buf) <= overrunBytes {
		return false
	}
	// The search begins a little before the bytes that were searched last, because the beginning of a feature may have
	// been cut there.
	from := max(1, s.looked-memberBytes)
	s.looked = len(s.buf)
	return nextStart(s.buf, from) > 0
}

// memberBytes is the number of bytes at the beginning of a feature in which its first member is searched.
const memberBytes = 200

// nextStart returns the offset at which the next feature begins in the text of a feature, at from or later. The next
// feature follows a comma or a closing brace, and its first member has the same name. It returns -1 if there is none.
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
		// The separator of a text sequence (RFC 8142) counts as white space.
		before := bytes.TrimRight(text[:at], " \t\r\n\x1e")
		other, value, ok := firstMember(text[at:])
		if ok && other == key && (key != "type" || value == "Feature") && len(before) > 0 && bytes.IndexByte([]byte(",}"), before[len(before)-1]) >= 0 {
			return at
		}
		at++
	}
	return -1
}

// firstMember returns the name of an object's first member, and its value if the value is a string.
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

// shortString reads a JSON string without escapes. It returns the string and the text after it.
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

// resume moves the scanner past a broken feature. s.buf holds the bytes that were read of it. If the next feature begins
// in s.buf, the scanner moves back to it. Otherwise, if the value had no end, the scanner moves to the next line that
// begins with a feature or ends the list.
func (s *scanner) resume(v cut, whole bool) error {
	if at := nextStart(s.buf, 1); at > 0 {
		// The bytes of the next feature go back to the reader, and the line and the offset go back with them.
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
			return nil // the next read returns the error for the end of the file
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

// closesList reports whether a line contains only the end of a list of features and of the objects around it.
func closesList(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	rest := strings.Trim(string(line), "]} \t\r")
	return rest == "" || rest == "," || strings.HasPrefix(rest, ",\"") || strings.HasPrefix(rest, ", \"")
}

// endsWhole reports whether a text ends like a list of features. A file whose last feature has a quote that is not
// closed ends in this way. A truncated file does not.
func endsWhole(text []byte) bool {
	end := strings.Join(strings.Fields(string(text[max(0, len(text)-memberBytes):])), "")
	return strings.HasSuffix(end, "}]}") || strings.HasSuffix(end, "}]")
}

// skipLine consumes the rest of the line.
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

// skipObject moves past a broken object that has its own line, to the next line that begins with an object.
func (s *scanner) skipObject() error {
	for {
		if err := s.skipLine(); err != nil {
			return err
		}
		head, err := s.r.Peek(1)
		if err != nil || head[0] == '{' || head[0] == recordSeparator || head[0] == byteOrderMark[0] {
			return nil // the next read meets an error or the end of the file again
		}
	}
}

// salvage returns the readable members of a feature that is not valid JSON. It replaces NaN and Infinity by null, and
// invalid bytes by U+FFFD. If the members cannot be read, it returns only the id.
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

// withoutNaN replaces NaN and Infinity outside strings by null.
func withoutNaN(text []byte) []byte {
	out := make([]byte, 0, len(text))
	inString := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		// An escaped quote does not end the string, so the backslash and the character after it are copied together.
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

// nanLength returns the length of a NaN or Infinity at the beginning of text, or 0. JSON does not have them, and some
// programs write them.
func nanLength(text []byte) int {
	for _, word := range []string{"-Infinity", "+Infinity", "Infinity", "-NaN", "NaN", "nan", "-inf", "inf", "Inf", "-Inf"} {
		if bytes.HasPrefix(text, []byte(word)) {
			return len(word)
		}
	}
	return 0
}

// idBefore returns the id member of a broken object if it is before the syntax error, or nil.
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
