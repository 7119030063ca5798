package sensorspg

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/internal/eventlog"
	"onemap/internal/pg"
	"onemap/sensors"
)

// seedChunk is the number of devices that one statement stores.
const seedChunk = 500

// PutHazardTypes stores the types by their codes. It replaces existing types.
func (db *DB) PutHazardTypes(ctx context.Context, types []sensors.HazardType) error {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		for _, h := range types {
			batch.Queue(`
				insert into hazard_type (code, title_zh, title_en, sector, cap_category, radius_m, instruction_zh, instruction_en, lead_minutes)
				values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
				on conflict (code) do update set title_zh = excluded.title_zh, title_en = excluded.title_en,
					sector = excluded.sector, cap_category = excluded.cap_category, radius_m = excluded.radius_m,
					instruction_zh = excluded.instruction_zh, instruction_en = excluded.instruction_en,
					lead_minutes = excluded.lead_minutes`,
				h.Code, h.Title.ZH, h.Title.EN, h.Sector, h.CAPCategory, h.RadiusM, h.Instruction.ZH, h.Instruction.EN, h.LeadMinutes)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	return pg.MapErr(err, "store hazard types")
}

// PutDatastreamTypes stores the types by their codes. It replaces existing types, except their retention class: stored readings
// are not moved to another partition, so the first retention class stays.
func (db *DB) PutDatastreamTypes(ctx context.Context, types []sensors.DatastreamType) error {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		for _, t := range types {
			retention := t.Retention
			if retention == "" {
				retention = "standard"
			}
			batch.Queue(`
				insert into datastream_type (code, title_zh, title_en, unit, symbol, hazard_type, gross_min, gross_max, decimals, interval_s, retention)
				values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
				on conflict (code) do update set title_zh = excluded.title_zh, title_en = excluded.title_en,
					unit = excluded.unit, symbol = excluded.symbol, hazard_type = excluded.hazard_type,
					gross_min = excluded.gross_min, gross_max = excluded.gross_max, decimals = excluded.decimals,
					interval_s = excluded.interval_s`,
				t.Code, t.Title.ZH, t.Title.EN, t.Unit, t.Symbol, t.HazardType, t.Min, t.Max, t.Decimals, t.IntervalS, retention)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	return pg.MapErr(err, "store datastream types")
}

// PutDevices stores devices with their datastreams in one transaction. Existing datastreams keep their ids and their
// observations. secretSHA256 returns the hash of a device's secret. If it returns nil, an existing device keeps its secret, and a
// new device cannot log in until it gets one. progress is called with the number of devices stored so far; it may be nil.
func (db *DB) PutDevices(
	ctx context.Context, devices []sensors.Device, secretSHA256 func(id string) []byte, progress func(done int),
) error {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		for start := 0; start < len(devices); start += seedChunk {
			chunk := devices[start:min(start+seedChunk, len(devices))]
			if err := putChunk(ctx, tx, chunk, secretSHA256); err != nil {
				return err
			}
			if progress != nil {
				progress(start + len(chunk))
			}
		}
		if len(devices) == 0 {
			return nil
		}
		// one event for all devices, and the last statement: the lock of the event log is held from here to the commit
		to, err := eventlog.Everywhere(ctx, tx)
		if err != nil {
			return err
		}
		payload, err := json.Marshal(map[string]int{"devices": len(devices)})
		if err != nil {
			return err
		}
		_, err = eventlog.Append(ctx, tx, core.Event{Kind: sensors.EventRegistryChanged, Divisions: to, Payload: payload})
		return err
	})
	return pg.MapErr(err, "store devices")
}

// putChunk stores one chunk in one round trip. It sets neither interval_s nor enabled, so a changed device keeps them.
func putChunk(ctx context.Context, tx pgx.Tx, devices []sensors.Device, secretSHA256 func(id string) []byte) error {
	batch := &pgx.Batch{}
	for _, d := range devices {
		var secret []byte
		if secretSHA256 != nil {
			secret = secretSHA256(d.ID)
		}
		batch.Queue(`
			insert into device as old (id, division_code, name_zh, name_en, hazard_type, site, geom, secret_sha256, origin, source, search)
			values ($1, $2, $3, $4, $5, $6, st_setsrid(st_makepoint($7, $8), 4326), coalesce($9, ''::bytea), $10, $11, $12)
			on conflict (id) do update set division_code = excluded.division_code, name_zh = excluded.name_zh,
				name_en = excluded.name_en, hazard_type = excluded.hazard_type, site = excluded.site, geom = excluded.geom,
				secret_sha256 = coalesce($9, old.secret_sha256), origin = excluded.origin, source = excluded.source,
				search = excluded.search`,
			d.ID, d.Division, d.Name.ZH, d.Name.EN, d.HazardType, d.Site, d.Lon, d.Lat, secret, d.Origin, d.Source, deviceSearch(d))
		for _, s := range d.Streams {
			batch.Queue(`
				insert into datastream (device_id, name, type, title_zh, title_en) values ($1, $2, $3, $4, $5)
				on conflict (device_id, name) do update set type = excluded.type, title_zh = excluded.title_zh, title_en = excluded.title_en`,
				d.ID, s.Name, s.Type, s.Title.ZH, s.Title.EN)
		}
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return explainDevice(err)
	}
	return nil
}
