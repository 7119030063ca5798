package sensors

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"onemap/internal/fault"
)

func TestACertificateAuthenticates(t *testing.T) {
	m := newMemory()
	cert := Fingerprint([]byte("leaf"))
	m.devices = append(m.devices, device("dev-2", "level"))
	m.devices[0].CertSHA256 = cert
	r := NewRegistry(m, RegistryOptions{MissInterval: time.Nanosecond}, nil, nil)
	for _, c := range []struct {
		what  string
		shown Credentials
		is    string // empty: nobody
	}{
		{"the certificate alone", Credentials{CertSHA256: cert}, "dev-1"},
		{"with its name", Credentials{ID: "dev-1", CertSHA256: cert}, "dev-1"},
		{"with its name and a wrong secret", Credentials{ID: "dev-1", Secret: "x", CertSHA256: cert}, "dev-1"},
		{"with another's name", Credentials{ID: "dev-2", CertSHA256: cert}, ""},
		{"with another's name and secret", Credentials{ID: "dev-2", Secret: "secret-of-dev-2", CertSHA256: cert}, ""},
		{"nobody's certificate", Credentials{ID: "dev-1", CertSHA256: Fingerprint([]byte("other"))}, ""},
		{"nobody's certificate, right secret", Credentials{ID: "dev-2", Secret: "secret-of-dev-2", CertSHA256: Fingerprint([]byte("other"))}, "dev-2"},
		{"no certificate, right secret", Credentials{ID: "dev-1", Secret: "secret-of-dev-1"}, "dev-1"},
		{"nothing", Credentials{}, ""},
		{"an empty certificate", Credentials{CertSHA256: []byte{}}, ""},
	} {
		k, err := r.Authenticate(t.Context(), c.shown)
		if (c.is == "") != fault.Is(err, fault.Unauthenticated) || (k != nil && k.ID != c.is) {
			t.Errorf("%s: %v, %v", c.what, k, err)
		}
	}
}

func TestGrants(t *testing.T) {
	was := device("dev-1", "level")
	was.CertSHA256 = Fingerprint([]byte("leaf"))
	for _, c := range []struct {
		what             string
		change           func(*RegisteredDevice)
		secret, certifed bool
	}{
		{"nothing", func(*RegisteredDevice) {}, true, true},
		{"another secret", func(d *RegisteredDevice) { d.SecretSHA256 = HashSecret("x") }, false, true},
		{"another certificate", func(d *RegisteredDevice) { d.CertSHA256 = Fingerprint([]byte("x")) }, true, false},
		{"no certificate", func(d *RegisteredDevice) { d.CertSHA256 = nil }, true, false},
		{"another division", func(d *RegisteredDevice) { d.Division = "370611" }, false, false},
	} {
		now := was
		c.change(&now)
		k, old := newKnown(now, nil), newKnown(was, nil)
		if k.Grants(old, false) != c.secret || k.Grants(old, true) != c.certifed {
			t.Errorf("%s: by secret %v, by certificate %v", c.what, k.Grants(old, false), k.Grants(old, true))
		}
	}
	var gone *Known
	if gone.Grants(newKnown(was, nil), true) {
		t.Error("a device that is gone")
	}
}

func TestOnReload(t *testing.T) {
	r := NewRegistry(newMemory(), RegistryOptions{}, nil, nil)
	seen := -1
	r.OnReload(func() { seen = r.Devices() })
	if err := r.Reload(t.Context()); err != nil || seen != 1 {
		t.Errorf("%v, %d devices seen", err, seen)
	}
}

// certificate returns a self-signed certificate with this end of validity, as PEM with its key.
func certificate(t testing.TB, until time.Time) (cert, key string, der []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-time.Hour), NotAfter: until}
	der, err = x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return text("CERTIFICATE", der), text("PRIVATE KEY", raw), der
}

func TestParseCertificatePEM(t *testing.T) {
	now := time.Now()
	cert, key, der := certificate(t, now.Add(time.Minute))
	other, _, _ := certificate(t, now.Add(time.Minute))
	old, _, _ := certificate(t, now.Add(-time.Minute))
	for _, good := range []string{cert, "text before\n" + cert + other} {
		got, err := ParseCertificatePEM(good, now)
		if err != nil || !bytes.Equal(got.Raw, der) {
			t.Errorf("%v", err)
		}
	}
	for what, c := range map[string][2]string{
		"nothing": {"", "no certificate"}, "a key": {key, "private key"}, "a key behind it": {cert + key, "private key"}, "an old one": {old, "expired"},
		"nonsense": {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"},
	} {
		if _, err := ParseCertificatePEM(c[0], now); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzParseFingerprint(f *testing.F) {
	sum := Fingerprint([]byte("leaf"))
	f.Add(hex.EncodeToString(sum))
	f.Add(strings.ToUpper(hex.EncodeToString(sum)))
	f.Add("aa:bb")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseFingerprint(s)
		switch {
		case err != nil && got != nil, err == nil && len(got) != 32:
			t.Errorf("%d bytes, %v", len(got), err)
		case err == nil:
			if again, err := ParseFingerprint(hex.EncodeToString(got)); err != nil || !bytes.Equal(again, got) {
				t.Errorf("%x is not itself: %v", got, err)
			}
		}
	})
}

func FuzzParseCertificatePEM(f *testing.F) {
	now := time.Now()
	cert, key, _ := certificate(f, now.Add(time.Hour))
	f.Add(cert)
	f.Add(cert + key)
	f.Add("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := ParseCertificatePEM(text, now); (got == nil) != (err != nil) || (err != nil && !fault.Is(err, fault.Invalid)) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
