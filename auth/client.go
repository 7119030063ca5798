package auth

import "time"

// Client is one connected browser or integrator of an account: whose it is, where it is connected.
type Client struct {
	ID          string // made and kept by the client, [A-Za-z0-9_-]{8,64}
	Node        string
	AccountID   int64
	Division    string
	ConnectedAt time.Time
}
