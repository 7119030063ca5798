package sim

import (
	"hash/fnv"
	"math"
	"time"
)

// normal describes the signal of a type of datastream without a scene. Values are in the unit of the type. Every part is
// bounded, so the signal never exceeds Max: base + spread + season + day + noise.
type normal struct {
	Type     string
	Base     float64 // mean over all devices
	Spread   float64 // largest difference between the mean of a device and Base
	Season   float64 // amplitude over the year
	PeakDay  float64 // day of the year on which the season peaks
	Day      float64 // amplitude over the day
	PeakHour float64 // hour, Asia/Shanghai, at which the day peaks
	Noise    float64 // the AR(1) noise stays within ± this
	Phi      float64 // coefficient φ of the AR(1) noise, for a step of one minute
	Dry      float64 // above 0: only noise above this share of its bound counts, which makes showers in about 5 % of the time
	Floor    float64 // smallest value
	Decimals int
}

// normals returns the normal signal of each type, in the unit of the type. The largest value of each is below the clear
// value of the blue level of data.DefaultRules, so that only a scene raises alerts. A test checks this.
func normals() []normal {
	return []normal{
		{Type: "water_level", Base: 1.6, Spread: .4, Season: .35, PeakDay: 215, Day: .05, PeakHour: 4, Noise: .15, Phi: .9, Decimals: 2},
		{Type: "rain", Noise: 10, Phi: .96, Dry: .55, Decimals: 1},
		{Type: "wind_speed", Base: 4, Spread: 1, Season: 1, PeakDay: 15, Day: 1.2, PeakHour: 15, Noise: 2.5, Phi: .8, Decimals: 1},
		{Type: "crack_width", Base: .6, Spread: .3, Season: .1, PeakDay: 200, Day: .05, PeakHour: 15, Noise: .08, Phi: .9, Decimals: 2},
		{Type: "gas_cl2", Base: .05, Spread: .03, Day: .02, PeakHour: 14, Noise: .08, Phi: .7, Decimals: 2},
		{Type: "tank_pressure", Base: 1.1, Spread: .1, Season: .08, PeakDay: 205, Day: .05, PeakHour: 15, Noise: .05, Phi: .8, Decimals: 2},
		{Type: "tank_level", Base: 60, Spread: 10, Season: 2, PeakDay: 300, Day: 4, PeakHour: 18, Noise: 4, Phi: .95, Decimals: 1},
		{Type: "wave_height", Base: .8, Spread: .2, Season: .25, PeakDay: 10, Day: .1, PeakHour: 16, Noise: .5, Phi: .9, Decimals: 2},
		{Type: "soil_moisture", Base: 26, Spread: 3, Season: 4, PeakDay: 215, Day: .5, PeakHour: 5, Noise: 2, Phi: .95, Decimals: 1},
		{Type: "temperature", Base: 12.5, Spread: 1, Season: 12, PeakDay: 213, Day: 3.5, PeakHour: 15, Noise: 2.5, Phi: .9, Floor: -40, Decimals: 1},
	}
}

func normalOf(code string) (normal, bool) {
	for _, n := range normals() {
		if n.Type == code {
			return n, true
		}
	}
	return normal{}, false
}

// Types lists the codes of the datastream types that the simulator has a signal for.
func Types() []string {
	var codes []string
	for _, n := range normals() {
		codes = append(codes, n.Type)
	}
	return codes
}

// Normal returns the value of a datastream of the type at a time without a scene, not rounded. It is a pure function.
// stream is a unique name of the datastream, such as device/name. ok is false if the type is not known.
func Normal(seed uint64, stream, code string, at time.Time) (value float64, ok bool) {
	n, ok := normalOf(code)
	if !ok {
		return 0, false
	}
	return n.at(seed, stream, at), true
}

// at returns the value of a datastream at a time. The key of the stream determines its mean and its noise.
func (n normal) at(seed uint64, stream string, at time.Time) float64 {
	key := keyOf(seed, stream)
	days := float64(at.Unix())/86400 + 8./24 // local days since 1970
	season := math.Cos(2 * math.Pi * (math.Mod(days, 365.2425) - n.PeakDay) / 365.2425)
	day := math.Cos(2 * math.Pi * (math.Mod(days, 1)*24 - n.PeakHour) / 24)
	noise := ar1(key, at, n.Phi)
	if n.Dry > 0 {
		noise = max(0, noise-n.Dry) / (1 - n.Dry)
	}
	v := n.Base + n.Spread*unit(key, -1) + n.Season*season + n.Day*day + n.Noise*noise
	return max(v, n.Floor)
}

// Max returns the largest value that the signal can have.
func (n normal) Max() float64 { return n.Base + n.Spread + n.Season + n.Day + n.Noise }

// round rounds a value to the decimals of the type.
func (n normal) round(v float64) float64 {
	p := math.Pow10(n.Decimals)
	return math.Round(v*p) / p
}

// ar1 returns AR(1) noise between -1 and 1 at a time. It does not need the earlier values: an AR(1) process is the
// moving average x(k) = Σ φ^j e(k-j) of independent numbers e, and ar1 sums its first 48 terms. The step k is one
// minute; between two steps ar1 interpolates linearly. ±1 is three standard deviations; larger values are limited to
// it.
func ar1(key uint64, at time.Time, phi float64) float64 {
	const step, memory = 60 * 1e9, 48
	ns := at.UnixNano()
	k := ns / step
	frac := float64(ns-k*step) / step
	var here, next, squares float64
	weight := 1.
	for j := range int64(memory) {
		here += weight * unit(key, k-j)
		next += weight * unit(key, k+1-j)
		squares += weight * weight
		weight *= phi
	}
	deviation := math.Sqrt(squares / 3) // a uniform number in ±1 has the variance 1/3
	return min(1, max(-1, (here*(1-frac)+next*frac)/(3*deviation)))
}

// unit returns the k-th random number of a key, uniform in [-1, 1). The constant is 2^64 divided by the golden ratio,
// the step of SplitMix64; the shift keeps the 53 bits that a float64 holds.
func unit(key uint64, k int64) float64 {
	return float64(mix(key+uint64(k)*0x9e3779b97f4a7c15)>>11)/(1<<52) - 1
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// keyOf returns a hash of the seed and a name.
func keyOf(seed uint64, name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return mix(seed ^ mix(h.Sum64()))
}
