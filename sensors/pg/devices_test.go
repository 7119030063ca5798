package sensorspg_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// Every read by every scope returns exactly what the scope may see.
func TestScopesOfReads(t *testing.T) {
	db := storetest.NewCity(t, 2) // dev-00 in 370602, dev-01 in 370614
	ids, rule := storetest.StreamsOf(t, db), storetest.NewRule(t, db)
	storetest.Commit(t, db, storetest.Reading(ids[0], 0, 1), storetest.Reading(ids[2], 0, 2))
	a0 := storetest.Apply(t, db, storetest.Issued(rule, ids, 0, core.Red))[0]
	shared := storetest.Issued(rule, ids, 1, core.Yellow)
	shared.Alert.Divisions = []string{"370614", "370602001"} // lies in the one, addressed below the other
	a1 := storetest.Apply(t, db, shared)[0]
	tests := []struct {
		division string
		devices  []string
		alerts   []int64
	}{
		{"37", []string{"dev-00", "dev-01"}, []int64{a1.ID, a0.ID}},
		{"3706", []string{"dev-00", "dev-01"}, []int64{a1.ID, a0.ID}},
		{"370602", []string{"dev-00"}, []int64{a1.ID, a0.ID}},
		{"370614", []string{"dev-01"}, []int64{a1.ID}},
		{"370614003", nil, []int64{a1.ID}}, // addressed to the county above
		{"370611", nil, nil},
		{"3707", nil, nil},
		{"%", nil, nil},
		{"", nil, nil},
	}
	for _, tt := range tests {
		t.Run("scope "+tt.division, func(t *testing.T) {
			s := core.Scope{Division: tt.division, Role: core.RoleObserver}
			snap, err := db.Sensors.Devices(t.Context(), s, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range snap.Devices {
				got = append(got, d.ID)
				if len(d.Streams) != 2 || d.Streams[0].Latest == nil || d.Level == core.None {
					t.Errorf("device: %+v", d)
				}
			}
			if !slices.Equal(got, tt.devices) {
				t.Errorf("devices %v, want %v", got, tt.devices)
			}
			for i, id := range []string{"dev-00", "dev-01"} {
				_, err := db.Sensors.Device(t.Context(), s, id)
				_, _, errObs := db.Sensors.Observations(t.Context(), s, ids[2*i], storetest.Noon(), storetest.Noon().Add(time.Hour), 10)
				if sees := slices.Contains(tt.devices, id); (err == nil) != sees || (errObs == nil) != sees ||
					(!sees && (!fault.Is(err, fault.NotFound) || !fault.Is(errObs, fault.NotFound))) {
					t.Errorf("%s: device %v, observations %v", id, err, errObs)
				}
			}
			storetest.CheckAlerts(t, db, s, []int64{a0.ID, a1.ID}, tt.alerts)
		})
	}
}

func TestSnapshotNumbers(t *testing.T) {
	db := storetest.NewCity(t, 1)
	res := storetest.Commit(t, db, storetest.Reading(storetest.StreamsOf(t, db)[0], 0, 1))
	epoch, head, err := db.Log().Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	snap, err := db.Sensors.Devices(t.Context(), storetest.CityScope(), "", 0)
	if err != nil || snap.Epoch != epoch || snap.Head != head || snap.Batch.Seq != res.Seq || epoch == "" || head.Seq == 0 || head.ID == "" || snap.Batch.ID == "" {
		t.Errorf("snapshot of %q at %v and %v, %v; want %q at %v and %d", snap.Epoch, snap.Head, snap.Batch, err, epoch, head, res.Seq)
	}
}

func TestObservationsAreTheNewestInOrder(t *testing.T) {
	db := storetest.NewCity(t, 1)
	id := storetest.StreamsOf(t, db)[0]
	var obs []sensors.Observation
	for i := range 10 {
		obs = append(obs, storetest.Reading(id, 60*i, float64(i)))
	}
	storetest.Commit(t, db, obs...)
	got, more, err := db.Sensors.Observations(t.Context(), storetest.CityScope(), id, storetest.Noon(), storetest.Noon().Add(9*time.Minute), 3)
	if err != nil || !more {
		t.Fatalf("more %v, %v", more, err)
	}
	if d := cmp.Diff(obs[6:9], got); d != "" {
		t.Errorf("observations (-want +got):\n%s", d)
	}
	if got, more, err = db.Sensors.Observations(t.Context(), storetest.CityScope(), id, storetest.Noon(), storetest.Noon().Add(time.Hour), 10); err != nil || more || len(got) != 10 {
		t.Errorf("all: %d, more %v, %v", len(got), more, err)
	}
}

func TestRegistryHasTheEnabledDevices(t *testing.T) {
	db := storetest.NewCity(t, 3)
	if err := db.Sensors.SetEnabled(t.Context(), storetest.CityScope(), "dev-01", false, "steward"); err != nil {
		t.Fatal(err)
	}
	got, err := db.Sensors.LoadRegistry(t.Context())
	if err != nil || len(got) != 2 {
		t.Fatalf("registry: %+v, %v", got, err)
	}
	for i, id := range []string{"dev-00", "dev-02"} {
		if d := got[i]; d.ID != id || !bytes.Equal(d.SecretSHA256, storetest.SecretOf(id)) || len(d.Streams) != 2 || d.Streams[0].DeviceID != id {
			t.Errorf("device %d: %+v", i, d)
		}
	}
	types, err := db.Sensors.DatastreamTypes(t.Context())
	if err != nil || len(types) != 2 || types[0].Code != "level" || types[0].Retention != "standard" {
		t.Errorf("types: %+v, %v", types, err)
	}
	hazards, err := db.Sensors.HazardTypes(t.Context())
	if err != nil || len(hazards) != 1 || hazards[0].LeadMinutes != 60 {
		t.Errorf("hazards: %+v, %v", hazards, err)
	}
}

func TestCreateDevice(t *testing.T) {
	db := storetest.NewCity(t, 1)
	d := sensors.Device{
		ID: "new-1", Division: "370602", Name: core.Text{ZH: "新站", EN: "New"}, HazardType: "flood", Lon: 121.25, Lat: 37.5,
		Origin: core.OriginReal, Streams: []sensors.Datastream{{Name: "level", Type: "level", Title: core.Text{ZH: "水位"}}},
	}
	got, err := db.Sensors.CreateDevice(t.Context(), d, storetest.SecretOf("new-1"), "steward")
	if err != nil || got.ID != "new-1" || got.Lon != 121.25 || !got.Enabled || len(got.Streams) != 1 || got.Streams[0].ID == 0 {
		t.Errorf("created: %+v, %v", got, err)
	}
	if _, err := db.Sensors.CreateDevice(t.Context(), d, nil, "steward"); !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Invalid) {
		t.Errorf("again: %v", err)
	}
	for name, change := range map[string]func(*sensors.Device){
		"id":               func(d *sensors.Device) { d.ID = "a/b" },
		"hazard_type":      func(d *sensors.Device) { d.ID, d.HazardType = "new-2", "no" },
		"datastreams.type": func(d *sensors.Device) { d.ID, d.Streams = "new-2", []sensors.Datastream{{Name: "x", Type: "no"}} },
		"datastreams.name": func(d *sensors.Device) { d.ID, d.Streams = "new-2", append(d.Streams, d.Streams[0]) },
	} {
		bad := d
		change(&bad)
		_, err := db.Sensors.CreateDevice(t.Context(), bad, storetest.SecretOf("x"), "steward")
		if !fault.Is(err, fault.Invalid) || storetest.FieldOf(err) != name {
			t.Errorf("bad %s: %v of field %q", name, err, storetest.FieldOf(err))
		}
	}
	if n := storetest.Count(t, db, `select count(*) from device`); n != 2 {
		t.Errorf("%d devices, want 2", n)
	}
}

func TestStewardStaysInHisDivision(t *testing.T) {
	db := storetest.NewCity(t, 2)
	county := core.Scope{Division: "370602", Role: core.RoleSteward}
	if err := db.Sensors.SetSecret(t.Context(), county, "dev-00", []byte("new"), "s"); err != nil {
		t.Error(err)
	}
	if err := db.Sensors.SetSecret(t.Context(), county, "dev-01", []byte("new"), "s"); !fault.Is(err, fault.NotFound) {
		t.Errorf("another county's device: %v", err)
	}
	if err := db.Sensors.SetEnabled(t.Context(), county, "dev-01", false, "s"); !fault.Is(err, fault.NotFound) {
		t.Errorf("another county's device: %v", err)
	}
	reg, err := db.Sensors.LoadRegistry(t.Context())
	if err != nil || len(reg) != 2 || string(reg[0].SecretSHA256) != "new" || !bytes.Equal(reg[1].SecretSHA256, storetest.SecretOf("dev-01")) {
		t.Errorf("registry: %+v, %v", reg, err)
	}
}

// The synthetic city is written at every start of a demo. Ids, readings and changed secrets stay.
func TestPutDevicesKeepsIDs(t *testing.T) {
	db := storetest.NewCity(t, 2)
	before := storetest.StreamsOf(t, db)
	storetest.Commit(t, db, storetest.Reading(before[0], 0, 1))
	if err := db.Sensors.SetSecret(t.Context(), storetest.CityScope(), "dev-00", []byte("changed"), "s"); err != nil {
		t.Fatal(err)
	}
	var told []int
	err := db.Sensors.PutDevices(t.Context(), []sensors.Device{
		{ID: "dev-00", Division: "370602", Name: core.Text{ZH: "改名"}, HazardType: "flood", Lon: 121, Lat: 37, Origin: core.OriginSynthetic, Streams: []sensors.Datastream{{Name: "level", Type: "level"}}},
		{ID: "dev-09", Division: "370602", Name: core.Text{ZH: "新"}, HazardType: "flood", Lon: 121, Lat: 37, Origin: core.OriginSynthetic},
	}, nil, func(done int) { told = append(told, done) })
	if err != nil {
		t.Fatal(err)
	}
	if after := storetest.StreamsOf(t, db); !slices.Equal(before, after) || !slices.Equal(told, []int{2}) {
		t.Errorf("datastreams %v, before %v; progress %v", after, before, told)
	}
	d, err := db.Sensors.Device(t.Context(), storetest.CityScope(), "dev-00")
	if err != nil || d.Name.ZH != "改名" || d.Streams[0].Latest == nil {
		t.Errorf("device: %+v, %v", d, err)
	}
	reg, err := db.Sensors.LoadRegistry(t.Context())
	if err != nil || string(reg[0].SecretSHA256) != "changed" {
		t.Errorf("secret: %q, %v", reg[0].SecretSHA256, err)
	}
}

func TestDevicesAreFound(t *testing.T) {
	db := storetest.NewCity(t, 2)
	for q, want := range map[string]string{"dev-01": "dev-01", "shuiweizhan0": "dev-00", "水位站1": "dev-01"} {
		hits, err := db.Catalogue.Search(t.Context(), storetest.CityScope(), q, 10)
		if err != nil || len(hits) == 0 || hits[0].Kind != "device" || hits[0].ID != want {
			t.Errorf("%q: %+v, %v; want %s", q, hits, err, want)
		}
	}
	if hits, err := db.Catalogue.Search(t.Context(), core.Scope{Division: "370602"}, "dev-01", 10); err != nil || len(hits) != 0 {
		t.Errorf("another county's device: %+v, %v", hits, err)
	}
}
