package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// listener is mochi's listener with what mochi's own has not: a deadline for the handshake, a bound
// on connections that have not said who they are, an end to every connection when it closes, and a
// panic of one connection that does not take the server with it.
type listener struct {
	b       *Broker
	ln      net.Listener
	serving atomic.Bool
	looped  chan struct{} // closed when the accept loop has ended

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	wg    sync.WaitGroup
}

func newListener(b *Broker, ln net.Listener) *listener {
	l := &listener{b: b, ln: ln, looped: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	l.serving.Store(true)
	return l
}

// Init is listeners.Listener's.
func (l *listener) Init(*slog.Logger) error { return nil }

// ID is listeners.Listener's.
func (l *listener) ID() string { return "tcp" }

// Address is listeners.Listener's.
func (l *listener) Address() string { return l.ln.Addr().String() }

// Protocol is listeners.Listener's.
func (l *listener) Protocol() string { return "tcp" }

func (l *listener) accepting() bool { return l.serving.Load() }

// Serve accepts until the listener is closed. Running out of file descriptors pauses it.
func (l *listener) Serve(establish listeners.EstablishFn) {
	defer close(l.looped)
	defer l.serving.Store(false)
	for {
		conn, err := l.ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			l.b.log.ErrorContext(context.Background(), "accept a connection", "error", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if !l.track(conn) {
			l.b.refuse(refusedTooMany, slog.String("remote", conn.RemoteAddr().String()))
			_ = conn.Close()
			continue
		}
		go l.handle(conn, establish)
	}
}

// track remembers the connection; false when there are too many.
func (l *listener) track(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.b.opts.MaxClients {
		return false
	}
	l.conns[conn] = struct{}{}
	l.wg.Add(1)
	return true
}

// handle runs one connection to its end.
func (l *listener) handle(conn net.Conn, establish listeners.EstablishFn) {
	defer l.wg.Done()
	defer func() {
		l.mu.Lock()
		delete(l.conns, conn)
		l.mu.Unlock()
	}()
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			l.b.refuse(refusedPanic, slog.String("remote", conn.RemoteAddr().String()), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
		_ = conn.Close()
		l.b.ended(conn, err)
	}()
	// mochi sets the next deadline when the device has authenticated
	if err = conn.SetDeadline(time.Now().Add(l.b.opts.HandshakeTimeout)); err == nil {
		err = establish(l.ID(), conn)
	}
}

// stopAccepting closes the socket and waits for the accept loop.
func (l *listener) stopAccepting() {
	_ = l.ln.Close()
	<-l.looped
}

// Close is listeners.Listener's: it says good-bye to every device, closes what has not got so far as
// to be one, and waits for all. It does not use the engine's way to close clients, which takes a read
// lock twice and so stands still for ever when a device leaves in between.
func (l *listener) Close(listeners.CloseFn) {
	l.stopAccepting()
	l.each(func(c net.Conn) { _ = c.SetDeadline(time.Now().Add(time.Second)) })
	l.b.sessions.Range(func(_, s any) bool {
		s.(*session).disconnect(packets.ErrServerShuttingDown)
		return true
	})
	l.cut()
	l.wg.Wait()
}

// cut closes every connection.
func (l *listener) cut() { l.each(func(c net.Conn) { _ = c.Close() }) }

func (l *listener) each(f func(net.Conn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		f(c)
	}
}
