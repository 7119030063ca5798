// Package alerts turns committed observations into alerts, and alerts into CAP messages. An alert
// is one episode of (rule, datastream) until it clears; its CAP messages are its papers and never
// change. Detection (the machine's view) and handling (the people's) are independent.
package alerts

import (
	"context"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/core"
	"onemap/sensors"
)

// Detection is where the machine sees the episode.
type Detection string

// The states of detection. Pending lives in the rule's state only: an alert begins at Firing.
const (
	Normal     Detection = "normal"
	Pending    Detection = "pending"
	Firing     Detection = "firing"
	Recovering Detection = "recovering" // its level last fell, but it still has one
	Cleared    Detection = "cleared"
	Stale      Detection = "stale" // its data stopped: the level is frozen, never cleared
)

// Handling is where the people are with it.
type Handling string

// The states of handling, in their order.
const (
	New          Handling = "new"
	Acknowledged Handling = "acknowledged"
	Assigned     Handling = "assigned"
	Resolved     Handling = "resolved"
	Closed       Handling = "closed"
)

// Action is a handling step that a person takes.
type Action string

// The actions of POST /alerts/{id}/{action}.
const (
	ActAcknowledge Action = "acknowledge"
	ActAssign      Action = "assign"
	ActResolve     Action = "resolve"
	ActClose       Action = "close"
)

// Direction is which side of the threshold is dangerous.
type Direction string

// Above: high values are dangerous. Below: low ones.
const (
	Above Direction = "above"
	Below Direction = "below"
)

// Threshold is one level's pair: the alert rises to the level at Raise and leaves it at Clear.
type Threshold struct {
	Level core.Level `json:"level"`
	Raise float64    `json:"raise"`
	Clear float64    `json:"clear"`
}

// Rule watches every datastream of a type, or one datastream. A rule of one datastream takes the
// place of its type's rules for it.
type Rule struct {
	ID           int64       `json:"id"`
	Name         core.Text   `json:"name"`
	Type         string      `json:"datastream_type"`         // DatastreamType.Code
	DatastreamID int64       `json:"datastream_id,omitempty"` // 0: all of the type
	Direction    Direction   `json:"direction"`
	Thresholds   []Threshold `json:"thresholds"`  // worst first; 1 to 4 levels
	ForSeconds   int         `json:"for_seconds"` // how long, in event time, the value must stay raised
	Enabled      bool        `json:"enabled"`
	Origin       core.Origin `json:"origin"`
	Version      int64       `json:"version"` // the ETag
	UpdatedAt    time.Time   `json:"updated_at"`
	UpdatedBy    string      `json:"updated_by"`
}

// Target is what the engine must know of a datastream.
type Target struct {
	Datastream sensors.Datastream
	Device     *sensors.Device // these three are others' too, and never changed
	Type       *sensors.DatastreamType
	Hazard     *sensors.HazardType
}

// State is the durable memory of one rule on one datastream.
type State struct {
	RuleID       int64
	DatastreamID int64
	Detection    Detection
	Level        core.Level // frozen while stale
	PendingLevel core.Level // the worst level that it will rise to when `for` has passed
	PendingSince *time.Time // event time from which that level's `for` counts
	LastTime     *time.Time // newest evaluated event time; late readings never move state backwards
	LastValue    float64
	AlertID      int64 // the open episode, 0 when none

	// Raised says for each level (by its number; 0 is unused) since when, in event time, the value has
	// been at or past the level's Raise without a break; zero: it is not. `for` is counted from it.
	Raised      [5]time.Time
	RuleVersion int64 // of the rule that made this; what Raised says holds for that version alone
}

// Alert is one episode. It is the wire shape too: the API and the events carry it as it is.
type Alert struct {
	ID           int64       `json:"id"`
	RuleID       int64       `json:"rule_id"`
	RuleName     core.Text   `json:"rule_name"`
	DatastreamID int64       `json:"datastream_id"`
	DeviceID     string      `json:"device_id"`
	DeviceName   core.Text   `json:"device_name"`
	Hazard       string      `json:"hazard"`
	HazardName   core.Text   `json:"hazard_name"`
	Property     string      `json:"property"` // DatastreamType.Code
	PropertyName core.Text   `json:"property_name"`
	Symbol       string      `json:"symbol"` // of the unit
	Level        core.Level  `json:"level"`  // now, or the last one when cleared
	PeakLevel    core.Level  `json:"peak_level"`
	Detection    Detection   `json:"detection"`
	Handling     Handling    `json:"handling"`
	Division     string      `json:"division"`  // where it is
	Divisions    []string    `json:"divisions"` // whom it is addressed to
	Headline     core.Text   `json:"headline"`
	Lon          float64     `json:"lon"`
	Lat          float64     `json:"lat"`
	Area         orb.Polygon `json:"area"`      // rings of [lon, lat]
	Onset        time.Time   `json:"onset"`     // event time of the reading that raised it
	OpenedAt     time.Time   `json:"opened_at"` // ours
	UpdatedAt    time.Time   `json:"updated_at"`
	ClearedAt    *time.Time  `json:"cleared_at"`
	Value        float64     `json:"value"` // of the reading of the last message
	ValueAt      time.Time   `json:"value_at"`
	Threshold    float64     `json:"threshold"` // the raise value of the level
	Direction    Direction   `json:"direction"`
	Origin       core.Origin `json:"origin"`     // the device's; synthetic is marked everywhere
	Identifier   string      `json:"identifier"` // of the newest CAP message
	Expires      time.Time   `json:"expires"`    // of the newest CAP message
	Assignee     string      `json:"assignee"`
	Version      int64       `json:"version"` // grows with every change
}

// Event is the payload of every alert.* event.
type Event struct {
	Alert       Alert      `json:"alert"`
	DeviceLevel core.Level `json:"device_level"` // worst open alert of the device after this event
	Note        string     `json:"note,omitempty"`
}

// Message is one immutable CAP message.
type Message struct {
	Identifier string    `json:"identifier"`
	AlertID    int64     `json:"alert_id"`
	MsgType    string    `json:"msg_type"` // Alert, Update, Cancel
	Sent       time.Time `json:"sent"`
	Expires    time.Time `json:"expires"`
	XML        []byte    `json:"-"`
}

// Change is what one evaluation makes of one episode; the store writes it, its event, its message
// and its audit row in one transaction. Handling, Assignee and Version are the people's and the
// store's: those of an existing alert stay as stored, whatever the Change says.
type Change struct {
	Kind    string   // core.EventAlertIssued, …Updated, …Cleared, …Stale
	Alert   Alert    // ID 0 for a new episode: the store gives it, and the message and state take it over
	Message *Message // nil: the change has no paper (stale, and back from it)
	Note    string
}

// Step is one advance of the engine: everything that the batches up to To made, or nothing. To may
// equal From: what the clock or an edited rule made has no batch. There is at most one Change for a
// rule and datastream in a step, and it has a State in it. Applying readings once more is harmless
// (see Evaluate), so a step may hold states of batches that To does not cover yet.
type Step struct {
	From    int64 // the cursor as read; a store whose cursor is elsewhere refuses with errs.Conflict
	To      int64
	States  []State
	Changes []Change // a State of the same rule and datastream gets the new alert's ID
}

// EngineStore is what the engine needs. A refused or failed step leaves nothing behind.
type EngineStore interface {
	// Lease tries to become the one evaluating node. It holds until release is called or lost is
	// closed; ok is false while another node holds it.
	Lease(ctx context.Context) (lost <-chan struct{}, release func(), ok bool, err error)
	Cursor(ctx context.Context) (int64, error)
	Rules(ctx context.Context) ([]Rule, error)
	// Targets gives every datastream, those of disabled devices too. Datastream.Latest, where it is
	// filled, is what a rule that was made while no engine ran looks at first.
	Targets(ctx context.Context) ([]Target, error)
	States(ctx context.Context) ([]State, error)
	OpenAlerts(ctx context.Context) ([]Alert, error)
	// UnexpiredMessages gives the alert's messages that an Update must reference.
	UnexpiredMessages(ctx context.Context, alertID int64, now time.Time) ([]Message, error)
	// Apply commits a step and returns the alerts as stored, in the order of Changes.
	Apply(ctx context.Context, s Step) ([]Alert, error)
}

// Command is a handling step by a person.
type Command struct {
	AlertID  int64
	Action   Action
	Actor    string // login
	Role     core.Role
	Division string // the actor's
	Note     string
	Assignee string // for ActAssign: a login
	At       time.Time
}

// Audit is one line of an alert's history.
type Audit struct {
	ID       int64     `json:"id"`
	At       time.Time `json:"at"`
	Actor    string    `json:"actor"`
	Division string    `json:"division"`
	Step     string    `json:"step"` // issued, updated, cleared, stale, acknowledge, assign, resolve, close
	Before   string    `json:"before"`
	After    string    `json:"after"`
	Note     string    `json:"note"`
}

// Person is somebody's mark on a delivery.
type Person struct {
	User string    `json:"user"`
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// Delivery is what one addressed county's responders have done with an alert.
type Delivery struct {
	Division  string    `json:"division"`
	Name      core.Text `json:"name"`
	Connected []Person  `json:"connected"` // now; empty is shown as "nobody connected"
	Received  []Person  `json:"received"`  // their machine has it
	Confirmed []Person  `json:"confirmed"` // they acknowledged it themselves
}

// Filter selects alerts for a list.
type Filter struct {
	Open     bool // not cleared, or not closed
	Levels   []core.Level
	Handling []Handling
	DeviceID string
	Query    string
	Limit    int
	Before   int64 // an alert id
}

// Snapshot is a list that a client may build on: it holds everything up to Seq of Epoch.
type Snapshot struct {
	Epoch  string
	Seq    int64
	Alerts []Alert
}

// DeskStore is what reading and handling alerts needs, in a scope.
type DeskStore interface {
	Alerts(ctx context.Context, s core.Scope, f Filter) (Snapshot, error)
	Alert(ctx context.Context, s core.Scope, id int64) (Alert, error)
	History(ctx context.Context, id int64) ([]Audit, error)
	Messages(ctx context.Context, id int64) ([]Message, error)
	Deliveries(ctx context.Context, id int64) ([]Delivery, error)
	// Handle applies a command with next, which is given the alert as locked and says what becomes
	// of it; changed false means that the step had been taken already (idempotent): then no event is
	// written, and an audit row only for an actor's first acknowledgement.
	Handle(ctx context.Context, s core.Scope, c Command, next func(Alert) (after Alert, changed bool, err error)) (Alert, error)
}

// CAPStore is what publishing the papers needs.
type CAPStore interface {
	MessageByIdentifier(ctx context.Context, s core.Scope, identifier string) (Message, error)
	CurrentMessages(ctx context.Context, s core.Scope, now time.Time) ([]Message, error) // newest unexpired of each open or just cleared alert
}

// RuleStore is what editing rules needs. Each change writes rule.changed.
type RuleStore interface {
	Rules(ctx context.Context) ([]Rule, error)
	Rule(ctx context.Context, id int64) (Rule, error)
	CreateRule(ctx context.Context, r Rule, actor string) (Rule, error)
	UpdateRule(ctx context.Context, r Rule, ifVersion int64, actor string) (Rule, error)
	DeleteRule(ctx context.Context, id, ifVersion int64, actor string) error // open episodes of it are cleared by the engine, with a note
}
