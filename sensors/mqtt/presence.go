package mqtt

import (
	"context"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"onemap/sensors"
	"onemap/sensors/feed/mqttjson"
)

// presence stores the offline status of devices that vanished, and retries what could not be stored.
type presence struct {
	b      *Broker
	cancel context.CancelFunc
	ended  chan struct{}

	mu         sync.Mutex
	retry      map[string]sensors.Message // by device: messages that could not be stored yet
	oversizeAt map[string]time.Time       // by device: when an oversize packet was last put into quarantine
}

// newPresence returns a presence that does nothing until start.
func newPresence(b *Broker) *presence {
	return &presence{b: b, ended: make(chan struct{}), retry: map[string]sensors.Message{}, oversizeAt: map[string]time.Time{}}
}

// start runs the retries in a goroutine until stop.
func (p *presence) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go p.run(ctx)
}

// stop ends the goroutine and waits for it. It returns at once if start was never called.
func (p *presence) stop() {
	if p.cancel != nil {
		p.cancel()
		<-p.ended
	}
}

// run retries statuses that could not be stored. Once, after the grace period at the start, it marks the devices that have
// not come back; if the database is unavailable then, it tries again.
func (p *presence) run(ctx context.Context) {
	defer close(p.ended)
	retry := time.NewTicker(p.b.opts.PresenceRetry)
	defer retry.Stop()
	var grace <-chan time.Time
	if p.b.opts.PresenceGrace > 0 {
		timer := time.NewTimer(p.b.opts.PresenceGrace)
		defer timer.Stop()
		grace = timer.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-retry.C:
			p.retryPending()
			p.b.reportSlowReaders()
		case <-grace:
			if !p.markMissing(ctx) {
				grace = time.After(p.b.opts.PresenceRetry) // not known yet: the database is unavailable
			}
		}
	}
}

// announce stores the status of a device that vanished, and retains it if the will asks for that. It retries until the status
// is stored.
func (p *presence) announce(m sensors.Message, retain bool) {
	if retain {
		p.b.server.Topics.RetainMessage(packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true, Qos: 1},
			TopicName:   m.Subject, Payload: m.Raw, Created: m.Received.Unix(), Origin: m.Device,
		})
	}
	p.offer(m)
}

// offer passes a status to the receiver and keeps it for a later try if it is refused at once or fails to commit. A newer
// status of the device replaces the kept one.
func (p *presence) offer(m sensors.Message) {
	later := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.retry[m.Device] = m
	}
	err := p.b.receiver.Accept(m, func(err error) {
		if err != nil {
			later()
		}
	})
	if err != nil {
		later()
	}
}

// retryPending stores the statuses that could not be stored before. It skips devices that are connected again: their
// connection is newer than the status.
func (p *presence) retryPending() {
	p.mu.Lock()
	list := p.retry
	p.retry = map[string]sensors.Message{}
	p.mu.Unlock()
	for device, m := range list {
		if !p.b.live.has(device) {
			p.offer(m)
		}
	}
}

// markMissing marks devices as offline that were online before this server started and have not been seen since, by
// any node. It returns false if the registry could not be read.
func (p *presence) markMissing(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := p.b.registry.Reload(ctx); err != nil {
		return false
	}
	missing := 0
	for _, k := range p.b.registry.All() {
		// A status or a reading since the start, received by any node, shows that the device is not missing.
		since := func(t *time.Time) bool { return t != nil && !t.Before(p.b.began) }
		if !k.Online || since(k.StatusAt) || since(k.LastSeen) || p.b.live.has(k.ID) {
			continue
		}
		missing++
		p.offer(sensors.Message{
			Device: k.ID, Division: k.Division, Subject: mqttjson.Topic(k.Division, k.ID, mqttjson.KindStatus),
			Raw: []byte("offline"), Decoder: mqttjson.Decoder(mqttjson.KindStatus), Received: p.b.clock(),
		})
	}
	if missing > 0 {
		p.b.log.WarnContext(ctx, "devices that were on line before the start have not come back", "devices", missing)
	}
	return true
}

// quarantineOversize quarantines a packet that was too large to be read, at most one row per minute and device.
func (p *presence) quarantineOversize(s *session) {
	now := p.b.clock()
	p.mu.Lock()
	again := now.Sub(p.oversizeAt[s.device]) < time.Minute
	if !again {
		p.oversizeAt[s.device] = now
	}
	p.mu.Unlock()
	if again {
		return
	}
	unread := sensors.OneFault(sensors.ReasonTooLarge, "", CodePacketUnread, p.b.opts.maxPacket())
	err := p.b.receiver.Quarantine(unread.Quarantine(sensors.Quarantined{
		At: now, DeviceID: s.device, Topic: mqttjson.Topic(s.division, s.device, mqttjson.KindObs),
	}), nil)
	if err != nil {
		p.b.log.DebugContext(context.Background(), "an oversize packet could not be noted", "device", s.device, "error", err)
	}
}
