package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"onemap/internal/app/stores"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// Noon returns the time of the tests' readings.
func Noon() time.Time { return time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC) }

// CityScope returns the scope of the whole city.
func CityScope() core.Scope { return core.Scope{Division: "3706", Role: core.RoleCommander} }

// SecretOf returns the hash of a device's secret.
func SecretOf(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:]
}

// NewCity returns a database with the divisions 3706, 370602 and 370614 and n devices, alternately in the two counties. Each
// device has a level and a rain datastream.
func NewCity(t testing.TB, n int) *stores.Stores {
	t.Helper()
	db := NewDB(t)
	FillCity(t, db, n)
	return db
}

// NewCityAt is NewCity with a clock.
func NewCityAt(t testing.TB, n int, clock func() time.Time) *stores.Stores {
	t.Helper()
	db := NewDBAt(t, clock)
	FillCity(t, db, n)
	return db
}

// FillCity adds the divisions, types and devices of NewCity to a database.
func FillCity(t testing.TB, db *stores.Stores, n int) {
	t.Helper()
	ctx := t.Context()
	_, err := db.Pool().Exec(ctx, `
		insert into division (code, name_zh, name_en, parent) values
			('3706', '烟台市', 'Yantai', '37'), ('370602', '芝罘区', 'Zhifu', '3706'), ('370614', '蓬莱区', 'Penglai', '3706')`)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Sensors.PutHazardTypes(ctx, []sensors.HazardType{{
		Code: "flood", Title: core.Text{ZH: "洪水", EN: "Flood"}, Sector: "natural_disaster", CAPCategory: "Met",
		RadiusM: 2000, Instruction: core.Text{ZH: "撤离", EN: "Leave"}, LeadMinutes: 60,
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Sensors.PutDatastreamTypes(ctx, []sensors.DatastreamType{
		{Code: "level", Title: core.Text{ZH: "水位", EN: "Water level"}, Unit: "m", Symbol: "m", HazardType: "flood", Min: -10, Max: 100, IntervalS: 60, Retention: "standard"},
		{Code: "rain", Title: core.Text{ZH: "雨量", EN: "Rain"}, Unit: "mm/h", Symbol: "mm/h", HazardType: "flood", Min: 0, Max: 500, IntervalS: 60, Retention: "short"},
	})
	if err != nil {
		t.Fatal(err)
	}
	devices := make([]sensors.Device, n)
	for i := range devices {
		devices[i] = sensors.Device{
			ID: fmt.Sprintf("dev-%02d", i), Division: []string{"370602", "370614"}[i%2],
			Name: core.Text{ZH: fmt.Sprintf("演示-水位站%d", i)}, HazardType: "flood",
			Lon: 121.4, Lat: 37.5, Origin: core.OriginSynthetic, Source: "test",
			Streams: []sensors.Datastream{{Name: "level", Type: "level"}, {Name: "rain", Type: "rain"}},
		}
	}
	if err := db.Sensors.PutDevices(ctx, devices, SecretOf, nil); err != nil {
		t.Fatal(err)
	}
}

// StreamsOf returns the ids of the datastreams: level and then rain of each device.
func StreamsOf(t testing.TB, db *stores.Stores) []int64 {
	t.Helper()
	snap, err := db.Sensors.Devices(t.Context(), CityScope(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, d := range snap.Devices {
		for _, s := range d.Streams {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// Reading returns an observation that was measured some seconds after noon and received one second later.
func Reading(stream int64, seconds int, value float64) sensors.Observation {
	at := Noon().Add(time.Duration(seconds) * time.Second)
	return sensors.Observation{
		DatastreamID: stream, Time: at, Value: value, QC: sensors.QCGood, TimeSource: sensors.TimeDevice, ReceivedAt: at.Add(time.Second),
	}
}

// Commit stores observations as one batch.
func Commit(t testing.TB, db *stores.Stores, obs ...sensors.Observation) sensors.BatchResult {
	t.Helper()
	res, err := db.Sensors.CommitBatch(t.Context(), sensors.Batch{Observations: obs})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// Count runs a query and returns its single number.
func Count(t testing.TB, db *stores.Stores, sql string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := db.Pool().QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// PageOf returns a page.
func PageOf(limit int, before int64) core.Page { return core.Page{Limit: limit, Before: before} }

// FieldOf returns the field of an error. It returns "" if there is none.
func FieldOf(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Field
	}
	return ""
}
