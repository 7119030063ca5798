package sensors

import (
	"slices"
	"strconv"
	"strings"

	"onemap/internal/fault"
	"onemap/internal/text"
)

// The reasons for which a publish, or a part of one, goes to quarantine.
const (
	ReasonBadJSON           = "bad-json"           // not JSON: nothing of it can be trusted
	ReasonBadShape          = "bad-shape"          // the protocol's syntax, but not its form of a reading
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
	Field  string `json:"field,omitempty"` // as the sender wrote it: v.level, [3].t; empty: the whole message
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

// Add notes one more fault.
func (f *Faults) Add(reason, field string, c fault.Code, values ...any) {
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

// Printable makes outside bytes fit for a message: plain names as they are, everything else quoted
// in ASCII, both cut at 40 bytes.
func Printable(b []byte) string {
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
