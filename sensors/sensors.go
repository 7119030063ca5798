// Package sensors is the domain of observation: Things (devices), their Datastreams, Observations,
// and the path of every reading from a feed to a commit. It contains no SQL and no protocol: feeds pass Messages to a
// Receiver, and a store implements Committer and RegistryStore.
//
// A feed receives from devices by one protocol; sensors/mqtt and sensors/mqtt/remote are two feeds. To write another, read
// Message, Receiver and Decoder and the example of Receiver, and run sensors/feedtest in the feed's own tests.
//
// Names are OGC SensorThings'. Units are UCUM codes. Coordinates are lon, lat in EPSG:4326.
package sensors

import (
	"context"
	"errors"
	"math"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// Device is a SensorThings Thing that publishes: one MQTT account, one place.
type Device struct {
	ID         string      `json:"id"` // globally unique, [A-Za-z0-9_-]{1,64}; the MQTT user name
	Division   string      `json:"division"`
	Name       core.Text   `json:"name"`
	HazardType string      `json:"hazard_type"`
	Site       string      `json:"site,omitempty"` // the object that it is installed on: a river section, a tank
	Lon        float64     `json:"lon"`
	Lat        float64     `json:"lat"`
	Origin     core.Origin `json:"origin"`
	Source     string      `json:"source"`
	Enabled    bool        `json:"enabled"`
	Online     bool        `json:"online"`
	StatusAt   *time.Time  `json:"status_at"` // when Online last changed; nil: never seen
	Reason     string      `json:"reason"`    // reason of Online: status (message or last will), silence, reading, late; empty: never seen
	LastSeen   *time.Time  `json:"last_seen"` // when it last published; nil: never
	// ClockOffsetS is the offset of its clock in seconds: device time minus server time. Negative: behind; nil: the clock is right.
	ClockOffsetS *float64 `json:"clock_offset_s"`
	// Unevaluated is the reason why the rules have evaluated none of its readings for three intervals, although it sends: late, bad,
	// quarantine; empty: the rules evaluate them. UnevaluatedSince is the time since when.
	Unevaluated      string       `json:"unevaluated,omitempty"`
	UnevaluatedSince *time.Time   `json:"unevaluated_since,omitempty"`
	Level            core.Level   `json:"level"` // most severe level of the open alerts on its datastreams
	Streams          []Datastream `json:"datastreams"`

	// Certificate is the SHA-256 of the DER bytes of its client certificate, hexadecimal. Only principals that may manage the
	// device see it.
	Certificate string `json:"cert_sha256,omitempty"`
}

// Datastream is one observed property of a device.
type Datastream struct {
	ID         int64        `json:"id"`
	DeviceID   string       `json:"device_id"`
	Name       string       `json:"name"` // the key in a payload's "v"; unique in the device
	Type       string       `json:"type"` // DatastreamType.Code
	Title      core.Text    `json:"title"`
	Latest     *Observation `json:"latest"`      // nil: no observation yet
	IntervalS  int          `json:"interval_s"`  // expected interval, seconds: its own, or the one of its type
	StaleSince *time.Time   `json:"stale_since"` // since when it is stale: three intervals missed; nil: it is not stale
	// StaleAfterS is StaleAfter of IntervalS, seconds. It lets pages use the same definition. WithStaleAfter sets it.
	StaleAfterS int `json:"stale_after_s" doc:"How long it may be without a new observation, seconds: three intervals, and never less than 30"`
}

// DatastreamType is an ObservedProperty with its unit, plausible range and expected interval.
type DatastreamType struct {
	Code       string    `json:"code"`
	Title      core.Text `json:"title"`
	Unit       string    `json:"unit"`   // UCUM, as "m", "mm/h"
	Symbol     string    `json:"symbol"` // the unit as it is displayed
	HazardType string    `json:"hazard_type"`
	Min        float64   `json:"min"` // gross range: a value outside it is stored, flagged QCBad and not evaluated
	Max        float64   `json:"max"`
	Decimals   int       `json:"decimals"`
	IntervalS  int       `json:"interval_s"` // expected interval, seconds; three missed intervals are a gap
	Retention  string    `json:"retention"`  // retention class, the first partition key
}

// HazardType is a kind of hazard with the values that a CAP message about it needs.
type HazardType struct {
	Code        string    `json:"code"`
	Title       core.Text `json:"title"`
	Sector      string    `json:"sector"`
	CAPCategory string    `json:"cap_category"` // CAP 1.2 category: Geo, Met, Safety, Fire, Health, Infra, CBRNE, Env …
	RadiusM     float64   `json:"radius_m"`     // radius of an alert's area around the device, metres
	Instruction core.Text `json:"instruction"`
	LeadMinutes int       `json:"lead_minutes"` // validity of a CAP message before it must be renewed, minutes
}

// QC is a QARTOD quality flag.
type QC uint8

// The flags.
const (
	QCGood         QC = 1
	QCNotEvaluated QC = 2
	QCSuspect      QC = 3
	QCBad          QC = 4
	QCMissing      QC = 9
)

// TimeSource is the source of an observation's event time.
type TimeSource uint8

// The time sources. TimeDevice: the device's clock. TimeReceipt: the time of receipt, because the payload has no "t".
// TimeWrong: a clock that is wrong, ahead of the time of receipt or behind it, so that the reading counts at its receipt.
const (
	TimeDevice  TimeSource = 1
	TimeReceipt TimeSource = 2
	TimeWrong   TimeSource = 3
)

// Observation is one reading. Time is the event time; ReceivedAt is the server's time of receipt.
type Observation struct {
	DatastreamID int64      `json:"datastream_id"`
	Time         time.Time  `json:"t"`
	Value        float64    `json:"v"`
	QC           QC         `json:"qc"`
	TimeSource   TimeSource `json:"time_source,omitempty"`
	ReceivedAt   time.Time  `json:"received_at"`

	// Now replaces Time for a reading of a wrong clock: it is the time of receipt. Rules, live state and the latest reading
	// use it. So a clock that ran ahead and was then corrected does not make all later readings late, and a clock that is
	// behind does not make its own readings late. Zero: Time is used.
	Now time.Time `json:"-"`
}

// StateTime returns the time that orders the reading for rules, live state and the latest reading: Now, or Time if Now is zero.
func (o *Observation) StateTime() time.Time {
	if o.Now.IsZero() {
		return o.Time
	}
	return o.Now
}

// Status is a device's announcement that it is on or off line.
type Status struct {
	DeviceID string    `json:"device"`
	Online   bool      `json:"online"`
	At       time.Time `json:"at"`
}

// Quarantined is a message, or one value of it, that could not be stored as an observation.
type Quarantined struct {
	ID       int64     `json:"id"`
	At       time.Time `json:"at"`
	DeviceID string    `json:"device_id"`
	Topic    string    `json:"topic"`  // the Subject of its message, such as an MQTT topic
	Reason   string    `json:"reason"` // a short code: bad-json, unknown-datastream, bad-time, bad-value, too-large, unknown-device …
	Detail   string    `json:"detail"` // names the field, in English
	Faults   []Fault   `json:"faults,omitempty" doc:"The detail by codes, so that it can be worded in any language; rows of before codes were kept have none"`
	Payload  []byte    `json:"payload"` // raw bytes, cut to IngestOptions.QuarantineBytes
	Size     int       `json:"size"`    // size of the whole payload, bytes

	More      int64 `json:"more,omitempty" doc:"Above 0 the row stands for so many payloads of a minute that came beyond the device's budget; the payload is the first's"`
	MoreBytes int64 `json:"more_bytes,omitempty" doc:"Of those, in all"`
}

// Summed returns q with a detail that also covers summed payloads: if the row stands for several payloads, their number comes
// first, then the fault of the first payload.
func (q Quarantined) Summed() Quarantined {
	if q.More == 0 {
		return q
	}
	said := Fault{Message: fault.NewMessage(CodeMoreInMinute, q.More, q.MoreBytes)}
	q.Faults = append([]Fault{said}, q.Faults...)
	q.Detail = said.String() + ": " + q.Detail
	return q
}

// Batch holds the rows that one commit stores.
type Batch struct {
	Observations []Observation // the store looks up the retention class by the datastream
	Statuses     []Status
	Quarantine   []Quarantined
	Clocks       []DeviceClock // clocks whose offset differs from the stored one, or that are right again
	// Registry is the RegistrySeq of the registry that decoded the batch. If one of its devices has changed since then,
	// CommitBatch stores nothing and returns ErrRegistryChanged. nil: the check is skipped.
	Registry *int64
}

// BatchResult is the result of a commit. Seq is the seq of the ingest_batch row, 0 if nothing new was stored.
type BatchResult struct {
	Seq        int64
	Stored     int // new rows
	Duplicates int // readings with a datastream, time and value that were stored before
	Conflicts  int // readings with a datastream and time that were stored before with another value; kept in observation_conflict
	Late       int // new rows that are older than the latest one of their datastream
	Beyond     int // payloads that were only counted in the quarantine, because their device exceeded its budget of the minute
	Unknown    int // readings of a deleted datastream or device, or outside the years that the store covers: quarantined
}

// Committed is one ingest_batch row, the input of rules and live state. It contains only new readings. The readings of one
// datastream are in the order of their StateTime, and Time holds the StateTime here. TimeSource is 0 instead of TimeDevice.
type Committed struct {
	Seq          int64
	ID           string // random; together with Seq it identifies the log that the batch belongs to
	At           time.Time
	Observations []Observation
	Statuses     []Status
}

// Mark returns the position right after the batch.
func (c Committed) Mark() core.Mark { return core.Mark{Seq: c.Seq, ID: c.ID} }

// ErrRegistryChanged is the error of CommitBatch if a device of the batch has changed since the batch was decoded.
var ErrRegistryChanged = errors.New("a device of the batch has changed")

// Committer stores a batch in one transaction: observations, latest, device status, quarantine and
// one ingest_batch row. When it returns nil, everything is durable. An error of kind fault.Unavailable means that the database
// is unavailable and that nothing was stored.
type Committer interface {
	CommitBatch(ctx context.Context, b Batch) (BatchResult, error)
	// Stored reports for each reading whether it is stored already, with the same datastream, time and value.
	Stored(ctx context.Context, readings []Observation) ([]bool, error)
}

// RegistryStore loads the data that the registry needs to accept messages.
type RegistryStore interface {
	// LoadRegistry returns every enabled device with its datastreams (without Latest) and its secret's SHA-256.
	LoadRegistry(ctx context.Context) ([]RegisteredDevice, error)
	// RegistrySeq is the seq of the last registry.changed event, 0 when there is none. Every change of a
	// device or a datastream writes one in its own transaction.
	RegistrySeq(ctx context.Context) (int64, error)
	DatastreamTypes(ctx context.Context) ([]DatastreamType, error)
}

// Usable reports whether a rule may evaluate the reading at all: not QCBad, not QCMissing, and a number.
func (o Observation) Usable() bool {
	return o.QC != QCBad && o.QC != QCMissing && !math.IsNaN(o.Value) && !math.IsInf(o.Value, 0)
}

// Target is a datastream with all data that a rule needs about it.
type Target struct {
	Datastream Datastream
	Device     *Device // these three are shared between targets, and never changed
	Type       *DatastreamType
	Hazard     *HazardType
}

// RegisteredDevice is a device with its credentials.
type RegisteredDevice struct {
	Device
	SecretSHA256 []byte
	CertSHA256   []byte                // SHA-256 of its client certificate, DER; nil: it has none
	Newest       map[int64]NewestTimes // by datastream; only datastreams that have a reading
}

// NewestTimes holds the times of the newest reading of a datastream.
type NewestTimes struct {
	Place      time.Time // its StateTime
	DeviceTime time.Time // its event time from a device whose clock is behind; zero: equal to Place, or not known
}

// Tail reads committed batches in order, for the rules and for live state.
type Tail interface {
	// HeadBatch is the mark of the newest committed batch, the zero mark when there is none.
	HeadBatch(ctx context.Context) (core.Mark, error)
	// BatchesAfter returns at most limit batches with a seq greater than the mark's, in seq order, without gaps. It returns
	// ErrOtherLog if the log has a different batch at the seq of the mark.
	BatchesAfter(ctx context.Context, after core.Mark, limit int) ([]Committed, error)
}

// ErrOtherLog means that a position does not belong to this log: the database was restored to an earlier moment.
var ErrOtherLog = errors.New("sensors: the batches were restored to an earlier state")

// Snapshot is a list of devices from which a client can continue. It includes all events of the event log Epoch up to Head,
// and all ingest batches up to Batch.
type Snapshot struct {
	Epoch   string
	Head    core.Mark
	Batch   core.Mark
	Devices []Device
}

// DeviceReader reads devices and their observations within a scope.
type DeviceReader interface {
	// Devices returns the devices with ids after the given one, at most limit of them by id; 0 is all.
	Devices(ctx context.Context, s core.Scope, after string, limit int) (Snapshot, error)
	// DatastreamType returns the code of a datastream's type; fault.NotFound when the scope does not cover its device.
	DatastreamType(ctx context.Context, s core.Scope, id int64) (string, error)
	Device(ctx context.Context, s core.Scope, id string) (Device, error)
	// Observations returns at most limit readings of a datastream in [from, to), in time order. If there are more, it returns
	// the newest ones, and more is true.
	Observations(ctx context.Context, s core.Scope, datastream int64, from, to time.Time, limit int) (obs []Observation, more bool, err error)
	// Chart returns a datastream's readings in [from, to), reduced to at most points points.
	Chart(ctx context.Context, s core.Scope, datastream int64, from, to time.Time, points int) (Chart, error)
	Quarantine(ctx context.Context, p core.Page) ([]Quarantined, error)
	HazardTypes(ctx context.Context) ([]HazardType, error)
	DatastreamTypes(ctx context.Context) ([]DatastreamType, error)
}

// DeviceWriter stores devices as Devices has checked them. Each change writes registry.changed.
type DeviceWriter interface {
	// CreateDevice stores a device with its datastreams (fault.Conflict when the id is taken).
	CreateDevice(ctx context.Context, d Device, secretSHA256 []byte, actor string) (Device, error)
	SetSecret(ctx context.Context, s core.Scope, id string, secretSHA256 []byte, actor string) error
	SetEnabled(ctx context.Context, s core.Scope, id string, enabled bool, actor string) error
	// SetCertificate registers the SHA-256 of a device's client certificate, or nil for none
	// (fault.Conflict when it is another device's).
	SetCertificate(ctx context.Context, s core.Scope, id string, certSHA256 []byte, actor string) error
	// SetInterval sets the expected interval of a datastream in seconds; 0 means the interval of its type.
	SetInterval(ctx context.Context, s core.Scope, datastream int64, seconds int, actor string) (Datastream, error)
}

// DeviceSeeder stores many items at once by their codes and ids. It replaces existing ones.
type DeviceSeeder interface {
	PutHazardTypes(ctx context.Context, types []HazardType) error
	PutDatastreamTypes(ctx context.Context, types []DatastreamType) error
	// PutDevices stores devices with their datastreams in one transaction, and writes registry.changed.
	PutDevices(ctx context.Context, devices []Device, secretSHA256 func(id string) []byte, progress func(done int)) error
}
