package remote

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"onemap/internal/fault"
	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// The causes of the end of a connection that this side decides. All but errStopping lead to a new connection.
var (
	errStopping = errors.New("this server stops")
	errOverrun  = errors.New("the broker sends more without waiting for an acknowledgement than is kept here: lower its in-flight window (max_inflight_messages)")
	errSilent   = errors.New("the broker is silent: no answer to a ping")
	errClosed   = errors.New("the connection was closed")
)

// link is one connection. Each link has its own paho client, which does not reconnect and is not used again. So an
// acknowledgement can only go to the connection of its publish.
type link struct {
	c       *Client
	client  paho.Client
	conn    atomic.Pointer[conn]
	window  *window
	present bool // the broker still had the session
	lost    chan error
}

// connect opens a link. If ctx ends first, it cuts the connection and waits for paho, so that no goroutine remains.
func (c *Client) connect(ctx context.Context) (*link, error) {
	l := &link{c: c, window: newWindow(c.opts.MaxPending, c.opts.MaxPendingBytes), lost: make(chan error, 1)}
	o := c.target.ClientOptions(c.opts.ClientID, c.opts.ConnectTimeout, func() (net.Conn, error) { return l.dial(ctx) }).
		SetCleanSession(false).SetAutoAckDisabled(true).SetOrderMatters(true).SetStore(noStore{}).
		SetKeepAlive(c.opts.KeepAlive).SetPingTimeout(c.opts.PingTimeout).
		SetDefaultPublishHandler(l.receive). // before Connect: queued publishes follow the CONNACK at once
		SetConnectionLostHandler(func(_ paho.Client, err error) { l.reportLost(err) })
	l.client = paho.NewClient(o)
	tok := l.client.Connect().(*paho.ConnectToken)
	select {
	case <-tok.Done():
	case <-ctx.Done():
		l.cut()
		<-tok.Done()
		l.end()
		return nil, ctx.Err()
	}
	if err := tok.Error(); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "connect")
	}
	l.present = tok.SessionPresent()
	if !l.present {
		c.pending.forget() // a new session: the old packet ids have no meaning
	}
	return l, nil
}

// dial opens the network connection for paho and keeps it, because the link also writes to it and cuts it.
func (l *link) dial(ctx context.Context) (net.Conn, error) {
	raw, err := l.c.target.Dial(ctx, l.c.opts.ConnectTimeout)
	if err != nil {
		return nil, err
	}
	w := newConn(raw, l.c.opts.PingTimeout)
	l.conn.Store(w)
	return w, nil
}

// filters returns the topic filters of the subscriptions. Each is subscribed at QoS 1.
func (c *Client) filters() []string {
	prefix := ""
	if c.opts.Group != "" {
		prefix = "$share/" + c.opts.Group + "/"
	}
	return []string{prefix + mqttjson.Topic("+", "+", mqttjson.KindObs), prefix + mqttjson.Topic("+", "+", mqttjson.KindStatus)}
}

// subscribe subscribes if the session may have no subscription: the session is new, or this process has not subscribed yet.
// It does not subscribe at each connection, because a broker answers each subscription with all retained messages
// ([MQTT-3.3.1-6] in 3.1.1).
func (l *link) subscribe(ctx context.Context) error {
	if l.c.state.subscribed() {
		if l.present {
			return nil
		}
		l.c.count.forgotten.Add(1)
		l.c.log.WarnContext(ctx, "the broker has forgotten this session: what it held for this server is lost; see docs/brokers.md on persistence")
	}
	want := map[string]byte{}
	for _, f := range l.c.filters() {
		want[f] = 1
	}
	tok := l.client.SubscribeMultiple(want, nil).(*paho.SubscribeToken)
	select {
	case <-tok.Done():
	case err := <-l.lost:
		return err
	case <-time.After(l.c.opts.ConnectTimeout):
		return fault.New(fault.Unavailable, "the broker does not answer the subscription")
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := tok.Error(); err != nil {
		return fault.Wrap(fault.Unavailable, err, "subscribe")
	}
	granted := tok.Result()
	for _, f := range slices.Sorted(maps.Keys(want)) {
		// The return code is the granted QoS, 0 to 2, or 0x80 for a refusal. Source: MQTT 3.1.1, 3.9.3. A broker may
		// grant less than was asked for ([MQTT-3.8.4-6] in 3.1.1).
		if code, ok := granted[f]; !ok || code > 2 {
			return fault.New(fault.Forbidden, "the broker refuses the subscription to %s: let the user %q read it", f, l.c.target.User())
		} else if code == 0 {
			return fault.New(fault.Forbidden, "the broker grants %s at QoS 0 only, which loses readings", f)
		}
	}
	l.c.state.setSubscribed()
	return nil
}

// receive is called by paho for each publish, in order. It never blocks: if a handler blocks, paho does not see the answers
// to its pings.
func (l *link) receive(_ paho.Client, m paho.Message) {
	c := l.c
	c.count.received[min(m.Qos(), 2)].Add(1)
	// 256 bytes stand for the other memory of a publish.
	s := &slot{
		topic: m.Topic(), payload: m.Payload(), size: len(m.Payload()) + len(m.Topic()) + 256,
		qos: m.Qos(), retained: m.Retained(), dup: m.Duplicate(), id: m.MessageID(), received: c.clock(),
	}
	if s.needsAck() && m.Duplicate() {
		c.count.redelivered.Add(1)
		if at, ok := c.pending.recall(s); ok {
			s.received = at
		}
	}
	if !l.window.put(s, errOverrun) && !s.needsAck() {
		c.count.lost.Add(1)
	}
}

// pump passes the received publishes to the ingest path. If the path is full, pump waits. Then the unacknowledged publishes
// fill the broker's in-flight window, and the broker waits too.
func (l *link) pump(ctx context.Context) {
	for {
		s, ok := l.window.take()
		if !ok {
			select {
			case <-l.window.came:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := l.offer(s)
		for sensors.IsFull(err) {
			if err = l.c.receiver.Await(ctx); err == nil {
				err = l.offer(s)
			}
		}
		if err != nil {
			l.settle(s, err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// settle records the result of a publish.
func (l *link) settle(s *slot, err error) {
	if err != nil {
		if !s.needsAck() {
			l.c.count.lost.Add(1)
		} else {
			l.c.count.unstored.Add(1)
		}
		err = fault.Wrap(fault.Unavailable, err, "a publish was not stored, the broker shall send it again")
	}
	l.window.settle(s, err)
}

// serve acknowledges publishes and watches the connection until it is lost. It returns an error too if a publish could not be
// stored and everything before it is acknowledged. When soft ends, it accepts no more and returns errStopping after the last
// acknowledgement. When hard ends, it returns at once.
func (l *link) serve(soft, hard context.Context) error {
	acked := make(chan error, 1)
	go func() { acked <- l.acknowledge(hard) }()
	tick := time.NewTicker(min(time.Second, l.c.opts.KeepAlive/2))
	defer tick.Stop()
	stop := soft.Done()
	for {
		select {
		case err := <-l.lost:
			return err
		case err := <-acked:
			return err
		case <-stop:
			stop = nil
			l.window.stop(errStopping)
		case <-tick.C:
			if err := l.watch(); err != nil {
				return err
			}
		}
	}
}

// watch detects what paho does not report: a connection that this side has closed, and a broker that is silent for longer
// than the pings allow.
func (l *link) watch() error {
	const slack = 6 * time.Second // paho checks every 5 s whether a ping is due
	o := l.c.opts
	switch {
	case l.conn.Load().sinceReceived() > o.KeepAlive+o.PingTimeout+slack:
		return errSilent
	case !l.client.IsConnectionOpen():
		return errClosed
	}
	return nil
}

// acknowledge sends acknowledgements until ctx ends or no more will follow. It writes directly to the connection, because
// paho uses a goroutine and two channels for each acknowledgement. This is safe: paho writes one whole packet at a time, and
// has no state for received publishes.
func (l *link) acknowledge(ctx context.Context) error {
	var acks []byte
	for {
		stored, cut := l.window.ready()
		acks = acks[:0]
		for _, s := range stored {
			acks = s.appendAck(acks)
		}
		if len(acks) > 0 {
			// Write waits for the network, at most for the time limit of a write. The reader gets an error too.
			if _, err := l.conn.Load().Write(acks); err == nil {
				l.c.count.acked.Add(uint64(len(acks) / ackLen))
			}
		}
		if cut != nil {
			return cut
		}
		select {
		case <-l.window.settled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ackLen is the length of a PUBACK or PUBREC of 3.1.1, in bytes.
const ackLen = 4

// appendAck appends the acknowledgement of a publish: nothing at QoS 0, a PUBACK at QoS 1, a PUBREC at QoS 2. paho answers
// the PUBREL that follows a PUBREC.
func (s *slot) appendAck(b []byte) []byte {
	switch s.qos {
	case 0:
		return b
	case 1:
		b = append(b, packets.Puback<<4, 2)
	default:
		b = append(b, packets.Pubrec<<4, 2)
	}
	return binary.BigEndian.AppendUint16(b, s.id)
}

// reportLost reports the end of the connection. Only the first cause counts.
func (l *link) reportLost(err error) {
	if err == nil {
		err = errClosed
	}
	select {
	case l.lost <- err:
	default:
	}
}

// cut closes the network connection at once.
func (l *link) cut() {
	if conn := l.conn.Load(); conn != nil {
		conn.cut()
	}
}

// end closes the connection without a DISCONNECT and lets paho release its resources.
func (l *link) end() {
	l.cut()
	l.client.Disconnect(0)
}

// disconnect sends a DISCONNECT and closes the connection. paho gets 250 ms for that.
func (l *link) disconnect() {
	l.client.Disconnect(250)
	l.cut()
}

// noStore is an empty paho store. No store is needed: the client sends only subscriptions, and the window holds the received
// publishes.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}

// warn logs a warning. It drops most of many warnings in a short time.
func (c *Client) warn(msg string, attrs ...slog.Attr) {
	c.logLimit.Do(func() { c.log.LogAttrs(context.Background(), slog.LevelWarn, msg, attrs...) })
}
