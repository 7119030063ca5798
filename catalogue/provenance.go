package catalogue

import (
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/core"
)

// ByHand is what people did to a feature since an import wrote it; nil is what they did not.
type ByHand struct {
	Drawn  *Act `json:"drawn,omitempty" doc:"Who drew it; then no import is its source"`
	Moved  *Act `json:"moved,omitempty" doc:"Who gave it its geometry last"`
	Edited *Act `json:"edited,omitempty" doc:"Who changed its name, level or fields last"`
}

// Act is one thing that a person did.
type Act struct {
	By string     `json:"by" doc:"The login; empty when it was not written down"`
	At *time.Time `json:"at,omitempty" doc:"Missing when it was not written down"`
}

// Provenance is where the feature comes from, in a sentence: "OurAirports 2025-11; moved by li, 2026-07-01T08:00:00Z".
func (f Feature) Provenance() string {
	var parts []string
	if f.Source != "" {
		parts = append(parts, f.Source)
	}
	for _, a := range []struct {
		verb string
		act  *Act
	}{{"drawn", f.ByHand.Drawn}, {"moved", f.ByHand.Moved}, {"edited", f.ByHand.Edited}} {
		if a.act != nil {
			parts = append(parts, a.verb+a.act.words())
		}
	}
	return strings.Join(parts, "; ")
}

// words returns the act for Provenance: who, and when in UTC, as far as both are known.
func (a Act) words() string {
	words := " by hand"
	if a.By != "" {
		words = " by " + a.By
	}
	if a.At != nil {
		words += ", " + a.At.UTC().Format(time.RFC3339)
	}
	return words
}

// The ways in which a feature is changed.
const (
	ViaHand     = "hand"     // by a person, through the API
	ViaImport   = "import"   // by an import
	ViaDatabase = "database" // by a session of the database itself
)

// FeatureChange is one entry of a feature's history.
type FeatureChange struct {
	ID     int64
	At     time.Time
	Kind   string // created, updated, deleted
	Via    string
	Actor  string        // ViaHand: a login; ViaDatabase: a role of the database
	Source string        // ViaImport: the import's
	Before *FeatureState // nil when there was nothing, or it is not kept
	After  *FeatureState // nil when there is nothing, or it is not kept
}

// FeatureState is what of a feature a change concerned: what is nil, and fields that are not there, did not differ.
type FeatureState struct {
	Division *string      `json:"division,omitempty"`
	Name     *core.Text   `json:"name,omitempty"`
	Level    *core.Level  `json:"level,omitempty"`
	Origin   *core.Origin `json:"origin,omitempty"`
	Source   *string      `json:"source,omitempty"`
	Fields   Properties   `json:"fields,omitempty"`
	Geometry orb.Geometry `json:"-"`
}
