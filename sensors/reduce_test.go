package sensors_test

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"onemap/sensors"
)

// randomSeries returns up to 400 readings of a period. Some are bad, missing, suspect or of a clock ahead.
func randomSeries(rt *rapid.T, from time.Time, period time.Duration) (series []sensors.Observation) {
	steps := rapid.SliceOfN(rapid.IntRange(1, 1000), 0, 400).Draw(rt, "steps")
	sum, at := 0, 0
	for _, s := range steps {
		sum += s
	}
	for i, s := range steps {
		at += s
		o := sensors.Observation{
			DatastreamID: 7, Time: from.Add(period * time.Duration(at-1) / time.Duration(sum+1)), QC: sensors.QCGood,
			Value: float64(rapid.IntRange(-50, 50).Draw(rt, "value")),
		}
		if n := len(series); n > 0 && !o.Time.After(series[n-1].Time) {
			continue
		}
		switch rapid.IntRange(0, 19).Draw(rt, "mark") {
		case 0:
			o.QC, o.Value = sensors.QCBad, math.Copysign(1e9, float64(i%2)-0.5)
		case 1:
			o.QC = sensors.QCSuspect
		case 2:
			o.TimeSource = sensors.TimeWrong
		case 3:
			o.QC = sensors.QCMissing
		}
		series = append(series, o)
	}
	return series
}

// For any readings, a chart has at most its limit of points. Each is a reading of the series, in time order. The first, the
// last and both extremes of each bucket are among them.
func TestAChartKeepsEveryPeak(t *testing.T) {
	from := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.SampledFrom([]int{2, 3, 4, 6, 20, 100}).Draw(rt, "limit")
		period := time.Duration(rapid.IntRange(1, 1_000_000).Draw(rt, "period")) * time.Second
		series := randomSeries(rt, from, period)
		r := sensors.NewReducer(from, from.Add(period), limit)
		for i := range series {
			r.Add(&series[i])
		}
		c := r.Chart()
		if c.Rows != int64(len(series)) || c.Exact != (len(series) <= limit) || len(c.Points) > limit {
			rt.Fatalf("%d points of %d rows, limit %d, exact %t", len(c.Points), c.Rows, limit, c.Exact)
		}
		if c.Exact {
			if d := cmp.Diff(series, c.Points); d != "" {
				rt.Fatal(d)
			}
			return
		}
		areOf(rt, series, c.Points)
		if limit < 4 {
			return // no room for buckets
		}
		bucket := func(o sensors.Observation) int64 {
			return int64(o.Time.Sub(from) / time.Duration(math.Round(c.BucketS*float64(time.Second))))
		}
		if d := cmp.Diff(extremes(series, bucket), extremes(c.Points, bucket)); d != "" {
			rt.Fatalf("extremes of the buckets (-series +chart):\n%s", d)
		}
		if want, got := marked(series, bucket), marked(c.Points, bucket); len(c.Points) < limit && !maps.Equal(want, got) {
			rt.Fatalf("there is room, and of the buckets %v with a marked reading %v have one", want, got)
		}
		told := map[int64][4]int64{}
		for _, f := range c.Flagged {
			told[bucket(sensors.Observation{Time: f.Time})] = [4]int64{f.Bad, f.Missing, f.Suspect, f.Ahead}
		}
		if d := cmp.Diff(flagged(series, bucket), told); d != "" || len(told) != len(c.Flagged) {
			rt.Fatalf("of %d buckets is flagged (-series +chart):\n%s", len(c.Flagged), d)
		}
	})
}

// areOf checks that the points are readings of the series in time order, with the first and the last.
func areOf(rt *rapid.T, series, points []sensors.Observation) {
	byTime := map[time.Time]sensors.Observation{}
	for _, o := range series {
		byTime[o.Time] = o
	}
	for i, p := range points {
		if byTime[p.Time] != p {
			rt.Fatalf("%+v is no reading of the series", p)
		}
		if i > 0 && !p.Time.After(points[i-1].Time) {
			rt.Fatalf("point %d is not after the one before", i)
		}
	}
	if points[0] != series[0] || points[len(points)-1] != series[len(series)-1] {
		rt.Fatal("the first or the last reading is missing")
	}
}

// extremes returns the least and the greatest good value of each bucket.
func extremes(list []sensors.Observation, bucket func(sensors.Observation) int64) map[int64][2]float64 {
	m := map[int64][2]float64{}
	for _, o := range list {
		if o.QC == sensors.QCBad || o.QC == sensors.QCMissing {
			continue
		}
		e, ok := m[bucket(o)]
		if !ok {
			e = [2]float64{o.Value, o.Value}
		}
		m[bucket(o)] = [2]float64{min(e[0], o.Value), max(e[1], o.Value)}
	}
	return m
}

// marked returns the buckets with a suspect reading or one of a clock ahead.
func marked(list []sensors.Observation, bucket func(sensors.Observation) int64) map[int64]bool {
	m := map[int64]bool{}
	for _, o := range list {
		if o.QC == sensors.QCSuspect || o.TimeSource == sensors.TimeWrong {
			m[bucket(o)] = true
		}
	}
	return m
}

// flagged counts the bad, missing and suspect readings of each bucket, and the others of a clock ahead.
func flagged(list []sensors.Observation, bucket func(sensors.Observation) int64) map[int64][4]int64 {
	kinds := map[sensors.QC]int{sensors.QCBad: 0, sensors.QCMissing: 1, sensors.QCSuspect: 2}
	m := map[int64][4]int64{}
	for _, o := range list {
		kind, ok := kinds[o.QC]
		if !ok && o.TimeSource == sensors.TimeWrong {
			kind, ok = 3, true
		}
		if ok {
			n := m[bucket(o)]
			n[kind]++
			m[bucket(o)] = n
		}
	}
	return m
}

// Readings that are not good are shown as such, and do not replace good ones.
func TestAChartShowsWhatIsNotBelieved(t *testing.T) {
	from := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	r := sensors.NewReducer(from, from.Add(time.Hour), 100)
	for i := range 3600 {
		o := sensors.Observation{Time: from.Add(time.Duration(i) * time.Second), Value: float64(i % 60), QC: sensors.QCGood}
		if i == 1800 {
			o.Value, o.QC = 1e6, sensors.QCBad
		}
		r.Add(&o)
	}
	c := r.Chart()
	i := slices.IndexFunc(c.Points, func(o sensors.Observation) bool { return o.QC == sensors.QCBad })
	if i < 0 || c.Points[i].Value != 1e6 {
		t.Error("the bad reading is not there")
	}
	if len(c.Points) > 100 || c.Rows != 3600 {
		t.Errorf("%d points of %d rows", len(c.Points), c.Rows)
	}
}

// A suspect reading is not an extreme, but it is shown. If all are suspect, the bad ones among them are shown too.
func TestAChartShowsWhatIsSuspect(t *testing.T) {
	from := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	chart := func(qc func(i int) sensors.QC) []sensors.Observation {
		r := sensors.NewReducer(from, from.Add(time.Hour), 100)
		for i := range 3600 {
			r.Add(&sensors.Observation{Time: from.Add(time.Duration(i) * time.Second), Value: float64(i % 60), QC: qc(i)})
		}
		c := r.Chart()
		if len(c.Points) > 100 || c.Exact {
			t.Errorf("%d points, exact %v", len(c.Points), c.Exact)
		}
		return c.Points
	}
	has := func(points []sensors.Observation, at int, qc sensors.QC) bool {
		return slices.ContainsFunc(points, func(o sensors.Observation) bool {
			return o.QC == qc && o.Time.Equal(from.Add(time.Duration(at)*time.Second))
		})
	}
	if !has(chart(func(i int) sensors.QC {
		if i == 1830 { // a value of 30 among 0 to 59
			return sensors.QCSuspect
		}
		return sensors.QCGood
	}), 1830, sensors.QCSuspect) {
		t.Error("the suspect reading is not there")
	}
	if !has(chart(func(i int) sensors.QC {
		if i == 1830 {
			return sensors.QCBad
		}
		return sensors.QCSuspect
	}), 1830, sensors.QCBad) {
		t.Error("the bad reading is not there")
	}
}

// Of a series with only bad readings, the whole period is shown and not only its beginning, and also its only good reading.
func TestAChartOfNothingButBadReadings(t *testing.T) {
	from := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	const rows, limit = 10_000, 200
	r := sensors.NewReducer(from, from.Add(rows*time.Second), limit)
	for i := range rows {
		o := sensors.Observation{Time: from.Add(time.Duration(i) * time.Second), Value: 1e6, QC: sensors.QCBad}
		if i == 7777 {
			o.Value, o.QC = 3, sensors.QCGood
		}
		r.Add(&o)
	}
	c := r.Chart()
	if len(c.Points) > limit {
		t.Fatalf("%d points", len(c.Points))
	}
	byTenth, good := [10]int{}, 0
	for _, p := range c.Points {
		if p.QC == sensors.QCGood {
			good++
			continue
		}
		byTenth[int(p.Time.Sub(from)/time.Second)*10/rows]++
	}
	if good != 1 || slices.Min(byTenth[:]) == 0 {
		t.Errorf("%d good, bad ones by tenths of the period: %v", good, byTenth)
	}
}

// A period longer than the largest time.Duration is cut into no more buckets than allowed.
func TestAChartOfCenturies(t *testing.T) {
	from := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, limit := range []int{2, 4, 10} {
		r := sensors.NewReducer(from, from.AddDate(300, 0, 0), limit)
		for i := range 300 {
			r.Add(&sensors.Observation{Time: from.AddDate(i, 0, 0), Value: float64(i % 7), QC: sensors.QCGood})
		}
		if n := len(r.Chart().Points); n > limit || n < 2 {
			t.Errorf("%d points of at most %d", n, limit)
		}
	}
}
