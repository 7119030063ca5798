package sensors

import (
	"math"
	"strconv"
	"time"

	"onemap/internal/fault"
)

// Decoder decodes the messages of a protocol. A feed has one Decoder for each form of message that it receives and sets it
// in the Message. The methods must not change the Decoder: they are called from several goroutines at once, and more than
// once for the same message.
//
// A feed that has decoded a message already uses Decoded, which implements Decoder.
type Decoder interface {
	// Count returns an estimate of the number of values in the message. It is called before the message is queued, so it should
	// be much cheaper than Decode. It only affects how much data of a device is stored at once: a wrong count loses no data.
	Count(raw []byte) int
	// Decode adds the content of the message to d. It is called shortly before the commit, so that the queue holds bytes and not
	// values. It is called again if the device's datastreams have changed since. It must not change raw, and must not keep raw
	// or d.
	Decode(raw []byte, d *Decoding)
}

// Reading holds the values that a device measured at one time.
type Reading struct {
	Time   time.Time // zero: the device sent no time, and the time of receipt is used
	Values []Value
}

// Value is one named number of a Reading, in the unit of its datastream's type.
type Value struct {
	Name   string // name of the datastream
	Number float64
}

// Decoded is a message that its feed has decoded already. It implements Decoder.
type Decoded struct {
	Readings []Reading
	Online   *bool  // the device reports that it is online or offline; nil: no report
	Faults   Faults // faults of the rest of the message; it then goes to quarantine too, and the readings are stored
}

// Count implements Decoder.
func (m Decoded) Count([]byte) int {
	n := 0
	for i := range m.Readings {
		n += len(m.Readings[i].Values)
	}
	return n
}

// Decode implements Decoder.
func (m Decoded) Decode(_ []byte, d *Decoding) {
	d.faults = Faults{List: append([]Fault(nil), m.Faults.List...), More: m.Faults.More}
	for i, r := range m.Readings {
		d.Begin()
		if !r.Time.IsZero() {
			d.Time(r.Time)
		}
		for _, v := range r.Values {
			if verdict := d.add(d.device.byName[v.Name], v.Number); verdict != Taken {
				field := Printable([]byte(v.Name))
				if len(m.Readings) > 1 {
					field = "[" + strconv.Itoa(i) + "]." + field
				}
				d.FaultOf(verdict, field, []byte(v.Name), v.Number)
			}
		}
		d.End()
	}
	if m.Online != nil {
		d.Status(*m.Online)
	}
}

// Verdict is the result of the check of a value.
type Verdict int

// The verdicts.
const (
	Taken     Verdict = iota
	NoStream          // the device has no datastream of that name
	Twice             // the record already has a value of that datastream; neither is stored
	NotFinite         // it is NaN or infinite
)

// Decoding collects the content of one message. For each record of the message, a Decoder calls Begin, then Time and Value in
// any order, then End. A record without End adds nothing.
//
// The rules that are the same for all protocols are here: which datastream a name identifies, whether a value is plausible (a
// value outside the range of its type is stored and flagged QCBad), and whether a time can be true. A time ahead of the
// receipt is kept and flagged TimeWrong. A time that cannot be true is replaced by the receipt and flagged the same. Times
// are in UTC, truncated to microseconds.
type Decoding struct {
	device   *Known
	received time.Time
	limits   TimeLimits
	values   int // estimated number of values in the message

	record []value // values of the current record
	at     time.Time
	timed  bool // the current record has its own time

	decoded
	status *Status
	faults Faults
	ahead  int // records that are ahead of their receipt, or whose time cannot be true
}

// value is one value of the current record, whose time may not be known yet.
type value struct {
	stream *Stream
	number float64
	bad    bool // it is not stored
}

// decoded is the decoded content of a message, with what its times show about the device's clock.
type decoded struct {
	observations []Observation
	records      int
	lastTime     time.Time // time of the last record that has one, plausible or not; zero: no record has a time
	untrue       bool      // that time is ahead of the receipt, or cannot be true
}

// reset prepares d for a message with about this number of values.
func (d *Decoding) reset(device *Known, received time.Time, limits TimeLimits, values int) {
	*d = Decoding{device: device, received: received.UTC().Truncate(time.Microsecond), limits: limits, values: values, record: d.record[:0]}
}

// Begin starts a record. All values of a record have the same time.
func (d *Decoding) Begin() {
	d.records++
	d.record, d.at, d.timed = d.record[:0], d.received, false
}

// Time sets the time of the record according to the device. Without it, the time of receipt is used and the observations have
// TimeReceipt.
func (d *Decoding) Time(at time.Time) {
	d.at, d.timed = at.UTC().Truncate(time.Microsecond), true
}

// Value adds the value of a datastream to the record, and returns whether it is stored. If it is not, the Decoder must report
// a fault: by FaultOf, or a more precise one.
func (d *Decoding) Value(name []byte, number float64) Verdict {
	return d.add(d.device.byName[string(name)], number)
}

func (d *Decoding) add(stream *Stream, number float64) Verdict {
	if stream == nil {
		return NoStream
	}
	for i := range d.record {
		if d.record[i].stream.ID == stream.ID {
			d.record[i].bad = true
			return Twice
		}
	}
	bad := math.IsNaN(number) || math.IsInf(number, 0)
	d.record = append(d.record, value{stream: stream, number: number, bad: bad})
	if bad {
		return NotFinite
	}
	return Taken
}

// End converts the record to observations.
func (d *Decoding) End() {
	at, source, now := d.at, TimeReceipt, time.Time{}
	if d.timed {
		source = TimeDevice
		d.lastTime, d.untrue = at, at.Sub(d.received) > d.limits.Ahead || !d.limits.keeps(at, d.received)
		if d.untrue {
			now, source = d.received.Add(time.Duration(d.ahead)*time.Microsecond), TimeWrong
			d.ahead++ // each record gets a later time; otherwise the second one would be late
			if !d.limits.keeps(at, d.received) {
				at = now
			}
		}
	}
	for _, v := range d.record {
		if v.bad {
			continue
		}
		if d.observations == nil {
			const most = 256 // the number is only an estimate from the sender's bytes
			d.observations = make([]Observation, 0, max(len(d.record), min(d.values, most)))
		}
		qc := QCNotEvaluated
		if v.stream.Ranged {
			qc = QCGood
			if v.number < v.stream.Min || v.number > v.stream.Max {
				qc = QCBad
			}
		}
		d.observations = append(d.observations, Observation{
			DatastreamID: v.stream.ID, Time: at, Value: v.number, QC: qc, TimeSource: source, ReceivedAt: d.received, Now: now,
		})
	}
	d.record = d.record[:0]
}

// Status sets that the device is online or offline. Its time is the receipt, so presence follows the order in which the
// server received the statuses. With the device's time, a device whose clock is ahead would stay online after its own last
// will.
func (d *Decoding) Status(online bool) {
	d.status = &Status{DeviceID: d.device.ID, Online: online, At: d.received}
}

// Fault reports what is wrong with a part of the message. The message goes to quarantine with the fault; its other parts are
// stored nevertheless. reason is one of the Reason codes. field is the part as the sender would name it: v.level, [3].t.
func (d *Decoding) Fault(reason, field string, c fault.Code, values ...any) {
	d.faults.Add(reason, field, c, values...)
}

// FaultOf reports the fault of a value that is not stored.
func (d *Decoding) FaultOf(v Verdict, field string, name []byte, number float64) {
	switch v {
	case Taken:
	case NoStream:
		d.Fault(ReasonUnknownDatastream, field, CodeNoDatastream, Printable(name))
	case Twice:
		d.Fault(ReasonBadValue, field, CodeGivenTwice)
	case NotFinite:
		d.Fault(ReasonBadValue, field, CodeNotNumber, strconv.FormatFloat(number, 'g', -1, 64))
	}
}

// Reject sends the whole message to quarantine. Nothing of it is stored, because its bytes do not follow the protocol and
// cannot be trusted. faults replaces the faults reported so far.
func (d *Decoding) Reject(faults Faults) {
	d.decoded, d.status, d.faults = decoded{}, nil, faults
}

// TimeLimits is the range of plausible event times.
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

// keeps reports whether a time can be true, so that the reading is stored under it.
func (l TimeLimits) keeps(t, received time.Time) bool {
	return t.Year() > 1980 && t.Sub(received) <= l.Future && received.Sub(t) <= l.Age
}

// DecodeFor returns the result of a Decoder for one message of a device: the stored data and the faults. It is for the tests
// of Decoders; the ingest path does the same.
func DecodeFor(device *Known, decoder Decoder, raw []byte, received time.Time, limits TimeLimits) ([]Observation, *Status, Faults) {
	var d Decoding
	d.reset(device, received, limits.withDefaults(), decoder.Count(raw))
	decoder.Decode(raw, &d)
	return d.observations, d.status, d.faults
}
