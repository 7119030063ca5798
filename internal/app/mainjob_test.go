package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/alerts"
	"onemap/alerts/cap"
	"onemap/demo"
	"onemap/internal/config"
	"onemap/internal/core"
)

func startDemo(t testing.TB, dir string) *demo.Demo {
	t.Helper()
	return startDemoOn(t, demoOptions(t, dir))
}

func demoOptions(t testing.TB, dir string) demo.Options {
	return demo.Options{
		Server: config.Server{HTTP: "127.0.0.1:0", MQTT: "127.0.0.1:0", City: "3706", Sender: "test.onemap", BaseData: filepath.Join("..", "..", "data", "base")},
		Demo:   config.Demo{Data: dir, Seed: 1},
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

func startDemoOn(t testing.TB, o demo.Options) *demo.Demo {
	t.Helper()
	d, err := demo.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := d.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return d
}

// testWriter sends the log to the test's output.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// demoDir returns a data folder that the cluster's unprivileged user can open.
func demoDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "onemap-demo-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := demo.Reset(dir); err != nil {
			t.Errorf("reset: %v", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// mosquittoPub publishes one reading with Debian's own MQTT client.
func mosquittoPub(t testing.TB, d demo.Info, version string, value float64) {
	t.Helper()
	host, port, err := net.SplitHostPort(d.MQTT)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "mosquitto_pub", "-V", version, "-h", host, "-p", port, "-q", "1",
		"-u", d.Device.ID, "-P", d.Device.Password, "-t", d.Device.Topic, "-m", fmt.Sprintf(`{"v":{"%s":%g}}`, d.Device.Datastream, value))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub (Debian package mosquitto-clients): %v: %s", err, out)
	}
}

// A sensor publishes with a real client. The county's responder receives the alert and the responder of another county does
// not, the rows are in the database, the message is valid CAP, and an acknowledgement reaches the city.
func TestMainJob(t *testing.T) {
	d := startDemo(t, demoDir(t))
	info := d.Info()
	city, here, there := login(t, info, "commander"), login(t, info, "r370602"), login(t, info, "r370614")
	city.clearAtOnce()
	cityLive, hereLive, thereLive := city.connect("client-city", "", core.Mark{}), here.connect("client-370602", "", core.Mark{}), there.connect("client-370614", "", core.Mark{})

	mosquittoPub(t, info, "mqttv311", info.Device.RedAbove+0.3)
	issued, event := hereLive.untilAlert(alerts.EventIssued, info.Device.ID)
	if event.Alert.Level != core.Red || event.DeviceLevel != core.Red || event.Alert.Division != "370602" {
		t.Errorf("the alert is %+v", event)
	}
	cityLive.untilAlert(alerts.EventIssued, info.Device.ID)
	thereLive.passes(issued.Seq)
	for _, f := range thereLive.seen {
		if f.Type == "event" && strings.HasPrefix(f.Kind, "alert.") {
			t.Errorf("370614 was sent %s %s", f.Kind, f.Payload)
		}
	}
	if l := city.level(info.Device.ID); l != core.Red {
		t.Errorf("the device's level on the map is %v", l)
	}
	rowsAreThere(t, info, event.Alert, issued.Seq)
	papersAreValid(t, city, event.Alert)

	path := fmt.Sprintf("/api/v1/alerts/%d", event.Alert.ID)
	if code := there.call(http.MethodGet, path, nil, nil); code != http.StatusNotFound {
		t.Errorf("370614 reads 370602's alert: status %d", code)
	}
	if code := there.call(http.MethodPost, path+"/acknowledge", struct{}{}, nil); code != http.StatusNotFound && code != http.StatusForbidden {
		t.Errorf("370614 acknowledges 370602's alert: status %d", code)
	}
	if code := here.call(http.MethodPost, path+"/acknowledge", struct{}{}, nil); code != http.StatusOK {
		t.Fatalf("acknowledge: status %d", code)
	}
	_, acked := cityLive.untilAlert(alerts.EventAcknowledged, info.Device.ID)
	if acked.Alert.Handling != alerts.Acknowledged {
		t.Errorf("after the acknowledgement the city sees %q", acked.Alert.Handling)
	}
	eventually(t, "the receipt of 370602's machine", func() bool { return delivered(t, city, path) })

	mosquittoPub(t, info, "mqttv5", info.Device.ClearBelow-0.5)
	_, cleared := hereLive.untilAlert(alerts.EventCleared, info.Device.ID)
	if cleared.Alert.ID != event.Alert.ID || cleared.DeviceLevel != core.None {
		t.Errorf("cleared: %+v", cleared)
	}
	papersAreValid(t, city, cleared.Alert)
}

// delivered reports whether the alert's delivery to 370602 shows a connection, a receipt and a confirmation.
func delivered(t *testing.T, u *user, path string) bool {
	t.Helper()
	var detail struct {
		Deliveries []alerts.Delivery `json:"deliveries"`
	}
	if code := u.call(http.MethodGet, path, nil, &detail); code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	for _, d := range detail.Deliveries {
		if d.Division == "370602" {
			return len(d.Connected) == 1 && len(d.Received) == 1 && len(d.Confirmed) == 1
		}
	}
	return false
}

func rowsAreThere(t *testing.T, info demo.Info, a alerts.Alert, seq int64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), info.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // a test's reader
	for what, q := range map[string]string{
		"observation": fmt.Sprintf("select count(*) from observation where datastream_id = %d and value = %v", a.DatastreamID, a.Value),
		"alert":       fmt.Sprintf("select count(*) from alert where id = %d and level = 1 and detection = 'firing'", a.ID),
		"event":       fmt.Sprintf("select count(*) from event_log where seq = %d and kind = 'alert.issued' and subject = '%d'", seq, a.ID),
		"audit":       fmt.Sprintf("select count(*) from alert_audit where alert_id = %d and step = 'issued'", a.ID),
	} {
		var n int
		if err := conn.QueryRow(t.Context(), q).Scan(&n); err != nil || n != 1 {
			t.Errorf("%s rows: %d, %v (%s)", what, n, err, q)
		}
	}
}

func papersAreValid(t *testing.T, u *user, a alerts.Alert) {
	t.Helper()
	code, xml, _ := u.raw(http.MethodGet, "/cap/alerts/"+a.Identifier+".xml", nil)
	if code != http.StatusOK {
		t.Fatalf("CAP: status %d: %s", code, xml)
	}
	m, err := cap.Unmarshal(xml)
	if err != nil {
		t.Fatal(err)
	}
	if problems := cap.Validate(m); len(problems) != 0 {
		t.Errorf("not valid CAP: %v\n%s", problems, xml)
	}
	if xsd := os.Getenv("ONEMAP_CAP_XSD"); xsd != "" {
		file := filepath.Join(t.TempDir(), "cap.xml")
		if err := os.WriteFile(file, xml, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "xmllint", "--noout", "--schema", xsd, file).CombinedOutput(); err != nil {
			t.Errorf("xmllint: %v: %s", err, out)
		}
	}
	code, feed, _ := u.raw(http.MethodGet, "/cap/feed.atom", nil)
	if code != http.StatusOK || !strings.Contains(string(feed), a.Identifier) {
		t.Errorf("the feed (status %d) does not name %s", code, a.Identifier)
	}
}

// demo.json has the credentials for a script, and no other user may read it.
func TestDemoFileAndSecondRun(t *testing.T) {
	dir := demoDir(t)
	first := startDemo(t, dir)
	st, err := os.Stat(filepath.Join(dir, "demo.json"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("demo.json: %v, %v", st, err)
	}
	var info demo.Info
	b, err := os.ReadFile(filepath.Join(dir, "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &info); err != nil {
		t.Fatal(err)
	}
	mosquittoPub(t, info, "mqttv311", 1.25)
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := startDemo(t, dir).Info()
	if again.Device != info.Device || len(again.Accounts) != len(info.Accounts) {
		t.Errorf("the second run has %+v, the first had %+v", again.Device, info.Device)
	}
	u := login(t, again, "r370602")
	var dev struct {
		Streams []struct {
			Latest *struct {
				Value float64 `json:"v"`
			} `json:"latest"`
		} `json:"datastreams"`
	}
	if code := u.call(http.MethodGet, "/api/v1/devices/"+again.Device.ID, nil, &dev); code != http.StatusOK || dev.Streams[0].Latest == nil || dev.Streams[0].Latest.Value != 1.25 {
		t.Errorf("the second run lost the first one's reading: status %d, %+v", code, dev)
	}
}

// A demo whose PostgreSQL dies reports the failure and ends.
func TestDemoEndsWithItsPostgreSQL(t *testing.T) {
	d := startDemo(t, demoDir(t))
	conn, err := pgx.Connect(t.Context(), d.Info().Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // its server is gone by then
	var dir string
	if err := conn.QueryRow(t.Context(), "select setting from pg_settings where name = 'data_directory'").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(b), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-d.Failed():
		if !strings.Contains(err.Error(), "PostgreSQL") {
			t.Errorf("the demo fails with %v", err)
		}
	case <-time.After(patience):
		t.Error("the demo goes on without its database")
	}
}
