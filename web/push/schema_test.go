package push

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"onemap/alerts"
	"onemap/catalogue"
	"onemap/internal/core"
	"onemap/sensors"
)

const schemaFile = "../../docs/push-protocol.schema.json"

// compileSchema returns one definition of docs/push-protocol.schema.json. Its references to openapi.json are followed.
func compileSchema(name string) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	return c.Compile(schemaFile + "#/$defs/" + name)
}

var (
	serverFrameSchema = sync.OnceValues(func() (*jsonschema.Schema, error) { return compileSchema("ServerFrame") })
	clientFrameSchema = sync.OnceValues(func() (*jsonschema.Schema, error) { return compileSchema("ClientFrame") })
	payloadsSchema    = sync.OnceValues(func() (*jsonschema.Schema, error) { return compileSchema("EventPayloads") })
)

func checkSchema(schema func() (*jsonschema.Schema, error), data string) error {
	s, err := schema()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(data))
	if err != nil {
		return err
	}
	return s.Validate(value)
}

// CheckServerFrame returns what of a frame of the server is against the schema of the protocol.
func CheckServerFrame(frame string) error { return checkSchema(serverFrameSchema, frame) }

// CheckPayload returns what of an event's payload is against the schema of its kind.
func CheckPayload(kind string, payload json.RawMessage) error {
	data, err := json.Marshal(map[string]json.RawMessage{kind: payload})
	if err != nil {
		return err
	}
	return checkSchema(payloadsSchema, string(data))
}

// goodFrames has one frame of each type, as the server encodes it. The tests that read frames of a hub check those.
var goodFrames = map[string]string{
	"welcome":   `{"type":"welcome","epoch":"e","head":3,"head_id":"i","recovered":true,"state":false,"time":"2026-07-01T08:00:00Z"}`,
	"event":     `{"type":"event","seq":3,"id":"i","at":"2026-07-01T08:00:00.1Z","kind":"rule.changed","subject":"7","actor":"","divisions":[],"payload":{"id":7}}`,
	"state":     `{"type":"state","at":"2026-07-01T08:00:00Z","batch":2,"batch_id":"b","readings":[{"ds":1,"device":"d","t":"2026-07-01T08:00:00Z","v":1.5,"qc":1,"src":3}],"status":[{"device":"d","online":true,"at":"2026-07-01T08:00:00Z"}],"seen":{"d":"2026-07-01T08:00:00Z"}}`,
	"ranges":    `{"type":"tiles","at":"2026-07-01T08:00:00Z","all":false,"layers":[{"layer":"land","ranges":[[8,212,97,213,97]]},{"layer":"town","all":true}]}`,
	"hb":        `{"type":"hb","head":3,"head_id":"i","time":"2026-07-01T08:00:00Z","health":{"ok":false,"parts":[{"part":"rules","ok":false,"lag_s":2,"detail":"late","code":"rules-late","params":{"limit":"1"}}]}}`,
	"clients":   `{"type":"clients","divisions":{"370602":2},"armed":{}}`,
	"viewers":   `{"type":"viewers","alerts":[{"alert":58,"people":[{"user":"u","name":"n","division":"370602","acting":true}]}]}`,
	"no viewer": `{"type":"viewers","alerts":[]}`,
}

func TestSchemaTakesFrames(t *testing.T) {
	for name, frame := range goodFrames {
		if err := CheckServerFrame(frame); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefusesFrames plants one error in a frame at a time. A schema that is too wide fails here.
func TestSchemaRefusesFrames(t *testing.T) {
	for name, frame := range goodFrames {
		var members map[string]any
		if err := json.Unmarshal([]byte(frame), &members); err != nil {
			t.Fatal(err)
		}
		plant := func(what string, change func(map[string]any)) {
			wrong := maps.Clone(members)
			change(wrong)
			data, err := json.Marshal(wrong)
			if err != nil {
				t.Fatal(err)
			}
			if CheckServerFrame(string(data)) == nil {
				t.Errorf("%s: a frame with %s is taken: %s", name, what, data)
			}
		}
		plant("a member that there is not", func(m map[string]any) { m["extra"] = 1 })
		for member := range members {
			if member != "seen" {
				plant("no "+member, func(m map[string]any) { delete(m, member) })
			}
			if member != "payload" {
				plant(member+" of another type", func(m map[string]any) { m[member] = []any{[]any{}} })
				plant(member+" null", func(m map[string]any) { m[member] = nil })
			}
		}
	}
	for _, frame := range []string{
		strings.Replace(goodFrames["ranges"], "[8,212,97,213,97]", "[8,212,97,213]", 1),
		strings.Replace(goodFrames["ranges"], `"all":true`, `"all":true,"ranges":[]`, 1),
		strings.Replace(goodFrames["state"], `"qc":1`, `"qc":5`, 1),
		strings.Replace(goodFrames["state"], `"device":"d",`, "", 1),
		strings.Replace(goodFrames["hb"], `"part":"rules"`, `"name":"rules"`, 1),
		strings.Replace(goodFrames["viewers"], `"acting":true`, `"acting":"yes"`, 1),
		strings.Replace(goodFrames["welcome"], "2026-07-01T08:00:00Z", "1 July", 1),
		strings.Replace(goodFrames["welcome"], `"head":3`, `"head":9007199254740992`, 1),
		`{"type":"ack","seq":3}`,
	} {
		if CheckServerFrame(frame) == nil {
			t.Errorf("taken: %s", frame)
		}
	}
}

// TestSchemaOfClientFrames holds the schema against decodeFrame: both take and refuse the same frames. Of a frame that is
// larger than is read, and of text that is no JSON, a schema says nothing.
func TestSchemaOfClientFrames(t *testing.T) {
	for _, c := range badFrames {
		if !json.Valid([]byte(c.frame)) || len(c.frame) > maxClientFrame {
			continue
		}
		if checkSchema(clientFrameSchema, c.frame) == nil {
			t.Errorf("the schema takes %s", c.frame)
		}
	}
	for _, frame := range []string{
		`{"type":"hello"}`,
		`{"type":"hello","client":"abcdefgh","epoch":"e","last_seq":7,"last_id":"i","batch":9,"batch_id":"b","new":{}}`,
		`{"type":"ack","seq":9007199254740991}`,
		`{"type":"status","sound":"armed","visible":true,"alert":58,"acting":true}`,
		`{"type":"status","sound":"off"}`,
	} {
		if err := checkSchema(clientFrameSchema, frame); err != nil {
			t.Errorf("%s: %v", frame, err)
		}
		if _, err := decodeFrame([]byte(frame)); err != nil {
			t.Errorf("%s: %v", frame, err)
		}
	}
}

// TestSchemaOfPayloads holds the payloads that have a type against the schema of their kinds.
func TestSchemaOfPayloads(t *testing.T) {
	now := time.Now().UTC()
	alert := alerts.Alert{
		Level: core.Red, PeakLevel: core.Red, Detection: alerts.Firing, Handling: alerts.New, Direction: alerts.Above, Origin: core.OriginReal,
		Divisions: []string{}, Area: orb.Polygon{}, Confirmations: []alerts.Confirmation{},
	}
	for kind, payload := range map[string]any{
		alerts.EventIssued:           alerts.Event{Alert: alert, DeviceLevel: core.Red},
		alerts.EventClosed:           alerts.Event{Alert: alert, Note: "over"},
		alerts.EventSilenceChanged:   alerts.SilenceEvent{Silence: alerts.Silence{Kind: alerts.KindSilence}},
		sensors.EventPresenceChanged: sensors.PresenceEvent{Changes: []sensors.PresenceChange{{Device: "d", DatastreamID: 3, Datastream: "level", State: sensors.PresenceStale, Reason: "silence", Since: now}}},
		sensors.EventUnevaluated:     sensors.UnevaluatedEvent{Changes: []sensors.UnevaluatedChange{{Device: "d", Reason: sensors.UnevaluatedLate, Since: now}}, More: 2},
	} {
		data, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckPayload(kind, data); err != nil {
			t.Errorf("%s: %v in %s", kind, err, data)
		}
		if CheckPayload(kind, json.RawMessage(`{"unknown":1}`)) == nil {
			t.Errorf("%s: any payload is taken", kind)
		}
	}
}

// TestSchemaInDocument holds docs/push-protocol.md and the schema to the same kinds, and its examples to the schema.
func TestSchemaInDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/push-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs struct {
			EventPayloads struct {
				Properties map[string]any `json:"properties"`
			} `json:"EventPayloads"`
		} `json:"$defs"`
	}
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(schema.Defs.EventPayloads.Properties)), documentedKinds(string(doc)); !slices.Equal(got, want) {
		t.Errorf("the schema has the kinds %v, the document %v", got, want)
	}
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		if CheckServerFrame(block[1]) != nil && checkSchema(clientFrameSchema, block[1]) != nil {
			t.Errorf("the example is no frame of the schema: %s", block[1])
		}
	}
	layer := regexp.MustCompile(`(?m)^\{"layer".*\}$`).FindString(string(doc))
	if err := CheckPayload(catalogue.EventLayerChanged, json.RawMessage(layer)); err != nil {
		t.Errorf("the example of layer.changed: %v", err)
	}
}

// documentedKinds returns the kinds of the document's table; ".updated" beside "alert.issued" stands for "alert.updated".
func documentedKinds(doc string) []string {
	var kinds []string
	for _, cell := range regexp.MustCompile("(?m)^\\| (`[a-z]+\\.[^|]*) \\|").FindAllStringSubmatch(doc, -1) {
		first := ""
		for _, name := range regexp.MustCompile("`([a-z.]+)`").FindAllStringSubmatch(cell[1], -1) {
			kind := name[1]
			if strings.HasPrefix(kind, ".") {
				kind = first + kind
			}
			first, _, _ = strings.Cut(kind, ".")
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}
