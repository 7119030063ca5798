package sensorsapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/mqtt"
	"onemap/web/server"
	"onemap/web/server/servertest"
)

func TestIngestOfThisNode(t *testing.T) {
	at := time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC)
	said := fault.NewMessage(mqtt.CodeSendsTooFast)
	st := sensors.IngestStats{
		Node: "n1", StartedAt: at, EveryS: 5, MaxQueue: 50_000, MaxBytes: 64 << 20,
		Totals:   sensors.IngestCounts{Received: 12, Committed: 9, Duplicate: 1, Conflict: 1, Quarantined: 1},
		Samples:  []sensors.IngestSample{{At: at, IngestCounts: sensors.IngestCounts{Received: 12}, QueueEnvelopes: 3, OldestMS: 4.5, CommitP99MS: 7}},
		Brokers:  []sensors.BrokerStats{{Name: "embedded", Address: "127.0.0.1:1883", Connected: true, QoS1: 12, Refused: map[string]uint64{"credentials": 2}}},
		Troubles: []sensors.DeviceTrouble{{Device: "dev-02", Remote: "192.0.2.7", Kind: sensors.TroubleFlood, Count: 3, First: at, Last: at, Detail: said.String(), Message: said}},
	}
	w := newWorld(t, func(o *server.Options) { o.Sensors.Ingest = servertest.Told{Stats: st} })
	var got sensors.IngestStats
	w.Send(servertest.AccountOf(core.RoleSteward, "3706"), http.MethodGet, "/api/v1/ingest", nil).Decode(t, &got)
	if got.Node != "n1" || got.MaxQueue != 50_000 || got.Totals != st.Totals {
		t.Errorf("got %+v", got)
	}
	if len(got.Samples) != 1 || got.Samples[0] != st.Samples[0] {
		t.Errorf("samples: %+v", got.Samples)
	}
	if len(got.Brokers) != 1 || got.Brokers[0].Refused["credentials"] != 2 || !cmp.Equal(got.Troubles, st.Troubles, cmpopts.IgnoreUnexported(fault.Message{})) {
		t.Errorf("brokers %+v, troubles %+v", got.Brokers, got.Troubles)
	}
}

func TestIngestOfANodeWithoutOne(t *testing.T) {
	w := newWorld(t, func(o *server.Options) { o.Sensors.Ingest = nil })
	a := w.Send(servertest.AccountOf(core.RoleSteward, "3706"), http.MethodGet, "/api/v1/ingest", nil)
	if p := a.Problem(t); a.Status != http.StatusServiceUnavailable || p.Kind != "unavailable" {
		t.Errorf("answered %d %+v", a.Status, p)
	}
}

// Without data the lists are empty, not null.
func TestIngestThatHasSeenNothing(t *testing.T) {
	w := newWorld(t, func(o *server.Options) {
		o.Sensors.Ingest = servertest.Told{Stats: sensors.IngestStats{Brokers: []sensors.BrokerStats{{Name: "embedded"}}}}
	})
	var got map[string]any
	w.Send(servertest.AccountOf(core.RoleSteward, "3706"), http.MethodGet, "/api/v1/ingest", nil).Decode(t, &got)
	for _, name := range []string{"samples", "brokers", "troubles"} {
		if _, ok := got[name].([]any); !ok {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	if _, ok := got["brokers"].([]any)[0].(map[string]any)["refused"].(map[string]any); !ok {
		t.Errorf("refused is not an object: %v", got["brokers"])
	}
}
