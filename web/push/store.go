// Package push is the live side of the web: one WebSocket endpoint that replays what a client
// missed, then pushes events, coalesced state and heartbeats, each checked against the client's
// scope. docs/push-protocol.md describes the frames. It is the only importer of gorilla/websocket.
package push

import (
	"context"
	"time"

	"onemap/internal/core"
	"onemap/sensors"
)

// Follower is what follows the event log for this node, and tells the hub's Subscriber.
type Follower interface {
	// Wake makes it look at the log now. It never blocks.
	Wake()
	// Late returns the time since the log was last read to its end, and whether that is too long.
	Late() (age time.Duration, late bool)
}

// BatchSource is the committed readings, for live state.
type BatchSource interface {
	sensors.Tail
	// BatchAt returns the id of the newest batch at or before seq, empty when that is not known.
	BatchAt(ctx context.Context, seq int64) (string, error)
}

// ClientStore keeps who is connected and what their machines received.
type ClientStore interface {
	ClientConnected(ctx context.Context, c Client) error
	// ClientsSeen marks this node's clients as alive, and forgets those of its own that are not listed.
	ClientsSeen(ctx context.Context, node string, clientIDs []string, at time.Time) error
	ClientGone(ctx context.Context, node, clientID string) error
	// SaveReceipt stores a cumulative receipt: it never goes backwards, and each alert.* event that was
	// visible to the scope in (previous, seq] becomes an alert_receipt row of the client.
	SaveReceipt(ctx context.Context, c Client, s core.Scope, seq int64, at time.Time) error
}
