package alertspg

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/text"
)

// episodeKey identifies the open episode of a rule on a datastream. There is at most one; the unique index alert_open
// ensures it.
type episodeKey struct{ rule, datastream int64 }

// Apply commits a step of the engine in one transaction: the cursor, the alerts with their messages and audit rows, the
// states, and last the events. Because all of it commits together, the cursor never passes a reading whose results are
// not stored. Apply returns the stored alerts in the order of the changes. It returns fault.Conflict if the cursor is
// not at s.From, if the rule already has an open episode on the datastream, or if the message already exists.
func (db *DB) Apply(ctx context.Context, s alerts.Step) ([]alerts.Alert, error) {
	var stored []alerts.Alert
	err := db.pool.InTx(ctx, func(tx pgx.Tx) (err error) {
		if err := pg.BoundWaits(ctx, tx); err != nil {
			return err
		}
		if len(s.Changes) == 0 {
			// Without changes there is no notification. If a crash of the database loses this commit, the same readings are
			// evaluated again with the same result. The next step with a change makes this commit durable too.
			if _, err := tx.Exec(ctx, `set local synchronous_commit = off`); err != nil {
				return err
			}
		}
		if err := moveCursor(ctx, tx, s.From, s.To); err != nil {
			return err
		}
		stored, err = applyChanges(ctx, tx, s)
		return err
	})
	if err != nil {
		return nil, pg.MapErr(err, "apply a step of the rules")
	}
	return stored, nil
}

// moveCursor moves the cursor from one mark to another. The update compares the old mark, so only one of two nodes that
// both think that they hold the lease can commit its step. The other one gets fault.Conflict. The update also locks the
// only row of rule_cursor, so steps commit one after another. moveCursor returns fault.Invalid if to is before from.
func moveCursor(ctx context.Context, tx pgx.Tx, from, to core.Mark) error {
	if to.Seq < from.Seq {
		return fault.New(fault.Invalid, "the rules' cursor cannot go back from %d to %d", from.Seq, to.Seq)
	}
	tag, err := tx.Exec(ctx, `
		update rule_cursor set seq = $3, id = nullif($4, '')::uuid where seq = $1 and coalesce(id::text, '') = $2`,
		from.Seq, from.ID, to.Seq, to.ID)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.Conflict, "the rules' cursor is not at %d: another node has moved it", from.Seq)
	}
	return nil
}

// applyChanges stores the changes of a step, then its states and events, and returns the stored alerts. The engine does
// not know the id of an alert that begins in this step. begun therefore collects the new ids, and the states get them
// before they are written. s.States is cloned, so that the slice of the caller does not change.
func applyChanges(ctx context.Context, tx pgx.Tx, s alerts.Step) ([]alerts.Alert, error) {
	stored := make([]alerts.Alert, 0, len(s.Changes))
	begun := make(map[episodeKey]int64)
	for _, c := range s.Changes {
		after, before, reopened, err := storeAlert(ctx, tx, c)
		if err != nil {
			return nil, fmt.Errorf("%s of rule %d on datastream %d: %w", c.Kind, c.Alert.RuleID, c.Alert.DatastreamID, err)
		}
		if c.Alert.ID == 0 && after.Detection != alerts.Cleared {
			begun[episodeKey{after.RuleID, after.DatastreamID}] = after.ID
		}
		if err := storeMessage(ctx, tx, c, after, before); err != nil {
			return nil, err
		}
		if reopened != nil {
			if err := writeAudit(ctx, tx, after.ID, *reopened); err != nil {
				return nil, err
			}
		}
		stored = append(stored, after)
	}
	states := slices.Clone(s.States)
	for i, st := range states {
		if id, ok := begun[episodeKey{st.RuleID, st.DatastreamID}]; ok {
			states[i].AlertID = id
		}
	}
	if err := writeStates(ctx, tx, states); err != nil {
		return nil, err
	}
	return stored, appendAlertEvents(ctx, tx, s.Changes, stored)
}

// storeAlert inserts a new alert, or merges the change into the locked stored alert. It returns the alert after and
// before the change. reopened is the audit row if the handling restarts (see Change.Merge), and nil if not. It returns
// fault.Invalid if the stored alert is of another rule or datastream.
func storeAlert(ctx context.Context, tx pgx.Tx, c alerts.Change) (after, before alerts.Alert, reopened *alerts.Audit, err error) {
	if c.Alert.ID == 0 {
		after, _ = c.Merge(before)
		// The column body contains the id, so the id must be known before the insert.
		err := tx.QueryRow(ctx, `select nextval(pg_get_serial_sequence('alert', 'id'))`).Scan(&after.ID)
		if err != nil {
			return after, before, nil, err
		}
		return after, before, nil, insertAlert(ctx, tx, after)
	}
	before, err = lockAlert(ctx, tx, c.Alert.ID)
	if err != nil {
		return after, before, nil, err
	}
	if before.RuleID != c.Alert.RuleID || before.DatastreamID != c.Alert.DatastreamID {
		return after, before, nil, fault.New(fault.Invalid, "alert %d is of rule %d on datastream %d", before.ID, before.RuleID, before.DatastreamID)
	}
	after, reopened = c.Merge(before)
	return after, before, reopened, updateAlert(ctx, tx, after)
}

// lockAlert reads an alert and locks it until the end of the transaction, so that a handling step cannot change it
// between the merge and the write.
func lockAlert(ctx context.Context, tx pgx.Tx, id int64) (a alerts.Alert, err error) {
	err = tx.QueryRow(ctx, `select body from alert where id = $1 for no key update`, id).Scan(&a)
	return a, err
}

// insertAlert inserts an alert with the id that it already has. The column body is the whole alert as JSON. The other
// columns repeat a part of it for conditions and indexes.
func insertAlert(ctx context.Context, tx pgx.Tx, a alerts.Alert) error {
	_, err := tx.Exec(ctx, `
		insert into alert (id, rule_id, datastream_id, device_id, detection, handling, level, peak_level, division_code,
			divisions, onset, opened_at, updated_at, cleared_at, assignee, body, geom, version)
		overriding system value
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		a.ID, a.RuleID, a.DatastreamID, a.DeviceID, a.Detection, a.Handling, int16(a.Level), int16(a.PeakLevel), a.Division,
		pg.Array(a.Divisions), a.Onset, a.OpenedAt, a.UpdatedAt, a.ClearedAt, a.Assignee, a, areaOrNil(a.Area), a.Version)
	return err
}

// updateAlert replaces the columns of an alert that can change. The caller holds the lock of the row.
func updateAlert(ctx context.Context, tx pgx.Tx, a alerts.Alert) error {
	_, err := tx.Exec(ctx, `
		update alert set detection = $2, handling = $3, level = $4, peak_level = $5, division_code = $6, divisions = $7,
			updated_at = $8, cleared_at = $9, assignee = $10, body = $11, geom = $12, version = $13
		where id = $1`,
		a.ID, a.Detection, a.Handling, int16(a.Level), int16(a.PeakLevel), a.Division, pg.Array(a.Divisions),
		a.UpdatedAt, a.ClearedAt, a.Assignee, a, areaOrNil(a.Area), a.Version)
	return err
}

// areaOrNil returns the polygon as an SQL argument, and null if it has no ring.
func areaOrNil(p orb.Polygon) orb.Geometry {
	if len(p) == 0 {
		return nil
	}
	return p
}

// storeMessage writes the CAP message of the change, if it has one, and the audit row of the change. The step of the
// audit row is the kind of the event without "alert.".
func storeMessage(ctx context.Context, tx pgx.Tx, c alerts.Change, after, before alerts.Alert) error {
	if m := c.Message; m != nil {
		_, err := tx.Exec(ctx, `
			insert into cap_message (identifier, alert_id, msg_type, sent, expires, xml) values ($1, $2, $3, $4, $5, $6)`,
			m.Identifier, after.ID, m.MsgType, m.Sent, m.Expires, m.XML)
		if err != nil {
			return fmt.Errorf("message %s: %w", m.Identifier, err)
		}
	}
	return writeAudit(ctx, tx, after.ID, alerts.Audit{
		At: after.UpdatedAt, Division: after.Division, Step: strings.TrimPrefix(c.Kind, "alert."),
		Before: detectionWords(before), After: detectionWords(after), Note: c.Note, Level: after.Level,
	})
}

// detectionWords returns the detection and the level for an audit row, such as "firing orange". It returns an empty text
// for the alert before its beginning. stillConfirms parses these texts.
func detectionWords(a alerts.Alert) string {
	if a.ID == 0 {
		return ""
	}
	return string(a.Detection) + " " + a.Level.String()
}

// writeAudit appends one row to the history of an alert. The row can never be changed.
func writeAudit(ctx context.Context, tx pgx.Tx, alertID int64, a alerts.Audit) error {
	_, err := tx.Exec(ctx, `
		insert into alert_audit (alert_id, at, actor, division_code, step, before, after, note, level)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		alertID, a.At, a.Actor, a.Division, a.Step, a.Before, a.After, text.MakeStorable(a.Note), int16(a.Level))
	return err
}

// appendAlertEvents writes the event of each change, with the level of the device after the whole step. It takes the
// lock of the event log, so it must be the last write of the transaction.
func appendAlertEvents(ctx context.Context, tx pgx.Tx, changes []alerts.Change, stored []alerts.Alert) error {
	if len(changes) == 0 {
		return nil
	}
	levels, err := deviceLevels(ctx, tx, stored)
	if err != nil {
		return err
	}
	for i, c := range changes {
		e := alerts.Event{Alert: stored[i], DeviceLevel: levels[stored[i].DeviceID], Note: c.Note}
		if err := appendAlertEvent(ctx, tx, c.Kind, "", e); err != nil {
			return err
		}
	}
	return nil
}

// appendAlertEvent writes one event of an alert. The event is addressed to the divisions to which the alert is
// addressed.
func appendAlertEvent(ctx context.Context, tx pgx.Tx, kind, actor string, e alerts.Event) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = eventlog.Append(ctx, tx, core.Event{
		Kind: kind, Divisions: e.Alert.Divisions, Subject: alertSubject(e.Alert.ID), Actor: actor, Payload: payload,
	})
	return err
}

// deviceLevels returns the level of the worst open alert of each device of the alerts, by device id. The worst level is
// the smallest number. A device without an open alert is not in the map.
func deviceLevels(ctx context.Context, tx pgx.Tx, of []alerts.Alert) (map[string]core.Level, error) {
	ids := make([]string, len(of))
	for i, a := range of {
		ids[i] = a.DeviceID
	}
	rows, err := tx.Query(ctx, `
		select device_id, min(level) from alert where device_id = any($1) and detection <> 'cleared' group by device_id`, ids)
	if err != nil {
		return nil, err
	}
	levels := make(map[string]core.Level, len(ids))
	var id string
	var level core.Level
	_, err = pgx.ForEachRow(rows, []any{&id, &level}, func() error {
		levels[id] = level
		return nil
	})
	return levels, err
}
