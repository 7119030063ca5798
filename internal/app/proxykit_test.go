package app_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// proxy is a real HAProxy or nginx in front of a server, with the configuration of docs/proxy.
type proxy struct {
	name        string
	plain, tls  string // host:port
	certificate *x509.CertPool
}

// urls are the addresses for browsers: over HTTP and over HTTPS.
func (p *proxy) urls() []string { return []string{"http://" + p.plain, "https://" + p.tls} }

// newProxy chooses the addresses of a proxy; start starts it.
func newProxy(t testing.TB, name string) *proxy {
	t.Helper()
	free := func() string {
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ln.Close() }()
		return ln.Addr().String()
	}
	return &proxy{name: name, plain: free(), tls: free()}
}

// start runs the proxy with a file of docs/proxy in front of the server at upstream. changes are pairs of a text in the file
// and its replacement. The proxy ends after the test.
func (p *proxy) start(t testing.TB, file, upstream string, changes ...string) {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "proxy", file))
	if err != nil {
		t.Fatal(err)
	}
	cert, key := p.identity(t, dir)
	own := []string{"http://127.0.0.1:8080", "http://" + upstream, "listen 80;", "listen " + p.plain + ";", "listen 443 ssl;", "listen " + p.tls + " ssl;",
		"/etc/nginx/certs/city.example.crt", cert, "/etc/nginx/certs/city.example.key", key}
	if p.name == "haproxy" {
		own = []string{"node1 127.0.0.1:8080 check", "node1 " + upstream, "bind 0.0.0.0:80", "bind " + p.plain, "bind 0.0.0.0:443", "bind " + p.tls,
			"/etc/haproxy/certs/city.example.pem", cert}
	}
	config := string(text)
	for pair := append(own, changes...); len(pair) > 1; pair = pair[2:] {
		if !strings.Contains(config, pair[0]) {
			t.Fatalf("docs/proxy/%s has no %q", file, pair[0])
		}
		config = strings.ReplaceAll(config, pair[0], pair[1])
	}
	args := []string{"-db", "-f", filepath.Join(dir, "proxy.cfg")}
	if p.name == "nginx" {
		config = nginxAround(dir, config)
		args = []string{"-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", filepath.Join(dir, "proxy.cfg")}
	}
	if err := os.WriteFile(filepath.Join(dir, "proxy.cfg"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run(t, args)
}

// nginxAround returns the main configuration for a file of conf.d, as /etc/nginx/nginx.conf is, with every path in dir.
func nginxAround(dir, config string) string {
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // dir is this user's
	}
	paths := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		paths += fmt.Sprintf("%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	return fmt.Sprintf("%sdaemon off;\nworker_processes 1;\npid %s;\nevents {}\nhttp {\naccess_log off;\n%s%s}\n",
		user, filepath.Join(dir, "pid"), paths, config)
}

// run starts the program and waits until both addresses answer.
func (p *proxy) run(t testing.TB, args []string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "/usr/sbin/"+p.name, args...) // #nosec G204
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("tests need %s (scripts/deps.sh test): %v", p.name, err)
	}
	ended := make(chan struct{})
	var failure error
	go func() {
		defer close(ended)
		failure = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the program and its workers; they may have ended, which was said then
		<-ended
	})
	for _, addr := range []string{p.plain, p.tls} {
		eventually(t, p.name+" at "+addr, func() bool {
			select {
			case <-ended:
				t.Fatalf("%s ended: %v\n%s", p.name, failure, said.String())
			default:
			}
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
			if err != nil {
				return false
			}
			_ = conn.Close()
			return true
		})
	}
}

// identity writes a self-signed certificate with its key: in one file for HAProxy, in two for nginx.
func (p *proxy) identity(t testing.TB, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "city.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	p.certificate = x509.NewCertPool()
	p.certificate.AppendCertsFromPEM(certText)
	if p.name == "haproxy" {
		certText = append(certText, keyText...)
	}
	cert, key = filepath.Join(dir, "city.crt"), filepath.Join(dir, "city.key")
	for name, text := range map[string][]byte{cert: certText, key: keyText} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// tlsConfig trusts the proxy's certificate.
func (p *proxy) tlsConfig() *tls.Config {
	return &tls.Config{RootCAs: p.certificate, MinVersion: tls.VersionTLS12}
}

// transport connects from the given address of this machine, so that the client's address differs from the proxy's,
// 127.0.0.1.
func (p *proxy) transport(t testing.TB, from string) *http.Transport {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	tr := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: p.tlsConfig()}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}
