package sensorspg

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/pg"
	"onemap/internal/text"
	"onemap/sensors"
)

var _ sensors.Committer = (*DB)(nil)

// The limits of event times. Years must be from 1970 to 9999, the last year that fits RFC 3339. A reading may be at most
// futureBound after its receipt. The domain refuses times in the far future already; these limits bound the number of
// partitions that a wrong clock can create.
const (
	firstYear   = 1970
	lastYear    = 9999
	futureBound = 366 * 24 * time.Hour
)

// CommitBatch implements sensors.Committer. It stores a batch in one transaction: the new readings, the latest reading of
// each datastream, the state of the devices, the quarantine, and last the ingest_batch row, if a reading or a status is new.
// A redelivered reading is recognized by its datastream and time. A reading whose datastream was deleted goes to quarantine
// and does not delay the others.
//
// An error of kind fault.Unavailable means that nothing was stored and that a retry can succeed. sensors.ErrRegistryChanged
// means that the batch must be decoded again.
func (db *DB) CommitBatch(ctx context.Context, b sensors.Batch) (sensors.BatchResult, error) {
	if len(b.Observations)+len(b.Statuses)+len(b.Quarantine)+len(b.Clocks) == 0 {
		return sensors.BatchResult{}, nil
	}
	var res sensors.BatchResult
	// The contract "PUBACK means committed" of docs/ARCHITECTURE.md: CommitBatch returns nil only after the commit, and
	// the caller acknowledges the messages after that.
	err := db.untilSettled(ctx, overtaken, func(settled bool) (err error) {
		res, err = db.tryBatch(ctx, b, settled)
		return err
	})
	// A device was changed after the batch was decoded, so the caller decodes its messages again.
	if changed(err) {
		return sensors.BatchResult{}, sensors.ErrRegistryChanged
	}
	if err != nil {
		return sensors.BatchResult{}, pg.MapErr(err, "commit batch")
	}
	return res, nil
}

// tryBatch tries to store the batch once. If settled is true, it waits for transactions that create or drop partitions, and locks
// the set of partitions.
func (db *DB) tryBatch(ctx context.Context, b sensors.Batch, settled bool) (sensors.BatchResult, error) {
	p, err := db.planBatch(ctx, b, settled)
	if err != nil {
		return sensors.BatchResult{}, err
	}
	var res sensors.BatchResult
	var kept sensors.Committed
	// The short way stores only batches without repetitions. After a batch with some, it is not tried until one without any was
	// committed.
	if p.allNew() && !settled && !db.repeats.Load() {
		res, kept, err = db.writeNew(ctx, p)
		if !known(err) {
			db.committed(p, res, kept, err)
			return res, err
		}
		db.repeats.Store(true)
	}
	err = db.pool.InTx(ctx, func(tx pgx.Tx) (err error) {
		if settled {
			if err := lockPartitions(ctx, tx); err != nil {
				return err
			}
		}
		res, kept, err = p.write(ctx, tx)
		return err
	})
	if err == nil && len(p.fresh) > 0 && res.Duplicates+res.Conflicts == 0 {
		db.repeats.Store(false)
	}
	db.committed(p, res, kept, err)
	return res, err
}

// committed updates the caches after a commit. After a failure it clears the cache of recent batches.
func (db *DB) committed(p *batchPlan, res sensors.BatchResult, kept sensors.Committed, err error) {
	if err != nil {
		db.recent.forget()
		return
	}
	// The caches change only after the commit, so they never contain more than the database.
	db.touched.record(p.devices)
	db.budget.spend(p.quarantine)
	if res.Seq > 0 {
		db.recent.add(kept)
	}
}

// batchPlan is a batch that is sorted and classified before its transaction begins.
type batchPlan struct {
	fresh      []reading // the first of each key, in the order of the keys
	again      []reading // readings whose key occurs earlier in the same batch
	ahead      bool      // at least one reading comes from a wrong clock
	clocks     []sensors.DeviceClock
	devices    []touched // by id
	quarantine []sensors.Quarantined
	beyond     []quarantineMore // payloads beyond the budget of the quarantine
	unknown    int
	registry   *int64 // Batch.Registry; nil: changes of its devices are not checked
}

// countBeyond returns the number of payloads beyond the budget of the quarantine.
func (p *batchPlan) countBeyond() (n int) {
	for _, b := range p.beyond {
		n += int(b.n)
	}
	return n
}

// reading is an observation with its retention class, which depends on the type of its datastream.
type reading struct {
	sensors.Observation
	retention string
	device    string
	place     int32 // index in the order of arrival
}

// byKey orders readings by the key of the table; readings with the same key are in the order of arrival.
func byKey(a, b reading) int {
	return cmp.Or(cmp.Compare(a.DatastreamID, b.DatastreamID), a.Time.Compare(b.Time), cmp.Compare(a.place, b.place))
}

// byState orders readings by datastream and state time: the order in which they become the latest of their datastream.
func byState(a, b reading) int {
	return cmp.Or(cmp.Compare(a.DatastreamID, b.DatastreamID), a.StateTime().Compare(b.StateTime()), cmp.Compare(a.place, b.place))
}

// splitRepeats sorts the readings by their key. It moves those whose key occurred before to p.again.
func (p *batchPlan) splitRepeats() {
	// byKey puts readings of the same key in the order of arrival, so the first one is kept.
	slices.SortFunc(p.fresh, byKey)
	kept := p.fresh[:0]
	for i, r := range p.fresh {
		if i > 0 && r.DatastreamID == p.fresh[i-1].DatastreamID && r.Time.Equal(p.fresh[i-1].Time) {
			p.again = append(p.again, r)
			continue
		}
		kept = append(kept, r)
	}
	p.fresh = kept
}

// newest returns the newest reading of each datastream, in the order of the datastreams.
func newest(sorted []reading) []reading {
	out := make([]reading, 0, min(len(sorted), 1024))
	for i, r := range sorted {
		if i+1 == len(sorted) || sorted[i+1].DatastreamID != r.DatastreamID {
			out = append(out, r)
		}
	}
	return out
}

// sortedByState returns the readings in the order of byState, for the rules and the live state.
func sortedByState(rs []reading) []reading {
	if slices.IsSortedFunc(rs, byState) {
		return rs
	}
	rs = slices.Clone(rs)
	slices.SortFunc(rs, byState)
	return rs
}

// touched is the news of one device in a batch.
type touched struct {
	id       string
	seen     *time.Time // when it last published
	online   *bool      // its newest status; statusAt is the time of that status
	statusAt *time.Time
}

// planBatch looks up the datastreams and devices of the batch, removes unknown and repeated readings, and creates the missing
// partitions. So the transaction itself only inserts.
func (db *DB) planBatch(ctx context.Context, b sensors.Batch, settled bool) (*batchPlan, error) {
	streams, err := db.streamPlaces(ctx, b.Observations)
	if err != nil {
		return nil, err
	}
	devices, err := db.knownDevices(ctx, b.Statuses)
	if err != nil {
		return nil, err
	}
	p := &batchPlan{quarantine: slices.Clone(b.Quarantine), clocks: b.Clocks, registry: b.Registry}
	touch := make(map[string]touched)
	months := make(map[partitionKey]struct{})
	var month struct { // month of the reading before; most readings of a batch are in one month
		from, to  int64
		retention string
	}
	p.fresh = make([]reading, 0, len(b.Observations))
	for i, o := range b.Observations {
		// PostgreSQL stores microseconds. Without the truncation, a redelivered reading would not equal the stored one.
		o.Time, o.ReceivedAt = o.Time.UTC().Truncate(time.Microsecond), o.ReceivedAt.UTC().Truncate(time.Microsecond)
		place, ok := streams[o.DatastreamID]
		if !ok {
			p.quarantineReading(o, "", sensors.OneFault(sensors.ReasonUnknownDatastream, "", sensors.CodeNoDatastream, o.DatastreamID))
			continue
		}
		if o.Time.Year() < firstYear || o.Time.Sub(o.ReceivedAt) > futureBound {
			p.quarantineReading(o, place.device, sensors.OneFault(sensors.ReasonBadTime, "t", sensors.CodeTimeNotStored, o.Time.Format(time.RFC3339Nano)))
			continue
		}
		if t := touch[place.device]; t.seen == nil || o.ReceivedAt.After(*t.seen) {
			at := o.ReceivedAt // a copy, so that only this time escapes to the heap and not each reading
			t.seen = &at
			touch[place.device] = t
		}
		if at := o.Time.UnixMicro(); at < month.from || at >= month.to || place.retention != month.retention {
			k := partitionOf(place.retention, o.Time)
			months[k] = struct{}{}
			month.from, month.to, month.retention = k.from().UnixMicro(), k.to().UnixMicro(), place.retention
		}
		if !o.Now.IsZero() {
			p.ahead = true
			months[partitionOf(place.retention, o.Now)] = struct{}{} // see insertBeside
		}
		p.fresh = append(p.fresh, reading{o, place.retention, place.device, int32(i)})
	}
	if err := db.boundMonths(ctx, p, months); err != nil {
		return nil, err
	}
	p.splitRepeats()
	p.addStatuses(b.Statuses, devices, touch)
	p.quarantine, p.beyond = db.budget.split(p.quarantine)
	for _, id := range slices.Sorted(maps.Keys(touch)) {
		t := touch[id]
		t.id = id
		p.devices = append(p.devices, t)
	}
	if settled {
		return p, db.settlePartitions(ctx, months)
	}
	return p, db.ensurePartitions(ctx, months)
}

// addStatuses adds the newest status of each known device. The others go to quarantine.
func (p *batchPlan) addStatuses(statuses []sensors.Status, known map[string]bool, touch map[string]touched) {
	for _, s := range statuses {
		at := s.At.UTC().Truncate(time.Microsecond)
		if !known[s.DeviceID] {
			p.unknown++
			p.quarantine = append(p.quarantine, asQuarantined(s, s.DeviceID, at, sensors.OneFault(sensors.ReasonUnknownDevice, "", sensors.CodeDeviceGone)))
			continue
		}
		if at.Year() < firstYear || at.Year() > lastYear {
			p.unknown++
			p.quarantine = append(p.quarantine, asQuarantined(s, s.DeviceID, at, sensors.OneFault(sensors.ReasonBadTime, "at", sensors.CodeTimeNotStored, at.Format(time.RFC3339Nano))))
			continue
		}
		t := touch[s.DeviceID]
		// Of two statuses with the same time, the later one in the batch wins.
		if t.statusAt == nil || !at.Before(*t.statusAt) {
			t.online, t.statusAt = &s.Online, &at
		}
		// Only an online status is a sign of life. An offline status is usually the last will, which the broker sends.
		if s.Online {
			t.seen = later(t.seen, at)
		}
		touch[s.DeviceID] = t
	}
}

// quarantineReading adds a reading that cannot be stored to the quarantine.
func (p *batchPlan) quarantineReading(o sensors.Observation, device string, faults sensors.Faults) {
	p.unknown++
	p.quarantine = append(p.quarantine, asQuarantined(o, device, o.ReceivedAt, faults))
}

// asQuarantined returns the quarantine row of an observation or status, with its JSON as the payload.
func asQuarantined(thing any, device string, at time.Time, faults sensors.Faults) sensors.Quarantined {
	raw, err := json.Marshal(thing)
	if err != nil { // a year after 9999, or NaN: use Go's format
		raw = fmt.Appendf(nil, "%+v", thing)
	}
	return faults.Quarantine(sensors.Quarantined{At: at, DeviceID: device, Payload: raw, Size: len(raw)})
}

// later returns the later of two times; nil is earlier than any.
func later(a *time.Time, b time.Time) *time.Time {
	if a != nil && !b.After(*a) {
		return a
	}
	return &b
}

// streamPlace is the retention class of a datastream's readings, and the device of the datastream.
type streamPlace struct{ retention, device string }

// streamPlaces returns the places of the readings' datastreams: from the cache, or from the database if they are not cached.
func (db *DB) streamPlaces(ctx context.Context, obs []sensors.Observation) (map[int64]streamPlace, error) {
	places, unknown := db.places.all(), map[int64]struct{}{}
	for _, o := range obs {
		if _, ok := places[o.DatastreamID]; !ok {
			unknown[o.DatastreamID] = struct{}{}
		}
	}
	if len(unknown) == 0 {
		return places, nil
	}
	rows, err := db.pool.Query(ctx, `
		select d.id, t.retention, d.device_id from datastream d join datastream_type t on t.code = d.type
		where d.id = any($1)`, slices.Collect(maps.Keys(unknown)))
	if err != nil {
		return nil, err
	}
	found := make(map[int64]streamPlace, len(unknown))
	var id int64
	var at streamPlace
	if _, err = pgx.ForEachRow(rows, []any{&id, &at.retention, &at.device}, func() error {
		found[id] = at
		return nil
	}); err != nil {
		return nil, err
	}
	db.places.add(found)
	return joined(places, found), nil // not the cache, which may have been cleared in the meantime
}

// knownDevices returns the devices of the statuses that exist.
func (db *DB) knownDevices(ctx context.Context, statuses []sensors.Status) (map[string]bool, error) {
	if len(statuses) == 0 {
		return nil, nil
	}
	ids := make([]string, len(statuses))
	for i, s := range statuses {
		ids[i] = text.MakeStorable(s.DeviceID)
	}
	rows, err := db.pool.Query(ctx, `select id from device where id = any($1)`, ids)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(ids))
	var id string
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		known[id] = true
		return nil
	})
	return known, err
}

// Stored implements sensors.Committer. It reports for each reading whether its time and value are stored already, as an
// observation or as a conflict.
func (db *DB) Stored(ctx context.Context, readings []sensors.Observation) ([]bool, error) {
	out := make([]bool, len(readings))
	if len(readings) == 0 {
		return out, nil
	}
	places, err := db.streamPlaces(ctx, readings)
	if err != nil {
		return nil, pg.MapErr(err, "look readings up")
	}
	n := len(readings)
	retentions, ids, times, values := make([]string, n), make([]int64, n), make([]time.Time, n), make([]float64, n)
	for i, o := range readings {
		// A datastream that was deleted has no place; with its empty retention class, no row of observation matches.
		retentions[i], ids[i], times[i], values[i] = places[o.DatastreamID].retention, o.DatastreamID, o.Time, o.Value
	}
	rows, err := db.pool.Query(ctx, `
		select i.n from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::float8[]) with ordinality as i (retention, datastream_id, ts, value, n)
		where exists (select from observation o where (o.retention, o.datastream_id, o.ts) = (i.retention, i.datastream_id, i.ts) and o.value = i.value)
			or exists (select from observation_conflict c where (c.datastream_id, c.ts, c.value) = (i.datastream_id, i.ts, i.value))`,
		retentions, ids, times, values)
	if err != nil {
		return nil, pg.MapErr(err, "look readings up")
	}
	var at int64
	_, err = pgx.ForEachRow(rows, []any{&at}, func() error { out[at-1] = true; return nil })
	return out, pg.MapErr(err, "look readings up")
}
