package mqtt

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"onemap/internal/core"
	"onemap/internal/fault"
)

// keyPair is the server's certificate and key, read anew when a file has changed and when it is told to: a renewal
// needs no restart. What cannot be used leaves the last good pair in place, and is a fault until the files are mended.
type keyPair struct {
	certFile, keyFile string
	log               *slog.Logger
	clock             func() time.Time

	mu      sync.Mutex
	loaded  *tls.Certificate
	version [2]fileVersion
	looked  time.Time
	fault   error // of the last attempt; nil when it was good
}

type fileVersion struct {
	changed time.Time
	size    int64
}

// lookEvery bounds what a flood of handshakes asks of the file system.
const lookEvery = 500 * time.Millisecond

func newKeyPair(certFile, keyFile string, log *slog.Logger, clock func() time.Time) (*keyPair, error) {
	if certFile == "" || keyFile == "" {
		return nil, fault.New(fault.Invalid, "a certificate and its key are needed for TLS")
	}
	k := &keyPair{certFile: certFile, keyFile: keyFile, log: log, clock: clock}
	if err := k.load(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the certificate and key for TLS")
	}
	return k, nil
}

// load reads both files. A certificate that is over is taken when there is none yet: devices that do not check dates
// still get in, and health says so.
func (k *keyPair) load() error {
	version, err := k.versions()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(k.certFile, k.keyFile)
	if err != nil {
		return err
	}
	if k.loaded != nil && k.clock().After(pair.Leaf.NotAfter) {
		return fmt.Errorf("%s has expired on %s", k.certFile, pair.Leaf.NotAfter.UTC().Format(time.DateTime))
	}
	k.loaded, k.version = &pair, version
	return nil
}

func (k *keyPair) versions() (v [2]fileVersion, err error) {
	for i, name := range []string{k.certFile, k.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return v, err
		}
		v[i] = fileVersion{info.ModTime(), info.Size()}
	}
	return v, nil
}

// get is tls.Config's GetCertificate.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.looked) >= lookEvery {
		k.looked = now
		version, err := k.versions()
		if err == nil && (version != k.version || k.fault != nil) {
			err = k.load()
		}
		if err == nil || k.fault == nil || err.Error() != k.fault.Error() {
			k.note(err)
		}
	}
	return k.loaded, nil
}

// reload reads the files whether they have changed or not.
func (k *keyPair) reload() {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.load()
	k.note(err)
	if err == nil {
		k.log.InfoContext(context.Background(), "the certificate for devices was read anew", "until", k.loaded.Leaf.NotAfter)
	}
}

// note keeps how the last attempt went, and logs what changed by it.
func (k *keyPair) note(err error) {
	switch {
	case err != nil:
		k.log.WarnContext(context.Background(), "the certificate for devices cannot be read anew; the last one stays",
			"error", err, "until", k.loaded.Leaf.NotAfter)
	case k.fault != nil:
		k.log.InfoContext(context.Background(), "the certificate for devices is good again", "until", k.loaded.Leaf.NotAfter)
	}
	k.fault = err
}

// health is the state of the certificate that is in use.
func (k *keyPair) health() core.Health {
	k.mu.Lock()
	defer k.mu.Unlock()
	until := k.loaded.Leaf.NotAfter
	switch {
	case k.clock().After(until):
		return core.Unwell(core.PartCertificate, 0, CodeCertificateOver, until.UTC().Format(time.DateTime))
	case k.fault != nil:
		return core.Unwell(core.PartCertificate, 0, CodeCertificateStays, k.fault, until.UTC().Format(time.DateTime))
	default:
		return core.Health{Part: core.PartCertificate, OK: true}
	}
}

// config asks for a client certificate and takes any: what counts is its fingerprint, which the
// registry knows, and that the client holds its key, which the handshake proves.
func (k *keyPair) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: k.get, ClientAuth: tls.RequestClientCert}
}

// ReloadCertificate reads the certificate and key for devices anew. What cannot be used leaves the last pair in place,
// and is in the log and in CertificateHealth until the files are mended.
func (b *Broker) ReloadCertificate() {
	if b.pair != nil {
		b.pair.reload()
	}
}

// CertificateHealth is the state of the certificate for devices; ok is false without a TLS listener.
func (b *Broker) CertificateHealth() (h core.Health, ok bool) {
	if b.pair == nil {
		return core.Health{}, false
	}
	return b.pair.health(), true
}
