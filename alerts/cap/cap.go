// Package cap is a codec of the OASIS Common Alerting Protocol 1.2: the messages that an alert is
// published by. It is pure: bytes in, a Message out, and back.
//
// Unmarshal is strict: the namespace, the order and the multiplicity of elements are the schema's,
// what the schema does not know is an error that names the element, and only an XML signature (the
// one extension that the schema allows) is passed over, unverified. Validate adds the rules that the
// standard says in words (section 3), which a file can break and still satisfy the schema. Marshal
// writes nothing that Validate refuses.
//
// Geometry is lon, lat as everywhere in the house; the wire's "lat,lon" order exists only in here.
package cap

import (
	"time"

	"github.com/paulmach/orb"
)

// Namespace is CAP 1.2's.
const Namespace = "urn:oasis:names:tc:emergency:cap:1.2"

// MaxSize is the largest document that Unmarshal accepts, bytes.
const MaxSize = 1 << 20

// DefaultLanguage is an info's language when it names none.
const DefaultLanguage = "en-US"

// Status is how a message is to be handled.
type Status string

// The statuses. Test is for "technical testing only, all recipients disregard".
const (
	StatusActual   Status = "Actual"
	StatusExercise Status = "Exercise"
	StatusSystem   Status = "System"
	StatusTest     Status = "Test"
	StatusDraft    Status = "Draft"
)

// MsgType is what a message does to its predecessors.
type MsgType string

// The message types.
const (
	TypeAlert  MsgType = "Alert"
	TypeUpdate MsgType = "Update"
	TypeCancel MsgType = "Cancel"
	TypeAck    MsgType = "Ack"
	TypeError  MsgType = "Error"
)

// Scope is who a message is meant for.
type Scope string

// The scopes. Restricted needs Message.Restriction, Private needs Message.Addresses.
const (
	ScopePublic     Scope = "Public"
	ScopeRestricted Scope = "Restricted"
	ScopePrivate    Scope = "Private"
)

// Category is the kind of event.
type Category string

// ResponseType is what the audience should do.
type ResponseType string

// The response types that the house issues.
const (
	ResponseExecute  ResponseType = "Execute"
	ResponsePrepare  ResponseType = "Prepare"
	ResponseMonitor  ResponseType = "Monitor"
	ResponseAssess   ResponseType = "Assess"
	ResponseAllClear ResponseType = "AllClear"
)

// Urgency is how soon to act.
type Urgency string

// The urgencies.
const (
	UrgencyImmediate Urgency = "Immediate"
	UrgencyExpected  Urgency = "Expected"
	UrgencyFuture    Urgency = "Future"
	UrgencyPast      Urgency = "Past"
	UrgencyUnknown   Urgency = "Unknown"
)

// Severity is how bad it is.
type Severity string

// The severities.
const (
	SeverityExtreme  Severity = "Extreme"
	SeveritySevere   Severity = "Severe"
	SeverityModerate Severity = "Moderate"
	SeverityMinor    Severity = "Minor"
	SeverityUnknown  Severity = "Unknown"
)

// Certainty is how sure the sender is.
type Certainty string

// The certainties.
const (
	CertaintyObserved Certainty = "Observed"
	CertaintyLikely   Certainty = "Likely"
	CertaintyPossible Certainty = "Possible"
	CertaintyUnlikely Certainty = "Unlikely"
	CertaintyUnknown  Certainty = "Unknown"
)

// Message is a CAP alert element. Zero values of optional fields are absent. Times are whole seconds
// and keep their offset on the wire.
type Message struct {
	Identifier  string // unique to the sender; no spaces, commas, < or &
	Sender      string // globally unique, as a domain-like name; same characters
	Sent        time.Time
	Status      Status
	MsgType     MsgType
	Source      string
	Scope       Scope
	Restriction string
	Addresses   []string
	Codes       []string
	Note        string
	References  []Reference
	Incidents   []string
	Infos       []Info
}

// Reference names an earlier message by the triple that identifies it.
type Reference struct {
	Sender     string
	Identifier string
	Sent       time.Time
}

// Reference is how later messages refer to m.
func (m Message) Reference() Reference {
	return Reference{Sender: m.Sender, Identifier: m.Identifier, Sent: m.Sent}
}

// Info is what is said, in one language.
type Info struct {
	Language      string // RFC 3066; empty is DefaultLanguage
	Categories    []Category
	Event         string
	ResponseTypes []ResponseType
	Urgency       Urgency
	Severity      Severity
	Certainty     Certainty
	Audience      string
	EventCodes    []NamedValue
	Effective     time.Time
	Onset         time.Time
	Expires       time.Time
	SenderName    string
	Headline      string
	Description   string
	Instruction   string
	Web           string
	Contact       string
	Parameters    []NamedValue
	Resources     []Resource
	Areas         []Area
}

// NamedValue is a value in a system that the name names: an event code, a parameter, a geocode.
type NamedValue struct {
	Name  string
	Value string
}

// Resource is a file that goes with an info.
type Resource struct {
	Desc     string
	MimeType string
	Size     *int64 // bytes
	URI      string
	DerefURI string // the content itself, base64
	Digest   string // SHA-1, hexadecimal
}

// Area is where the info holds: the union of its parts.
type Area struct {
	Desc     string
	Polygons []orb.Ring // closed rings of lon, lat
	Circles  []Circle
	Geocodes []NamedValue
	Altitude *float64 // feet above mean sea level, the lower bound when there is a Ceiling
	Ceiling  *float64 // feet above mean sea level; only with Altitude
}

// Circle is a disc on the ground.
type Circle struct {
	Centre   orb.Point // lon, lat
	RadiusKM float64   // kilometres (12379's dialect has metres)
}

// Problem is one rule that a message breaks.
type Problem struct {
	Field string // as "info[0].area[0].polygon[0]", counted from 0
	Msg   string
}

// timeLayout is the schema's pattern: numeric offset, no Z, no fractions.
const timeLayout = "2006-01-02T15:04:05-07:00"

// FormatTime writes t as CAP does. UTC is "-00:00", as section 3.3.2 of the standard has it.
func FormatTime(t time.Time) string {
	s := t.Format(timeLayout)
	if _, offset := t.Zone(); offset == 0 {
		s = s[:len(s)-len("+00:00")] + "-00:00"
	}
	return s
}
