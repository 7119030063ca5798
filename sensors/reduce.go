package sensors

import (
	"math"
	"slices"
	"time"
)

// ChartLimit is how many points a chart has at most, and how many it has when nobody says otherwise.
const ChartLimit = 2000

// Reducer makes a chart of a datastream's readings, given in time order one by one. As long as they are no
// more than the limit, the chart has them all. Then the period is cut into equal buckets, and each keeps
// its least and its greatest believed reading, at their own times: no peak is lost. Readings that are
// not believed (QCBad, QCMissing, no number) do not count as extremes, or one broken value would hide
// what it stands among; the first of them in a bucket is kept beside, and when those are more than a
// tenth of the points, that many of them, from the whole period. Of readings that are believed and to be
// looked at twice (QCSuspect, TimeWrong), the first of each bucket is kept beside too, as many as there is
// still room for, from the whole period. How many of either a bucket has is counted (Flagged): none goes
// without a word. The first and the last reading are always kept; a limit below four leaves room for
// nothing else.
type Reducer struct {
	from    time.Time
	buckets int64
	width   time.Duration // of a bucket
	limit   int
	rows    int64
	every   []Observation // all of them, while they are few
	points  []Observation
	aside   []Observation // of readings that are not believed, the first of each bucket
	marked  []Observation // of those that are, and are to be looked at twice, the first of each bucket
	flagged []Flagged     // what the buckets have of both
	bucket  int64
	least   *Observation
	most    *Observation
	beside  *Observation
	mark    *Observation
	last    Observation
	reduced bool
}

// NewReducer makes a reducer of [from, to) to at most limit points, 2 at least.
func NewReducer(from, to time.Time, limit int) *Reducer {
	limit = max(limit, 2)
	r := &Reducer{from: from, limit: limit, bucket: -1}
	if r.buckets = int64(limit-limit/10-2) / 2; r.buckets > 0 {
		r.width = (max(to.Sub(from), 1)-1)/time.Duration(r.buckets) + 1 // rounded up
	}
	return r
}

// Add takes the next reading.
func (r *Reducer) Add(o *Observation) {
	r.rows++
	if !r.reduced {
		if len(r.every) < r.limit {
			r.every = append(r.every, *o)
			return
		}
		r.reduced = true
		for i := range r.every {
			r.take(&r.every[i])
		}
		r.every = nil
	}
	r.take(o)
}

func (r *Reducer) take(o *Observation) {
	if len(r.points) == 0 && r.bucket < 0 {
		r.points = append(r.points, *o) // the first
	}
	r.last = *o
	if r.width == 0 {
		return
	}
	if b := min(int64(o.Time.Sub(r.from)/r.width), r.buckets-1); b != r.bucket {
		r.flush()
		r.bucket = b
	}
	r.count(o)
	switch {
	case !believed(o):
		r.beside = first(r.beside, o)
		return
	case o.QC == QCSuspect || o.TimeSource == TimeWrong:
		r.mark = first(r.mark, o)
	}
	switch {
	case r.least == nil:
		r.least, r.most = clone(o), clone(o)
	case o.Value < r.least.Value:
		*r.least = *o
	case o.Value > r.most.Value:
		*r.most = *o
	}
}

// count counts a reading that is to be looked at twice.
func (r *Reducer) count(o *Observation) {
	if o.QC != QCBad && o.QC != QCMissing && o.QC != QCSuspect && o.TimeSource != TimeWrong {
		return
	}
	at := r.from.Add(time.Duration(r.bucket) * r.width).UTC()
	if n := len(r.flagged); n == 0 || !r.flagged[n-1].Time.Equal(at) {
		r.flagged = append(r.flagged, Flagged{Time: at})
	}
	f := &r.flagged[len(r.flagged)-1]
	switch o.QC {
	case QCBad:
		f.Bad++
	case QCMissing:
		f.Missing++
	case QCSuspect:
		f.Suspect++
	default:
		f.Ahead++
	}
}

func believed(o *Observation) bool {
	return o.QC != QCBad && o.QC != QCMissing && !math.IsNaN(o.Value) && !math.IsInf(o.Value, 0)
}

func clone(o *Observation) *Observation {
	c := *o
	return &c
}

func first(had, o *Observation) *Observation {
	if had != nil {
		return had
	}
	return clone(o)
}

// flush ends a bucket.
func (r *Reducer) flush() {
	if r.least != nil {
		r.points = append(r.points, *r.least, *r.most)
	}
	if r.beside != nil {
		r.aside = append(r.aside, *r.beside)
	}
	if r.mark != nil {
		r.marked = append(r.marked, *r.mark)
	}
	r.least, r.most, r.beside, r.mark = nil, nil, nil, nil
}

// Chart is what came of it: Rows, Exact, BucketS, Points and Flagged.
func (r *Reducer) Chart() Chart {
	if !r.reduced {
		return Chart{Rows: r.rows, Exact: true, Points: r.every}
	}
	r.flush()
	points := slices.Concat(r.points, []Observation{r.last}, evenly(r.aside, r.limit/10))
	slices.SortFunc(points, byTime)
	points = slices.CompactFunc(points, func(a, b Observation) bool { return a.Time.Equal(b.Time) })
	marked := slices.DeleteFunc(r.marked, func(o Observation) bool {
		_, there := slices.BinarySearchFunc(points, o, byTime)
		return there
	})
	points = append(points, evenly(marked, r.limit-len(points))...)
	slices.SortFunc(points, byTime)
	return Chart{Rows: r.rows, BucketS: r.width.Seconds(), Points: points, Flagged: r.flagged}
}

func byTime(a, b Observation) int { return a.Time.Compare(b.Time) }

// evenly returns at most n of a list, from the whole of it.
func evenly(list []Observation, n int) []Observation {
	if len(list) <= n {
		return list
	}
	out := make([]Observation, n)
	for i := range out {
		out[i] = list[i*len(list)/n]
	}
	return out
}
