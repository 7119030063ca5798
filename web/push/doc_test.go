package push

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"onemap/internal/core"
	"onemap/sensors"
)

// TestDocument holds docs/push-protocol.md to the code: its example frames are what is spoken, its
// close codes are all there.
func TestDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/push-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(block[1]), &members); err != nil {
			t.Errorf("%s: %v", block[1], err)
			continue
		}
		kind := strings.Trim(string(members["type"]), `"`)
		seen[kind] = true
		sample, ok := samples(t)[kind]
		if !ok {
			if _, err := decodeFrame([]byte(block[1])); err != nil {
				t.Errorf("the example of a %s is refused: %v", kind, err)
			}
			continue
		}
		if got, want := slices.Sorted(maps.Keys(members)), slices.Sorted(maps.Keys(sample)); !slices.Equal(got, want) {
			t.Errorf("the example of a %s has %v, spoken is %v", kind, got, want)
		}
	}
	for _, kind := range []string{typeHello, typeAck, typeWelcome, typeEvent, typeState, typeTiles, typeBeat, typeClients, typeStatus, typeViewers} {
		if !seen[kind] {
			t.Errorf("there is no example of a %s", kind)
		}
	}
	for _, code := range []string{"4000", "4001", "4002", "4003", "4100", "4101"} {
		if !strings.Contains(string(doc), "| "+code+" |") {
			t.Errorf("close code %s is not in the table", code)
		}
	}
}

// samples are the members of each frame of the server.
func samples(t *testing.T) map[string]map[string]json.RawMessage {
	t.Helper()
	out := map[string]map[string]json.RawMessage{}
	for _, v := range []any{
		welcomeFrame{Type: typeWelcome},
		eventOf(core.Event{}),
		stateFrame{Type: typeState, Readings: []readingFrame{}, Status: []sensors.Status{}, Seen: map[string]time.Time{"d": {}}},
		tilesFrame{Type: typeTiles},
		clientsFrame{Type: typeClients},
		viewersFrame{Type: typeViewers},
		json.RawMessage(beatFrame(core.Mark{Seq: 1, ID: "i"}, time.Now(), []byte(`{}`))),
	} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(data, &members); err != nil {
			t.Fatal(err)
		}
		out[strings.Trim(string(members["type"]), `"`)] = members
	}
	return out
}
