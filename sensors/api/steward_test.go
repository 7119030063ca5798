package sensorsapi_test

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
	"slices"
	"strings"
	"testing"
	"time"

	"onemap/sensors"
	sensorsapi "onemap/sensors/api"
	"onemap/web/server/servertest"
)

func TestCertificatesAndEnabling(t *testing.T) {
	w := newWorld(t, nil)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.Must(err)
	until := w.Clock.Now().Add(time.Hour).Truncate(time.Second)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "station 2"}, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	w.Must(err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	sum := hex.EncodeToString(sensors.Fingerprint(der))
	const path = "/api/v1/devices/dev-02/certificate"

	a := w.Send(servertest.Admin, http.MethodPut, path, map[string]any{"pem": text})
	var got sensorsapi.Certificate
	a.Decode(t, &got)
	if a.Status != http.StatusOK || got.SHA256 != sum || got.Subject != "CN=station 2" || got.NotAfter == nil || !got.NotAfter.Equal(until) {
		t.Errorf("%d, %+v", a.Status, got)
	}
	held := func() string {
		t.Helper()
		all, err := w.DB.Sensors.LoadRegistry(t.Context())
		w.Must(err)
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
	w.seesCertificate("dev-02", sum)
	other := strings.Repeat("ab", 32)
	if a := w.Send(servertest.Admin, http.MethodPut, path, map[string]any{"sha256": strings.Repeat("AB:", 31) + "AB"}); a.Status != http.StatusOK || held() != other {
		t.Errorf("%d, the registry has %s", a.Status, held())
	}
	for what, body := range map[string]map[string]any{
		"nothing": {}, "both": {"sha256": other, "pem": text}, "a short one": {"sha256": "ab"}, "no PEM": {"pem": "x"},
	} {
		if a := w.Send(servertest.Admin, http.MethodPut, path, body); a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	if a := w.Send(servertest.Admin, http.MethodDelete, path, nil); a.Status != http.StatusNoContent || held() != "" {
		t.Errorf("%d, the registry has %s", a.Status, held())
	}
	w.seesCertificate("dev-02", "")
	var d sensors.Device
	a = w.Send(servertest.Admin, http.MethodPatch, "/api/v1/devices/dev-02", map[string]any{"enabled": false})
	a.Decode(t, &d)
	if a.Status != http.StatusOK || d.Enabled || held() != "not enabled" {
		t.Errorf("%d, %+v", a.Status, d)
	}
}

// seesCertificate checks that a device and the list of devices show the certificate only to those who may manage it.
func (w *world) seesCertificate(id, want string) {
	w.T.Helper()
	for account, want := range map[string]string{servertest.Admin: want, servertest.Steward: want, servertest.Commander: "", servertest.R02: "", servertest.Observer: ""} {
		var one sensors.Device
		w.Send(account, http.MethodGet, "/api/v1/devices/"+id, nil).Decode(w.T, &one)
		var all sensorsapi.DeviceSnapshot
		w.Send(account, http.MethodGet, "/api/v1/devices", nil).Decode(w.T, &all)
		i := slices.IndexFunc(all.Items, func(d sensors.Device) bool { return d.ID == id })
		if one.ID != id || i < 0 {
			w.T.Fatalf("%s does not see %s", account, id)
		}
		if one.Certificate != want || all.Items[i].Certificate != want {
			w.T.Errorf("%s sees %q, and in the list %q, not %q", account, one.Certificate, all.Items[i].Certificate, want)
		}
	}
}
