package mqtt

import (
	"log/slog"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
)

// Options configures the embedded broker. The zero value of each field stands for the default that its comment names.
type Options struct {
	Listen    string // TCP address; 127.0.0.1:1883. Port 0 selects a free port; off: no TCP listener
	ListenTLS string // address of the TLS listener; none
	ListenWS  string // address of the WebSocket listener; none
	ListenWSS string // address of the WebSocket listener over TLS; none
	CertFile  string // certificate chain for TLS, PEM; read again when it changes
	KeyFile   string // its private key

	MaxPayload       int           // bytes; 64 KiB. Larger payloads go to quarantine; a packet of more than about twice this size ends the connection
	Window           int           // publishes of one connection that may wait for their commit; 256. At the limit reading pauses
	WindowReadings   int           // limit of their readings; 4,096
	WindowBytes      int           // limit of their bytes; 1 MiB
	InFlight         int           // waiting publishes of all connections above which each connection gets only a share; 16,384
	InFlightReadings int           // the same for their readings; 65,536
	InFlightBytes    int           // the same for their bytes; 16 MiB
	Quota            int           // readings per minute that a device may send; 0: no limit. At the limit reading pauses
	MaxClients       int           // largest number of connections; 20,000
	MaxSlow          int           // connections of one address that take more than half of HandshakeTimeout; 1,024. Then the oldest is closed
	HandshakeTimeout time.Duration // from accept to a complete CONNECT; 10 s
	MaxKeepAlive     time.Duration // the longest keep-alive, also used for devices that ask for none, at most 65,535 s; 12 h
	WriteTimeout     time.Duration // time limit for a device to read the data written to it; 30 s
	Backoff          time.Duration // first delay of the CONNACK of a device that repeats unreadable packets, doubled up to 1 min; 1 s
	FloodAfter       time.Duration // a device whose reading pauses longer than this is reported as flooding; 250 ms
	SlowAfter        time.Duration // a device for which a write waits longer than this is reported as a slow reader; 5 s
	PresenceGrace    time.Duration // time after the start for devices to connect again; 3 min. Negative: devices are never marked off line
	PresenceRetry    time.Duration // pause between attempts to store an offline status; 2 s
}

// Off is the address that disables a listener.
const Off = "off"

// withDefaults returns the options with the default in place of every zero. A negative value stays: where that is documented,
// it switches the function off.
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

// maxPacket returns the size of the largest MQTT packet that is read, in bytes. Twice MaxPayload leaves room for a
// payload that is somewhat too large: it goes to quarantine and the connection stays. 1,024 bytes are for the topic and
// the properties.
func (o Options) maxPacket() int { return 2*o.MaxPayload + 1024 }

// keepSession is how long the session of a disconnected device is kept.
const keepSession = time.Hour

// mochiOptions returns engine options that limit the memory of a connection: no aliases, few pending writes, limited packets.
// The log of mochi is discarded, because it would contain payloads and passwords; this package writes its own log.
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
		ClientNetReadBufferSize: 64, // the connection has its own buffer
		Logger:                  slog.New(slog.DiscardHandler),
		SysTopicResendInterval:  24 * 3600, // no client may read the $SYS topics
	}
}
