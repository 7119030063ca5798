package store_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/store"
)

// noon is the time at which the tests' readings are taken.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// city is the scope of the whole city.
var city = core.Scope{Division: "3706", Role: core.RoleCommander}

func secretOf(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:]
}

// newCity is a database with the divisions 3706, 370602 and 370614 and n devices, every other one in
// each county, with a level and a rain datastream each.
func newCity(t testing.TB, n int) *store.DB {
	t.Helper()
	db := storetest.NewDB(t)
	fillCity(t, db, n)
	return db
}

func fillCity(t testing.TB, db *store.DB, n int) {
	t.Helper()
	ctx := t.Context()
	_, err := db.Pool().Exec(ctx, `
		insert into division (code, name_zh, name_en, parent) values
			('3706', '烟台市', 'Yantai', '37'), ('370602', '芝罘区', 'Zhifu', '3706'), ('370614', '蓬莱区', 'Penglai', '3706')`)
	if err != nil {
		t.Fatal(err)
	}
	err = db.PutHazardTypes(ctx, []sensors.HazardType{{
		Code: "flood", Title: core.Text{ZH: "洪水", EN: "Flood"}, Sector: "natural_disaster", CAPCategory: "Met",
		RadiusM: 2000, Instruction: core.Text{ZH: "撤离", EN: "Leave"}, LeadMinutes: 60,
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = db.PutDatastreamTypes(ctx, []sensors.DatastreamType{
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
	if err := db.PutDevices(ctx, devices, secretOf, nil); err != nil {
		t.Fatal(err)
	}
}

// streamsOf returns the datastreams' ids: of each device its level, then its rain.
func streamsOf(t testing.TB, db *store.DB) []int64 {
	t.Helper()
	snap, err := db.Devices(t.Context(), city, "", 0)
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

// reading is an observation taken some seconds after noon and received a second later.
func reading(stream int64, seconds int, value float64) sensors.Observation {
	at := noon.Add(time.Duration(seconds) * time.Second)
	return sensors.Observation{
		DatastreamID: stream, Time: at, Value: value, QC: sensors.QCGood, TimeSource: sensors.TimeDevice, ReceivedAt: at.Add(time.Second),
	}
}

func commit(t testing.TB, db *store.DB, obs ...sensors.Observation) sensors.BatchResult {
	t.Helper()
	res, err := db.CommitBatch(t.Context(), sensors.Batch{Observations: obs})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// count runs a query that gives one number.
func count(t testing.TB, db *store.DB, sql string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := db.Pool().QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func pageOf(limit int, before int64) core.Page { return core.Page{Limit: limit, Before: before} }

// fieldOf is the field that an error names.
func fieldOf(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Field
	}
	return ""
}

// tables reads what the model says.
func tables(t testing.TB, db *store.DB) model {
	t.Helper()
	m := model{make(map[modelKey]float64), make(map[int64]modelKey), make(map[modelKey]map[float64]bool)}
	var what string
	var k modelKey
	var at time.Time
	var value float64
	rows, err := db.Pool().Query(t.Context(), `
		select 'observation', datastream_id, ts, value from observation
		union all select 'latest', datastream_id, ts, value from latest
		union all select 'conflict', datastream_id, ts, value from observation_conflict`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pgx.ForEachRow(rows, []any{&what, &k.Stream, &at, &value}, func() error {
		k.Second = at.Unix()
		switch what {
		case "observation":
			m.Stored[k] = value
		case "latest":
			m.Latest[k.Stream] = k
		default:
			if m.Conflicts[k] == nil {
				m.Conflicts[k] = make(map[float64]bool)
			}
			m.Conflicts[k][value] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}
