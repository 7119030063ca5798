// Package checkup checks an external MQTT broker from outside, and a mosquitto.conf, for settings that lose messages which the
// broker has acknowledged. It measures with private topics under onemap/doctor/ and with its own sessions, and removes these
// sessions afterwards. It never touches the session of a server.
package checkup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"onemap/internal/core"
	"onemap/internal/fault"
	"onemap/sensors/feed/mqttjson"
	"onemap/sensors/mqtt/remote"
)

// Options holds the broker to check and the extent of the check. Only the endpoint is required.
type Options struct {
	remote.Endpoint
	Messages   int           // number of messages published while a client is disconnected, to test whether they are kept; 2,000
	Payload    int           // the largest payload that the broker must accept, bytes; 64 KiB
	Quiet      time.Duration // after this time without a message, no more are expected; 2 s
	Timeout    time.Duration // time limit of one step; 30 s
	ConfigSeen bool          // the configuration is checked too, so do not advise to check what only the configuration shows
}

// withDefaults returns the options with the default in place of every zero.
func (o Options) withDefaults() Options {
	if o.Messages == 0 {
		o.Messages = 2000
	}
	if o.Payload == 0 {
		o.Payload = 64 << 10
	}
	if o.Quiet == 0 {
		o.Quiet = 2 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	return o
}

// exam is one check of one broker.
type exam struct {
	o        Options
	target   *remote.Target
	name     string // name of this check: prefix of the client ids
	topic    string // prefix of the private topics
	findings []core.Finding
}

// add adds a finding. found is a format with args; advice says how to correct it.
func (x *exam) add(check, state, advice, found string, args ...any) {
	x.findings = append(x.findings, core.Finding{Check: "broker " + check, State: state, Found: fmt.Sprintf(found, args...), Advice: advice})
}

// Broker checks a broker and returns findings. It returns an error of kind fault.Invalid if the endpoint is wrong. A fault of
// the broker is a finding and not an error.
func Broker(ctx context.Context, o Options) ([]core.Finding, error) {
	o = o.withDefaults()
	target, err := o.Resolve()
	if err != nil {
		return nil, err
	}
	// Six random bytes keep two checks of the same broker apart, also if they run at the same time.
	random := make([]byte, 6)
	_, _ = rand.Read(random) // never fails
	x := &exam{o: o, target: target, name: "onemap-doctor-" + hex.EncodeToString(random)}
	x.topic = "onemap/doctor/" + hex.EncodeToString(random)
	live, err := x.connect(ctx, target, "live", true)
	if err != nil {
		x.add("connection", core.FindingBad, explain(err), "%s: %v", target.Address(), err)
		return x.findings, nil
	}
	// The order matters: later checks need the connection, and the last three need the private topic.
	defer live.close()
	x.add("connection", core.FindingOK, "", "%s answers", target.Address())
	x.version(ctx, live)
	x.protocol(ctx)
	x.anonymous(ctx)
	x.access(ctx)
	if x.private(ctx, live) {
		x.size(ctx, live)
		x.queue(ctx, live)
		x.share(ctx, live)
	}
	if !o.ConfigSeen {
		x.add("persistence", core.FindingWarn, "check that the broker saves sessions and what they hold; for Mosquitto give its configuration: --broker-config mosquitto.conf",
			"cannot be seen from outside")
	}
	if ctx.Err() != nil {
		return x.findings, ctx.Err()
	}
	return x.findings, nil
}

// explain returns advice for a connection error.
func explain(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "not Authorized"), strings.Contains(text, "bad user name"):
		return "check --broker-user, and the password in ONEMAP_BROKER_PASSWORD"
	case strings.Contains(text, "x509"), strings.Contains(text, "tls:"):
		return "check --broker-ca, --broker-cert and --broker-key, and that the URL's host is in the broker's certificate"
	default:
		return "check the URL, and that the broker runs and its port can be reached from here"
	}
}

// testClient is a client that collects the messages that it receives.
type testClient struct {
	paho.Client
	present bool
	x       *exam
	id      string

	mu   sync.Mutex
	got  []paho.Message
	ack  bool // true: acknowledge each message at receipt; false: do not acknowledge
	last time.Time
}

// connect connects a client with its own session. A clean session ends with the connection.
func (x *exam) connect(ctx context.Context, t *remote.Target, name string, clean bool) (*testClient, error) {
	g := &testClient{x: x, id: x.name + "-" + name, ack: clean, last: time.Now()}
	dial := func() (net.Conn, error) { return t.Dial(ctx, x.o.Timeout) }
	g.Client = paho.NewClient(t.ClientOptions(g.id, x.o.Timeout, dial).SetCleanSession(clean).SetAutoAckDisabled(true).
		SetKeepAlive(30 * time.Second).SetDefaultPublishHandler(g.receive))
	tok := g.Connect().(*paho.ConnectToken)
	if err := x.wait(ctx, tok); err != nil {
		g.Disconnect(0)
		return nil, err
	}
	g.present = tok.SessionPresent()
	return g, nil
}

// wait waits for the answer of the broker, at most Timeout.
func (x *exam) wait(ctx context.Context, tok paho.Token) error {
	timer := time.NewTimer(x.o.Timeout)
	defer timer.Stop()
	select {
	case <-tok.Done():
		return tok.Error()
	case <-timer.C:
		return fault.New(fault.Unavailable, "no answer within %v", x.o.Timeout)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close disconnects the client. paho gets 250 ms to send the DISCONNECT.
func (g *testClient) close() { g.Disconnect(250) }

// receive keeps a message. paho calls it for each message, in order.
func (g *testClient) receive(_ paho.Client, m paho.Message) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.got = append(g.got, m)
	g.last = time.Now()
	if g.ack {
		go m.Ack() // in a goroutine, because it may wait for the network
	}
}

// acknowledge acknowledges all received messages, and from now on each message at receipt.
func (g *testClient) acknowledge() {
	g.mu.Lock()
	held := append([]paho.Message(nil), g.got...)
	g.ack, g.last = true, time.Now()
	g.mu.Unlock()
	for _, m := range held {
		m.Ack()
	}
}

// distinct returns the number of different payloads received on a topic.
func (g *testClient) distinct(topic string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := map[string]bool{}
	for _, m := range g.got {
		if m.Topic() == topic {
			seen[string(m.Payload())] = true
		}
	}
	return len(seen)
}

// awaitMessages waits until n different payloads were received on the topic, or nothing was received for Quiet. It returns the number
// of different payloads.
func (g *testClient) awaitMessages(ctx context.Context, topic string, n int) int {
	for {
		got := g.distinct(topic)
		g.mu.Lock()
		idle := time.Since(g.last)
		g.mu.Unlock()
		// A broker may send the same message twice at QoS 1, so the payloads are counted and not the messages.
		if got >= n || idle > g.x.o.Quiet {
			return got
		}
		select {
		case <-ctx.Done():
			return got
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// errRefused is the error of a subscription that the broker answered with a failure code.
var errRefused = errors.New("the broker refuses the subscription")

// subscribe subscribes to a filter at QoS 1. It returns errRefused if the broker refuses. The time of the last message
// begins anew, so that awaitMessages waits the whole of Quiet.
func (g *testClient) subscribe(ctx context.Context, filter string) error {
	tok := g.SubscribeMultiple(map[string]byte{filter: 1}, nil).(*paho.SubscribeToken)
	if err := g.x.wait(ctx, tok); err != nil {
		return err
	}
	// 0 to 2 is the granted QoS, 0x80 a refusal. Source: MQTT 3.1.1, 3.9.3.
	if code := tok.Result()[filter]; code > 2 {
		return errRefused
	}
	g.mu.Lock()
	g.last = time.Now()
	g.mu.Unlock()
	return nil
}

// publish sends n numbered payloads at QoS 1 and waits for their acknowledgements.
func (g *testClient) publish(ctx context.Context, topic string, n int) error {
	toks := make([]paho.Token, n)
	for i := range n {
		toks[i] = g.Publish(topic, 1, false, fmt.Sprintf(`{"n":%d}`, i))
	}
	for _, tok := range toks {
		if err := g.x.wait(ctx, tok); err != nil {
			return err
		}
	}
	return nil
}

// filters returns the topic filters that a server subscribes to.
func filters() []string {
	// They are the filters of remote.Client without a group. The plus sign stands for one level ([MQTT-4.7.1-3]).
	return []string{mqttjson.Topic("+", "+", mqttjson.KindObs), mqttjson.Topic("+", "+", mqttjson.KindStatus)}
}
