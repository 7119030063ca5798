package push

import (
	"time"

	"onemap/internal/core"
)

// Client is one connected browser or integrator of an account: whose it is, where it is connected.
type Client struct {
	ID          string // made and kept by the client, [A-Za-z0-9_-]{8,64}
	Node        string
	AccountID   int64
	Division    string
	ConnectedAt time.Time
	Status      ClientStatus
}

// Sound is whether an alarm would be heard at a client.
type Sound string

// The states of a client's sound. Unknown is a client that has not said.
const (
	SoundUnknown   Sound = ""
	SoundArmed     Sound = "armed"     // an alarm sounds
	SoundOff       Sound = "off"       // nobody has allowed sound since the page was opened
	SoundMuted     Sound = "muted"     // a person has switched it off
	SoundSuspended Sound = "suspended" // it was armed, and the browser has stopped it
)

// Valid reports whether s is one of the states that a client may say.
func (s Sound) Valid() bool {
	return s == SoundArmed || s == SoundOff || s == SoundMuted || s == SoundSuspended
}

// ClientStatus is what a client says of itself. The zero value is a client that has said nothing.
type ClientStatus struct {
	Sound   Sound
	Visible bool  // a person can see the page: its tab is in front
	Alert   int64 // the alert that is open on it, 0: none
	Acting  bool  // a handling step of that alert is being written
}

// Present is a client that is connected to any node, with whose it is.
type Present struct {
	Client
	Login string
	Name  string
	Role  core.Role
	// Where the alert of Status lies and whom it is addressed to; both empty when none is open.
	AlertDivision  string
	AlertDivisions []string
}
