package alerts

import (
	"strings"
	"time"

	"onemap/internal/core"
)

// SilenceKind says why alerts are silenced.
type SilenceKind string

// The kinds: of something that is known to alarm for no reason, and of planned work.
const (
	KindSilence     SilenceKind = "silence"
	KindMaintenance SilenceKind = "maintenance"
)

// Silence keeps alerts from ringing, from taking the screen and from counting as unanswered for a
// time. They are stored, listed and shown all the same. It is the wire shape too.
type Silence struct {
	ID        int64       `json:"id"`
	Kind      SilenceKind `json:"kind"`
	DeviceID  string      `json:"device_id"` // these three narrow; at least one is not empty
	Type      string      `json:"type"`      // DatastreamType.Code, an Alert's Property
	Division  string      `json:"division"`  // and what lies in it
	Level     core.Level  `json:"level"`     // alerts of it or milder are covered, never worse ones
	Reason    string      `json:"reason"`
	Owner     string      `json:"owner"` // who made it: a login
	OwnerName string      `json:"owner_name"`
	Starts    time.Time   `json:"starts"`
	Ends      time.Time   `json:"ends"` // at most MaxSilence after Starts
	CreatedAt time.Time   `json:"created_at"`
	EndedAt   *time.Time  `json:"ended_at"` // when a person ended it before Ends; null if no person did
	EndedBy   string      `json:"ended_by"` // a login
}

// Covers reports whether the silence holds for the alert as it is at a moment: from Starts until Ends
// or EndedAt, which are no part of it. The page has the same function; both are held against
// testdata/silences.json.
func (s Silence) Covers(a Alert, now time.Time) bool {
	return s.runs(now) && !a.Level.Worse(s.Level) &&
		(s.DeviceID != "" || s.Type != "" || s.Division != "") &&
		(s.DeviceID == "" || s.DeviceID == a.DeviceID) &&
		(s.Type == "" || s.Type == a.Property) &&
		strings.HasPrefix(a.Division, s.Division)
}

// runs reports whether the silence is in force at a moment.
func (s Silence) runs(now time.Time) bool {
	return !now.Before(s.Starts) && now.Before(s.Ends) && (s.EndedAt == nil || now.Before(*s.EndedAt))
}

// Over reports whether the silence will cover nothing any more.
func (s Silence) Over(now time.Time) bool { return s.EndedAt != nil || !now.Before(s.Ends) }

// SilenceEvent is the payload of EventSilenceChanged.
type SilenceEvent struct {
	Silence Silence `json:"silence"`
}
