package sensors

import (
	"strings"
	"time"

	"onemap/internal/fault"
)

// DecodeStatus reads the payload of a status topic: online, offline, or {"online":bool,"t":RFC 3339}.
// The words may be in any case, in quotes, and end in NUL or white space.
// What the device says of the time is checked and not used: presence is in the order in which the
// broker saw it, and a device whose clock runs ahead would otherwise outlive its own will.
func DecodeStatus(payload []byte, received time.Time, device string, limits TimeLimits) (Status, Faults) {
	at := received.UTC().Truncate(time.Microsecond)
	payload = bare(payload)
	switch word := strings.ToLower(strings.Trim(string(payload), "\" \t\r\n")); word {
	case "online", "offline":
		return Status{DeviceID: device, Online: word == "online", At: at}, Faults{}
	case "":
		return Status{}, OneFault(ReasonBadStatus, "", fault.CodeNotEmpty)
	}
	d := decoder{scanner: scanner{b: payload}, at: -1, received: at, limits: limits.withDefaults()}
	online, err := d.status()
	if err != nil {
		return Status{}, Faults{List: []Fault{{ReasonBadStatus, "", fault.NewMessage(CodeNotStatus)}, {ReasonBadStatus, "", fault.MessageOf(err)}}}
	}
	if d.faults.Len() > 0 {
		return Status{}, d.faults
	}
	return Status{DeviceID: device, Online: online, At: at}, Faults{}
}

// status takes {"online":bool,"t":…}.
func (d *decoder) status() (online bool, err error) {
	seen := map[string]bool{}
	err = d.object(func(key []byte) error {
		name := string(key)
		if seen[name] {
			d.faults.add(ReasonBadStatus, printable(key), CodeGivenTwice)
			return d.skip(0)
		}
		seen[name] = true
		switch name {
		case "online":
			online, err = d.boolean()
			return err
		case "t":
			_, _, err := d.time()
			return err
		default:
			d.faults.add(ReasonBadStatus, printable(key), CodeUnknownMember, "online", "t")
			return d.skip(0)
		}
	})
	if err != nil {
		return false, err
	}
	if !seen["online"] {
		d.faults.add(ReasonBadStatus, "online", fault.CodeRequired)
	}
	return online, d.end()
}

func (d *decoder) boolean() (bool, error) {
	switch d.peek() {
	case 't', 'f':
		at := d.i
		switch string(d.word()) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		d.i = at
		return false, d.fail(CodeJSONBoolean, d.found())
	}
	d.faults.add(ReasonBadStatus, "online", CodeNotBoolean, d.kind())
	return false, d.skip(0)
}
