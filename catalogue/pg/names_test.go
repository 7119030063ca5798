package cataloguepg_test

import (
	"errors"
	"strings"
	"testing"

	"onemap/catalogue"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// Names have bounds in every service, and the error names the field.
func TestNamesAreBounded(t *testing.T) {
	db := storetest.NewCity(t, 1)
	long := strings.Repeat("水", core.MaxName+1)
	made := func(change func(*sensors.Device)) error {
		d := sensors.Device{
			ID: "new", Division: "370602", Name: core.Text{ZH: strings.Repeat("水", core.MaxName)}, HazardType: "flood", Lon: 121, Lat: 37,
			Source: "test", Origin: core.OriginReal, Streams: []sensors.Datastream{{Name: "level", Type: "level"}},
		}
		change(&d)
		_, err := db.Sensors.CreateDevice(t.Context(), d, storetest.SecretOf("new"), "someone")
		return err
	}
	for field, change := range map[string]func(*sensors.Device){
		"name.zh": func(d *sensors.Device) { d.Name.ZH = long }, "name.en": func(d *sensors.Device) { d.Name.EN = "a\x00b" },
		"site": func(d *sensors.Device) { d.Site = "two\nlines" }, "source": func(d *sensors.Device) { d.Source = strings.Repeat("x", 501) },
		"datastreams[0].name":     func(d *sensors.Device) { d.Streams[0].Name = strings.Repeat("n", 65) },
		"datastreams[0].title.zh": func(d *sensors.Device) { d.Streams[0].Title.ZH = long },
		"datastreams[0].title.en": func(d *sensors.Device) { d.Streams[0].Title.EN = "\xff" },
		"datastreams":             func(d *sensors.Device) { d.Streams = make([]sensors.Datastream, 101) },
	} {
		var e *fault.Error
		if err := made(change); !errors.As(err, &e) || e.Kind != fault.Invalid || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := made(func(*sensors.Device) {}); err != nil {
		t.Errorf("a name of the most: %v", err)
	}
	var e *fault.Error
	err := db.Catalogue.UpsertDivisions(t.Context(), []catalogue.Division{{Code: "370699", Name: core.Text{ZH: long}}})
	if !errors.As(err, &e) || e.Field != "divisions[0].name.zh" {
		t.Errorf("a division: %v", err)
	}
}
