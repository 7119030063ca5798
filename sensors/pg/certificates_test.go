package sensorspg_test

import (
	"bytes"
	"testing"

	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

func TestCertificatesOfDevices(t *testing.T) {
	db := storetest.NewCity(t, 2)
	one, two := sensors.Fingerprint([]byte("one")), sensors.Fingerprint([]byte("two"))
	set := func(s core.Scope, id string, cert []byte) error {
		return db.Sensors.SetCertificate(t.Context(), s, id, cert, "s")
	}
	held := func() [2][]byte {
		t.Helper()
		reg, err := db.Sensors.LoadRegistry(t.Context())
		if err != nil || len(reg) != 2 {
			t.Fatalf("%+v, %v", reg, err)
		}
		return [2][]byte{reg[0].CertSHA256, reg[1].CertSHA256}
	}
	before := storetest.Count(t, db, `select count(*) from event_log where kind = 'registry.changed'`)
	if err := set(storetest.CityScope(), "dev-00", one); err != nil {
		t.Fatal(err)
	}
	if got := held(); !bytes.Equal(got[0], one) || got[1] != nil {
		t.Errorf("%x", got)
	}
	if n := storetest.Count(t, db, `select count(*) from event_log where kind = 'registry.changed'`); n != before+1 {
		t.Errorf("%d events more", n-before)
	}
	if err := set(storetest.CityScope(), "dev-01", one); !fault.Is(err, fault.Conflict) || storetest.FieldOf(err) != "sha256" {
		t.Errorf("a certificate of two devices: %v", err)
	}
	if err := set(core.Scope{Division: "370602", Role: core.RoleSteward}, "dev-01", two); !fault.Is(err, fault.NotFound) {
		t.Errorf("another county's device: %v", err)
	}
	if err := set(storetest.CityScope(), "dev-00", []byte("short")); err == nil {
		t.Error("no SHA-256, and it was taken")
	}
	for _, id := range []string{"dev-00", "dev-01"} { // none is not unique
		if err := set(storetest.CityScope(), id, nil); err != nil {
			t.Error(err)
		}
	}
	if got := held(); got[0] != nil || got[1] != nil {
		t.Errorf("%x", got)
	}
}
