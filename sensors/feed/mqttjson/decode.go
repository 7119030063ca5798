package mqttjson

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"time"

	"onemap/internal/fault"
	"onemap/sensors"
)

// bare is a payload without what senders of text put around it: byte order marks before it; behind it the NULs
// that end a text in C, the Ctrl-Z that ends one in CP/M and its heirs, and white space.
func bare(payload []byte) []byte {
	for bytes.HasPrefix(payload, []byte("\xef\xbb\xbf")) {
		payload = payload[3:]
	}
	return bytes.TrimRight(payload, "\x00\x1a \t\r\n")
}

// decoder is one payload on its way to observations.
type decoder struct {
	scanner
	at  int // index of the record in its array; below 0 in none
	out *sensors.Decoding
}

func (d *decoder) payload() error {
	if d.peek() != '[' {
		if err := d.reading(-1); err != nil {
			return err
		}
		return d.end()
	}
	some := false
	err := d.array(func(i int) error {
		some = true
		return d.reading(i)
	})
	if err != nil {
		return err
	}
	d.at = -1
	if !some {
		d.out.Fault(sensors.ReasonBadShape, "", sensors.CodeEmptyArray)
	}
	return d.end()
}

// path is that of the current record: "" or "[3]".
func (d *decoder) path() string {
	if d.at < 0 {
		return ""
	}
	return "[" + strconv.Itoa(d.at) + "]"
}

// field is the path of a key of the current record.
func (d *decoder) field(key string) string {
	if d.at < 0 {
		return key
	}
	return d.path() + "." + key
}

// reading takes one {"t":…,"v":{…}}.
func (d *decoder) reading(index int) error {
	d.at = index
	d.out.Begin()
	if d.peek() != '{' {
		d.out.Fault(sensors.ReasonBadShape, d.path(), sensors.CodeNotReading, d.kind())
		return d.skip(0)
	}
	good := true
	var timeSeen, valuesSeen bool
	err := d.object(func(key []byte) error {
		isT, isV := string(key) == "t", string(key) == "v"
		switch {
		case isT && !timeSeen:
			timeSeen = true
			ok, err := d.takeTime()
			good = good && ok
			return err
		case isV && !valuesSeen:
			valuesSeen = true
			return d.values()
		case isT || isV:
			good = false // which of the two is meant cannot be known
			d.out.Fault(sensors.ReasonBadShape, d.field(string(key)), sensors.CodeGivenTwice)
		default:
			d.out.Fault(sensors.ReasonBadShape, d.field(sensors.Printable(key)), sensors.CodeUnknownMember, "t", "v")
		}
		return d.skip(0)
	})
	if err != nil {
		return err
	}
	if !valuesSeen {
		d.out.Fault(sensors.ReasonBadShape, d.field("v"), fault.CodeRequired)
	}
	if good {
		d.out.End()
	}
	return nil
}

// takeTime takes the value of "t"; ok is false when it says no time.
func (d *decoder) takeTime() (ok bool, err error) {
	at, wrong, what, err := d.time()
	if err != nil {
		return false, err
	}
	if wrong != "" {
		d.out.Fault(sensors.ReasonBadTime, d.field("t"), wrong, what)
		return false, nil
	}
	d.out.Time(at)
	return true, nil
}

// values takes the object of "v".
func (d *decoder) values() error {
	if d.peek() != '{' {
		d.out.Fault(sensors.ReasonBadShape, d.field("v"), sensors.CodeNotNumbers, d.kind())
		return d.skip(0)
	}
	some := false
	err := d.object(func(name []byte) error {
		some = true
		return d.value(name)
	})
	if err == nil && !some {
		d.out.Fault(sensors.ReasonBadShape, d.field("v"), fault.CodeNotEmpty)
	}
	return err
}

// value takes one number of "v".
func (d *decoder) value(name []byte) error {
	number, wrong, what, err := d.number()
	if err != nil {
		return err
	}
	switch verdict := d.out.Value(name, number); {
	case verdict == sensors.Taken:
	case verdict == sensors.NotFinite && wrong != "":
		d.out.Fault(sensors.ReasonBadValue, d.field("v."+sensors.Printable(name)), wrong, what)
	default:
		d.out.FaultOf(verdict, d.field("v."+sensors.Printable(name)), name, number)
	}
	return nil
}

// time takes a value that should be a time; wrong is what is wrong with it, and what stands there.
func (s *scanner) time() (at time.Time, wrong fault.Code, what any, err error) {
	if s.peek() != '"' {
		what = s.kind()
		return at, sensors.CodeNotTimeString, what, s.skip(0)
	}
	text, err := s.str()
	if err != nil {
		return at, "", nil, err
	}
	at, ok := parseTime(text)
	if !ok {
		return at, sensors.CodeNoTime, sensors.Printable(text), nil
	}
	return at, "", nil, nil
}

// number takes a value that should be a finite number; it is NaN when wrong says what is wrong with it, and what stands
// there.
func (s *scanner) number() (value float64, wrong fault.Code, what any, err error) {
	switch s.peek() {
	case '"', '{', '[':
		what = s.kind()
		return math.NaN(), sensors.CodeNotNumber, what, s.skip(0)
	}
	word := s.word()
	switch {
	case len(word) == 0:
		return 0, "", nil, s.fail(sensors.CodeJSONNumber, s.found())
	case !isNumber(word):
		return math.NaN(), sensors.CodeNotNumber, found(word), nil
	}
	value, err = strconv.ParseFloat(string(word), 64)
	if err != nil || math.IsInf(value, 0) {
		return math.NaN(), sensors.CodeNumberTooLarge, sensors.Printable(word), nil
	}
	return value, "", nil, nil
}

// found is a bare word for a message. One that is spelled as a token is quoted, or the page would translate what the
// sender wrote.
func found(word []byte) any {
	switch token := fault.Token(word); {
	case token == fault.ANull:
		return token
	case slices.Contains(fault.Tokens(), token):
		return strconv.Quote(string(word))
	}
	return sensors.Printable(word)
}

// kind names what comes next, for a message.
func (s *scanner) kind() fault.Token {
	switch s.peek() {
	case '"':
		return fault.AString
	case '{':
		return fault.AnObject
	case '[':
		return fault.AnArray
	case 't', 'f':
		return fault.ABoolean
	case 'n':
		return fault.ANull
	default:
		return fault.ANumber
	}
}
