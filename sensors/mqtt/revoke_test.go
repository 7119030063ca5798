package mqtt_test

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/core"
	"onemap/sensors"
	"onemap/sensors/mqtt"
)

// revocation is a change of dev-0 in PostGIS, and whether it must end the connection.
type revocation struct {
	what         string
	change, back func(context.Context) error
	cert         bool // how it authenticates
	cut          bool
	offline      bool // said of it, since it is a device still
}

func revocations(p place, mine, other []byte) []revocation {
	city := core.Scope{Division: "3706"}
	sql := func(q string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := p.sql.Exec(ctx, q)
			return err
		}
	}
	enable := func(on bool) func(context.Context) error {
		return func(ctx context.Context) error { return p.db.Sensors.SetEnabled(ctx, city, "dev-0", on, "test") }
	}
	setSecret := func(s string) func(context.Context) error {
		return func(ctx context.Context) error {
			return p.db.Sensors.SetSecret(ctx, city, "dev-0", sensors.HashSecret(s), "test")
		}
	}
	setCert := func(sum []byte) func(context.Context) error {
		return func(ctx context.Context) error { return p.db.Sensors.SetCertificate(ctx, city, "dev-0", sum, "test") }
	}
	return []revocation{
		{"disabled", enable(false), enable(true), false, true, false},
		{"disabled, by certificate", enable(false), enable(true), true, true, false},
		{"another secret", setSecret("x"), setSecret(secret("dev-0")), false, true, true},
		{"another secret, by certificate", setSecret("x"), setSecret(secret("dev-0")), true, false, false},
		{"another certificate", setCert(other), setCert(mine), true, true, true},
		{"no certificate", setCert(nil), setCert(mine), true, true, true},
		{"no certificate, by secret", setCert(nil), setCert(mine), false, false, false},
		{"another division", sql(`update device set division_code = '3706' where id = 'dev-0'`), sql(`update device set division_code = '370602' where id = 'dev-0'`), false, true, true},
		{"the name alone", sql(`update device set name_zh = 'x' where id = 'dev-0'`), sql(`select 1`), false, false, false},
		{"deleted", sql(`delete from device where id = 'dev-0'`), sql(`select 1`), false, true, false},
	}
}

// TestRevokingCutsTheConnection changes the device in PostGIS and reloads the registry, as a node does after the event. The
// connection must end without any packet of the device.
func TestRevokingCutsTheConnection(t *testing.T) {
	id := newIdentity(t, t.TempDir(), "server", time.Now().Add(time.Hour))
	mine := newIdentity(t, t.TempDir(), "mine", time.Now().Add(time.Hour))
	p := newPlace(t, mqtt.Options{Listen: "127.0.0.1:0", ListenTLS: "127.0.0.1:0", CertFile: id.certFile, KeyFile: id.keyFile})
	do := func(f func(context.Context) error) {
		t.Helper()
		if err := f(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.registry.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range revocations(p, mine.sum, id.sum) {
		for _, version := range []byte{4, 5} {
			if version == 5 && c.what == "deleted" {
				continue // once is for good
			}
			do(func(ctx context.Context) error {
				return p.db.Sensors.SetCertificate(ctx, core.Scope{Division: "3706"}, "dev-0", mine.sum, "test")
			})
			w := dial(t, p.broker.Addr())
			h := hello{version: version, user: "dev-0", password: secret("dev-0"), willTopic: statusTopic("dev-0"), will: "offline"}
			if c.cert {
				conn, err := tls.Dial("tcp", p.broker.AddrOf(mqtt.KindTLS), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{mine.pair}})
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.SetReadDeadline(time.Now().Add(patience))
				w.conn, w.r, h.password = conn, newReader(conn), ""
			}
			if code := w.connect(h); code != 0 {
				t.Fatalf("%s: CONNACK %#x", c.what, code)
			}
			w.publish(1, 1, statusTopic("dev-0"), []byte("online"), false)
			w.expect(packets.Puback, 1)
			do(c.change)
			if c.cut {
				if code := w.expectClosed(); version == 5 && code != packets.ErrNotAuthorized.Code {
					t.Errorf("%s: DISCONNECT %#x", c.what, code)
				}
				eventually(t, "gone", func() bool { return p.broker.Connections() == 0 })
			} else {
				w.publish(1, 2, obsTopic("dev-0"), reading(1), false)
				w.expect(packets.Puback, 2)
				w.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
			}
			if c.offline {
				eventually(t, c.what+": off line", func() bool { return count(t, p.sql, `select count(*) from device where online`) == 0 })
			}
			do(c.back)
			_ = w.conn.Close()
		}
	}
	eventually(t, "shown", func() bool {
		for _, d := range p.broker.Troubles() {
			if d.Kind == sensors.TroubleRevoked && d.Device == "dev-0" {
				return true
			}
		}
		return false
	})
}
