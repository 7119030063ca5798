package sensorspg_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"onemap/internal/app/stores/storetest"
	"onemap/sensors"
)

// unevaluated returns the published events of devices whose readings are not evaluated.
func (s *scene) unevaluated() []string {
	s.t.Helper()
	events, err := storetest.EventsAfter(s.t.Context(), s.db, 0, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	told := []string{}
	for _, e := range events {
		if e.Kind != sensors.EventUnevaluated {
			continue
		}
		var p sensors.UnevaluatedEvent
		if err := json.Unmarshal(e.Payload, &p); err != nil || len(p.Changes) == 0 {
			s.t.Fatalf("%s: %v", e.Payload, err)
		}
		for _, c := range p.Changes {
			told = append(told, fmt.Sprintf("%s %q %v", c.Device, c.Reason, c.Since.Sub(storetest.Noon()).Seconds()))
		}
	}
	return told
}

// say stores a reading of the device's first datastream with this age in seconds and this quality.
func (s *scene) say(ago int, qc sensors.QC, value float64) {
	s.t.Helper()
	o := sensors.Observation{
		DatastreamID: s.streams[d0][0], Time: s.now.Add(-time.Duration(ago) * time.Second), Value: value, QC: qc, TimeSource: sensors.TimeDevice, ReceivedAt: s.now,
	}
	storetest.Commit(s.t, s.db, o)
}

// A device that sends, and of which no reading is evaluated for three intervals, is published once, and so is the end. The
// interval of its datastreams is one minute.
func TestADeviceWhoseReadingsAreNotEvaluatedIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		each func(s *scene, at int) // what it says at a second
		want []string
	}{
		"a right clock":   {func(s *scene, at int) { s.say(0, sensors.QCGood, float64(at)) }, []string{}},
		"nothing at all":  {func(*scene, int) {}, []string{}},
		"its status only": {func(s *scene, _ int) { s.reports(d0, true) }, []string{}},
		"late times":      {func(s *scene, at int) { s.say(7200, sensors.QCGood, float64(at)) }, []string{`dev-00 "late" 0`, `dev-00 "" 600`}},
		"bad values":      {func(s *scene, at int) { s.say(0, sensors.QCBad, float64(at)) }, []string{`dev-00 "bad" 60`, `dev-00 "" 600`}},
		"no JSON": {func(s *scene, _ int) {
			q := sensors.Quarantined{At: s.now, DeviceID: d0, Reason: sensors.ReasonBadJSON, Payload: []byte("x")}
			if _, err := s.db.Sensors.CommitBatch(s.t.Context(), sensors.Batch{Quarantine: []sensors.Quarantined{q}}); err != nil {
				s.t.Fatal(err)
			}
		}, []string{`dev-00 "quarantine" 0`, `dev-00 "" 600`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, 1)
			s.say(0, sensors.QCGood, -1)
			for at := 60; at <= 540; at += 60 {
				s.at(at)
				c.each(s, at)
				s.look()
			}
			d := s.device(d0)
			if told := len(c.want) > 0; told != (d.Unevaluated != "") || told != (d.UnevaluatedSince != nil) {
				t.Errorf("the device is %q since %v", d.Unevaluated, d.UnevaluatedSince)
			}
			s.at(600)
			s.say(0, sensors.QCGood, -2)
			s.look()
			if diff := cmp.Diff(c.want, s.unevaluated()); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if d := s.device(d0); d.Unevaluated != "" {
				t.Errorf("it is evaluated, and the device is %q", d.Unevaluated)
			}
		})
	}
}
