// Package alerts turns committed observations into alerts, and alerts into CAP messages. An alert
// is one episode of (rule, datastream) until it clears; its CAP messages never
// change. Detection, by the rules, and handling, by people, are independent.
//
// Evaluate is detection as a pure function: from a rule, the state and one observation it computes the next state and
// the transition. It uses event time, which is the time at which a value was measured. The Engine runs it on one node
// over the committed batches, from a durable cursor, and stores the results and the messages in one transaction. The
// Desk takes the handling steps of people.
//
// Where to read: rule.go and evaluate.go are the rules; engine.go, memory.go and step.go run them; ticks.go looks for
// alerts whose data have stopped and for messages that expire; message.go and words.go write the messages; desk.go,
// merge.go and bulk.go are handling; silence.go and silences.go are silences.
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
	// HoldSeconds is how long, in event time, the value must stay at the safe side of a level's Clear before the
	// alert leaves the level. It keeps a value that swings around its threshold one episode.
	HoldSeconds int         `json:"hold_seconds" doc:"Seconds, in event time, that the value must stay at the safe side without a break before the alert leaves a level"`
	Enabled     bool        `json:"enabled"`
	Origin      core.Origin `json:"origin"`
	Version     int64       `json:"version"` // the ETag
	UpdatedAt   time.Time   `json:"updated_at"`
	UpdatedBy   string      `json:"updated_by"`
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
	RuleVersion int64 // of the rule that made this; what Raised and Calm say holds for that version alone

	// Calm says for each level since when, in event time, the value has been at or past the level's Clear, on
	// the safe side, without a break; zero: it is not, or there is no episode. The hold is counted from it.
	Calm [5]time.Time

	// Of the open episode, or of the last one: the worst value that was evaluated, the event time of its
	// reading (zero: there was no episode yet), and how often a hold was broken.
	PeakValue float64
	PeakAt    time.Time
	Flaps     int
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

	PeakValue float64    `json:"peak_value" doc:"The worst value since the episode began, in the unit of symbol"`
	PeakAt    time.Time  `json:"peak_at" doc:"Event time of the reading that had peak_value"`
	RisenAt   time.Time  `json:"risen_at" doc:"When the episode began, last rose, or its data came back; the time of the server"`
	RisenFrom core.Level `json:"risen_from" doc:"The level just before risen_at; 0: the episode began then"`
	Reopened  *Reopened  `json:"reopened" doc:"Why handling last began anew; null: it never did"`
	// HandledLevel is the level at which the last handling step was taken; 0: handling is new. While the alert
	// is resolved or closed, it follows the level down.
	HandledLevel core.Level `json:"handled_level" doc:"The level at which the last handling step was taken, or that the alert has fallen to since it was resolved or closed; 0: handling is new"`
	// Confirmations has one entry a unit: the newest that a person of it gave.
	Confirmations []Confirmation `json:"confirmations" doc:"One entry a unit: its newest handling step"`
	Flaps         int            `json:"flaps" doc:"How often the value was back at the safe side for less than hold_seconds of the rule"`
	// Possible is what the caller may do now. Only answers to a principal carry it, events do not.
	Possible []Action `json:"possible,omitzero"`
}

// Reopened says why the handling of an alert began anew.
type Reopened struct {
	At    time.Time  `json:"at"`
	From  Handling   `json:"from"`  // the handling until then
	Level core.Level `json:"level"` // the level that it was handled at
	Why   ReopenWhy  `json:"why"`
}

// ReopenWhy is a reason to handle an alert anew.
type ReopenWhy string

// The reasons: the level rose above the one handled, or the data of a stale alert came back.
const (
	ReopenRise ReopenWhy = "rise"
	ReopenData ReopenWhy = "data"
)

// Confirmation is that a unit knows of an alert at a level: a person of the unit took a handling step.
type Confirmation struct {
	Division string     `json:"division"` // the unit: the division of the person's account
	User     string     `json:"user"`
	Name     string     `json:"name"`
	Level    core.Level `json:"level"` // of the alert when the step was taken
	At       time.Time  `json:"at"`
	// Current is false when the alert has risen above Level since, or its data came back, or its handling began
	// anew for another reason.
	Current bool `json:"current" doc:"False: the alert has risen above level since, its data came back, or its handling began anew"`
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

// Change is the result of one evaluation for one episode. The store writes it, its event, its message
// and its audit rows in one transaction. The store writes the result of Merge with the locked alert: handling, assignee
// and confirmations come from the stored alert, not from the Change.
type Change struct {
	Kind    string   // EventIssued, …Updated, …Cleared, …Stale
	Alert   Alert    // ID 0 for a new episode: the store assigns the ID and sets it in the message and the state
	Message *Message // nil: the change has no message (stale, and back from it)
	Note    string
}

// Step is one advance of the engine. The store applies it completely or not at all. To may equal From, because changes
// by the clock or by an edited rule have no batch. A step has at most one Change for a rule and datastream, and a State
// with it. Readings can be evaluated again without harm (see Evaluate), so a step may hold states from batches
// after To.
type Step struct {
	From    core.Mark // the cursor as read; the store returns fault.Conflict if its cursor differs
	To      core.Mark
	States  []State
	Changes []Change // a State of the same rule and datastream gets the new alert's ID
}

// Sensors is what the engine reads of the sensors' room.
type Sensors interface {
	sensors.Tail
	// Targets returns every datastream, also those of disabled devices. If Datastream.Latest is set, it is the first
	// observation for a rule that was created while no engine ran.
	Targets(ctx context.Context) ([]sensors.Target, error)
}

// EngineStore stores the state of the engine. A refused or failed step changes nothing.
type EngineStore interface {
	// Lease tries to become the one evaluating node. It holds until release is called or lost is
	// closed; ok is false while another node holds it.
	Lease(ctx context.Context) (lost <-chan struct{}, release func(), ok bool, err error)
	Cursor(ctx context.Context) (core.Mark, error)
	Rules(ctx context.Context) ([]Rule, error)
	States(ctx context.Context) ([]State, error)
	OpenAlerts(ctx context.Context) ([]Alert, error)
	// UnexpiredMessages returns the alert's messages that an Update must reference.
	UnexpiredMessages(ctx context.Context, alertID int64, now time.Time) ([]Message, error)
	// Apply commits a step and returns the alerts as stored, in the order of Changes.
	Apply(ctx context.Context, s Step) ([]Alert, error)
}

// Command is a handling step by a person.
type Command struct {
	AlertID  int64
	Action   Action
	Actor    string // login
	Name     string // the actor's, as people read it; empty: the login
	Role     core.Role
	Division string // the actor's
	Note     string
	Assignee string // for ActAssign: a login
	Confirm  bool   // required, with a note, to resolve or close an alert that has not cleared
	// Level is the level that the person saw; 0: not known. The step is refused if the alert is worse.
	Level core.Level
	At    time.Time
}

// Audit is one line of an alert's history.
type Audit struct {
	ID       int64     `json:"id"`
	At       time.Time `json:"at"`
	Actor    string    `json:"actor"`
	Division string    `json:"division"`
	Step     string    `json:"step"` // issued, updated, cleared, stale, reopened, acknowledge, assign, resolve, close
	Before   string    `json:"before"`
	After    string    `json:"after"`
	Note     string    `json:"note"`
	// Level is the alert's after the step; 0: not known.
	Level core.Level `json:"level"`
}

// Person is somebody's mark on a delivery.
type Person struct {
	User string    `json:"user"`
	Name string    `json:"name"`
	At   time.Time `json:"at"`
	// Level and Current are set for a confirmation: the level of the alert at that time, and whether the confirmation is
	// still current (see Confirmation.Current).
	Level   core.Level `json:"level,omitempty"`
	Current bool       `json:"current,omitempty"`
	// Sound is set for a connected person: armed (an alarm sounds on one of their machines), off, muted or suspended. It is
	// empty if no machine has reported it.
	Sound string `json:"sound,omitempty"`
}

// Delivery is what one addressed county's responders have done with an alert.
type Delivery struct {
	Division  string    `json:"division"`
	Name      core.Text `json:"name"`
	Connected []Person  `json:"connected"` // people who are connected now; the page shows a text if there are none
	Received  []Person  `json:"received"`  // people whose machine has received the alert
	Confirmed []Person  `json:"confirmed"` // people who took a handling step themselves
}

// FilterState selects alerts by detection and handling.
type FilterState string

// The states of a filter. An alert that was closed while it still fires also counts as open.
const (
	StateAll     FilterState = "all"
	StateOpen    FilterState = "open"    // not cleared, or not closed
	StateCleared FilterState = "cleared" // cleared, and not closed
	StateClosed  FilterState = "closed"
)

// Filter selects alerts for a list. An empty field does not restrict the list.
type Filter struct {
	Open     bool // as StateOpen; without a limit the list has all of them
	State    FilterState
	Levels   []core.Level
	Peaks    []core.Level
	Handling []Handling
	DeviceID string
	Hazard   string
	Division string    // the alert lies in this division or in a part of it
	From, To time.Time // the alert was opened at or after From, and before To
	Query    string
	Count    bool // count all that match
	Limit    int
	Before   int64 // an alert id
}

// Snapshot is a list that a client may build on: it holds everything that the event log Epoch has up to Head.
type Snapshot struct {
	Epoch  string
	Head   core.Mark
	Alerts []Alert
	Count  int64 // how many match in all, when the filter asks for it
}

// AlertStore is what reading and handling alerts needs, in a scope.
type AlertStore interface {
	Alerts(ctx context.Context, s core.Scope, f Filter) (Snapshot, error)
	Alert(ctx context.Context, s core.Scope, id int64) (Alert, error)
	History(ctx context.Context, id int64) ([]Audit, error)
	// AlertSteps are the steps that people took on each of the alerts, in their order.
	AlertSteps(ctx context.Context, ids []int64) (map[int64][]Audit, error)
	Messages(ctx context.Context, id int64) ([]Message, error)
	Deliveries(ctx context.Context, id int64) ([]Delivery, error)
	// Handle applies a command. It calls next with the locked alert; next returns the alert to store. If changed is false,
	// the step was already taken (it is idempotent), and Handle writes nothing. There is one exception: the first
	// acknowledgement by an actor whose unit has already confirmed writes an audit row and an event.
	Handle(ctx context.Context, s core.Scope, c Command, next func(Alert) (after Alert, changed bool, err error)) (Alert, error)
	// Handlers lists the people of the scope who handle alerts, sorted by login, with whether they are connected.
	Handlers(ctx context.Context, s core.Scope) ([]Assignee, error)
}

// CAPStore is what publishing the messages needs.
type CAPStore interface {
	MessageByIdentifier(ctx context.Context, s core.Scope, identifier string) (Message, error)
	// CurrentMessages returns the newest unexpired message of each open or just cleared alert, newest first, at most limit
	// of them after the message of an identifier (empty: from the newest).
	CurrentMessages(ctx context.Context, s core.Scope, now time.Time, after string, limit int) ([]Message, error)
	// Instance is the UUID that the database was made with; it stays with the data, wherever they are moved.
	Instance(ctx context.Context) (string, error)
}
