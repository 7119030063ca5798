// Package core defines the types that all domains share: levels, origins, bilingual text, scopes, and the event of the
// event log. It does no I/O.
package core

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"onemap/internal/fault"
)

// Level is a warning or risk level: 1 red is the worst, 4 blue the mildest, 0 none.
type Level uint8

// The four colours of Chinese warning practice, and none.
const (
	None   Level = 0
	Red    Level = 1
	Orange Level = 2
	Yellow Level = 3
	Blue   Level = 4
)

// Valid reports whether l is one of the five.
func (l Level) Valid() bool { return l <= Blue }

// Worse reports whether l is worse than other. None is better than everything.
func (l Level) Worse(other Level) bool {
	if l == None {
		return false
	}
	return other == None || l < other
}

// Worst returns the worst of the levels, None if there are none.
func Worst(levels ...Level) Level {
	worst := None
	for _, l := range levels {
		if l.Worse(worst) {
			worst = l
		}
	}
	return worst
}

// MaxName is the longest name or title of a device, a datastream, a division or a layer, in characters.
const MaxName = 200

// Text is a text in both languages. English falls back to Chinese in the viewer.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// ColourName returns the name of the level's colour in both languages.
func (l Level) ColourName() Text {
	switch l {
	case Red:
		return Text{"红色", "Red"}
	case Orange:
		return Text{"橙色", "Orange"}
	case Yellow:
		return Text{"黄色", "Yellow"}
	case Blue:
		return Text{"蓝色", "Blue"}
	default:
		return Text{"正常", "None"}
	}
}

// String returns the English colour in lower case, for logs and metrics.
func (l Level) String() string { return strings.ToLower(l.ColourName().EN) }

// Origin is the kind of source of a feature or a series. The pages always show it with the data.
type Origin string

// The origins.
const (
	OriginReal      Origin = "real"
	OriginSchematic Origin = "schematic"
	OriginSynthetic Origin = "synthetic"
	OriginFactTable Origin = "fact-table"
)

// Valid reports whether o is one of the four.
func (o Origin) Valid() bool {
	return o == OriginReal || o == OriginSchematic || o == OriginSynthetic || o == OriginFactTable
}

// Role is the role of an account.
type Role string

// The five roles.
const (
	RoleCommander     Role = "city_commander"
	RoleResponder     Role = "county_responder"
	RoleSteward       Role = "data_steward"
	RoleObserver      Role = "observer"
	RoleAdministrator Role = "administrator"
)

// The two roles of displays, which are not people: a wall or a duty phone that only shows, and one that can acknowledge.
const (
	RoleDisplay    Role = "display"
	RoleDisplayAck Role = "display_acknowledge"
)

// Roles returns all roles of people.
func Roles() []Role {
	return []Role{RoleCommander, RoleResponder, RoleSteward, RoleObserver, RoleAdministrator}
}

// RespondingRoles returns the roles of those who respond for a county: its responders and its duty phones.
func RespondingRoles() []Role { return []Role{RoleResponder, RoleDisplayAck} }

// DisplayRoles returns the roles of displays.
func DisplayRoles() []Role { return []Role{RoleDisplay, RoleDisplayAck} }

// Valid reports whether r is one of the five of people.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Scope defines what a principal may see: everything that lies in, or is addressed to, its division and the divisions
// below it. Division codes are GB/T 2260 codes without padding ("37", "3706", "370602", "370602001"), so a division is
// below another one if its code begins with the code of the other.
type Scope struct {
	Division string
	Role     Role
}

// Covers reports whether the division code lies in the scope. A thing without a code is city-wide:
// only a scope of four digits or fewer covers it.
func (s Scope) Covers(division string) bool {
	if s.Division == "" {
		return false
	}
	if division == "" {
		return len(s.Division) <= 4
	}
	return strings.HasPrefix(division, s.Division)
}

// CoversAny reports whether the scope covers at least one of the codes. An empty list is city-wide. A thing that is
// addressed to a larger division ("3706") is also covered by every scope below that division.
func (s Scope) CoversAny(divisions []string) bool {
	if len(divisions) == 0 {
		return s.Covers("")
	}
	return slices.ContainsFunc(divisions, func(d string) bool {
		return s.Covers(d) || (d != "" && s.Division != "" && strings.HasPrefix(s.Division, d))
	})
}

// AudienceKind defines how the readers of a layer are selected.
type AudienceKind string

// The audiences: every logged-in principal, the named roles, or by each feature's division.
const (
	AudiencePublic   AudienceKind = "public"
	AudienceRoles    AudienceKind = "roles"
	AudienceDivision AudienceKind = "division"
)

// Audience defines who may read a layer.
type Audience struct {
	Kind  AudienceKind `json:"kind"`
	Roles []Role       `json:"roles,omitempty"`
}

// Admits reports whether a principal of the scope may know that the layer exists. With AudienceDivision, the caller must
// also check each feature with Scope.Covers.
func (a Audience) Admits(s Scope) bool {
	switch a.Kind {
	case AudiencePublic, AudienceDivision:
		return s.Division != ""
	case AudienceRoles:
		return slices.Contains(a.Roles, s.Role)
	default:
		return false
	}
}

// Mark is a position in a log of numbered rows: everything up to Seq. ID is the random id of the newest row at or before
// Seq, empty if there is none. After a restore the log may assign the same numbers again, but never the same ids. So a log
// that has this id at this position contains the same rows up to it.
type Mark struct {
	Seq int64
	ID  string
}

// EventPage is a part of the event log that was read from one snapshot of the database.
type EventPage struct {
	Epoch     string // of the log
	Head      Mark   // the newest event
	Before    string // id of the newest event at or before the requested seq; empty: there is none
	Truncated bool   // events after the requested seq have been pruned: the page is not complete
	Events    []Event
}

// Event is one row of the event log: something that a person must not miss. Seq is in commit order, so a reader that has
// event n has read all events below n.
type Event struct {
	Seq       int64           `json:"seq"`
	ID        string          `json:"id"` // random; with Seq it proves which log the event is of
	At        time.Time       `json:"at"`
	Kind      string          `json:"kind"`
	Divisions []string        `json:"divisions"`       // the divisions that it is addressed to; empty: city-wide scopes only
	Roles     []Role          `json:"roles,omitempty"` // the roles that may see it; nil: every role
	Subject   string          `json:"subject"`         // id of the thing: an alert, a layer, an account
	Actor     string          `json:"actor,omitempty"` // the account that caused it; empty: the system
	Payload   json.RawMessage `json:"payload"`
}

// Mark returns the position directly after the event.
func (e Event) Mark() Mark { return Mark{Seq: e.Seq, ID: e.ID} }

// VisibleTo reports whether a principal of the scope may see the event.
func (e Event) VisibleTo(s Scope) bool {
	if e.Roles != nil && !slices.Contains(e.Roles, s.Role) {
		return false
	}
	return s.CoversAny(e.Divisions)
}

// Health is the state of one part, as in the heartbeat and in /readyz.
type Health struct {
	Part   string  `json:"part"` // database, broker, rules, layers
	OK     bool    `json:"ok"`
	Lag    float64 `json:"lag_s,omitempty"`  // seconds behind, where the part can lag
	Detail string  `json:"detail,omitempty"` // in English

	Code   string            `json:"code,omitempty"`   // code of the detail; see fault.Code
	Params map[string]string `json:"params,omitempty"` // values of the placeholders in the detail
}

// Unwell returns the health of a part that is not OK, with the reason as its detail. Unit of lag: seconds.
func Unwell(part string, lag float64, c fault.Code, values ...any) Health {
	h := Health{Part: part, Lag: lag}
	h.SetDetail(c, values...)
	return h
}

// SetDetail sets the detail to the sentence of a code.
func (h *Health) SetDetail(c fault.Code, values ...any) {
	said := fault.NewMessage(c, values...)
	h.Detail, h.Code, h.Params = said.String(), said.Code, said.Params
}

// String returns the part with its detail, in English.
func (h Health) String() string { return h.Part + ": " + h.Detail }

// PartCertificate is the name of the Health part of the TLS certificate for devices.
const PartCertificate = "certificate"

// Ready reports whether the server can work in this state of the part. It is always true for the certificate: a certificate
// that could not be renewed works until it expires, and a load balancer must not remove every node because of it.
func (h Health) Ready() bool { return h.OK || h.Part == PartCertificate }

// Page selects a part of a list: at most Limit items with an id below Before; 0: from the newest item.
type Page struct {
	Limit  int
	Before int64
}

// maxPage is the largest number of rows of a page: 1,000 and one more, with which callers find out whether another page
// follows.
const maxPage = 1001

// Length returns the largest number of rows of the page: Limit, but 100 if Limit is 0 or less, and never more than 1,001.
func (p Page) Length() int {
	if p.Limit <= 0 {
		return 100
	}
	return min(p.Limit, maxPage)
}

// ConnectedFor is how long a client counts as connected after its node last reported it.
const ConnectedFor = 30 * time.Second

// String returns the scope as "role@division", for cache keys and the log.
func (s Scope) String() string { return fmt.Sprintf("%s@%s", s.Role, s.Division) }
