package remote

import (
	"errors"
	"net"
	"testing"
	"time"
)

// blockedConn is a connection on which a write never ends; a read waits until it is closed.
type blockedConn struct {
	net.Conn
	why error
}

func (d blockedConn) Write([]byte) (int, error) { return 0, d.why }

// A failed write ends the connection, and the reader gets the error. For net.ErrClosed, paho would assume its own close and
// wait.
func TestReaderIsToldOfAFailedWrite(t *testing.T) {
	here, there := tcpPair(t)
	defer func() { _ = there.Close() }()
	why := errors.New("broken pipe")
	c := newConn(blockedConn{here, why}, time.Minute)
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		read <- err
	}()
	if _, err := c.Write([]byte("ack")); err != nil {
		t.Fatalf("the write: %v", err)
	}
	if err := <-read; !errors.Is(err, why) || errors.Is(err, net.ErrClosed) {
		t.Errorf("the reader is told: %v, want %v", err, why)
	}
	if _, err := c.Write([]byte("ack")); !errors.Is(err, why) {
		t.Errorf("the next write: %v, want %v", err, why)
	}
}

// After an own Close the error is net.ErrClosed.
func TestReaderOfAClosedConnection(t *testing.T) {
	here, there := tcpPair(t)
	defer func() { _ = there.Close() }()
	c := newConn(here, time.Minute)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the reader is told: %v", err)
	}
}

// tcpPair returns both ends of a connection.
func tcpPair(t *testing.T) (here, there net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if here, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return here, there
}
