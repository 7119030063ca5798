package auth

// The kinds of the events of accounts and sessions, each with what its payload is: docs/push-protocol.md.
const (
	EventAccountChanged = "account.changed" // role, division, password or state changed; roles administrator
	EventSessionRevoked = "session.revoked" // payload {session_id, account_id}
)
