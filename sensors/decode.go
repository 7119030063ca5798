package sensors

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"onemap/internal/fault"
	"onemap/internal/text"
)

// The reasons for which a publish, or a part of one, goes to quarantine.
const (
	ReasonBadJSON           = "bad-json"           // not JSON: nothing of it can be trusted
	ReasonBadShape          = "bad-shape"          // JSON, but not {"t":…,"v":{…}}
	ReasonBadTime           = "bad-time"           // unreadable
	ReasonBadValue          = "bad-value"          // not a finite number
	ReasonBadStatus         = "bad-status"         // neither online nor offline
	ReasonBadTopic          = "bad-topic"          // not a topic of the device
	ReasonUnknownDatastream = "unknown-datastream" // a name that the device does not have
	ReasonUnknownDevice     = "unknown-device"     // a device that is not registered, or disabled
	ReasonTooLarge          = "too-large"          // larger than is taken
	ReasonRefused           = "store-refused"      // decoded, but the store would not have it
)

// maxFaults is how many faults of one payload are spelled out; the rest are counted.
const maxFaults = 16

// Fault is one thing that is wrong with a payload.
type Fault struct {
	Reason string `json:"-"`               // one of the Reason codes
	Field  string `json:"field,omitempty"` // as the sender wrote it: v.level, [3].t
	fault.Message
}

// String is "field: message".
func (f Fault) String() string {
	if f.Field == "" {
		return f.Message.String()
	}
	return f.Field + ": " + f.Message.String()
}

// Faults are what is wrong with one payload: the first of them, and how many more there were.
type Faults struct {
	List []Fault
	More int
}

// OneFault is a payload with one thing wrong.
func OneFault(reason, field string, c fault.Code, values ...any) Faults {
	return Faults{List: []Fault{{reason, field, fault.NewMessage(c, values...)}}}
}

// Len is how many faults there were.
func (f *Faults) Len() int { return len(f.List) + f.More }

func (f *Faults) add(reason, field string, c fault.Code, values ...any) {
	if len(f.List) == maxFaults {
		f.More++
		return
	}
	f.List = append(f.List, Fault{reason, field, fault.NewMessage(c, values...)})
}

// Reason is the first fault's code; empty when there is none.
func (f *Faults) Reason() string {
	if len(f.List) == 0 {
		return ""
	}
	return f.List[0].Reason
}

// Has reports whether one of the listed faults has the reason.
func (f *Faults) Has(reason string) bool {
	for _, one := range f.List {
		if one.Reason == reason {
			return true
		}
	}
	return false
}

// All are the listed faults, in the order of the payload, and one that counts the rest.
func (f *Faults) All() []Fault {
	if f.More == 0 {
		return f.List
	}
	return append(slices.Clone(f.List), Fault{Message: fault.NewMessage(fault.CodeMoreFaults, f.More)})
}

// Detail names every fault in English. It is printable text without control characters, so any store
// can keep it.
func (f *Faults) Detail() string {
	var b strings.Builder
	for i, one := range f.All() {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(one.String())
	}
	return b.String()
}

// Quarantine returns q with what is wrong.
func (f *Faults) Quarantine(q Quarantined) Quarantined {
	q.Reason, q.Detail, q.Faults = f.Reason(), f.Detail(), f.All()
	return q
}

// TimeLimits say which event times are believed.
type TimeLimits struct {
	Ahead  time.Duration // how far ahead of receipt without being flagged TimeWrong; 0 is 10 s
	Future time.Duration // how far ahead of receipt a time may be kept; 0 is 31 days, for which there are partitions
	Age    time.Duration // how far behind receipt a time may be kept; 0 is 10 years
}

func (l TimeLimits) withDefaults() TimeLimits {
	if l.Ahead == 0 {
		l.Ahead = 10 * time.Second
	}
	if l.Future == 0 {
		l.Future = 31 * 24 * time.Hour
	}
	if l.Age == 0 {
		l.Age = 10 * 366 * 24 * time.Hour
	}
	return l
}

// DecodeObservations reads the payload of an obs topic: {"t":RFC 3339,"v":{"name":number,…}} or an
// array of such. "t" may be left out: then the time of receipt is the time, and TimeSource says so.
// Each value that is wrong is a fault of its own and does not cost the others; bytes that are not
// JSON cost the whole payload, since what they would have said cannot be known. A value outside the
// range of its type is kept and flagged QCBad, a time ahead of the receipt is kept and flagged
// TimeWrong, and one that cannot be true becomes the receipt and is flagged so too. Times are UTC with
// microseconds. A byte order mark before the JSON, and NULs and Ctrl-Z after it, are passed over.
func DecodeObservations(payload []byte, received time.Time, device *Known, limits TimeLimits) ([]Observation, Faults) {
	d, faults := decodeRecords(payload, received, device, limits)
	return d.observations, faults
}

// decoded is a payload of readings, with what its times say of the device's clock.
type decoded struct {
	observations []Observation
	records      int
	said         time.Time // by the last record that has a time, whatever it is; zero: none has
	untrue       bool      // that time is ahead of the receipt, or cannot be true
}

// bare is a payload without what senders of text put around it: byte order marks before it; behind it the NULs
// that end a text in C, the Ctrl-Z that ends one in CP/M and its heirs, and white space.
func bare(payload []byte) []byte {
	for bytes.HasPrefix(payload, []byte("\xef\xbb\xbf")) {
		payload = payload[3:]
	}
	return bytes.TrimRight(payload, "\x00\x1a \t\r\n")
}

func decodeRecords(payload []byte, received time.Time, device *Known, limits TimeLimits) (decoded, Faults) {
	d := decoder{
		scanner: scanner{b: bare(payload)}, at: -1, device: device, limits: limits.withDefaults(),
		received: received.UTC().Truncate(time.Microsecond),
	}
	if err := d.payload(); err != nil {
		return decoded{}, Faults{List: []Fault{{ReasonBadJSON, d.path(), fault.MessageOf(err)}}}
	}
	return decoded{d.out, d.records, d.said, d.untrue}, d.faults
}

// decoder is one payload on its way to observations.
type decoder struct {
	scanner
	device   *Known
	received time.Time
	limits   TimeLimits

	at     int // index of the record in its array; below 0 in none
	record []reading
	out    []Observation
	faults Faults
	ahead  int // records that are ahead of their receipt, or whose time cannot be true

	records int
	said    time.Time
	untrue  bool
}

// reading is one value of a record whose time is not known yet.
type reading struct {
	stream *Stream
	value  float64
	bad    bool // a fault was noted: it is not stored
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
		d.faults.add(ReasonBadShape, "", CodeEmptyArray)
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
	d.at, d.record = index, d.record[:0]
	d.records++
	if d.peek() != '{' {
		d.faults.add(ReasonBadShape, d.path(), CodeNotReading, d.kind())
		return d.skip(0)
	}
	at, source, good := d.received, TimeReceipt, true
	var timeSeen, valuesSeen bool
	err := d.object(func(key []byte) (err error) {
		isT, isV := string(key) == "t", string(key) == "v"
		switch {
		case isT && !timeSeen:
			var ok bool
			timeSeen, source = true, TimeDevice
			at, ok, err = d.time()
			good = good && ok
			return err
		case isV && !valuesSeen:
			valuesSeen = true
			return d.values()
		case isT || isV:
			good = false // which of the two is meant cannot be known
			d.faults.add(ReasonBadShape, d.field(string(key)), CodeGivenTwice)
		default:
			d.faults.add(ReasonBadShape, d.field(printable(key)), CodeUnknownMember, "t", "v")
		}
		return d.skip(0)
	})
	if err != nil {
		return err
	}
	if !valuesSeen {
		d.faults.add(ReasonBadShape, d.field("v"), fault.CodeRequired)
	}
	if good {
		d.emit(at, source)
	}
	return nil
}

// emit makes observations of the record's values.
func (d *decoder) emit(at time.Time, source TimeSource) {
	var now time.Time
	if source == TimeDevice {
		d.said, d.untrue = at, at.Sub(d.received) > d.limits.Ahead || !d.limits.keeps(at, d.received)
	}
	if source == TimeDevice && d.untrue {
		now, source = d.received.Add(time.Duration(d.ahead)*time.Microsecond), TimeWrong
		d.ahead++ // each a moment later, or the second would count as late
		if !d.limits.keeps(at, d.received) {
			at = now
		}
	}
	for _, r := range d.record {
		if r.bad {
			continue
		}
		qc := QCNotEvaluated
		if r.stream.Ranged {
			qc = QCGood
			if r.value < r.stream.Min || r.value > r.stream.Max {
				qc = QCBad
			}
		}
		d.out = append(d.out, Observation{
			DatastreamID: r.stream.ID, Time: at, Value: r.value, QC: qc, TimeSource: source, ReceivedAt: d.received, Now: now,
		})
	}
}

// time takes the value of "t"; ok is false when a fault was noted.
func (d *decoder) time() (at time.Time, ok bool, err error) {
	if d.peek() != '"' {
		d.faults.add(ReasonBadTime, d.field("t"), CodeNotTimeString, d.kind())
		return time.Time{}, false, d.skip(0)
	}
	text, err := d.str()
	if err != nil {
		return time.Time{}, false, err
	}
	at, ok = parseTime(text)
	if !ok {
		d.faults.add(ReasonBadTime, d.field("t"), CodeNoTime, printable(text))
	}
	return at, ok, nil
}

// keeps reports whether a time can be true, so that the reading is stored under it.
func (l TimeLimits) keeps(t, received time.Time) bool {
	return t.Year() > 1980 && t.Sub(received) <= l.Future && received.Sub(t) <= l.Age
}

// values takes the object of "v".
func (d *decoder) values() error {
	if d.peek() != '{' {
		d.faults.add(ReasonBadShape, d.field("v"), CodeNotNumbers, d.kind())
		return d.skip(0)
	}
	some := false
	err := d.object(func(name []byte) error {
		some = true
		return d.value(name)
	})
	if err == nil && !some {
		d.faults.add(ReasonBadShape, d.field("v"), fault.CodeNotEmpty)
	}
	return err
}

// value takes one number of "v".
func (d *decoder) value(name []byte) error {
	value, wrong, what, err := d.number()
	if err != nil {
		return err
	}
	stream, known := d.device.byName[string(name)]
	if !known {
		d.faults.add(ReasonUnknownDatastream, d.field("v."+printable(name)), CodeNoDatastream, printable(name))
		return nil
	}
	for i := range d.record {
		if d.record[i].stream.ID == stream.ID {
			d.record[i].bad = true
			d.faults.add(ReasonBadValue, d.field("v."+printable(name)), CodeGivenTwice)
			return nil
		}
	}
	if wrong != "" {
		d.faults.add(ReasonBadValue, d.field("v."+printable(name)), wrong, what)
	}
	d.record = append(d.record, reading{stream: stream, value: value, bad: wrong != ""})
	return nil
}

// number takes a value that should be a finite number; wrong is what is wrong with it, and what stands there.
func (d *decoder) number() (value float64, wrong fault.Code, what any, err error) {
	switch d.peek() {
	case '"', '{', '[':
		what = d.kind()
		return 0, CodeNotNumber, what, d.skip(0)
	}
	word := d.word()
	switch {
	case len(word) == 0:
		return 0, "", nil, d.fail(CodeJSONNumber, d.found())
	case !isNumber(word):
		return 0, CodeNotNumber, found(word), nil
	}
	value, err = strconv.ParseFloat(string(word), 64)
	if err != nil || math.IsInf(value, 0) {
		return 0, CodeNumberTooLarge, printable(word), nil
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
	return printable(word)
}

// kind names what comes next, for a message.
func (d *decoder) kind() fault.Token {
	switch d.peek() {
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

// printable makes outside bytes fit for a message: plain names as they are, everything else quoted
// in ASCII, both cut at 40 bytes.
func printable(b []byte) string {
	const limit = 40
	cut := ""
	if len(b) > limit {
		b, cut = b[:len(text.Prefix(string(b[:limit+1]), limit))], "…"
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return strconv.QuoteToASCII(string(b)) + cut
		}
	}
	if len(b) == 0 {
		return `""`
	}
	return string(b) + cut
}
