package sensorspg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/pg"
	"onemap/sensors"
)

// Targets returns every datastream with its latest reading, device, type and hazard type. The devices have no alert level.
// Disabled devices are included; see Enabled.
func (db *DB) Targets(ctx context.Context) ([]sensors.Target, error) {
	rows, err := db.pool.Query(ctx, `
		select `+streamColumns+`, `+deviceColumns+`, `+typeColumns+`, `+hazardColumns+`,
			l.ts, coalesce(l.value, 0), coalesce(l.qc, 0), coalesce(l.time_source, 0), l.received_at
		from datastream s join device d on d.id = s.device_id
		join datastream_type t on t.code = s.type join hazard_type h on h.code = t.hazard_type
		left join latest l on l.datastream_id = s.id`+streamSilence+devicePresence+`
		order by s.id`)
	if err != nil {
		return nil, pg.MapErr(err, "list the rules' targets")
	}
	devices, types, hazards := map[string]*sensors.Device{}, map[string]*sensors.DatastreamType{}, map[string]*sensors.HazardType{}
	targets, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t sensors.Target, err error) {
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
		// A datastream without a reading has no row in latest, so the left join returns null.
		if at == nil {
			return t, nil
		}
		o.DatastreamID, o.Time, o.ReceivedAt = t.Datastream.ID, *at, *received
		t.Datastream.Latest = &o
		return t, nil
	})
	return targets, pg.MapErr(err, "list the rules' targets")
}

// shared returns the value that is known under the key. The first one becomes known. So datastreams of one device share one
// Device.
func shared[T any](known map[string]*T, key string, v *T) *T {
	if first, ok := known[key]; ok {
		return first
	}
	known[key] = v
	return v
}
