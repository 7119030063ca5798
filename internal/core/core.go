// Package core holds the few words that every domain shares: levels, origins, bilingual text,
// scopes, and the record of the event log. It is pure.
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

// Worst is the worst of the levels given, None of none.
func Worst(levels ...Level) Level {
	worst := None
	for _, l := range levels {
		if l.Worse(worst) {
			worst = l
		}
	}
	return worst
}

// MaxName is how long the name or the title of a device, a datastream, a division or a layer may be, characters.
const MaxName = 200

// Text is a text in both languages. English falls back to Chinese in the viewer.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// ColourName is the level's colour as it is read out.
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

// String is the English colour in lower case, for logs and metrics.
func (l Level) String() string { return strings.ToLower(l.ColourName().EN) }

// Origin says where a feature or series comes from. Nothing is shown without it.
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

// Role is what an account is for.
type Role string

// The five roles.
const (
	RoleCommander     Role = "city_commander"
	RoleResponder     Role = "county_responder"
	RoleSteward       Role = "data_steward"
	RoleObserver      Role = "observer"
	RoleAdministrator Role = "administrator"
)

// The two roles of displays, which are no people: a wall or a duty phone that only shows, and one that acknowledges.
const (
	RoleDisplay    Role = "display"
	RoleDisplayAck Role = "display_acknowledge"
)

// Roles lists every role of people.
func Roles() []Role {
	return []Role{RoleCommander, RoleResponder, RoleSteward, RoleObserver, RoleAdministrator}
}

// RespondingRoles lists the roles that a county is reached through: its responders, and its duty phones.
func RespondingRoles() []Role { return []Role{RoleResponder, RoleDisplayAck} }

// DisplayRoles lists the roles of displays.
func DisplayRoles() []Role { return []Role{RoleDisplay, RoleDisplayAck} }

// Valid reports whether r is one of the five of people.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Scope is what a principal may see: everything that lies in, or is addressed to, its division and
// below. Division codes are GB/T 2260 without padding ("37", "3706", "370602", "370602001"), so
// "below" is "has it as a prefix".
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

// CoversAny reports whether the scope covers one of the codes; an empty list is city-wide. What is
// addressed to a wider division ("3706") reaches every scope below it, too.
func (s Scope) CoversAny(divisions []string) bool {
	if len(divisions) == 0 {
		return s.Covers("")
	}
	return slices.ContainsFunc(divisions, func(d string) bool {
		return s.Covers(d) || (d != "" && s.Division != "" && strings.HasPrefix(s.Division, d))
	})
}

// AudienceKind is how a layer's readers are chosen.
type AudienceKind string

// The audiences: every logged-in principal, the named roles, or by each feature's division.
const (
	AudiencePublic   AudienceKind = "public"
	AudienceRoles    AudienceKind = "roles"
	AudienceDivision AudienceKind = "division"
)

// Audience says who may read a layer.
type Audience struct {
	Kind  AudienceKind `json:"kind"`
	Roles []Role       `json:"roles,omitempty"`
}

// Admits reports whether a principal of the scope may know of the layer at all. With
// AudienceDivision each feature is judged by Scope.Covers in addition.
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

// Mark is a position in a log of numbered rows: everything up to Seq. ID is the random id of the newest row at or
// before Seq, empty when there is none. A log that was restored may give out the same numbers again, never the same
// ids: a log that has this id at this position has this past.
type Mark struct {
	Seq int64
	ID  string
}

// EventPage is a part of the event log, read from one state of the database.
type EventPage struct {
	Epoch     string // of the log
	Head      Mark   // the newest event
	Before    string // the id of the newest event at or before the seq that was asked for; empty: there is none
	Truncated bool   // events after that seq have been pruned: the answer is not complete
	Events    []Event
}

// Event is one row of the event log: something that a person must not miss. Seq is in commit order:
// who has seen n has seen all below n.
type Event struct {
	Seq       int64           `json:"seq"`
	ID        string          `json:"id"` // random; with Seq it proves which log the event is of
	At        time.Time       `json:"at"`
	Kind      string          `json:"kind"`
	Divisions []string        `json:"divisions"`       // whom it is addressed to; empty is the city alone
	Roles     []Role          `json:"roles,omitempty"` // nil is every role
	Subject   string          `json:"subject"`         // the thing's id: an alert's, a layer's, an account's
	Actor     string          `json:"actor,omitempty"` // who did it; empty is the system
	Payload   json.RawMessage `json:"payload"`
}

// Mark is the position right after the event.
func (e Event) Mark() Mark { return Mark{Seq: e.Seq, ID: e.ID} }

// VisibleTo reports whether a principal of the scope may see the event.
func (e Event) VisibleTo(s Scope) bool {
	if e.Roles != nil && !slices.Contains(e.Roles, s.Role) {
		return false
	}
	return s.CoversAny(e.Divisions)
}

// Health is the state of one part, as the heartbeat and /readyz carry it.
type Health struct {
	Part   string  `json:"part"` // database, broker, rules, layers
	OK     bool    `json:"ok"`
	Lag    float64 `json:"lag_s,omitempty"`  // seconds behind, where the part can lag
	Detail string  `json:"detail,omitempty"` // in English

	Code   string            `json:"code,omitempty"`   // names the sentence of the detail
	Params map[string]string `json:"params,omitempty"` // what goes into it
}

// Unwell is the health of a part that is not OK, with a sentence that says why.
func Unwell(part string, lag float64, c fault.Code, values ...any) Health {
	h := Health{Part: part, Lag: lag}
	h.Say(c, values...)
	return h
}

// Say sets the detail to a sentence.
func (h *Health) Say(c fault.Code, values ...any) {
	said := fault.NewMessage(c, values...)
	h.Detail, h.Code, h.Params = said.String(), said.Code, said.Params
}

// String is the part with its detail, in English.
func (h Health) String() string { return h.Part + ": " + h.Detail }

// PartCertificate is the part of Health that the TLS certificate for devices is.
const PartCertificate = "certificate"

// Ready reports whether the part lets the server do its work. A certificate that could not be renewed does, until it
// is over: a load balancer must not take every node away for it.
func (h Health) Ready() bool { return h.OK || h.Part == PartCertificate }

// Page bounds a listing: at most Limit items before the id Before (0: from the newest).
type Page struct {
	Limit  int
	Before int64
}

// maxPage is the longest page of a list. Callers ask for one more, to know whether another page follows.
const maxPage = 1001

// Length is how many rows the page has at most: 100 when nothing was said, never more than 1,001.
func (p Page) Length() int {
	if p.Limit <= 0 {
		return 100
	}
	return min(p.Limit, maxPage)
}

// ConnectedFor is how long a client counts as connected after its node last said so.
const ConnectedFor = 30 * time.Second

// String is the scope as a cache key and a log value.
func (s Scope) String() string { return fmt.Sprintf("%s@%s", s.Role, s.Division) }
