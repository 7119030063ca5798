package push

import (
	"time"

	"onemap/internal/core"
)

// Client is one connected browser or integrator: its account, its node and its last status.
type Client struct {
	ID          string // made and kept by the client, [A-Za-z0-9_-]{8,64}
	Node        string
	AccountID   int64
	Division    string
	ConnectedAt time.Time
	Status      ClientStatus
}

// Sound is the state of the alarm sound at a client.
type Sound string

// The states of a client's sound. A client that has not sent a status is SoundUnknown.
const (
	SoundUnknown   Sound = ""
	SoundArmed     Sound = "armed"     // an alarm sounds
	SoundOff       Sound = "off"       // sound has not been allowed since the page was opened
	SoundMuted     Sound = "muted"     // a person has switched the sound off
	SoundSuspended Sound = "suspended" // the sound was armed, and the browser has stopped it
)

// Valid reports whether s is a state that a client may send.
func (s Sound) Valid() bool {
	return s == SoundArmed || s == SoundOff || s == SoundMuted || s == SoundSuspended
}

// ClientStatus is the content of a client's status frame. The zero value means that the client has sent none.
type ClientStatus struct {
	Sound   Sound
	Visible bool  // a person can see the page: its tab is in front
	Alert   int64 // the alert that is open on the page; 0: none
	Acting  bool  // a handling step of that alert is being written
}

// Present is a client that is connected to any node, with its account's login, name and role.
type Present struct {
	Client
	Login string
	Name  string
	Role  core.Role
	// The division of the open alert and the divisions that it is addressed to; both are empty if no alert is open.
	AlertDivision  string
	AlertDivisions []string
}
