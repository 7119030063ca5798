package sensorspg

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/text"
	"onemap/sensors"
)

var _ sensors.DeviceReader = (*DB)(nil)

// maxObservations is the largest number of readings that Observations returns.
const maxObservations = 50_000

// Devices returns the devices of the scope with ids after the given one, at most limit of them in the order of ids (0: all).
// They are read in one snapshot, with their latest readings and alert levels, and with the positions of the event log and the
// batches. So a client can continue with the events and batches after these positions.
func (db *DB) Devices(ctx context.Context, s core.Scope, after string, limit int) (sensors.Snapshot, error) {
	var snap sensors.Snapshot
	err := db.pool.InSnapshot(ctx, func(tx pgx.Tx) (err error) {
		if snap.Epoch, snap.Head, err = eventlog.HeadIn(ctx, tx); err != nil {
			return err
		}
		if snap.Batch, err = headBatchOf(ctx, tx); err != nil {
			return err
		}
		snap.Devices, err = devicesOf(ctx, tx, s, `d.id > $2 order by d.id limit nullif($3::bigint, 0)`, text.MakeStorable(after), limit)
		return err
	})
	return snap, pg.MapErr(err, "list devices")
}

// Device returns one device. It returns fault.NotFound if the scope does not cover it.
func (db *DB) Device(ctx context.Context, s core.Scope, id string) (sensors.Device, error) {
	if id == "" {
		return sensors.Device{}, fault.New(fault.NotFound, "there is no such device")
	}
	var found []sensors.Device
	err := db.pool.InSnapshot(ctx, func(tx pgx.Tx) (err error) {
		found, err = devicesOf(ctx, tx, s, `d.id = $2`, text.MakeStorable(id))
		return err
	})
	if err != nil {
		return sensors.Device{}, pg.MapErr(err, "read the device")
	}
	if len(found) == 0 {
		return sensors.Device{}, fault.New(fault.NotFound, "there is no such device")
	}
	return found[0], nil
}

// devicesOf returns the devices that the scope covers and that satisfy the SQL condition in which, whose arguments begin at
// $2.
func devicesOf(ctx context.Context, tx pgx.Tx, s core.Scope, which string, args ...any) ([]sensors.Device, error) {
	rows, err := tx.Query(ctx, `
		select `+deviceColumns+`, coalesce(encode(d.cert_sha256, 'hex'), ''),
			coalesce((select min(a.level) from alert a where a.device_id = d.id and a.detection <> 'cleared'), 0)
		from device d`+devicePresence+` where scope_covers($1, d.division_code) and `+which, append([]any{s.Division}, args...)...)
	if err != nil {
		return nil, err
	}
	devices, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d sensors.Device, err error) {
		err = row.Scan(append(deviceTargets(&d), &d.Certificate, &d.Level)...)
		d.Streams = []sensors.Datastream{}
		return d, err
	})
	if err != nil {
		return nil, err
	}
	// The datastreams and readings of all devices are read by one query each, and attached by the id.
	byID := make(map[string]*sensors.Device, len(devices))
	ids := make([]string, len(devices))
	for i := range devices {
		ids[i] = devices[i].ID
		byID[ids[i]] = &devices[i]
	}
	if err := attachStreams(ctx, tx, byID, ids); err != nil {
		return nil, err
	}
	return devices, attachLatest(ctx, tx, byID, ids)
}

// attachLatest sets the newest reading of each datastream. It also updates the device's last-seen time from it, because the
// column last_seen is less exact.
func attachLatest(ctx context.Context, tx pgx.Tx, byID map[string]*sensors.Device, ids []string) error {
	rows, err := tx.Query(ctx, `
		select s.device_id, l.datastream_id, l.ts, l.value, l.qc, l.time_source, l.received_at
		from latest l join datastream s on s.id = l.datastream_id where s.device_id = any($1)`, ids)
	if err != nil {
		return err
	}
	var device string
	var o sensors.Observation
	targets := []any{&device, &o.DatastreamID, &o.Time, &o.Value, &o.QC, &o.TimeSource, &o.ReceivedAt}
	_, err = pgx.ForEachRow(rows, targets, func() error {
		d := byID[device]
		if d == nil {
			return nil
		}
		d.LastSeen = later(d.LastSeen, o.ReceivedAt)
		// attachStreams sets the datastreams of a device in the order of their ids.
		i, ok := slices.BinarySearchFunc(d.Streams, o.DatastreamID, func(s sensors.Datastream, id int64) int {
			return int(min(max(s.ID-id, -1), 1))
		})
		if ok {
			reading := o
			d.Streams[i].Latest = &reading
		}
		return nil
	})
	return err
}

// DatastreamType returns the code of a datastream's type. It returns fault.NotFound if the scope does not cover its device.
func (db *DB) DatastreamType(ctx context.Context, s core.Scope, id int64) (code string, err error) {
	err = db.pool.QueryRow(ctx, `
		select s.type from datastream s join device d on d.id = s.device_id where s.id = $2 and scope_covers($1, d.division_code)`,
		s.Division, id).Scan(&code)
	return code, pg.MapErr(err, "there is no such datastream")
}

// Observations returns at most limit readings of a datastream in [from, to), in time order. If there are more, it returns the
// newest. It returns fault.NotFound if the scope does not cover the device.
func (db *DB) Observations(
	ctx context.Context, s core.Scope, datastream int64, from, to time.Time, limit int,
) (obs []sensors.Observation, more bool, err error) {
	limit = min(max(limit, 1), maxObservations)
	retention, err := db.retentionOf(ctx, s, datastream)
	if err != nil {
		return nil, false, err
	}
	// The conditions on retention, datastream and time let the planner read only the partitions of the period. One
	// reading more than the limit shows whether there are older ones.
	rows, err := db.pool.Query(ctx, `
		select datastream_id, ts, value, qc, time_source, received_at from observation
		where retention = $1 and datastream_id = $2 and ts >= $3 and ts < $4
		order by ts desc limit $5`, retention, datastream, from, to, limit+1)
	if err != nil {
		return nil, false, pg.MapErr(err, "read observations")
	}
	obs, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (o sensors.Observation, err error) {
		err = row.Scan(&o.DatastreamID, &o.Time, &o.Value, &o.QC, &o.TimeSource, &o.ReceivedAt)
		return o, err
	})
	if err != nil {
		return nil, false, pg.MapErr(err, "read observations")
	}
	// The rows are newest first, so the cut removes the oldest one.
	if more = len(obs) > limit; more {
		obs = obs[:limit]
	}
	slices.Reverse(obs)
	return obs, more, nil
}

// Quarantine returns rows of the quarantine, newest first.
func (db *DB) Quarantine(ctx context.Context, p core.Page) ([]sensors.Quarantined, error) {
	rows, err := db.pool.Query(ctx, `
		select id, at, device_id, topic, reason, detail, faults, payload, size, more, more_bytes from quarantine
		where $1::bigint <= 0 or id < $1 order by id desc limit $2`, p.Before, p.Length())
	if err != nil {
		return nil, pg.MapErr(err, "list the quarantine")
	}
	qs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (q sensors.Quarantined, err error) {
		err = row.Scan(&q.ID, &q.At, &q.DeviceID, &q.Topic, &q.Reason, &q.Detail, &q.Faults, &q.Payload, &q.Size, &q.More, &q.MoreBytes)
		return q.Summed(), err
	})
	return qs, pg.MapErr(err, "list the quarantine")
}
