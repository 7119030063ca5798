package sensors

import (
	"context"
	"crypto/subtle"

	"onemap/internal/fault"
)

// Credentials holds the credentials that a connecting client presents.
type Credentials struct {
	ID         string // the user name; may be empty with a certificate
	Secret     string
	CertSHA256 []byte // SHA-256 of the client certificate, whose private key the client has proved to hold; nil: none
}

// Authenticate returns the device with these credentials. A registered certificate is sufficient; a user name beside it must be
// the id of that device. Without a registered certificate the secret decides. Authenticate returns fault.Unauthenticated both for
// an unknown device and for a wrong secret. It returns fault.Unavailable if the database is unavailable. It asks the database for
// changes at each call, so a change made on any node applies as soon as it is committed.
func (r *Registry) Authenticate(ctx context.Context, c Credentials) (*Known, error) {
	if err := r.Current(ctx); err != nil {
		return nil, err
	}
	if k := r.Match(c); k != nil {
		return k, nil
	}
	if len(c.CertSHA256) == 0 && !ValidDeviceID(c.ID) {
		return nil, fault.New(fault.Unauthenticated, "the user name is not a device id")
	}
	if err := r.Miss(ctx); err != nil {
		return nil, err
	}
	if k := r.Match(c); k != nil {
		return k, nil
	}
	return nil, fault.New(fault.Unauthenticated, "unknown device, or wrong secret or certificate")
}

// Match returns the device with these credentials like Authenticate, but uses only the memory; it returns nil if no device matches.
func (r *Registry) Match(c Credentials) *Known {
	if k := (*r.certs.Load())[string(c.CertSHA256)]; k != nil && len(c.CertSHA256) > 0 {
		if c.ID != "" && c.ID != k.ID {
			return nil // the user name of one device with the certificate of another
		}
		return k
	}
	k := r.Device(c.ID)
	var sum []byte
	if k != nil {
		sum = k.SecretSHA256
	}
	if !secretMatches(c.Secret, sum) {
		return nil
	}
	return k
}

// Grants reports whether a connection that was accepted as was is still valid for k, the same device in a newer state of the
// registry. The division must be the same, and so must the certificate or the secret that the connection used.
func (k *Known) Grants(was *Known, byCertificate bool) bool {
	switch {
	case k == was:
		return true
	case k == nil || k.Division != was.Division:
		return false
	case byCertificate:
		return len(k.CertSHA256) > 0 && subtle.ConstantTimeCompare(k.CertSHA256, was.CertSHA256) == 1
	}
	return subtle.ConstantTimeCompare(k.SecretSHA256, was.SecretSHA256) == 1
}
