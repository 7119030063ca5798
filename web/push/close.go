package push

import (
	"fmt"
)

// The close codes of the protocol. 4000 to 4099 are final until something else happens (a fixed
// client, a login); on 4100 and above the client reconnects with its last_seq.
const (
	CloseBadFrame     = 4000 // the reason names what was wrong
	CloseSessionEnded = 4001 // log in again
	CloseNoHello      = 4002 // no hello came in time, or something else came first
	CloseScopeChanged = 4003 // role or division changed, and not by the API, which ends the session: reconnect at once, take a snapshot
	CloseResume       = 4100 // too slow, or the log was restored: reconnect at once
	CloseGoingAway    = 4101 // the server stops or cannot serve yet: reconnect with jitter
)

// closing is why a connection ends. As an error it goes up from where the fault was found.
type closing struct {
	code   int
	cause  string // the metric's label
	reason string // for the client
}

// Error is the reason.
func (c *closing) Error() string { return c.reason }

// The causes, as labels of onemap_push_closed_total.
const (
	causeGone     = "gone"
	causeBadFrame = "bad-frame"
	causeNoHello  = "no-hello"
	causeSession  = "session"
	causeScope    = "scope"
	causeSlow     = "slow"
	causeRestored = "restored"
	causePruned   = "pruned"
	causeReplay   = "replay"
	causeNotReady = "not-ready"
	causeStopping = "stopping"
)

func causes() []string {
	return []string{
		causeGone, causeBadFrame, causeNoHello, causeSession, causeScope, causeSlow, causeRestored,
		causePruned, causeReplay, causeNotReady, causeStopping,
	}
}

func badFrame(format string, args ...any) *closing {
	return &closing{CloseBadFrame, causeBadFrame, fmt.Sprintf(format, args...)}
}

func noHello(format string, args ...any) *closing {
	return &closing{CloseNoHello, causeNoHello, fmt.Sprintf(format, args...)}
}

func resume(cause, format string, args ...any) *closing {
	return &closing{CloseResume, cause, fmt.Sprintf(format, args...)}
}

func goingAway(cause, format string, args ...any) *closing {
	return &closing{CloseGoingAway, cause, fmt.Sprintf(format, args...)}
}

// maxReason is what a close frame has room for: 125 bytes with the code.
const maxReason = 123
