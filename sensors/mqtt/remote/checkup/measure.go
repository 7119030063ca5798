package checkup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	mochi "github.com/mochi-mqtt/server/v2/packets"

	"onemap/internal/core"
	"onemap/sensors/mqtt/remote"
)

// version reads the version of the broker from $SYS. Not every broker publishes it.
func (x *exam) version(ctx context.Context, g *testClient) {
	const topic = "$SYS/broker/version"
	// The topic is a convention of Mosquitto that other brokers copy. MQTT itself only reserves the topics that begin
	// with $ (MQTT 3.1.1, 4.7.2).
	if err := g.subscribe(ctx, topic); err != nil || g.awaitMessages(ctx, topic, 1) == 0 {
		x.add("version", core.FindingOK, "", "it does not tell what it is")
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.got {
		if m.Topic() == topic {
			x.add("version", core.FindingOK, "", "%s", strings.TrimSpace(string(m.Payload()[:min(len(m.Payload()), 100)])))
			return
		}
	}
}

// protocol tries MQTT 5, because in this version a broker reports more of its limits. The server itself uses 3.1.1.
func (x *exam) protocol(ctx context.Context) {
	ack, err := x.connectV5(ctx)
	switch {
	case err != nil:
		x.add("protocol", core.FindingOK, "", "MQTT 3.1.1; not 5")
	// A broker that sends no Maximum Packet Size has no limit (MQTT 5.0, 3.2.2.3.6).
	case ack.Properties.MaximumPacketSize > 0 && int(ack.Properties.MaximumPacketSize) < x.o.Payload:
		x.add("protocol", core.FindingBad, "raise max_packet_size (Mosquitto) or the broker's like", "MQTT 3.1.1 and 5; packets over %d bytes are refused", ack.Properties.MaximumPacketSize)
	default:
		x.add("protocol", core.FindingOK, "", "MQTT 3.1.1 and 5")
	}
}

// connectV5 sends a CONNECT of version 5 and returns the CONNACK. It encodes the packets itself, because the client library
// supports only 3.1.1.
func (x *exam) connectV5(ctx context.Context) (mochi.Packet, error) {
	var pk mochi.Packet
	conn, err := x.target.Dial(ctx, x.o.Timeout)
	if err != nil {
		return pk, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(x.o.Timeout)); err != nil {
		return pk, err
	}
	user, password := x.target.User(), x.o.Password
	hello := mochi.Packet{
		FixedHeader: mochi.FixedHeader{Type: mochi.Connect}, ProtocolVersion: 5,
		Connect: mochi.ConnectParams{
			ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 30, ClientIdentifier: x.name + "-v5",
			UsernameFlag: user != "", Username: []byte(user), PasswordFlag: password != "", Password: []byte(password),
		},
	}
	var buf bytes.Buffer
	if err := hello.ConnectEncode(&buf); err != nil {
		return pk, err
	}
	if _, err := conn.Write(buf.Bytes()); err != nil {
		return pk, err
	}
	return readConnack(bufio.NewReader(conn))
}

// readConnack reads a CONNACK of version 5. It returns an error if the CONNACK refuses the client.
func readConnack(r *bufio.Reader) (mochi.Packet, error) {
	pk := mochi.Packet{ProtocolVersion: 5}
	first, err := r.ReadByte()
	if err != nil {
		return pk, err
	}
	if err := pk.FixedHeader.Decode(first); err != nil {
		return pk, err
	}
	// A CONNACK has some properties and no payload, so 4,096 bytes are more than enough. The limit keeps a peer that is
	// no broker from filling the memory.
	const most = 4096
	if pk.FixedHeader.Remaining, _, err = mochi.DecodeLength(r); err != nil || pk.FixedHeader.Remaining > most || pk.FixedHeader.Type != mochi.Connack {
		return pk, errors.Join(err, errors.New("no CONNACK"))
	}
	body := make([]byte, pk.FixedHeader.Remaining)
	if _, err := io.ReadFull(r, body); err != nil {
		return pk, err
	}
	if err := pk.ConnackDecode(body); err != nil {
		return pk, err
	}
	if pk.ReasonCode != 0 {
		return pk, fmt.Errorf("refused: %#x", pk.ReasonCode)
	}
	return pk, nil
}

// anonymous tries to connect without credentials. If the broker allows this, every client can publish as any device.
func (x *exam) anonymous(ctx context.Context) {
	e := remote.Endpoint{URL: x.target.Address(), CA: x.o.CA}
	noCredentials, err := e.Resolve()
	if err != nil {
		return
	}
	// A broker that allows anonymous clients accepts this CONNECT. The client uses a clean session, so nothing stays at
	// the broker.
	g, err := x.connect(ctx, noCredentials, "nobody", true)
	if err != nil {
		x.add("anonymous", core.FindingOK, "", "who gives no credentials is refused")
		return
	}
	g.close()
	x.add("anonymous", core.FindingWarn, "allow_anonymous false, and let each device publish to its own topics alone (acl_file)", "anybody may connect without credentials, and publish as a device")
}

// access subscribes to the topic filters of a server, in a session that ends with the connection.
func (x *exam) access(ctx context.Context) {
	g, err := x.connect(ctx, x.target, "access", true)
	if err != nil {
		x.add("access", core.FindingWarn, "", "cannot be looked at: %v", err)
		return
	}
	defer g.close()
	for _, f := range filters() {
		if err := g.subscribe(ctx, f); err != nil {
			x.add("access", core.FindingBad, fmt.Sprintf("let the user %q read %s", x.target.User(), f), "%s: %v", f, err)
			return
		}
	}
	x.add("access", core.FindingOK, "", "%s may be read", strings.Join(filters(), " and "))
}

// private reports whether a message to a private topic comes back. All later measurements need this.
func (x *exam) private(ctx context.Context, live *testClient) bool {
	topic := x.topic + "/echo"
	err := live.subscribe(ctx, topic)
	if err == nil {
		err = live.publish(ctx, topic, 1)
	}
	if err == nil && live.awaitMessages(ctx, topic, 1) == 0 {
		err = errors.New("nothing comes back")
	}
	if err == nil {
		return true
	}
	x.add("measuring", core.FindingWarn, fmt.Sprintf("let the user %q read and write onemap/doctor/# while this runs", x.target.User()),
		"queue, size and groups cannot be measured: %v", err)
	return false
}

// size tests whether the broker passes a payload of Options.Payload bytes.
func (x *exam) size(ctx context.Context, live *testClient) {
	topic := x.topic + "/size"
	g, err := x.connect(ctx, x.target, "size", true) // its own connection, because a broker may close it for a large payload
	if err == nil {
		defer g.close()
		if err = live.subscribe(ctx, topic); err == nil {
			err = x.wait(ctx, g.Publish(topic, 1, false, bytes.Repeat([]byte("x"), x.o.Payload)))
		}
	}
	if got := live.awaitMessages(ctx, topic, 1); got == 0 || err != nil {
		x.add("size", core.FindingBad, "raise message_size_limit and max_packet_size (Mosquitto), or the broker's like", "a payload of %d bytes does not pass", x.o.Payload)
		return
	}
	x.add("size", core.FindingOK, "", "payloads of %d bytes pass", x.o.Payload)
}

// queue measures how many messages a session keeps while its client is disconnected, and how many messages the broker sends
// ahead of the acknowledgements.
func (x *exam) queue(ctx context.Context, live *testClient) {
	topic := x.topic + "/queue"
	g, err := x.connect(ctx, x.target, "queue", false)
	if err != nil {
		x.add("session", core.FindingBad, "the broker must keep sessions (MQTT 3.1.1, clean session off)", "no session that lasts: %v", err)
		return
	}
	defer x.forget(ctx, "queue")
	if err := g.subscribe(ctx, topic); err != nil {
		g.close()
		x.add("session", core.FindingWarn, "", "cannot be looked at: %v", err)
		return
	}
	g.close()
	if err := live.publish(ctx, topic, x.o.Messages); err != nil {
		x.add("queue", core.FindingBad, "", "%d messages cannot be published: %v", x.o.Messages, err)
		return
	}
	if g, err = x.connect(ctx, x.target, "queue", false); err != nil || !g.present {
		x.add("session", core.FindingBad, "the broker must keep sessions while their client is away", "the session was gone when its client came back (%v)", err)
		return
	}
	defer g.close()
	x.add("session", core.FindingOK, "", "kept while its client was away")
	// Nothing is acknowledged up to here, so the broker stops at its limit of messages in flight: that number is the
	// window. After the acknowledgement it sends the rest.
	window := g.awaitMessages(ctx, topic, x.o.Messages)
	g.acknowledge()
	kept := g.awaitMessages(ctx, topic, x.o.Messages)
	x.checkQueue(kept)
	x.checkWindow(window, kept)
}

// checkQueue adds the finding on messages kept while the client was disconnected.
func (x *exam) checkQueue(kept int) {
	if kept < x.o.Messages {
		x.add("queue", core.FindingBad, "Mosquitto: max_queued_messages 0 and max_queued_bytes 0; EMQX: mqtt.max_mqueue_len = infinity",
			"of %d messages published while the client was away %d were kept; the broker acknowledged the other %d and dropped them", x.o.Messages, kept, x.o.Messages-kept)
		return
	}
	x.add("queue", core.FindingOK, "", "all of %d messages were kept while the client was away", kept)
}

// smallWindow is the least number of unacknowledged messages that a broker should send. A commit cannot take more messages than
// the broker sends ahead of the acknowledgements.
const smallWindow = 100

// checkWindow adds the finding on messages sent ahead of the acknowledgements. If all kept messages came at once, the limit
// is not known.
func (x *exam) checkWindow(window, kept int) {
	switch {
	case window >= kept:
		x.add("window", core.FindingOK, "", "%d or more messages are sent ahead of their acknowledgements", window)
	case window < smallWindow:
		x.add("window", core.FindingWarn, "Mosquitto: max_inflight_messages 1000; EMQX: mqtt.max_inflight", "%d messages are sent ahead of their acknowledgements, so a commit takes no more than these: slow, and it loses nothing", window)
	default:
		x.add("window", core.FindingOK, "", "%d messages are sent ahead of their acknowledgements", window)
	}
}

// forget removes a session.
func (x *exam) forget(ctx context.Context, name string) {
	// The session is removed even if the check was interrupted: otherwise the broker would keep its messages for ever.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), x.o.Timeout)
	defer cancel()
	g, err := x.connect(ctx, x.target, name, true)
	if err != nil {
		x.add("cleaning up", core.FindingWarn, "remove the session "+x.name+"-"+name+" at the broker", "%v", err)
		return
	}
	g.close()
}

// share tests a shared subscription with two members: each message must reach exactly one of them.
func (x *exam) share(ctx context.Context, live *testClient) {
	// 50 messages are enough to see whether members share them: without sharing, each of the two members would receive
	// all, 100 in sum.
	const n = 50
	topic := x.topic + "/share"
	sum, each := 0, make([]*testClient, 0, 2)
	// A shared subscription is $share/{ShareName}/{filter}. Source: MQTT 5.0, 4.8.2. Many brokers offer it to clients
	// of 3.1.1 too.
	for _, name := range []string{"share-a", "share-b"} {
		g, err := x.connect(ctx, x.target, name, true)
		if err == nil {
			defer g.close()
			err = g.subscribe(ctx, "$share/"+x.name+"/"+topic)
		}
		if err != nil {
			x.add("groups", core.FindingWarn, "use no --broker-group", "$share subscriptions do not work: %v", err)
			return
		}
		each = append(each, g)
	}
	if err := live.publish(ctx, topic, n); err != nil {
		x.add("groups", core.FindingWarn, "", "cannot be looked at: %v", err)
		return
	}
	for _, g := range each {
		sum += g.awaitMessages(ctx, topic, n)
	}
	if sum != n {
		x.add("groups", core.FindingWarn, "use no --broker-group", "of %d messages to a $share group of two, %d came", n, sum)
		return
	}
	x.add("groups", core.FindingOK, "", "each message to a $share group came to one member")
}
