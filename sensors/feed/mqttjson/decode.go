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

// bare removes what senders of text add to a payload: byte order marks before it; NUL (the end of a text in C), Ctrl-Z (the
// end of a text in CP/M and DOS) and white space after it.
func bare(payload []byte) []byte {
	// A payload can have more than one byte order mark, if several programs have added one.
	for bytes.HasPrefix(payload, []byte("\xef\xbb\xbf")) {
		payload = payload[3:]
	}
	return bytes.TrimRight(payload, "\x00\x1a \t\r\n")
}

// decoder decodes one payload to observations.
type decoder struct {
	scanner
	at  int // index of the current record in its array; negative: there is no array
	out *sensors.Decoding
}

// payload decodes one reading or an array of readings.
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
	// After the array, a fault belongs to the whole payload and not to a record.
	d.at = -1
	if !some {
		d.out.Fault(sensors.ReasonBadShape, "", sensors.CodeEmptyArray)
	}
	return d.end()
}

// path returns the path of the current record for faults: "" or "[3]".
func (d *decoder) path() string {
	if d.at < 0 {
		return ""
	}
	return "[" + strconv.Itoa(d.at) + "]"
}

// field returns the path of a key of the current record.
func (d *decoder) field(key string) string {
	if d.at < 0 {
		return key
	}
	return d.path() + "." + key
}

// reading decodes one {"t":…,"v":{…}}. A reading with a wrong time is not stored: it would be stored at a wrong place. A
// wrong value does not affect the other values.
func (d *decoder) reading(index int) error {
	d.at = index
	d.out.Begin()
	if d.peek() != '{' {
		// An array element of another type is skipped, so that the other readings of the array are stored.
		d.out.Fault(sensors.ReasonBadShape, d.path(), sensors.CodeNotReading, d.kind())
		return d.skip(0)
	}
	// good is false if the time is wrong, or if "t" or "v" is given twice. The record is then not stored.
	good := true
	var timeSeen, valuesSeen bool
	// The order of "t" and "v" is free: the time is applied to the values at the end of the record.
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
			good = false // it is not known which of the two is right
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

// takeTime decodes the value of "t". ok is false if it is not a valid time.
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

// values decodes the object of "v".
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

// value decodes one number of "v". verdict is the result of the checks that do not depend on the protocol.
func (d *decoder) value(name []byte) error {
	number, wrong, what, err := d.number()
	if err != nil {
		return err
	}
	switch verdict := d.out.Value(name, number); {
	case verdict == sensors.Taken:
	// The scanner knows more exactly what is wrong with the value: its type, its spelling or its size.
	case verdict == sensors.NotFinite && wrong != "":
		d.out.Fault(sensors.ReasonBadValue, d.field("v."+sensors.Printable(name)), wrong, what)
	default:
		d.out.FaultOf(verdict, d.field("v."+sensors.Printable(name)), name, number)
	}
	return nil
}

// time decodes a value that should be a time. wrong is the code of what is wrong with it, and what is the found value.
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

// number decodes a value that should be a finite number. If wrong is set, value is NaN, and what is the found value.
func (s *scanner) number() (value float64, wrong fault.Code, what any, err error) {
	switch s.peek() {
	// These values are valid JSON but no numbers. They are skipped, and the other values of the record are stored.
	case '"', '{', '[':
		what = s.kind()
		return math.NaN(), sensors.CodeNotNumber, what, s.skip(0)
	}
	word := s.word()
	switch {
	case len(word) == 0:
		return 0, "", nil, s.fail(sensors.CodeJSONNumber, s.found())
	// Words such as NaN, null and 007 are no JSON numbers. The scanner can continue after them, so only this value is
	// refused.
	case !isNumber(word):
		return math.NaN(), sensors.CodeNotNumber, found(word), nil
	}
	value, err = strconv.ParseFloat(string(word), 64)
	// A number such as 1e999 is valid JSON but larger than a float64 can be.
	if err != nil || math.IsInf(value, 0) {
		return math.NaN(), sensors.CodeNumberTooLarge, sensors.Printable(word), nil
	}
	return value, "", nil, nil
}

// found returns a word without quotes for a message. It quotes a word that is spelled like a token, because the page would
// otherwise translate the text of the sender.
func found(word []byte) any {
	switch token := fault.Token(word); {
	case token == fault.ANull:
		return token
	case slices.Contains(fault.Tokens(), token):
		return strconv.Quote(string(word))
	}
	return sensors.Printable(word)
}

// kind returns the type of the next value, for a message.
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
