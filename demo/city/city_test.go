package city_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"

	"onemap/catalogue"
	"onemap/catalogue/geojson"
	"onemap/data"
	"onemap/data/datatest"
	"onemap/demo/city"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/sensors"
)

var update = flag.Bool("update", false, "write the golden files")

// base returns the folder of the base data.
var base = filepath.Join("..", "..", "data", "base")

// cityOne is generated once for all tests, because it takes a second.
var cityOne = sync.OnceValues(func() (city.City, error) { return city.New(1, base) })

func made(t *testing.T) city.City {
	t.Helper()
	c, err := cityOne()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// canonical returns the whole content of a city as bytes.
func canonical(t *testing.T, c city.City) []byte {
	t.Helper()
	type feature struct {
		catalogue.Feature
		Geometry json.RawMessage
	}
	type layer struct {
		catalogue.Layer
		Features []feature
	}
	var layers []layer
	for _, spec := range c.Layers {
		l := layer{Layer: spec.Layer}
		for _, f := range datatest.ReadLayer(t, spec) {
			raw, err := geojson.Encode(f.Geometry)
			if err != nil {
				t.Fatal(err)
			}
			l.Features = append(l.Features, feature{f, raw})
		}
		layers = append(layers, l)
	}
	raw, err := json.Marshal(map[string]any{"layers": layers, "devices": c.Devices, "types": c.DatastreamTypes, "hazards": c.HazardTypes, "rules": c.Rules})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestSameSeedSameBytes(t *testing.T) {
	first := canonical(t, made(t))
	again, err := city.New(1, base)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(first)
	got := hex.EncodeToString(sum[:])
	if other := sha256.Sum256(canonical(t, again)); other != sum {
		t.Error("the same seed gives another city")
	}
	golden := filepath.Join("testdata", "seed1.sha256")
	if *update {
		if err := os.WriteFile(golden, []byte(got+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(want)) != got {
		t.Errorf("the city of seed 1 is %s, not %s; when it was meant to change, run go test ./demo/city -update", got, want)
	}
	other, err := city.New(2, base)
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(canonical(t, other)) == sum {
		t.Error("another seed gives the same city")
	}
}

func TestCityCounts(t *testing.T) {
	c := made(t)
	want := map[string]int{"risk_source": 3000, "hazard_zone": 400, "shelter": 260, "hospital": 90, "rescue_team": 110}
	for _, spec := range c.Layers {
		features := datatest.ReadLayer(t, spec)
		datatest.CheckLayer(t, spec.Layer, features)
		if len(features) != want[spec.Name] {
			t.Errorf("%s has %d features, not %d", spec.Name, len(features), want[spec.Name])
		}
		delete(want, spec.Name)
		names := map[string]bool{}
		for _, f := range features {
			if !strings.HasPrefix(f.Name.ZH, "演示-") || !strings.HasPrefix(f.Name.EN, "Demo ") || f.Origin != core.OriginSynthetic {
				t.Errorf("%s: %s is not marked: %+v", spec.Name, f.Key, f.Name)
			}
			if names[f.Name.ZH] {
				t.Errorf("%s: the name %s is there twice", spec.Name, f.Name.ZH)
			}
			names[f.Name.ZH] = true
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	streams := 0
	for _, d := range c.Devices {
		streams += len(d.Streams)
	}
	if len(c.Devices) != 600 || streams != 1200 {
		t.Errorf("%d devices, %d datastreams", len(c.Devices), streams)
	}
}

func TestGradesAreSkewed(t *testing.T) {
	for _, spec := range made(t).Layers {
		if spec.Name != "risk_source" && spec.Name != "hazard_zone" {
			continue
		}
		features := datatest.ReadLayer(t, spec)
		share := map[core.Level]float64{}
		for _, f := range features {
			share[f.Level] += 100 / float64(len(features))
		}
		for level, bounds := range map[core.Level][2]float64{core.Red: {1, 6}, core.Orange: {8, 17}, core.Yellow: {24, 36}, core.Blue: {47, 63}, core.None: {0, 0}} {
			if share[level] < bounds[0] || share[level] > bounds[1] {
				t.Errorf("%s: %.1f %% are %s", spec.Name, share[level], level)
			}
		}
	}
}

// The counties and the land are read again here, with other code than that of the generator.
type cityGround struct {
	counties map[string]orb.Geometry
	land     orb.MultiPolygon
	hightech orb.Point
}

func loadCityGround(t *testing.T) cityGround {
	t.Helper()
	g := cityGround{counties: map[string]orb.Geometry{}}
	specs, err := data.BaseLayers(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range specs {
		switch spec.Name {
		case "county":
			for _, f := range datatest.ReadLayer(t, spec) {
				g.counties[f.Key] = f.Geometry
			}
		case "land":
			for _, f := range datatest.ReadLayer(t, spec) {
				g.land = append(g.land, f.Geometry.(orb.Polygon))
			}
		case "county_point":
			for _, f := range datatest.ReadLayer(t, spec) {
				if f.Key == "370671" {
					g.hightech = f.Geometry.(orb.Point)
				}
			}
		}
	}
	return g
}

func contains(g orb.Geometry, p orb.Point) bool {
	switch g := g.(type) {
	case orb.Polygon:
		return planar.PolygonContains(g, p)
	case orb.MultiPolygon:
		return planar.MultiPolygonContains(g, p)
	}
	return false
}

func (g cityGround) onLand(p orb.Point) bool {
	for _, polygon := range g.land {
		if polygon.Bound().Contains(p) && planar.PolygonContains(polygon, p) {
			return true
		}
	}
	return false
}

// inDivision reports whether a point is in the schematic area of a county unit. The unit 370671 is a circle in 370613.
func (g cityGround) inDivision(code string, p orb.Point) bool {
	if code == "370671" {
		return contains(g.counties["370613"], p) && geo.Distance(g.hightech, p) <= 2500
	}
	return contains(g.counties[code], p)
}

func TestEverythingStandsInItsCounty(t *testing.T) {
	g := loadCityGround(t)
	c := made(t)
	check := func(what, division string, p orb.Point, land bool) {
		if !g.inDivision(division, p) {
			t.Errorf("%s at %v is not in %s", what, p, division)
		}
		if land && !g.onLand(p) {
			t.Errorf("%s at %v is not on land", what, p)
		}
	}
	for _, spec := range c.Layers {
		for i, f := range datatest.ReadLayer(t, spec) {
			switch shape := f.Geometry.(type) {
			case orb.Point:
				check(f.Key, f.Division, shape, i%20 == 0) // the land has 38,000 corners
			case orb.Polygon:
				if !simple(shape[0]) {
					t.Errorf("%s crosses itself", f.Key)
				}
				for _, p := range shape[0] {
					if f.Properties["hazard"] != "storm_surge" {
						check(f.Key, f.Division, p, false)
					}
				}
			default:
				t.Errorf("%s is a %T", f.Key, shape)
			}
		}
	}
	for i, d := range c.Devices {
		p := orb.Point{d.Lon, d.Lat}
		if !strings.Contains(d.ID, "-wb-") {
			check(d.ID, d.Division, p, i%4 == 0)
		} else if g.onLand(p) {
			t.Errorf("the buoy %s at %v is on land", d.ID, p)
		}
	}
}

// simple reports whether a closed ring does not cross or touch itself.
func simple(ring orb.Ring) bool {
	side := func(a, b, c orb.Point) float64 { return (b[0]-a[0])*(c[1]-a[1]) - (b[1]-a[1])*(c[0]-a[0]) }
	for i := 1; i < len(ring); i++ {
		for j := i + 2; j < len(ring); j++ {
			if i == 1 && j == len(ring)-1 {
				continue
			}
			a, b, c, d := ring[i-1], ring[i], ring[j-1], ring[j]
			if side(a, b, c)*side(a, b, d) <= 0 && side(c, d, a)*side(c, d, b) <= 0 {
				return false
			}
		}
	}
	return ring.Closed() && len(ring) > 3
}

// TestEveryCountyHasSomething counts the features and devices that a responder of each county sees.
func TestEveryCountyHasSomething(t *testing.T) {
	c := made(t)
	has := map[string]map[string]int{}
	count := func(division, what string) {
		if has[division] == nil {
			has[division] = map[string]int{}
		}
		has[division][what]++
	}
	for _, spec := range c.Layers {
		for _, f := range datatest.ReadLayer(t, spec) {
			count(f.Division, spec.Name)
			if s, ok := f.Properties["sector"].(string); ok {
				count(f.Division, s)
			}
			if s, ok := f.Properties["hazard"].(string); ok {
				count(f.Division, s)
			}
		}
	}
	for _, d := range c.Devices {
		for _, s := range d.Streams {
			count(d.Division, s.Type)
		}
	}
	want := []string{
		"risk_source", "hazard_zone", "shelter", "hospital", "rescue_team", "geological", "flood", "forest_fire",
		string(catalogue.SectorChemicals), string(catalogue.SectorMines), string(catalogue.SectorFire), string(catalogue.SectorDisaster), string(catalogue.SectorInfrastructure),
		data.WaterLevel, data.Rain, data.WindSpeed, data.CrackWidth, data.GasCl2, data.TankPressure, data.TankLevel, data.SoilMoisture, data.Temperature,
	}
	if len(has) != 13 {
		t.Errorf("%d counties have something, not 13", len(has))
	}
	for division, counts := range has {
		for _, what := range want {
			if counts[what] == 0 {
				t.Errorf("%s has no %s", division, what)
			}
		}
		t.Logf("%s %v", division, counts)
	}
	for _, coastal := range []string{"370602", "370612", "370614", "370681", "370683", "370687"} {
		for _, what := range []string{data.WaveHeight, "storm_surge"} {
			if has[coastal][what] == 0 {
				t.Errorf("%s has no %s", coastal, what)
			}
		}
	}
}

func TestDevicesAreWhole(t *testing.T) {
	c := made(t)
	types, hazards, used := map[string]sensors.DatastreamType{}, map[string]bool{}, map[string]bool{}
	for _, h := range c.HazardTypes {
		hazards[h.Code] = true
		if h.RadiusM <= 0 || h.LeadMinutes <= 0 || h.Instruction.ZH == "" || h.Instruction.EN == "" || h.Title.EN == "" {
			t.Errorf("%+v", h)
		}
	}
	for _, d := range c.DatastreamTypes {
		types[d.Code] = d
		if !hazards[d.HazardType] || d.Min >= d.Max || d.Unit == "" || d.Symbol == "" || d.IntervalS <= 0 {
			t.Errorf("%+v", d)
		}
	}
	ids, id := map[string]bool{}, regexp.MustCompile(`^yt-[0-9]{6}-[a-z]{2}-[0-9]{4}$`)
	for _, d := range c.Devices {
		if ids[d.ID] || !id.MatchString(d.ID) || !strings.Contains(d.ID, d.Division) || !hazards[d.HazardType] || d.Origin != core.OriginSynthetic ||
			strings.Contains(d.Name.ZH, "演示") || strings.Contains(d.Name.EN, "Demo") || d.Site == "" || !d.Enabled {
			t.Errorf("%+v", d)
		}
		ids[d.ID] = true
		for _, s := range d.Streams {
			if types[s.Type].Code == "" || s.Name == "" || s.DeviceID != d.ID || s.Title.ZH == "" {
				t.Errorf("%s: %+v", d.ID, s)
			}
			used[s.Type] = true
		}
	}
	if len(used) != len(types) {
		t.Errorf("%d of %d datastream types are used", len(used), len(types))
	}
	for _, first := range []string{"yt-370602-wl-0001", "yt-370614-wl-0001"} {
		if !ids[first] {
			t.Errorf("there is no %s", first)
		}
	}
}

// TestChemicalsFollowGB18218 computes S, R and the grade again from the values of each feature.
func TestChemicalsFollowGB18218(t *testing.T) {
	q := map[string][2]float64{"液氯": {5, 4}, "氨": {10, 2}, "液化石油气": {50, 1.5}, "苯": {50, 1}, "1,3-丁二烯": {5, 1.5}, "汽油": {200, 1}}
	n := 0
	for _, f := range datatest.ReadLayer(t, made(t).Layers[0]) {
		name, ok := f.Properties["substance"].(string)
		if !ok {
			continue
		}
		n++
		tonnes, people := f.Properties["storage_t"].(float64), f.Properties["people_500m"].(int)
		alpha := 0.5
		for least, a := range map[int]float64{1: 1, 30: 1.2, 50: 1.5, 100: 2} {
			if people >= least {
				alpha = max(alpha, a)
			}
		}
		s, r := tonnes/q[name][0], alpha*q[name][1]*tonnes/q[name][0]
		want := ""
		switch {
		case s < 1:
		case r >= 100:
			want = "Ⅰ"
		case r >= 50:
			want = "Ⅱ"
		case r >= 10:
			want = "Ⅲ"
		default:
			want = "Ⅳ"
		}
		level := map[string]core.Level{"Ⅰ": core.Red, "Ⅱ": core.Orange, "Ⅲ": core.Yellow, "Ⅳ": core.Blue, "": core.Blue}[want]
		if f.Properties["hazard_grade"] != want || f.Level != level {
			t.Errorf("%s: %v t of %s with %d people: S %.2f, R %.2f, grade %q, level %v; the record says %v", f.Key, tonnes, name, people, s, r, want, level, f.Properties)
		}
	}
	if n != 700 {
		t.Errorf("%d chemical sites", n)
	}
}
