// Package sensorsapi is the HTTP API of devices, what they observed, and how the ingest path is doing.
package sensorsapi

import (
	"onemap/internal/httpx"
	"onemap/sensors"
)

// Options is what the routes stand on.
type Options struct {
	Reader    sensors.DeviceReader
	Devices   *sensors.Devices
	Conflicts Conflicts
	Ingest    Ingest // optional: a node that takes readings in
}

// Complete reports the first required part that is missing.
func (o Options) Complete() error { return httpx.Complete("sensorsapi", o, "Ingest") }

// API serves the HTTP API of devices.
type API struct {
	*httpx.Server

	o Options
}

// Mount puts the routes on the server.
func Mount(h *httpx.Server, o Options) {
	s := &API{h, o}
	s.deviceRoutes()
	s.chartRoutes()
	s.ingestRoutes()
	s.presenceRoutes()
	h.Text("NewDevice.id", httpx.Pattern{Regexp: httpx.DevicePattern})
	h.Text("NewDevice.division", httpx.Pattern{Regexp: `^(\d{6}|\d{9}|\d{12})$`})
	h.Text("NewDevice.hazard_type", httpx.Pattern{Min: 1})
	h.Text("NewDatastream.name", httpx.Pattern{Regexp: `^[A-Za-z0-9_.-]{1,64}$`})
	h.Text("NewDatastream.type", httpx.Pattern{Min: 1})
	h.Text("NewCertificate.sha256", httpx.Pattern{Regexp: `^([0-9A-Fa-f]{2}:?){32}$`})
}
