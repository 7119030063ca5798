package engine

import "onemap/internal/fault"

// The codes of layers that are loaded and followed.
const (
	CodeLayerLoading fault.Code = "layer-loading: loading layer {nth} of {layers}, {layer}: {n} of {count}"
	CodeLayersUnread fault.Code = "layers-unread: changes of the layers could not be read"
)
