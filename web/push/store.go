// Package push implements the WebSocket endpoint. It replays the events that a client has missed, then pushes events,
// coalesced state and heartbeats, and sends only what the client's scope may see. docs/push-protocol.md describes the
// frames. No other package imports gorilla/websocket.
package push

import (
	"context"
	"time"

	"onemap/internal/core"
	"onemap/sensors"
)

// Follower follows the event log for this node and passes the events to the hub's Subscriber.
type Follower interface {
	// Wake makes the follower read the log now. It never blocks.
	Wake()
	// Late returns the time since the log was last read to its end, and whether that is too long.
	Late() (age time.Duration, late bool)
}

// BatchSource reads the committed ingest batches for the live state.
type BatchSource interface {
	sensors.Tail
	// BatchAt returns the id of the newest batch at or before seq, empty when that is not known.
	BatchAt(ctx context.Context, seq int64) (string, error)
}

// ClientStore stores the connected clients and their receipts.
type ClientStore interface {
	ClientConnected(ctx context.Context, c Client) error
	// ClientsSeen marks the listed clients of the node as connected, and the node's other clients as gone.
	ClientsSeen(ctx context.Context, node string, clientIDs []string, at time.Time) error
	ClientGone(ctx context.Context, node, clientID string) error
	// SaveReceipt stores a cumulative receipt: it never goes backwards, and each alert.* event that was
	// visible to the scope in (previous, seq] becomes an alert_receipt row of the client.
	SaveReceipt(ctx context.Context, c Client, s core.Scope, seq int64, at time.Time) error
}
