package backfill

import (
	"bytes"
	"encoding/json"
	"strings"
)

// ndjson reads one JSON object per line: {"device":…,"datastream":…,"t":…,"v":number}. "datastream_id" may replace the two names.
// The form that devices publish is read too: {"device":…,"t":…,"v":{"name":number,…}}. Other keys are ignored.
type ndjson struct {
	*lines
	text    decoding
	times   timeReader
	numbers numberReader
	rec     Record
}

// Next returns the next line that is not empty.
func (n *ndjson) Next() (*Record, error) {
	for {
		line, err := n.next()
		n.rec.begin(n.before, line)
		if n.rec.tooLong(err, n.limit) {
			return &n.rec, nil
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		n.line(line)
		return &n.rec, nil
	}
}

// Position returns the position after the last line.
func (n *ndjson) Position() Position { return n.pos }

// Note implements Reader. It returns "".
func (n *ndjson) Note() string { return "" }

// members holds the raw values of the keys that are read; nil: the key is missing.
type members struct {
	device, datastream, id, t, v, qc []byte
}

// of returns the place for the value of a key. It returns nil for a key that is not read.
func (m *members) of(key []byte) *[]byte {
	switch string(key) {
	case "device":
		return &m.device
	case "datastream":
		return &m.datastream
	case "datastream_id":
		return &m.id
	case "t":
		return &m.t
	case "v":
		return &m.v
	case "qc":
		return &m.qc
	default:
		return nil
	}
}

// line parses one line. json.Valid comes first, so that scan need not check the syntax.
func (n *ndjson) line(b []byte) {
	b, bad := n.text.utf8(b)
	n.rec.Raw = b
	switch {
	case bad >= 0:
		n.rec.refuseText("", bad, n.text.gb)
		return
	case !json.Valid(b):
		n.rec.refuse(ReasonBadJSON, "", "not JSON")
		return
	}
	s := scan{b: b}
	if s.peek() != '{' {
		n.rec.refuse(ReasonBadShape, "", "not an object")
		return
	}
	var m members
	twice := ""
	s.object(func(key []byte) {
		value := s.value()
		if at := m.of(key); at != nil {
			// json.Valid accepts a key that occurs twice (RFC 8259, section 4), and it is not known which value is
			// meant.
			if *at != nil {
				twice = string(key)
			}
			*at = value
		}
	})
	if twice != "" {
		n.rec.refuse(ReasonBadShape, twice, "given twice")
		return
	}
	n.reading(m)
}

// reading converts the members of a line to values.
func (n *ndjson) reading(m members) {
	var v Value
	if m.t == nil {
		n.rec.refuse(ReasonBadTime, "t", "missing")
		return
	}
	when, ok := stringOf(m.t)
	if !ok {
		// A number without quotes is a time only in the unit of --epoch; timeReader decides.
		if when = m.t; !isNumber(string(when)) {
			n.rec.refuse(ReasonBadTime, "t", "not a string")
			return
		}
	}
	var bad mistake
	if v.Time, bad = n.times.read(when); bad.msg != "" {
		n.rec.refuseFor(ReasonBadTime, "t", bad)
		return
	}
	if m.qc != nil {
		var msg string
		if v.QC, msg = parseQC(m.qc); msg != "" {
			n.rec.refuse(ReasonBadQC, "qc", msg)
			return
		}
	}
	switch {
	case m.v == nil:
		n.rec.refuse(ReasonBadShape, "v", "missing")
	case m.v[0] == '{':
		n.several(m, v)
	default:
		n.one(m, v)
	}
}

// one reads a line with one value.
func (n *ndjson) one(m members, v Value) {
	if !n.finite(&v.Value, m.v, "v") {
		return
	}
	if m.id != nil {
		var msg string
		if v.DatastreamID, msg = parseID(m.id); msg != "" {
			n.rec.refuse(ReasonNoStream, "datastream_id", msg)
			return
		}
	} else if !n.name(&v.Device, m.device, "device", ReasonNoDevice) || !n.name(&v.Datastream, m.datastream, "datastream", ReasonNoStream) {
		return
	}
	v.Column = "datastream"
	n.rec.Values = append(n.rec.Values, v)
}

// several reads the form that devices publish. A faulty value does not affect the other values of the line.
func (n *ndjson) several(m members, v Value) {
	if !n.name(&v.Device, m.device, "device", ReasonNoDevice) {
		return
	}
	count := 0
	s := scan{b: m.v}
	s.object(func(key []byte) {
		raw := s.value()
		// The object is read to its end, because scan must stay in step with the bytes.
		if count++; count > maxValues {
			return
		}
		v.Datastream, v.Column = key, "v."+string(key)
		if n.finite(&v.Value, raw, v.Column) {
			n.rec.Values = append(n.rec.Values, v)
		}
	})
	switch {
	case count == 0:
		n.rec.refuse(ReasonBadShape, "v", "empty")
	case count > maxValues:
		n.rec.Values, n.rec.Refusals, n.rec.Missing = n.rec.Values[:0], n.rec.Refusals[:0], 0
		n.rec.refuse(ReasonTooLarge, "v", "more than "+itoa(maxValues)+" values")
	default:
		n.onlyOnce()
	}
}

// onlyOnce refuses names that occur twice, because it is not known which of the values is meant.
func (n *ndjson) onlyOnce() {
	if len(n.rec.Values) < 2 {
		return
	}
	seen := make(map[string]int, len(n.rec.Values))
	for _, v := range n.rec.Values {
		seen[string(v.Datastream)]++
	}
	// In almost every line the names are different.
	if len(seen) == len(n.rec.Values) {
		return
	}
	// kept reuses the array of Values; it never overtakes the loop, because at most one value is added for each one
	// read.
	kept := n.rec.Values[:0]
	for _, v := range n.rec.Values {
		if seen[string(v.Datastream)] == 1 {
			kept = append(kept, v)
			continue
		}
		n.rec.refuse(ReasonBadValue, "v."+string(v.Datastream), "given twice")
	}
	n.rec.Values = kept
}

// finite reads a JSON number. It returns false for a missing value, such as null or "--", and for anything else, which it refuses.
func (n *ndjson) finite(to *float64, raw []byte, field string) bool {
	// A JSON number begins with a minus sign or a digit; anything else is a word, a text, an object or an array.
	if c := raw[0]; c != '-' && (c < '0' || c > '9') {
		word, quoted := stringOf(raw)
		if string(raw) == "null" || quoted && isMissing(strings.TrimSpace(halfWidth(word))) {
			n.rec.Missing++
			return false
		}
		n.rec.refuse(ReasonBadValue, field, clip(string(raw))+" is not a number")
		return false
	}
	v, missing, bad := n.numbers.read(raw)
	switch {
	case bad.msg != "":
		n.rec.refuseFor(ReasonBadValue, field, bad)
	case missing:
		n.rec.Missing++
	default:
		*to = v
		return true
	}
	return false
}

// name reads a string that must not be empty.
func (n *ndjson) name(to *[]byte, raw []byte, field, reason string) bool {
	if raw == nil {
		n.rec.refuse(reason, field, "missing")
		return false
	}
	s, ok := stringOf(raw)
	if !ok || len(s) == 0 {
		n.rec.refuse(reason, field, "not a name")
		return false
	}
	*to = s
	return true
}

// stringOf returns the content of a JSON string; it returns false if raw is not a string.
func stringOf(raw []byte) ([]byte, bool) {
	if raw[0] != '"' {
		return nil, false
	}
	// Most strings have no escape, and their bytes can be used without a copy.
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

// scan iterates over bytes that are known to be valid JSON.
type scan struct {
	b []byte
	i int
}

// peek skips white space and returns the next byte. Valid JSON always has one here.
func (s *scan) peek() byte {
	for s.b[s.i] == ' ' || s.b[s.i] == '\t' || s.b[s.i] == '\n' || s.b[s.i] == '\r' {
		s.i++
	}
	return s.b[s.i]
}

// object iterates over the keys of an object. The function each must read the value of the key that it gets.
func (s *scan) object(each func(key []byte)) {
	s.peek()
	s.i++ // {
	for s.peek() != '}' {
		key, _ := stringOf(s.value())
		s.peek()
		s.i++ // :
		each(key)
		if s.peek() == ',' {
			s.i++
		}
	}
	s.i++
}

// value reads a value of any type and returns its bytes.
func (s *scan) value() []byte {
	s.peek()
	// depth is the number of open objects and arrays; the value ends where it is 0 again.
	from, depth := s.i, 0
	for {
		switch s.b[s.i] {
		case '"':
			for s.i++; s.b[s.i] != '"'; s.i++ {
				if s.b[s.i] == '\\' {
					s.i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		default:
			if depth == 0 {
				s.word()
				return s.b[from:s.i]
			}
		}
		s.i++
		if depth == 0 {
			return s.b[from:s.i]
		}
	}
}

// word reads a number or a literal.
func (s *scan) word() {
	for ; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r', ',', '}', ']':
			return
		}
	}
}
