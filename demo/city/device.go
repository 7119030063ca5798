package city

import (
	"fmt"
	"math"
	"strings"

	"github.com/paulmach/orb"

	"onemap/data"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// deviceKind is a kind of station: what it measures and where it is placed. weight returns the relative number of such
// stations in a county unit; 0 means none.
type deviceKind struct {
	short   string // in ids: yt-370602-wl-0001
	count   int
	name    core.Text
	hazard  string
	streams []string // codes of datastream types; a datastream has the name of its type
	where   site
	weight  func(u *unit) float64
}

// deviceKinds returns the kinds of stations. Their counts add up to cityDevices devices and cityStreams datastreams,
// which addDevices checks.
func deviceKinds() []deviceKind {
	hills := func(u *unit) float64 { return u.weight.hills }
	people := func(u *unit) float64 { return u.weight.people }
	industry := func(u *unit) float64 { return u.weight.industry }
	return []deviceKind{
		{"wl", 130, core.Text{ZH: "水位站", EN: "water level station"}, "flood", []string{data.WaterLevel, data.Rain}, byWater, func(u *unit) float64 {
			return 1.5 + float64(len(u.rivers))/40 + math.Sqrt(float64(len(u.coast)))/10
		}},
		{"wb", 40, core.Text{ZH: "海浪浮标", EN: "wave buoy"}, "storm_surge", []string{data.WaveHeight, data.WindSpeed}, atSea, func(u *unit) float64 {
			if len(u.coast) < 10 {
				return 0
			}
			return 1 + math.Sqrt(float64(len(u.coast)))/10
		}},
		{"sm", 120, core.Text{ZH: "土壤墒情站", EN: "soil moisture station"}, "landslide", []string{data.SoilMoisture, data.Rain}, inHills, hills},
		{"ck", 100, core.Text{ZH: "裂缝监测点", EN: "crack monitor"}, "landslide", []string{data.CrackWidth, data.Rain}, inHills, hills},
		{"tk", 80, core.Text{ZH: "储罐监测点", EN: "tank monitor"}, "tank", []string{data.TankPressure, data.TankLevel, data.GasCl2}, atEdge, industry},
		{"gs", 50, core.Text{ZH: "有毒气体监测点", EN: "toxic gas monitor"}, "gas_leak", []string{data.GasCl2}, atEdge, industry},
		{"ws", 50, core.Text{ZH: "自动气象站", EN: "weather station"}, "gale", []string{data.WindSpeed, data.Temperature}, anywhere, hills},
		{"tp", 30, core.Text{ZH: "城区气温站", EN: "town thermometer"}, "drought_heat", []string{data.Temperature}, inTown, people},
	}
}

// byWater draws a place beside a river or on the coast. A unit with neither gets a place on low ground.
func byWater(m *maker, u *unit) (orb.Point, error) {
	switch {
	case len(u.rivers) > 0 && (len(u.coast) == 0 || m.r.IntN(3) > 0):
		return m.onLand(u, func() orb.Point { return m.around(pick(m, u.rivers).at, 60) })
	case len(u.coast) > 0:
		return onCoast(m, u)
	default:
		return inLowland(m, u)
	}
}

// addDevices adds the devices of each kind, distributed over the county units by weight. It returns fault.Internal if
// the numbers are not cityDevices and cityStreams.
func (c *City) addDevices(m *maker) error {
	types := map[string]core.Text{}
	for _, t := range c.DatastreamTypes {
		types[t.Code] = t.Title
	}
	streams := 0
	for _, kind := range deviceKinds() {
		weights := make([]float64, len(m.units))
		for i := range m.units {
			weights[i] = kind.weight(&m.units[i])
		}
		for i, n := range apportion(kind.count, weights) {
			u := &m.units[i]
			for k := range n {
				at, err := kind.where(m, u)
				if err != nil {
					return err
				}
				d := m.device(kind, u, at, k+1)
				for _, code := range kind.streams {
					d.Streams = append(d.Streams, sensors.Datastream{DeviceID: d.ID, Name: code, Type: code, Title: types[code]})
				}
				streams += len(d.Streams)
				c.Devices = append(c.Devices, d)
			}
		}
	}
	if len(c.Devices) != cityDevices || streams != cityStreams {
		return fault.New(fault.Internal, "%d devices with %d datastreams, not %d with %d", len(c.Devices), streams, cityDevices, cityStreams)
	}
	return nil
}

// device returns the n-th device of a kind in a unit, without its datastreams.
func (m *maker) device(kind deviceKind, u *unit, at orb.Point, n int) sensors.Device {
	near := u.nearest(at)
	return sensors.Device{
		ID: fmt.Sprintf("yt-%s-%s-%04d", u.code, kind.short, n), Division: u.code, Name: station(near.Name, kind.name, n), HazardType: kind.hazard,
		Site: m.siteName(kind, u, near, at), Lon: at[0], Lat: at[1], Origin: core.OriginSynthetic, Source: m.source, Enabled: true,
	}
}

// station returns the name of a device: the nearest named place, the kind and the number. The name does not state that
// the device is simulated, because its origin does and the page marks it.
func station(near, what core.Text, n int) core.Text {
	return core.Text{
		ZH: fmt.Sprintf("%s%s%03d", near.ZH, what.ZH, n),
		EN: strings.TrimSpace(fmt.Sprintf("%s %s %03d", near.EN, what.EN, n)),
	}
}

// siteName returns the name of the site of a device in Chinese, such as a section of a river or a tank farm.
func (m *maker) siteName(kind deviceKind, u *unit, near data.Place, at orb.Point) string {
	switch kind.short {
	case "wl":
		const beside = 0.005 // degrees, about 500 m
		for _, r := range u.rivers {
			if math.Abs(r.at[0]-at[0]) < beside && math.Abs(r.at[1]-at[1]) < beside {
				return r.name.ZH + near.Name.ZH + "段"
			}
		}
		return near.Name.ZH + "岸段"
	case "wb":
		return u.name.ZH + "近海"
	case "tk":
		return fmt.Sprintf("%s储罐区 T-%02d", near.Name.ZH, m.between(1, 24))
	case "gs":
		return near.Name.ZH + "厂区边界"
	case "sm", "ck":
		return near.Name.ZH + "山坡"
	default:
		return near.Name.ZH
	}
}
