package main

import (
	"strings"
	"testing"
	"time"

	"onemap/bench/kit"
)

func TestFlags(t *testing.T) {
	for _, good := range [][]string{nil, {"-only", "devices,big"}, {"-runs", "1", "-seconds", "0.5"}, {"-child", "hook", "-values", "100"}} {
		if _, err := parse(good); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, bad := range []string{
		"x", "-only=devices,none", "-runs=0", "-seconds=0", "-warm=-1", "-devices=10", "-devices=20000", "-rows=10", "-rows=NaN",
		"-values=0", "-values=5001", "-window=-1", "-settle=0",
	} {
		if _, err := parse([]string{bad}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	if code := run(t.Context(), []string{"-onemap", "no/such/program"}, &strings.Builder{}); code != 1 {
		t.Errorf("without a program: exit code %d", code)
	}
	if code := run(t.Context(), []string{"-runs", "0"}, &strings.Builder{}); code != 2 {
		t.Errorf("a wrong flag: exit code %d", code)
	}
	if code := run(t.Context(), []string{"-child", "none"}, &strings.Builder{}); code != 1 {
		t.Errorf("an unknown child: exit code %d", code)
	}
}

func TestFiguresAreAMessage(t *testing.T) {
	start := time.Now()
	before := moment{at: start, acked: 100, clocks: kit.Clocks{Server: time.Second, Machine: 5 * time.Second}}
	after := moment{at: start.Add(2 * time.Second), acked: 1100, clocks: kit.Clocks{
		Server: 1100 * time.Millisecond, Postgres: 200 * time.Millisecond, Client: 10 * time.Millisecond, Machine: 6 * time.Second,
	}}
	want := figures{rate: 500, values: 5000, server: 100, postgres: 200, client: 10, others: 0.345}
	if f := newFigures(traffic{values: 10}, before, after); f != want {
		t.Errorf("got %+v, want %+v", f, want)
	}
}

func TestACommitTakesAllThatWaitsUpToItsSize(t *testing.T) {
	q := newBareQueue(100)
	for i := range 120 {
		q.put(waiting{stream: int64(i)})
	}
	var got []int64
	for _, want := range []int{50, 50, 20, 0} {
		batch := q.take(nil)
		if len(batch) != want {
			t.Fatalf("took %d, not %d", len(batch), want)
		}
		for _, o := range batch {
			got = append(got, o.stream)
		}
	}
	for i, s := range got {
		if s != int64(i) {
			t.Fatalf("the %dth is %d", i, s)
		}
	}
}

func TestDevicesAreWhatTheSharesNeed(t *testing.T) {
	all := newDevices(1000)
	for i, d := range all {
		if len(d.streams) != 1+i%mostStreams || !strings.HasSuffix(d.topic, "/"+d.id+"/obs") || !strings.HasSuffix(d.will, "/"+d.id+"/status") {
			t.Fatalf("device %d: %+v", i, d)
		}
	}
	for _, g := range gateways(all, 10) {
		if len(g.streams) != mostStreams {
			t.Errorf("a gateway with %d datastreams", len(g.streams))
		}
	}
	if n := len(gateways(all, 10)); n != 10 {
		t.Errorf("%d gateways", n)
	}
	if err := checkDisk(t.TempDir(), 1e15); err == nil {
		t.Error("there is room for everything")
	}
}
