package catalogue

// The kinds of the events of layers, each with what its payload is: docs/push-protocol.md.
const (
	EventLayerChanged = "layer.changed" // features were edited or imported
)
