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

const maxRequest = 8 << 10 // bytes of an upgrade's request

// webSubprotocols are those that are taken, the better first: the second is what clients of before 3.1.1 ask for.
func webSubprotocols() []string { return []string{"mqtt", "mqttv3.1"} }

// newUpgrader shares the buffers for writing: a device is written to now and then.
func newUpgrader() *websocket.Upgrader {
	return &websocket.Upgrader{
		ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &sync.Pool{},
		Subprotocols: webSubprotocols(), CheckOrigin: sameHost,
	}
}

// sameHost lets in devices, which say no origin, and pages of the same host, on whichever port: a
// browser would offer a client certificate for any page that asks.
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

// upgrade reads an HTTP request and makes the connection a WebSocket, on any path.
func (b *Broker) upgrade(c net.Conn) (net.Conn, error) {
	from := &noting{Reader: c}
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

// noting keeps why reading ended: a line that is cut short looks like a whole one to its parser.
type noting struct {
	io.Reader
	err error
}

// Read implements io.Reader.
func (n *noting) Read(p []byte) (int, error) {
	k, err := n.Reader.Read(p)
	n.err = err
	return k, err
}

// responder is what the upgrade writes its answer to.
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

// ownDeadlines keeps the WebSocket from moving the deadlines: the handshake's holds until the CONNECT
// is there, and those after it are the connection's.
type ownDeadlines struct{ net.Conn }

// SetDeadline implements net.Conn.
func (ownDeadlines) SetDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (ownDeadlines) SetWriteDeadline(time.Time) error { return nil }

// webConn is the stream of bytes that the binary messages of a WebSocket make.
type webConn struct {
	net.Conn
	ws  *websocket.Conn
	now io.Reader // what is left of the running message
}

var errText = errors.New("a text message on a WebSocket for MQTT")

// Read implements net.Conn.
func (w *webConn) Read(p []byte) (int, error) {
	for {
		if w.now == nil {
			kind, r, err := w.ws.NextReader()
			if err != nil {
				return 0, err
			}
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
