package alertspg

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/alerts"
	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/text"
	"onemap/sensors"
)

var _ alerts.SilenceStore = (*DB)(nil)

// silenceColumns are the columns of a silence n, in the order of the fields of alerts.Silence.
const silenceColumns = `n.id, n.kind, n.device_id, n.type, n.division_code, n.level, n.reason, n.owner, n.owner_name,
	n.starts, n.ends, n.created_at, n.ended_at, n.ended_by`

// silenceVisible is the SQL condition that the silence n concerns the scope $1: one of its divisions is inside or above
// the scope.
const silenceVisible = `scope_covers_any($1, n.divisions)`

// errNoSilence returns the error for a silence that does not exist or does not concern the scope of the caller.
func errNoSilence(id int64) error {
	return fault.NewCoded(fault.NotFound, "", alerts.CodeNoSilence, id)
}

// Silences lists the silences that concern the scope, newest first. If current is true, it leaves out the silences that
// are over at now. A silence that has not started yet is included.
func (db *DB) Silences(ctx context.Context, s core.Scope, current bool, now time.Time, p core.Page) ([]alerts.Silence, error) {
	rows, err := db.pool.Query(ctx, `
		select `+silenceColumns+` from silence n
		where `+silenceVisible+` and (not $2 or (n.ended_at is null and n.ends > $3))
			and ($4::bigint <= 0 or n.id < $4) order by n.id desc limit $5`, s.Division, current, now, p.Before, p.Length())
	if err != nil {
		return nil, pg.MapErr(err, "list silences")
	}
	silences, err := pgx.CollectRows(rows, pgx.RowToStructByPos[alerts.Silence])
	return silences, pg.MapErr(err, "list silences")
}

// CreateSilence stores a silence and its event in one transaction and returns the silence with its id. divisions are the
// divisions that it concerns. They decide who sees the silence (silenceVisible) and who receives its event.
func (db *DB) CreateSilence(ctx context.Context, n alerts.Silence, divisions []string) (alerts.Silence, error) {
	var stored alerts.Silence
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		if err := pg.BoundWaits(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			insert into silence as n (kind, device_id, type, division_code, divisions, level, reason, owner, owner_name, starts, ends, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning `+silenceColumns,
			n.Kind, n.DeviceID, n.Type, n.Division, pg.Array(divisions), int16(n.Level), n.Reason, n.Owner, n.OwnerName, n.Starts, n.Ends, n.CreatedAt)
		if err != nil {
			return err
		}
		if stored, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[alerts.Silence]); err != nil {
			return err
		}
		return silenceChanged(ctx, tx, stored, divisions, n.Owner)
	})
	return stored, pg.MapErr(err, "store the silence")
}

// EndSilence ends a silence at now. It locks the silence and calls check with it and with the divisions that it
// concerns. An error of check refuses the change and is returned. A silence that is already over stays unchanged and is
// no error. EndSilence returns the silence as it is afterwards. It returns fault.NotFound if the silence does not
// concern the scope.
func (db *DB) EndSilence(
	ctx context.Context, s core.Scope, id int64, actor string, now time.Time, check func(alerts.Silence, []string) error,
) (alerts.Silence, error) {
	var n alerts.Silence
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		if err := pg.BoundWaits(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `select `+silenceColumns+` from silence n where `+silenceVisible+` and n.id = $2 for update`, s.Division, id)
		if err != nil {
			return err
		}
		if n, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[alerts.Silence]); errors.Is(err, pgx.ErrNoRows) {
			return errNoSilence(id)
		}
		if err != nil {
			return err
		}
		var divisions []string
		if err := tx.QueryRow(ctx, `select divisions from silence where id = $1`, id).Scan(&divisions); err != nil {
			return err
		}
		if err := check(n, divisions); err != nil || n.Over(now) {
			return err
		}
		n.EndedAt, n.EndedBy = &now, actor
		if _, err := tx.Exec(ctx, `update silence set ended_at = $2, ended_by = $3 where id = $1`, id, now, actor); err != nil {
			return err
		}
		return silenceChanged(ctx, tx, n, divisions, actor)
	})
	return n, pg.MapErr(err, "end the silence")
}

// silenceChanged writes the event of a new or ended silence. It takes the lock of the event log, so it must be the last
// write of the transaction.
func silenceChanged(ctx context.Context, tx pgx.Tx, n alerts.Silence, divisions []string, actor string) error {
	payload, err := json.Marshal(alerts.SilenceEvent{Silence: n})
	if err != nil {
		return err
	}
	_, err = eventlog.Append(ctx, tx, core.Event{
		Kind: alerts.EventSilenceChanged, Divisions: divisions, Subject: strconv.FormatInt(n.ID, 10), Actor: actor, Payload: payload,
	})
	return err
}

// DeviceDivision returns the division code of a device. It returns fault.NotFound if the device does not exist or is
// not in the scope.
func (db *DB) DeviceDivision(ctx context.Context, s core.Scope, device string) (string, error) {
	var division string
	err := db.pool.QueryRow(ctx, `select division_code from device where id = $2 and scope_covers($1, division_code)`,
		s.Division, text.MakeStorable(device)).Scan(&division)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fault.NewCoded(fault.NotFound, "device_id", sensors.CodeNoDevice, device)
	}
	return division, pg.MapErr(err, "look up the device")
}

// HasDatastreamType reports whether a datastream type with this code exists.
func (db *DB) HasDatastreamType(ctx context.Context, code string) (bool, error) {
	var has bool
	err := db.pool.QueryRow(ctx, `select exists (select from datastream_type where code = $1)`, text.MakeStorable(code)).Scan(&has)
	return has, pg.MapErr(err, "look up the datastream type")
}
