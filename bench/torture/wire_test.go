package torture_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The control packets of MQTT 3.1.1 (MQTT 2.2.1) that a client which only publishes needs.
const (
	packetConnect    = 1
	packetConnack    = 2
	packetPublish    = 3
	packetPuback     = 4
	packetPubrec     = 5
	packetPubrel     = 6
	packetPubcomp    = 7
	packetDisconnect = 14
)

// link is one MQTT connection of a device.
type link struct {
	conn net.Conn
	in   *bufio.Reader
	out  *bufio.Writer
}

// errRefused is the error for a CONNACK with a return code other than 0.
var errRefused = errors.New("the connection is refused")

// dial connects with a clean session and waits for the CONNACK.
func dial(ctx context.Context, addr, id, secret string) (*link, error) {
	d := net.Dialer{Timeout: 30 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, in: bufio.NewReaderSize(conn, 512), out: bufio.NewWriterSize(conn, 4096)}
	if err := l.connect(id, secret); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return l, nil
}

func (l *link) connect(id, secret string) error {
	body := appendText(nil, "MQTT")
	body = append(body, 4, 0xC2, 0, 0) // level 4; user name, password, clean session; no keep-alive
	body = appendText(appendText(appendText(body, id), id), secret)
	if err := l.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if err := errors.Join(l.write(packetConnect, 0, body), l.out.Flush()); err != nil {
		return err
	}
	kind, body, err := l.read()
	switch {
	case err != nil:
		return err
	case kind != packetConnack || len(body) != 2:
		return fmt.Errorf("packet %d of %d bytes is no CONNACK", kind, len(body))
	case body[1] != 0:
		return fmt.Errorf("%w: code %d", errRefused, body[1])
	}
	return l.conn.SetDeadline(time.Time{})
}

// publish writes a PUBLISH into the buffer; flush sends it.
func (l *link) publish(topic string, payload []byte, qos byte, id uint16) error {
	body := appendText(nil, topic)
	body = binary.BigEndian.AppendUint16(body, id)
	return l.write(packetPublish, qos<<1, append(body, payload...))
}

// release answers a PUBREC with a PUBREL.
func (l *link) release(id uint16) error {
	return l.write(packetPubrel, 2, binary.BigEndian.AppendUint16(nil, id))
}

// bye sends a DISCONNECT.
func (l *link) bye() error {
	return errors.Join(l.write(packetDisconnect, 0, nil), l.out.Flush())
}

func (l *link) write(kind, flags byte, body []byte) error {
	head := []byte{kind<<4 | flags}
	for n := len(body); ; {
		b := byte(n & 0x7f)
		if n >>= 7; n > 0 {
			head = append(head, b|0x80)
			continue
		}
		head = append(head, b)
		break
	}
	if _, err := l.out.Write(head); err != nil {
		return err
	}
	_, err := l.out.Write(body)
	return err
}

// read returns the next packet. Every packet for a publisher is shorter than 128 bytes.
func (l *link) read() (kind byte, body []byte, err error) {
	head, err := l.in.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n, err := l.in.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	if n > 0x7f {
		return 0, nil, fmt.Errorf("packet %d is too long", head>>4)
	}
	body = make([]byte, n)
	_, err = io.ReadFull(l.in, body)
	return head >> 4, body, err
}

// ack is an acknowledgement that was received.
type ack struct {
	kind byte
	id   uint16
}

// acks reads acknowledgements until the connection ends, and closes the channel then. The channel has room for every
// acknowledgement that the window allows.
func (l *link) acks(out chan<- ack) {
	defer close(out)
	for {
		kind, body, err := l.read()
		if err != nil || len(body) < 2 {
			return
		}
		out <- ack{kind, binary.BigEndian.Uint16(body)}
	}
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}
