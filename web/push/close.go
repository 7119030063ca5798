package push

import (
	"fmt"
)

// The close codes of the protocol. After 4000 to 4099 the client must not reconnect until the cause is removed (a fixed
// client, a login). After 4100 and above the client reconnects with its last_seq.
const (
	CloseBadFrame     = 4000 // the reason names the error
	CloseSessionEnded = 4001 // log in again
	CloseNoHello      = 4002 // no hello arrived in time, or another frame arrived first
	CloseScopeChanged = 4003 // role or division changed without the API (the API ends the session): reconnect at once, take a snapshot
	CloseResume       = 4100 // too slow, or the log was restored: reconnect at once
	CloseGoingAway    = 4101 // the server stops or cannot serve yet: reconnect with jitter
)

// closing is the reason why a connection ends. It implements error, so that it can be returned from where it occurs.
type closing struct {
	code   int
	cause  string // the metric's label
	reason string // for the client
}

// Error returns the reason.
func (c *closing) Error() string { return c.reason }

// The causes: label values of onemap_push_closed_total.
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

// causes returns all label values, so that each counter exists from the start with the value 0.
func causes() []string {
	return []string{
		causeGone, causeBadFrame, causeNoHello, causeSession, causeScope, causeSlow, causeRestored,
		causePruned, causeReplay, causeNotReady, causeStopping,
	}
}

// badFrame returns a closing with code 4000; the text says what is wrong with the frame.
func badFrame(format string, args ...any) *closing {
	return &closing{CloseBadFrame, causeBadFrame, fmt.Sprintf(format, args...)}
}

// noHello returns a closing with code 4002.
func noHello(format string, args ...any) *closing {
	return &closing{CloseNoHello, causeNoHello, fmt.Sprintf(format, args...)}
}

// resume returns a closing with code 4100: the client reconnects at once with its last seq.
func resume(cause, format string, args ...any) *closing {
	return &closing{CloseResume, cause, fmt.Sprintf(format, args...)}
}

// goingAway returns a closing with code 4101: the client reconnects after a random delay.
func goingAway(cause, format string, args ...any) *closing {
	return &closing{CloseGoingAway, cause, fmt.Sprintf(format, args...)}
}

// maxReason is the longest reason in a close frame, in bytes. A control frame holds 125 bytes (RFC 6455, section 5.5), and
// the code takes 2.
const maxReason = 123
