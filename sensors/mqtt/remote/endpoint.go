package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"onemap/internal/fault"
	"onemap/sensors"
)

// Endpoint is the address of a broker and the credentials for it.
type Endpoint struct {
	// URL is mqtt://host:1883 (or tcp://), mqtts://host:8883 (or ssl://, tls://), ws://host/mqtt or wss://host/mqtt. It may
	// contain a user but no password.
	URL      string
	User     string
	Password string
	CA       string // file of the CA certificates for the broker's certificate, PEM; empty: those of the system
	Cert     string // file of the client certificate, PEM; read again for each connection
	Key      string // file of its private key, PEM
}

// Target is a checked Endpoint.
type Target struct {
	e      Endpoint
	url    *url.URL
	secure bool
}

// Resolve checks the endpoint and reads its certificates once. It returns an error of kind fault.Invalid that names the
// option.
func (e Endpoint) Resolve() (*Target, error) {
	u, err := url.Parse(e.URL)
	if err != nil || u.Hostname() == "" {
		// The message of package url would repeat the address, and so a password in it.
		return nil, fault.InvalidField("broker", "not the URL of a broker (mqtt://host:1883, mqtts://host:8883)")
	}
	if _, has := u.User.Password(); has {
		return nil, fault.InvalidField("broker", "holds a password, which `ps` would show; set ONEMAP_BROKER_PASSWORD or use --broker-password-file")
	}
	t := &Target{e: e}
	port := ""
	// The default ports are those that IANA has registered: mqtt 1883, secure-mqtt 8883, http 80, https 443.
	switch u.Scheme {
	case "mqtt", "tcp":
		port = "1883"
	case "mqtts", "ssl", "tls":
		port, t.secure = "8883", true
	case "ws":
		port = "80"
	case "wss":
		port, t.secure = "443", true
	default:
		return nil, fault.InvalidField("broker", "%s:// is no scheme of a broker; mqtt, mqtts, ws or wss are", u.Scheme)
	}
	if u.User != nil && t.e.User == "" {
		t.e.User = u.User.Username()
	}
	u.User = nil
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	if t.websocket(u) && u.Path == "" {
		u.Path = "/mqtt"
	}
	t.url = u
	if !t.secure && (e.CA != "" || e.Cert != "" || e.Key != "") {
		return nil, fault.InvalidField("broker", "certificates are given, but %s:// is not encrypted; mqtts:// is", u.Scheme)
	}
	if e.Password != "" && t.e.User == "" {
		return nil, fault.InvalidField("broker-user", "a password is given, and no user")
	}
	if _, err := t.tlsConfig(); err != nil {
		return nil, err
	}
	return t, nil
}

// websocket reports whether the URL is that of a WebSocket, ws or wss.
func (t *Target) websocket(u *url.URL) bool { return strings.HasPrefix(u.Scheme, "ws") }

// Address returns the URL without credentials.
func (t *Target) Address() string { return t.url.String() }

// User returns the user name of the connection; it returns "" if none is set.
func (t *Target) User() string { return t.e.User }

// tlsConfig reads the certificates. It returns nil if the connection is not encrypted.
func (t *Target) tlsConfig() (*tls.Config, error) {
	if !t.secure {
		return nil, nil
	}
	c := &tls.Config{ServerName: t.url.Hostname(), MinVersion: tls.VersionTLS12}
	if t.e.CA != "" {
		pem, err := os.ReadFile(t.e.CA)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "--broker-ca cannot be read")
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.InvalidField("broker-ca", "%s holds no PEM certificate", t.e.CA)
		}
	}
	if (t.e.Cert == "") != (t.e.Key == "") {
		return nil, fault.InvalidField("broker-cert", "--broker-cert and --broker-key go together")
	}
	if t.e.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.e.Cert, t.e.Key)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "--broker-cert or --broker-key cannot be used")
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Dial opens the network connection. It sends no MQTT packet.
func (t *Target) Dial(ctx context.Context, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := t.tlsConfig()
	if err != nil {
		return nil, err
	}
	if t.websocket(t.url) {
		return paho.NewWebsocket(t.url.String(), c, timeout, nil, nil)
	}
	var d interface {
		DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	} = &net.Dialer{}
	if t.secure {
		d = &tls.Dialer{Config: c}
	}
	return d.DialContext(ctx, "tcp", t.url.Host)
}

// ClientOptions returns the options of every client of this target: MQTT 3.1.1, no reconnection by paho, and the given dial
// function, because paho's own takes no context.
func (t *Target) ClientOptions(clientID string, timeout time.Duration, dial func() (net.Conn, error)) *paho.ClientOptions {
	return paho.NewClientOptions().AddBroker(t.Address()).SetProtocolVersion(4).SetClientID(clientID).
		SetUsername(t.e.User).SetPassword(t.e.Password).SetConnectTimeout(timeout).
		SetAutoReconnect(false).SetConnectRetry(false).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return dial() })
}

// checkClientID accepts 1 to 64 letters, digits, "_" and "-", which common brokers accept. MQTT guarantees only 23 letters
// and digits (3.1.1, [MQTT-3.1.3-5]).
func checkClientID(id string) error {
	if !sensors.ValidDeviceID(id) {
		return fault.InvalidField("broker-client-id", "%q is not 1 to 64 of [A-Za-z0-9_-]", id)
	}
	return nil
}
