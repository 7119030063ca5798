package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"

	"onemap/internal/fault"
	"onemap/sensors"
)

// The kinds of listener, which are also the schemes of their addresses.
const (
	KindTCP = "mqtt"
	KindTLS = "mqtts"
	KindWS  = "ws"
	KindWSS = "wss"
)

// sendBuffer limits the kernel's send buffer for a device that does not read, in bytes. It can be small, because an
// acknowledgement is only a few bytes.
const sendBuffer = 64 << 10

// ListenError is the error of a listener that could not be opened.
type ListenError struct {
	Kind string // one of the kinds
	Err  error
}

// Error implements error.
func (e *ListenError) Error() string {
	return "listen for devices by " + e.Kind + ": " + e.Err.Error()
}

// Unwrap returns the cause, a *net.OpError when the address is taken.
func (e *ListenError) Unwrap() error { return e.Err }

// listener implements mochi's listeners.Listener. Unlike mochi's own listeners, it has a deadline for the handshake, limits the
// number of unauthenticated connections, ends every connection when it closes, and recovers from a panic in one connection.
type listener struct {
	b       *Broker
	kind    string
	ln      net.Listener
	serving atomic.Bool
	looped  chan struct{} // closed when the accept loop has ended
}

// listen opens a TCP socket for one kind of listener. It returns a *ListenError if the address cannot be bound.
func (b *Broker) listen(ctx context.Context, kind, addr string) error {
	// the probes detect a half-open connection within minutes, and are rare enough to let the radios of 15,000 devices sleep
	probes := net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 20 * time.Second, Count: 4}
	ln, err := (&net.ListenConfig{KeepAliveConfig: probes}).Listen(ctx, "tcp", addr)
	if err != nil {
		return &ListenError{Kind: kind, Err: err}
	}
	l := &listener{b: b, kind: kind, ln: ln, looped: make(chan struct{})}
	l.serving.Store(true)
	b.listeners = append(b.listeners, l)
	return nil
}

// Init implements listeners.Listener.
func (l *listener) Init(*slog.Logger) error { return nil }

// ID implements listeners.Listener.
func (l *listener) ID() string { return l.kind }

// Address implements listeners.Listener.
func (l *listener) Address() string { return l.ln.Addr().String() }

// Protocol implements listeners.Listener.
func (l *listener) Protocol() string { return l.kind }

// Serve accepts connections until the listener is closed. It pauses if the process has no free file descriptors. It does not use
// the given function: the broker attaches the connections itself.
func (l *listener) Serve(listeners.EstablishFn) {
	defer close(l.looped)
	defer l.serving.Store(false)
	for {
		raw, err := l.ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			l.b.log.ErrorContext(context.Background(), "accept a connection", "error", err)
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
				l.b.limiter.evictOne(time.Now())
			}
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if t, ok := raw.(*net.TCPConn); ok {
			_ = t.SetWriteBuffer(sendBuffer) // an error is ignored: the size is only a hint
		}
		c := newConn(raw, l.b.opts.WriteTimeout, time.Now())
		if !l.b.limiter.add(c) {
			l.b.refuse(refusedTooMany, slog.String("remote", c.remote))
			_ = c.Close()
			continue
		}
		go l.handle(c)
	}
}

// handle reads the CONNECT of a connection and connects it, or delays it for a while.
func (l *listener) handle(c *conn) {
	l.guard(c, func() (goesOn bool, err error) {
		if err := l.accept(c); err != nil {
			return false, err
		}
		if l.b.abuse.delay(c, func() { l.guard(c, func() (bool, error) { return l.resume(c) }) }) {
			return true, nil
		}
		return l.connect(c)
	})
}

// resume continues a connection that was delayed.
func (l *listener) resume(c *conn) (goesOn bool, err error) {
	if err := c.raw.SetDeadline(time.Now().Add(l.b.opts.HandshakeTimeout)); err != nil {
		return false, err
	}
	return l.connect(c)
}

// connect connects the device. The session continues in a new goroutine, because the stack of this one has grown while it
// processed the CONNECT.
func (l *listener) connect(c *conn) (goesOn bool, err error) {
	s, err := l.b.connect(l.kind, c)
	if err != nil {
		return false, err
	}
	go l.guard(c, func() (bool, error) { return false, s.readLoop() })
	return true, nil
}

// guard runs one part of the processing of a connection. If the connection does not continue elsewhere, it has ended after part
// returns.
func (l *listener) guard(c *conn, part func() (goesOn bool, err error)) {
	var err error
	goesOn := false
	defer func() {
		if p := recover(); p != nil {
			goesOn, err = false, l.panicked(c, p)
		}
		if !goesOn {
			l.finish(c, err)
		}
	}()
	goesOn, err = part()
}

// panicked counts and logs a panic, and returns it as the error that ends the connection. Other connections go on.
func (l *listener) panicked(c *conn, p any) error {
	l.b.refuse(refusedPanic, slog.String("remote", c.remote), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	return fmt.Errorf("panic: %v", p)
}

// finish ends a connection. The order matters: limiter.remove comes last, because Stop waits on it for the ends of all
// connections.
func (l *listener) finish(c *conn, err error) {
	_ = c.Close()
	l.b.ended(c, err)
	l.b.limiter.remove(c)
}

// accept runs the handshake of a connection and reads its CONNECT, within the time limit of the handshake.
func (l *listener) accept(c *conn) error {
	if err := c.raw.SetDeadline(c.opened.Add(l.b.opts.HandshakeTimeout)); err != nil {
		return err
	}
	if l.kind == KindTLS || l.kind == KindWSS {
		secure := tls.Server(c.Conn, l.b.tls)
		if err := secure.HandshakeContext(c.ctx); err != nil {
			return err
		}
		if err := c.identify(secure.ConnectionState(), l.b.clock()); err != nil {
			return err
		}
		c.Conn = secure
	}
	if l.kind == KindWS || l.kind == KindWSS {
		web, err := l.b.upgrade(c.Conn)
		if err != nil {
			return err
		}
		c.Conn = web
	}
	return c.readConnect()
}

// identify stores the fingerprint of the client's certificate. The handshake has proved that the client has the private key, and
// the registry finds the device. So only the validity period is checked here.
func (c *conn) identify(state tls.ConnectionState, now time.Time) error {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	leaf := state.PeerCertificates[0]
	if now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return fault.NewCoded(fault.Unauthenticated, "", CodeCertificateDates, leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	c.cert = sensors.Fingerprint(leaf.Raw)
	return nil
}

// stopAccepting closes the socket and waits for the accept loop.
func (l *listener) stopAccepting() {
	_ = l.ln.Close()
	<-l.looped
}

// Close implements listeners.Listener. The broker itself ends the connections. The engine's function to close clients is not
// used, because it takes a read lock twice and so deadlocks if a device disconnects in between.
func (l *listener) Close(listeners.CloseFn) { l.stopAccepting() }
