package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/text"
)

// badFrames are what a client must not send, and what the close reason must say of it.
var badFrames = []struct{ frame, reason string }{
	{`garbage`, "not a JSON object"},
	{``, "not a JSON object"},
	{`[1,2]`, "not a JSON object"},
	{`{"type":"hello"`, "not JSON at byte 15"},
	{`{"type":"hello","client":"abcdefgh"} {}`, "not JSON at byte"},
	{`{}`, "type: is required"},
	{`{"type":7}`, "type: must be a text, not number"},
	{`{"type":"subscribe"}`, `type: must be hello, ack or status, not "subscribe"`},
	{`{"type":"hello","client":"short"}`, "client: must be 8 to 64"},
	{`{"type":"hello","client":"with a space"}`, "client: must be 8 to 64"},
	{`{"type":"hello","client":"` + strings.Repeat("x", 65) + `"}`, "client: must be 8 to 64"},
	{`{"type":"hello","client":"abcdefgh","last_seq":-1}`, "last_seq: must be an integer from 0"},
	{`{"type":"hello","client":"abcdefgh","last_seq":"12"}`, "last_seq: must be an integer from 0 to 2^53-1, not string"},
	{`{"type":"hello","client":"abcdefgh","last_seq":1.5}`, "last_seq: must be an integer from 0 to 2^53-1, not number 1.5"},
	{`{"type":"hello","client":"abcdefgh","last_seq":1e30}`, "last_seq: must be an integer"},
	{`{"type":"hello","client":"abcdefgh","last_seq":9007199254740992}`, "last_seq: must be an integer"},
	{`{"type":"hello","client":"abcdefgh","batch":-7}`, "batch: must be an integer from 0"},
	{`{"type":"hello","client":"abcdefgh","epoch":"` + strings.Repeat("e", 201) + `"}`, "epoch: is longer than 200"},
	{`{"type":"ack"}`, "seq: is required"},
	{`{"type":"status"}`, "sound: is required"},
	{`{"type":"status","sound":"loud"}`, `sound: must be armed, off, muted or suspended, not "loud"`},
	{`{"type":"status","sound":"off","visible":1}`, "visible: must be true or false, not number"},
	{`{"type":"status","sound":"off","alert":-1}`, "alert: must be an integer from 0"},
	{`{"type":"status","sound":"off","alert":"58"}`, "alert: must be an integer from 0 to 2^53-1, not string"},
	{`{"type":"ack","seq":null}`, "seq: is required"},
	{`{"type":"ack","seq":-1}`, "seq: must be an integer from 0"},
	{"{\"type\":\"\xff\"}", "not UTF-8"},
	{`{"type":"ack","seq":1,"pad":"` + strings.Repeat("p", maxClientFrame) + `"}`, "larger than 4096 bytes"},
}

func TestDecodeFrame(t *testing.T) {
	for _, c := range badFrames {
		f, err := decodeFrame([]byte(c.frame))
		why, ok := errors.AsType[*closing](err)
		if !ok || f != nil || why.code != CloseBadFrame || !strings.Contains(why.reason, c.reason) {
			t.Errorf("%.80q: %v, %v; want 4000 with %q", c.frame, f, err, c.reason)
		}
	}
	for text, want := range map[string]any{
		`{"type":"hello","client":"ab_CD-12"}`: hello{Client: "ab_CD-12"},
		` {"type":"hello","client":"abcdefgh","epoch":"e","last_seq":7,"last_id":"i","batch":9,"batch_id":"b","new":{}} `: hello{
			"abcdefgh", "e", core.Mark{Seq: 7, ID: "i"}, &core.Mark{Seq: 9, ID: "b"},
		},
		`{"type":"ack","seq":9007199254740991}`:                                     ack{maxSeq},
		`{"type":"status","sound":"armed","visible":true,"alert":58,"acting":true}`: ClientStatus{Sound: SoundArmed, Visible: true, Alert: 58, Acting: true},
		`{"type":"status","sound":"off","acting":true}`:                             ClientStatus{Sound: SoundOff}, // acting on nothing
	} {
		f, err := decodeFrame([]byte(text))
		if diff := cmp.Diff(want, f); err != nil || diff != "" {
			t.Errorf("%s: %v %s", text, err, diff)
		}
	}
}

// A client without an id of its own gets one, another each time.
func TestHelloWithoutAClientID(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		f, err := decodeFrame([]byte(`{"type":"hello","epoch":"","last_seq":0}`))
		h, ok := f.(hello)
		if err != nil || !ok || !validClientID(h.Client) || seen[h.Client] {
			t.Fatalf("%+v, %v", f, err)
		}
		seen[h.Client] = true
	}
}

func FuzzDecodeFrame(f *testing.F) {
	for _, c := range badFrames {
		f.Add([]byte(c.frame))
	}
	f.Add([]byte(`{"type":"hello","client":"abcdefgh","epoch":"e","last_seq":7,"last_id":"i","batch":9,"batch_id":"b"}`))
	f.Add([]byte(`{"type":"ack","seq":3}`))
	f.Add([]byte(`{"type":"status","sound":"armed","visible":true,"alert":58,"acting":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := decodeFrame(data)
		if err != nil {
			why, ok := errors.AsType[*closing](err)
			if !ok || why.code != CloseBadFrame || why.reason == "" || frame != nil {
				t.Fatalf("%q: %v, %v", data, frame, err)
			}
			if cut := text.Prefix(why.reason, maxReason); len(cut) > maxReason || !utf8.ValidString(cut) {
				t.Fatalf("%q: reason %q is no close reason", data, cut)
			}
			return
		}
		switch v := frame.(type) {
		case hello:
			if !validClientID(v.Client) || v.Last.Seq < 0 || v.Last.Seq > maxSeq {
				t.Fatalf("%q: took %+v", data, v)
			}
		case ack:
			if v.Seq < 0 || v.Seq > maxSeq {
				t.Fatalf("%q: took %+v", data, v)
			}
		case ClientStatus:
			if !v.Sound.Valid() || v.Alert < 0 || v.Alert > maxSeq || (v.Acting && v.Alert == 0) {
				t.Fatalf("%q: took %+v", data, v)
			}
		default:
			t.Fatalf("%q: %T", data, v)
		}
	})
}

func TestClipped(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("x", 200), strings.Repeat("烟台", 60), strings.Repeat("a", 122) + "台"} {
		cut := text.Prefix(s, maxReason)
		if len(cut) > maxReason || !strings.HasPrefix(s, cut) || !utf8.ValidString(cut) || len(s) <= maxReason && cut != s {
			t.Errorf("%q becomes %q", s, cut)
		}
	}
}

// TestEventFrame holds the frame to the protocol, byte by byte.
func TestEventFrame(t *testing.T) {
	at := time.Date(2026, 7, 1, 8, 0, 0, 120e6, time.FixedZone("CST", 8*3600))
	got, err := json.Marshal(eventOf(core.Event{Seq: 12, ID: "i", At: at, Kind: "layer.changed", Subject: "river", Payload: []byte(` {"layer": "river"} `)}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"event","seq":12,"id":"i","at":"2026-07-01T00:00:00.12Z","kind":"layer.changed","subject":"river","actor":"","divisions":[],"payload":{"layer":"river"}}`
	if string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	if m, err := marshalMessage(typeEvent, eventOf(core.Event{})); err != nil || m.size == 0 {
		t.Errorf("an empty event: %v", err)
	}
}

// TestBrokenPayload: an event whose payload is no JSON, or whose time has none, still arrives.
func TestBrokenPayload(t *testing.T) {
	ho := open(t, fast()).ready()
	p := ho.join(commander, "p", "e1", 0)
	ho.log.append(core.Event{Kind: "broken", Divisions: []string{"3706"}, Payload: []byte(`{`)})
	if f := p.event(); f.Seq != 1 || string(f.Payload) != "{}" {
		t.Errorf("got %s", f.raw)
	}
	entries := ho.hub.entries(t.Context(), []core.Event{{Seq: 2, At: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)}})
	if len(entries) != 1 || entries[0].msg == nil {
		t.Error("an event of the far future was lost")
	}
}

func TestBeatFrame(t *testing.T) {
	at := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	got := beatFrame(core.Mark{Seq: 42, ID: "i"}, at, []byte(`{"ok":true,"parts":[]}`))
	want := `{"type":"hb","head":42,"head_id":"i","time":"2026-07-01T00:00:00Z","health":{"ok":true,"parts":[]}}`
	if string(got) != want || !json.Valid(got) {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestGarbage sends each bad frame over a real connection, before and after the hello.
func TestGarbage(t *testing.T) {
	ho := open(t, fast()).ready()
	for _, c := range badFrames {
		p := ho.connect(commander)
		p.say(c.frame)
		p.wantClosed(CloseBadFrame, c.reason)
	}
	for _, c := range badFrames[:4] {
		p := ho.join(commander, "garbage", "e1", 0)
		p.say(c.frame)
		p.wantClosed(CloseBadFrame, c.reason)
	}
	p := ho.join(commander, "twice", "e1", 0)
	p.say(`{"type":"hello","client":"abcdefgh"}`)
	p.wantClosed(CloseBadFrame, "hello was said already")

	p = ho.connect(commander)
	if err := p.conn.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"hello","client":"abcdefgh"}`)); err != nil {
		t.Fatal(err)
	}
	p.wantClosed(CloseBadFrame, "binary")

	p = ho.connect(commander)
	p.say(`{"type":"ack","seq":1}`)
	p.wantClosed(CloseNoHello, "first frame must be hello")

	// One that never ends: the hub must not keep what it will not read.
	p = ho.connect(commander)
	w, err := p.conn.NextWriter(websocket.TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	for range 64 {
		if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<10)); err != nil {
			break
		}
	}
	p.wantClosed(CloseBadFrame, "larger than 4096 bytes")
}

func TestNoHello(t *testing.T) {
	o := fast()
	o.HelloTimeout = 20 * time.Millisecond
	ho := open(t, o).ready()
	ho.connect(commander).wantClosed(CloseNoHello, "no hello within 20ms")
}

// What a page is told that asks over HTTP is what its handshake meets.
func TestCheckSaysWhatServeWould(t *testing.T) {
	o := fast()
	o.Origins = []string{"https://map.example.org"}
	o.MaxPerAccount = 1
	ho := open(t, o).ready()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ho.server.URL+"/api/v1/push", nil)
	if err != nil {
		t.Fatal(err)
	}
	who := core.Principal{AccountID: commander}
	for origin, ok := range map[string]bool{
		ho.server.URL: true, "https://map.example.org": true, "https://MAP.example.org": true, "": true,
		"https://other.example.org": false, "null": false, "http://[": false,
	} {
		if err := ho.hub.Check(r, origin, who); (err == nil) != ok || (err != nil && !fault.Is(err, fault.Forbidden)) {
			t.Errorf("%q: %v", origin, err)
		}
	}
	ho.join(commander, "p", "e1", 0)
	if err := ho.hub.Check(r, "", who); !fault.Is(err, fault.TooMany) {
		t.Errorf("with no connection left: %v", err)
	}
}

func TestHandshake(t *testing.T) {
	o := fast()
	o.Origins = []string{"https://map.example.org"}
	o.MaxPerAccount = 3
	ho := open(t, o).ready()
	host := strings.TrimPrefix(ho.server.URL, "http://")
	for _, c := range []struct {
		name   string
		change func(*websocket.Dialer, http.Header)
		status int
	}{
		{"no origin", func(*websocket.Dialer, http.Header) {}, 101},
		{"own origin", func(_ *websocket.Dialer, h http.Header) { h.Set("Origin", "http://"+host) }, 101},
		{"own origin behind TLS", func(_ *websocket.Dialer, h http.Header) { h.Set("Origin", "https://"+strings.ToUpper(host)) }, 101},
		{"configured origin", func(_ *websocket.Dialer, h http.Header) { h.Set("Origin", "https://map.example.org") }, 101},
		{"foreign origin", func(_ *websocket.Dialer, h http.Header) { h.Set("Origin", "https://evil.example.org") }, 403},
		{"lookalike origin", func(_ *websocket.Dialer, h http.Header) { h.Set("Origin", "https://"+host+".evil.example.org") }, 403},
		{"opaque origin", func(_ *websocket.Dialer, h http.Header) { h.Set("Origin", "null") }, 403},
		{"no subprotocol", func(d *websocket.Dialer, _ http.Header) { d.Subprotocols = nil }, 400},
		{"another subprotocol", func(d *websocket.Dialer, _ http.Header) { d.Subprotocols = []string{"onemap.v2"} }, 400},
		{"one of two", func(d *websocket.Dialer, _ http.Header) { d.Subprotocols = []string{"onemap.v2", Protocol} }, 101},
	} {
		conn, res, err := ho.dial(commander, c.change)
		if res == nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if res.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.name, res.StatusCode, c.status)
		}
		if conn == nil {
			continue
		}
		if conn.Subprotocol() != Protocol {
			t.Errorf("%s: speaks %q", c.name, conn.Subprotocol())
		}
		_ = conn.Close()
		until(t, "the hub has noticed", func() bool { return ho.connections() == 0 })
	}
	for range 3 {
		ho.connect(commander)
	}
	if _, res, _ := ho.dial(commander); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the fourth connection: %d, want 429", res.StatusCode)
	}
	ho.connect(administrator)
	res, err := http.Get(ho.server.URL + "/ws?who=1")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("a plain GET: %d", res.StatusCode)
	}
	ho.stop()
	if _, res, _ := ho.dial(commander); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after the stop: %d", res.StatusCode)
	}
}

func (ho *house) connections() int {
	ho.hub.mu.RLock()
	defer ho.hub.mu.RUnlock()
	return len(ho.hub.conns)
}
