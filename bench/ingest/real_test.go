package main

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/bench/kit"
	"onemap/internal/app"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/config"
)

const testDevices = 40

// realBench returns a benchmark on a database with few devices.
func realBench(t *testing.T) (*bench, string) {
	t.Helper()
	url := storetest.NewURL(t)
	b := &bench{
		o: options{Options: kit.Options{Runs: 1, Seconds: 0.3}, warm: 0.1}, r: &kit.Report{Head: tableHead()},
		password: strings.Repeat("secret ", 3), devices: newDevices(testDevices),
	}
	if err := prepare(t.Context(), url, b.devices, b.password); err != nil {
		t.Fatal(err)
	}
	return b, url
}

// realServer starts a server in this process and logs in.
func realServer(t *testing.T, b *bench, url string, o config.Server) *server {
	t.Helper()
	o.HTTP, o.City, o.Sender, o.TileMax = "127.0.0.1:0", "3706", "test.onemap", 1000
	a, err := app.Start(t.Context(), app.Options{Server: o, DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	s := &server{Server: kit.NewServer(kit.Running(strings.TrimPrefix(a.URL(), "http://"))), db: url}
	if o.MQTT != "off" {
		s.mqtt = a.MQTTAddr()
	}
	if err := s.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.main, err = s.Login(t.Context(), userName, b.password); err != nil {
		t.Fatal(err)
	}
	return s
}

// child runs a child program of the benchmark in this process and returns its address.
func child(t *testing.T, run func(context.Context, io.Writer) error) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, out)
		_ = out.CloseWithError(errors.Join(io.EOF, err)) // it always gives nil
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	line := make([]byte, 200)
	n, err := in.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, in) }()
	return regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(string(line[:n]))
}

// query returns one value of the database.
func query[T any](t *testing.T, url, sql string, args ...any) (v T) {
	t.Helper()
	if err := connected(t.Context(), url, func(conn *pgx.Conn) error {
		return conn.QueryRow(t.Context(), sql, args...).Scan(&v)
	}); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheBareHookStoresWhatItAcknowledges(t *testing.T) {
	b, url := realBench(t)
	for _, c := range []struct {
		o       bareOptions
		devices []device
	}{
		{bareOptions{values: 1}, b.devices},
		{bareOptions{values: 10}, b.devices},
		{bareOptions{values: 1, latest: true}, gateways(b.devices, 3)},
	} {
		c.o.database = url
		addr := child(t, func(ctx context.Context, out io.Writer) error { return serveBare(ctx, c.o, out) })
		s := &side{name: "bare", subject: subject{addr: addr, server: os.Getpid()}, db: url}
		load := traffic{devices: c.devices, window: 4, values: c.o.values, warm: 50 * time.Millisecond, length: 200 * time.Millisecond}
		f := measured(t, s, load, func(f figures) bool { return f.rate > 0 && f.client > 0 })
		if f.messages == 0 || f.rate <= 0 || math.Abs(f.values-f.rate*float64(c.o.values)) > 1e-6*f.values || f.client <= 0 {
			t.Errorf("%+v: %+v", c.o, f)
		}
		streams := 0
		for _, d := range c.devices {
			streams += len(d.streams)
		}
		if n := query[int](t, url, `select count(*) from latest`); c.o.latest != (n > 0) || n > streams {
			t.Errorf("%+v: %d newest readings of %d datastreams", c.o, n, streams)
		}
	}
	if n := query[int](t, url, `select count(*) from observation where retention <> 'standard' or value <> 1.25`); n != 0 {
		t.Errorf("%d rows are not as they should be", n)
	}
}

// measured measures a load, each time for twice as long, until enough accepts the figures: a busy machine may need longer.
func measured(t *testing.T, s *side, load traffic, enough func(figures) bool) figures {
	t.Helper()
	for {
		if err := s.measure(t.Context(), load); err != nil {
			t.Fatal(err)
		}
		f := s.runs[len(s.runs)-1]
		if load.length *= 2; enough(f) || load.length > time.Minute {
			return f
		}
	}
}

func TestTheServerIsMeasuredWithItsRulesAtWork(t *testing.T) {
	b, url := realBench(t)
	s := realServer(t, b, url, config.Server{MQTT: "127.0.0.1:0"})
	var err error
	if s.watch, err = watch(t.Context(), s.main, "benchingest-watcher", func([]byte, time.Time) {}); err != nil {
		t.Fatal(err)
	}
	our := &side{name: "onemap", subject: subject{addr: s.mqtt, server: os.Getpid()}, db: url, after: s.awaitRules}
	if err := s.checkAlerts(t.Context()); err == nil {
		t.Error("rules that have seen nothing have found something")
	}
	// long enough for a value over the threshold, unless the machine is busy
	for tries := 1; ; tries++ {
		err = our.measure(t.Context(), traffic{devices: b.devices, window: 4, values: 1, warm: 0, length: crossEvery + 300*time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if err = s.checkAlerts(t.Context()); err == nil {
			break
		}
		if tries == 30 {
			t.Fatal(err)
		}
	}
	if n := query[int](t, url, `select count(*) from quarantine`); n != 0 {
		t.Errorf("%d publishes went to quarantine", n)
	}
	if err := s.watch.close(); err != nil {
		t.Error(err)
	}
	rateCases()[0].report(b, []*side{our, our, our})
	if b.r.Missed() {
		t.Error("as fast as itself is too slow")
	}
}

// A peer that acknowledges and stores nothing must be found out, not reported as fast.
func TestWhatIsAcknowledgedAndNotStoredIsFound(t *testing.T) {
	b, url := realBench(t)
	var l link
	acked := uint64(0)
	addr := peer(t, func(conn net.Conn, publishes int) error {
		var out []byte
		for range publishes {
			id := l.id(acked)
			out = append(out, packetPuback, 2, byte(id>>8), byte(id))
			acked++
		}
		_, err := conn.Write(out)
		return err
	})
	s := &side{subject: subject{addr: addr, server: os.Getpid()}, db: url}
	err := s.measure(t.Context(), traffic{devices: b.devices[:1], window: 4, values: 1, length: 50 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), " readings were acknowledged, and 0 are stored") || strings.HasPrefix(err.Error(), "0 ") {
		t.Errorf("got %v", err)
	}
}

func TestAcknowledgementsOutOfOrderAreFound(t *testing.T) {
	addr := peer(t, func(conn net.Conn, _ int) error {
		_, err := conn.Write([]byte{packetPuback, 2, 0, 2})
		return err
	})
	s := subject{addr: addr, server: os.Getpid()}
	_, err := flood(t.Context(), s, traffic{devices: newDevices(1), window: 4, values: 1, length: time.Minute})
	if err == nil || !strings.Contains(err.Error(), "2 is acknowledged, after 0 of 4") {
		t.Errorf("got %v", err)
	}
}

// peer accepts one device and acknowledges its publishes in groups, as they arrive, until it disconnects.
func peer(t *testing.T, answer func(conn net.Conn, publishes int) error) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		buf := make([]byte, 64<<10)
		if _, err := conn.Read(buf); err != nil {
			return
		}
		if _, err := conn.Write([]byte{packetConnack, 2, 0, 0}); err != nil {
			return
		}
		const mark = `"t":` // each has one
		cut := ""           // the end of what was read, which may hold the first part of a mark
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			text := cut + string(buf[:n])
			cut = text[max(0, len(text)-len(mark)+1):]
			if answer(conn, strings.Count(text, mark)) != nil {
				return
			}
		}
	}()
	return ln.Addr().String()
}

func TestDelaysAreOfEveryReading(t *testing.T) {
	b, url := realBench(t)
	s := realServer(t, b, url, config.Server{MQTT: "127.0.0.1:0"})
	b.o.Seconds = 1
	receivers := []*receiver{{}, {}}
	for i, e := range receivers {
		w, err := watch(t.Context(), s.main, "benchingest-0000"+string(rune('a'+i)), e.handle)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := w.close(); err != nil {
				t.Error(err)
			}
		}()
	}
	d, err := b.pace(t.Context(), s, receivers)
	if err != nil {
		t.Fatal(err)
	}
	if d.published == 0 || d.carried != 2*d.published || d.ack50 <= 0 || d.ack99 < d.ack50 || d.state99 < d.state50 {
		t.Errorf("got %+v", d)
	}
	took, err := singleCommits(t.Context(), url, 0, func(n int) bool { return n == 3 })
	if err != nil || len(took) != 3 || query[int](t, url, "select count(*) from observation") != d.published+3 {
		t.Errorf("lone commits took %v, %v", took, err)
	}
	reportDelays(b.r, []delays{{commit: 1, beside: 1, ack50: 2, state99: 250}})
	if b.r.Missed() {
		t.Error("the bars themselves do not pass")
	}
	reportDelays(b.r, []delays{{commit: 3, beside: 1, ack50: 2.1, state99: 251}})
	if n := len(b.r.MissedBars()); n != 2 {
		t.Errorf("%d bars were missed", n)
	}
}

func TestAllComeBackFromAStorm(t *testing.T) {
	b, url := realBench(t)
	s := realServer(t, b, url, config.Server{MQTT: "127.0.0.1:0"})
	var links []*link
	for i := range b.devices {
		l := newLink(&b.devices[i], 1, 1)
		l.will = true
		links = append(links, l)
	}
	defer disconnectAll(links)
	if err := openAll(t.Context(), s.mqtt, links, 8); err != nil {
		t.Fatal(err)
	}
	if err := publishOnce(links); err != nil {
		t.Fatal(err)
	}
	if err := b.storms(t.Context(), s, links); err != nil {
		t.Fatal(err)
	}
	if n := query[int](t, url, "select count(*) from observation"); n != testDevices*(storms+1) {
		t.Errorf("%d readings are stored", n)
	}
}
