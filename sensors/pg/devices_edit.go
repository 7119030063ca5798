package sensorspg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/pg"
	"onemap/internal/searchtext"
	"onemap/internal/text"
	"onemap/sensors"
)

var (
	_ sensors.DeviceWriter = (*DB)(nil)
	_ sensors.DeviceSeeder = (*DB)(nil)
)

// CreateDevice stores a device with its datastreams and returns it with their ids. It returns fault.Conflict if the id is
// taken, and fault.Invalid with the field if the hazard type or a datastream type is unknown.
func (db *DB) CreateDevice(ctx context.Context, d sensors.Device, secretSHA256 []byte, actor string) (sensors.Device, error) {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			insert into device (id, division_code, name_zh, name_en, hazard_type, site, geom, secret_sha256, origin, source, enabled, search)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, true, $11)
			on conflict (id) do nothing`,
			d.ID, d.Division, d.Name.ZH, d.Name.EN, d.HazardType, d.Site, orb.Point{d.Lon, d.Lat},
			secretSHA256, d.Origin, d.Source, deviceSearch(d))
		if err != nil {
			return explainDevice(err)
		}
		if tag.RowsAffected() == 0 {
			return &fault.Error{Kind: fault.Conflict, Field: "id", Msg: "a device with this id is there already"}
		}
		// 0 is stored as null, which means the interval of the type.
		for i := range d.Streams {
			s := &d.Streams[i]
			s.DeviceID, s.Latest = d.ID, nil
			err := tx.QueryRow(ctx, `
				insert into datastream (device_id, name, type, title_zh, title_en, interval_s)
				values ($1, $2, $3, $4, $5, nullif($6::int, 0)) returning id`,
				d.ID, s.Name, s.Type, s.Title.ZH, s.Title.EN, s.IntervalS).Scan(&s.ID)
			if err != nil {
				return explainDevice(err)
			}
		}
		// The event is last, because the lock of the event log is held from here to the commit.
		return registryChanged(ctx, tx, d.ID, d.Division, actor)
	})
	if err != nil {
		return sensors.Device{}, pg.MapErr(err, "create the device")
	}
	return db.Device(ctx, core.Scope{Division: d.Division}, d.ID)
}

// SetSecret replaces a device's secret.
func (db *DB) SetSecret(ctx context.Context, s core.Scope, id string, secretSHA256 []byte, actor string) error {
	return db.changeDevice(ctx, s, id, actor, `update device set secret_sha256 = $3`, secretSHA256)
}

// SetCertificate replaces the fingerprint of a device's client certificate; nil removes it.
func (db *DB) SetCertificate(ctx context.Context, s core.Scope, id string, certSHA256 []byte, actor string) error {
	return db.changeDevice(ctx, s, id, actor, `update device set cert_sha256 = $3`, certSHA256)
}

// SetEnabled enables or disables a device. A disabled device cannot publish.
func (db *DB) SetEnabled(ctx context.Context, s core.Scope, id string, enabled bool, actor string) error {
	return db.changeDevice(ctx, s, id, actor, `update device set enabled = $3`, enabled)
}

// SetInterval sets the expected interval of a datastream in seconds; 0 means the interval of its type. It returns fault.NotFound
// if the scope does not cover the device.
func (db *DB) SetInterval(ctx context.Context, s core.Scope, datastream int64, seconds int, actor string) (sensors.Datastream, error) {
	var out sensors.Datastream
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		var device, division string
		err := tx.QueryRow(ctx, `
			update datastream s set interval_s = nullif($3::int, 0) from device d
			where s.id = $1 and d.id = s.device_id and scope_covers($2, d.division_code)
			returning d.id, d.division_code`, datastream, s.Division, seconds).Scan(&device, &division)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.NotFound, "there is no such datastream")
		}
		if err != nil {
			return explainDevice(err)
		}
		// The datastream is read again, because the result also has the interval of its type and its stale state.
		err = tx.QueryRow(ctx, `select `+streamColumns+` from datastream s
			join datastream_type t on t.code = s.type`+streamSilence+` where s.id = $1`, datastream).Scan(streamTargets(&out)...)
		if err != nil {
			return err
		}
		return registryChanged(ctx, tx, device, division, actor)
	})
	return out, pg.MapErr(err, "set the datastream's interval")
}

// changeDevice runs one update of a device and writes its event; it returns fault.NotFound if the scope does not cover the device.
func (db *DB) changeDevice(ctx context.Context, s core.Scope, id, actor, update string, value any) error {
	err := db.pool.InTx(ctx, func(tx pgx.Tx) error {
		var division string
		err := tx.QueryRow(ctx, update+` where id = $1 and scope_covers($2, division_code) returning division_code`,
			text.MakeStorable(id), s.Division, value).Scan(&division)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.NotFound, "there is no such device")
		}
		if err != nil {
			return explainDevice(err)
		}
		return registryChanged(ctx, tx, id, division, actor)
	})
	return pg.MapErr(err, "change the device")
}

// explainDevice converts a constraint violation of the device tables to an error that names the field.
func explainDevice(err error) error {
	field, msg := "", ""
	switch pg.Constraint(err) {
	case "device_id_check":
		field, msg = "id", "1 to 64 of A-Z a-z 0-9 _ and -"
	case "device_hazard_type_fkey":
		field, msg = "hazard_type", "there is no such hazard type"
	case "datastream_type_fkey":
		field, msg = "datastreams.type", "there is no such datastream type"
	case "datastream_interval_s_check":
		field, msg = "datastreams.interval_s", "1 second to 7 days"
	case "device_cert_sha256_key":
		taken := fault.NewCoded(fault.Conflict, "sha256", sensors.CodeCertificateTaken)
		taken.Err = err
		return taken
	case "datastream_device_id_name_key":
		field, msg = "datastreams.name", "two datastreams have the same name"
	default:
		return err
	}
	return &fault.Error{Kind: fault.Invalid, Field: field, Msg: msg, Err: err}
}

// deviceSearch returns the text by which Search finds a device.
func deviceSearch(d sensors.Device) string { return searchtext.Lines(d.Name, d.ID, d.Site) }
