package sensors

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"time"

	"onemap/internal/fault"
)

// Fingerprint returns the SHA-256 of a certificate's DER bytes, by which the registry identifies the certificate of a device.
func Fingerprint(der []byte) []byte {
	sum := sha256.Sum256(der)
	return sum[:]
}

// ParseFingerprint parses a SHA-256 in hexadecimal, with or without colons, in the form that openssl and browsers show. The error
// names the field sha256.
func ParseFingerprint(s string) ([]byte, error) {
	s = strings.TrimSpace(s)
	if len(s) > 3*sha256.Size {
		return nil, fault.InvalidCode("sha256", CodeFingerprintShape)
	}
	sum, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(sum) != sha256.Size {
		return nil, fault.InvalidCode("sha256", CodeFingerprintShape)
	}
	return sum, nil
}

// ParseCertificatePEM parses the first certificate of a PEM text; a chain begins with the leaf. It refuses an expired certificate.
// It also refuses a text that contains a private key, because a private key must not be sent. Errors name the field pem.
func ParseCertificatePEM(text string, now time.Time) (*x509.Certificate, error) {
	var leaf *x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil, fault.InvalidCode("pem", CodeCertificateKey)
		case block.Type != "CERTIFICATE" || leaf != nil:
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			unread := fault.InvalidCode("pem", CodeCertificateUnread)
			unread.Err = err
			return nil, unread
		}
		leaf = cert
	}
	switch {
	case leaf == nil:
		return nil, fault.InvalidCode("pem", CodeCertificateMissing)
	case now.After(leaf.NotAfter):
		return nil, fault.InvalidCode("pem", CodeCertificateExpired, leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	return leaf, nil
}
