package remote_test

import (
	"net"
	"sync"
	"testing"
)

// proxy passes bytes to a broker. While it is cut, it passes and closes nothing, like a broken network. After heal it
// continues with the bytes that were on their way.
type proxy struct {
	addr string

	mu   sync.Mutex
	open chan struct{} // closed while bytes pass
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), open: make(chan struct{})}
	close(p.open)
	t.Cleanup(func() {
		_ = l.Close()
		p.heal() // nobody is left waiting
	})
	go func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", to)
			if err != nil {
				_ = down.Close()
				continue
			}
			go p.pass(up, down)
			go p.pass(down, up)
		}
	}()
	return p
}

func (p *proxy) pass(to, from net.Conn) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		open := p.open
		p.mu.Unlock()
		<-open
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
}

func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}
