package alertspg

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/text"
)

var (
	_ alerts.AlertStore = (*DB)(nil)
	_ alerts.CAPStore   = (*DB)(nil)
)

// Visible says whether the scope $1 may see the alert a: it lies there, or is addressed there.
const Visible = `(scope_covers($1, a.division_code) or scope_covers_any($1, a.divisions))`

// errNoAlert is what a caller hears of an alert that is not there or not in its scope.
func errNoAlert(id int64) error { return fault.NewCoded(fault.NotFound, "", alerts.CodeNoAlert, id) }

// Alerts lists the scope's alerts, newest first, as one state of the database with the number up to
// which the event log is in it.
func (db *DB) Alerts(ctx context.Context, s core.Scope, f alerts.Filter) (alerts.Snapshot, error) {
	var snap alerts.Snapshot
	err := db.pool.InSnapshot(ctx, func(tx pgx.Tx) (err error) {
		if snap.Epoch, snap.Head, err = eventlog.HeadIn(ctx, tx); err != nil {
			return err
		}
		if snap.Alerts, err = listAlerts(ctx, tx, s, f); err != nil || !f.Count {
			return err
		}
		return countAlerts(ctx, tx, s, f, &snap.Count)
	})
	return snap, pg.MapErr(err, "list alerts")
}

// Alert returns one alert; fault.NotFound when it is not the scope's.
func (db *DB) Alert(ctx context.Context, s core.Scope, id int64) (alerts.Alert, error) {
	var a alerts.Alert
	err := db.pool.QueryRow(ctx, `select a.body from alert a where `+Visible+` and a.id = $2`, s.Division, id).Scan(&a)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, errNoAlert(id)
	}
	return a, pg.MapErr(err, "read the alert")
}

// maxHistory bounds what is read of one alert's history, and of its messages.
const maxHistory = 1000

// History returns the alert's audit rows in their order; the newest 1,000. The caller has checked the scope.
func (db *DB) History(ctx context.Context, id int64) ([]alerts.Audit, error) {
	rows, err := db.pool.Query(ctx, `
		select id, at, actor, division_code, step, before, after, note, level from (
			select * from alert_audit where alert_id = $1 order by id desc limit $2) h order by id`, id, maxHistory)
	if err != nil {
		return nil, pg.MapErr(err, "read the alert's history")
	}
	history, err := pgx.CollectRows(rows, pgx.RowToStructByPos[alerts.Audit])
	return history, pg.MapErr(err, "read the alert's history")
}

// Messages returns the alert's CAP messages, oldest first; the newest 1,000. The caller has checked the scope.
func (db *DB) Messages(ctx context.Context, id int64) ([]alerts.Message, error) {
	return db.messages(ctx, `where m.identifier in (
		select n.identifier from cap_message n where n.alert_id = $1 order by n.sent desc, n.identifier desc limit $2)
		order by sent, identifier`, id, maxHistory)
}

// messages reads CAP messages m by what follows in the statement.
func (db *DB) messages(ctx context.Context, where string, args ...any) ([]alerts.Message, error) {
	rows, err := db.pool.Query(ctx, `
		select m.identifier, m.alert_id, m.msg_type, m.sent, m.expires, m.xml from cap_message m `+where, args...)
	if err != nil {
		return nil, pg.MapErr(err, "read CAP messages")
	}
	messages, err := pgx.CollectRows(rows, pgx.RowToStructByPos[alerts.Message])
	return messages, pg.MapErr(err, "read CAP messages")
}

// MessageByIdentifier returns one CAP message; fault.NotFound when its alert is not the scope's.
func (db *DB) MessageByIdentifier(ctx context.Context, s core.Scope, identifier string) (alerts.Message, error) {
	found, err := db.messages(ctx, `join alert a on a.id = m.alert_id where `+Visible+` and m.identifier = $2`,
		s.Division, text.MakeStorable(identifier))
	if err != nil {
		return alerts.Message{}, err
	}
	if len(found) == 0 {
		return alerts.Message{}, fault.New(fault.NotFound, "there is no such message")
	}
	return found[0], nil
}

// CurrentMessages returns the newest message of each of the scope's alerts, unless it has expired:
// of an alert that has cleared, its all-clear. Newest first, at most limit, after the message of an identifier (empty:
// from the newest).
func (db *DB) CurrentMessages(ctx context.Context, s core.Scope, now time.Time, after string, limit int) ([]alerts.Message, error) {
	return db.messages(ctx, `join alert a on a.id = m.alert_id
		where `+Visible+` and m.expires > $2
			and not exists (select from cap_message n where n.alert_id = m.alert_id and (n.sent, n.identifier) > (m.sent, m.identifier))
			and ($3 = '' or exists (
				select from cap_message b where b.identifier = $3 and (m.sent < b.sent or (m.sent = b.sent and m.identifier > b.identifier))))
		order by m.sent desc, m.identifier limit $4`, s.Division, now, text.MakeStorable(after), core.Page{Limit: limit}.Length())
}

// handlingEvent is the event that each handling step writes.
func handlingEvent(a alerts.Action) (string, error) {
	switch a {
	case alerts.ActAcknowledge:
		return alerts.EventAcknowledged, nil
	case alerts.ActAssign:
		return alerts.EventAssigned, nil
	case alerts.ActResolve:
		return alerts.EventResolved, nil
	case alerts.ActClose:
		return alerts.EventClosed, nil
	}
	return "", fault.InvalidField("action", "%q is no step of handling", string(a))
}

// Handle applies a person's step to the alert as locked. What next makes of it is stored with its
// audit row and its event. A step that had been taken already leaves nothing, but for the first
// acknowledgement by an actor whose unit has confirmed: that is a line of the history and an event.
// fault.NotFound when the alert is not the scope's; what next refuses is returned as it is.
func (db *DB) Handle(
	ctx context.Context, s core.Scope, c alerts.Command, next func(alerts.Alert) (alerts.Alert, bool, error),
) (alerts.Alert, error) {
	kind, err := handlingEvent(c.Action)
	if err != nil {
		return alerts.Alert{}, err
	}
	var result alerts.Alert
	err = db.pool.InTx(ctx, func(tx pgx.Tx) error {
		if err := pg.BoundWaits(ctx, tx); err != nil {
			return err
		}
		var before alerts.Alert
		err := tx.QueryRow(ctx, `select a.body from alert a where `+Visible+` and a.id = $2 for no key update`,
			s.Division, c.AlertID).Scan(&before)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNoAlert(c.AlertID)
		}
		if err != nil {
			return err
		}
		after, changed, err := next(before)
		if err != nil {
			return err
		}
		result, err = storeHandling(ctx, tx, c, kind, before, after, changed)
		return err
	})
	return result, pg.MapErr(err, "handle the alert")
}

// storeHandling writes a step and returns the alert as it then stands.
func storeHandling(
	ctx context.Context, tx pgx.Tx, c alerts.Command, kind string, before, after alerts.Alert, changed bool,
) (alerts.Alert, error) {
	result := before
	if changed {
		result.Handling, result.Assignee = after.Handling, after.Assignee
		result.HandledLevel, result.Confirmations = after.HandledLevel, after.Confirmations
		result.UpdatedAt, result.Version = c.At, before.Version+1
		if err := updateAlert(ctx, tx, result); err != nil {
			return result, err
		}
	} else {
		first, err := firstAcknowledgement(ctx, tx, c)
		if err != nil || !first {
			return result, err
		}
	}
	note := c.Note
	if c.Action == alerts.ActAssign {
		note = strings.TrimSuffix("→ "+result.Assignee+": "+c.Note, ": ")
	}
	err := writeAudit(ctx, tx, c.AlertID, alerts.Audit{
		At: c.At, Actor: c.Actor, Division: c.Division, Step: string(c.Action),
		Before: string(before.Handling), After: string(result.Handling), Note: note, Level: result.Level,
	})
	if err != nil {
		return result, err
	}
	levels, err := deviceLevels(ctx, tx, []alerts.Alert{result})
	if err != nil {
		return result, err
	}
	return result, appendAlertEvent(ctx, tx, kind, c.Actor, alerts.Event{
		Alert: result, DeviceLevel: levels[result.DeviceID], Note: c.Note,
	})
}

// firstAcknowledgement reports whether the command is an acknowledgement by somebody who has taken no
// step that still confirms this alert.
func firstAcknowledgement(ctx context.Context, tx pgx.Tx, c alerts.Command) (bool, error) {
	if c.Action != alerts.ActAcknowledge {
		return false, nil
	}
	var had bool
	err := tx.QueryRow(ctx, `
		select exists (select from alert_audit u where u.alert_id = $1 and u.actor = $2 and `+stillConfirms+`)`,
		c.AlertID, c.Actor).Scan(&had)
	return !had, err
}

// alertSubject is the alert's id as events carry it.
func alertSubject(id int64) string { return strconv.FormatInt(id, 10) }

// Instance is the UUID that the database was made with; it stays with the data, wherever they are moved.
func (db *DB) Instance(ctx context.Context) (string, error) { return db.pool.Instance(ctx) }
