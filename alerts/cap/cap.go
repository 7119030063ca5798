// Package cap encodes and decodes messages of the OASIS Common Alerting Protocol 1.2. It is pure: it converts bytes to a
// Message and back.
//
// Unmarshal is strict. It checks the namespace, the order and the multiplicity of elements against the schema, and
// returns an error that names an unknown element. It skips an XML signature, which is the one extension that the schema
// allows, and does not verify it. Validate checks the rules that the standard states only in its text (section 3); a
// document can break them and still satisfy the schema. Marshal returns an error for a message that Validate refuses.
//
// Geometry is lon, lat as in the rest of the project. Only this package uses the order "lat,lon" of CAP documents.
package cap

import (
	"time"

	"github.com/paulmach/orb"
)

// Namespace is the XML namespace of CAP 1.2.
const Namespace = "urn:oasis:names:tc:emergency:cap:1.2"

// MaxSize is the largest document that Unmarshal accepts, in bytes. It bounds the memory that a document from outside can
// use.
const MaxSize = 1 << 20

// DefaultLanguage is the language of an info without a language element (section 3.2.2).
const DefaultLanguage = "en-US"

// Status is how recipients must handle a message.
type Status string

// The statuses. Test is for "technical testing only, all recipients disregard".
const (
	StatusActual   Status = "Actual"
	StatusExercise Status = "Exercise"
	StatusSystem   Status = "System"
	StatusTest     Status = "Test"
	StatusDraft    Status = "Draft"
)

// MsgType is the kind of a message, and its effect on earlier messages.
type MsgType string

// The message types.
const (
	TypeAlert  MsgType = "Alert"
	TypeUpdate MsgType = "Update"
	TypeCancel MsgType = "Cancel"
	TypeAck    MsgType = "Ack"
	TypeError  MsgType = "Error"
)

// Scope is the intended audience of a message.
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

// The response types that onemap issues. Validate accepts the others of the schema too.
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

// Severity is the severity of the event.
type Severity string

// The severities.
const (
	SeverityExtreme  Severity = "Extreme"
	SeveritySevere   Severity = "Severe"
	SeverityModerate Severity = "Moderate"
	SeverityMinor    Severity = "Minor"
	SeverityUnknown  Severity = "Unknown"
)

// Certainty is how certain the sender is of the event.
type Certainty string

// The certainties.
const (
	CertaintyObserved Certainty = "Observed"
	CertaintyLikely   Certainty = "Likely"
	CertaintyPossible Certainty = "Possible"
	CertaintyUnlikely Certainty = "Unlikely"
	CertaintyUnknown  Certainty = "Unknown"
)

// Message is a CAP alert element. An optional field with a zero value is not in the document. Times have whole seconds
// and keep their offset in the document.
type Message struct {
	Identifier  string // unique for the sender; no spaces, commas, < or &
	Sender      string // globally unique, like a domain name; no spaces, commas, < or &
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

// Reference returns the reference with which later messages name m.
func (m Message) Reference() Reference {
	return Reference{Sender: m.Sender, Identifier: m.Identifier, Sent: m.Sent}
}

// Info is the content of a message in one language.
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

// NamedValue is a value with the name of its code system: an event code, a parameter or a geocode.
type NamedValue struct {
	Name  string
	Value string
}

// Resource is a file that belongs to an info.
type Resource struct {
	Desc     string
	MimeType string
	Size     *int64 // bytes
	URI      string
	DerefURI string // the content itself, base64
	Digest   string // SHA-1, hexadecimal
}

// Area is the area of an info: the union of its polygons, circles and geocodes.
type Area struct {
	Desc     string
	Polygons []orb.Ring // closed rings of lon, lat
	Circles  []Circle
	Geocodes []NamedValue
	Altitude *float64 // feet above mean sea level; the lower bound if there is a Ceiling
	Ceiling  *float64 // feet above mean sea level; only with Altitude
}

// Circle is a circular area on the ground.
type Circle struct {
	Centre   orb.Point // lon, lat
	RadiusKM float64   // kilometres (the variant in 12379 uses metres)
}

// Problem is one rule that a message breaks.
type Problem struct {
	Field string // for example "info[0].area[0].polygon[0]"; indexes start at 0
	Msg   string
}

// timeLayout is the pattern of the schema: a numeric offset, no Z, no fraction of a second.
const timeLayout = "2006-01-02T15:04:05-07:00"

// FormatTime returns t in the format of CAP. The offset of UTC is "-00:00" (section 3.3.2 of the standard).
func FormatTime(t time.Time) string {
	s := t.Format(timeLayout)
	if _, offset := t.Zone(); offset == 0 {
		s = s[:len(s)-len("+00:00")] + "-00:00"
	}
	return s
}
