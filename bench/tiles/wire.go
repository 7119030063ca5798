package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// maxBody is the largest response body that is read, in bytes.
const maxBody = 64 << 20

// wire is one keep-alive connection of the load. It does as little work as possible, so that the server is measured and not
// the client.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte // body of the last response that was kept
	stop func() bool
}

// dial opens a connection. It is interrupted when ctx ends.
func dial(ctx context.Context, addr string) (*wire, error) {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	w := &wire{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}
	w.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // the read then returns a timeout
	return w, nil
}

func (w *wire) close() {
	w.stop()
	_ = w.conn.Close() // an error is ignored: no more writes follow
}

// get sends a request, reads the response and returns the length of its body in bytes. With keep, the body is in w.body. A
// status other than 200 is an error.
func (w *wire) get(request []byte, keep bool) (int, error) {
	if _, err := w.conn.Write(request); err != nil {
		return 0, fmt.Errorf("send: %w", err)
	}
	status, length, err := readHead(w.in)
	if err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	if status != 200 || keep {
		w.body = append(w.body[:0], make([]byte, length)...)
		if _, err := io.ReadFull(w.in, w.body); err != nil {
			return 0, fmt.Errorf("read the answer: %w", err)
		}
	} else if _, err := w.in.Discard(length); err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	if status != 200 {
		line, _, _ := bytes.Cut(request, []byte("\r\n"))
		return 0, fmt.Errorf("%s: status %d: %.200s", line, status, w.body)
	}
	return length, nil
}

// readHead reads the head of an HTTP/1.1 response. The response must have a Content-Length.
func readHead(in *bufio.Reader) (status, length int, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 14 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("no answer of HTTP/1.1: %.60q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, fmt.Errorf("no status: %.60q", line)
	}
	length = -1
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || length < 0 || length > maxBody {
			return 0, 0, fmt.Errorf("a length of %.40q", value)
		}
	}
	if length < 0 {
		return 0, 0, errors.New("an answer without a length")
	}
	return status, length, nil
}
