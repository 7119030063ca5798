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
	ReasonBadJSON           = "bad-json"           // not JSON: no part of it can be trusted
	ReasonBadShape          = "bad-shape"          // the protocol's syntax, but not its form of a reading
	ReasonBadTime           = "bad-time"           // not a time that can be parsed
	ReasonBadValue          = "bad-value"          // not a finite number
	ReasonBadStatus         = "bad-status"         // neither online nor offline
	ReasonBadTopic          = "bad-topic"          // not a topic of the device
	ReasonUnknownDatastream = "unknown-datastream" // a name that the device does not have
	ReasonUnknownDevice     = "unknown-device"     // a device that is not registered, or disabled
	ReasonTooLarge          = "too-large"          // larger than the limit
	ReasonRefused           = "store-refused"      // decoded, but the store refused it
)

// maxFaults is the largest number of listed faults per payload; the others are counted.
const maxFaults = 16

// Fault is one fault of a payload.
type Fault struct {
	Reason string `json:"-"`               // one of the Reason codes
	Field  string `json:"field,omitempty"` // as the sender wrote it: v.level, [3].t; empty: the whole message
	fault.Message
}

// String returns "field: message".
func (f Fault) String() string {
	if f.Field == "" {
		return f.Message.String()
	}
	return f.Field + ": " + f.Message.String()
}

// Faults holds the faults of one payload: the first ones, and the number of the others.
type Faults struct {
	List []Fault
	More int
}

// OneFault returns the Faults of a payload with one fault.
func OneFault(reason, field string, c fault.Code, values ...any) Faults {
	return Faults{List: []Fault{{reason, field, fault.NewMessage(c, values...)}}}
}

// Len returns the number of all faults.
func (f *Faults) Len() int { return len(f.List) + f.More }

// Add adds a fault. Above maxFaults it only counts it.
func (f *Faults) Add(reason, field string, c fault.Code, values ...any) {
	if len(f.List) == maxFaults {
		f.More++
		return
	}
	f.List = append(f.List, Fault{reason, field, fault.NewMessage(c, values...)})
}

// Reason returns the reason of the first fault; "" if there is none.
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

// All returns the listed faults in the order of the payload and, if there are more, one that counts the rest.
func (f *Faults) All() []Fault {
	if f.More == 0 {
		return f.List
	}
	return append(slices.Clone(f.List), Fault{Message: fault.NewMessage(fault.CodeMoreFaults, f.More)})
}

// Detail returns all listed faults in English. The text is printable and has no control characters, so any store can keep it.
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

// Quarantine returns q with the faults.
func (f *Faults) Quarantine(q Quarantined) Quarantined {
	q.Reason, q.Detail, q.Faults = f.Reason(), f.Detail(), f.All()
	return q
}

// Printable converts external bytes for a message: plain names unchanged, everything else quoted in ASCII, both cut at 40
// bytes.
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
