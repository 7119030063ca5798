package alerts

// The kinds of the events of alerts, rules and silences, each with what its payload is: docs/push-protocol.md.
const (
	EventIssued         = "alert.issued"       // an episode began; payload Event
	EventUpdated        = "alert.updated"      // its level changed or its message was renewed
	EventCleared        = "alert.cleared"      // the episode ended
	EventAcknowledged   = "alert.acknowledged" // handling steps
	EventAssigned       = "alert.assigned"
	EventResolved       = "alert.resolved"
	EventClosed         = "alert.closed"
	EventStale          = "alert.stale"     // its data stopped or came back
	EventRuleChanged    = "rule.changed"    // payload {id}
	EventSilenceChanged = "silence.changed" // a silence was made or ended; payload SilenceEvent
)
