package stores_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"onemap/catalogue"
	"onemap/internal/app/stores/storetest"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// Every service limits the length of names, and the error names the field.
func TestNamesAreBounded(t *testing.T) {
	db := storetest.NewCity(t, 1)
	long := strings.Repeat("水", core.MaxName+1)
	made := func(change func(*sensors.NewDevice)) error {
		d := sensors.NewDevice{
			ID: "new", Division: "370602", Name: core.Text{ZH: strings.Repeat("水", core.MaxName)}, HazardType: "flood", Lon: 121, Lat: 37,
			Streams: []sensors.NewDatastream{{Name: "level", Type: "level"}},
		}
		change(&d)
		_, _, err := storetest.Devices(db).Create(t.Context(), storetest.Root(), d)
		return err
	}
	for field, change := range map[string]func(*sensors.NewDevice){
		"name.zh": func(d *sensors.NewDevice) { d.Name.ZH = long }, "name.en": func(d *sensors.NewDevice) { d.Name.EN = "a\x00b" },
		"site":                    func(d *sensors.NewDevice) { d.Site = "two\nlines" },
		"datastreams[0].name":     func(d *sensors.NewDevice) { d.Streams[0].Name = strings.Repeat("n", 65) },
		"datastreams[0].title.zh": func(d *sensors.NewDevice) { d.Streams[0].Title.ZH = long },
		"datastreams[0].title.en": func(d *sensors.NewDevice) { d.Streams[0].Title.EN = "\xff" },
		"datastreams": func(d *sensors.NewDevice) {
			for i := range 101 {
				d.Streams = append(d.Streams, sensors.NewDatastream{Name: "level" + strconv.Itoa(i), Type: "level"})
			}
		},
	} {
		var e *fault.Error
		if err := made(change); !errors.As(err, &e) || e.Kind != fault.Invalid || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := made(func(*sensors.NewDevice) {}); err != nil {
		t.Errorf("a name of the most: %v", err)
	}
	var e *fault.Error
	err := storetest.Catalogue(db).PutDivisions(t.Context(), storetest.Root(), []catalogue.Division{{Code: "370699", Name: core.Text{ZH: long}}})
	if !errors.As(err, &e) || e.Field != "divisions[0].name.zh" {
		t.Errorf("a division: %v", err)
	}
}
