package sim

import (
	"cmp"
	"math"
	"slices"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// Scene is a scripted event: which signals go where, and when, in the scene's own time.
type Scene struct {
	Code    string
	Title   core.Text
	Anchor  string        // the type of the device around which it plays
	County  bool          // its targets lie in the anchor's county, where there are any
	Effects []Effect      // empty: nothing but silence
	Silence time.Duration // above 0: the anchor vanishes without a word for so long
}

// Effect lifts (or lowers) the datastreams of one type from normal to Peak and back: Delay, Rise,
// Hold, Fall, with smooth ends.
type Effect struct {
	Type  string
	Count int     // how many datastreams, the nearest to the anchor
	Peak  float64 // in the unit of the type
	Delay time.Duration
	Rise  time.Duration
	Hold  time.Duration
	Fall  time.Duration
}

// Scenes lists every scene. Each of them takes minutes at speed 1 and recovers.
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

// Codes lists the scenes' codes.
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

// Length is how long the scene takes, until everything is normal again, at speed 1.
func (s Scene) Length() time.Duration {
	longest := s.Silence
	for _, e := range s.Effects {
		longest = max(longest, e.Delay+e.Rise+e.Hold+e.Fall)
	}
	return longest
}

// share is how much of the effect there is at the scene's time t: 0 normal, 1 the peak.
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

// smooth is the cubic that begins and ends level.
func smooth(x float64) float64 { return x * x * (3 - 2*x) }

// Target is one datastream that a scene moves.
type Target struct {
	Device string
	Stream string
	Effect Effect
}

// Plan is a scene cast with devices.
type Plan struct {
	Division string // the anchor's
	Targets  []Target
	Silent   string // the device that vanishes; empty: none
}

// NewPlan casts the scene: the same seed and devices give the same plan, in whatever order the
// devices come. The anchor is drawn among the counties that have most of what the scene needs. The
// error is fault.NotFound when no device fits.
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

// draw chooses the anchor.
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

func (d Device) measures(code string) bool {
	return slices.ContainsFunc(d.Streams, func(s Stream) bool { return s.Type == code })
}

// nearest returns the effect's targets: those of the anchor's own site first, then by distance.
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

// distance in metres on a plane that touches at the first place; good enough to rank by.
func distance(a, b Device) float64 {
	const metresPerDegree = 111_195
	x := (b.Lon - a.Lon) * math.Cos(a.Lat*math.Pi/180)
	return metresPerDegree * math.Hypot(x, b.Lat-a.Lat)
}

// apply moves a normal value to where the scene has it.
func (p Plan) apply(device string, stream Stream, v float64, at time.Duration) float64 {
	for _, t := range p.Targets {
		if t.Device == device && t.Stream == stream.Name {
			w := t.Effect.share(at)
			v = v*(1-w) + t.Effect.Peak*w
		}
	}
	return v
}
