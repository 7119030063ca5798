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

// Serve takes over a WebSocket handshake of an authenticated principal and returns at once; the
// connection lives on in goroutines of the hub. When it returns an error nothing has been answered
// yet, and the error says why: fault.Invalid (no handshake, or not our subprotocol), fault.Forbidden
// (foreign origin), fault.TooMany, fault.Unavailable (the hub does not run or is full).
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, p core.Principal) error {
	err := h.mayUpgrade(r)
	if err != nil {
		return h.refuse(r, err)
	}
	// Known before the handshake is answered: what ends a session closes its connections from the 101 on.
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
			return nil // it broke after the hub had taken it over: nobody is left to answer
		}
		return err
	}
	setSendBuffer(conn.NetConn(), h.o.SendBuffer)
	c.begin(ctx, conn)
	return nil
}

// refuse counts and logs a refused connection, and returns err: a browser's page is not told why.
func (h *Hub) refuse(r *http.Request, err error) error {
	h.metrics.refused.Inc()
	origin := r.Header.Get("Origin")
	h.log.WarnContext(r.Context(), "refused a WebSocket", slog.Any("reason", err),
		slog.String("origin", origin[:min(len(origin), 200)]), slog.String("host", r.Host))
	return err
}

// mayUpgrade refuses what can be told from the request alone.
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

// Check returns the error that Serve would refuse a page of the origin with, nil when it would let it in. A browser
// does not tell a page why its WebSocket was refused: the page asks by a request of its own.
func (h *Hub) Check(r *http.Request, origin string, p core.Principal) error {
	if !h.originAllowed(r, origin) {
		return fault.NewCoded(fault.Forbidden, "Origin", httpx.CodeOriginForeign, origin, r.Host)
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.roomLocked(p.AccountID)
}

// originAllowed admits the server's own origin, the configured ones, and clients that are no
// browsers and so send none.
func (h *Hub) originAllowed(r *http.Request, origin string) bool {
	if origin == "" || slices.ContainsFunc(h.o.Origins, func(o string) bool { return strings.EqualFold(o, origin) }) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// enter makes a connection of an account known to the hub, and refuses it past the bounds.
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

// roomLocked is why there is no room for another connection of an account, nil when there is.
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

// later is a refusal that may be tried again after a while.
func later(e *fault.Error, wait time.Duration) error {
	e.RetryAfter = wait
	return e
}

// forget takes back what enter did.
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

// leave forgets a connection that had been established.
func (h *Hub) leave(c *client, cause string) {
	h.forget(c)
	if c.class != nil {
		h.roster.leave(c)
	}
	if counter, ok := h.metrics.closed[cause]; ok {
		counter.Inc()
	}
}

// hijackable finds the writer that can be taken over beneath the wrappers of middleware, the way
// http.ResponseController does.
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

// setSendBuffer bounds what the kernel takes for a client that does not read, so that it is noticed.
func setSendBuffer(conn net.Conn, size int) {
	for {
		if tcp, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
			_ = tcp.SetWriteBuffer(size) // a smaller bound is better, not needed
			return
		}
		wrapped, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return
		}
		conn = wrapped.NetConn()
	}
}
