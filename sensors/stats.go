package sensors

import (
	"time"

	"onemap/internal/fault"
)

// IngestCounts holds the counts of the stages of the ingest path.
type IngestCounts struct {
	Received    uint64 `json:"received"`    // messages taken into the queue
	Committed   uint64 `json:"committed"`   // observations stored that were new
	Duplicate   uint64 `json:"duplicate"`   // observations that were stored before with the same value
	Conflict    uint64 `json:"conflict"`    // observations that were stored before with another value: kept as conflicts
	Late        uint64 `json:"late"`        // observations stored that are older than the latest of their datastream
	Future      uint64 `json:"future"`      // observations stored and flagged because their clock is wrong
	Quarantined uint64 `json:"quarantined"` // rows put into quarantine
	Refused     uint64 `json:"refused"`     // messages refused before the queue
	Failed      uint64 `json:"failed"`      // messages accepted and not stored: not acknowledged
	Batches     uint64 `json:"batches"`     // commits
}

// IngestSample describes one interval of a node's ingest path. The counts are those of the interval.
type IngestSample struct {
	At time.Time `json:"at"` // its end
	IngestCounts
	QueueEnvelopes int     `json:"queue_envelopes"` // messages that waited at the end of the interval
	QueueBytes     int     `json:"queue_bytes"`
	OldestMS       float64 `json:"oldest_ms"`     // age of the oldest message not yet acknowledged, at its end
	CommitP50MS    float64 `json:"commit_p50_ms"` // of the commits of the interval; 0: there were none
	CommitP99MS    float64 `json:"commit_p99_ms"`
	BatchRows      float64 `json:"batch_rows"` // rows of a commit, the mean; 0: there were none
}

// IngestStats holds the statistics of a node's ingest path.
type IngestStats struct {
	Node      string          `json:"node"`
	StartedAt time.Time       `json:"started_at"`
	EveryS    int             `json:"every_s"` // length of a sample
	MaxQueue  int             `json:"max_queue"`
	MaxBytes  int             `json:"max_bytes"`
	Totals    IngestCounts    `json:"totals"`  // since the start
	Samples   []IngestSample  `json:"samples"` // oldest first, at most 15 minutes
	Brokers   []BrokerStats   `json:"brokers"`
	Troubles  []DeviceTrouble `json:"troubles"` // newest first, at most 100
}

// BrokerStats holds the statistics of one broker: the embedded one or an external one.
type BrokerStats struct {
	Name        string            `json:"name"`    // embedded, external
	Address     string            `json:"address"` // without credentials
	Connected   bool              `json:"connected"`
	Detail      string            `json:"detail"`      // what is wrong, in English, or empty
	Connections int               `json:"connections"` // devices connected; an external broker's are not known: 0
	QoS0        uint64            `json:"qos0"`        // publishes by QoS
	QoS1        uint64            `json:"qos1"`
	QoS2        uint64            `json:"qos2"`
	Refused     map[string]uint64 `json:"refused"` // by reason
	Reconnects  uint64            `json:"reconnects"`

	Code   string            `json:"code,omitempty"`   // code of the sentence in Detail
	Params map[string]string `json:"params,omitempty"` // parameters of that sentence
}

// The kinds of DeviceTrouble.
const (
	TroubleFlood      = "flood"       // sends faster than it may: its reading is paused
	TroubleQuota      = "quota"       // sends more readings than its quota: its reading is paused
	TroubleOversize   = "oversize"    // sends packets larger than are read
	TroubleHandshake  = "handshake"   // connects and does not identify itself
	TroubleCredential = "credentials" // wrong secret or certificate
	TroubleTopic      = "topic"       // publishes or subscribes to a topic without permission
	TroubleStatus     = "status"      // its status or its last will is neither online nor offline
	TroubleKeepAlive  = "keep-alive"  // asks for a longer keep-alive than the limit, or for none and falls silent
	TroubleSlowReader = "slow-reader" // does not read its acknowledgements
	TroubleReconnect  = "reconnect"   // connects again and again
	TroubleRevoked    = "revoked"     // publishes although it was disabled
)

// DeviceTrouble is a device, or the address of an unknown client, that causes trouble at a broker.
type DeviceTrouble struct {
	Device        string    `json:"device"` // empty: the client never identified itself
	Remote        string    `json:"remote"`
	Kind          string    `json:"kind"`
	Count         uint64    `json:"count"`
	First         time.Time `json:"first"`
	Last          time.Time `json:"last"`
	Detail        string    `json:"detail"` // in English
	fault.Message           // the same by its code
}

// Conflict is a reading whose datastream and time were stored already with another value.
type Conflict struct {
	ID           int64     `json:"id"`
	DatastreamID int64     `json:"datastream_id"`
	DeviceID     string    `json:"device_id"`
	Name         string    `json:"name"` // of the datastream
	Division     string    `json:"division"`
	Time         time.Time `json:"t"`
	Stored       *float64  `json:"stored"` // the value of the first delivery, which charts show; nil: no longer stored
	Value        float64   `json:"v"`      // the conflicting value
	ReceivedAt   time.Time `json:"received_at"`
}

// Flagged counts the readings of one bucket of a chart that need attention. A reading with several properties counts once, under
// the first of them in the order of the fields.
type Flagged struct {
	Time    time.Time `json:"t" doc:"The bucket's beginning"`
	Bad     int64     `json:"bad" doc:"qc 4"`
	Missing int64     `json:"missing" doc:"qc 9"`
	Suspect int64     `json:"suspect" doc:"qc 3"`
	Ahead   int64     `json:"ahead" doc:"time_source 3"`
}

// Chart holds the readings of a datastream in a period, reduced to at most a given number of points. It contains the least and
// the greatest reading of each time bucket, so that no peak is lost.
type Chart struct {
	DatastreamID int64         `json:"datastream_id"`
	From         time.Time     `json:"from"`
	To           time.Time     `json:"to"`
	Rows         int64         `json:"rows"`     // readings in the period
	Exact        bool          `json:"exact"`    // every reading is a point: nothing was left out
	BucketS      float64       `json:"bucket_s"` // seconds; 0 when exact
	Points       []Observation `json:"points"`   // in time order
	Flagged      []Flagged     `json:"flagged" doc:"Of a reduced chart, the buckets with readings that are to be looked at twice, in time order: also of those that are no points"`
	Conflicts    []Conflict    `json:"conflicts"`
}

// The states of a PresenceChange.
const (
	PresenceOnline  = "online"
	PresenceOffline = "offline"
	PresenceStale   = "stale" // of a datastream: no observation for three of its intervals
	PresenceFresh   = "fresh" // of a datastream: it has a recent observation again
)

// PresenceChange is one line of a presence.changed event.
type PresenceChange struct {
	Device       string    `json:"device"`
	DatastreamID int64     `json:"datastream_id,omitempty"` // 0: the change is of the device
	Datastream   string    `json:"datastream,omitempty"`    // its name
	State        string    `json:"state"`
	Reason       string    `json:"reason"` // status (its message or its last will), silence, reading, late
	Since        time.Time `json:"since"`
}

// ChangeList is the payload of an event that lists changes. An event lists at most PresenceListed changes and counts the others,
// so that its size does not grow with the number of devices.
type ChangeList[C any] struct {
	Changes []C `json:"changes"`
	More    int `json:"more"` // number of changes that are not listed
}

// Add lists a change, or only counts it if PresenceListed changes are listed already.
func (l *ChangeList[C]) Add(c C) {
	if len(l.Changes) == PresenceListed {
		l.More++
		return
	}
	l.Changes = append(l.Changes, c)
}

// PresenceEvent is the payload of EventPresenceChanged. There is one event per division and check, so that the failure of a
// network does not write one event for each device.
type PresenceEvent = ChangeList[PresenceChange]

// The reasons for which the readings of a device that sends are not evaluated.
const (
	UnevaluatedLate       = "late"       // their times are before the newest ones stored
	UnevaluatedBad        = "bad"        // they are outside the range of their type, or missing
	UnevaluatedQuarantine = "quarantine" // they cannot be decoded
)

// UnevaluatedChange is one line of a device.unevaluated event.
type UnevaluatedChange struct {
	Device string    `json:"device"`
	Reason string    `json:"reason"` // empty: its readings are evaluated again
	Since  time.Time `json:"since"`
}

// UnevaluatedEvent is the payload of EventUnevaluated. There is one event per division and check.
type UnevaluatedEvent = ChangeList[UnevaluatedChange]
