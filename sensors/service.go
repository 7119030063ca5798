package sensors

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"onemap/geo"
	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/text"
)

// Devices is the service for all changes of devices by users, commands and demos. Each change requires core.PermEditData. The
// messages that devices send are handled by Ingest.
type Devices struct {
	writer DeviceWriter
	reader DeviceReader
	seeder DeviceSeeder
	now    func() time.Time
}

// NewDevices returns the service; a nil clock means the system clock.
func NewDevices(writer DeviceWriter, reader DeviceReader, seeder DeviceSeeder, clock func() time.Time) *Devices {
	if clock == nil {
		clock = time.Now
	}
	return &Devices{writer: writer, reader: reader, seeder: seeder, now: clock}
}

// NewDevice holds the data to create a device.
type NewDevice struct {
	ID         string // 1 to 64 of A–Z, a–z, 0–9, underscore, hyphen; the MQTT user name
	Division   string // a county's code or one below it
	Name       core.Text
	HazardType string
	Site       string
	Lon, Lat   float64 // EPSG:4326
	Streams    []NewDatastream
}

// NewDatastream is one observed property of a new device.
type NewDatastream struct {
	Name      string // the key in a payload's v; unique in the device
	Type      string // a code of the datastream types
	Title     core.Text
	IntervalS int // expected interval, seconds; 0: the interval of its type
}

// Create creates a device with its datastreams, and returns it with its secret, which is not stored. It returns fault.Invalid
// with the name of the field, such as datastreams[1].type; fault.Forbidden if the division is outside the principal's scope;
// fault.Conflict if the id is taken.
func (v *Devices) Create(ctx context.Context, p core.Principal, n NewDevice) (Device, string, error) {
	if err := p.Need(core.PermEditData); err != nil {
		return Device{}, "", err
	}
	d, err := v.complete(ctx, p, n)
	if err != nil {
		return Device{}, "", err
	}
	secret, sum := NewSecret()
	made, err := v.writer.CreateDevice(ctx, d, sum, p.Login)
	return made, secret, err
}

var streamName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// complete checks the data of a new device against the types of the registry and the principal's scope.
func (v *Devices) complete(ctx context.Context, p core.Principal, n NewDevice) (Device, error) {
	division, err := geo.ParseDivision(n.Division)
	switch {
	case err != nil:
		return Device{}, err
	case !ValidDeviceID(n.ID):
		return Device{}, fault.InvalidField("id", "must be 1 to 64 of A–Z, a–z, 0–9, underscore and hyphen")
	case len(division) < 6:
		return Device{}, fault.InvalidField("division", "a device stands in a county: 6 digits or more")
	case !p.Scope().Covers(division):
		return Device{}, &fault.Error{Kind: fault.Forbidden, Field: "division", Msg: "lies outside your division, " + p.Division}
	case strings.TrimSpace(n.Name.ZH) == "":
		return Device{}, fault.InvalidField("name.zh", "must not be empty")
	}
	if err := geo.CheckLonLat(n.Lon, n.Lat); err != nil {
		return Device{}, err
	}
	d := Device{
		ID: n.ID, Division: division, Name: n.Name, HazardType: n.HazardType, Site: n.Site, Lon: n.Lon, Lat: n.Lat,
		Origin: core.OriginReal, Source: "onemap: " + p.Login, Enabled: true,
	}
	if d.Streams, err = v.streams(ctx, n); err != nil {
		return Device{}, err
	}
	return d, d.CheckNames()
}

// maxQuoted is the largest part of a sender's text that a refusal repeats, in bytes.
const maxQuoted = 40

// streams checks the datastreams of a new device against the existing types.
func (v *Devices) streams(ctx context.Context, n NewDevice) ([]Datastream, error) {
	types, hazards, err := v.codes(ctx)
	switch {
	case err != nil:
		return nil, err
	case !hazards[n.HazardType]:
		return nil, fault.InvalidField("hazard_type", "there is no hazard type %q", text.Cut(n.HazardType, maxQuoted))
	}
	at := func(i int, member string) string { return fmt.Sprintf("datastreams[%d].%s", i, member) }
	names := map[string]bool{}
	var out []Datastream
	for i, s := range n.Streams {
		switch {
		case !streamName.MatchString(s.Name):
			return nil, fault.InvalidField(at(i, "name"), "must be 1 to 64 of A–Z, a–z, 0–9, dot, underscore and hyphen")
		case names[s.Name]:
			return nil, fault.InvalidField(at(i, "name"), "%q is there twice", s.Name)
		case !types[s.Type]:
			return nil, fault.InvalidField(at(i, "type"), "there is no datastream type %q", text.Cut(s.Type, maxQuoted))
		}
		names[s.Name] = true
		out = append(out, Datastream{DeviceID: n.ID, Name: s.Name, Type: s.Type, Title: s.Title, IntervalS: s.IntervalS})
	}
	return out, nil
}

// codes returns the codes of the datastream types and of the hazard types.
func (v *Devices) codes(ctx context.Context) (types, hazards map[string]bool, err error) {
	kinds, err := v.reader.DatastreamTypes(ctx)
	if err != nil {
		return nil, nil, err
	}
	all, err := v.reader.HazardTypes(ctx)
	if err != nil {
		return nil, nil, err
	}
	types, hazards = map[string]bool{}, map[string]bool{}
	for _, t := range kinds {
		types[t.Code] = true
	}
	for _, h := range all {
		hazards[h.Code] = true
	}
	return types, hazards, nil
}

// RenewSecret replaces the secret of a device and returns the new one, which is not stored. The old secret becomes invalid. This
// method and those below return fault.NotFound if there is no such device in the scope.
func (v *Devices) RenewSecret(ctx context.Context, p core.Principal, id string) (string, error) {
	if err := p.Need(core.PermEditData); err != nil {
		return "", err
	}
	secret, sum := NewSecret()
	return secret, v.writer.SetSecret(ctx, p.Scope(), id, sum, p.Login)
}

// SetEnabled enables or disables a device and returns it. If the device is disabled, its connection ends at once.
func (v *Devices) SetEnabled(ctx context.Context, p core.Principal, id string, enabled bool) (Device, error) {
	if err := p.Need(core.PermEditData); err != nil {
		return Device{}, err
	}
	if err := v.writer.SetEnabled(ctx, p.Scope(), id, enabled, p.Login); err != nil {
		return Device{}, err
	}
	return v.reader.Device(ctx, p.Scope(), id)
}

// MaxIntervalS is the longest expected interval of a datastream, in seconds: 7 days.
const MaxIntervalS = 7 * 24 * 60 * 60

// SetInterval sets the expected interval of a datastream in seconds, and returns the datastream; 0 means the interval of its type.
func (v *Devices) SetInterval(ctx context.Context, p core.Principal, datastream int64, seconds int) (Datastream, error) {
	if err := p.Need(core.PermEditData); err != nil {
		return Datastream{}, err
	}
	if seconds < 0 || seconds > MaxIntervalS {
		return Datastream{}, fault.InvalidCode("interval_s", fault.CodeOutOfRange, seconds, 0, MaxIntervalS)
	}
	return v.writer.SetInterval(ctx, p.Scope(), datastream, seconds, p.Login)
}

// NewCertificate is a device's client certificate: its fingerprint, or the certificate itself.
type NewCertificate struct {
	SHA256 string // of the DER bytes, in hexadecimal, with or without colons
	PEM    string // the certificate, or a chain that begins with it; without its key
}

// Certificate is the stored data of a device's client certificate.
type Certificate struct {
	SHA256   string
	Subject  string     // set only if the whole certificate was given
	NotAfter *time.Time // set only if the whole certificate was given; from this time on it is refused
}

// PutCertificate registers a device's client certificate, with which the device may authenticate over TLS. It replaces the
// previous one. It returns fault.Conflict if the certificate belongs to another device.
func (v *Devices) PutCertificate(ctx context.Context, p core.Principal, id string, n NewCertificate) (Certificate, error) {
	if err := p.Need(core.PermEditData); err != nil {
		return Certificate{}, err
	}
	cert, sum, err := n.read(v.now())
	if err != nil {
		return Certificate{}, err
	}
	return cert, v.writer.SetCertificate(ctx, p.Scope(), id, sum, p.Login)
}

// RemoveCertificate removes a device's client certificate. A connection that was authenticated by it ends at once.
func (v *Devices) RemoveCertificate(ctx context.Context, p core.Principal, id string) error {
	if err := p.Need(core.PermEditData); err != nil {
		return err
	}
	return v.writer.SetCertificate(ctx, p.Scope(), id, nil, p.Login)
}

// read returns the certificate's fingerprint from whichever form it was given in.
func (n NewCertificate) read(now time.Time) (Certificate, []byte, error) {
	switch {
	case n.SHA256 != "" && n.PEM != "":
		return Certificate{}, nil, fault.InvalidField("sha256", "give sha256 or pem, not both")
	case n.SHA256 == "" && n.PEM == "":
		return Certificate{}, nil, fault.InvalidField("sha256", "give sha256 or pem")
	case n.PEM == "":
		sum, err := ParseFingerprint(n.SHA256)
		return Certificate{SHA256: hex.EncodeToString(sum)}, sum, err
	}
	leaf, err := ParseCertificatePEM(n.PEM, now)
	if err != nil {
		return Certificate{}, nil, err
	}
	sum, until := Fingerprint(leaf.Raw), leaf.NotAfter.UTC()
	return Certificate{SHA256: hex.EncodeToString(sum), Subject: leaf.Subject.String(), NotAfter: &until}, sum, nil
}

// SeedData is the initial content of the registry.
type SeedData struct {
	HazardTypes     []HazardType
	DatastreamTypes []DatastreamType
	Devices         []Device
	// SecretSHA256 returns the hash of a device's secret. If it is nil or returns nil, existing secrets are kept, and a new device
	// cannot log in until it gets one.
	SecretSHA256 func(id string) []byte
	// Progress is called with the number of devices stored so far; it may be nil.
	Progress func(done int)
}

// Seed stores types by their codes and devices by their ids. It replaces existing ones and keeps the observations of devices. It
// requires the scope of the whole city.
func (v *Devices) Seed(ctx context.Context, p core.Principal, s SeedData) error {
	if err := cmp.Or(p.Need(core.PermEditData), p.NeedCity()); err != nil {
		return err
	}
	for _, d := range s.Devices {
		if err := d.CheckNames(); err != nil {
			return fault.Under("device "+d.ID, err)
		}
	}
	if err := v.seeder.PutHazardTypes(ctx, s.HazardTypes); err != nil {
		return err
	}
	if err := v.seeder.PutDatastreamTypes(ctx, s.DatastreamTypes); err != nil {
		return err
	}
	return v.seeder.PutDevices(ctx, s.Devices, s.SecretSHA256, s.Progress)
}
