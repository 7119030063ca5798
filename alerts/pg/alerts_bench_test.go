package alertspg_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"onemap/alerts"
	"onemap/alerts/export"
	"onemap/internal/app/stores"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
)

// hundredThousand returns a city with a history of 100,000 alerts. Each has two steps of people. All except the newest
// 500 are closed.
func hundredThousand(b *testing.B) *stores.Stores {
	b.Helper()
	db := storetest.NewCity(b, 2)
	a := storetest.Apply(b, db, storetest.Issued(storetest.NewRule(b, db), storetest.StreamsOf(b, db), 0, core.Red))[0]
	for _, sql := range []string{
		`insert into alert (id, rule_id, datastream_id, device_id, detection, handling, level, peak_level, division_code, divisions,
				onset, opened_at, updated_at, cleared_at, body, geom, version)
			overriding system value
			select a.id + i, a.rule_id, a.datastream_id, a.device_id, 'cleared', case when i > 99500 then 'new' else 'closed' end, 1 + i % 4, 1 + i % 3, d,
				array[d], t, t, t, t, a.body || jsonb_build_object('id', a.id + i, 'division', d, 'opened_at', t,
				'hazard', (array['flood', 'gas', 'fire'])[1 + i % 3]), a.geom, 1
			from alert a, generate_series(1, 100000) i,
				lateral (select (370602 + i % 13)::text as d, timestamptz '2026-01-01' + i * interval '5 minutes' as t) x`,
		`insert into alert_audit (alert_id, at, actor, division_code, step, note)
			select id, opened_at, 'r370602', '370602', s, '已处理' from alert, unnest(array['acknowledge', 'resolve']) s`,
		`analyze`,
	} {
		if _, err := db.Pool().Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	if a.ID == 0 {
		b.Fatal("no alert")
	}
	return db
}

// BenchmarkHistory reads pages of a history of 100,000 alerts, and exports the largest number of alerts.
func BenchmarkHistory(b *testing.B) {
	db := hundredThousand(b)
	county := core.Scope{Division: "370602", Role: core.RoleResponder}
	for _, c := range []struct {
		name string
		s    core.Scope
		f    alerts.Filter
	}{
		{"newest page of all", storetest.CityScope(), alerts.Filter{State: alerts.StateAll}},
		{"newest page, counted", storetest.CityScope(), alerts.Filter{State: alerts.StateAll, Count: true}},
		{"closed of a county, counted", county, alerts.Filter{State: alerts.StateClosed, Count: true}},
		{"a day, counted", storetest.CityScope(), alerts.Filter{State: alerts.StateAll, Count: true, From: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)}},
		{"a hazard of a division, counted", storetest.CityScope(), alerts.Filter{State: alerts.StateClosed, Count: true, Hazard: "gas", Division: "370605"}},
		{"the oldest page", storetest.CityScope(), alerts.Filter{State: alerts.StateAll, Before: 300}},
		{"text that nothing has, counted", storetest.CityScope(), alerts.Filter{State: alerts.StateAll, Count: true, Query: "nothing"}},
		{"open", storetest.CityScope(), alerts.Filter{Open: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.f.Limit = 200
			for b.Loop() {
				if _, err := db.Alerts.Alerts(b.Context(), c.s, c.f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	desk := alerts.NewDesk(db.Alerts, slog.New(slog.DiscardHandler), nil)
	for _, format := range []export.Format{export.CSV, export.XLSX} {
		b.Run("export of 50,000 as "+string(format), func(b *testing.B) {
			for b.Loop() {
				w, err := export.NewWriter(io.Discard, format, export.Chinese)
				if err != nil {
					b.Fatal(err)
				}
				more, err := desk.Export(b.Context(), storetest.CityScope(), alerts.Filter{}, alerts.MaxExport, func(a alerts.Alert, steps []alerts.Audit) error {
					return w.Write(export.Row{Alert: a, Steps: steps})
				})
				if err != nil || !more {
					b.Fatal(more, err)
				}
				if err := w.Close(alerts.MaxExport); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
