package mqtt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"onemap/internal/fault"
)

// The limit protects the memory against a client that is not authenticated yet.
const maxRequest = 8 << 10 // largest upgrade request, in bytes

// webSubprotocols returns the accepted subprotocols, the preferred one first. Clients older than 3.1.1 use mqttv3.1.
func webSubprotocols() []string { return []string{"mqtt", "mqttv3.1"} }

// newUpgrader returns an upgrader whose connections share their write buffers, because a device is written to only now and
// then.
func newUpgrader() *websocket.Upgrader {
	return &websocket.Upgrader{
		ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &sync.Pool{},
		Subprotocols: webSubprotocols(), CheckOrigin: sameHost,
	}
}

// sameHost accepts devices, which send no Origin, and pages of the same host on any port. Pages of other hosts are refused,
// because a browser would send its client certificate for any page that connects.
func sameHost(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return u.Hostname() != "" && strings.EqualFold(u.Hostname(), strings.Trim(host, "[]"))
}

// upgrade reads an HTTP request and upgrades the connection to a WebSocket. It accepts any path.
func (b *Broker) upgrade(c net.Conn) (net.Conn, error) {
	from := &errorReader{Reader: c}
	r := bufio.NewReaderSize(io.LimitReader(from, maxRequest), 1024)
	req, err := http.ReadRequest(r)
	switch {
	case err != nil && from.err != nil:
		return nil, from.err
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, err, "read the request for a WebSocket")
	}
	w := &responder{conn: c, rw: bufio.NewReadWriter(r, bufio.NewWriterSize(c, 512)), header: http.Header{}}
	offered := websocket.Subprotocols(req)
	if !slices.ContainsFunc(webSubprotocols(), func(p string) bool { return slices.Contains(offered, p) }) {
		http.Error(w, "this is MQTT: a WebSocket with the subprotocol mqtt or mqttv3.1", http.StatusBadRequest)
		return nil, fault.New(fault.Invalid, "a request that does not ask for the subprotocol mqtt or mqttv3.1")
	}
	ws, err := b.upgrader.Upgrade(w, req, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "make a WebSocket")
	}
	return &webConn{Conn: c, ws: ws}, nil
}

// errorReader keeps the error that ended reading. The HTTP parser hides it, because a truncated line looks like a complete one.
type errorReader struct {
	io.Reader
	err error
}

// Read implements io.Reader.
func (n *errorReader) Read(p []byte) (int, error) {
	k, err := n.Reader.Read(p)
	n.err = err
	return k, err
}

// responder is the http.ResponseWriter of the upgrade.
type responder struct {
	conn   net.Conn
	rw     *bufio.ReadWriter
	header http.Header
	headed bool
}

// Header implements http.ResponseWriter.
func (w *responder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *responder) WriteHeader(status int) {
	if w.headed {
		return
	}
	w.headed = true
	w.header.Set("Connection", "close")
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	if _, err := io.WriteString(w.conn, head); err == nil {
		_ = w.header.Write(w.conn) // the connection ends anyway
		_, _ = io.WriteString(w.conn, "\r\n")
	}
}

// Write implements http.ResponseWriter.
func (w *responder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.conn.Write(p)
}

// Hijack implements http.Hijacker.
func (w *responder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.headed = true
	return ownDeadlines{w.conn}, w.rw, nil
}

// ownDeadlines ignores the deadlines that the WebSocket library sets. The deadline of the handshake applies until the CONNECT
// is complete; after that, conn sets the deadlines.
type ownDeadlines struct{ net.Conn }

// SetDeadline implements net.Conn.
func (ownDeadlines) SetDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (ownDeadlines) SetWriteDeadline(time.Time) error { return nil }

// webConn is the byte stream in the binary messages of a WebSocket. A packet may be split over messages, and a message may
// hold several packets (MQTT 5.0, 6, [MQTT-6.0.0-2]).
type webConn struct {
	net.Conn
	ws  *websocket.Conn
	now io.Reader // the rest of the current message
}

// errText ends a connection whose client sends text messages ([MQTT-6.0.0-1]).
var errText = errors.New("a text message on a WebSocket for MQTT")

// Read implements net.Conn.
func (w *webConn) Read(p []byte) (int, error) {
	for {
		if w.now == nil {
			kind, r, err := w.ws.NextReader()
			if err != nil {
				return 0, err
			}
			// [MQTT-6.0.0-1]: any other type of message ends the connection.
			if kind != websocket.BinaryMessage {
				return 0, errText
			}
			w.now = r
		}
		n, err := w.now.Read(p)
		if errors.Is(err, io.EOF) {
			w.now, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write implements net.Conn.
func (w *webConn) Write(p []byte) (int, error) {
	if err := w.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
