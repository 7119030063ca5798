package sensorspg

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/sensors"
)

// conflictsEach is the largest number of conflicting values that are kept for one reading. This is enough to see that a device,
// or two devices with the same name, send contradictory values.
const conflictsEach = 16

// insertConflicts stores the known readings whose value differs from the stored one, each once. It returns the indexes in known
// of those that were not stored as conflicts before. It is a separate statement, so that it sees rows that a concurrent writer
// has committed in the meantime.
func insertConflicts(ctx context.Context, tx pgx.Tx, known []reading) (map[int]struct{}, error) {
	if len(known) == 0 {
		return nil, nil
	}
	c := columnsOf(known)
	rows, err := tx.Query(ctx, `
		with other as (
			select distinct on (i.datastream_id, i.ts, i.value) i.datastream_id, i.ts, i.value, i.received_at, i.n
			from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::float8[], $5::timestamptz[])
				with ordinality as i (retention, datastream_id, ts, value, received_at, n)
			join observation o on (o.retention, o.datastream_id, o.ts) = (i.retention, i.datastream_id, i.ts)
			where o.value <> i.value
			order by i.datastream_id, i.ts, i.value, i.received_at
		), kept as (
			insert into observation_conflict (datastream_id, ts, value, received_at)
			select datastream_id, ts, value, received_at from (
				select o.*, row_number() over (partition by datastream_id, ts order by received_at, value)
					+ (select count(*) from observation_conflict c where (c.datastream_id, c.ts) = (o.datastream_id, o.ts)) as place
				from other o
			) o where place <= $6 order by datastream_id, ts, value
			on conflict do nothing
			returning datastream_id, ts, value
		)
		select o.n from other o join kept k on (k.datastream_id, k.ts, k.value) = (o.datastream_id, o.ts, o.value)`,
		c.retentions, c.ids, c.times, c.values, c.received, conflictsEach)
	if err != nil {
		return nil, err
	}
	kept := make(map[int]struct{})
	var n int
	_, err = pgx.ForEachRow(rows, []any{&n}, func() error { kept[n-1] = struct{}{}; return nil })
	return kept, err
}

// besideSQL finds readings that have the same time as a stored reading but do not repeat it. Either the clock of the new reading
// is wrong now ("now": it counts at its receipt), or the stored reading comes from a clock that was wrong. A "now" reading with
// the stored value is a different reading if the clock offsets of the two differ by more than 120 s. The arguments are the
// columns of the readings, whether each reading is a conflict that was not stored before, and whether it is a "now" reading.
const besideSQL = `
	select i.n from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::float8[], $5::timestamptz[], $6::boolean[], $7::boolean[])
		with ordinality as i (retention, datastream_id, ts, value, received_at, conflict, now, n)
	join observation o on (o.retention, o.datastream_id, o.ts) = (i.retention, i.datastream_id, i.ts)
	left join latest l on l.datastream_id = i.datastream_id
	where case when i.conflict and not i.now then o.time_source = $8 and i.ts > l.ts
		when i.conflict then true
		else i.now and o.value = i.value and i.received_at - i.ts > interval '30 seconds'
			and abs(extract(epoch from (i.received_at - i.ts) - (o.received_at - o.ts))) > 120 end`

// insertBeside stores known readings whose time another reading has already. A reading of a clock that is wrong now is stored at
// its time of receipt; any other reading is stored one microsecond later. It returns the stored readings by their index in known.
func insertBeside(ctx context.Context, tx pgx.Tx, known []reading, conflicts map[int]struct{}) (map[int]reading, error) {
	isConflict, isNow, some := make([]bool, len(known)), make([]bool, len(known)), false
	for i := range known {
		_, isConflict[i] = conflicts[i]
		isNow[i] = !known[i].Now.IsZero() && !known[i].Now.Equal(known[i].Time)
		some = some || isConflict[i] || isNow[i]
	}
	if !some {
		return nil, nil
	}
	c := columnsOf(known)
	rows, err := tx.Query(ctx, besideSQL, c.retentions, c.ids, c.times, c.values, c.received, isConflict, isNow, int16(sensors.TimeWrong))
	if err != nil {
		return nil, err
	}
	others, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return nil, err
	}
	live, taken := make(map[int]reading, len(others)), make(map[readingKey]bool, len(others))
	var fresh []reading
	for _, n := range others {
		r := known[n-1]
		if isNow[n-1] {
			r.Time = r.Now
		} else {
			r.Time = r.Time.Add(time.Microsecond)
		}
		if k := keyOf(r); !taken[k] {
			taken[k], live[n-1] = true, r
			fresh = append(fresh, r)
		}
	}
	slices.SortFunc(fresh, byKey)
	_, old, err := insertNew(ctx, tx, fresh)
	for _, o := range old {
		maps.DeleteFunc(live, func(_ int, r reading) bool { return keyOf(r) == keyOf(o) })
	}
	return live, err
}

// readingKey is the key of a reading in the table.
type readingKey struct{ datastream, at int64 }

func keyOf(r reading) readingKey { return readingKey{r.DatastreamID, r.Time.UnixMicro()} }
