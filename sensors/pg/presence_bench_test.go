package sensorspg_test

import (
	"fmt"
	"testing"

	"onemap/sensors"
)

// BenchmarkCheckStale measures a check of devices with two datastreams each: when nothing has changed, when all have long been
// silent, and when all become silent or send again in one check.
func BenchmarkCheckStale(b *testing.B) {
	for _, devices := range []int{600, 15_000} {
		b.Run(fmt.Sprint(devices, " devices"), func(b *testing.B) { benchmarkCheckStale(b, devices) })
	}
}

func benchmarkCheckStale(b *testing.B, devices int) {
	s := newScene(b, 0)
	for _, sql := range []string{
		fmt.Sprintf(`insert into device (id, division_code, name_zh, hazard_type, geom, secret_sha256, origin, last_seen, online, status_at)
			select 'net-' || i, (370602 + i %% 13)::text, '演示', 'flood', st_setsrid(st_point(121, 37), 4326), '', 'synthetic',
				'2026-03-14 12:00Z', true, '2026-03-14 11:00Z' from generate_series(1, %d) i`, devices),
		`insert into datastream (device_id, name, type) select id, t, t from device, unnest(array['level', 'rain']) t`,
		`insert into latest (datastream_id, ts, value, qc, time_source, received_at)
			select id, '2026-03-14 12:00Z', 1, 1, 1, '2026-03-14 12:00Z' from datastream`,
		`analyze`,
	} {
		if _, err := s.db.Pool().Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	look := func(seconds int) sensors.StaleReport {
		r, err := s.at(seconds).db.Sensors.CheckStale(b.Context(), sensors.StaleCheck{Node: "n1", ListeningSince: s.hearing})
		if err != nil || !r.Looked {
			b.Fatalf("%+v, %v", r, err)
		}
		return r
	}
	for _, c := range []struct {
		name    string
		seconds [2]int
		changes int
	}{
		{"all heard", [2]int{10, 11}, 0},
		{"all silent", [2]int{500, 501}, 0},
		{"all change", [2]int{10, 500}, 3 * devices},
	} {
		b.Run(c.name, func(b *testing.B) {
			look(c.seconds[1])
			for n := 0; b.Loop(); n++ {
				if r := look(c.seconds[n%2]); r.Changes != c.changes {
					b.Fatalf("%+v", r)
				}
			}
		})
	}
}
