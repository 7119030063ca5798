package push

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/internal/httpx"
)

// Serve upgrades the request of an authenticated principal to a WebSocket and returns at once; goroutines of the hub
// serve the connection. If it returns an error, no response has been written yet. It returns fault.Invalid if the
// request is not a valid handshake or does not offer Protocol, fault.Forbidden if the origin is not allowed,
// fault.TooMany if the account has too many connections, and fault.Unavailable if the hub does not run or is full.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, p core.Principal) error {
	err := h.mayUpgrade(r)
	if err != nil {
		return h.refuse(r, err)
	}
	// Register the connection before the handshake is answered, so that the end of the session closes the connection
	// from the 101 response on.
	ctx, c, err := h.enter(context.WithoutCancel(r.Context()), p)
	if err != nil {
		return h.refuse(r, err)
	}
	refused := false
	up := h.upgrader
	up.Error = func(http.ResponseWriter, *http.Request, int, error) { refused = true }
	conn, err := up.Upgrade(hijackable(w), r, nil)
	if err != nil {
		c.close(&closing{websocket.CloseNormalClosure, causeGone, ""})
		h.forget(c)
		h.handlers.Done()
		err = h.refuse(r, fault.Wrap(fault.Invalid, err, "the WebSocket handshake is not valid"))
		if !refused {
			return nil // the connection broke after the hijack: no response can be written
		}
		return err
	}
	setSendBuffer(conn.NetConn(), h.o.SendBuffer)
	c.begin(ctx, conn)
	return nil
}

// refuse counts and logs a refused connection and returns err. The log is needed because a browser does not show the
// reason to the page.
func (h *Hub) refuse(r *http.Request, err error) error {
	h.metrics.refused.Inc()
	origin := r.Header.Get("Origin")
	h.log.WarnContext(r.Context(), "refused a WebSocket", slog.Any("reason", err),
		slog.String("origin", origin[:min(len(origin), 200)]), slog.String("host", r.Host))
	return err
}

// mayUpgrade checks the request itself: the handshake, the subprotocol and the origin. It returns fault.Invalid or
// fault.Forbidden.
func (h *Hub) mayUpgrade(r *http.Request) error {
	if !websocket.IsWebSocketUpgrade(r) {
		return fault.NewCoded(fault.Invalid, "Upgrade", CodeNotWebSocket)
	}
	if !slices.Contains(websocket.Subprotocols(r), Protocol) {
		return fault.InvalidField("Sec-WebSocket-Protocol", "must offer %s", Protocol)
	}
	if origin := r.Header.Get("Origin"); !h.originAllowed(r, origin) {
		return fault.NewCoded(fault.Forbidden, "Origin", httpx.CodeOriginForeign, origin, r.Host)
	}
	return nil
}

// Check returns the error with which Serve would refuse a page of the origin, nil if Serve would accept it. A browser
// does not show a page why its WebSocket was refused, so the page sends this separate request.
func (h *Hub) Check(r *http.Request, origin string, p core.Principal) error {
	if !h.originAllowed(r, origin) {
		return fault.NewCoded(fault.Forbidden, "Origin", httpx.CodeOriginForeign, origin, r.Host)
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.roomLocked(p.AccountID)
}

// originAllowed reports whether the origin is the server's own, a configured one, or empty. Clients that are not
// browsers send no origin.
func (h *Hub) originAllowed(r *http.Request, origin string) bool {
	if origin == "" || slices.ContainsFunc(h.o.Origins, func(o string) bool { return strings.EqualFold(o, origin) }) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// enter registers a connection of an account; it returns the error of roomLocked if a limit is reached.
func (h *Hub) enter(ctx context.Context, p core.Principal) (context.Context, *client, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.roomLocked(p.AccountID); err != nil {
		return nil, nil, err
	}
	c := newClient(h, p)
	ctx, c.cancel = context.WithCancelCause(ctx)
	h.conns[c] = struct{}{}
	h.accounts[p.AccountID]++
	h.handlers.Add(1)
	h.metrics.clients.Set(float64(len(h.conns)))
	return ctx, c, nil
}

// roomLocked returns nil if the account may open another connection. It returns fault.Unavailable if the hub does not
// run or is full, and fault.TooMany if the account has MaxPerAccount connections. The caller holds the hub's lock.
func (h *Hub) roomLocked(account int64) error {
	switch {
	case h.stage != stageRunning:
		return later(fault.NewCoded(fault.Unavailable, "", CodePushNotReady), 2*time.Second)
	case len(h.conns) >= h.o.MaxClients:
		return later(fault.NewCoded(fault.Unavailable, "", CodePushFull, len(h.conns)), 10*time.Second)
	case h.accounts[account] >= h.o.MaxPerAccount:
		return later(fault.NewCoded(fault.TooMany, "", CodePushAccountFull, h.accounts[account]), 10*time.Second)
	default:
		return nil
	}
}

// later returns e with RetryAfter set to wait.
func later(e *fault.Error, wait time.Duration) error {
	e.RetryAfter = wait
	return e
}

// forget unregisters a connection that enter has registered.
func (h *Hub) forget(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
	if h.accounts[c.who.AccountID]--; h.accounts[c.who.AccountID] <= 0 {
		delete(h.accounts, c.who.AccountID)
	}
	if c.class != nil {
		delete(c.class.members, c)
		if len(c.class.members) == 0 {
			delete(h.classes, c.scope)
		}
	}
	h.metrics.clients.Set(float64(len(h.conns)))
}

// leave unregisters an established connection, removes it from the roster and counts the cause.
func (h *Hub) leave(c *client, cause string) {
	h.forget(c)
	if c.class != nil {
		h.roster.leave(c)
	}
	if counter, ok := h.metrics.closed[cause]; ok {
		counter.Inc()
	}
}

// hijackable unwraps the wrappers of middleware until it finds an http.Hijacker, as http.ResponseController does.
func hijackable(w http.ResponseWriter) http.ResponseWriter {
	for {
		if _, ok := w.(http.Hijacker); ok {
			return w
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = u.Unwrap()
	}
}

// setSendBuffer limits the kernel's send buffer, in bytes. With a small buffer, writes to a client that does not read
// block soon, and the hub notices it.
func setSendBuffer(conn net.Conn, size int) {
	for {
		if tcp, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
			_ = tcp.SetWriteBuffer(size) // an error is ignored: a smaller buffer helps but is not required
			return
		}
		wrapped, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return
		}
		conn = wrapped.NetConn()
	}
}
