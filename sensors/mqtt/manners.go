package mqtt

import (
	"slices"
	"sync"
	"time"

	"onemap/internal/errs"
	"onemap/sensors"
)

const (
	maxTroubles   = 100
	maxRemembered = 50_000 // devices of which something is remembered
	forgiveAfter  = 10 * time.Minute
	longPenance   = time.Minute
	hastyConnects = 20 // in a minute
)

// manners remembers who gives trouble, and lets a device that sends what is not read, connects and
// sends it again wait longer for its CONNACK each time.
type manners struct {
	b *Broker

	mu       sync.Mutex
	troubles map[troubleKey]*sensors.DeviceTrouble
	offences map[string]offence // by device
	visits   map[string]visits  // by device
	parked   map[string]*conn   // by device
}

type troubleKey struct{ kind, who string }

// offence is how often a device has sent what is not read, and until when it waits.
type offence struct {
	times int
	last  time.Time
	until time.Time
}

// visits counts a device's connections in a minute.
type visits struct {
	minute int64
	times  int
}

func newManners(b *Broker) *manners {
	return &manners{
		b: b, troubles: map[troubleKey]*sensors.DeviceTrouble{}, offences: map[string]offence{},
		visits: map[string]visits{}, parked: map[string]*conn{},
	}
}

// note remembers a trouble, of a device or, without one, of a stranger's address.
func (m *manners) note(kind, device string, c *conn, said errs.Said) {
	who := device
	if who == "" {
		who = c.host
	}
	now := m.b.clock()
	m.mu.Lock()
	defer m.mu.Unlock()
	key := troubleKey{kind, who}
	t := m.troubles[key]
	if t == nil {
		if len(m.troubles) >= maxTroubles {
			m.forgetOne()
		}
		t = &sensors.DeviceTrouble{Device: device, Kind: kind, First: now}
		m.troubles[key] = t
	}
	t.Count++
	t.Last, t.Remote, t.Detail, t.Said = now, c.remote, said.String(), said
}

// forgetOne drops the oldest of the kind with the most, so that one kind cannot hide the others.
func (m *manners) forgetOne() {
	per := map[string]int{}
	for k := range m.troubles {
		per[k.kind]++
	}
	var drop troubleKey
	for k, t := range m.troubles {
		d := m.troubles[drop]
		if d == nil || per[k.kind] > per[drop.kind] || (k.kind == drop.kind && t.Last.Before(d.Last)) {
			drop = k
		}
	}
	delete(m.troubles, drop)
}

// list gives the troubles, the newest first.
func (m *manners) list() []sensors.DeviceTrouble {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]sensors.DeviceTrouble, 0, len(m.troubles))
	for _, t := range m.troubles {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b sensors.DeviceTrouble) int { return b.Last.Compare(a.Last) })
	return out
}

// offend counts a packet that was too large to be read; from the second on the device waits.
func (m *manners) offend(device string) {
	now := m.b.clock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.offences) >= maxRemembered {
		clear(m.offences)
	}
	o := m.offences[device]
	if now.Sub(o.last) > forgiveAfter {
		o = offence{}
	}
	o.times++
	o.last = now
	if o.times > 1 {
		o.until = now.Add(min(m.b.opts.Penance<<min(o.times-2, 10), longPenance))
	}
	m.offences[device] = o
}

// visit counts a connection and reports whether the device comes again and again.
func (m *manners) visit(device string) (times int, hasty bool) {
	minute := m.b.clock().Unix() / 60
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.visits) >= maxRemembered {
		clear(m.visits)
	}
	v := m.visits[device]
	if v.minute != minute {
		v = visits{minute: minute}
	}
	v.times++
	m.visits[device] = v
	return v.times, v.times > hastyConnects
}

// park puts a connection aside when its device is to wait for its CONNACK: it costs no goroutine
// meanwhile, and a device has one such connection at most. resume goes on with it.
func (m *manners) park(c *conn, resume func()) bool {
	m.mu.Lock()
	none := len(m.offences) == 0
	m.mu.Unlock()
	if none {
		return false
	}
	pk, _, err := c.hello()
	if err != nil {
		return false // the engine says what is wrong
	}
	known := m.b.registry.Match(sensors.Credentials{ID: string(pk.Connect.Username), Secret: string(pk.Connect.Password), CertSHA256: c.cert})
	if known == nil {
		return false // and nobody waits in another's name
	}
	m.mu.Lock()
	wait := m.offences[known.ID].until.Sub(m.b.clock())
	if wait <= 0 {
		m.mu.Unlock()
		return false
	}
	old := m.parked[known.ID]
	m.parked[known.ID] = c
	c.wake = func() {
		m.mu.Lock()
		if m.parked[known.ID] == c {
			delete(m.parked, known.ID)
		}
		m.mu.Unlock()
		resume()
	}
	c.parked = time.AfterFunc(wait, c.wake)
	m.mu.Unlock()
	m.b.gate.decided(c) // it has said who it is
	if old != nil {
		old.release()
	}
	return true
}

// release wakes a connection that was put aside, when its end has come.
func (c *conn) release() {
	_ = c.Close()
	if c.parked.Stop() {
		go c.wake()
	}
}

// free ends every connection that was put aside.
func (m *manners) free() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.parked {
		c.release()
	}
}
