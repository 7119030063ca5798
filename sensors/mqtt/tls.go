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

// keyPair is the server's certificate and key. It reads the files again when one has changed or when reload is called, so that a
// renewal needs no restart. If the new files cannot be used, it keeps the last good pair and reports a fault until the files are
// corrected.
type keyPair struct {
	certFile, keyFile string
	log               *slog.Logger
	clock             func() time.Time

	mu        sync.Mutex
	loaded    *tls.Certificate
	version   [2]fileVersion
	checkedAt time.Time
	fault     error // error of the last attempt; nil: it succeeded
}

// fileVersion is what shows that a file has changed: its time of modification and its size in bytes.
type fileVersion struct {
	changed time.Time
	size    int64
}

// checkEvery is the shortest time between two checks of the files. It limits the file system load of many handshakes.
const checkEvery = 500 * time.Millisecond

// newKeyPair reads the certificate and its key. It returns an error of kind fault.Invalid if a file name is missing or
// the pair cannot be used.
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

// load reads both files. An expired certificate is accepted if there is no other yet: devices that do not check dates can still
// connect, and health reports it.
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

// versions returns the versions of the certificate file and of the key file, in this order.
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

// get implements tls.Config.GetCertificate.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.checkedAt) >= checkEvery {
		k.checkedAt = now
		version, err := k.versions()
		if err == nil && (version != k.version || k.fault != nil) {
			err = k.load()
		}
		if err == nil || k.fault == nil || err.Error() != k.fault.Error() {
			k.setFault(err)
		}
	}
	return k.loaded, nil
}

// reload reads the files, even if they have not changed.
func (k *keyPair) reload() {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.load()
	k.setFault(err)
	if err == nil {
		k.log.InfoContext(context.Background(), "the certificate for devices was read anew", "until", k.loaded.Leaf.NotAfter)
	}
}

// setFault stores the result of the last attempt and logs a change.
func (k *keyPair) setFault(err error) {
	switch {
	case err != nil:
		k.log.WarnContext(context.Background(), "the certificate for devices cannot be read anew; the last one stays",
			"error", err, "until", k.loaded.Leaf.NotAfter)
	case k.fault != nil:
		k.log.InfoContext(context.Background(), "the certificate for devices is good again", "until", k.loaded.Leaf.NotAfter)
	}
	k.fault = err
}

// health returns the state of the certificate in use.
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

// config returns a TLS configuration that requests a client certificate and accepts any. The certificate is checked by its
// fingerprint in the registry; the handshake proves that the client has the private key.
func (k *keyPair) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: k.get, ClientAuth: tls.RequestClientCert}
}

// ReloadCertificate reads the certificate and key for devices again. If they cannot be used, the last pair stays in use, and the
// log and CertificateHealth report the fault until the files are corrected.
func (b *Broker) ReloadCertificate() {
	if b.pair != nil {
		b.pair.reload()
	}
}

// CertificateHealth returns the state of the certificate for devices; ok is false if there is no TLS listener.
func (b *Broker) CertificateHealth() (h core.Health, ok bool) {
	if b.pair == nil {
		return core.Health{}, false
	}
	return b.pair.health(), true
}
