package sensors

// The kinds of the events of devices, each with what its payload is: docs/push-protocol.md.
const (
	EventRegistryChanged = "registry.changed"   // a device or datastream was made or changed
	EventUnevaluated     = "device.unevaluated" // devices are heard of and their readings not evaluated, or are again; payload UnevaluatedEvent
	EventPresenceChanged = "presence.changed"   // devices went on or off line, datastreams fell silent; payload PresenceEvent
)
