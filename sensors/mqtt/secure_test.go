package mqtt_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/mqtt"
)

// identity is a self-signed certificate with its key, in files and in memory.
type identity struct {
	certFile, keyFile string
	pair              tls.Certificate
	sum               []byte
}

var serial int64 // of the last certificate made; tests that make some do not run in parallel

func newIdentity(t testing.TB, dir, name string, until time.Time) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial++
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	id := identity{certFile: filepath.Join(dir, name+".crt"), keyFile: filepath.Join(dir, name+".key"), sum: sensors.Fingerprint(der)}
	cert, private := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	for name, b := range map[string][]byte{id.certFile: cert, id.keyFile: private} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if id.pair, err = tls.X509KeyPair(cert, private); err != nil {
		t.Fatal(err)
	}
	return id
}

// secureStand returns a stand with every kind of listener. dev-0 has a certificate, dev-1 an expired one.
type secureStand struct {
	*stand
	dir          string
	server       identity
	mine, old    identity
	unregistered identity
}

func newSecureStand(t *testing.T) *secureStand {
	t.Helper()
	dir, until := t.TempDir(), time.Now().Add(time.Hour)
	s := &secureStand{
		dir: dir, server: newIdentity(t, dir, "server", until), mine: newIdentity(t, dir, "mine", until),
		old: newIdentity(t, dir, "old", time.Now().Add(-time.Hour)), unregistered: newIdentity(t, dir, "unregistered", until),
	}
	m := newMemory(3)
	m.devices[0].CertSHA256, m.devices[1].CertSHA256 = s.mine.sum, s.old.sum
	s.stand = newStand(t, m, mqtt.Options{
		ListenTLS: "127.0.0.1:0", ListenWS: "127.0.0.1:0", ListenWSS: "127.0.0.1:0", CertFile: s.server.certFile, KeyFile: s.server.keyFile,
	})
	return s
}

func (s *secureStand) config(client *identity) *tls.Config {
	pool := x509.NewCertPool()
	leaf, _ := x509.ParseCertificate(s.server.pair.Certificate[0])
	pool.AddCert(leaf)
	c := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	if client != nil {
		c.Certificates = []tls.Certificate{client.pair}
	}
	return c
}

// dialTLS returns a wire over TLS, with or without a client certificate.
func (s *secureStand) dialTLS(t *testing.T, client *identity) *wire {
	t.Helper()
	conn, err := tls.Dial("tcp", s.broker.AddrOf(mqtt.KindTLS), s.config(client))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &wire{t: t, conn: conn, r: bufio.NewReader(conn), version: 4}
}

func TestClientCertificates(t *testing.T) {
	s := newSecureStand(t)
	n := 0
	for _, c := range []struct {
		what   string
		client *identity
		hello  hello
		device string // empty: refused
	}{
		{"the certificate alone", &s.mine, hello{}, "dev-0"},
		{"with its name", &s.mine, hello{user: "dev-0"}, "dev-0"},
		{"with another's name", &s.mine, hello{user: "dev-2"}, ""},
		{"with another's name and secret", &s.mine, hello{user: "dev-2", password: secret("dev-2")}, ""},
		{"nobody's certificate", &s.unregistered, hello{user: "dev-0"}, ""},
		{"nobody's certificate, right secret", &s.unregistered, hello{user: "dev-2", password: secret("dev-2")}, "dev-2"},
		{"no certificate, right secret", nil, hello{user: "dev-0", password: secret("dev-0")}, "dev-0"},
		{"no certificate, no secret", nil, hello{user: "dev-0"}, ""},
	} {
		bothVersions(t, func(t *testing.T, version byte) {
			w := s.dialTLS(t, c.client)
			c.hello.version, c.hello.id = version, "x"
			code := w.connect(c.hello)
			if (code == 0) != (c.device != "") {
				t.Fatalf("%s: CONNACK %#x", c.what, code)
			}
			if c.device == "" {
				w.expectClosed()
				return
			}
			before := s.stored()
			n++
			w.publish(1, 1, obsTopic(c.device), reading(n), false)
			w.expect(packets.Puback, 1)
			if s.stored() != before+1 {
				t.Errorf("%s: acknowledged and not stored", c.what)
			}
		})
	}
	w := s.dialTLS(t, &s.old) // expired: refused before its CONNECT is read
	if _, err := w.r.ReadByte(); err == nil {
		t.Error("an expired certificate was heard")
	}
	eventually(t, "shown", func() bool {
		for _, d := range s.broker.Troubles() {
			if d.Kind == sensors.TroubleCredential && strings.Contains(d.Detail, "out of date") && d.Code == "certificate-dates" {
				return true
			}
		}
		return false
	})
}

func TestACertificateIsReadAnewWhenItChanges(t *testing.T) {
	s := newSecureStand(t)
	shown := func() *big.Int {
		conn, err := tls.Dial("tcp", s.broker.AddrOf(mqtt.KindTLS), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber
	}
	first := shown()
	if err := os.WriteFile(s.server.certFile, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if shown().Cmp(first) != 0 {
		t.Error("the last good certificate was dropped for a bad one")
	}
	newIdentity(t, s.dir, "server", time.Now().Add(2*time.Hour))
	eventually(t, "the new certificate", func() bool { return shown().Cmp(big.NewInt(serial)) == 0 })
}

// TestACertificateIsReloaded tests that a bad certificate does not replace the old one, and that the health reports it until
// it is corrected.
func TestACertificateIsReloaded(t *testing.T) {
	s := newSecureStand(t)
	shown := func() int64 {
		conn, err := tls.Dial("tcp", s.broker.AddrOf(mqtt.KindTLS), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	first := shown()
	good, err := os.ReadFile(s.server.certFile)
	if err != nil {
		t.Fatal(err)
	}
	other := newIdentity(t, t.TempDir(), "other", time.Now().Add(time.Hour))
	expired := newIdentity(t, t.TempDir(), "expired", time.Now().Add(-time.Hour))
	for name, c := range map[string]struct {
		spoil func() error
		words string
	}{
		"half a file":    {func() error { return os.WriteFile(s.server.certFile, good[:len(good)/2], 0o600) }, "PEM"},
		"an empty file":  {func() error { return os.WriteFile(s.server.certFile, nil, 0o600) }, "PEM"},
		"no file":        {func() error { return os.Remove(s.server.certFile) }, "no such file"},
		"of another key": {func() error { return copyFile(other.certFile, s.server.certFile) }, "does not match"},
		"one that is over": {func() error {
			return errors.Join(copyFile(expired.certFile, s.server.certFile), copyFile(expired.keyFile, s.server.keyFile))
		}, "expired"},
	} {
		if err := c.spoil(); err != nil {
			t.Fatal(err)
		}
		s.broker.ReloadCertificate()
		h, ok := s.broker.CertificateHealth()
		if !ok || h.OK || h.Part != core.PartCertificate || !strings.Contains(h.Detail, c.words) || !strings.Contains(h.Detail, "the last one stays") {
			t.Errorf("%s: %+v", name, h)
		}
		if now := shown(); now != first {
			t.Errorf("%s: the last good certificate was dropped for number %d", name, now)
		}
	}
	newIdentity(t, s.dir, "server", time.Now().Add(2*time.Hour))
	s.broker.ReloadCertificate()
	if h, _ := s.broker.CertificateHealth(); !h.OK || shown() != serial {
		t.Errorf("the new certificate: %+v", h)
	}
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}

func TestTLSNeedsItsFiles(t *testing.T) {
	dir := t.TempDir()
	id := newIdentity(t, dir, "server", time.Now().Add(time.Hour))
	for _, o := range []mqtt.Options{
		{ListenTLS: "127.0.0.1:0"}, {ListenWSS: "127.0.0.1:0", CertFile: id.certFile}, {ListenTLS: "127.0.0.1:0", CertFile: id.certFile, KeyFile: id.certFile},
	} {
		o.Listen = mqtt.Off
		if err := mqtt.New(o, nil, nil, nil, nil, nil).Start(t.Context()); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// over returns the wire over a WebSocket.
type over struct {
	net.Conn
	ws   *websocket.Conn
	rest io.Reader
}

func (o *over) Read(p []byte) (int, error) {
	for {
		if o.rest == nil {
			_, r, err := o.ws.NextReader()
			if err != nil {
				return 0, err
			}
			o.rest = r
		}
		n, err := o.rest.Read(p)
		if err == io.EOF {
			o.rest, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write implements net.Conn. It sends every byte in its own message, because packets need not match messages.
func (o *over) Write(p []byte) (int, error) {
	for i := range p {
		if err := o.ws.WriteMessage(websocket.BinaryMessage, p[i:i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func TestWebSockets(t *testing.T) {
	s := newSecureStand(t)
	for _, kind := range []string{mqtt.KindWS, mqtt.KindWSS} {
		bothVersions(t, func(t *testing.T, version byte) {
			asked := map[byte]string{4: "mqttv3.1", 5: "mqtt"}[version]
			d := websocket.Dialer{Subprotocols: []string{asked}, TLSClientConfig: s.config(&s.mine)}
			ws, resp, err := d.Dial(kind+"://"+s.broker.AddrOf(kind)+"/any/path", nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			t.Cleanup(func() { _ = ws.Close() })
			if ws.Subprotocol() != asked {
				t.Errorf("subprotocol %q", ws.Subprotocol())
			}
			if err := ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			conn := &over{Conn: ws.NetConn(), ws: ws}
			w := &wire{t: t, conn: conn, r: bufio.NewReader(conn)}
			h := hello{version: version, user: "dev-0", password: secret("dev-0"), id: "x"}
			if kind == mqtt.KindWSS {
				h.user, h.password = "", "" // its certificate is enough
			}
			if code := w.connect(h); code != 0 {
				t.Fatalf("CONNACK %#x", code)
			}
			for i := range 20 {
				w.publish(1, uint16(i+1), obsTopic("dev-0"), reading(i), false)
				w.expect(packets.Puback, uint16(i+1))
			}
		})
	}
}

func TestWhatIsNoWebSocketForMQTTIsRefused(t *testing.T) {
	s := newSecureStand(t)
	addr := s.broker.AddrOf(mqtt.KindWS)
	upgrade := "GET / HTTP/1.1\r\nHost: " + addr + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	const mqttToo = "Sec-WebSocket-Protocol: mqtt\r\n"
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n": "400",
		upgrade + "\r\n":                    "400", // no subprotocol
		upgrade + mqttToo + "Origin: http://elsewhere.example\r\n\r\n":                           "403",
		upgrade + mqttToo + "Origin: null\r\n\r\n":                                               "403",
		upgrade + mqttToo + "Origin: http://127.0.0.1:8080\r\n\r\n":                              "101",
		upgrade + mqttToo + "\r\n":                                                               "101",
		"garbage\r\n\r\n":                                                                        "",
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n":                       "",
		upgrade + strings.Repeat("Sec-WebSocket-Extensions: permessage-deflate\r\n", 2) + "\r\n": "400",
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, request)
		line, _ := bufio.NewReader(conn).ReadString('\n')
		if want == "" && line != "" || want != "" && !strings.HasPrefix(line, "HTTP/1.1 "+want) {
			t.Errorf("%.60q: %q, want %s", request, line, want)
		}
		_ = conn.Close()
	}
	d := websocket.Dialer{Subprotocols: []string{"mqtt"}}
	ws, resp, err := d.Dial("ws://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	defer func() { _ = ws.Close() }()
	if err := ws.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	var late net.Error
	if _, _, err := ws.ReadMessage(); err == nil || (asNet(err, &late) && late.Timeout()) {
		t.Errorf("a text message: %v", err)
	}
}

func asNet(err error, into *net.Error) bool {
	n, ok := err.(net.Error) //nolint:errorlint // the reader's own error
	*into = n
	return ok
}

// FuzzUpgrade sends raw bytes to the WebSocket listener. No bytes may stop the broker.
func FuzzUpgrade(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add(bytes.Repeat([]byte("a: b\r\n"), 2000))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := newStand(t, newMemory(1), mqtt.Options{ListenWS: "127.0.0.1:0"})
		conn, err := net.Dial("tcp", s.broker.AddrOf(mqtt.KindWS))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(raw)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
		if s.refused(t, "panic") != 0 {
			t.Error("a panic")
		}
	})
}

// Connections that are slow before their CONNECT are limited on each kind of listener.
func TestSlowHandshakesOnEveryListener(t *testing.T) {
	id := newIdentity(t, t.TempDir(), "server", time.Now().Add(time.Hour))
	s := newStand(t, newMemory(1), mqtt.Options{
		ListenTLS: "127.0.0.1:0", ListenWS: "127.0.0.1:0", ListenWSS: "127.0.0.1:0", CertFile: id.certFile, KeyFile: id.keyFile,
		HandshakeTimeout: 300 * time.Millisecond,
	})
	kinds := []string{mqtt.KindTCP, mqtt.KindTLS, mqtt.KindWS, mqtt.KindWSS}
	for i, kind := range kinds {
		w := dial(t, s.broker.AddrOf(kind))
		_, _ = w.conn.Write([]byte{0x16})
		if kind == mqtt.KindTCP {
			w = dial(t, s.broker.AddrOf(kind))
			_, _ = w.conn.Write([]byte{0x10})
		}
		eventually(t, "ended on "+kind, func() bool { return s.refused(t, "handshake") >= float64(i+1) })
	}
	if err := s.broker.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAddressesOfTheListeners(t *testing.T) {
	s := newSecureStand(t)
	want := fmt.Sprintf("mqtt://%s mqtts://%s ws://%s wss://%s", s.broker.Addr(), s.broker.AddrOf(mqtt.KindTLS), s.broker.AddrOf(mqtt.KindWS), s.broker.AddrOf(mqtt.KindWSS))
	if got := s.broker.Stats().Address; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
