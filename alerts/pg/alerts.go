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

// Visible is the SQL condition that the scope $1 may see the alert a: the alert lies in the scope, or it is addressed
// to a division inside or above the scope. A statement that uses it must name the table alert a and pass the division
// of the scope as its first argument.
const Visible = `(scope_covers($1, a.division_code) or scope_covers_any($1, a.divisions))`

// errNoAlert returns the error for an alert that does not exist or is not in the scope of the caller. Both cases have
// the same error, so that a caller cannot find out whether an alert of another division exists.
func errNoAlert(id int64) error { return fault.NewCoded(fault.NotFound, "", alerts.CodeNoAlert, id) }

// Alerts lists the alerts of the scope that match the filter, newest first. The head of the event log comes from the
// same database snapshot, so the list contains exactly the events up to the head.
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

// Alert returns one alert. It returns fault.NotFound if the scope has no such alert.
func (db *DB) Alert(ctx context.Context, s core.Scope, id int64) (alerts.Alert, error) {
	var a alerts.Alert
	err := db.pool.QueryRow(ctx, `select a.body from alert a where `+Visible+` and a.id = $2`, s.Division, id).Scan(&a)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, errNoAlert(id)
	}
	return a, pg.MapErr(err, "read the alert")
}

// maxHistory is the largest number of audit rows, and of CAP messages, that are read of one alert.
const maxHistory = 1000

// History returns the newest maxHistory audit rows of the alert, oldest first. It does not check the scope; the caller
// must.
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

// Messages returns the newest maxHistory CAP messages of the alert, oldest first. It does not check the scope; the
// caller must.
func (db *DB) Messages(ctx context.Context, id int64) ([]alerts.Message, error) {
	return db.messages(ctx, `where m.identifier in (
		select n.identifier from cap_message n where n.alert_id = $1 order by n.sent desc, n.identifier desc limit $2)
		order by sent, identifier`, id, maxHistory)
}

// messages reads CAP messages. where is the rest of the statement after "from cap_message m": joins, condition, order
// and limit.
func (db *DB) messages(ctx context.Context, where string, args ...any) ([]alerts.Message, error) {
	rows, err := db.pool.Query(ctx, `
		select m.identifier, m.alert_id, m.msg_type, m.sent, m.expires, m.xml from cap_message m `+where, args...)
	if err != nil {
		return nil, pg.MapErr(err, "read CAP messages")
	}
	messages, err := pgx.CollectRows(rows, pgx.RowToStructByPos[alerts.Message])
	return messages, pg.MapErr(err, "read CAP messages")
}

// MessageByIdentifier returns one CAP message. It returns fault.NotFound if there is none with this identifier or if its
// alert is not in the scope.
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

// CurrentMessages returns the newest message of each alert of the scope if that message has not expired at now. For a
// cleared alert this is the all-clear. The order is newest first, and by identifier among messages of the same time. The
// result starts after the message with the identifier after, or at the newest message if after is empty. It has at most
// limit messages, and none if no message has the identifier after.
func (db *DB) CurrentMessages(ctx context.Context, s core.Scope, now time.Time, after string, limit int) ([]alerts.Message, error) {
	return db.messages(ctx, `join alert a on a.id = m.alert_id
		where `+Visible+` and m.expires > $2
			and not exists (select from cap_message n where n.alert_id = m.alert_id and (n.sent, n.identifier) > (m.sent, m.identifier))
			and ($3 = '' or exists (
				select from cap_message b where b.identifier = $3 and (m.sent < b.sent or (m.sent = b.sent and m.identifier > b.identifier))))
		order by m.sent desc, m.identifier limit $4`, s.Division, now, text.MakeStorable(after), core.Page{Limit: limit}.Length())
}

// handlingEvent returns the kind of event that a handling step writes. It returns fault.Invalid if the action is
// unknown.
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

// Handle takes one handling step. It locks the alert, calls next with it, and stores the result of next with an audit
// row and an event, in one transaction. next holds the rules of handling; it sees the locked row, so the engine and
// other people cannot change the alert between the decision and the write. next returns false if the step changes
// nothing. Then nothing is written, with one exception: the first acknowledgement by a person whose unit has already
// confirmed writes an audit row and an event. Handle returns the alert after the step. It returns fault.NotFound if the
// scope has no such alert. An error of next is wrapped and keeps its kind and code.
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
		// The lock "for no key update" stops other writers of the alert. It is weaker than "for update", so that rows that
		// reference the alert, such as receipts, can still be inserted meanwhile.
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

// storeHandling writes a step: the alert if it changed, then the audit row, and last the event. It returns the alert
// after the step. It copies only the fields of handling from after.
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
	// The audit row has no column for the assignee, so the note of an assign step starts with it: "→ login: note".
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

// firstAcknowledgement reports whether the command is an acknowledge by a person who has no earlier step that still
// confirms this alert.
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

// alertSubject returns the alert's id as the subject of an event.
func alertSubject(id int64) string { return strconv.FormatInt(id, 10) }

// Instance returns the UUID that the first migration gave the database. It stays the same when the data are moved to
// another server.
func (db *DB) Instance(ctx context.Context) (string, error) { return db.pool.Instance(ctx) }
