package mqtt

import (
	"log/slog"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
)

// Options tunes the embedded broker. The zero value of each is the default named.
type Options struct {
	Listen    string // TCP address; 127.0.0.1:1883. Port 0 picks a free one; off: no such listener
	ListenTLS string // of the TLS listener; none
	ListenWS  string // of the WebSocket listener; none
	ListenWSS string // of the WebSocket listener over TLS; none
	CertFile  string // certificate chain for TLS, PEM; read anew when it changes
	KeyFile   string // its private key

	MaxPayload       int           // bytes; 64 KiB. Larger payloads are put to quarantine; packets beyond twice that end the connection unread
	Window           int           // publishes of one connection that may wait for their commit; 256. Then reading pauses
	WindowReadings   int           // and their readings; 4,096
	WindowBytes      int           // and their bytes; 1 MiB
	InFlight         int           // publishes of all connections after which each has its share only; 16,384
	InFlightReadings int           // and their readings; 65,536
	InFlightBytes    int           // and their bytes; 16 MiB
	Quota            int           // readings a minute that a device may send; 0: as many as it can. Then reading pauses
	MaxClients       int           // connections; 20,000
	MaxSlow          int           // of one address, that take longer than half the handshake's time; 1,024. Then the oldest goes
	HandshakeTimeout time.Duration // from accept to a complete CONNECT; 10 s
	MaxKeepAlive     time.Duration // the longest keep-alive, and that of devices that ask for none, at most 65,535 s; 12 h
	WriteTimeout     time.Duration // for a device to read what is written to it; 30 s
	Backoff          time.Duration // first wait for a CONNACK of a device that repeats what is not read, doubled up to 1 min; 1 s
	FloodAfter       time.Duration // a pause in reading after which a device is shown as one that floods; 250 ms
	SlowAfter        time.Duration // a write that waits longer shows the device as a slow reader; 5 s
	PresenceGrace    time.Duration // after the start, for devices to come back; 3 min. Negative: never mark
	PresenceRetry    time.Duration // between attempts to store an offline that could not be; 2 s
}

// Off is the address of a listener that is not wanted.
const Off = "off"

func (o Options) withDefaults() Options {
	count := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	pause := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:1883"
	}
	count(&o.MaxPayload, 64<<10)
	count(&o.Window, 256)
	count(&o.WindowReadings, 4096)
	count(&o.WindowBytes, 1<<20)
	count(&o.InFlight, 16384)
	count(&o.InFlightReadings, 65536)
	count(&o.InFlightBytes, 16<<20)
	count(&o.MaxClients, 20000)
	count(&o.MaxSlow, 1024)
	pause(&o.HandshakeTimeout, 10*time.Second)
	pause(&o.MaxKeepAlive, 12*time.Hour)
	pause(&o.WriteTimeout, 30*time.Second)
	pause(&o.Backoff, time.Second)
	pause(&o.FloodAfter, 250*time.Millisecond)
	pause(&o.SlowAfter, 5*time.Second)
	pause(&o.PresenceGrace, 3*time.Minute)
	pause(&o.PresenceRetry, 2*time.Second)
	return o
}

// maxPacket is the largest MQTT packet that is read at all, bytes.
func (o Options) maxPacket() int { return 2*o.MaxPayload + 1024 }

// keepSession is how long the session of a device that stays away is kept.
const keepSession = time.Hour

// mochiOptions keeps what a connection may cost small: no aliases, few pending writes, bounded
// packets. mochi's own log would hold payloads and passwords; ours names what matters.
func (b *Broker) mochiOptions() *mochi.Options {
	caps := mochi.NewDefaultServerCapabilities()
	caps.MaximumClients = int64(b.opts.MaxClients)
	caps.MaximumClientWritesPending = 64
	caps.MaximumPacketSize = uint32(b.opts.maxPacket())
	caps.MaximumSessionExpiryInterval = uint32(keepSession / time.Second)
	caps.ReceiveMaximum = uint16(min(b.opts.Window, 65535))
	caps.TopicAliasMaximum = 0 // an alias is resolved after the topic was checked
	caps.SharedSubAvailable = 0
	caps.WildcardSubAvailable = 0
	caps.SubIDAvailable = 0
	return &mochi.Options{
		Capabilities:            caps,
		ClientNetReadBufferSize: 64, // the connection has its own
		Logger:                  slog.New(slog.DiscardHandler),
		SysTopicResendInterval:  24 * 3600, // nobody may read them
	}
}
