package app_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/jackc/pgx/v5"

	"onemap/alerts"
	"onemap/internal/core"
)

// BenchmarkReadingToResponder measures the time from the publish of a reading over the red threshold to the alert on the
// county responder's WebSocket, through all stages: broker, commit, rules, CAP, event log and push. The baseline of the ratio
// is one small durable transaction on the same database.
func BenchmarkReadingToResponder(b *testing.B) {
	info := startDemo(b, demoDir(b)).Info()
	login(b, info, "commander").clearAtOnce()
	l := login(b, info, "r370602").connect("bench-370602", "", core.Mark{})
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + info.MQTT).SetClientID(info.Device.ID).
		SetUsername(info.Device.ID).SetPassword(info.Device.Password))
	if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
		b.Fatal(tok.Error())
	}
	defer c.Disconnect(0)
	publish := func(v float64) {
		tok := c.Publish(info.Device.Topic, 1, false, fmt.Sprintf(`{"v":{"%s":%g}}`, info.Device.Datastream, v))
		if !tok.WaitTimeout(patience) || tok.Error() != nil {
			b.Fatal(tok.Error())
		}
	}
	var alert, commit []time.Duration
	conn, err := pgx.Connect(b.Context(), info.Database)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context()) //nolint:errcheck // a benchmark's reader
	if _, err := conn.Exec(b.Context(), "create table bench_baseline (n int)"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		start := time.Now()
		publish(info.Device.RedAbove + 0.3)
		l.untilAlert(alerts.EventIssued, info.Device.ID)
		alert = append(alert, time.Since(start))
		publish(info.Device.ClearBelow - 0.5)
		l.untilAlert(alerts.EventCleared, info.Device.ID)

		start = time.Now()
		if _, err := conn.Exec(b.Context(), "insert into bench_baseline values (1)"); err != nil {
			b.Fatal(err)
		}
		commit = append(commit, time.Since(start))
	}
	slices.Sort(alert)
	slices.Sort(commit)
	b.ReportMetric(float64(alert[len(alert)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(alert[len(alert)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(commit[len(commit)/2].Microseconds())/1000, "baseline-commit-ms")
	b.ReportMetric(float64(alert[len(alert)/2])/float64(commit[len(commit)/2]), "commits/alert")
}
