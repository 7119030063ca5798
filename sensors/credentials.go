package sensors

import (
	"context"
	"crypto/subtle"

	"onemap/internal/fault"
)

// Credentials is what one that connects shows of itself.
type Credentials struct {
	ID         string // the user name; may be empty with a certificate
	Secret     string
	CertSHA256 []byte // of the client certificate whose key it has proved to hold; nil: none
}

// Authenticate returns the device whose credentials these are. A registered certificate is enough, and
// a user name beside it must be that device's id; otherwise the secret decides. The error is
// fault.Unauthenticated for an unknown device as for a wrong secret, and fault.Unavailable when that
// cannot be told now. It asks the database whether anything has changed, so a change that was made on any node
// holds from the moment when it was answered.
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

// Match is Authenticate by what is in memory; nil when the credentials match nothing there.
func (r *Registry) Match(c Credentials) *Known {
	if k := (*r.certs.Load())[string(c.CertSHA256)]; k != nil && len(c.CertSHA256) > 0 {
		if c.ID != "" && c.ID != k.ID {
			return nil // another device's name on this device's certificate
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

// Grants reports whether k, of a newer state of the registry, still lets in whom was lets in before:
// in the same division, by the certificate or by the secret that was shown then.
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
