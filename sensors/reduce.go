package sensors

import (
	"math"
	"slices"
	"time"
)

// ChartLimit is the largest and the default number of points in a chart.
const ChartLimit = 2000

// Reducer makes a chart from the readings of a datastream, which are added one by one in time order. If there are no more
// readings than the limit, the chart contains all of them. Otherwise the period is divided into equal buckets. Each bucket keeps
// its least and its greatest believed reading, at their own times, so that no peak is lost.
//
// Readings that are not believed (QCBad, QCMissing, not a number) do not count as extremes, because one broken value would hide
// the readings around it. The first of them in each bucket is kept in addition, at most a tenth of the limit, spread over the
// whole period. Of the readings that are believed but suspicious (QCSuspect, TimeWrong), the first of each bucket is kept too,
// as many as fit into the limit, spread over the whole period. Both kinds are counted per bucket (Flagged), so that none is
// dropped silently. The first and the last reading are always kept; a limit below four has no room for others.
type Reducer struct {
	from    time.Time
	buckets int64
	width   time.Duration // of a bucket
	limit   int
	rows    int64
	every   []Observation // all readings, while there are no more than limit
	points  []Observation
	aside   []Observation // the first reading of each bucket that is not believed
	marked  []Observation // the first reading of each bucket that is believed but suspicious
	flagged []Flagged     // the counts of both kinds per bucket
	bucket  int64
	least   *Observation
	most    *Observation
	beside  *Observation
	mark    *Observation
	last    Observation
	reduced bool
}

// NewReducer returns a Reducer that reduces [from, to) to at most limit points; a limit below 2 counts as 2.
func NewReducer(from, to time.Time, limit int) *Reducer {
	limit = max(limit, 2)
	r := &Reducer{from: from, limit: limit, bucket: -1}
	if r.buckets = int64(limit-limit/10-2) / 2; r.buckets > 0 {
		r.width = (max(to.Sub(from), 1)-1)/time.Duration(r.buckets) + 1 // rounded up
	}
	return r
}

// Add adds the next reading, in time order.
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

// count counts a reading in Flagged if it is not believed or is suspicious.
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

// flush ends the current bucket and keeps its readings.
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

// Chart returns the result, with Rows, Exact, BucketS, Points and Flagged set.
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

// evenly returns at most n elements of a list, evenly spread over the list.
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
