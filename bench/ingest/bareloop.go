package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/jackc/pgx/v5"
)

// loopBare is the program that the client of an external broker is compared with: paho with the same settings and a handler
// that decodes nothing. For each publish it commits a row of one of the sender's datastreams, in turn, and acknowledges after
// the commit, in order. It runs until ctx ends.
func loopBare(ctx context.Context, o bareOptions, out io.Writer) error {
	conn, err := pgx.Connect(ctx, o.database)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // an error is ignored: the work is committed, or is not waited for
	streams, err := streamIDs(ctx, conn)
	if err != nil {
		return err
	}
	q := newBareQueue(o.values)
	c, err := subscribeBare(o.broker, streams, q)
	if err != nil {
		return err
	}
	defer c.Disconnect(250)
	fmt.Fprintf(out, "the bare loop reads from %s\n", o.broker)
	return q.run(ctx, newBareRows(conn, o.latest))
}

// brokerWithin is the time limit for each step with the broker.
const brokerWithin = 10 * time.Second

// subscribeBare connects and subscribes to the readings of all devices. Its handler queues each publish.
func subscribeBare(broker string, streams map[string][]int64, q *bareQueue) (paho.Client, error) {
	turns := map[string]int{} // used only by paho's goroutine that calls handlers
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + broker).SetProtocolVersion(4).SetClientID("bare").
		SetCleanSession(false).SetAutoAckDisabled(true).SetOrderMatters(true).SetStore(keepNothing{}).
		SetKeepAlive(15 * time.Second).SetAutoReconnect(false).SetConnectTimeout(brokerWithin).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return dialGathered(broker) }))
	receive := func(_ paho.Client, m paho.Message) {
		parts := strings.Split(m.Topic(), "/")
		if len(parts) != 5 {
			return
		}
		mine := streams[parts[3]]
		if len(mine) == 0 {
			return
		}
		n := turns[parts[3]]
		turns[parts[3]] = n + 1
		q.put(waiting{stream: mine[n%len(mine)], done: m.Ack})
	}
	for _, step := range []func() paho.Token{
		c.Connect, func() paho.Token { return c.Subscribe("onemap/v1/+/+/obs", 1, receive) },
	} {
		tok := step()
		if !tok.WaitTimeout(brokerWithin) {
			return nil, errors.New("the broker does not answer")
		}
		if err := tok.Error(); err != nil {
			return nil, fmt.Errorf("read from the broker: %w", err)
		}
	}
	return c, nil
}

// gathered reads from the network in large blocks, because paho reads single bytes. It also collects bytes while a write
// runs, and sends them in the next write.
type gathered struct {
	net.Conn
	in *bufio.Reader

	mu      sync.Mutex
	out     []byte
	writing bool
	failed  error
}

func dialGathered(addr string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, brokerWithin) //nolint:noctx // bounded
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &gathered{Conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// Read implements net.Conn.
func (g *gathered) Read(p []byte) (int, error) { return g.in.Read(p) }

// Write implements net.Conn. A later call returns the error.
func (g *gathered) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed != nil {
		return 0, g.failed
	}
	g.out = append(g.out, p...)
	if !g.writing {
		g.writing = true
		go g.write()
	}
	return len(p), nil
}

// write sends the collected bytes until none are left.
func (g *gathered) write() {
	var mine []byte
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.out) > 0 && g.failed == nil {
		mine, g.out = g.out, mine[:0]
		g.mu.Unlock()
		_, err := g.Conn.Write(mine)
		g.mu.Lock()
		g.failed = err
	}
	g.writing = false
}

// keepNothing is an empty paho store. The broker keeps what is not acknowledged.
type keepNothing struct{}

// Open implements paho.Store.
func (keepNothing) Open() {}

// Put implements paho.Store.
func (keepNothing) Put(string, packets.ControlPacket) {}

// Get implements paho.Store.
func (keepNothing) Get(string) packets.ControlPacket { return nil }

// All implements paho.Store.
func (keepNothing) All() []string { return nil }

// Del implements paho.Store.
func (keepNothing) Del(string) {}

// Close implements paho.Store.
func (keepNothing) Close() {}

// Reset implements paho.Store.
func (keepNothing) Reset() {}
