package sensorsapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/fault"
	"onemap/internal/httpx"
	"onemap/sensors"
	sensorsapi "onemap/sensors/api"
	"onemap/web/server/servertest"
)

func TestDevices(t *testing.T) {
	w := newWorld(t, nil)
	var all sensorsapi.DeviceSnapshot
	w.Send(servertest.R14, http.MethodGet, "/api/v1/devices", nil).Decode(t, &all)
	if len(all.Items) != 1 || all.Items[0].ID != "dev-14" || all.Epoch == "" || all.Seq == 0 || all.Batch == 0 || all.At.IsZero() {
		t.Errorf("370614 sees %+v", all)
	}
	if s := all.Items[0].Streams; len(s) != 1 || s[0].Latest == nil || s[0].Latest.Value != 2 {
		t.Errorf("streams: %+v", s)
	}
	a := w.Send(servertest.Steward, http.MethodPost, "/api/v1/devices", map[string]any{
		"id": "new-1", "division": "370614", "name": map[string]string{"zh": "演示-新", "en": ""}, "hazard_type": "flood", "lon": 120.8, "lat": 37.8,
		"datastreams": []any{map[string]any{"name": "wl", "type": "level", "title": map[string]string{"zh": "水位", "en": ""}}},
	})
	var made sensorsapi.DeviceWithSecret
	a.Decode(t, &made)
	if a.Status != http.StatusCreated || len(made.Secret) != 32 || made.Device.Streams[0].ID == 0 || made.Device.Streams[0].Latest != nil || !made.Device.Enabled {
		t.Errorf("%d %+v", a.Status, made)
	}
	var renewed sensorsapi.Secret
	w.Send(servertest.Steward, http.MethodPost, "/api/v1/devices/new-1/secret", nil).Decode(t, &renewed)
	registered, err := w.DB.Sensors.LoadRegistry(t.Context())
	w.Must(err)
	for _, d := range registered {
		if d.ID == "new-1" && (!bytes.Equal(d.SecretSHA256, sensors.HashSecret(renewed.Secret)) || renewed.Secret == made.Secret) {
			t.Error("the new secret is not the device's")
		}
	}
	if a := w.Send(servertest.R14, http.MethodGet, "/api/v1/devices/new-1", nil); a.Status != http.StatusOK || strings.Contains(string(a.Body), "secret") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	var types sensorsapi.DatastreamTypes
	w.Send(servertest.Observer, http.MethodGet, "/api/v1/datastream-types", nil).Decode(t, &types)
	if len(types.Items) != 2 || len(types.HazardTypes) != 1 {
		t.Errorf("types: %+v", types)
	}
}

func TestObservations(t *testing.T) {
	w := newWorld(t, nil)
	path := fmt.Sprintf("/api/v1/datastreams/%d/observations", w.Streams["dev-02"])
	var all sensorsapi.Observations
	w.Send(servertest.R02, http.MethodGet, path, nil).Decode(t, &all)
	if len(all.Items) != 2 || all.Items[0].Value != 1 || all.Items[1].Value != 2 || all.More || all.To.Sub(all.From) != 6*time.Hour {
		t.Errorf("%+v", all)
	}
	w.Send(servertest.R02, http.MethodGet, path+"?limit=1", nil).Decode(t, &all)
	if len(all.Items) != 1 || all.Items[0].Value != 2 || !all.More {
		t.Errorf("the newest: %+v", all)
	}
	a := w.Send(servertest.R02, http.MethodGet, path+"?from=2020-01-01T00:00:00%2B08:00&to=2020-01-02T00:00:00Z", nil)
	if !strings.Contains(string(a.Body), `"items":[]`) {
		t.Errorf("nothing must be an empty list: %s", a.Body)
	}
}

func TestChart(t *testing.T) {
	w := newWorld(t, nil)
	path := fmt.Sprintf("/api/v1/datastreams/%d/chart", w.Streams["dev-02"])
	var c sensors.Chart
	w.Send(servertest.R02, http.MethodGet, path, nil).Decode(t, &c)
	if len(c.Points) != 2 || c.Points[0].Value != 1 || c.Points[1].Value != 2 || c.Rows != 2 || !c.Exact || c.To.Sub(c.From) != 6*time.Hour {
		t.Errorf("%+v", c)
	}
	a := w.Send(servertest.R02, http.MethodGet, path+"?from=2020-01-01T00:00:00%2B08:00&to=2020-01-02T00:00:00Z", nil)
	if !strings.Contains(string(a.Body), `"points":[]`) || !strings.Contains(string(a.Body), `"conflicts":[]`) || !strings.Contains(string(a.Body), `"flagged":[]`) {
		t.Errorf("nothing must be empty lists: %s", a.Body)
	}
	for query, field := range map[string]string{"points=1": "points", "points=2001": "points", "from=yesterday": "from", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": "from"} {
		if a := w.Send(servertest.R02, http.MethodGet, path+"?"+query, nil); a.Status/100 != 4 || !strings.Contains(string(a.Body), field) {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
}

// Two buckets have room for two readings that are not extremes. The number of flagged readings is reported nevertheless.
func TestChartCountsWhatIsFlagged(t *testing.T) {
	w := newWorld(t, nil)
	from := w.Clock.Now().Add(-72 * time.Hour).Truncate(time.Hour).UTC()
	var b sensors.Batch
	for i := range 60 {
		o := sensors.Observation{
			DatastreamID: w.Streams["dev-02"], Time: from.Add(time.Duration(i) * time.Minute), Value: float64(i % 7),
			QC: sensors.QCGood, TimeSource: sensors.TimeDevice, ReceivedAt: w.Clock.Now(),
		}
		switch i {
		case 3, 4:
			o.QC = sensors.QCBad
		case 5:
			o.QC = sensors.QCMissing
		case 50:
			o.TimeSource = sensors.TimeWrong
		case 51:
			o.QC = sensors.QCSuspect
		}
		b.Observations = append(b.Observations, o)
	}
	_, err := w.DB.Sensors.CommitBatch(t.Context(), b)
	w.Must(err)
	query := url.Values{"from": {from.Format(time.RFC3339)}, "to": {from.Add(time.Hour).Format(time.RFC3339)}, "points": {"6"}}
	var c sensors.Chart
	w.Send(servertest.R02, http.MethodGet, fmt.Sprintf("/api/v1/datastreams/%d/chart?%s", w.Streams["dev-02"], query.Encode()), nil).Decode(t, &c)
	want := []sensors.Flagged{{Time: from, Bad: 2, Missing: 1}, {Time: from.Add(30 * time.Minute), Suspect: 1, Ahead: 1}}
	if d := cmp.Diff(want, c.Flagged); d != "" || len(c.Points) > 6 || c.Rows != 60 {
		t.Errorf("%d points of %d, flagged (-want +got):\n%s", len(c.Points), c.Rows, d)
	}
}

func TestQuarantine(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.DB.Sensors.CommitBatch(t.Context(), sensors.Batch{Quarantine: []sensors.Quarantined{
		{At: w.Clock.Now(), DeviceID: "dev-02", Topic: "onemap/v1/370602/dev-02/obs", Reason: "bad-json", Detail: "v", Payload: []byte{0xff, 0x00}, Size: 2, Faults: []sensors.Fault{{Field: "v", Message: fault.NewMessage(sensors.CodeNotNumbers, fault.AString)}}},
	}})
	w.Must(err)
	var all httpx.List[sensors.Quarantined]
	a := w.Send(servertest.Steward, http.MethodGet, "/api/v1/quarantine?limit=5", nil)
	a.Decode(t, &all)
	if len(all.Items) != 1 || !bytes.Equal(all.Items[0].Payload, []byte{0xff, 0x00}) || !strings.Contains(string(a.Body), `"payload":"/wA="`) ||
		!strings.Contains(string(a.Body), `"faults":[{"field":"v","code":"not-numbers","params":{"found":"string"}}]`) {
		t.Errorf("%s", a.Body)
	}
}
