package main

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"onemap/internal/config"
)

func TestTheWayThroughMosquitto(t *testing.T) {
	b, url := realBench(t)
	broker, err := startMosquitto(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := broker.Stop(); err != nil {
			t.Error(err)
		}
	}()
	b.o.Seconds = 0.02
	for _, reads := range []func(*testing.T){
		func(t *testing.T) {
			realServer(t, b, url, config.Server{MQTT: "off", Broker: "mqtt://" + broker.Addr, BrokerClientID: "bench"})
		},
		func(t *testing.T) {
			child(t, func(ctx context.Context, out io.Writer) error {
				return loopBare(ctx, bareOptions{database: url, broker: broker.Addr, values: 1}, out)
			})
		},
	} {
		t.Run("", func(t *testing.T) {
			if err := empty(t.Context(), url); err != nil {
				t.Fatal(err)
			}
			reads(t)
			r := &reader{db: url, broker: broker, start: func(context.Context) (int, func() error, error) {
				return os.Getpid(), func() error { return nil }, nil
			}}
			if err := b.externalRun(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if f := r.runs[0]; f.messages != 501 || f.rate <= 0 {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func TestAHistoryIsInPartitionsAndInCharts(t *testing.T) {
	b, url := realBench(t)
	streams := query[[]int64](t, url, "select array_agg(id order by id) from datastream")
	h := newHistory(3*4464*historyMonths, historyMonths, streams)
	if len(h.streams) != 3 || len(h.months) != historyMonths || len(h.full()) != historyMonths-1 {
		t.Fatalf("%d datastreams, %d months, %d of them full", len(h.streams), len(h.months), len(h.full()))
	}
	h.months = h.months[historyMonths-2:]
	n, err := h.store(t.Context(), url)
	if err != nil || n == 0 || query[int64](t, url, "select count(*) from observation") != n {
		t.Fatalf("%d rows, %v", n, err)
	}
	if n := query[int](t, url, `select count(*) from pg_inherits i where i.inhparent = 'observation_standard'::regclass
		and not exists (select from pg_index x where x.indrelid = i.inhrelid and x.indisvalid)`); n != 0 {
		t.Errorf("%d partitions have no index", n)
	}
	s := realServer(t, b, url, config.Server{MQTT: "127.0.0.1:0"})
	a := &archive{server: s, history: h}
	if err := a.checkCharts(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.drawCharts(t.Context(), 0, 10*time.Millisecond); err != nil || len(a.charts) != 1 || a.charts[0] <= 0 || a.median[0] <= 0 {
		t.Errorf("drew %v a second, median %v ms, %v", a.charts, a.median, err)
	}
	a.history.months = []time.Time{h.months[0].AddDate(0, -1, 0)} // of which nothing is stored
	if err := a.checkCharts(t.Context()); err == nil {
		t.Error("an empty chart passes")
	}
	small := newHistory(1e6, 1, make([]int64, 1000))
	if len(small.streams) < 200 || len(small.months) != 1 || len(small.full()) != 1 {
		t.Errorf("%d datastreams, %d months, %d of them full", len(small.streams), len(small.months), len(small.full()))
	}
}
