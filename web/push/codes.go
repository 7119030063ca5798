package push

import "onemap/internal/fault"

// The codes of live connections.
const (
	CodeNotWebSocket    fault.Code = "not-websocket: the request arrives without Upgrade: websocket: a proxy before the server must pass Upgrade and Connection on"
	CodePushNotReady    fault.Code = "push-not-ready: the server is starting or stopping and takes no live connections yet"
	CodePushFull        fault.Code = "push-full: the server has {n} live connections, as many as it takes"
	CodePushAccountFull fault.Code = "push-account-full: the account has {n} live connections, as many as one may have: close pages that are not needed, or use an account for each person"
	CodePartsUnknown    fault.Code = "parts-unknown: the server's health is not known"
	CodeEventsUnread    fault.Code = "events-unread: the event log could not be read"
	CodeBatchesUnread   fault.Code = "batches-unread: the ingest batches could not be read"
)
