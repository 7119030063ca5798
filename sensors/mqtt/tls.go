package mqtt

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"

	"onemap/internal/errs"
)

// keyPair is the server's certificate and key, read anew when a file has changed: a renewal needs no
// restart. What cannot be read leaves the last good pair in place.
type keyPair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	version [2]fileVersion
	looked  time.Time
}

type fileVersion struct {
	changed time.Time
	size    int64
}

// lookEvery bounds what a flood of handshakes asks of the file system.
const lookEvery = 500 * time.Millisecond

func newKeyPair(certFile, keyFile string, log *slog.Logger) (*keyPair, error) {
	if certFile == "" || keyFile == "" {
		return nil, errs.New(errs.Invalid, "a certificate and its key are needed for TLS")
	}
	k := &keyPair{certFile: certFile, keyFile: keyFile, log: log}
	if err := k.load(); err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "the certificate and key for TLS")
	}
	return k, nil
}

func (k *keyPair) load() error {
	version, err := k.versions()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(k.certFile, k.keyFile)
	if err != nil {
		return err
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
		if err == nil && version != k.version {
			err = k.load()
		}
		if err != nil {
			k.log.WarnContext(context.Background(), "the certificate for devices cannot be read anew; the last one stays", "error", err)
		}
	}
	return k.loaded, nil
}

// config asks for a client certificate and takes any: what counts is its fingerprint, which the
// registry knows, and that the client holds its key, which the handshake proves.
func (k *keyPair) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: k.get, ClientAuth: tls.RequestClientCert}
}
