package api

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"onemap/auth"
	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
)

// DeviceSnapshot is the devices of the scope; it holds what the event log has up to Seq of Epoch and
// the committed batches up to Batch, so that the push can go on from there.
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

// NewDevice makes a device.
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

// NewDatastream is one observed property of a new device.
type NewDatastream struct {
	Name      string    `json:"name" doc:"The key in a payload's v; unique in the device" maxLength:"64"`
	Type      string    `json:"type" doc:"A code of the datastream types"`
	Title     core.Text `json:"title"`
	IntervalS int       `json:"interval_s,omitempty" minimum:"1" maximum:"604800" doc:"Expected pace, seconds; left out it is its type's"`
}

// DeviceWithSecret is a new device and the secret that is shown this once.
type DeviceWithSecret struct {
	Device sensors.Device `json:"device"`
	Secret string         `json:"secret" doc:"The MQTT password; it is not kept and cannot be shown again"`
}

// Secret is a device's new secret.
type Secret struct {
	Secret string `json:"secret" doc:"The MQTT password; it is not kept and cannot be shown again"`
}

// DatastreamTypes is what sensors can observe, and the hazards they stand for.
type DatastreamTypes struct {
	Items       []sensors.DatastreamType `json:"items"`
	HazardTypes []sensors.HazardType     `json:"hazard_types"`
}

// Observations is a datastream's readings of a time.
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

type deviceInput struct {
	ID string `path:"id" maxLength:"64"`
}

type createDeviceInput struct{ Body NewDevice }

type observationsInput struct {
	ID    int64     `path:"id" minimum:"1"`
	From  time.Time `query:"from" doc:"Default 6 hours before to"`
	To    time.Time `query:"to" doc:"Default now"`
	Limit int       `query:"limit" minimum:"1" maximum:"5000" default:"2000" doc:"The newest ones when there are more"`
}

type devicesInput struct {
	Limit int    `query:"limit" minimum:"1" maximum:"5000" default:"1000"`
	After string `query:"after" maxLength:"64" doc:"Only those with an id after this one"`
}

func (s *Server) deviceRoutes() {
	register(s, needView, op(http.MethodGet, "/api/v1/devices", "listDevices", "The devices of the scope with their datastreams and their latest readings, by their ids"), s.devices)
	register(s, needView, op(http.MethodGet, "/api/v1/devices/{id}", "getDevice", "One device"),
		func(ctx context.Context, p auth.Principal, in *deviceInput) (*body[sensors.Device], error) {
			d, err := s.o.Registry.Device(ctx, p.Scope(), in.ID)
			return &body[sensors.Device]{wireDevice(p, d)}, err
		})
	register(s, needData, may(created(op(http.MethodPost, "/api/v1/devices", "createDevice", "Make a device with its datastreams; the answer shows its secret once")), http.StatusConflict), s.createDevice)
	s.stewardRoutes()
	renew := op(http.MethodPost, "/api/v1/devices/{id}/secret", "renewDeviceSecret", "Give a device a new secret; the old one ends")
	register(s, needData, renew, func(ctx context.Context, p auth.Principal, in *deviceInput) (*body[Secret], error) {
		if _, err := s.o.Registry.Device(ctx, p.Scope(), in.ID); err != nil {
			return nil, err
		}
		secret, sum := sensors.NewSecret()
		return &body[Secret]{Secret{secret}}, s.o.Steward.SetSecret(ctx, p.Scope(), in.ID, sum, p.Login)
	})
	register(s, needView, op(http.MethodGet, "/api/v1/datastream-types", "listDatastreamTypes", "What sensors observe, and hazard types"), s.datastreamTypes)
	register(s, needView, op(http.MethodGet, "/api/v1/datastreams/{id}/observations", "listObservations", "A datastream's readings in [from, to)"), s.observations)
	register(s, needData, op(http.MethodGet, "/api/v1/quarantine", "listQuarantine", "What devices sent and could not be stored, newest first; for the city"),
		func(ctx context.Context, p auth.Principal, in *pageInput) (*body[List[sensors.Quarantined]], error) {
			if err := cityWide(p); err != nil {
				return nil, err
			}
			all, err := s.o.Registry.Quarantine(ctx, onePage(in.Limit, in.Before))
			return paged(all, in.Limit, func(q sensors.Quarantined) int64 { return q.ID }), err
		})
}

// cityWide refuses what concerns the whole city to a principal of a part of it.
func cityWide(p auth.Principal) error {
	if !p.Scope().Covers("") {
		return fault.NewCoded(fault.Forbidden, "", auth.CodeCityWideOnly, p.Division)
	}
	return nil
}

func (s *Server) devices(ctx context.Context, p auth.Principal, in *devicesInput) (*body[DeviceSnapshot], error) {
	snap, err := s.o.Registry.Devices(ctx, p.Scope(), in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := DeviceSnapshot{Epoch: snap.Epoch, Seq: snap.Head.Seq, SeqID: snap.Head.ID, Batch: snap.Batch.Seq, BatchID: snap.Batch.ID, At: s.now().UTC(), Items: make([]sensors.Device, 0, len(snap.Devices))}
	snap.Devices, out.Next = cutPage(snap.Devices, in.Limit, func(d sensors.Device) string { return d.ID })
	for _, d := range snap.Devices {
		out.Items = append(out.Items, wireDevice(p, d))
	}
	return &body[DeviceSnapshot]{out}, nil
}

// wireDevice is the device as the principal may see it.
func wireDevice(p auth.Principal, d sensors.Device) sensors.Device {
	d.Streams = orEmpty(d.Streams)
	if !needData.permits(p.Role) {
		d.Certificate = ""
	}
	return d
}

func (s *Server) datastreamTypes(ctx context.Context, _ auth.Principal, _ *none) (*body[DatastreamTypes], error) {
	kinds, err := s.o.Registry.DatastreamTypes(ctx)
	if err != nil {
		return nil, err
	}
	hazards, err := s.o.Registry.HazardTypes(ctx)
	return &body[DatastreamTypes]{DatastreamTypes{orEmpty(kinds), orEmpty(hazards)}}, err
}

func (s *Server) observations(ctx context.Context, p auth.Principal, in *observationsInput) (*body[Observations], error) {
	from, to, err := period(in.From, in.To, s.now())
	if err != nil {
		return nil, err
	}
	all, more, err := s.o.Registry.Observations(ctx, p.Scope(), in.ID, from, to, in.Limit)
	if err != nil {
		return nil, err
	}
	out := Observations{DatastreamID: in.ID, From: from.UTC(), To: to.UTC(), More: more, Items: make([]Reading, 0, len(all))}
	for _, o := range all {
		out.Items = append(out.Items, Reading{Time: o.Time, Value: o.Value, QC: o.QC, ReceivedAt: o.ReceivedAt})
	}
	return &body[Observations]{out}, nil
}

func (s *Server) createDevice(ctx context.Context, p auth.Principal, in *createDeviceInput) (*body[DeviceWithSecret], error) {
	d, err := s.newDevice(ctx, p, in.Body)
	if err != nil {
		return nil, err
	}
	secret, sum := sensors.NewSecret()
	made, err := s.o.Steward.CreateDevice(ctx, d, sum, p.Login)
	return &body[DeviceWithSecret]{DeviceWithSecret{Device: wireDevice(p, made), Secret: secret}}, err
}

var streamName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// newDevice checks what a device says of itself against the registry's types and the scope.
func (s *Server) newDevice(ctx context.Context, p auth.Principal, n NewDevice) (sensors.Device, error) {
	division, err := geo.ParseDivision(n.Division)
	switch {
	case err != nil:
		return sensors.Device{}, err
	case !sensors.ValidDeviceID(n.ID):
		return sensors.Device{}, fault.InvalidField("id", "must be 1 to 64 of A–Z, a–z, 0–9, underscore and hyphen")
	case len(division) < 6:
		return sensors.Device{}, fault.InvalidField("division", "a device stands in a county: 6 digits or more")
	case !p.Scope().Covers(division):
		return sensors.Device{}, &fault.Error{Kind: fault.Forbidden, Field: "division", Msg: "lies outside your division, " + p.Division}
	case strings.TrimSpace(n.Name.ZH) == "":
		return sensors.Device{}, fault.InvalidField("name.zh", "must not be empty")
	}
	if err := geo.CheckLonLat(n.Lon, n.Lat); err != nil {
		return sensors.Device{}, err
	}
	types, err := s.datastreamTypes(ctx, p, nil)
	if err != nil {
		return sensors.Device{}, err
	}
	d := sensors.Device{
		ID: n.ID, Division: division, Name: n.Name, HazardType: n.HazardType, Site: n.Site, Lon: n.Lon, Lat: n.Lat,
		Origin: core.OriginReal, Source: "onemap: " + p.Login, Enabled: true,
	}
	d.Streams, err = newStreams(n, types.Body)
	return d, err
}

func newStreams(n NewDevice, known DatastreamTypes) ([]sensors.Datastream, error) {
	hazards := map[string]bool{}
	for _, h := range known.HazardTypes {
		hazards[h.Code] = true
	}
	if !hazards[n.HazardType] {
		return nil, fault.InvalidField("hazard_type", "there is no hazard type %q", cut(n.HazardType))
	}
	types := map[string]bool{}
	for _, t := range known.Items {
		types[t.Code] = true
	}
	names := map[string]bool{}
	var out []sensors.Datastream
	for i, st := range n.Streams {
		switch {
		case !streamName.MatchString(st.Name):
			return nil, fault.InvalidField(at("datastreams", i, "name"), "must be 1 to 64 of A–Z, a–z, 0–9, dot, underscore and hyphen")
		case names[st.Name]:
			return nil, fault.InvalidField(at("datastreams", i, "name"), "%q is there twice", st.Name)
		case !types[st.Type]:
			return nil, fault.InvalidField(at("datastreams", i, "type"), "there is no datastream type %q", cut(st.Type))
		}
		names[st.Name] = true
		out = append(out, sensors.Datastream{DeviceID: n.ID, Name: st.Name, Type: st.Type, Title: st.Title, IntervalS: st.IntervalS})
	}
	return out, nil
}
