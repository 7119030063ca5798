// Package city generates the synthetic city of the demo from a seed: risk sources, hazard zones, shelters, hospitals,
// rescue teams, and devices with their datastreams. None of them exists in reality.
//
// Each thing has a plausible place: a buoy at sea, a crack monitor in the hills, a tank at the edge of a town. The
// generator finds such places in the base data: county areas, land, elevations, coast, rivers and named places.
// Coordinates are [lon, lat] in EPSG:4326.
package city

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"onemap/alerts"
	"onemap/catalogue"
	"onemap/data"
	"onemap/internal/core"
	"onemap/sensors"
)

// City is a synthetic city. Every feature and device has the origin synthetic. The name of a feature begins with 演示 in
// Chinese and Demo in English; the name of a device does not.
type City struct {
	Layers          []data.LayerSpec
	HazardTypes     []sensors.HazardType
	DatastreamTypes []sensors.DatastreamType
	Devices         []sensors.Device // with their datastreams; the store sets the ids and times of datastreams
	Rules           []alerts.Rule
}

// The numbers of features, devices and datastreams of the city.
const (
	cityRiskSources = 3000
	cityZones       = 400
	cityShelters    = 260
	cityHospitals   = 90
	cityTeams       = 110
	cityDevices     = 600
	cityStreams     = 1200
)

// cityDay is the reference day of the synthetic city. It is fixed, so that the same seed produces the same city on every
// day.
func cityDay() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }

// New generates the synthetic city of a seed from the base data in dir. The same seed and the same base data always
// result in the same city, byte for byte.
func New(seed uint64, dir string) (City, error) {
	t, err := loadTerrain(dir)
	if err != nil {
		return City{}, err
	}
	c := City{HazardTypes: data.HazardTypes(), DatastreamTypes: data.DatastreamTypes(), Rules: data.DefaultRules()}
	for n, part := range []func(*maker) error{
		(&c).addRiskSources, (&c).addZones, (&c).addShelters, (&c).addHospitals, (&c).addTeams, (&c).addDevices,
	} {
		// Each part has a random source of its own. A change of one part that draws more numbers then does not change the
		// others.
		m := &maker{terrain: t, r: rand.New(rand.NewPCG(seed, uint64(n+1))), source: "onemap synthetic city, seed " + strconv.FormatUint(seed, 10)}
		if err := part(m); err != nil {
			return City{}, fmt.Errorf("make the synthetic city of seed %d: %w", seed, err)
		}
	}
	return c, nil
}

// maker generates one part of the city. source is the text for the source of its features.
type maker struct {
	*terrain
	r      *rand.Rand
	source string
}

// addLayer adds a layer to the city. It sets the origin, source and licence of the layer and of its features.
func (c *City) addLayer(m *maker, l catalogue.Layer, features []catalogue.Feature) {
	l.Origin, l.Source, l.Licence, l.Attribution = core.OriginSynthetic, m.source, "onemap", "演示数据 Demo data"
	l.UpdatedOn, l.CycleDays, l.MaxZoom = cityDay(), 30, 14
	for i := range features {
		features[i].Origin, features[i].Source = core.OriginSynthetic, m.source
	}
	c.Layers = append(c.Layers, data.LayerSpec{Layer: l, Open: func() (catalogue.Reader, error) { return data.Features(features), nil }})
}

// demo returns the name of a feature: the mark of the demo, the nearest named place, the kind and the number.
func demo(near core.Text, what core.Text, n int) core.Text {
	return core.Text{
		ZH: fmt.Sprintf("演示-%s%s%03d", near.ZH, what.ZH, n),
		EN: strings.TrimSpace(fmt.Sprintf("Demo %s %s %03d", near.EN, what.EN, n)),
	}
}

// grade draws one of the four levels: red with 3 %, orange 12 %, yellow 30 %, blue 55 %.
func (m *maker) grade() core.Level {
	switch p := m.r.IntN(100); {
	case p < 3:
		return core.Red
	case p < 15:
		return core.Orange
	case p < 45:
		return core.Yellow
	default:
		return core.Blue
	}
}

// between draws a whole number from low to high, both included.
func (m *maker) between(low, high int) int { return low + m.r.IntN(high-low+1) }

// day draws a date in the year before cityDay, as YYYY-MM-DD.
func (m *maker) day() string {
	return cityDay().AddDate(0, 0, -1-m.r.IntN(365)).Format(time.DateOnly)
}

// pick draws one element of a list, which must not be empty.
func pick[T any](m *maker, list []T) T { return list[m.r.IntN(len(list))] }

// apportion divides n in proportion to the weights with the method of largest remainders. Each entry gets at least one,
// except an entry of weight 0, which gets none.
func apportion(n int, weights []float64) []int {
	sum, least := 0.0, 0
	for _, w := range weights {
		if w > 0 {
			sum += w
			least++
		}
	}
	shares := make([]int, len(weights))
	rest := make([]float64, len(weights))
	given := 0
	for i, w := range weights {
		if w <= 0 {
			rest[i] = -1
			continue
		}
		exact := float64(n-least) * w / sum
		shares[i] = 1 + int(exact)
		rest[i] = exact - float64(int(exact))
		given += shares[i]
	}
	// The rounded-down shares leave some of n. They go to the entries with the largest remainders, one each. The remainder
	// of a served entry becomes -0.5: after all others, but before an entry of weight 0.
	for ; given < n; given++ {
		best := 0
		for i := range rest {
			if rest[i] > rest[best] {
				best = i
			}
		}
		shares[best]++
		rest[best] = -0.5
	}
	return shares
}
