package sensors

import (
	"time"

	"onemap/internal/fault"
)

// IngestCounts is how much went through each stage of the ingest path.
type IngestCounts struct {
	Received    uint64 `json:"received"`    // messages taken into the queue
	Committed   uint64 `json:"committed"`   // observations stored that were new
	Duplicate   uint64 `json:"duplicate"`   // there already, with the same value
	Conflict    uint64 `json:"conflict"`    // there already, with another value: kept beside it
	Late        uint64 `json:"late"`        // stored, and older than what its datastream had
	Future      uint64 `json:"future"`      // stored and flagged: ahead of the time of receipt
	Quarantined uint64 `json:"quarantined"` // rows put to quarantine
	Refused     uint64 `json:"refused"`     // messages refused before the queue
	Failed      uint64 `json:"failed"`      // taken and not stored: not acknowledged
	Batches     uint64 `json:"batches"`     // commits
}

// IngestSample is one interval of a node's ingest path: the counts are those of the interval.
type IngestSample struct {
	At time.Time `json:"at"` // its end
	IngestCounts
	QueueEnvelopes int     `json:"queue_envelopes"` // that waited at its end
	QueueBytes     int     `json:"queue_bytes"`
	OldestMS       float64 `json:"oldest_ms"`     // age of the oldest message not yet acknowledged, at its end
	CommitP50MS    float64 `json:"commit_p50_ms"` // of the commits of the interval; 0: there were none
	CommitP99MS    float64 `json:"commit_p99_ms"`
	BatchRows      float64 `json:"batch_rows"` // rows of a commit, the mean; 0: there were none
}

// IngestStats is what a node tells of its ingest path.
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

// BrokerStats is what one way in tells of itself.
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

	Code   string            `json:"code,omitempty"`   // names the sentence of the detail
	Params map[string]string `json:"params,omitempty"` // what goes into it
}

// The kinds of DeviceTrouble.
const (
	TroubleFlood      = "flood"       // sends faster than it may: its reading is paused
	TroubleQuota      = "quota"       // sends more readings than its quota: its reading is paused
	TroubleOversize   = "oversize"    // sends packets larger than are read
	TroubleHandshake  = "handshake"   // connects and does not say who it is
	TroubleCredential = "credentials" // wrong secret or certificate
	TroubleTopic      = "topic"       // publishes or subscribes where it may not
	TroubleStatus     = "status"      // its status or its last will says neither online nor offline
	TroubleKeepAlive  = "keep-alive"  // asks for a longer keep-alive than the limit, or for none and falls silent
	TroubleSlowReader = "slow-reader" // does not read its acknowledgements
	TroubleReconnect  = "reconnect"   // connects again and again
	TroubleRevoked    = "revoked"     // publishes although it was disabled
)

// DeviceTrouble is a device, or a stranger's address, that gives a broker trouble.
type DeviceTrouble struct {
	Device        string    `json:"device"` // empty: it never said who it is
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
	Stored       *float64  `json:"stored"` // what the first delivery said and charts show; nil: no longer kept
	Value        float64   `json:"v"`      // what this one said
	ReceivedAt   time.Time `json:"received_at"`
}

// Flagged counts the readings of one bucket of a chart that are to be looked at twice: each once, as what it is first in
// this order.
type Flagged struct {
	Time    time.Time `json:"t" doc:"The bucket's beginning"`
	Bad     int64     `json:"bad" doc:"qc 4"`
	Missing int64     `json:"missing" doc:"qc 9"`
	Suspect int64     `json:"suspect" doc:"qc 3"`
	Ahead   int64     `json:"ahead" doc:"time_source 3"`
}

// Chart is a datastream's period in at most a given number of points: of each bucket of time the
// least and the greatest reading, so that no peak is lost.
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
	PresenceStale   = "stale" // of a datastream: it missed three of its intervals
	PresenceFresh   = "fresh" // of a datastream: it is heard of again
)

// PresenceChange is one line of a presence.changed event.
type PresenceChange struct {
	Device       string    `json:"device"`
	DatastreamID int64     `json:"datastream_id,omitempty"` // 0: of the device
	Datastream   string    `json:"datastream,omitempty"`    // its name
	State        string    `json:"state"`
	Reason       string    `json:"reason"` // status (it said so, or its last will), silence, reading
	Since        time.Time `json:"since"`
}

// PresenceEvent is the payload of EventPresenceChanged: one a division and look, so that a
// network that falls does not write an event for each of its devices.
type PresenceEvent struct {
	Changes []PresenceChange `json:"changes"` // at most 100
	More    int              `json:"more"`    // that the list leaves out
}

// The reasons for which the readings of a device that is heard of are not evaluated.
const (
	UnevaluatedLate       = "late"       // their times are before those that are known
	UnevaluatedBad        = "bad"        // they are outside the range of their type, or missing
	UnevaluatedQuarantine = "quarantine" // they cannot be read
)

// UnevaluatedChange is one line of a device.unevaluated event.
type UnevaluatedChange struct {
	Device string    `json:"device"`
	Reason string    `json:"reason"` // empty: its readings are evaluated again
	Since  time.Time `json:"since"`
}

// UnevaluatedEvent is the payload of EventUnevaluated: one a division and look.
type UnevaluatedEvent struct {
	Changes []UnevaluatedChange `json:"changes"` // at most 100
	More    int                 `json:"more"`    // that the list leaves out
}
