package mqttjson

import (
	"context"

	"onemap/sensors"
)

// registered returns the devices of a registry.
type registered []sensors.RegisteredDevice

func (r registered) LoadRegistry(context.Context) ([]sensors.RegisteredDevice, error) { return r, nil }

func (registered) RegistrySeq(context.Context) (int64, error) { return 1, nil }

func (registered) DatastreamTypes(context.Context) ([]sensors.DatastreamType, error) {
	return []sensors.DatastreamType{{Code: "water_level", Min: -5, Max: 30}, {Code: "rain", Min: 0, Max: 300}}, nil
}

// failing is the common part of testing.TB and rapid.T.
type failing interface {
	Helper()
	Fatal(args ...any)
}

// known returns the device dev-1 of a registry, with the datastreams.
func known(t failing, streams ...sensors.Datastream) *sensors.Known {
	t.Helper()
	list := registered{{Device: sensors.Device{ID: "dev-1", Division: "370602", Streams: streams}}}
	registry := sensors.NewRegistry(list, sensors.RegistryOptions{}, nil, nil)
	if err := registry.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	return registry.Device("dev-1")
}
