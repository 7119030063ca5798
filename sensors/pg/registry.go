package sensorspg

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/pg"
	"onemap/sensors"
)

var _ sensors.RegistryStore = (*DB)(nil)

// LoadRegistry implements sensors.RegistryStore. It returns every enabled device in the order of ids, with its datastreams,
// the hashes of its credentials and the times of its newest readings, but without the readings.
func (db *DB) LoadRegistry(ctx context.Context) ([]sensors.RegisteredDevice, error) {
	var out []sensors.RegisteredDevice
	db.places.forget() // the type of a datastream, or the retention class of a type, may have changed
	err := db.pool.InSnapshot(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select `+deviceColumns+`, d.secret_sha256, d.cert_sha256 from device d`+devicePresence+` where d.enabled order by d.id`)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r sensors.RegisteredDevice, err error) {
			err = row.Scan(append(deviceTargets(&r.Device), &r.SecretSHA256, &r.CertSHA256)...)
			return r, err
		})
		if err != nil {
			return err
		}
		byID := make(map[string]*sensors.Device, len(out))
		for i := range out {
			byID[out[i].ID] = &out[i].Device
		}
		if err := attachStreams(ctx, tx, byID, nil); err != nil {
			return err
		}
		return attachNewest(ctx, tx, out)
	})
	return out, pg.MapErr(err, "load the registry")
}

// RegistrySeq returns the seq of the last registry.changed event. It returns 0 if there is none.
func (db *DB) RegistrySeq(ctx context.Context) (int64, error) {
	var seq int64
	err := db.pool.QueryRow(ctx, `select coalesce(max(seq), 0) from event_log where kind = $1`, sensors.EventRegistryChanged).Scan(&seq)
	return seq, pg.MapErr(err, "ask for changes of the devices")
}

// newestSQL returns the state time of the newest reading of each datastream. If the device's clock is behind, it also returns the
// event time that the device sent for it, which is about the clock offset before the state time.
const newestSQL = `
	select s.device_id, l.datastream_id, l.ts, n.said
	from latest l join datastream s on s.id = l.datastream_id join device d on d.id = s.device_id
	join datastream_type t on t.code = s.type
	left join lateral (
		select max(said.ts) as said from (
			select o.ts from observation o
			where o.retention = t.retention and o.datastream_id = l.datastream_id and o.received_at = l.received_at
				and o.ts between l.ts + make_interval(secs => 1.02 * d.clock_offset_s - 120) and l.ts + make_interval(secs => 0.98 * d.clock_offset_s + 120)
			union all
			select c.ts from observation_conflict c
			where c.datastream_id = l.datastream_id and c.received_at = l.received_at
				and c.ts between l.ts + make_interval(secs => 1.02 * d.clock_offset_s - 120) and l.ts + make_interval(secs => 0.98 * d.clock_offset_s + 120)
		) said where d.clock_offset_s < 0 and l.time_source = $1
	) n on true
	where d.enabled`

// attachNewest sets the times of each device's newest readings.
func attachNewest(ctx context.Context, tx pgx.Tx, devices []sensors.RegisteredDevice) error {
	byID := make(map[string]*sensors.RegisteredDevice, len(devices))
	for i := range devices {
		byID[devices[i].ID] = &devices[i]
	}
	rows, err := tx.Query(ctx, newestSQL, int16(sensors.TimeWrong))
	if err != nil {
		return err
	}
	var device string
	var id int64
	var place time.Time
	var deviceTime *time.Time
	_, err = pgx.ForEachRow(rows, []any{&device, &id, &place, &deviceTime}, func() error {
		d := byID[device]
		if d == nil {
			return nil
		}
		if d.Newest == nil {
			d.Newest = make(map[int64]sensors.NewestTimes, len(d.Streams))
		}
		at := sensors.NewestTimes{Place: place.UTC()}
		if deviceTime != nil {
			at.DeviceTime = deviceTime.UTC()
		}
		d.Newest[id] = at
		return nil
	})
	return err
}

// DatastreamTypes returns all types in the order of their codes.
func (db *DB) DatastreamTypes(ctx context.Context) ([]sensors.DatastreamType, error) {
	rows, err := db.pool.Query(ctx, `select `+typeColumns+` from datastream_type t order by t.code`)
	if err != nil {
		return nil, pg.MapErr(err, "list datastream types")
	}
	types, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t sensors.DatastreamType, err error) {
		err = row.Scan(typeTargets(&t)...)
		return t, err
	})
	return types, pg.MapErr(err, "list datastream types")
}

// HazardTypes returns all types in the order of their codes.
func (db *DB) HazardTypes(ctx context.Context) ([]sensors.HazardType, error) {
	rows, err := db.pool.Query(ctx, `select `+hazardColumns+` from hazard_type h order by h.code`)
	if err != nil {
		return nil, pg.MapErr(err, "list hazard types")
	}
	types, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h sensors.HazardType, err error) {
		err = row.Scan(hazardTargets(&h)...)
		return h, err
	})
	return types, pg.MapErr(err, "list hazard types")
}

// The columns of a device d with devicePresence, of a datastream s with streamSilence and its datastream_type t, and of a
// hazard_type h. The functions below return their scan targets.
const (
	deviceColumns = `d.id, d.division_code, d.name_zh, d.name_en, d.hazard_type, d.site, st_x(d.geom), st_y(d.geom),
		d.origin, d.source, d.enabled, case when n.news then d.online else coalesce(p.online, d.online) end,
		case when n.news then d.status_at else coalesce(p.since, d.status_at) end,
		case when n.news then 'status' else coalesce(p.reason, '') end, d.last_seen, d.clock_offset_s, coalesce(uneval.reason, ''), uneval.since`
	streamColumns = `s.id, s.device_id, s.name, s.type, s.title_zh, s.title_en, coalesce(s.interval_s, t.interval_s), z.since`
	typeColumns   = `t.code, t.title_zh, t.title_en, t.unit, t.symbol, t.hazard_type, t.gross_min, t.gross_max,
		t.decimals, t.interval_s, t.retention`
	hazardColumns = `h.code, h.title_zh, h.title_en, h.sector, h.cap_category, h.radius_m, h.instruction_zh,
		h.instruction_en, h.lead_minutes`
)

// devicePresence joins the presence state of a device d that was last published. n.news is true if the device has since then
// reported a status that contradicts this state. streamSilence joins the stale state of a datastream s.
const (
	devicePresence = `
		left join device_presence p on p.device_id = d.id
		left join device_unevaluated uneval on uneval.device_id = d.id
		cross join lateral (
			select d.status_at > coalesce(p.since, '-infinity') and d.online is distinct from p.online
				and (d.online or d.status_at >= coalesce(d.last_seen, '-infinity')) as news
		) n`
	streamSilence = ` left join datastream_silence z on z.datastream_id = s.id`
)

// deviceTargets, streamTargets, typeTargets and hazardTargets return the scan targets of the columns above, in the same
// order.
func deviceTargets(d *sensors.Device) []any {
	return []any{
		&d.ID, &d.Division, &d.Name.ZH, &d.Name.EN, &d.HazardType, &d.Site, &d.Lon, &d.Lat,
		&d.Origin, &d.Source, &d.Enabled, &d.Online, &d.StatusAt, &d.Reason, &d.LastSeen, &d.ClockOffsetS, &d.Unevaluated, &d.UnevaluatedSince,
	}
}

// streamTargets returns the scan targets of streamColumns. IntervalS is in seconds.
func streamTargets(s *sensors.Datastream) []any {
	return []any{&s.ID, &s.DeviceID, &s.Name, &s.Type, &s.Title.ZH, &s.Title.EN, &s.IntervalS, &s.StaleSince}
}

// typeTargets returns the scan targets of typeColumns.
func typeTargets(t *sensors.DatastreamType) []any {
	return []any{
		&t.Code, &t.Title.ZH, &t.Title.EN, &t.Unit, &t.Symbol, &t.HazardType, &t.Min, &t.Max,
		&t.Decimals, &t.IntervalS, &t.Retention,
	}
}

// hazardTargets returns the scan targets of hazardColumns. RadiusM is in metres, and LeadMinutes in minutes.
func hazardTargets(h *sensors.HazardType) []any {
	return []any{
		&h.Code, &h.Title.ZH, &h.Title.EN, &h.Sector, &h.CAPCategory, &h.RadiusM, &h.Instruction.ZH,
		&h.Instruction.EN, &h.LeadMinutes,
	}
}

// attachStreams sets the datastreams of each device. It reads those of the devices with the given ids; nil means all devices.
func attachStreams(ctx context.Context, tx pgx.Tx, byID map[string]*sensors.Device, ids []string) error {
	rows, err := tx.Query(ctx, `
		select `+streamColumns+` from datastream s join datastream_type t on t.code = s.type`+streamSilence+`
		where $1::text[] is null or s.device_id = any($1)
		order by s.device_id, s.id`, ids)
	if err != nil {
		return err
	}
	var s sensors.Datastream
	_, err = pgx.ForEachRow(rows, streamTargets(&s), func() error {
		// A datastream of a device that was left out, such as a disabled one, is skipped.
		if d := byID[s.DeviceID]; d != nil {
			d.Streams = append(d.Streams, s)
		}
		return nil
	})
	return err
}

// registryChanged writes the event that a device was created or changed.
func registryChanged(ctx context.Context, tx pgx.Tx, device, division, actor string) error {
	payload, err := json.Marshal(map[string]string{"device": device})
	if err != nil {
		return err
	}
	// The event makes the registry of every node load the device again. It must be the last statement of the
	// transaction.
	_, err = eventlog.Append(ctx, tx, core.Event{
		Kind: sensors.EventRegistryChanged, Divisions: []string{division}, Subject: device, Actor: actor, Payload: payload,
	})
	return err
}
