package push

import (
	"cmp"
	"context"
	"time"

	"onemap/internal/core"
	"onemap/internal/eventlog"
)

// Protocol is the WebSocket subprotocol that clients must ask for.
const Protocol = "onemap.v1"

// Directory maps datastreams to devices and devices to divisions. Both methods must answer from memory, because the
// hub calls them for each reading. Readings of unknown devices are visible to city-wide scopes only.
type Directory interface {
	// DeviceOf returns the device that a datastream belongs to; ok is false if the datastream is unknown.
	DeviceOf(datastream int64) (device string, ok bool)
	// DivisionOf returns the division of a device; ok is false if the device is unknown.
	DivisionOf(device string) (division string, ok bool)
}

// Parts holds the dependencies of the hub. Events, Follower and Batches are required; the others may be nil.
type Parts struct {
	Events   eventlog.Source
	Follower Follower
	Batches  BatchSource

	// Clients stores presence and receipts; nil: they are not stored.
	Clients ClientStore
	// Directory maps readings to divisions; nil: every device is unknown.
	Directory Directory
	// Health returns the health of the server's parts for the heartbeat; the hub adds its own part. The hub calls it
	// every Tick, one call at a time. While a call hangs, the heartbeats report that.
	Health func() []core.Health
	// Recheck returns the current principal of a session, read from the store and not from a cache. It returns
	// fault.Unauthenticated, NotFound or Forbidden if the session or its account has ended, and fault.Unavailable if
	// the store cannot be read. nil: a principal is valid until it expires.
	Recheck func(ctx context.Context, sessionID int64) (core.Principal, error)
	// Use is Recheck for a connection whose page is visible or armed: it also extends the session, as a request does.
	// nil: connections do not extend sessions.
	Use func(ctx context.Context, sessionID int64) (core.Principal, error)
	// Present returns the clients of all nodes; nil: only the clients of this node are known.
	Present func(ctx context.Context) ([]Present, error)
	// AlertPlace returns the division of an alert and the divisions that it is addressed to. It returns fault.NotFound
	// if the scope may not see the alert. nil: open alerts are not tracked.
	AlertPlace func(ctx context.Context, s core.Scope, id int64) (division string, divisions []string, err error)
}

// Options configures a hub. The zero value of a field means its default; docs/push-protocol.md documents the defaults.
type Options struct {
	Node    string   // name of this process, unique among the nodes; default "onemap"
	Origins []string // origins ("https://host") that pages may connect from, in addition to the server's own

	Heartbeat     time.Duration // between heartbeats to a client; default 10 s
	Coalesce      time.Duration // between state frames; default 100 ms
	CoalesceTiles time.Duration // from the first notice of changed tiles to its frame; default 200 ms
	PollBatches   time.Duration // between polls of the ingest batches; default 200 ms
	HelloTimeout  time.Duration // from the handshake to the hello; default 10 s
	CallTimeout   time.Duration // of one call to a store; default 5 s
	Tick          time.Duration // between checks of health, expiry and pace; default 1 s
	Recheck       time.Duration // between checks of a connection's session; default 60 s
	SaveEvery     time.Duration // between writes of receipts; default 100 ms
	StopTimeout   time.Duration // for closing the client connections at shutdown; default 3 s

	MaxReplay     int           // a client that is further behind must take a snapshot; default 10,000 events
	RingEvents    int           // newest events kept in memory for replay; default 4,096
	RingBytes     int           // largest size of the ring in bytes; default 32 MiB
	QueueMessages int           // events waiting for one client; default 256
	QueueBytes    int           // bytes waiting for one client; default 1 MiB
	QueueStall    time.Duration // how long a client above QueueMessages or QueueBytes may block its writer; default 1 s
	QueueLag      time.Duration // how long any client, or one write, may block the writer; default 5 s
	ReplayLag     time.Duration // QueueLag while the client is replaying; default 60 s
	SendBuffer    int           // the socket's send buffer; default 16 KiB

	MaxClients    int // connections of this node; default 20,000
	MaxPerAccount int // connections of one account on this node; default 256
	MaxReceipts   int // receipts waiting to be saved; default 20,000
	MaxStatus     int // status frames of one client within one Heartbeat; default 200
}

// withDefaults returns the options with the default in each zero field.
func (o Options) withDefaults() Options {
	o.Node = cmp.Or(o.Node, "onemap")
	o.Heartbeat = cmp.Or(o.Heartbeat, 10*time.Second)
	o.Coalesce = cmp.Or(o.Coalesce, 100*time.Millisecond)
	o.CoalesceTiles = cmp.Or(o.CoalesceTiles, 200*time.Millisecond)
	o.PollBatches = cmp.Or(o.PollBatches, 200*time.Millisecond)
	o.HelloTimeout = cmp.Or(o.HelloTimeout, 10*time.Second)
	o.CallTimeout = cmp.Or(o.CallTimeout, 5*time.Second)
	o.Tick = cmp.Or(o.Tick, time.Second)
	o.Recheck = cmp.Or(o.Recheck, time.Minute)
	o.SaveEvery = cmp.Or(o.SaveEvery, 100*time.Millisecond)
	o.StopTimeout = cmp.Or(o.StopTimeout, 3*time.Second)
	o.MaxReplay = cmp.Or(o.MaxReplay, 10_000)
	o.RingEvents = cmp.Or(o.RingEvents, 4096)
	o.RingBytes = cmp.Or(o.RingBytes, 32<<20)
	o.QueueMessages = cmp.Or(o.QueueMessages, 256)
	o.QueueBytes = cmp.Or(o.QueueBytes, 1<<20)
	o.QueueStall = cmp.Or(o.QueueStall, time.Second)
	o.QueueLag = cmp.Or(o.QueueLag, 5*time.Second)
	o.ReplayLag = cmp.Or(o.ReplayLag, time.Minute)
	o.SendBuffer = cmp.Or(o.SendBuffer, 16<<10)
	o.MaxClients = cmp.Or(o.MaxClients, 20_000)
	o.MaxPerAccount = cmp.Or(o.MaxPerAccount, 256)
	o.MaxReceipts = cmp.Or(o.MaxReceipts, 20_000)
	o.MaxStatus = cmp.Or(o.MaxStatus, 200)
	return o
}
