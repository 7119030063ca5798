package alertspg

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/pg"
)

var _ alerts.EngineStore = (*DB)(nil)

// Cursor returns the mark of the newest ingest batch that the rules have evaluated. The id of the mark is empty if it is
// not known, for example before the first batch.
func (db *DB) Cursor(ctx context.Context) (at core.Mark, err error) {
	err = db.pool.QueryRow(ctx, `select seq, coalesce(id::text, '') from rule_cursor`).Scan(&at.Seq, &at.ID)
	return at, pg.MapErr(err, "read the rules' cursor")
}

// States returns the stored state of each rule on each datastream, ordered by rule and datastream. Times are in UTC.
func (db *DB) States(ctx context.Context) ([]alerts.State, error) {
	rows, err := db.pool.Query(ctx, `
		select rule_id, datastream_id, detection, level, pending_level, pending_since, last_time, last_value,
			coalesce(alert_id, 0), raised, rule_version, calm, peak_value, peak_at, flaps
		from rule_state order by rule_id, datastream_id`)
	if err != nil {
		return nil, pg.MapErr(err, "read the rules' states")
	}
	states, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s alerts.State, err error) {
		var raised, calm []*time.Time
		var peak *time.Time
		err = row.Scan(&s.RuleID, &s.DatastreamID, &s.Detection, &s.Level, &s.PendingLevel, &s.PendingSince,
			&s.LastTime, &s.LastValue, &s.AlertID, &raised, &s.RuleVersion, &calm, &s.PeakValue, &peak, &s.Flaps)
		s.Raised, s.Calm = levelTimes(raised), levelTimes(calm)
		if peak != nil {
			s.PeakAt = peak.UTC()
		}
		return s, err
	})
	return states, pg.MapErr(err, "read the rules' states")
}

// OpenAlerts returns every alert that has not cleared, in the order of their ids.
func (db *DB) OpenAlerts(ctx context.Context) ([]alerts.Alert, error) {
	rows, err := db.pool.Query(ctx, `select body from alert where detection <> 'cleared' order by id`)
	if err != nil {
		return nil, pg.MapErr(err, "list open alerts")
	}
	open, err := pgx.CollectRows(rows, pgx.RowTo[alerts.Alert])
	return open, pg.MapErr(err, "list open alerts")
}

// UnexpiredMessages returns the messages of the alert that have not expired at now, oldest first. The next message of
// the alert is an Update that references all of them (CAP 1.2, section 3.2.1, element references).
func (db *DB) UnexpiredMessages(ctx context.Context, alertID int64, now time.Time) ([]alerts.Message, error) {
	return db.messages(ctx, `where alert_id = $1 and expires > $2 order by sent, identifier`, alertID, now)
}

// levelTimes converts stored times, one for each level from 0 (none) to 4 (blue). A null is the zero time.
func levelTimes(stored []*time.Time) (times [5]time.Time) {
	for i, t := range stored {
		if i < len(times) && t != nil {
			times[i] = t.UTC()
		}
	}
	return times
}

// storedTimes is the inverse of levelTimes: it returns a JSON array with null for the zero time.
func storedTimes(times [5]time.Time) (string, error) {
	out := make([]*time.Time, len(times))
	for i := range times {
		out[i] = timeOrNil(times[i])
	}
	raw, err := json.Marshal(out)
	return string(raw), err
}

// timeOrNil returns the time in UTC as an SQL argument, and null for the zero time.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// stateColumns holds states as one array for each column of rule_state. One statement with unnest then writes all of
// them, which is much faster than one statement for each state.
type stateColumns struct {
	rules, streams, versions []int64
	alerts                   []*int64
	detections, raised, calm []string
	levels, pending          []int16
	flaps                    []int32
	since, last, peakAt      []*time.Time
	values, peaks            []float64
}

// add appends one state to the arrays. An alert id of 0 becomes null.
func (c *stateColumns) add(s alerts.State) error {
	raised, err := storedTimes(s.Raised)
	if err != nil {
		return fmt.Errorf("state of rule %d on datastream %d: %w", s.RuleID, s.DatastreamID, err)
	}
	calm, err := storedTimes(s.Calm)
	if err != nil {
		return fmt.Errorf("state of rule %d on datastream %d: %w", s.RuleID, s.DatastreamID, err)
	}
	var alert *int64
	if s.AlertID != 0 {
		alert = &s.AlertID
	}
	c.rules, c.streams, c.versions = append(c.rules, s.RuleID), append(c.streams, s.DatastreamID), append(c.versions, s.RuleVersion)
	c.alerts, c.detections = append(c.alerts, alert), append(c.detections, string(s.Detection))
	c.raised, c.calm = append(c.raised, raised), append(c.calm, calm)
	c.levels, c.pending, c.flaps = append(c.levels, int16(s.Level)), append(c.pending, int16(s.PendingLevel)), append(c.flaps, int32(s.Flaps))
	c.since, c.last, c.peakAt = append(c.since, s.PendingSince), append(c.last, s.LastTime), append(c.peakAt, timeOrNil(s.PeakAt))
	c.values, c.peaks = append(c.values, s.LastValue), append(c.peaks, s.PeakValue)
	return nil
}

// writeStates inserts or replaces the states. The join drops a state whose rule or datastream has been deleted since the
// evaluation. Without the join the foreign key would refuse the whole step, and the cursor could never move on. The rows
// are written in the order of their key, so that two transactions cannot deadlock.
func writeStates(ctx context.Context, tx pgx.Tx, states []alerts.State) error {
	if len(states) == 0 {
		return nil
	}
	c := &stateColumns{}
	for _, s := range states {
		if err := c.add(s); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `
		insert into rule_state (rule_id, datastream_id, detection, level, pending_level, pending_since, last_time,
			last_value, alert_id, raised, rule_version, calm, peak_value, peak_at, flaps)
		select i.rule_id, i.datastream_id, i.detection, i.level, i.pending_level, i.pending_since, i.last_time,
			i.last_value, i.alert_id, i.raised::jsonb, i.rule_version, i.calm::jsonb, i.peak_value, i.peak_at, i.flaps
		from unnest($1::bigint[], $2::bigint[], $3::text[], $4::smallint[], $5::smallint[], $6::timestamptz[],
			$7::timestamptz[], $8::float8[], $9::bigint[], $10::text[], $11::bigint[], $12::text[], $13::float8[],
			$14::timestamptz[], $15::int[])
			as i (rule_id, datastream_id, detection, level, pending_level, pending_since, last_time, last_value,
				alert_id, raised, rule_version, calm, peak_value, peak_at, flaps)
		join rule r on r.id = i.rule_id join datastream s on s.id = i.datastream_id
		order by i.rule_id, i.datastream_id
		on conflict (rule_id, datastream_id) do update set
			detection = excluded.detection, level = excluded.level, pending_level = excluded.pending_level,
			pending_since = excluded.pending_since, last_time = excluded.last_time, last_value = excluded.last_value,
			alert_id = excluded.alert_id, raised = excluded.raised, rule_version = excluded.rule_version,
			calm = excluded.calm, peak_value = excluded.peak_value, peak_at = excluded.peak_at, flaps = excluded.flaps`,
		c.rules, c.streams, c.detections, c.levels, c.pending, c.since, c.last, c.values, c.alerts, c.raised, c.versions,
		c.calm, c.peaks, c.peakAt, c.flaps)
	return err
}
