package push

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"onemap/internal/core"
	"onemap/sensors"
	"onemap/tiles"
)

// The values of the frame member "type".
const (
	typeHello   = "hello"
	typeAck     = "ack"
	typeWelcome = "welcome"
	typeEvent   = "event"
	typeState   = "state"
	typeTiles   = "tiles"
	typeBeat    = "hb"
	typeClients = "clients"
	typeStatus  = "status"
	typeViewers = "viewers"
)

// maxClientFrame is the largest frame that a client may send, in bytes.
const maxClientFrame = 4 << 10

// maxEpoch is the longest epoch that a client may send, in bytes.
const maxEpoch = 200

// maxSeq is the largest integer that every JSON parser represents exactly: 2^53-1, the limit of a float64.
const maxSeq = 1<<53 - 1

// hello is the client's first frame.
type hello struct {
	Client string
	Epoch  string
	Last   core.Mark  // the client has every event up to it
	Batch  *core.Mark // the newest batch in the client's state; nil: none
}

// ack is a cumulative receipt: the client's machine has every visible event up to Seq.
type ack struct{ Seq int64 }

// decodeFrame decodes one text frame of a client: a hello, an ack or a status. It returns a *closing that names the wrong
// member. It ignores unknown members, so that newer clients work with older servers.
func decodeFrame(data []byte) (any, error) {
	if len(data) > maxClientFrame {
		return nil, badFrame("the frame is larger than %d bytes", maxClientFrame)
	}
	if !utf8.Valid(data) {
		return nil, badFrame("the frame is not UTF-8")
	}
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, badFrame("the frame is not a JSON object")
	}
	// One struct has the members of all frames; type decides which of them are read. A pointer distinguishes a missing
	// member from a zero one.
	var f struct {
		Type    *string `json:"type"`
		Client  *string `json:"client"`
		Epoch   string  `json:"epoch"`
		LastSeq int64   `json:"last_seq"`
		LastID  string  `json:"last_id"`
		Batch   *int64  `json:"batch"`
		BatchID string  `json:"batch_id"`
		Seq     *int64  `json:"seq"`
		Sound   *string `json:"sound"`
		Visible bool    `json:"visible"`
		Alert   int64   `json:"alert"`
		Acting  bool    `json:"acting"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, badJSON(err)
	}
	if f.Type == nil {
		return nil, badFrame("type: is required")
	}
	switch *f.Type {
	case typeHello:
		h := hello{Epoch: f.Epoch, Last: core.Mark{Seq: f.LastSeq, ID: f.LastID}}
		if f.Batch != nil {
			h.Batch = &core.Mark{Seq: *f.Batch, ID: f.BatchID}
		}
		if f.Client == nil {
			h.Client = rand.Text() // a client without an id gets one for this connection only
		} else {
			h.Client = *f.Client
		}
		return checkHello(h)
	case typeAck:
		if f.Seq == nil {
			return nil, badFrame("seq: is required")
		}
		if err := checkSeq("seq", *f.Seq); err != nil {
			return nil, err
		}
		return ack{Seq: *f.Seq}, nil
	case typeStatus:
		if f.Sound == nil {
			return nil, badFrame("sound: is required")
		}
		return checkStatus(ClientStatus{Sound: Sound(*f.Sound), Visible: f.Visible, Alert: f.Alert, Acting: f.Acting})
	default:
		return nil, badFrame("type: must be hello, ack or status, not %.40q", *f.Type)
	}
}

// checkStatus returns the status if its members are valid. Acting is only meaningful with an open alert.
func checkStatus(s ClientStatus) (any, error) {
	if !s.Sound.Valid() {
		return nil, badFrame("sound: must be armed, off, muted or suspended, not %.40q", string(s.Sound))
	}
	if err := checkSeq("alert", s.Alert); err != nil {
		return nil, err
	}
	s.Acting = s.Acting && s.Alert != 0
	return s, nil
}

// checkHello returns the hello if its members are valid.
func checkHello(h hello) (any, error) {
	if !validClientID(h.Client) {
		return nil, badFrame("client: must be 8 to 64 of A-Z a-z 0-9 _ -")
	}
	if len(h.Epoch) > maxEpoch {
		return nil, badFrame("epoch: is longer than %d bytes", maxEpoch)
	}
	if err := checkSeq("last_seq", h.Last.Seq); err != nil {
		return nil, err
	}
	if h.Batch != nil {
		if err := checkSeq("batch", h.Batch.Seq); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// checkSeq returns an error that names the member if n is not a seq.
func checkSeq(name string, n int64) error {
	if n < 0 || n > maxSeq {
		return badFrame("%s: must be an integer from 0 to 2^53-1", name)
	}
	return nil
}

// badJSON converts an error of encoding/json into a message for the client.
func badJSON(err error) *closing {
	var typeErr *json.UnmarshalTypeError
	var syntaxErr *json.SyntaxError
	switch {
	case errors.As(err, &typeErr):
		want := "a text"
		switch typeErr.Type.String() {
		case "int64":
			want = "an integer from 0 to 2^53-1"
		case "bool":
			want = "true or false"
		}
		return badFrame("%s: must be %s, not %.40s", typeErr.Field, want, typeErr.Value)
	case errors.As(err, &syntaxErr):
		return badFrame("not JSON at byte %d: %.80s", syntaxErr.Offset, syntaxErr.Error())
	default:
		return badFrame("not JSON: %.80s", err.Error())
	}
}

// validClientID reports whether s is [A-Za-z0-9_-]{8,64}.
func validClientID(s string) bool {
	if len(s) < 8 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// message is a text frame that is encoded once and written to many clients.
type message struct {
	kind string
	size int // size of the payload, bytes
	wire *websocket.PreparedMessage
}

// newMessage returns a message with an encoded payload.
func newMessage(kind string, payload []byte) (*message, error) {
	wire, err := websocket.NewPreparedMessage(websocket.TextMessage, payload)
	if err != nil {
		return nil, fmt.Errorf("prepare a %s frame: %w", kind, err)
	}
	return &message{kind: kind, size: len(payload), wire: wire}, nil
}

// marshalMessage returns a message with v encoded as JSON.
func marshalMessage(kind string, v any) (*message, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a %s frame: %w", kind, err)
	}
	return newMessage(kind, payload)
}

// welcomeFrame answers the hello. Recovered means that the missed events follow; otherwise the client takes a snapshot.
// State means that the readings since the client's batch follow without a gap.
type welcomeFrame struct {
	Type      string    `json:"type"`
	Epoch     string    `json:"epoch"`
	Head      int64     `json:"head"`
	HeadID    string    `json:"head_id"`
	Recovered bool      `json:"recovered"`
	State     bool      `json:"state"`
	Time      time.Time `json:"time"`
}

// eventFrame is one event of the log.
type eventFrame struct {
	Type      string          `json:"type"`
	Seq       int64           `json:"seq"`
	ID        string          `json:"id"`
	At        time.Time       `json:"at"`
	Kind      string          `json:"kind"`
	Subject   string          `json:"subject"`
	Actor     string          `json:"actor"`
	Divisions []string        `json:"divisions"`
	Payload   json.RawMessage `json:"payload"`
}

// eventOf returns the frame of an event. It is the same for all clients that may see the event.
func eventOf(e core.Event) eventFrame {
	f := eventFrame{
		Type: typeEvent, Seq: e.Seq, ID: e.ID, At: e.At.UTC(), Kind: e.Kind, Subject: e.Subject, Actor: e.Actor,
		Divisions: e.Divisions, Payload: e.Payload,
	}
	// Members that are lists or objects are never null, so clients need no check.
	if f.Divisions == nil {
		f.Divisions = []string{}
	}
	if len(f.Payload) == 0 {
		f.Payload = json.RawMessage("{}")
	}
	return f
}

// encodable reports whether encoding/json can encode t: RFC 3339 allows the years 0 to 9999.
func encodable(t time.Time) bool { return t.UTC().Year() >= 0 && t.UTC().Year() <= 9999 }

// readingFrame is the newest reading of a datastream. The value is in the unit of the datastream's type.
type readingFrame struct {
	Datastream int64      `json:"ds"`
	Device     string     `json:"device"`
	Time       time.Time  `json:"t"`
	Value      float64    `json:"v"`
	QC         sensors.QC `json:"qc"`

	Source sensors.TimeSource `json:"src,omitempty"` // 0: the device's own time
}

// stateFrame contains changes of the live state. Batch is the batch that the client has after the frame. Seen is when
// devices last published, by device id.
type stateFrame struct {
	Type     string               `json:"type"`
	At       time.Time            `json:"at"`
	Batch    int64                `json:"batch"`
	BatchID  string               `json:"batch_id"`
	Readings []readingFrame       `json:"readings"`
	Status   []sensors.Status     `json:"status"`
	Seen     map[string]time.Time `json:"seen,omitempty"`
}

// tilesFrame lists the tiles that have changed; clients request them again. All means that every tile of every layer
// may have changed.
type tilesFrame struct {
	Type   string       `json:"type"`
	At     time.Time    `json:"at"`
	All    bool         `json:"all"`
	Layers []layerTiles `json:"layers"`
}

// layerTiles lists the changed tiles of one layer as ranges, both ends inclusive.
type layerTiles struct {
	Layer  string      `json:"layer"`
	All    bool        `json:"all,omitempty"`
	Ranges [][5]uint32 `json:"ranges,omitempty"` // z, x0, y0, x1, y1
}

// layerTilesOf returns the entry of a notice. A notice without ranges (nil) means the whole layer.
func layerTilesOf(n tiles.Notice) layerTiles {
	f := layerTiles{Layer: n.Layer, All: n.Ranges == nil}
	for _, r := range n.Ranges {
		f.Ranges = append(f.Ranges, [5]uint32{r.Z, r.X0, r.Y0, r.X1, r.Y1})
	}
	return f
}

// clientsFrame counts the connected responders by the division code of their accounts. Only city-wide scopes receive
// it.
type clientsFrame struct {
	Type      string         `json:"type"`
	Divisions map[string]int `json:"divisions"` // connected responders
	Armed     map[string]int `json:"armed"`     // connected responders with an armed alarm sound
}

// viewersFrame lists, for each open alert that the receiver may see, the people who have it open.
type viewersFrame struct {
	Type   string         `json:"type"`
	Alerts []alertViewers `json:"alerts"`
}

// alertViewers lists the people who have one alert open.
type alertViewers struct {
	Alert  int64         `json:"alert"`
	People []alertViewer `json:"people"`
}

// alertViewer is one of them. Acting means that the person is writing a handling step.
type alertViewer struct {
	User     string `json:"user"`
	Name     string `json:"name"`
	Division string `json:"division"`
	Acting   bool   `json:"acting"`
}

// healthReport is the health in a heartbeat. OK is false if a part is not ready; Parts names it, with the reason.
type healthReport struct {
	OK    bool          `json:"ok"`
	Parts []core.Health `json:"parts"`
}

// beatFrame returns a heartbeat frame. It is built for each client, because head is the client's own position; so it
// appends the prepared JSON of the health without encoding it again.
func beatFrame(head core.Mark, at time.Time, health []byte) []byte {
	b := make([]byte, 0, 80+len(health))
	b = append(b, `{"type":"hb","head":`...)
	b = strconv.AppendInt(b, head.Seq, 10)
	b = append(b, `,"head_id":"`...)
	b = append(b, head.ID...) // a UUID or empty: it needs no JSON escape
	b = append(b, '"')
	b = append(b, `,"time":"`...)
	b = at.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","health":`...)
	b = append(b, health...)
	return append(b, '}')
}
