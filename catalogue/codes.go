package catalogue

import "onemap/internal/fault"

// The codes of layers and their fields.
const (
	CodeZoomRange     fault.Code = "zoom-range: the zooms {from} to {to} are no range within 0 to {limit}"
	CodeNoNumberField fault.Code = `no-number-field: "{value}" is no field of numbers`
	CodeNoField       fault.Code = `no-field: the layer has no field "{value}"`
	CodeNamedTwice    fault.Code = `named-twice: "{value}" is there twice`
)
