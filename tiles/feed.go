package tiles

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/core"
)

// Spec is a layer's entry in the catalogue, as far as tiles need it.
type Spec struct {
	ID         int
	Name       string
	Title      core.Text
	Audience   core.Audience
	MinZoom    int
	MaxZoom    int
	Fields     []Field // the layer's own fields that go into tiles, in the catalogue's order
	Rules      core.TileRules
	Version    int64 // of the catalogue
	Count      int64 // features, as the catalogue says
	ModifiedAt time.Time
}

// Field is an attribute of a layer's features: string, number, integer or boolean.
type Field struct{ Name, Type string }

// Feature is one stored feature with what a tile needs of it.
type Feature struct {
	ID       int64
	Geometry orb.Geometry // lon/lat; nil when Problem says why
	Problem  string       // why the stored geometry cannot be read
	Division string
	NameZH   []byte
	NameEN   []byte
	Level    core.Level
	Severity core.Level // what orders it: the level, or the field that the rules name
	Origin   core.Origin
	// Values are those of Spec.Fields, in their order, as text: a number as JSON writes it, true or
	// false; nil is none, or one of another type than the field's.
	Values [][]byte
}

// Loader reads the catalogue and its features.
type Loader interface {
	// Specs returns every layer, without a check of the audience.
	Specs(ctx context.Context) ([]Spec, error)
	// Load calls each for every feature of a layer, in no fixed order. When each returns, the loader may reuse the feature
	// and the memory that it points to. Load stops at an error of each and returns it.
	Load(ctx context.Context, s Spec, each func(*Feature) error) error
	// Fetch is like Load for the features with the given ids. It skips ids that are not in the layer.
	Fetch(ctx context.Context, s Spec, ids []int64, each func(*Feature) error) error
}

// Box is west, south, east, north in degrees; NaN when there is none.
type Box [4]float64

// Mark is a position of the change feed. Only the feed can read it.
type Mark string

// Change is one feature that a committed transaction made, changed or deleted.
type Change struct {
	ID                       int64
	Old, New                 Box    // where it was and where it is
	OldDivision, NewDivision string // empty also when there was or is none
}

// Chunk is a part of what was committed to one layer.
type Chunk struct {
	Layer   int
	At      time.Time // when it was written, a moment before its commit
	Entry   bool      // the layer's entry in the catalogue was made, changed or deleted
	Whole   bool      // too much changed to list it: load the layer anew
	Changes []Change
}

// Feed is the change feed: what each commit changed, unordered, without a gap. Every writer is on it,
// also one that knows nothing of onemap.
type Feed interface {
	// Mark is the present position: what is loaded after it lacks nothing that was before it.
	Mark(ctx context.Context) (Mark, error)
	// Since returns what was committed after the mark, in chunks, and the position then. When each
	// fails nothing was passed: ask again with the old mark. ErrFeedLost: what came after the mark
	// is no longer known.
	Since(ctx context.Context, m Mark, each func(Chunk) error) (Mark, error)
	// Notified blocks until the database says that there is something new, or ctx ends. It is a hint.
	Notified(ctx context.Context) error
}

// ErrFeedLost says that a mark is of another epoch of the database, or older than what the feed still
// has: everything must be loaded anew.
var ErrFeedLost = errors.New("tiles: the change feed does not reach back to this mark")

// Range is a rectangle of tiles of one zoom, its ends included.
type Range struct{ Z, X0, Y0, X1, Y1 uint32 }

// Notice names the tiles of a layer that have changed. The engine sends it after its own tiles are up to date.
type Notice struct {
	Layer    string // empty: all of every layer
	Audience core.Audience
	Division string  // of the features that changed, when the audience is by division and Ranges are theirs
	Ranges   []Range // nil: all of the layer's
}

// VisibleTo reports whether a principal of the scope may learn of the change.
func (n Notice) VisibleTo(s core.Scope) bool {
	switch {
	case n.Layer == "":
		return s.Division != ""
	case !n.Audience.Admits(s):
		return false
	case n.Audience.Kind != core.AudienceDivision || n.Ranges == nil:
		return true
	default:
		return s.Covers(n.Division)
	}
}

// SameFields reports whether features of both carry the same attributes.
func SameFields(a, b Spec) bool {
	return slices.Equal(a.Fields, b.Fields) && a.Rules.Severity == b.Rules.Severity
}
