package auth

// The kinds of events of accounts and sessions. docs/push-protocol.md describes their payloads.
const (
	EventAccountChanged = "account.changed" // role, division, password or state changed; roles administrator
	EventSessionRevoked = "session.revoked" // payload {session_id, account_id}
)
