package backfill

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"onemap/sensors"
)

// Registry holds the datastreams that an import may fill.
type Registry struct {
	byID   map[int64]*Stream
	byName map[string]map[string]*Stream
	names  map[string]bool // the datastreams' names of all devices
}

// NewRegistry returns a Registry with the given datastreams.
func NewRegistry(streams []Stream) *Registry {
	r := &Registry{byID: make(map[int64]*Stream, len(streams)), byName: map[string]map[string]*Stream{}, names: map[string]bool{}}
	for i := range streams {
		s := &streams[i]
		r.byID[s.ID] = s
		if r.byName[s.Device] == nil {
			r.byName[s.Device] = map[string]*Stream{}
		}
		r.byName[s.Device][s.Name] = s
		r.names[s.Name] = true
	}
	return r
}

// Known reports whether any device has a datastream of this name.
func (r *Registry) Known(name string) bool { return r != nil && r.names[name] }

// Names returns the names of a device's datastreams; it returns nil if there is no such device.
func (r *Registry) Names(device string) []string {
	if r == nil || r.byName[device] == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(r.byName[device]))
}

// ColumnOfDatastream returns the name of the column or member that identifies the datastream of a value of the record.
func (r *Record) ColumnOfDatastream(v *Value) string {
	if v.DatastreamID != 0 {
		return cmp.Or(r.Columns.DatastreamID, v.Column)
	}
	return cmp.Or(r.Columns.Datastream, v.Column)
}

// Find returns the datastream of a value of the record, or a refusal if there is none.
func (r *Registry) Find(rec *Record, v *Value) (*Stream, *Refusal) {
	if v.DatastreamID != 0 {
		if s := r.byID[v.DatastreamID]; s != nil {
			return s, nil
		}
		return nil, rec.refusal(ReasonNoStream, rec.ColumnOfDatastream(v), fmt.Sprintf("there is no datastream %d", v.DatastreamID))
	}
	names, ok := r.byName[string(v.Device)]
	if !ok {
		return nil, rec.refusal(ReasonNoDevice, cmp.Or(rec.Columns.Device, v.Column), "there is no device "+clip(string(v.Device)))
	}
	if s := names[string(v.Datastream)]; s != nil {
		return s, nil
	}
	return nil, rec.refusal(ReasonNoStream, rec.ColumnOfDatastream(v), "the device "+clip(string(v.Device))+" has no "+clip(string(v.Datastream)))
}

// Limits holds the range of accepted times; a zero value means the default of sensors.TimeLimits.
type Limits struct {
	Ahead  time.Duration // how far ahead of the import without being flagged; 0 is 10 s
	Future time.Duration // how far ahead at all; 0 is 31 days
}

// Observe converts a value to an observation in the same way as the ingest path. An observation outside the range of its type, or
// ahead of received, is kept and flagged. A flag from the file is kept, unless the range check results in a worse one. If there is
// no observation, refused contains the reason. nth distinguishes the observations that are ahead.
func (l Limits) Observe(rec *Record, v *Value, s *Stream, received time.Time, nth int) (o sensors.Observation, refused *Refusal) {
	ahead, future := l.Ahead, l.Future
	if ahead == 0 {
		ahead = 10 * time.Second
	}
	if future == 0 {
		future = 31 * 24 * time.Hour
	}
	switch {
	case v.Time.Sub(received) > future:
		return o, rec.refusal(ReasonBadTime, rec.Columns.Time, v.Time.Format(time.RFC3339)+" is too far in the future")
	// Clocks that were never set start at 1970 (Unix) or at 1980 (GPS, FAT).
	case v.Time.Year() <= 1980:
		return o, rec.refusal(ReasonBadTime, rec.Columns.Time, v.Time.Format(time.RFC3339)+" is a clock that was never set")
	// The partition of such a time may be dropped already, and the next pruning would drop it.
	case v.Time.Before(s.Oldest):
		return o, rec.refusal(ReasonExpired, rec.Columns.Time, v.Time.Format(time.RFC3339)+" is older than is kept: since "+s.Oldest.Format(time.DateOnly))
	}
	o = sensors.Observation{
		DatastreamID: s.ID, Time: v.Time, Value: v.Value, QC: v.QC, TimeSource: sensors.TimeDevice, ReceivedAt: received,
	}
	// The file has no flag, and the range is checked next, as in the ingest path.
	if o.QC == 0 {
		o.QC = sensors.QCGood
	}
	// The number of a missing value has no meaning, so its range is not checked.
	if o.QC != sensors.QCMissing && (v.Value < s.Min || v.Value > s.Max) {
		o.QC = sensors.QCBad
	}
	// Now is the time at which the reading counts for the live state. Each reading gets another microsecond, so that
	// two of them do not have the same time.
	if v.Time.Sub(received) > ahead {
		o.TimeSource, o.Now = sensors.TimeWrong, received.Add(time.Duration(nth)*time.Microsecond)
	}
	return o, nil
}
