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

// How a device behaves towards its broker.
const (
	patience     = 20 * time.Second // for an acknowledgement, then the connection counts as dead
	backoffLeast = time.Second      // before the first reconnection, half of it at random
	backoffMax   = 30 * time.Second
	backlogMax   = 120 // readings that a device keeps while it cannot publish; it then drops the oldest
	batchMax     = 60  // readings of one publish
	goodbyeWait  = 2 * time.Second
)

// actor is one simulated device.
type actor struct {
	o      Options
	d      Device
	script *script
	gate   *rate.Limiter

	backlog []sensors.Reading // not acknowledged yet, oldest first
}

// link is one connection of an actor.
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

// run plays the device until ctx ends.
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
			pause = backoffLeast // it had worked for a while
		}
		a.sleep(ctx, pause/2+rand.N(pause))
		pause = min(2*pause, backoffMax)
	}
}

// session connects, says that the device is on line, and publishes until something ends it.
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

func (a *actor) topic(kind string) string { return mqttjson.Topic(a.d.Division, a.d.ID, kind) }

// untilNext is the wait until the device's next reading: each has its own place in the interval, so
// that 600 of them make a stream and not a volley.
func (a *actor) untilNext(now time.Time) time.Duration {
	interval := int64(a.o.Interval)
	phase := int64(keyOf(a.o.Seed, a.d.ID) % uint64(interval))
	since := (now.UnixNano() - phase) % interval
	if since < 0 {
		since += interval
	}
	return time.Duration(interval - since)
}

// measure puts a reading of every datastream into the backlog.
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

// deliver publishes the backlog and forgets what is acknowledged.
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

// sleep waits; false when ctx ends or one of the channels closes first.
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

// connect opens a connection with the will in place.
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

// dial keeps the connection, so that it can be cut without a good-bye.
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

// publish sends at QoS 1 and waits for the acknowledgement.
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

// goodbye says that the device goes off line, and disconnects in order.
func (l *link) goodbye(topic string) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeWait)
	defer cancel()
	if l.publish(ctx, topic, true, []byte("offline")) == nil {
		l.disconnect()
	}
}

// disconnect ends the connection in order, so that the broker does not speak the will. The library waits until the
// packet is written, and drops it when the time it is given is over: a second is not enough for hundreds of devices on a
// busy machine.
func (l *link) disconnect() { l.client.Disconnect(uint(patience.Milliseconds())) }

// cut closes the connection without a word: after a good-bye that changes nothing, and otherwise the
// broker speaks the will.
func (l *link) cut() {
	l.mu.Lock()
	if l.conn != nil {
		_ = l.conn.Close()
	}
	l.mu.Unlock()
	l.client.Disconnect(0) // the library does not take a connection closed on this side for its end
}
