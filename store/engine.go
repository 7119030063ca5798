package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/alerts"
	"onemap/sensors"
)

var _ alerts.EngineStore = (*DB)(nil)

// Cursor is the seq of the newest batch that the rules have evaluated.
func (db *DB) Cursor(ctx context.Context) (int64, error) {
	var seq int64
	err := db.pool.QueryRow(ctx, `select seq from rule_cursor`).Scan(&seq)
	return seq, mapErr(err, "read the rules' cursor")
}

// Targets gives every datastream with its newest reading, device, type and hazard. Devices carry no
// level; those that may not publish are among them, Enabled says so.
func (db *DB) Targets(ctx context.Context) ([]alerts.Target, error) {
	rows, err := db.pool.Query(ctx, `
		select `+streamColumns+`, `+deviceColumns+`, `+typeColumns+`, `+hazardColumns+`,
			l.ts, coalesce(l.value, 0), coalesce(l.qc, 0), coalesce(l.time_source, 0), l.received_at
		from datastream s join device d on d.id = s.device_id
		join datastream_type t on t.code = s.type join hazard_type h on h.code = t.hazard_type
		left join latest l on l.datastream_id = s.id`+streamSilence+devicePresence+`
		order by s.id`)
	if err != nil {
		return nil, mapErr(err, "list the rules' targets")
	}
	devices, types, hazards := map[string]*sensors.Device{}, map[string]*sensors.DatastreamType{}, map[string]*sensors.HazardType{}
	targets, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t alerts.Target, err error) {
		var d sensors.Device
		var ty sensors.DatastreamType
		var h sensors.HazardType
		to := streamTargets(&t.Datastream)
		to = append(to, deviceTargets(&d)...)
		to = append(to, typeTargets(&ty)...)
		to = append(to, hazardTargets(&h)...)
		var at, received *time.Time
		var o sensors.Observation
		if err = row.Scan(append(to, &at, &o.Value, &o.QC, &o.TimeSource, &received)...); err != nil {
			return t, err
		}
		t.Device, t.Type, t.Hazard = shared(devices, d.ID, &d), shared(types, ty.Code, &ty), shared(hazards, h.Code, &h)
		if at == nil {
			return t, nil
		}
		o.DatastreamID, o.Time, o.ReceivedAt = t.Datastream.ID, *at, *received
		t.Datastream.Latest = &o
		return t, nil
	})
	return targets, mapErr(err, "list the rules' targets")
}

// shared is the one that is known by the key, or v from now on.
func shared[T any](known map[string]*T, key string, v *T) *T {
	if first, ok := known[key]; ok {
		return first
	}
	known[key] = v
	return v
}

// States gives what the rules remember.
func (db *DB) States(ctx context.Context) ([]alerts.State, error) {
	rows, err := db.pool.Query(ctx, `
		select rule_id, datastream_id, detection, level, pending_level, pending_since, last_time, last_value,
			coalesce(alert_id, 0), raised, rule_version
		from rule_state order by rule_id, datastream_id`)
	if err != nil {
		return nil, mapErr(err, "read the rules' states")
	}
	states, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s alerts.State, err error) {
		var raised []*time.Time
		err = row.Scan(&s.RuleID, &s.DatastreamID, &s.Detection, &s.Level, &s.PendingLevel, &s.PendingSince,
			&s.LastTime, &s.LastValue, &s.AlertID, &raised, &s.RuleVersion)
		for i, t := range raised {
			if i < len(s.Raised) && t != nil {
				s.Raised[i] = t.UTC()
			}
		}
		return s, err
	})
	return states, mapErr(err, "read the rules' states")
}

// OpenAlerts gives every episode that has not cleared.
func (db *DB) OpenAlerts(ctx context.Context) ([]alerts.Alert, error) {
	rows, err := db.pool.Query(ctx, `select body from alert where detection <> 'cleared' order by id`)
	if err != nil {
		return nil, mapErr(err, "list open alerts")
	}
	open, err := pgx.CollectRows(rows, pgx.RowTo[alerts.Alert])
	return open, mapErr(err, "list open alerts")
}

// UnexpiredMessages gives the alert's messages that an Update must reference, oldest first.
func (db *DB) UnexpiredMessages(ctx context.Context, alertID int64, now time.Time) ([]alerts.Message, error) {
	return db.messages(ctx, `where alert_id = $1 and expires > $2 order by sent, identifier`, alertID, now)
}

// writeStates keeps the rules' memory. A state whose rule or datastream has been deleted meanwhile
// is dropped, so that it cannot hold up the cursor.
func writeStates(ctx context.Context, tx pgx.Tx, states []alerts.State) error {
	if len(states) == 0 {
		return nil
	}
	n := len(states)
	rules, streams, alertIDs, versions := make([]int64, n), make([]int64, n), make([]*int64, n), make([]int64, n)
	detections, levels, pending := make([]string, n), make([]int16, n), make([]int16, n)
	since, last, values, raised := make([]*time.Time, n), make([]*time.Time, n), make([]float64, n), make([]string, n)
	for i, s := range states {
		rules[i], streams[i], detections[i], versions[i] = s.RuleID, s.DatastreamID, string(s.Detection), s.RuleVersion
		levels[i], pending[i] = int16(s.Level), int16(s.PendingLevel)
		since[i], last[i], values[i] = s.PendingSince, s.LastTime, s.LastValue
		if s.AlertID != 0 {
			alertIDs[i] = &states[i].AlertID
		}
		var err error
		if raised[i], err = raisedJSON(s); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `
		insert into rule_state (rule_id, datastream_id, detection, level, pending_level, pending_since, last_time,
			last_value, alert_id, raised, rule_version)
		select i.rule_id, i.datastream_id, i.detection, i.level, i.pending_level, i.pending_since, i.last_time,
			i.last_value, i.alert_id, i.raised::jsonb, i.rule_version
		from unnest($1::bigint[], $2::bigint[], $3::text[], $4::smallint[], $5::smallint[], $6::timestamptz[],
			$7::timestamptz[], $8::float8[], $9::bigint[], $10::text[], $11::bigint[])
			as i (rule_id, datastream_id, detection, level, pending_level, pending_since, last_time, last_value,
				alert_id, raised, rule_version)
		join rule r on r.id = i.rule_id join datastream s on s.id = i.datastream_id
		order by i.rule_id, i.datastream_id
		on conflict (rule_id, datastream_id) do update set
			detection = excluded.detection, level = excluded.level, pending_level = excluded.pending_level,
			pending_since = excluded.pending_since, last_time = excluded.last_time, last_value = excluded.last_value,
			alert_id = excluded.alert_id, raised = excluded.raised, rule_version = excluded.rule_version`,
		rules, streams, detections, levels, pending, since, last, values, alertIDs, raised, versions)
	return err
}

// raisedJSON writes since when each level has been raised, null where it is not.
func raisedJSON(s alerts.State) (string, error) {
	out := make([]*time.Time, len(s.Raised))
	for i := range s.Raised {
		if !s.Raised[i].IsZero() {
			t := s.Raised[i].UTC()
			out[i] = &t
		}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return "", fmt.Errorf("state of rule %d on datastream %d: %w", s.RuleID, s.DatastreamID, err)
	}
	return string(raw), nil
}
