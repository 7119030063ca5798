package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"onemap/alerts"
	"onemap/demo"
	"onemap/internal/core"
	"onemap/sensors"
)

// patience bounds every wait of these tests; nothing is asserted about how much of it is used.
const patience = 3 * time.Minute

// user is one logged-in person.
type user struct {
	t    testing.TB
	base string
	http *http.Client
	acct demo.Account
}

func login(t testing.TB, d demo.Info, name string) *user {
	t.Helper()
	acct, ok := d.Account(name)
	if !ok {
		t.Fatalf("the demo has no account %q", name)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u := &user{t: t, base: d.HTTP, http: &http.Client{Jar: jar, Timeout: patience}, acct: acct}
	if code := u.call(http.MethodPost, "/api/v1/session", map[string]string{"user": acct.User, "password": acct.Password}, nil); code != http.StatusOK {
		t.Fatalf("login as %s: status %d", name, code)
	}
	return u
}

// call sends a JSON request and decodes a JSON answer into out, when there is one.
func (u *user) call(method, path string, in, out any) int {
	u.t.Helper()
	status, body, _ := u.raw(method, path, in)
	if out != nil && status < 300 {
		if err := json.Unmarshal(body, out); err != nil {
			u.t.Fatalf("%s %s: %v in %s", method, path, err, body)
		}
	}
	return status
}

// patch sends a change with If-Match.
func (u *user) patch(path, version string, in any) int {
	u.t.Helper()
	status, _, _ := u.raw(http.MethodPatch, path, in, "If-Match", `"`+version+`"`)
	return status
}

// clearAtOnce removes the clearing delay from every rule. The user needs the right to edit rules.
func (u *user) clearAtOnce() {
	u.t.Helper()
	var rules struct {
		Items []map[string]any `json:"items"`
	}
	if code := u.call(http.MethodGet, "/api/v1/rules", nil, &rules); code != http.StatusOK || len(rules.Items) == 0 {
		u.t.Fatalf("rules: status %d, %d of them", code, len(rules.Items))
	}
	for _, r := range rules.Items {
		path, version := fmt.Sprintf("/api/v1/rules/%v", r["id"]), fmt.Sprintf(`"%v"`, r["version"])
		for _, own := range []string{"id", "version", "updated_at", "updated_by"} {
			delete(r, own)
		}
		r["hold_seconds"] = 0
		if code, body, _ := u.raw(http.MethodPut, path, r, "If-Match", version); code != http.StatusOK {
			u.t.Fatalf("%s: status %d: %s", path, code, body)
		}
	}
}

// raw sends a request with further header fields, given as pairs.
func (u *user) raw(method, path string, in any, header ...string) (int, []byte, http.Header) {
	u.t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			u.t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.base+path, body)
	if err != nil {
		u.t.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := u.http.Do(req)
	if err != nil {
		u.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	return res.StatusCode, b, res.Header
}

// frame is one frame of the push protocol.
type frame struct {
	Type      string          `json:"type"`
	Seq       int64           `json:"seq"`
	ID        string          `json:"id"`
	Head      int64           `json:"head"`
	HeadID    string          `json:"head_id"`
	Epoch     string          `json:"epoch"`
	Recovered bool            `json:"recovered"`
	Kind      string          `json:"kind"`
	Payload   json.RawMessage `json:"payload"`
	Layers    []changedTiles  `json:"layers"` // of a tiles frame

	Status []sensors.Status `json:"status"` // of a state frame
}

// changedTiles is one layer of a tiles frame: all of its tiles, or rectangles of z, x0, y0, x1, y1.
type changedTiles struct {
	Layer  string      `json:"layer"`
	All    bool        `json:"all"`
	Ranges [][5]uint32 `json:"ranges"`
}

func (f frame) alert(t testing.TB) alerts.Event {
	t.Helper()
	var e alerts.Event
	if err := json.Unmarshal(f.Payload, &e); err != nil {
		t.Fatalf("event %d: %v", f.Seq, err)
	}
	return e
}

// live is a WebSocket connection.
type live struct {
	t    testing.TB
	conn *websocket.Conn
	seen []frame
}

// connect opens the push endpoint, says hello, and reads the welcome.
func (u *user) connect(client, epoch string, last core.Mark) *live {
	u.t.Helper()
	target, err := url.Parse(u.base)
	if err != nil {
		u.t.Fatal(err)
	}
	d := websocket.Dialer{Jar: u.http.Jar, Subprotocols: []string{"onemap.v1"}, HandshakeTimeout: patience}
	conn, res, err := d.DialContext(u.t.Context(), strings.Replace(u.base, "http", "ws", 1)+"/ws", http.Header{"Origin": {target.String()}})
	if err != nil {
		u.t.Fatalf("connect as %s: %v", u.acct.User, err)
	}
	if err := res.Body.Close(); err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { _ = conn.Close() }) // the server may have closed it first
	l := &live{t: u.t, conn: conn}
	l.send(map[string]any{"type": "hello", "client": client, "epoch": epoch, "last_seq": last.Seq, "last_id": last.ID})
	l.until("welcome", func(f frame) bool { return f.Type == "welcome" })
	return l
}

func (l *live) send(v any) {
	l.t.Helper()
	if err := l.conn.WriteJSON(v); err != nil {
		l.t.Fatal(err)
	}
}

// until reads frames, acknowledging events, up to the first that ok accepts.
func (l *live) until(what string, ok func(frame) bool) frame {
	l.t.Helper()
	if err := l.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		l.t.Fatal(err)
	}
	for {
		var f frame
		if err := l.conn.ReadJSON(&f); err != nil {
			l.t.Fatalf("waiting for %s: %v", what, err)
		}
		l.seen = append(l.seen, f)
		if f.Type == "event" {
			l.send(map[string]any{"type": "ack", "seq": f.Seq})
		}
		if ok(f) {
			return f
		}
	}
}

// untilAlert reads frames up to an event of the kind for the device.
func (l *live) untilAlert(kind, device string) (frame, alerts.Event) {
	l.t.Helper()
	var e alerts.Event
	f := l.until(kind+" of "+device, func(f frame) bool {
		if f.Type != "event" || f.Kind != kind {
			return false
		}
		e = f.alert(l.t)
		return e.Alert.DeviceID == device
	})
	return f, e
}

// passes waits until the connection is known to be past seq, by its events or the heartbeat's head.
func (l *live) passes(seq int64) {
	l.t.Helper()
	l.until("the head to pass", func(f frame) bool { return f.Seq >= seq || (f.Type == "hb" && f.Head >= seq) })
}

// eventually repeats the check until it is true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("never came true: %s", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// level returns the level of one device in the devices' snapshot.
func (u *user) level(device string) core.Level {
	u.t.Helper()
	var d struct {
		Level core.Level `json:"level"`
	}
	if code := u.call(http.MethodGet, "/api/v1/devices/"+device, nil, &d); code != http.StatusOK {
		u.t.Fatalf("device %s: status %d", device, code)
	}
	return d.Level
}
