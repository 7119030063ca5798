// Package catalogue is the content of the one map: layers by theme, their features, provenance and fields. Geometry is
// orb, [lon, lat], EPSG:4326.
package catalogue

import (
	"context"
	"slices"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/core"
)

// Theme groups layers; the codes are the ten themes of the city's emergency information base, and
// emergency resources.
type Theme string

// The themes, in the order in which the layer tree shows them.
const (
	ThemeHazardSource Theme = "hazard_source" // 危险源
	ThemeRiskPoint    Theme = "risk_point"    // 风险点
	ThemeResource     Theme = "resource"      // 应急资源: shelters, hospitals, rescue teams
	ThemeTransport    Theme = "transport"     // 交通
	ThemeWater        Theme = "water"         // 水系
	ThemeBoundary     Theme = "boundary"      // 行政区域界线
	ThemePlace        Theme = "place"         // 地名
	ThemeLandform     Theme = "landform"      // 地貌
	ThemeVegetation   Theme = "vegetation"    // 植被
	ThemeWeather      Theme = "weather"       // 气象
	ThemePopulation   Theme = "population"    // 人口
)

// Themes lists every theme in the order of the layer tree.
func Themes() []Theme {
	return []Theme{
		ThemeHazardSource, ThemeRiskPoint, ThemeResource, ThemeTransport, ThemeWater, ThemeBoundary,
		ThemePlace, ThemeLandform, ThemeVegetation, ThemeWeather, ThemePopulation,
	}
}

// Valid reports whether t is one of the themes.
func (t Theme) Valid() bool { return slices.Contains(Themes(), t) }

// OfRisk reports whether the features of the theme are risks: a grade in their data is then a level of risk. In other themes
// the same word is a floor, a rank of a road or an administrative level.
func (t Theme) OfRisk() bool { return t == ThemeHazardSource || t == ThemeRiskPoint }

// Layer is one entry of the catalogue: one datum, one source.
type Layer struct {
	ID           int            `json:"-"`
	Name         string         `json:"name"` // [a-z][a-z0-9_]{0,62}
	Theme        Theme          `json:"theme"`
	Title        core.Text      `json:"title"`
	Owner        core.Text      `json:"owner"` // the department that answers for it
	Origin       core.Origin    `json:"origin"`
	Audience     core.Audience  `json:"audience"`
	Source       string         `json:"source"`
	Licence      string         `json:"licence"`
	Attribution  string         `json:"attribution"`
	UpdatedOn    time.Time      `json:"updated_on"`    // a date: as of when the content holds
	CycleDays    int            `json:"cycle_days"`    // how often it should be renewed; 0 is never
	GeometryType string         `json:"geometry_type"` // Point, LineString, Polygon, or Geometry when mixed
	MinZoom      int            `json:"min_zoom"`
	MaxZoom      int            `json:"max_zoom"`
	Fields       []Field        `json:"fields"`
	Tile         core.TileRules `json:"tile"` // how it is drawn into tiles
	Style        Style          `json:"style,omitzero" doc:"How the page draws it; without it, in the built-in style"`
	Version      int64          `json:"version"` // grows with every change; the ETag
	Count        int64          `json:"count"`
	BBox         []float64      `json:"bbox"` // west, south, east, north; nil when empty
	ModifiedAt   time.Time      `json:"modified_at"`
}

// Field describes one property of a layer's features.
type Field struct {
	Name   string    `json:"name"`
	Type   string    `json:"type"` // string, number, integer, boolean
	Title  core.Text `json:"title"`
	Unit   string    `json:"unit,omitempty"`
	InTile bool      `json:"in_tile"` // goes into vector tiles; the card shows all
}

// Feature is one thing on a layer. ID is stable over re-imports by Key.
type Feature struct {
	ID         int64        `json:"id"`
	Key        string       `json:"key"`      // the source's own key
	Division   string       `json:"division"` // GB/T 2260, unpadded; decides who may see it
	Name       core.Text    `json:"name"`
	Level      core.Level   `json:"level"` // the four-colour grade; None where it has none
	Origin     core.Origin  `json:"origin"`
	Source     string       `json:"source"` // of the import that wrote it; empty when it was drawn by hand
	ByHand     ByHand       `json:"by_hand,omitzero"`
	Properties Properties   `json:"properties"`
	Geometry   orb.Geometry `json:"-"`
	ModifiedAt time.Time    `json:"modified_at"`
}

// Sector is a sector of the risk register.
type Sector string

// The sectors.
const (
	SectorChemicals      Sector = "hazardous_chemicals" // 危化品
	SectorMines          Sector = "non_coal_mines"      // 非煤矿山
	SectorFire           Sector = "fire"                // 消防
	SectorDisaster       Sector = "natural_disaster"    // 自然灾害
	SectorInfrastructure Sector = "infrastructure"      // 城市基础设施
)

// Record is one feature as an importer read it, with where it stood in the file.
type Record struct {
	Line    int   // the line of the file at which the feature begins, from 1
	Offset  int64 // of its first byte in the file
	Feature Feature
}

// Refusal is one record that an import did not take.
type Refusal struct {
	Line   int    `json:"line"`
	Number int64  `json:"number"` // of the record in the file, from 1
	Offset int64  `json:"offset"` // of the record's first byte in the file
	Key    string `json:"key,omitempty"`
	Reason string `json:"reason"`
}

// Reader yields records one by one, holding no more than one of them: a record, or a refusal of
// one record, or io.EOF, or a fatal error that names the line.
type Reader interface {
	Next() (Record, *Refusal, error)
}

// ImportReport is what an import did.
type ImportReport struct {
	Layer    string    `json:"layer"`
	Read     int64     `json:"read"`
	Created  int64     `json:"created"`
	Updated  int64     `json:"updated"`
	Deleted  int64     `json:"deleted"`  // no longer in the source
	Kept     int64     `json:"kept"`     // drawn by hand and not in the source: left as they are
	Replaced int64     `json:"replaced"` // of the updated ones: those whose words or place a person had given them
	Refused  int64     `json:"refused"`
	Refusals []Refusal `json:"refusals"` // the first 100
	Mended   int64     `json:"mended"`   // areas that touched or crossed themselves
	Notes    []string  `json:"notes"`    // what was taken as what, in sentences
	Version  int64     `json:"version"`
}

// ImportOptions say what an import may do to a layer.
type ImportOptions struct {
	// AllowDelete lets it delete more than a fifth of the layer's features.
	AllowDelete bool
	// Repair mends areas that cross themselves; without it only those are mended that do so by less than 1e-7°.
	Repair bool
	// Progress receives the number of records read so far. It may be nil.
	Progress func(read int64)
}

// LayerChange is what of a layer's entry can be changed by hand; what is nil stays.
type LayerChange struct {
	MinZoom, MaxZoom *int
	Tile             *core.TileRules
	InTile           []string // the names of exactly the fields that go into tiles
}

// Catalogue is what reading needs from a store. Scope is applied by the store: features that the
// scope does not cover are not in the answer; a layer whose audience does not admit it is
// fault.Forbidden, an unknown one fault.NotFound.
type Catalogue interface {
	Layers(ctx context.Context, s core.Scope) ([]Layer, error)
	Layer(ctx context.Context, s core.Scope, name string) (Layer, error)
	Features(ctx context.Context, s core.Scope, layer string, bound *orb.Bound, after int64, limit int) ([]Feature, error)
	Feature(ctx context.Context, s core.Scope, layer string, id int64) (Feature, error)
	// FeatureHistory lists the changes of a feature, newest first, also of one that was deleted. Changes in divisions
	// that the scope does not cover are left out of layers shown by division.
	FeatureHistory(ctx context.Context, s core.Scope, layer string, id int64, p core.Page) ([]FeatureChange, error)
}

// Hit is one result of a search.
type Hit struct {
	Kind  string    `json:"kind" enum:"feature,device,division,alert"`
	Layer string    `json:"layer,omitempty" doc:"Of a feature: its layer"`
	ID    string    `json:"id" doc:"The id of the feature, device or alert, the code of the division"`
	Name  core.Text `json:"name" doc:"Of an alert: its headline"`
	// Division is where the hit is today: of an abolished division it is the successor.
	Division     string     `json:"division" doc:"The code of the division that it is in today; of an abolished division its successor"`
	DivisionName core.Text  `json:"division_name" doc:"The name of the county unit of division; empty when it is in none"`
	Abolished    int        `json:"abolished,omitempty" doc:"Of a division that is no longer in use: the year in which it ended"`
	Level        core.Level `json:"level" doc:"0, or the level of an alert, or the worst open one of a device"`
	Lon          float64    `json:"lon"`
	Lat          float64    `json:"lat"`
}

// Searcher finds features, devices, divisions and alerts by name (Chinese, English, pinyin or its
// initials), by code or by key, in the scope. Each place is returned once.
type Searcher interface {
	Search(ctx context.Context, s core.Scope, q string, limit int) ([]Hit, error)
}

// Division is a county unit or town with its code's validity.
type Division struct {
	Code      string     `json:"code"`
	Name      core.Text  `json:"name"`
	Parent    string     `json:"parent"`
	ValidFrom *time.Time `json:"valid_from,omitempty"`
	ValidTo   *time.Time `json:"valid_to,omitempty"`
	Successor string     `json:"successor,omitempty"` // the code that took it over
	Lon       float64    `json:"lon"`
	Lat       float64    `json:"lat"`
}
