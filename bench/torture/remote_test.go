package torture_test

import (
	"fmt"
	"syscall"
	"testing"

	"onemap/sensors/mqtt/remote/mosquittotest"
)

// The external broker is killed under load, and so is the server. Mosquitto acknowledges before it saves, so a device that
// must lose nothing sends again, after a reconnection, what was acknowledged on the connection before. The server recognizes
// stored readings by their time.
func TestExternalBrokerKilled(t *testing.T) {
	sideBySide(t)
	b := mosquittotest.Start(t, mosquittotest.Durable)
	stay := make(chan struct{})
	s := newStage(t, remoteSize(), staging{
		flags: []string{"--mqtt=off", "--broker=" + b.URL()}, broker: b.Addr,
		plan: func(s *stage, d *device) []row {
			rows := ordered(s, d)
			plain := d.make
			d.make = func(n int) message { // a broker delivers QoS 2 after what follows it at QoS 1
				m := plain(n)
				m.qos = 1
				return m
			}
			d.rewind, d.stay = d.messages, stay
			return rows
		},
	})
	connected := func() bool { return s.server.metrics()["onemap_remote_connected"] == 1 }
	eventually(t, "the server has its session at the broker", connected)
	b.Save() // with the session; a broker that forgets it keeps nothing for the server
	kills := 0
	s.broken(func() {
		if kills++; kills%2 == 1 {
			b.Kill()
			return
		}
		s.server.end(syscall.SIGKILL)
	}, func() {
		if kills%2 == 0 {
			s.server.start()
			return
		}
		eventually(t, "the server finds the broker away", func() bool { return !connected() })
		b.Restart()
	})
	s.reach(1)
	close(stay)
	s.finish()
	s.arrived()
	s.ledger.check("external broker killed (SIGKILL), and the server")
}

// arrived waits until everything that the broker has acknowledged is stored.
func (s *stage) arrived() {
	s.t.Helper()
	conn := s.pg.connect(database)
	eventually(s.t, fmt.Sprintf("%d readings have arrived", s.ledger.expected()), func() bool {
		var n int
		if err := conn.QueryRow(s.t.Context(), `select count(*) from observation`).Scan(&n); err != nil {
			s.t.Fatal(err)
		}
		return n >= s.ledger.expected()
	})
}
