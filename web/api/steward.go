package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"onemap/auth"
	"onemap/internal/fault"
	"onemap/sensors"
)

// NewCertificate is a device's client certificate, by its fingerprint or as a whole.
type NewCertificate struct {
	SHA256 string `json:"sha256,omitempty" maxLength:"96" doc:"Of the DER bytes, in hexadecimal, with or without colons"`
	PEM    string `json:"pem,omitempty" maxLength:"65536" doc:"The certificate itself, or a chain that begins with it; without its key"`
}

// Certificate is what is kept of a device's client certificate.
type Certificate struct {
	SHA256   string     `json:"sha256" doc:"Of the DER bytes, in hexadecimal"`
	Subject  string     `json:"subject,omitempty" doc:"When the certificate was given as a whole"`
	NotAfter *time.Time `json:"not_after" doc:"When the certificate was given as a whole: from then on it is refused"`
}

// DeviceChange lets a device publish, or no longer.
type DeviceChange struct {
	Enabled bool `json:"enabled" doc:"Whether it may publish; false ends its connection at once"`
}

type certificateInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body NewCertificate
}

type deviceChangeInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body DeviceChange
}

// stewardRoutes change devices that are there. Each change reaches the brokers of all nodes, and one
// that takes away what a connection was let in by ends it at once.
func (s *Server) stewardRoutes() {
	register(s, needData, op(http.MethodPatch, "/api/v1/devices/{id}", "changeDevice", "Let a device publish, or no longer; its connection ends at once"),
		func(ctx context.Context, p auth.Principal, in *deviceChangeInput) (*body[sensors.Device], error) {
			if err := s.o.Steward.SetEnabled(ctx, p.Scope(), in.ID, in.Body.Enabled, p.Login); err != nil {
				return nil, err
			}
			d, err := s.o.Registry.Device(ctx, p.Scope(), in.ID)
			return &body[sensors.Device]{wireDevice(p, d)}, err
		})
	register(s, needData, may(op(http.MethodPut, "/api/v1/devices/{id}/certificate", "putDeviceCertificate", "Register a device's client certificate, by which it may authenticate over TLS; the one before ends"), http.StatusConflict),
		func(ctx context.Context, p auth.Principal, in *certificateInput) (*body[Certificate], error) {
			cert, sum, err := in.Body.read(s.now())
			if err != nil {
				return nil, err
			}
			return &body[Certificate]{cert}, s.o.Steward.SetCertificate(ctx, p.Scope(), in.ID, sum, p.Login)
		})
	remove := op(http.MethodDelete, "/api/v1/devices/{id}/certificate", "deleteDeviceCertificate", "Forget a device's client certificate; a connection that it opened ends at once")
	remove.DefaultStatus = http.StatusNoContent
	register(s, needData, remove, func(ctx context.Context, p auth.Principal, in *deviceInput) (*none, error) {
		return &none{}, s.o.Steward.SetCertificate(ctx, p.Scope(), in.ID, nil, p.Login)
	})
}

// read returns the certificate's fingerprint from whichever form it was given in.
func (n NewCertificate) read(now time.Time) (Certificate, []byte, error) {
	switch {
	case n.SHA256 != "" && n.PEM != "":
		return Certificate{}, nil, fault.InvalidField("sha256", "give sha256 or pem, not both")
	case n.SHA256 == "" && n.PEM == "":
		return Certificate{}, nil, fault.InvalidField("sha256", "give sha256 or pem")
	case n.PEM == "":
		sum, err := sensors.ParseFingerprint(n.SHA256)
		return Certificate{SHA256: hex.EncodeToString(sum)}, sum, err
	}
	leaf, err := sensors.ParseCertificatePEM(n.PEM, now)
	if err != nil {
		return Certificate{}, nil, err
	}
	sum, until := sensors.Fingerprint(leaf.Raw), leaf.NotAfter.UTC()
	return Certificate{SHA256: hex.EncodeToString(sum), Subject: leaf.Subject.String(), NotAfter: &until}, sum, nil
}
