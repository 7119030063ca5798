package sensorsapi

import (
	"context"
	"net/http"
	"time"

	"onemap/internal/core"
	"onemap/internal/httpx"
	"onemap/sensors"
)

// NewCertificate is the client certificate of a device, as a fingerprint or in PEM.
type NewCertificate struct {
	SHA256 string `json:"sha256,omitempty" maxLength:"96" doc:"Of the DER bytes, in hexadecimal, with or without colons"`
	PEM    string `json:"pem,omitempty" maxLength:"65536" doc:"The certificate itself, or a chain that begins with it; without its key"`
}

// Certificate is the stored data of a client certificate. Only the fingerprint is in the database.
type Certificate struct {
	SHA256   string     `json:"sha256" doc:"Of the DER bytes, in hexadecimal"`
	Subject  string     `json:"subject,omitempty" doc:"When the certificate was given as a whole"`
	NotAfter *time.Time `json:"not_after" doc:"When the certificate was given as a whole: from then on it is refused"`
}

// DeviceChange enables or disables a device.
type DeviceChange struct {
	Enabled bool `json:"enabled" doc:"Whether it may publish; false ends its connection at once"`
}

// certificateInput is the request to register the client certificate of a device.
type certificateInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body NewCertificate
}

// deviceChangeInput is the request to enable or disable a device.
type deviceChangeInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body DeviceChange
}

// stewardRoutes registers the routes that change existing devices. Each change reaches the brokers of all nodes. A change that
// invalidates the credentials of a connection ends that connection at once.
func (s *API) stewardRoutes() {
	httpx.Register(s.Server, httpx.EditData, httpx.Op(http.MethodPatch, "/api/v1/devices/{id}", "changeDevice", "Let a device publish, or no longer; its connection ends at once"),
		func(ctx context.Context, p core.Principal, in *deviceChangeInput) (*httpx.Body[sensors.Device], error) {
			d, err := s.o.Devices.SetEnabled(ctx, p, in.ID, in.Body.Enabled)
			return httpx.Answer(wireDevice(p, d)), err
		})
	httpx.Register(s.Server, httpx.EditData, httpx.May(httpx.Op(http.MethodPut, "/api/v1/devices/{id}/certificate", "putDeviceCertificate", "Register a device's client certificate, by which it may authenticate over TLS; the one before ends"), http.StatusConflict),
		func(ctx context.Context, p core.Principal, in *certificateInput) (*httpx.Body[Certificate], error) {
			cert, err := s.o.Devices.PutCertificate(ctx, p, in.ID, sensors.NewCertificate(in.Body))
			return httpx.Answer(Certificate(cert)), err
		})
	remove := httpx.Op(http.MethodDelete, "/api/v1/devices/{id}/certificate", "deleteDeviceCertificate", "Forget a device's client certificate; a connection that it opened ends at once")
	remove.DefaultStatus = http.StatusNoContent
	httpx.Register(s.Server, httpx.EditData, remove, func(ctx context.Context, p core.Principal, in *deviceInput) (*httpx.None, error) {
		return &httpx.None{}, s.o.Devices.RemoveCertificate(ctx, p, in.ID)
	})
}
