package remote_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/mqtt/remote"
	"onemap/sensors/mqtt/remote/mosquittotest"
)

// certificates is a certificate authority in a folder.
type certificates struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCertificates(t *testing.T) *certificates {
	p := &certificates{t: t, dir: t.TempDir()}
	p.issue("ca", nil)
	return p
}

func (p *certificates) file(name string) string { return filepath.Join(p.dir, name) }

// issue writes name.crt and name.key. The first certificate signs itself and all others.
func (p *certificates) issue(name string, ips []net.IP) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: ips,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := p.cert, p.key
	if parent == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.cert == nil {
		if p.cert, err = x509.ParseCertificate(der); err != nil {
			p.t.Fatal(err)
		}
		p.key = key
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	for ending, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(p.file(name+ending), pem.EncodeToMemory(block), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

func TestTLSWithClientCertificate(t *testing.T) {
	w := newTown(t, 1)
	p := newCertificates(t)
	p.issue("broker", []net.IP{net.IPv4(127, 0, 0, 1)})
	p.issue("onemap", nil)
	b := mosquittotest.Start(t, strings.ReplaceAll(`
cafile DIR/ca.crt
certfile DIR/broker.crt
keyfile DIR/broker.key
require_certificate true
use_identity_as_username true
`, "DIR", p.dir))
	good := quick("mqtts://" + b.Addr())
	good.CA, good.Cert, good.Key = p.file("ca.crt"), p.file("onemap.crt"), p.file("onemap.key")
	in := w.ingest(sensors.IngestOptions{}, w.db.Sensors, w.reg)
	c := w.client(good, in)
	pub := good
	publishSecurely(t, pub, obsTopic("dev-0"), reading(begin(), 1))
	eventually(t, "it is stored", func() bool { return w.stored() == 1 })
	if !c.Health().OK {
		t.Errorf("health %+v", c.Health())
	}

	for name, change := range map[string]func(*remote.Options){
		"without a client certificate":  func(o *remote.Options) { o.Cert, o.Key = "", "" },
		"with another authority":        func(o *remote.Options) { o.CA = "" },
		"with another name of the host": func(o *remote.Options) { o.URL = strings.Replace(o.URL, "127.0.0.1", "localhost", 1) },
		"without encryption":            func(o *remote.Options) { o.Endpoint = remote.Endpoint{URL: b.URL()} },
	} {
		o := good
		o.ClientID = "other"
		change(&o)
		c, err := remote.New(o, in, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Start()
		eventually(t, name+": the failure is told", func() bool { return c.Stats().Detail != "" })
		if c.Connected() {
			t.Errorf("%s: connected", name)
		}
		w.stop(c)
	}
}

// publishSecurely publishes with the certificates of the options.
func publishSecurely(t *testing.T, o remote.Options, topic string, payload []byte) {
	t.Helper()
	target, err := o.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	c := connectTo(t, target, "secure-device")
	publish(t, c, topic, 1, false, payload)
}

// Wrong options are reported before a connection is opened.
func TestRefusedOptions(t *testing.T) {
	p := newCertificates(t)
	good := quick("mqtt://127.0.0.1:1")
	for field, change := range map[string]func(*remote.Options){
		"broker":           func(o *remote.Options) { o.URL = "127.0.0.1:1883" },
		"broker ":          func(o *remote.Options) { o.URL = "http://127.0.0.1" },
		"broker  ":         func(o *remote.Options) { o.URL = "mqtt://u:secret-word@127.0.0.1" },
		"broker   ":        func(o *remote.Options) { o.CA = p.file("ca.crt") },
		"broker-user":      func(o *remote.Options) { o.Password = "x" },
		"broker-client-id": func(o *remote.Options) { o.ClientID = "onemap#1" },
		"broker-group":     func(o *remote.Options) { o.Group = "a/b" },
		"broker-cert":      func(o *remote.Options) { o.URL, o.Cert = "mqtts://127.0.0.1", p.file("ca.crt") },
		"broker-ca":        func(o *remote.Options) { o.URL, o.CA = "mqtts://127.0.0.1", p.file("ca.key") },
	} {
		o := good
		change(&o)
		_, err := remote.New(o, nil, nil, nil, nil)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), strings.TrimSpace(field)) || strings.Contains(err.Error(), "secret-word") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
