package sensorsapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/sensors"
)

// DeviceSnapshot holds the devices of a scope. It contains the effect of all events up to Seq of Epoch and of all batches up
// to Batch, so a client can apply what the push sends after these.
type DeviceSnapshot struct {
	Epoch   string           `json:"epoch"`
	Seq     int64            `json:"seq"`
	SeqID   string           `json:"seq_id" doc:"The id of the newest event up to seq: a hello's last_id"`
	Batch   int64            `json:"batch"`
	BatchID string           `json:"batch_id" doc:"The id of the newest batch up to batch: a hello's batch_id"`
	At      time.Time        `json:"at" doc:"When this was read"`
	Items   []sensors.Device `json:"items"`
	Next    string           `json:"next,omitempty" doc:"More follow: ask again with after set to this. What the push sends is to be applied from the seq and the batch of the first page on"`
}

// NewDevice is the request to create a device.
type NewDevice struct {
	ID         string          `json:"id" doc:"1 to 64 of A–Z, a–z, 0–9, underscore, hyphen; the MQTT user name" maxLength:"64"`
	Division   string          `json:"division" doc:"GB/T 2260, a county's or below"`
	Name       core.Text       `json:"name"`
	HazardType string          `json:"hazard_type"`
	Site       string          `json:"site,omitempty" maxLength:"200"`
	Lon        float64         `json:"lon" minimum:"-180" maximum:"180"`
	Lat        float64         `json:"lat" minimum:"-90" maximum:"90"`
	Streams    []NewDatastream `json:"datastreams" minItems:"1" maxItems:"100"`
}

// NewDatastream is a datastream of a new device.
type NewDatastream struct {
	Name      string    `json:"name" doc:"The key in a payload's v; unique in the device" maxLength:"64"`
	Type      string    `json:"type" doc:"A code of the datastream types"`
	Title     core.Text `json:"title"`
	IntervalS int       `json:"interval_s,omitempty" minimum:"1" maximum:"604800" doc:"Expected pace, seconds; left out it is its type's"`
}

// DeviceWithSecret is a new device with its secret, which is returned only once: the database keeps its hash.
type DeviceWithSecret struct {
	Device sensors.Device `json:"device"`
	Secret string         `json:"secret" doc:"The MQTT password; it is not kept and cannot be shown again"`
}

// Secret is the new secret of a device.
type Secret struct {
	Secret string `json:"secret" doc:"The MQTT password; it is not kept and cannot be shown again"`
}

// DatastreamTypes lists what sensors can observe, and the hazard types.
type DatastreamTypes struct {
	Items       []sensors.DatastreamType `json:"items"`
	HazardTypes []sensors.HazardType     `json:"hazard_types"`
}

// Observations holds the readings of a datastream in a period.
type Observations struct {
	DatastreamID int64     `json:"datastream_id"`
	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	More         bool      `json:"more" doc:"There are older ones that the limit left out: ask again with to set to the time of the first"`
	Items        []Reading `json:"items" doc:"In time order"`
}

// Reading is one observation of a known datastream.
type Reading struct {
	Time       time.Time  `json:"t"`
	Value      float64    `json:"v"`
	QC         sensors.QC `json:"qc" doc:"QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 bad, 9 missing"`
	ReceivedAt time.Time  `json:"received_at"`
}

// deviceInput names a device by its id, which is also its MQTT user name.
type deviceInput struct {
	ID string `path:"id" maxLength:"64"`
}

// createDeviceInput is the request to create a device.
type createDeviceInput struct{ Body NewDevice }

// observationsInput is the request for the readings of a datastream in [from, to).
type observationsInput struct {
	ID    int64     `path:"id" minimum:"1"`
	From  time.Time `query:"from" doc:"Default 6 hours before to"`
	To    time.Time `query:"to" doc:"Default now"`
	Limit int       `query:"limit" minimum:"1" maximum:"5000" default:"2000" doc:"The newest ones when there are more"`
}

// devicesInput selects a page of devices. Devices are in the order of their ids, so after is the last id of the page
// before.
type devicesInput struct {
	Limit int    `query:"limit" minimum:"1" maximum:"5000" default:"1000"`
	After string `query:"after" maxLength:"64" doc:"Only those with an id after this one"`
}

// deviceRoutes registers the routes of devices, datastreams, observations and the quarantine.
func (s *API) deviceRoutes() {
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/devices", "listDevices", "The devices of the scope with their datastreams and their latest readings, by their ids"), s.devices)
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/devices/{id}", "getDevice", "One device"),
		func(ctx context.Context, p core.Principal, in *deviceInput) (*httpx.Body[sensors.Device], error) {
			d, err := s.o.Reader.Device(ctx, p.Scope(), in.ID)
			return httpx.Answer(wireDevice(p, d)), err
		})
	httpx.Register(s.Server, httpx.EditData, httpx.May(httpx.Created(httpx.Op(http.MethodPost, "/api/v1/devices", "createDevice", "Make a device with its datastreams; the answer shows its secret once")), http.StatusConflict), s.createDevice)
	s.stewardRoutes()
	renew := httpx.Op(http.MethodPost, "/api/v1/devices/{id}/secret", "renewDeviceSecret", "Give a device a new secret; the old one ends")
	httpx.Register(s.Server, httpx.EditData, renew, func(ctx context.Context, p core.Principal, in *deviceInput) (*httpx.Body[Secret], error) {
		secret, err := s.o.Devices.RenewSecret(ctx, p, in.ID)
		return httpx.Answer(Secret{secret}), err
	})
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/datastream-types", "listDatastreamTypes", "What sensors observe, and hazard types"), s.datastreamTypes)
	httpx.Register(s.Server, httpx.View, httpx.Op(http.MethodGet, "/api/v1/datastreams/{id}/observations", "listObservations", "A datastream's readings in [from, to)"), s.observations)
	httpx.Register(s.Server, httpx.EditData, httpx.Op(http.MethodGet, "/api/v1/quarantine", "listQuarantine", "What devices sent and could not be stored, newest first; for the city"),
		func(ctx context.Context, p core.Principal, in *httpx.PageInput) (*httpx.Body[httpx.List[sensors.Quarantined]], error) {
			// A quarantined payload may name no registered device, so no division decides who may see it.
			if err := p.NeedCity(); err != nil {
				return nil, err
			}
			all, err := s.o.Reader.Quarantine(ctx, httpx.OnePage(in.Limit, in.Before))
			return httpx.Paged(all, in.Limit, func(q sensors.Quarantined) int64 { return q.ID }), err
		})
}

// devices reads one device more than the limit, to know whether there is a next page.
func (s *API) devices(ctx context.Context, p core.Principal, in *devicesInput) (*httpx.Body[DeviceSnapshot], error) {
	snap, err := s.o.Reader.Devices(ctx, p.Scope(), in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := DeviceSnapshot{Epoch: snap.Epoch, Seq: snap.Head.Seq, SeqID: snap.Head.ID, Batch: snap.Batch.Seq, BatchID: snap.Batch.ID, At: s.Now().UTC(), Items: make([]sensors.Device, 0, len(snap.Devices))}
	snap.Devices, out.Next = httpx.CutPage(snap.Devices, in.Limit, func(d sensors.Device) string { return d.ID })
	for _, d := range snap.Devices {
		out.Items = append(out.Items, wireDevice(p, d))
	}
	return httpx.Answer(out), nil
}

// wireDevice returns the device as the principal may see it. Only those who may edit devices see the fingerprint of its
// certificate.
func wireDevice(p core.Principal, d sensors.Device) sensors.Device {
	d.Streams = slices.Clone(httpx.OrEmpty(d.Streams))
	for i, stream := range d.Streams {
		d.Streams[i] = stream.WithStaleAfter()
	}
	if !p.May(core.PermEditData) {
		d.Certificate = ""
	}
	return d
}

// datastreamTypes returns the catalogue of what sensors observe. It is the same for every scope.
func (s *API) datastreamTypes(ctx context.Context, _ core.Principal, _ *httpx.None) (*httpx.Body[DatastreamTypes], error) {
	kinds, err := s.o.Reader.DatastreamTypes(ctx)
	if err != nil {
		return nil, err
	}
	hazards, err := s.o.Reader.HazardTypes(ctx)
	return httpx.Answer(DatastreamTypes{httpx.OrEmpty(kinds), httpx.OrEmpty(hazards)}), err
}

// observations returns stored readings in time order. If the limit leaves some out, these are the oldest, and more is
// true.
func (s *API) observations(ctx context.Context, p core.Principal, in *observationsInput) (*httpx.Body[Observations], error) {
	from, to, err := period(in.From, in.To, s.Now())
	if err != nil {
		return nil, err
	}
	all, more, err := s.o.Reader.Observations(ctx, p.Scope(), in.ID, from, to, in.Limit)
	if err != nil {
		return nil, err
	}
	out := Observations{DatastreamID: in.ID, From: from.UTC(), To: to.UTC(), More: more, Items: make([]Reading, 0, len(all))}
	for _, o := range all {
		out.Items = append(out.Items, Reading{Time: o.Time, Value: o.Value, QC: o.QC, ReceivedAt: o.ReceivedAt})
	}
	return httpx.Answer(out), nil
}

// createDevice creates a device. The response is the only one that contains the secret; the database stores its
// SHA-256.
func (s *API) createDevice(ctx context.Context, p core.Principal, in *createDeviceInput) (*httpx.Body[DeviceWithSecret], error) {
	n := in.Body
	made, secret, err := s.o.Devices.Create(ctx, p, sensors.NewDevice{
		ID: n.ID, Division: n.Division, Name: n.Name, HazardType: n.HazardType, Site: n.Site, Lon: n.Lon, Lat: n.Lat, Streams: newStreams(n.Streams),
	})
	return httpx.Answer(DeviceWithSecret{Device: wireDevice(p, made), Secret: secret}), err
}

// newStreams converts the datastreams of a request to those of the service. The two types have the same fields.
func newStreams(all []NewDatastream) []sensors.NewDatastream {
	out := make([]sensors.NewDatastream, len(all))
	for i, n := range all {
		out[i] = sensors.NewDatastream(n)
	}
	return out
}
