package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"onemap/sensors"
)

func TestCertificatesAndEnabling(t *testing.T) {
	w := newWorld(t, nil)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	until := w.clock.now().Add(time.Hour).Truncate(time.Second)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "station 2"}, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	w.must(err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	sum := hex.EncodeToString(sensors.Fingerprint(der))
	const path = "/api/v1/devices/dev-02/certificate"

	a := w.send(admin, http.MethodPut, path, map[string]any{"pem": text})
	var got Certificate
	a.decode(t, &got)
	if a.status != http.StatusOK || got.SHA256 != sum || got.Subject != "CN=station 2" || got.NotAfter == nil || !got.NotAfter.Equal(until) {
		t.Errorf("%d, %+v", a.status, got)
	}
	held := func() string {
		t.Helper()
		all, err := w.db.LoadRegistry(t.Context())
		w.must(err)
		for _, d := range all {
			if d.ID == "dev-02" {
				return hex.EncodeToString(d.CertSHA256)
			}
		}
		return "not enabled"
	}
	if held() != sum {
		t.Errorf("the registry has %s", held())
	}
	other := strings.Repeat("ab", 32)
	if a := w.send(admin, http.MethodPut, path, map[string]any{"sha256": strings.Repeat("AB:", 31) + "AB"}); a.status != http.StatusOK || held() != other {
		t.Errorf("%d, the registry has %s", a.status, held())
	}
	for what, body := range map[string]map[string]any{
		"nothing": {}, "both": {"sha256": other, "pem": text}, "a short one": {"sha256": "ab"}, "no PEM": {"pem": "x"},
	} {
		if a := w.send(admin, http.MethodPut, path, body); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	if a := w.send(admin, http.MethodDelete, path, nil); a.status != http.StatusNoContent || held() != "" {
		t.Errorf("%d, the registry has %s", a.status, held())
	}
	var d sensors.Device
	a = w.send(admin, http.MethodPatch, "/api/v1/devices/dev-02", map[string]any{"enabled": false})
	a.decode(t, &d)
	if a.status != http.StatusOK || d.Enabled || held() != "not enabled" {
		t.Errorf("%d, %+v", a.status, d)
	}
}
