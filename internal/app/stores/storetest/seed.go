package storetest

import (
	"context"
	"fmt"
	"testing"

	"onemap/internal/app/stores"

	"github.com/jackc/pgx/v5"

	"onemap/internal/core"
	"onemap/sensors"
)

// SeedDevices creates n devices in an empty, migrated database: dev-0, dev-1 and so on in division 370602. Each has a
// datastream "level" with the range -5 to 30 m and an interval of one minute. secret returns the secret of a device.
func SeedDevices(t testing.TB, url string, n int, secret func(id string) string) []sensors.Device {
	t.Helper()
	devices, err := seedDevices(t.Context(), url, n, secret)
	if err != nil {
		t.Fatalf("make the devices: %v", err)
	}
	return devices
}

func seedDevices(ctx context.Context, url string, n int, secret func(id string) string) ([]sensors.Device, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, `insert into division (code, name_zh, parent) values ('3706', '烟台市', '37'), ('370602', '芝罘区', '3706')`); err != nil {
		return nil, err
	}
	db, err := stores.Open(ctx, stores.Options{URL: url, MaxConns: 2})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := db.Sensors.PutHazardTypes(ctx, []sensors.HazardType{{Code: "flood", Title: core.Text{ZH: "洪水"}, Sector: "natural_disaster", CAPCategory: "Met", RadiusM: 2000, LeadMinutes: 60}}); err != nil {
		return nil, err
	}
	if err := db.Sensors.PutDatastreamTypes(ctx, []sensors.DatastreamType{{Code: "water_level", Title: core.Text{ZH: "水位"}, Unit: "m", HazardType: "flood", Min: -5, Max: 30, IntervalS: 60, Retention: "standard"}}); err != nil {
		return nil, err
	}
	devices := make([]sensors.Device, n)
	for i := range devices {
		id := fmt.Sprintf("dev-%d", i)
		devices[i], err = db.Sensors.CreateDevice(ctx, sensors.Device{
			ID: id, Division: "370602", Name: core.Text{ZH: "演示-水位站"}, HazardType: "flood", Lon: 121.4, Lat: 37.5,
			Origin: core.OriginSynthetic, Source: "test", Enabled: true, Streams: []sensors.Datastream{{Name: "level", Type: "water_level"}},
		}, sensors.HashSecret(secret(id)), "test")
		if err != nil {
			return nil, err
		}
	}
	return devices, nil
}
