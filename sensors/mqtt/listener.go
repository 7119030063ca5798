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

// sendBuffer bounds what the kernel keeps for a device that does not read: it is sent a few bytes
// an acknowledgement.
const sendBuffer = 64 << 10

// ListenError says which listener could not be had.
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

// listener is mochi's listener with what mochi's own have not: a deadline for the handshake, a bound
// on connections that have not said who they are, an end to every connection when it closes, and a
// panic of one connection that does not take the server with it.
type listener struct {
	b       *Broker
	kind    string
	ln      net.Listener
	serving atomic.Bool
	looped  chan struct{} // closed when the accept loop has ended
}

func (b *Broker) listen(ctx context.Context, kind, addr string) error {
	// probes find what is half open within minutes, and do not keep 15,000 devices' radios awake
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

// Serve accepts until the listener is closed. Running out of file descriptors pauses it. A connection is
// attached by the broker itself.
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
			_ = t.SetWriteBuffer(sendBuffer) // an advice
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

// handle greets a connection and lets it in, or puts it aside for a while.
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

// resume goes on with a connection that was put aside.
func (l *listener) resume(c *conn) (goesOn bool, err error) {
	if err := c.raw.SetDeadline(time.Now().Add(l.b.opts.HandshakeTimeout)); err != nil {
		return false, err
	}
	return l.connect(c)
}

// connect lets the device in. Its session goes on in a goroutine of its own, whose stack has not grown over
// the CONNECT.
func (l *listener) connect(c *conn) (goesOn bool, err error) {
	s, err := l.b.connect(l.kind, c)
	if err != nil {
		return false, err
	}
	go l.guard(c, func() (bool, error) { return false, s.attend() })
	return true, nil
}

// guard does a part of what a connection comes to. Unless it goes on elsewhere, the connection has ended
// then.
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

func (l *listener) panicked(c *conn, p any) error {
	l.b.refuse(refusedPanic, slog.String("remote", c.remote), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	return fmt.Errorf("panic: %v", p)
}

func (l *listener) finish(c *conn, err error) {
	_ = c.Close()
	l.b.ended(c, err)
	l.b.limiter.remove(c)
}

// greet brings a connection so far that its CONNECT is there, all within the handshake's time.
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

// identify notes the client's certificate. Its key was proved in the handshake; who it is decides the
// registry, so what remains to be seen here is its time.
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

// Close implements listeners.Listener. The broker itself ends the connections: the engine's way to close
// clients takes a read lock twice and so stands still for ever when a device leaves in between.
func (l *listener) Close(listeners.CloseFn) { l.stopAccepting() }
