package mqttjson

import (
	"strings"

	"onemap/internal/fault"
	"onemap/sensors"
)

// ParseStatus decodes the payload of a status topic or of a last will: online, offline, or {"online":bool,"t":RFC 3339}. The
// words may be in upper or lower case, in quotes, and end in NUL or white space. A time in the status is checked and not
// used: see sensors.Decoding.Status.
func ParseStatus(payload []byte) (online bool, faults sensors.Faults) {
	payload = bare(payload)
	// The words come before the JSON: with quotes they are JSON strings, and statusDecoder reads only objects.
	switch word := strings.ToLower(strings.Trim(string(payload), "\" \t\r\n")); word {
	case "online", "offline":
		return word == "online", faults
	case "":
		return false, sensors.OneFault(sensors.ReasonBadStatus, "", fault.CodeNotEmpty)
	}
	d := statusDecoder{scanner: scanner{b: payload}}
	if err := d.status(); err != nil {
		return false, sensors.Faults{List: []sensors.Fault{
			{Reason: sensors.ReasonBadStatus, Message: fault.NewMessage(sensors.CodeNotStatus)}, {Reason: sensors.ReasonBadStatus, Message: fault.MessageOf(err)},
		}}
	}
	return d.online, d.faults
}

// statusDecoder decodes a status that is a JSON object.
type statusDecoder struct {
	scanner
	online bool
	// faults lists what is wrong with the members. Without faults, the status is valid.
	faults sensors.Faults
}

// status reads {"online":bool,"t":…}.
func (d *statusDecoder) status() error {
	seen := map[string]bool{}
	err := d.object(func(key []byte) error {
		name := string(key)
		// It is not known which of the two values is right.
		if seen[name] {
			d.faults.Add(sensors.ReasonBadStatus, sensors.Printable(key), sensors.CodeGivenTwice)
			return d.skip(0)
		}
		seen[name] = true
		switch name {
		case "online":
			return d.boolean()
		case "t":
			_, wrong, what, err := d.time()
			if wrong != "" {
				d.faults.Add(sensors.ReasonBadTime, "t", wrong, what)
			}
			return err
		default:
			d.faults.Add(sensors.ReasonBadStatus, sensors.Printable(key), sensors.CodeUnknownMember, "online", "t")
			return d.skip(0)
		}
	})
	if err != nil {
		return err
	}
	if !seen["online"] {
		d.faults.Add(sensors.ReasonBadStatus, "online", fault.CodeRequired)
	}
	return d.end()
}

// boolean reads the value of "online".
func (d *statusDecoder) boolean() error {
	switch d.peek() {
	case 't', 'f':
		at := d.i
		switch string(d.word()) {
		case "true":
			d.online = true
			return nil
		case "false":
			d.online = false
			return nil
		}
		// The position in the message is that of the word, not that after it.
		d.i = at
		return d.fail(sensors.CodeJSONBoolean, d.found())
	}
	d.faults.Add(sensors.ReasonBadStatus, "online", sensors.CodeNotBoolean, d.kind())
	return d.skip(0)
}
