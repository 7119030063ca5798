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

// Directory tells where readings belong. Both answers come from memory: the hub asks for each
// reading. What is unknown here is shown to city-wide scopes alone.
type Directory interface {
	// DeviceOf gives the device that a datastream belongs to.
	DeviceOf(datastream int64) (device string, ok bool)
	// DivisionOf returns the division of a device.
	DivisionOf(device string) (division string, ok bool)
}

// Parts is what the hub reads from, writes to and asks. Events, Follower and Batches are needed; the
// others may be nil.
type Parts struct {
	Events   eventlog.Source
	Follower Follower
	Batches  BatchSource

	// Clients keeps presence and receipts; nil: nobody does.
	Clients ClientStore
	// Directory places readings; nil: every device is unknown.
	Directory Directory
	// Health is the state of the server's parts for the heartbeat; the hub adds its own. It is called
	// every Tick, one call at a time; while it hangs, heartbeats say that it does.
	Health func() []core.Health
	// Recheck returns the principal of a session as it is now, read from the store and not from a cache:
	// fault.Unauthenticated (or NotFound, Forbidden) when the session or its account has ended,
	// fault.Unavailable when nobody can tell. nil: a principal holds until it expires.
	Recheck func(ctx context.Context, sessionID int64) (core.Principal, error)
	// Use is Recheck for a connection whose page is looked at or armed: it extends the session as a request does.
	// nil: connections extend nothing.
	Use func(ctx context.Context, sessionID int64) (core.Principal, error)
	// Present lists who is connected to any node; nil: who is connected to this one.
	Present func(ctx context.Context) ([]Present, error)
	// AlertPlace gives where an alert lies and whom it is addressed to: fault.NotFound when the scope may not see it.
	// nil: no client has an alert open.
	AlertPlace func(ctx context.Context, s core.Scope, id int64) (division string, divisions []string, err error)
}

// Options tunes a hub. The zero value of each field stands for its default, which is what
// docs/push-protocol.md promises.
type Options struct {
	Node    string   // this process among its peers; default "onemap"
	Origins []string // other origins ("https://host") that pages may connect from, besides the server's own

	Heartbeat     time.Duration // between heartbeats to a client; default 10 s
	Coalesce      time.Duration // between state frames; default 100 ms
	CoalesceTiles time.Duration // from the first notice of changed tiles to its frame; default 200 ms
	PollBatches   time.Duration // between looks at the ingest batches; default 200 ms
	HelloTimeout  time.Duration // from the handshake to the hello; default 10 s
	CallTimeout   time.Duration // of one call to a store; default 5 s
	Tick          time.Duration // between looks at health, expiry and pace; default 1 s
	Recheck       time.Duration // between checks of a connection's session; default 60 s
	SaveEvery     time.Duration // between writes of receipts; default 100 ms
	StopTimeout   time.Duration // for taking leave of the clients; default 3 s

	MaxReplay     int           // a client further behind takes a snapshot; default 10,000 events
	RingEvents    int           // newest events kept in memory for replay; default 4,096
	RingBytes     int           // bound of the same in bytes; default 32 MiB
	QueueMessages int           // events waiting for one client; default 256
	QueueBytes    int           // the same in bytes; default 1 MiB
	QueueStall    time.Duration // how long a client past these two may keep the hub waiting; default 1 s
	QueueLag      time.Duration // how long any client may keep the hub waiting, and each write; default 5 s
	ReplayLag     time.Duration // the same while it is replaying; default 60 s
	SendBuffer    int           // the socket's send buffer; default 16 KiB

	MaxClients    int // connections of this node; default 20,000
	MaxPerAccount int // connections of one account on this node; default 256
	MaxReceipts   int // receipts waiting to be saved; default 20,000
	MaxStatus     int // status frames of one client in a Heartbeat; default 200
}

// withDefaults fills in what is zero.
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
