// Package sensorsapi is the HTTP API of devices, their observations and the state of the ingest path.
package sensorsapi

import (
	"onemap/internal/httpx"
	"onemap/sensors"
)

// Options holds what the routes need.
type Options struct {
	// Reader returns devices and readings. Its methods that have a scope return only what the scope covers.
	Reader sensors.DeviceReader
	// Devices is the service for every change of a device; it checks the rights and the input.
	Devices   *sensors.Devices
	Conflicts Conflicts
	Ingest    Ingest // optional; nil on a node that receives no readings
}

// Complete returns an error that names the first required field without a value.
func (o Options) Complete() error { return httpx.Complete("sensorsapi", o, "Ingest") }

// API serves the HTTP API of devices.
type API struct {
	*httpx.Server

	o Options
}

// Mount registers the routes and the patterns of the request fields.
func Mount(h *httpx.Server, o Options) {
	s := &API{h, o}
	s.deviceRoutes()
	s.chartRoutes()
	s.ingestRoutes()
	s.presenceRoutes()
	// The patterns are stated in the OpenAPI document, under the name of the schema and of its property.
	h.Text("NewDevice.id", httpx.Pattern{Regexp: httpx.DevicePattern})
	h.Text("NewDevice.division", httpx.Pattern{Regexp: `^(\d{6}|\d{9}|\d{12})$`})
	h.Text("NewDevice.hazard_type", httpx.Pattern{Min: 1})
	// A datastream's name is a key in a payload's "v", so it has no signs that need an escape in JSON.
	h.Text("NewDatastream.name", httpx.Pattern{Regexp: `^[A-Za-z0-9_.-]{1,64}$`})
	h.Text("NewDatastream.type", httpx.Pattern{Min: 1})
	h.Text("NewCertificate.sha256", httpx.Pattern{Regexp: `^([0-9A-Fa-f]{2}:?){32}$`})
}
