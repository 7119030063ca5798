package sensorspg

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/pg"
	"onemap/sensors"
)

// chartConflicts is the largest number of conflicts in a chart.
const chartConflicts = 100

// Chart returns a datastream's readings in [from, to), reduced to at most points points, with the conflicts: readings that were
// delivered again with another value. It returns fault.NotFound if the scope does not cover the device. The rows are read in the
// order of their key and reduced one by one. Reading them twice in SQL, once for the extremes and once for their times, was
// slower (docs/performance.md).
func (db *DB) Chart(ctx context.Context, s core.Scope, datastream int64, from, to time.Time, points int) (sensors.Chart, error) {
	retention, err := db.retentionOf(ctx, s, datastream)
	if err != nil {
		return sensors.Chart{}, err
	}
	c, err := db.reduce(ctx, retention, datastream, from, to, points)
	if err != nil {
		return sensors.Chart{}, pg.MapErr(err, "read the chart")
	}
	c.DatastreamID, c.From, c.To = datastream, from.UTC(), to.UTC()
	// The lists must not be null in JSON.
	if c.Points == nil {
		c.Points = []sensors.Observation{}
	}
	if c.Flagged == nil {
		c.Flagged = []sensors.Flagged{}
	}
	c.Conflicts, err = db.conflictsWithin(ctx, s, datastream, from, to, chartConflicts)
	return c, err
}

// retentionOf returns the retention class of a datastream that the scope covers.
func (db *DB) retentionOf(ctx context.Context, s core.Scope, datastream int64) (retention string, err error) {
	err = db.pool.QueryRow(ctx, `
		select t.retention from datastream s join device d on d.id = s.device_id join datastream_type t on t.code = s.type
		where s.id = $1 and scope_covers($2, d.division_code)`, datastream, s.Division).Scan(&retention)
	return retention, pg.MapErr(err, "there is no such datastream")
}

// chartSQL reads the readings of one datastream by the primary key of the month partitions in the period.
const chartSQL = `
	select ts, value, qc, time_source, received_at from observation
	where retention = $1 and datastream_id = $2 and ts >= $3 and ts < $4 order by ts`

// reduce reads the readings and passes them to the reducer one by one, so that memory does not grow with the period.
func (db *DB) reduce(ctx context.Context, retention string, datastream int64, from, to time.Time, points int) (sensors.Chart, error) {
	rows, err := db.pool.Query(ctx, chartSQL, retention, datastream, from, to)
	if err != nil {
		return sensors.Chart{}, err
	}
	defer rows.Close()
	r := sensors.NewReducer(from, to, points)
	o := sensors.Observation{DatastreamID: datastream}
	for rows.Next() {
		if err := readObservation(rows, &o); err != nil {
			return sensors.Chart{}, err
		}
		r.Add(&o)
	}
	if err := rows.Err(); err != nil {
		return sensors.Chart{}, err
	}
	return r.Chart(), nil
}

// readObservation decodes a row of chartSQL in the binary format, which pgx requests for these types. It avoids the scan of
// pgx, because a month of a fast datastream has millions of rows.
func readObservation(rows pgx.Rows, o *sensors.Observation) error {
	raw := rows.RawValues()
	// The lengths are those of timestamptz, float8 and int2. No column of the table may be null.
	if len(raw) != 5 || len(raw[0]) != 8 || len(raw[1]) != 8 || len(raw[2]) != 2 || len(raw[3]) != 2 || len(raw[4]) != 8 {
		return fmt.Errorf("a reading of %d columns is not in the binary format", len(raw))
	}
	o.Time = pgTime(raw[0])
	o.Value = math.Float64frombits(binary.BigEndian.Uint64(raw[1]))
	o.QC = sensors.QC(binary.BigEndian.Uint16(raw[2]))
	o.TimeSource = sensors.TimeSource(binary.BigEndian.Uint16(raw[3]))
	o.ReceivedAt = pgTime(raw[4])
	return nil
}

// pgTime decodes a timestamptz in the binary format: microseconds since 2000-01-01 UTC.
func pgTime(b []byte) time.Time {
	const epoch = 946684800 * 1_000_000 // 2000-01-01 in Unix microseconds
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b)) + epoch).UTC()
}
