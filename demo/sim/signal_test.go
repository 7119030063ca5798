package sim

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// thresholds returns the raise and clear values of the default rules, for red, orange, yellow and blue. All rules have
// the direction "above".
func thresholds() map[string][4][2]float64 {
	return map[string][4][2]float64{
		"water_level":   {{4.5, 4.3}, {4.0, 3.8}, {3.5, 3.3}, {3.0, 2.8}},
		"rain":          {{100, 80}, {50, 40}, {30, 24}, {16, 12}},
		"wind_speed":    {{32.7, 30}, {24.5, 22}, {17.2, 15.5}, {13.9, 12.5}},
		"crack_width":   {{20, 18}, {10, 9}, {5, 4.5}, {2, 1.8}},
		"gas_cl2":       {{10, 8}, {3, 2.4}, {1, 0.8}, {0.5, 0.4}},
		"tank_pressure": {{2.0, 1.9}, {1.8, 1.7}, {1.7, 1.62}, {1.6, 1.55}},
		"tank_level":    {{98, 96}, {95, 93}, {92, 90}, {90, 88}},
		"wave_height":   {{9, 8.5}, {6, 5.5}, {4, 3.7}, {2.5, 2.3}},
		"soil_moisture": {{48, 46}, {45, 43}, {42, 40}, {40, 38}},
		"temperature":   {{45, 43}, {42, 40}, {40, 38}, {37, 35}},
	}
}

func TestNormalNeverComesNearBlue(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for code, levels := range thresholds() {
		clears := levels[3][1]
		n, ok := normalOf(code)
		if !ok {
			t.Fatalf("no signal for %s", code)
		}
		if n.Max() >= clears {
			t.Errorf("%s may reach %v, and blue clears at %v", code, n.Max(), clears)
		}
		lowest, highest := math.Inf(1), math.Inf(-1)
		for _, stream := range []string{"a/x", "b/x", "c/x"} {
			for at := begin; at.Before(begin.AddDate(1, 0, 0)); at = at.Add(31*time.Minute + 7*time.Second) {
				v, _ := Normal(1, stream, code, at)
				if v > n.Max() || v < n.Floor || v >= clears || math.IsNaN(v) {
					t.Fatalf("%s of %s at %v: %v", code, stream, at, v)
				}
				lowest, highest = min(lowest, v), max(highest, v)
			}
		}
		if highest-lowest < .2*n.Noise {
			t.Errorf("%s hardly moves: %v to %v", code, lowest, highest)
		}
	}
	if len(Types()) != len(thresholds()) {
		t.Errorf("%d types, %d with thresholds", len(Types()), len(thresholds()))
	}
}

func TestSignalsArePureFunctions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		code := rapid.SampledFrom(Types()).Draw(t, "type")
		at := time.Unix(rapid.Int64Range(1.6e9, 2.2e9).Draw(t, "at"), 0)
		a, _ := Normal(seed, "d/x", code, at)
		if b, _ := Normal(seed, "d/x", code, at.UTC()); a != b {
			t.Fatalf("%v and %v", a, b)
		}
		b, _ := Normal(seed, "d/x", code, at.Add(time.Second))
		if n, _ := normalOf(code); math.Abs(a-b) > n.Noise+.01*(n.Day+n.Season) {
			t.Fatalf("jumps from %v to %v in a second", a, b)
		}
	})
	at := time.Unix(1.8e9, 0)
	a, _ := Normal(1, "d/x", "wind_speed", at)
	b, _ := Normal(2, "d/x", "wind_speed", at)
	c, _ := Normal(1, "d/y", "wind_speed", at)
	if a == b || a == c {
		t.Error("seed or stream does not matter")
	}
	if _, ok := Normal(1, "d/x", "nonsense", at); ok {
		t.Error("a signal for nonsense")
	}
}

func TestNoiseRemembers(t *testing.T) {
	begin := time.Unix(1.8e9, 0).Truncate(time.Minute)
	const n = 20000
	x := make([]float64, n)
	var mean, variance, covariance float64
	for i := range x {
		x[i] = ar1(7, begin.Add(time.Duration(i)*time.Minute), .8)
		mean += x[i] / n
	}
	for i := range x[1:] {
		variance += (x[i] - mean) * (x[i] - mean)
		covariance += (x[i] - mean) * (x[i+1] - mean)
	}
	if r := covariance / variance; math.Abs(r-.8) > .03 || math.Abs(mean) > .03 {
		t.Errorf("autocorrelation %v, mean %v", r, mean)
	}
}

func TestShowersComeAndGo(t *testing.T) {
	wet, n := 0, 0
	for at := time.Unix(1.8e9, 0); n < 20000; at = at.Add(10 * time.Minute) {
		if v, _ := Normal(1, "d/rain", "rain", at); v > 0 {
			wet++
		}
		n++
	}
	if share := float64(wet) / float64(n); share < .01 || share > .15 {
		t.Errorf("it rains %v of the time", share)
	}
}

// town returns a few devices of every type in three counties.
func town() []Device {
	var list []Device
	for i, division := range []string{"370602", "370611", "370614"} {
		for j, code := range Types() {
			for k := range 4 {
				list = append(list, Device{
					ID: division + "-" + code + "-" + string(rune('a'+k)), Secret: "s", Division: division,
					Lon: 121 + float64(i)*.3 + float64(k)*.01, Lat: 37.4 + float64(j)*.001, Streams: []Stream{{Name: "x", Type: code}},
				})
			}
		}
	}
	return list
}

func TestEachSceneCrossesEveryLevelAndComesBack(t *testing.T) {
	devices := town()
	begin := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for _, scene := range Scenes() {
		play, err := newScript(Options{Devices: devices, Seed: 3, Speed: 1, Scene: scene.Code, Clock: func() time.Time { return begin }})
		if err != nil {
			t.Fatal(err)
		}
		reds := 0
		for _, d := range devices {
			code := d.Streams[0].Type
			levels := thresholds()[code]
			var seen []int // the levels in the order in which they were raised, 4 blue … 1 red
			var last float64
			for at := time.Duration(0); at <= scene.Length()+time.Minute; at += 10 * time.Second {
				last = play.value(d.ID, d.Streams[0], begin.Add(at))
				for i, l := range levels {
					if last > l[0] {
						if len(seen) == 0 || seen[len(seen)-1] > i+1 {
							seen = append(seen, i+1)
						}
						break
					}
				}
			}
			if last >= levels[3][1] {
				t.Errorf("%s: %s ends at %v", scene.Code, d.ID, last)
			}
			target := slices.ContainsFunc(play.plan.Targets, func(x Target) bool { return x.Device == d.ID && x.Effect.Peak > levels[0][0] })
			switch {
			case target && !slices.Equal(seen, []int{4, 3, 2, 1}):
				t.Errorf("%s: %s goes through the levels %v", scene.Code, d.ID, seen)
			case !target && len(seen) > 0:
				t.Errorf("%s: %s is no target and goes through %v", scene.Code, d.ID, seen)
			case target:
				reds++
			}
		}
		if reds == 0 && scene.Silence == 0 {
			t.Errorf("%s: nothing turns red", scene.Code)
		}
	}
}

func TestPlansAreDeterministicAndFit(t *testing.T) {
	devices := town()
	turned := slices.Clone(devices)
	slices.Reverse(turned)
	choices := map[string]bool{}
	for _, scene := range Scenes() {
		for seed := range uint64(20) {
			a, err := NewPlan(scene, devices, seed)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := NewPlan(scene, turned, seed)
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("%s: the order of the devices matters: %s", scene.Code, diff)
			}
			want := 0
			for _, e := range scene.Effects {
				want += min(e.Count, 4)
			}
			if len(a.Targets) != want || (a.Silent != "") != (scene.Silence > 0) {
				t.Errorf("%s: %+v", scene.Code, a)
			}
			if scene.County {
				for _, target := range a.Targets {
					if target.Device[:6] != a.Division {
						t.Errorf("%s: %s is not in %s", scene.Code, target.Device, a.Division)
					}
				}
			}
			choices[scene.Code+a.Division] = true
		}
	}
	if len(choices) < 8 {
		t.Errorf("the seed hardly matters: %v", choices)
	}
	if _, err := NewPlan(Scenes()[0], nil, 1); err == nil {
		t.Error("a plan without devices")
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{
		{Speed: -1}, {Interval: -1}, {ConnectRate: -1}, {SceneAfter: -1}, {Scene: "tsunami"}, {Scene: "heavy_rain"},
		{Devices: []Device{{ID: "d", Streams: []Stream{{Name: "x", Type: "nonsense"}}}}},
	} {
		if err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if err := Run(t.Context(), Options{}); err != nil {
		t.Error(err)
	}
}
