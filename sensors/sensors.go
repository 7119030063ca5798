// Package sensors is the domain of observation: Things (devices), their Datastreams, Observations,
// and the path that every reading takes from a feed to a commit. It knows no SQL and no protocol:
// feeds pass Messages to a Receiver; a store implements Committer and RegistryStore.
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
	Site       string      `json:"site,omitempty"` // what it stands on: a river section, a tank
	Lon        float64     `json:"lon"`
	Lat        float64     `json:"lat"`
	Origin     core.Origin `json:"origin"`
	Source     string      `json:"source"`
	Enabled    bool        `json:"enabled"`
	Online     bool        `json:"online"`
	StatusAt   *time.Time  `json:"status_at"` // when it last went on or off; nil: never seen
	Reason     string      `json:"reason"`    // why Online is what it is: status (it said so, or its last will), silence, reading; empty: never seen
	LastSeen   *time.Time  `json:"last_seen"` // when it last published; nil: never
	// ClockOffsetS is by how much its clock is wrong, its time less ours, seconds: negative is behind; nil: it is right.
	ClockOffsetS *float64 `json:"clock_offset_s"`
	// Unevaluated is why the rules have not looked at any of its readings for three intervals, although it is heard of: late, bad,
	// quarantine; empty: they do. UnevaluatedSince is since when.
	Unevaluated      string       `json:"unevaluated,omitempty"`
	UnevaluatedSince *time.Time   `json:"unevaluated_since,omitempty"`
	Level            core.Level   `json:"level"` // worst open alert on any of its datastreams
	Streams          []Datastream `json:"datastreams"`

	// Certificate is its client certificate, for those who may manage it: SHA-256 of the DER bytes, hexadecimal.
	Certificate string `json:"cert_sha256,omitempty"`
}

// Datastream is one observed property of a device.
type Datastream struct {
	ID         int64        `json:"id"`
	DeviceID   string       `json:"device_id"`
	Name       string       `json:"name"` // the key in a payload's "v"; unique in the device
	Type       string       `json:"type"` // DatastreamType.Code
	Title      core.Text    `json:"title"`
	Latest     *Observation `json:"latest"`      // nil: nothing yet
	IntervalS  int          `json:"interval_s"`  // expected pace, seconds: its own, or its type's
	StaleSince *time.Time   `json:"stale_since"` // since when it is silent, three intervals missed; nil: it is not
	// StaleAfterS is StaleAfter of IntervalS, seconds, so that pages have no definition of their own; WithStaleAfter sets it.
	StaleAfterS int `json:"stale_after_s" doc:"How long it may be without a new observation, seconds: three intervals, and never less than 30"`
}

// DatastreamType is an ObservedProperty with its unit, plausible range and pace.
type DatastreamType struct {
	Code       string    `json:"code"`
	Title      core.Text `json:"title"`
	Unit       string    `json:"unit"`   // UCUM, as "m", "mm/h"
	Symbol     string    `json:"symbol"` // as people read it
	HazardType string    `json:"hazard_type"`
	Min        float64   `json:"min"` // gross range: outside is kept, flagged QCBad and not evaluated
	Max        float64   `json:"max"`
	Decimals   int       `json:"decimals"`
	IntervalS  int       `json:"interval_s"` // expected pace; three missed are a gap
	Retention  string    `json:"retention"`  // retention class, the first partition key
}

// HazardType is a kind of hazard with what CAP needs to say of it.
type HazardType struct {
	Code        string    `json:"code"`
	Title       core.Text `json:"title"`
	Sector      string    `json:"sector"`
	CAPCategory string    `json:"cap_category"` // CAP 1.2 category: Geo, Met, Safety, Fire, Health, Infra, CBRNE, Env …
	RadiusM     float64   `json:"radius_m"`     // how far an alert's area reaches around the device, metres
	Instruction core.Text `json:"instruction"`
	LeadMinutes int       `json:"lead_minutes"` // how long a message stays valid before it must be renewed
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

// TimeSource says where an observation's event time comes from.
type TimeSource uint8

// The device's clock; the time of receipt because the payload had no "t"; a clock that is wrong, ahead of the
// receipt or behind it, so that the reading counts at its receipt.
const (
	TimeDevice  TimeSource = 1
	TimeReceipt TimeSource = 2
	TimeWrong   TimeSource = 3
)

// Observation is one reading. Time is event time; ReceivedAt is ours.
type Observation struct {
	DatastreamID int64      `json:"datastream_id"`
	Time         time.Time  `json:"t"`
	Value        float64    `json:"v"`
	QC           QC         `json:"qc"`
	TimeSource   TimeSource `json:"time_source,omitempty"`
	ReceivedAt   time.Time  `json:"received_at"`

	// Now is where a reading of a clock that is wrong stands among the present: at its receipt.
	// Rules, live state and the latest reading go by it, so that a clock that ran ahead and was set
	// right does not make everything after it late, nor one that is behind its own readings. Zero: at Time.
	Now time.Time `json:"-"`
}

// StateTime is the time by which the reading takes its place in the present.
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
	Topic    string    `json:"topic"`  // the Subject of its message: an MQTT topic
	Reason   string    `json:"reason"` // a short code: bad-json, unknown-datastream, bad-time, bad-value, too-large, unknown-device …
	Detail   string    `json:"detail"` // names the field, in English
	Faults   []Fault   `json:"faults,omitempty" doc:"The detail by codes, so that it can be worded in any language; rows of before codes were kept have none"`
	Payload  []byte    `json:"payload"` // raw, up to the cap
	Size     int       `json:"size"`    // of the whole payload, bytes

	More      int64 `json:"more,omitempty" doc:"Above 0 the row stands for so many payloads of a minute that came beyond the device's budget; the payload is the first's"`
	MoreBytes int64 `json:"more_bytes,omitempty" doc:"Of those, in all"`
}

// Summed is q in words: of a row that stands for several payloads, how many, before what is wrong with the first.
func (q Quarantined) Summed() Quarantined {
	if q.More == 0 {
		return q
	}
	said := Fault{Message: fault.NewMessage(CodeMoreInMinute, q.More, q.MoreBytes)}
	q.Faults = append([]Fault{said}, q.Faults...)
	q.Detail = said.String() + ": " + q.Detail
	return q
}

// Batch is what one commit stores.
type Batch struct {
	Observations []Observation // retention class looked up by the store from the datastream
	Statuses     []Status
	Quarantine   []Quarantined
	Clocks       []DeviceClock // those that are by another offset wrong than was noted, or right again
	// Registry is the RegistrySeq that it was decoded by: when one of its devices has changed since then, CommitBatch
	// stores nothing and gives ErrRegistryChanged. nil: that does not matter.
	Registry *int64
}

// BatchResult says what became of a batch. Seq is the ingest_batch row's, 0 when nothing new was stored.
type BatchResult struct {
	Seq        int64
	Stored     int // new rows
	Duplicates int // the same datastream, time and value again
	Conflicts  int // the same datastream and time with another value: kept in observation_conflict
	Late       int // new rows that are older than what their datastream had
	Beyond     int // payloads that were counted in the quarantine, since they came beyond their device's budget of the minute
	Unknown    int // of a datastream or device that is gone, or out of the store's years: quarantined
}

// Committed is one ingest_batch row: what rules and live state are made from. Only rows that were
// new, those of one datastream in the order of their StateTime, which is their Time here. TimeSource is
// 0 where it is TimeDevice.
type Committed struct {
	Seq          int64
	ID           string // random; with Seq it proves which log the batch is of
	At           time.Time
	Observations []Observation
	Statuses     []Status
}

// Mark is the position right after the batch.
func (c Committed) Mark() core.Mark { return core.Mark{Seq: c.Seq, ID: c.ID} }

// ErrRegistryChanged is CommitBatch's when a device of the batch has changed since it was decoded.
var ErrRegistryChanged = errors.New("a device of the batch has changed")

// Committer stores a batch in one transaction: observations, latest, device status, quarantine and
// one ingest_batch row. When it returns nil everything is durable. An error of kind
// fault.Unavailable means the database is away; nothing was stored.
type Committer interface {
	CommitBatch(ctx context.Context, b Batch) (BatchResult, error)
	// Stored says of each reading whether it is there already: its datastream, time and value.
	Stored(ctx context.Context, readings []Observation) ([]bool, error)
}

// RegistryStore gives the registry what it must know to accept a message.
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

// Target is a datastream with all that a rule must know of it.
type Target struct {
	Datastream Datastream
	Device     *Device // these three are shared between targets, and never changed
	Type       *DatastreamType
	Hazard     *HazardType
}

// RegisteredDevice is a device with what authenticates it.
type RegisteredDevice struct {
	Device
	SecretSHA256 []byte
	CertSHA256   []byte                // of its client certificate, DER; nil: it has none
	Newest       map[int64]NewestTimes // by datastream, of those that have had a reading
}

// NewestTimes are where the newest reading of a datastream stands.
type NewestTimes struct {
	Place time.Time // among the present
	Said  time.Time // by a device whose clock is behind; zero: as Place, or not known
}

// Tail reads committed batches in order, for the rules and for live state.
type Tail interface {
	// HeadBatch is the mark of the newest committed batch, the zero mark when there is none.
	HeadBatch(ctx context.Context) (core.Mark, error)
	// BatchesAfter returns at most limit batches with a seq beyond the mark's, in seq order, without gaps. ErrOtherLog:
	// the log has another batch in the place of the one that the mark names.
	BatchesAfter(ctx context.Context, after core.Mark, limit int) ([]Committed, error)
}

// ErrOtherLog says that a position is not of this log: the database was restored to a moment before it.
var ErrOtherLog = errors.New("sensors: the batches were restored to an earlier state")

// Snapshot is a list of devices that a client may build on: it holds everything that the event log Epoch
// has up to Head and the ingest batches up to Batch.
type Snapshot struct {
	Epoch   string
	Head    core.Mark
	Batch   core.Mark
	Devices []Device
}

// DeviceReader reads devices and what they observed, in a scope.
type DeviceReader interface {
	// Devices returns the devices with ids after the given one, at most limit of them by id; 0 is all.
	Devices(ctx context.Context, s core.Scope, after string, limit int) (Snapshot, error)
	// DatastreamType returns the code of a datastream's type; fault.NotFound when the scope does not cover its device.
	DatastreamType(ctx context.Context, s core.Scope, id int64) (string, error)
	Device(ctx context.Context, s core.Scope, id string) (Device, error)
	// Observations gives at most limit of a datastream's readings in [from, to), newest first when
	// there are more, returned in time order. more says that older ones were left out.
	Observations(ctx context.Context, s core.Scope, datastream int64, from, to time.Time, limit int) (obs []Observation, more bool, err error)
	// Chart gives a datastream's readings of [from, to) in at most points points.
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
	// SetInterval sets the pace expected of a datastream, seconds; 0 is its type's.
	SetInterval(ctx context.Context, s core.Scope, datastream int64, seconds int, actor string) (Datastream, error)
}

// DeviceSeeder stores many things at once, by their codes and ids, replacing what is there.
type DeviceSeeder interface {
	PutHazardTypes(ctx context.Context, types []HazardType) error
	PutDatastreamTypes(ctx context.Context, types []DatastreamType) error
	// PutDevices stores devices with their datastreams in one transaction, and writes registry.changed.
	PutDevices(ctx context.Context, devices []Device, secretSHA256 func(id string) []byte, progress func(done int)) error
}
