package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/time/rate"

	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// The behaviour of a device towards its broker.
const (
	patience     = 20 * time.Second // longest wait for an acknowledgement; then the connection counts as lost
	backoffLeast = time.Second      // the first pause before a reconnection is half of this to one and a half times this
	backoffMax   = 30 * time.Second // the base of the pause doubles up to this
	backlogMax   = 120              // largest number of readings that a device keeps; it then drops the oldest
	batchMax     = 60               // largest number of readings in one publish
	goodbyeWait  = 2 * time.Second  // longest wait for the acknowledgement of the status "offline"
)

// actor is one simulated device.
type actor struct {
	o      Options
	d      Device
	script *script
	gate   *rate.Limiter

	backlog []sensors.Reading // not acknowledged yet, oldest first
}

// link is one connection of an actor. lost is closed when the connection is lost. mu guards conn.
type link struct {
	client paho.Client
	lost   chan struct{}

	mu   sync.Mutex
	conn net.Conn
}

var (
	errLost   = errors.New("the connection was lost")
	errSilent = errors.New("the script says to be silent")
)

func newActor(o Options, d Device, s *script, gate *rate.Limiter) *actor {
	return &actor{o: o, d: d, script: s, gate: gate}
}

// run simulates the device until ctx ends. It opens a session again after each failure, with a pause that doubles.
// While the scene keeps the device silent, it opens none.
func (a *actor) run(ctx context.Context) {
	pause := backoffLeast
	for ctx.Err() == nil {
		if a.script.silent(a.d.ID, a.o.Clock()) {
			a.sleep(ctx, min(time.Second, a.o.Interval))
			continue
		}
		began := time.Now()
		err := a.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errSilent) {
			a.o.Logger.InfoContext(ctx, "a device goes silent", "device", a.d.ID)
			continue
		}
		a.o.Logger.DebugContext(ctx, "a device is cut off", "device", a.d.ID, "error", err)
		if time.Since(began) > backoffMax {
			pause = backoffLeast // the session worked for a while, so this is a new failure
		}
		a.sleep(ctx, pause/2+rand.N(pause))
		pause = min(2*pause, backoffMax)
	}
}

// session connects, publishes the status "online", and publishes readings until ctx ends, the connection fails or the
// scene makes the device silent. Without an end of ctx it cuts the connection, so that the broker publishes the last
// will.
func (a *actor) session(ctx context.Context) error {
	if err := a.gate.Wait(ctx); err != nil {
		return err
	}
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer func() {
		switch {
		case ctx.Err() == nil:
		case a.o.Quiet:
			l.disconnect()
		default:
			l.goodbye(a.topic(mqttjson.KindStatus))
		}
		l.cut()
	}()
	if err := l.publish(ctx, a.topic(mqttjson.KindStatus), true, []byte("online")); err != nil {
		return err
	}
	for {
		if !a.sleep(ctx, a.untilNext(a.o.Clock()), l.lost) {
			return errLost
		}
		now := a.o.Clock()
		if a.script.silent(a.d.ID, now) {
			return errSilent
		}
		a.measure(now)
		if err := a.deliver(ctx, l); err != nil {
			return err
		}
	}
}

// topic returns the topic of the device for a kind of message.
func (a *actor) topic(kind string) string { return mqttjson.Topic(a.d.Division, a.d.ID, kind) }

// untilNext returns the time until the next reading of the device. Each device has a fixed offset in the interval, so
// that the readings of hundreds of devices are spread over it.
func (a *actor) untilNext(now time.Time) time.Duration {
	interval := int64(a.o.Interval)
	phase := int64(keyOf(a.o.Seed, a.d.ID) % uint64(interval))
	since := (now.UnixNano() - phase) % interval
	if since < 0 {
		since += interval
	}
	return time.Duration(interval - since)
}

// measure appends one reading with the values of all datastreams to the backlog. If the backlog is full, it drops the
// oldest reading.
func (a *actor) measure(now time.Time) {
	r := sensors.Reading{Time: now.UTC().Truncate(time.Millisecond)}
	for _, s := range a.d.Streams {
		r.Values = append(r.Values, sensors.Value{Name: s.Name, Number: a.script.value(a.d.ID, s, now)})
	}
	a.backlog = append(a.backlog, r)
	if over := len(a.backlog) - backlogMax; over > 0 {
		a.backlog = append(a.backlog[:0], a.backlog[over:]...)
	}
}

// deliver publishes the backlog and removes the acknowledged readings. After an error the rest stays for the next
// session.
func (a *actor) deliver(ctx context.Context, l *link) error {
	for len(a.backlog) > 0 {
		n := min(len(a.backlog), batchMax)
		if err := l.publish(ctx, a.topic(mqttjson.KindObs), false, mqttjson.Encode(a.backlog[:n]...)); err != nil {
			return err
		}
		a.backlog = append(a.backlog[:0], a.backlog[n:]...)
	}
	return nil
}

// sleep waits for d. It returns false if ctx ends or the first of the channels closes before that.
func (a *actor) sleep(ctx context.Context, d time.Duration, ends ...chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	var end chan struct{}
	if len(ends) > 0 {
		end = ends[0]
	}
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-end:
	}
	return false
}

// connect opens a connection with the last will "offline". The client library does not reconnect, because run does.
func (a *actor) connect() (*link, error) {
	l := &link{lost: make(chan struct{})}
	var once sync.Once
	o := paho.NewClientOptions().AddBroker("tcp://"+a.o.Broker).
		SetClientID(a.d.ID).SetUsername(a.d.ID).SetPassword(a.d.Secret).SetProtocolVersion(4).
		SetCleanSession(true).SetAutoReconnect(false).SetOrderMatters(false).
		SetKeepAlive(60*time.Second).SetConnectTimeout(10*time.Second).SetWriteTimeout(patience).
		SetWill(a.topic(mqttjson.KindStatus), "offline", 1, true).
		SetConnectionLostHandler(func(paho.Client, error) { once.Do(func() { close(l.lost) }) }).
		SetCustomOpenConnectionFn(l.dial)
	l.client = paho.NewClient(o)
	token := l.client.Connect()
	token.Wait() // bounded by the connect timeout
	if err := token.Error(); err != nil {
		return nil, err
	}
	return l, nil
}

// dial opens the TCP connection and keeps it, so that cut can close it without the MQTT packet DISCONNECT.
func (l *link) dial(broker *url.URL, o paho.ClientOptions) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: o.ConnectTimeout}).DialContext(context.Background(), "tcp", broker.Host)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
	return conn, nil
}

// publish sends a message at QoS 1 and waits for its acknowledgement. It returns an error if the connection is lost, if
// ctx ends, or if there is no acknowledgement within patience.
func (l *link) publish(ctx context.Context, topic string, retained bool, payload []byte) error {
	token := l.client.Publish(topic, 1, retained, payload)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-token.Done():
		return token.Error()
	case <-l.lost:
		return errLost
	case <-timer.C:
		return errors.New("no acknowledgement")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// goodbye publishes the status "offline" and disconnects. If the publish fails, the caller cuts the connection, and the
// broker publishes the last will with the same text.
func (l *link) goodbye(topic string) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeWait)
	defer cancel()
	if l.publish(ctx, topic, true, []byte("offline")) == nil {
		l.disconnect()
	}
}

// disconnect sends the packet DISCONNECT and ends the connection, so that the broker does not publish the last will.
// The library drops the packet if it is not written within the given time. One second is not enough for hundreds of
// devices on a busy machine.
func (l *link) disconnect() { l.client.Disconnect(uint(patience.Milliseconds())) }

// cut closes the TCP connection without the packet DISCONNECT, so that the broker publishes the last will. After
// disconnect it has no effect.
func (l *link) cut() {
	l.mu.Lock()
	if l.conn != nil {
		_ = l.conn.Close()
	}
	l.mu.Unlock()
	l.client.Disconnect(0) // stops the goroutines of the library; it does not stop them when this side closes the connection
}
