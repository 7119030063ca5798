package mqtt_test

import (
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/core"
	"onemap/sensors"
	"onemap/sensors/mqtt"
)

// A change in the database on any node is effective on a node that was not notified of it. Nothing follows the event log
// here, so the login and the commit must find the change.
func TestAChangeHoldsOnANodeThatWasNotTold(t *testing.T) {
	p := newPlace(t, mqtt.Options{Listen: "127.0.0.1:0"})
	city := core.Scope{Division: "3706"}
	if err := p.registry.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	connect := func(user, secret string) (*wire, byte) {
		w := dial(t, p.broker.Addr())
		return w, w.connect(hello{version: 5, user: user, password: secret})
	}
	said := func(w *wire, n int) {
		t.Helper()
		w.publish(1, uint16(n), obsTopic("dev-0"), reading(n), false)
		w.expect(packets.Puback, uint16(n))
	}
	refused := func(w *wire, n int, why string) {
		t.Helper()
		before := count(t, p.sql, `select count(*) from observation`) + count(t, p.sql, `select count(*) from quarantine`)
		w.publish(1, uint16(n), obsTopic("dev-0"), reading(n), false)
		if code := w.expectClosed(); code != packets.ErrNotAuthorized.Code { // fails on a PUBACK
			t.Errorf("%s: DISCONNECT %#x", why, code)
		}
		if after := count(t, p.sql, `select count(*) from observation`) + count(t, p.sql, `select count(*) from quarantine`); after != before {
			t.Errorf("%s: something was stored", why)
		}
	}
	w, code := connect("dev-0", secret("dev-0"))
	if code != 0 {
		t.Fatalf("CONNACK %#x", code)
	}
	said(w, 1)

	if err := p.db.Sensors.SetSecret(t.Context(), city, "dev-0", sensors.HashSecret("new"), "test"); err != nil {
		t.Fatal(err)
	}
	if _, code := connect("dev-0", secret("dev-0")); code != packets.ErrBadUsernameOrPassword.Code {
		t.Errorf("the old secret: CONNACK %#x", code)
	}
	if w, code = connect("dev-0", "new"); code != 0 {
		t.Fatalf("the new secret: CONNACK %#x", code)
	}
	said(w, 2)

	if err := p.db.Sensors.SetSecret(t.Context(), city, "dev-0", sensors.HashSecret("newer"), "test"); err != nil {
		t.Fatal(err)
	}
	refused(w, 3, "a connection by a secret that was changed")

	if w, code = connect("dev-0", "newer"); code != 0 {
		t.Fatalf("the newer secret: CONNACK %#x", code)
	}
	said(w, 4)
	if err := p.db.Sensors.SetEnabled(t.Context(), city, "dev-0", false, "test"); err != nil {
		t.Fatal(err)
	}
	refused(w, 5, "a device that was disabled")
	if _, code := connect("dev-0", "newer"); code != packets.ErrBadUsernameOrPassword.Code {
		t.Errorf("a disabled device: CONNACK %#x", code)
	}

	for i := range 3 { // one after the other, and strangers in between
		id := []string{"fresh-a", "fresh-b", "fresh-c"}[i]
		if _, code := connect(id, "x"); code != packets.ErrBadUsernameOrPassword.Code {
			t.Errorf("a stranger: CONNACK %#x", code)
		}
		made := sensors.Device{ID: id, Division: "370602", HazardType: hazardOf(t, p), Lon: 121.4, Lat: 37.5, Origin: core.OriginSynthetic, Source: "test"}
		made.Name.ZH = id
		if _, err := p.db.Sensors.CreateDevice(t.Context(), made, sensors.HashSecret("x"), "test"); err != nil {
			t.Fatal(err)
		}
		if _, code := connect(id, "x"); code != 0 {
			t.Errorf("a new device: CONNACK %#x", code)
		}
	}
}

// hazardOf returns the hazard type of dev-0.
func hazardOf(t *testing.T, p place) (hazard string) {
	t.Helper()
	if err := p.sql.QueryRow(t.Context(), `select hazard_type from device where id = 'dev-0'`).Scan(&hazard); err != nil {
		t.Fatal(err)
	}
	return hazard
}
