package sim

import (
	"cmp"
	"math"
	"slices"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// Scene is a scripted event: which signals change, by how much and when. Its times count from the beginning of the
// scene, at speed 1.
type Scene struct {
	Code    string
	Title   core.Text
	Anchor  string        // code of a datastream type; the scene takes place around a device that measures it
	County  bool          // prefer targets in the county of the anchor
	Effects []Effect      // empty: only Silence
	Silence time.Duration // above 0: the anchor loses its connection for this time, without a message
}

// Effect moves datastreams of one type from their normal value to Peak and back. It waits for Delay, moves to Peak
// during Rise, stays there for Hold and moves back during Fall. Peak may be below the normal value.
type Effect struct {
	Type  string
	Count int     // number of datastreams, the nearest to the anchor
	Peak  float64 // in the unit of the type
	Delay time.Duration
	Rise  time.Duration
	Hold  time.Duration
	Fall  time.Duration
}

// Scenes lists all scenes. A scene takes some minutes at speed 1, and all signals are normal at its end. The peaks of
// most effects are beyond the red threshold of data.DefaultRules, so that the alerts reach every level.
func Scenes() []Scene {
	const m, s = time.Minute, time.Second
	return []Scene{
		{
			Code: "heavy_rain", Title: core.Text{ZH: "暴雨、河水上涨与滑坡", EN: "Heavy rain, rising rivers and a landslide"}, Anchor: "crack_width", County: true,
			Effects: []Effect{
				{Type: "rain", Count: 3, Peak: 118, Rise: 3 * m, Hold: 5 * m, Fall: 3 * m},
				{Type: "water_level", Count: 3, Peak: 5.1, Delay: 90 * s, Rise: 4 * m, Hold: 4 * m, Fall: 5 * m},
				{Type: "soil_moisture", Count: 2, Peak: 51, Delay: 2 * m, Rise: 4 * m, Hold: 4 * m, Fall: 5 * m},
				{Type: "crack_width", Count: 1, Peak: 27, Delay: 4 * m, Rise: 4 * m, Hold: 3 * m, Fall: 4 * m},
			},
		},
		{
			Code: "chlorine_leak", Title: core.Text{ZH: "液氯储罐泄漏", EN: "A chlorine leak"}, Anchor: "gas_cl2", County: true,
			Effects: []Effect{
				{Type: "gas_cl2", Count: 2, Peak: 15, Rise: 3 * m, Hold: 4 * m, Fall: 4 * m},
				{Type: "tank_pressure", Count: 1, Peak: .3, Rise: 5 * m, Hold: 4 * m, Fall: 3 * m},
			},
		},
		{
			Code: "storm_surge", Title: core.Text{ZH: "风暴潮", EN: "A storm surge"}, Anchor: "wave_height",
			Effects: []Effect{
				{Type: "wind_speed", Count: 4, Peak: 36, Rise: 4 * m, Hold: 5 * m, Fall: 4 * m},
				{Type: "wave_height", Count: 4, Peak: 10.5, Delay: 1 * m, Rise: 4 * m, Hold: 5 * m, Fall: 5 * m},
				{Type: "water_level", Count: 3, Peak: 5, Delay: 2 * m, Rise: 4 * m, Hold: 5 * m, Fall: 5 * m},
			},
		},
		{
			Code: "silent_device", Title: core.Text{ZH: "设备失联", EN: "A device goes silent"}, Anchor: "water_level",
			Silence: 5 * m,
		},
	}
}

// Codes lists the codes of the scenes.
func Codes() []string {
	var codes []string
	for _, s := range Scenes() {
		codes = append(codes, s.Code)
	}
	return codes
}

func sceneOf(code string) (Scene, bool) {
	for _, s := range Scenes() {
		if s.Code == code {
			return s, true
		}
	}
	return Scene{}, false
}

// Length returns the time at speed 1 until all signals are normal again.
func (s Scene) Length() time.Duration {
	longest := s.Silence
	for _, e := range s.Effects {
		longest = max(longest, e.Delay+e.Rise+e.Hold+e.Fall)
	}
	return longest
}

// share returns the share of the effect at the time t of the scene: 0 is the normal value, 1 the peak.
func (e Effect) share(t time.Duration) float64 {
	t -= e.Delay
	switch {
	case t <= 0:
		return 0
	case t < e.Rise:
		return smooth(float64(t) / float64(e.Rise))
	case t < e.Rise+e.Hold:
		return 1
	case t < e.Rise+e.Hold+e.Fall:
		return smooth(1 - float64(t-e.Rise-e.Hold)/float64(e.Fall))
	default:
		return 0
	}
}

// smooth is the cubic "smoothstep" from 0 to 1. Its slope is 0 at both ends.
func smooth(x float64) float64 { return x * x * (3 - 2*x) }

// Target is one datastream that a scene changes.
type Target struct {
	Device string
	Stream string
	Effect Effect
}

// Plan is a scene with the devices that take part in it.
type Plan struct {
	Division string // division code of the anchor
	Targets  []Target
	Silent   string // id of the device that loses its connection; empty: none
}

// NewPlan chooses the devices of a scene. The same seed and devices result in the same plan, in any order of the
// devices. The anchor is drawn among the devices of the counties that have the most types of the scene. It returns
// fault.NotFound if no device measures the anchor's type.
func NewPlan(scene Scene, devices []Device, seed uint64) (Plan, error) {
	devices = slices.Clone(devices)
	slices.SortFunc(devices, func(a, b Device) int { return cmp.Compare(a.ID, b.ID) })
	anchor, ok := draw(scene, devices, seed)
	if !ok {
		return Plan{}, fault.New(fault.NotFound, "the scene %s needs a device that measures %s", scene.Code, scene.Anchor)
	}
	p := Plan{Division: anchor.Division}
	if scene.Silence > 0 {
		p.Silent = anchor.ID
	}
	for _, e := range scene.Effects {
		p.Targets = append(p.Targets, nearest(scene, e, anchor, devices)...)
	}
	return p, nil
}

// draw chooses the anchor of a scene. devices must be sorted. It returns false if no device measures the anchor's type.
func draw(scene Scene, devices []Device, seed uint64) (Device, bool) {
	covers := map[string]map[string]bool{} // division → types that it has
	for _, d := range devices {
		for _, s := range d.Streams {
			if covers[d.Division] == nil {
				covers[d.Division] = map[string]bool{}
			}
			covers[d.Division][s.Type] = true
		}
	}
	score := func(d Device) (n int) {
		for _, e := range scene.Effects {
			if covers[d.Division][e.Type] {
				n++
			}
		}
		return n
	}
	var fit []Device
	for _, d := range devices {
		if !d.measures(scene.Anchor) {
			continue
		}
		if len(fit) > 0 && score(d) > score(fit[0]) {
			fit = fit[:0]
		}
		if len(fit) == 0 || score(d) == score(fit[0]) {
			fit = append(fit, d)
		}
	}
	if len(fit) == 0 {
		return Device{}, false
	}
	return fit[keyOf(seed, scene.Code)%uint64(len(fit))], true
}

// measures reports whether the device has a datastream of the type.
func (d Device) measures(code string) bool {
	return slices.ContainsFunc(d.Streams, func(s Stream) bool { return s.Type == code })
}

// nearest returns the targets of an effect: datastreams at the site of the anchor first, then by distance. If the scene
// prefers the county of the anchor and the county has none, it returns one datastream of another county.
func nearest(scene Scene, e Effect, anchor Device, devices []Device) []Target {
	type candidate struct {
		target  Target
		outside bool
		metres  float64
	}
	var list []candidate
	for _, d := range devices {
		for _, s := range d.Streams {
			if s.Type != e.Type {
				continue
			}
			far := distance(anchor, d)
			if d.Site != "" && d.Site == anchor.Site {
				far = 0
			}
			list = append(list, candidate{
				target:  Target{Device: d.ID, Stream: s.Name, Effect: e},
				outside: scene.County && d.Division != anchor.Division, metres: far,
			})
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		switch {
		case a.outside != b.outside && a.outside:
			return 1
		case a.outside != b.outside:
			return -1
		}
		return cmp.Compare(a.metres, b.metres)
	})
	var targets []Target
	for _, c := range list {
		if len(targets) == e.Count || (c.outside && len(targets) > 0) {
			break
		}
		targets = append(targets, c.target)
	}
	return targets
}

// distance returns the distance of two devices in metres on a plane that touches the globe at a. It is exact enough to
// sort by.
func distance(a, b Device) float64 {
	const metresPerDegree = 111_195
	x := (b.Lon - a.Lon) * math.Cos(a.Lat*math.Pi/180)
	return metresPerDegree * math.Hypot(x, b.Lat-a.Lat)
}

// apply returns the value of a datastream at a time of the scene: the normal value v, mixed with the peak of each
// effect on this datastream.
func (p Plan) apply(device string, stream Stream, v float64, at time.Duration) float64 {
	for _, t := range p.Targets {
		if t.Device == device && t.Stream == stream.Name {
			w := t.Effect.share(at)
			v = v*(1-w) + t.Effect.Peak*w
		}
	}
	return v
}
