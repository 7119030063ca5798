package mqtt

import (
	"slices"
	"sync"
	"time"

	"onemap/internal/fault"
	"onemap/sensors"
)

// The limits of what abuse remembers, and the times from which a device counts as misbehaving. They bound the memory:
// at the limit of the list one trouble is dropped; at the limit of the counts all of them are cleared.
const (
	maxTroubles   = 100    // rows of the list
	maxRemembered = 50_000 // devices with counts
	offenseWindow = 10 * time.Minute
	maxBackoff    = time.Minute
	flapLimit     = 20 // connections of a device in one minute; above it, the device is flapping
)

// abuse tracks misbehaving clients for the list of troubles. It also delays the CONNACK of a device that reconnects and sends
// the same oversized packet again. The delay doubles with each repetition.
type abuse struct {
	b *Broker

	mu       sync.Mutex
	troubles map[troubleKey]*sensors.DeviceTrouble
	offenses map[string]offense  // by device
	connects map[string]connects // by device
	delayed  map[string]*conn    // by device
}

// troubleKey identifies a row of the list: the kind of trouble, and the device or the address of an unknown client. So
// a device that repeats itself fills one row.
type troubleKey struct{ kind, who string }

// offense counts the oversized packets of a device; until is the end of its delay.
type offense struct {
	times int
	last  time.Time
	until time.Time
}

// connects counts a device's connections in a minute.
type connects struct {
	minute int64
	times  int
}

func newAbuse(b *Broker) *abuse {
	return &abuse{
		b: b, troubles: map[troubleKey]*sensors.DeviceTrouble{}, offenses: map[string]offense{},
		connects: map[string]connects{}, delayed: map[string]*conn{},
	}
}

// report adds a trouble to the list, or counts it if it is listed already. If device is empty, the trouble is listed under
// the address of the unknown client.
func (a *abuse) report(kind, device string, c *conn, msg fault.Message) {
	who := device
	if who == "" {
		who = c.host
	}
	now := a.b.clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	key := troubleKey{kind, who}
	t := a.troubles[key]
	if t == nil {
		if len(a.troubles) >= maxTroubles {
			a.forgetOne()
		}
		t = &sensors.DeviceTrouble{Device: device, Kind: kind, First: now}
		a.troubles[key] = t
	}
	t.Count++
	t.Last, t.Remote, t.Detail, t.Message = now, c.remote, msg.String(), msg
}

// forgetOne drops the oldest trouble of the most frequent kind, so that one kind cannot hide the others.
func (a *abuse) forgetOne() {
	per := map[string]int{}
	for k := range a.troubles {
		per[k.kind]++
	}
	var drop troubleKey
	for k, t := range a.troubles {
		// drop is the zero key in the first round. It is in no map, so d is nil then.
		d := a.troubles[drop]
		if d == nil || per[k.kind] > per[drop.kind] || (k.kind == drop.kind && t.Last.Before(d.Last)) {
			drop = k
		}
	}
	delete(a.troubles, drop)
}

// list returns the troubles, newest first.
func (a *abuse) list() []sensors.DeviceTrouble {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]sensors.DeviceTrouble, 0, len(a.troubles))
	for _, t := range a.troubles {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b sensors.DeviceTrouble) int { return b.Last.Compare(a.Last) })
	return out
}

// countOffense counts a packet that was too large to be read. From the second one on, the device is delayed.
func (a *abuse) countOffense(device string) {
	now := a.b.clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.offenses) >= maxRemembered {
		clear(a.offenses)
	}
	o := a.offenses[device]
	if now.Sub(o.last) > offenseWindow {
		o = offense{}
	}
	o.times++
	o.last = now
	if o.times > 1 {
		// The delay is Backoff × 2^(times-2), at most maxBackoff. The exponent is limited to 10, so that the shift
		// cannot overflow.
		o.until = now.Add(min(a.b.opts.Backoff<<min(o.times-2, 10), maxBackoff))
	}
	a.offenses[device] = o
}

// countConnect counts a connection and reports whether the device is flapping.
func (a *abuse) countConnect(device string) (times int, flapping bool) {
	minute := a.b.clock().Unix() / 60
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.connects) >= maxRemembered {
		clear(a.connects)
	}
	v := a.connects[device]
	if v.minute != minute {
		v = connects{minute: minute}
	}
	v.times++
	a.connects[device] = v
	return v.times, v.times > flapLimit
}

// delay holds a connection back if its device has to wait for its CONNACK, and then reports true; resume continues with it
// later. A waiting connection needs no goroutine, and a device has at most one.
func (a *abuse) delay(c *conn, resume func()) bool {
	a.mu.Lock()
	none := len(a.offenses) == 0
	a.mu.Unlock()
	if none {
		return false
	}
	pk, _, err := c.decodeConnect()
	if err != nil {
		return false // the engine reports the error
	}
	known := a.b.registry.Match(sensors.Credentials{ID: string(pk.Connect.Username), Secret: string(pk.Connect.Password), CertSHA256: c.cert})
	if known == nil {
		return false // a wrong login is refused at once: it must not delay the device itself
	}
	a.mu.Lock()
	wait := a.offenses[known.ID].until.Sub(a.b.clock())
	if wait <= 0 {
		a.mu.Unlock()
		return false
	}
	old := a.delayed[known.ID]
	a.delayed[known.ID] = c
	c.wake = func() {
		a.mu.Lock()
		if a.delayed[known.ID] == c {
			delete(a.delayed, known.ID)
		}
		a.mu.Unlock()
		resume()
	}
	c.parked = time.AfterFunc(wait, c.wake)
	a.mu.Unlock()
	a.b.limiter.authenticated(c) // its login is right
	// Only the newest connection of the device waits. Otherwise a device that reconnects in a loop would collect connections.
	if old != nil {
		old.release()
	}
	return true
}

// release closes a delayed connection. It runs wake in a goroutine, because the caller may hold the lock that wake takes. If
// the timer has fired already, wake runs anyway.
func (c *conn) release() {
	_ = c.Close()
	if c.parked.Stop() {
		go c.wake()
	}
}

// releaseAll closes every delayed connection.
func (a *abuse) releaseAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.delayed {
		c.release()
	}
}
